"""What holds for the files of the repository as such."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinypool_nb"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

OF_ONE_MACHINE = re.compile(r"(?<![\w.~-])/(root|home|Users|work|opt|mnt)/[\w.]+")
OF_ONE_REGISTRY = re.compile(
    r"index-url|find-links|\bregistry\s*=|(pypi|pythonhosted|npmjs|anaconda)\.(org|com)/(simple|packages)", re.IGNORECASE
)

NOT_IMPORTED = {
    "anywidget": "plotly's FigureWidget asks for it and does not declare it",
    "ipywidgets": "plotly's FigureWidget and the widgets of a notebook",
    "ipykernel": "the kernel in which a notebook is executed",
    "protobuf": "the stubs that protoc wrote",
}


def files() -> list[Path]:
    """Every file that is tracked, or would be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("this is no git work tree")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_pb2" not in path.name:  # written by protoc
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def normal(requirement: str) -> str:
    """The name of a requirement as registries compare it.

    >>> normal("Foo_bar>=2,<3")
    'foo-bar'
    """
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


@pytest.mark.parametrize("pattern", [OF_ONE_MACHINE, OF_ONE_REGISTRY], ids=["machine", "registry"])
def test_no_file_names_a_path_or_registry_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = []
    for path in files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()}")
    assert [line for line in found if not line.startswith("tests/project/test_repository.py")] == []


def test_the_search_for_machine_paths_finds_one() -> None:
    assert OF_ONE_MACHINE.search("see /home/ada/notes")
    assert not OF_ONE_MACHINE.search("https://example.org/home/page and ~/work/x")


def test_no_large_file_is_in_the_repository() -> None:
    assert [(path.name, path.stat().st_size) for path in files() if path.stat().st_size > 300_000] == []


def test_notebooks_are_committed_without_outputs() -> None:
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert [n for n, cell in enumerate(cells) if cell.get("outputs") or cell.get("execution_count")] == [], path.name


def test_private_names_of_grpc_stand_in_one_module() -> None:
    private = set()
    for name, tree in sources():
        touched = [each for each in imported(tree) if each.startswith("grpc.") and "._" in each]
        touched += [
            n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "grpc" and n.attr.startswith("_")
        ]
        if touched:
            private.add(name)
    assert private == {"channels/channelz.py"}


def test_what_is_imported_is_declared_and_what_is_declared_is_needed() -> None:
    """An undeclared import works until somebody else stops to depend on it."""
    distributions = packages_distributions()
    declared = {normal(requirement) for requirement in PROJECT["dependencies"]}
    optional = {normal(requirement) for extra in PROJECT["optional-dependencies"].values() for requirement in extra}
    needed: set[str] = set()
    for name, tree in sources():
        for module in imported(tree):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top == "tinypool_nb":
                continue
            candidates = {normal(distribution) for distribution in distributions[top]}
            assert candidates & (declared | optional), f"{name} imports {module}, which is not declared"
            needed |= candidates
    assert declared - needed - set(NOT_IMPORTED) == set()


def test_entry_points_resolve() -> None:
    entries = {**PROJECT["scripts"], **PROJECT["entry-points"]["nbconvert.exporters"]}
    for entry in entries.values():
        module, _, attribute = entry.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute)), entry


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    """Tests are no package: pytest and mypy tell files apart by their bare names."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
