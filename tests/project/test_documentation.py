"""The documentation builds without a warning, has every public name, and what it shows to be run does run."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import tinypool_nb as tp
from tests.course.solutions import SOLUTIONS
from tinypool_nb.views.frames import SCHEMAS

DOCS = Path(tp.__file__).parent / "docs"
HOW_TO = sorted((DOCS / "howto").glob("*.md"))
MODULES = {"course"}
"""Public names that stand for a room: its names are documented one by one."""


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def blocks(path: Path, language: str) -> dict[str, str]:
    """The blocks of a page in a language, by their caption, or by their number where they have none."""
    found = re.findall(
        rf"^```(?:\{{code-block\}} )?{language}\n(?::caption: ([^\n]+)\n\n?)?(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL
    )
    return {caption or str(number): text for number, (caption, text) in enumerate(found)}


@pytest.mark.slow
def test_it_builds_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    if any(find_spec(package) is None for package in ("sphinx", "myst_parser", "furo")):
        missing("there is no Sphinx in this environment (it is in the dependency group docs)")
    words = [
        "-m",
        "sphinx",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "-d",
        str(tmp_path / "trees"),
        str(DOCS),
        str(tmp_path / "built"),
    ]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem: path.read_text() for path in (tmp_path / "built" / "reference").glob("*.html")}
    anchors = set(re.findall(r'id="tinypool_nb\.(?:errors\.)?(\w+)"', "".join(pages.values())))
    assert sorted(set(tp.__all__) - MODULES - anchors) == []
    assert set(re.findall(r'id="tinypool_nb\.course\.(\w+)"', pages["course"])) == set(tp.course.__all__)
    assert [name for name in SCHEMAS if f'<section id="{name}">' not in pages["frames"]] == []
    assert "usage: tinypool-nb course" in pages["shell"]
    assert [path.stem for path in HOW_TO if not (tmp_path / "built" / "howto" / f"{path.stem}.html").is_file()] == []
    whole = (tmp_path / "built" / "reference" / "lab.html").read_text()
    assert re.findall(r'(?:src|href)="(https?:[^"]*\.(?:js|css|woff2?))"', whole) == [], "it works without a network"


@pytest.mark.parametrize("path", HOW_TO, ids=lambda path: path.stem)
def test_the_python_of_every_how_to_can_be_read(path: Path) -> None:
    assert path.read_text().startswith("# ")
    for name, text in blocks(path, "python").items():
        compile(text, f"{path.name}: {name}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.slow
def test_the_lab_script_runs_and_so_does_its_test(tmp_path: Path) -> None:
    for name, text in blocks(DOCS / "howto" / "write-a-lab-script.md", "python").items():
        (tmp_path / name).write_text(text)
    scripts = [[sys.executable, "what_a_crash_costs.py"], [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_crash.py"]]
    told = [subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False) for script in scripts]
    assert [done.returncode for done in told] == [0, 0], "".join(done.stdout + done.stderr for done in told)
    assert re.fullmatch(r"\d attempts failed; READY again after \d\.\d\d s\n", told[0].stdout)
    assert tp.open_recording(tmp_path / "crash.parquet").summary().disconnections.tolist() == [1]


def test_prometheus_accepts_the_rules_and_the_settings(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("there is no promtool on the PATH (apt install prometheus)")
        return
    files = blocks(DOCS / "howto" / "alert-with-prometheus.md", "yaml")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run([promtool, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 rules found" in done.stdout


def test_every_metric_that_an_alert_asks_for_is_served() -> None:
    rules = blocks(DOCS / "howto" / "alert-with-prometheus.md", "yaml")["tinypool-rules.yml"]
    asked = set(re.findall(r"\b(?:tinysystems|grpc)_\w+", rules))
    with tp.ClientPool() as pool:
        pool.register("http-module-v1", "127.0.0.1:50051")
        families = {family.name for family in pool.collector().collect()}
    assert {name.removesuffix("_total") for name in asked} - families == set()


def test_the_facilitator_s_answers_are_those_that_are_accepted() -> None:
    told = dict(re.findall(r"^\| (\d\d\.\d) \| (.+) \|$", (DOCS / "teach.md").read_text(), re.MULTILINE))
    assert list(told) == list(SOLUTIONS)
    for number, text in told.items():
        code = re.findall(r"`([^`]+)`", text)[0]
        if number not in ("02.6", "03.4", "05.4", "06.6", "07.7"):
            assert tp.course.check(number, eval(code, {"tp": tp})).right, number  # noqa: S307 - ours
        else:
            assert code == SOLUTIONS[number]
