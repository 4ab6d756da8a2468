"""What the shell command prints of hostile recordings, notebooks, names, addresses and files: text, and nothing that a terminal obeys."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import tinypool_nb as tp
from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, CONTROL, HOSTILE
from tinypool_nb.cli import main
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record

Obeyed = Callable[[str], list[str]]
Run = Callable[..., tuple[int, str]]
NAMES = {what: name for what, name in HOSTILE.items() if "/" not in name and "=" not in name}
"""What a word of the command can say as a name."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], obeyed: Obeyed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder; gives its exit code and all that it printed, in which a terminal finds nothing to obey."""
    monkeypatch.chdir(tmp_path)

    def do(*words: object) -> tuple[int, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = "\n".join(capsys.readouterr())
        assert obeyed(told) == [], told
        return code, told

    return do


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "hostile.parquet"
    Record(hostile_journal()).save(path)
    return path


def test_replay_tells_each_change_and_mark_in_one_line(run: Run, recording: Path) -> None:
    code, told = run("replay", recording, "--speed", "80000")
    assert code == 0
    for text in ALL.values():
        assert one_line(text)[:30] in told
    changes = [line for line in told.splitlines() if line[2:3] == line[5:6] == ":"]
    assert len(changes) == 6 * len(ALL), "four changes and two marks of each, none of which begins a line of its own"


def test_replay_of_a_module_that_is_not_there_and_of_files_that_are_none(run: Run, recording: Path, tmp_path: Path) -> None:
    for text in ALL.values():
        assert run("replay", recording, "--module", f"{text} ")[0] == 1
        if "\0" not in text:  # which no system takes
            assert run("replay", tmp_path / text.replace("/", "_"))[0] == 1
    false = tmp_path / "false.parquet"
    false.write_bytes(b"PAR1\x1b[31m" + CONTROL["title"].encode() * 20 + b"PAR1")
    assert run("replay", false)[0] == 1


def test_the_report_of_a_hostile_recording(run: Run, recording: Path, tmp_path: Path) -> None:
    code, told = run("report", recording, "-o", "report.html", "--title", ALL["colours"])
    assert code == 0
    assert "report.html" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]


@pytest.mark.parametrize("what", ["script", "turned around", "nobody sees it", "colours", "title", "lines", "clipboard", "shell", "latex"])
def test_a_notebook_whose_name_is_hostile(run: Run, what: str, tmp_path: Path) -> None:
    stem = ALL[what].replace("/", "_")
    notebook = tmp_path / f"{stem}.ipynb"
    cell = new_code_cell("1", outputs=[new_output("stream", text="said")])
    nbformat.write(new_notebook(cells=[cell]), notebook)
    code, told = run("report", notebook, "--no-execute")
    assert code == 0
    assert one_line(f"{stem}.html")[:20] in told
    assert (tmp_path / f"{stem}.html").is_file()


@pytest.mark.slow
def test_a_notebook_whose_cells_are_hostile_is_told_while_it_runs(run: Run, tmp_path: Path) -> None:
    cells = [new_code_cell(f"# {text}") for what, text in CONTROL.items() if what not in {"null", "lines", "a line of a log"}]
    nbformat.write(new_notebook(cells=cells), tmp_path / "hostile.ipynb")
    code, told = run("report", "hostile.ipynb")
    assert code == 0, told
    assert "red" in told
    nbformat.write(new_notebook(cells=[new_code_cell("raise ValueError('\\x1b[2J\\x1b]0;pwned\\x07')")]), tmp_path / "failing.ipynb")
    code, told = run("report", "failing.ipynb")
    assert code == 1
    assert "pwned" in told


@pytest.mark.slow  # it connects to as many modules as there are names
def test_doctor_of_hostile_names(run: Run) -> None:
    code, told = run("doctor", *(f"{name}=127.0.0.1:1" for name in NAMES.values()), "--timeout", "5")
    assert code == 1
    assert told.count("cannot be reached: refused") == len(NAMES)


def test_words_that_are_no_address_are_refused_as_text(run: Run) -> None:
    for text in ALL.values():
        for word in (text, f"{text}:1 ", f"name={text} "):
            code, told = run("doctor", f" {word}")
            assert code == 2
            assert "was refused" in told or "unrecognized" in told
        assert run("record", f"{text} x", "-o", "x.parquet")[0] in {1, 2}
        assert run("course", f"x{text}")[0] == 2
        assert run("report", f"x{text}")[0] == 1
        assert run(f"x{text}")[0] == 2


def test_the_course_in_a_hostile_folder(run: Run, tmp_path: Path) -> None:
    for what in ("colours", "title", "lines", "turned around", "script"):
        code, told = run("course", "1", "--out", tmp_path / ALL[what].replace("/", "_"))
        assert code == 0
        assert "01_first_look.ipynb" in told
        assert run("course", "1", "--out", tmp_path / ALL[what].replace("/", "_"))[0] == 0  # they are there already


@pytest.mark.slow  # it records for a second, in a process of its own: the command takes the signals for good
def test_recording_modules_with_hostile_names(tmp_path: Path, obeyed: Obeyed) -> None:
    path = tmp_path / f"{HOSTILE['turned around']}.parquet"
    words = [f"{name}=127.0.0.1:1" for name in NAMES.values()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tinypool_nb.cli", "record", *words, "-o", str(path), "--for", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert obeyed(done.stdout + done.stderr) == []
    assert {key.name for key in tp.open_recording(path).known()} == set(NAMES.values())
