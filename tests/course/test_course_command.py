"""`tinypool-nb course`: tells what there is, copies without overwriting, opens and executes."""

from pathlib import Path

import nbformat
import pytest

import tinypool_nb as tp
from tinypool_nb.cli import help_texts, main


def test_the_list_has_every_notebook_with_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["course", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(tp.course.notebooks())
    assert lines[1].split(maxsplit=1) == ["2", "The five states"]


def test_it_copies_the_course_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["course", "3", "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["03_reconnection.ipynb"]
    (tmp_path / "03_reconnection.ipynb").write_text("my answers")
    assert main(["course", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "03_reconnection.ipynb").read_text() == "my answers"
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in tp.course.notebooks()]
    told = capsys.readouterr().out
    assert "is there already, and was left as it is" in told
    assert f"jupyter lab {tmp_path / '01_first_look.ipynb'}" in told


def test_what_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["course", "42"]) == 1
    assert "there is no notebook 42; there are 1, 2," in capsys.readouterr().err


@pytest.mark.slow
def test_unanswered_a_notebook_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["course", "2", "--executed", "--out", str(tmp_path)]) == 0
    node = nbformat.read(tmp_path / "02_states.ipynb", as_version=4)
    said = [output.data.get("text/plain", "") for cell in node.cells for output in cell.get("outputs", ()) if "data" in output]
    assert sum(text.startswith("02.") and " Open: " in text for text in said) == 6
    assert said[-1].startswith("02 0 of 7 exercises")
    assert "running 02_states.ipynb" in capsys.readouterr().out
    answered = (tmp_path / "02_states.ipynb").read_text().replace("prediction = ...", "prediction = 1")
    (tmp_path / "02_states.ipynb").write_text(answered)
    assert main(["course", "2", "--executed", "--out", str(tmp_path)]) == 1
    assert "holds what somebody has written" in capsys.readouterr().err
    assert (tmp_path / "02_states.ipynb").read_text() == answered


def test_every_command_explains_itself() -> None:
    texts = help_texts(100)
    assert "tinypool-nb course" in texts
    assert all("usage: tinypool-nb" in text for text in texts.values())
