"""`tinypool-nb report`: notebooks and recordings, HTML and PDF, and what it says when something is wrong."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinypool_nb.cli import main
from tinypool_nb.errors import DestinationError, ReportError
from tinypool_nb.notebook.record import open_recording
from tinypool_nb.report import pdf, writing

if TYPE_CHECKING:
    from tests.report.conftest import MakeRecord

Told = pytest.CaptureFixture[str]


@pytest.fixture
def recording(make_record: "MakeRecord", tmp_path: Path) -> Path:
    path = tmp_path / "incident.parquet"
    make_record([f"http-module-v{number}" for number in range(1, 5)], calls=10).save(path)
    return path


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        new_markdown_cell("# Told"),
        new_code_cell("count = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("# it counts\n'n' * count"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "told.ipynb")
    return tmp_path / "told.ipynb"


def pages(printed: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", printed))


def test_a_recording_becomes_a_page(recording: Path, tmp_path: Path, capsys: Told) -> None:
    assert main(["report", str(recording), "-o", str(tmp_path / "out.html"), "--sections", "1"]) == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "1 of 4 modules could not be reached at the end: <a href=" in page
    assert "<h1>incident.parquet</h1>" in page
    told = capsys.readouterr().out
    assert "4 modules" in told
    assert "out.html" in told
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_each_step_is_told_before_it_is_taken(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    before: list[str] = []

    def printed(_page: str) -> bytes:
        before.extend(capsys.readouterr().out.splitlines())
        return b"%PDF"

    monkeypatch.setattr(writing, "print_pdf", printed)
    assert main(["report", str(recording), "-o", str(tmp_path / "out.pdf")]) == 0
    steps = ["judging 4 modules", "drawing the timeline of 50 transitions", "writing 4 sections of modules, and the rest", "printing it"]
    assert before == [f"opened {recording}: 4 modules", *(f"  {step}" for step in steps)]
    assert main(["report", str(recording), "-o", str(tmp_path / "out.html")]) == 0
    assert [line.strip() for line in capsys.readouterr().out.splitlines()[2:-1]] == steps[:-1]


def test_several_recordings_make_one_report_of_a_range_of_time(make_record: "MakeRecord", tmp_path: Path, capsys: Told) -> None:
    make_record(["http-module-v1"]).save(tmp_path / "a.parquet")
    make_record(["kv-module-v1"]).save(tmp_path / "b.parquet")
    given = [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    assert main(["report", *given, "-o", str(tmp_path / "out.html")]) == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<h1>a.parquet, b.parquet</h1>" in page
    assert "http-module-v1" in page
    assert "kv-module-v1" in page
    assert main(["report", str(tmp_path / "*.parquet"), "-o", str(tmp_path / "part.html"), "--start", "2026-02-02 03:00"]) == 0
    part = (tmp_path / "part.html").read_text(encoding="utf-8")
    assert "2026-02-02 03:00:00 to 03:40:00 UTC" in part
    assert "kv-module-v1" in part
    assert "Traceback" not in capsys.readouterr().err


def test_a_recording_that_was_not_closed_has_a_report(make_record: "MakeRecord", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run.parquet.partial"
    folder.mkdir()
    make_record(["http-module-v1"]).save(folder / "part-00000000-00000000.parquet")
    monkeypatch.chdir(tmp_path)
    for source in ("run.parquet", "run.parquet.partial"):
        assert main(["report", source]) == 0
        page = Path("run.html").read_text(encoding="utf-8")
        assert "<h1>run.parquet</h1>" in page
        assert "The recording is not whole" in page


def test_what_does_not_go_together_is_refused(recording: Path, notebook: Path, capsys: Told) -> None:
    for given, said in (
        ([str(recording), str(notebook)], "a notebook makes one of its own"),
        ([str(notebook), "--start", "2026-01-05"], "--start and --end are for recordings"),
    ):
        assert main(["report", *given]) == 1
        assert said in capsys.readouterr().err


def test_a_notebook_is_run_with_its_parameters(notebook: Path, tmp_path: Path, capsys: Told) -> None:
    assert main(["report", str(notebook), "-o", str(tmp_path / "out.html"), "-p", "count=7"]) == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "nnnnnnn" in page
    assert "grpcio " in page
    assert " 3/3  it counts" in capsys.readouterr().out


def test_a_notebook_that_was_run_need_not_be_run_again(tmp_path: Path, capsys: Told) -> None:
    path = tmp_path / "done.ipynb"
    cell = new_code_cell("1 / 0", outputs=[new_output("stream", text="as it was")])
    nbformat.write(new_notebook(cells=[cell]), path)
    assert main(["report", str(path), "--no-execute", "-o", str(tmp_path / "out.html")]) == 0
    assert "as it was" in (tmp_path / "out.html").read_text(encoding="utf-8")
    cell.outputs = []
    nbformat.write(new_notebook(cells=[cell]), path)
    assert main(["report", str(path), "--no-execute", "-o", str(tmp_path / "out.html")]) == 1
    assert "has no outputs to show" in capsys.readouterr().err


def test_a_cell_that_fails_is_named_and_an_older_report_stays(tmp_path: Path, capsys: Told) -> None:
    path, out = tmp_path / "broken.ipynb", tmp_path / "out.html"
    nbformat.write(new_notebook(cells=[new_code_cell("1"), new_code_cell("# the ratio\n1 / 0")]), path)
    out.write_text("older")
    assert main(["report", str(path), "-o", str(out)]) == 1
    told = capsys.readouterr().err
    assert "code cell 2 of 2 of broken.ipynb failed: ZeroDivisionError" in told
    assert "# the ratio" in told
    assert out.read_text() == "older"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["none.ipynb"], 1, "there is no notebook 'none.ipynb'"),
        (["none.parquet"], 1, "there is no such file"),
        (["none"], 1, "there is no notebook and no recording 'none'"),
        (["a.ipynb", "-o", "out.txt"], 2, "a report is written as .html or as .pdf"),
        (["a.ipynb", "-p", "a-b=1"], 2, "its name is no Python name"),
        (["a.ipynb", "--timeout", "0"], 2, "'0' was refused: a number of seconds above 0"),
        (["a.ipynb", "--timeout", "x"], 2, "'x' was refused: a number of seconds above 0"),
        (["a.ipynb", "--timeout", "nan"], 2, "'nan' was refused: a number of seconds above 0"),
        (["a.parquet", "--sections", "x"], 2, "'x' was refused: a whole number of modules, 0 or more"),
        (["a.parquet", "--sections", "-1"], 2, "'-1' was refused: a whole number of modules, 0 or more"),
        (["a.ipynb", "-o", "none/a.html"], 1, "cannot write to 'none/a.html': there is no folder 'none'; make it first"),
        ([], 2, "the following arguments are required"),
    ],
)
def test_what_is_not_understood_is_said(  # noqa: PLR0917 - three of them are pytest's
    words: list[str], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        assert main(["report", *words]) == code
    except SystemExit as ended:
        assert ended.code == code  # noqa: PT017 - argparse ends the process
    assert told in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_parameters_are_for_notebooks(recording: Path, capsys: Told) -> None:
    assert main(["report", str(recording), "-p", "a=1"]) == 1
    assert "-p and --no-execute are for notebooks" in capsys.readouterr().err


@pytest.mark.usefixtures("chromium_there")
def test_a_recording_is_printed_with_its_timelines_as_vectors(recording: Path, tmp_path: Path) -> None:
    assert main(["report", str(recording), "-o", str(tmp_path / "out.pdf")]) == 0
    printed = (tmp_path / "out.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert pages(printed) >= 2
    assert re.findall(rb"/MediaBox \[0 0 59[45]\.\d+ 84[12]\.\d+\]", printed)  # A4
    assert not re.search(rb"/Subtype\s*/Image", printed)


@pytest.mark.slow
@pytest.mark.usefixtures("chromium_there")
def test_a_notebook_is_printed_with_its_plots_as_vectors(tmp_path: Path) -> None:
    figure = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"title": {"text": "A plot"}}}
    cell = new_code_cell("plot", outputs=[new_output("display_data", {"application/vnd.plotly.v1+json": figure})])
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Told"), cell]), tmp_path / "plot.ipynb")
    assert main(["report", str(tmp_path / "plot.ipynb"), "--no-execute", "-o", str(tmp_path / "out.pdf")]) == 0
    printed = (tmp_path / "out.pdf").read_bytes()
    assert pages(printed) == 1
    assert len(printed) > 12_000  # with the plot: text alone takes less
    assert not re.search(rb"/Subtype\s*/Image", printed)


def test_without_a_chromium_it_is_said_what_to_install(recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(pdf, "BUNDLES", ())
    assert main(["report", str(recording), "-o", "out.pdf"]) == 1
    assert "there is none on the PATH" in capsys.readouterr().err


@pytest.mark.parametrize("script", ["exit 3", "sleep 60 & sleep 60"], ids=["fails", "hangs"])
def test_a_chromium_that_does_not_print_is_ended_and_told_of(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "chromium"
    fake.write_text(f"#!/bin/sh\necho 'no display'\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ReportError, match=r"printed no PDF; it said: 'no display|within 0\.5 s"):
        pdf.print_pdf("<p>x</p>", timeout=0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("chromium_there")
def test_nbconvert_prints_one_too(notebook: Path) -> None:
    exporter = "tinypool_nb.report.html.TinypoolPDFExporter"  # its short name is an entry point, which tests/project resolves
    command = [sys.executable, "-m", "nbconvert", "--to", exporter, "--output", "printed", str(notebook)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (notebook.parent / "printed.pdf").read_bytes().startswith(b"%PDF")


def test_a_record_writes_its_own_report(make_record: "MakeRecord", tmp_path: Path) -> None:
    make_record(["only"]).report(tmp_path / "own.html")
    assert "<h1>own</h1>" in (tmp_path / "own.html").read_text(encoding="utf-8")
    with pytest.raises(ReportError, match=r"as \.html or as \.pdf"):
        make_record(["only"]).report(tmp_path / "own.doc")


def test_nothing_is_made_where_nothing_can_be_written_and_the_path_is_named_as_it_was_given(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    record = open_recording(recording)
    (tmp_path / "folder.html").mkdir()
    for path, why in (
        ("none/x.html", r"there is no folder 'none'; make it first"),
        (f"{recording.name}/x.html", r"'incident.parquet' is no folder"),
        ("folder.html", r"it is a folder; name a file in it"),
    ):
        for write in (record.report, record.save):
            with pytest.raises(DestinationError, match=rf"^cannot write to '{path}': {why}"):
                write(path)
    with pytest.raises(DestinationError, match=r"^cannot write to '\.': it is a folder"):
        record.save(".")
    with pytest.raises(DestinationError, match=r"^cannot write to '/proc/x\.html': No such file or directory; name another path$"):
        record.report("/proc/x.html")  # where nobody can make a file
    assert main(["report", str(recording), "-o", "/proc/x.html"]) == 1
    assert capsys.readouterr().err == "tinypool-nb: cannot write to '/proc/x.html': No such file or directory; name another path\n"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder.html", "incident.parquet"]


def test_a_disk_that_is_full_is_told_and_what_was_there_stays(recording: Path, tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no full device")
    (tmp_path / "out.html").write_text("older")

    def fails(_path: Path, _content: bytes) -> int:
        with full.open("wb", buffering=0) as device:
            return device.write(b"x") or 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", fails)
        with pytest.raises(DestinationError, match=r"No space left on device; make room, or name another path$"):
            open_recording(recording).report(tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text() == "older"
