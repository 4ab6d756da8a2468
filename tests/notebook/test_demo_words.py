"""What `tinypool-nb demo` says while it runs and at its end, with a small notebook in place of the real one."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import tinypool_nb as tp
from tinypool_nb import cli
from tinypool_nb.cli import demo

RECORD = """
# a pool is recorded
import tinypool_nb as tp
with tp.Pool() as pool:
    pool.register("http-module-v1", "127.0.0.1:1")
pool.save(recording)
"""


def test_progress_a_summary_and_the_three_files_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [new_code_cell('recording = ""', metadata={"tags": ["parameters"]}), new_code_cell(RECORD.strip())]
    nbformat.write(new_notebook(cells=cells), tmp_path / "small.ipynb")
    monkeypatch.setattr(demo, "_notebook", lambda: tmp_path / "small.ipynb")
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "2/" in said
    assert "a pool is recorded" in said
    assert "recorded: 2 transitions and 0 attempts of 1 modules" in said
    for name in ("01_first_look.ipynb", "first_look.html", "first_look.parquet"):
        assert (tmp_path / "out" / name).is_file()
        assert str(tmp_path / "out" / name) in said
    assert tp.open_recording(tmp_path / "out" / "first_look.parquet").transitions().state.tolist() == ["IDLE", "SHUTDOWN"]
