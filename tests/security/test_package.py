"""What the package never does: unpickle, evaluate, start a shell, parse yaml into objects, or write foreign text into a page as markup."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinypool_nb

PACKAGE = Path(tinypool_nb.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "_pb2" not in path.name)
SCRIPTS = sorted(path for kind in ("*.js", "*.mjs") for path in PACKAGE.rglob(kind))
FORBIDDEN_MODULES = frozenset(
    {"cloudpickle", "cPickle", "code", "dill", "joblib", "marshal", "pickle", "pickletools", "shelve", "telnetlib"}
)
FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__", "breakpoint"})
FORBIDDEN_ATTRIBUTES = frozenset(
    {"system", "popen", "getoutput", "getstatusoutput", "read_pickle", "to_pickle", "full_load", "unsafe_load", "load_all", "mktemp"}
)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def wrongs(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {alias.name}" for alias in names if alias.name.partition(".")[0] in FORBIDDEN_MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in FORBIDDEN_MODULES:
                yield f"imports from {module}"
            case ast.Call(func=ast.Name(id=called)) if called in FORBIDDEN_CALLS:
                yield f"calls {called}"
            case ast.Call(func=ast.Attribute(attr=called)) if called in FORBIDDEN_ATTRIBUTES:
                yield f"calls .{called}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="yaml"), attr=called)) if called.startswith("load"):
                yield f"calls yaml.{called}; safe_load it is"
            case ast.keyword(arg="shell" | "allow_pickle", value=ast.Constant(value=value)) if value:
                yield "starts a shell or allows pickle"
            case ast.keyword(arg="trust_remote_code" | "sanitize", value=ast.Constant()):
                yield "trusts"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_source_unpickles_evaluates_or_starts_a_shell(path: Path) -> None:
    assert list(wrongs(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_the_search_finds_what_it_is_for() -> None:
    found = list(wrongs(ast.parse("import pickle\nfrom shelve import open\neval('1')\nos.system('x')\nrun(x, shell=True)\nyaml.load(f)")))
    assert len(found) == 6


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_no_script_of_a_page_makes_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|setHTML"
    code = r"\beval\s*\(|new Function|setTimeout\(\s*[\"'`]|setInterval\(\s*[\"'`]|javascript:|setAttribute\(\s*[\"']on"
    network = r"\bfetch\s*\(|XMLHttpRequest|new WebSocket|EventSource|sendBeacon|\bimport\s*\("
    assert re.findall(f"{markup}|{code}|{network}", text) == []


def test_there_are_scripts_and_sources() -> None:
    assert len(SOURCES) > 100
    assert len(SCRIPTS) > 20
