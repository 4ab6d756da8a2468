"""What a stranger meets first: the README's first screen, `make`, what is installed, and what a fresh machine's CI does."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tinypool_nb.cli.demo import NOTEBOOK

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FIRST_SCREEN = 25
"""Lines."""


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    project = PYPROJECT["project"]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    grouped = [requirement for group in PYPROJECT["dependency-groups"].values() for requirement in group if isinstance(requirement, str)]
    requirements = [*project["dependencies"], *extras, *grouped, *PYPROJECT["build-system"]["requires"]]
    assert [requirement for requirement in requirements if not re.fullmatch(r"[\w-]+>=[\d.]+(,!=[\d.]+)*,<[\d.]+", requirement)] == []
    assert project["requires-python"] == ">=3.11"


def test_the_two_commands_stand_in_the_readme_s_first_screen() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:FIRST_SCREEN])
    assert "make demo" in screen
    assert "make test" in screen


def test_the_readme_leads_to_every_how_to_and_to_nothing_that_is_not_there() -> None:
    linked = {link for link in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()) if "://" not in link}
    assert [link for link in linked if not (ROOT / link).is_file()] == []
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tinypool_nb" / "docs" / "howto").glob("*.md")}
    assert pages - linked == set()


def test_every_notebook_is_part_of_every_installation() -> None:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert NOTEBOOK in names
    assert included == {f"notebooks/{name}": f"tinypool_nb/notebooks/{name}" for name in names}


@pytest.mark.parametrize(
    ("target", "last", "groups"),
    [
        ("demo", "tinypool-nb demo", set()),
        ("notebooks", "tinypool-nb course --executed --out dist/notebooks", set()),
        ("test", 'python -m pytest -m "not slow" -n 3 --dist loadfile', {"dev"}),
        ("test-all", "python -m pytest -n 2 --dist loadfile", {"dev", "docs"}),
        ("lint", "lint-imports", {"dev"}),
        ("bench", "python tests/benchmarks/run.py", {"dev"}),
        ("docs", 'echo "open dist/docs/index.html"', {"docs"}),
    ],
)
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on the PATH")
def test_on_a_fresh_machine_make_sets_up_what_the_target_needs(tmp_path: Path, target: str, last: str, groups: set[str]) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}  # make may be running us
    told = subprocess.run(["make", "-n", target], cwd=tmp_path, env=outside, capture_output=True, text=True, check=True).stdout
    order = [told.index("-m venv"), told.index("pip install --quiet --editable .\n"), told.index(last)]
    assert order == sorted(order)
    assert set(re.findall(r"--group (\w+)", told)) == groups
    assert told.rstrip().endswith(last)


def test_ci_brings_browser_and_prometheus_and_then_makes_every_check() -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    assert [line for line in lines if line.startswith("make ")] == ["make lint", "make test", "make test-all"]
    assert "export CI=true" in lines
    assert any("packages+=(chromium)" in line for line in lines)
    assert any("packages+=(prometheus)" in line for line in lines)
    assert "policy=/usr/sbin/policy-rc.d" in lines, "installing Prometheus starts none"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111, "it can be run"


@pytest.mark.parametrize(
    ("fixture", "said"),
    [
        ("browser", "there is no Chromium on the PATH (apt install chromium)"),
        ("prometheus", "there is no Prometheus on the PATH (apt install prometheus)"),
    ],
)
@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_what_is_missing_is_a_skip_that_says_so_and_in_ci_a_failure(tmp_path: Path, fixture: str, said: str, ci: str, outcome: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(f"def test_it({fixture}):\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-rs"],
        cwd=tmp_path,
        env={"PATH": "", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout.splitlines()[-1]
    assert said in done.stdout
