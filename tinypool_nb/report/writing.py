"""Write a report to a file: whole, or not at all."""

import uuid
from pathlib import Path

from nbformat import NotebookNode

from tinypool_nb.journal.destination import check_destination, written_to
from tinypool_nb.report.formats import check_format, is_pdf
from tinypool_nb.report.pdf import print_pdf
from tinypool_nb.report.reading import read_notebook
from tinypool_nb.report.recording import SECTIONS, OnStep, nobody, recording_html
from tinypool_nb.report.recording.seen import Recorded


def write_notebook_report(notebook: NotebookNode | Path, out: Path, *, name: str = "") -> None:
    """Write a notebook, with what it said, as HTML or PDF: the end of `out` says which.

    Args:
        notebook: a file, or what `execute` returned.
        out: the file to write; its folder must be there.
        name: what the notebook is called, without `.ipynb`; by default as its file, or else as `out`.

    Raises:
        ReportError: `out` says no format; the file is no notebook; or there is no Chromium to print a PDF.
        DestinationError: the file cannot be written; what was there before stays.
    """
    from tinypool_nb.report.html import TinypoolHTMLExporter, TinypoolPDFExporter

    check_destination(check_format(out))
    node, called = (read_notebook(notebook), notebook) if isinstance(notebook, Path) else (notebook, out)
    exporter = TinypoolPDFExporter() if is_pdf(out) else TinypoolHTMLExporter()
    content, _ = exporter.from_notebook_node(node, {"metadata": {"name": name or called.stem}})
    put(out, content)


def write_recording_report(record: Recorded, out: Path, *, title: str, sections: int = SECTIONS, on_step: OnStep = nobody) -> None:
    """Write the ready report of a record as HTML or PDF: the end of `out` says which.

    Args:
        record: what `tp.open_recording` returns, or a pool.
        out: the file to write; its folder must be there.
        title: foreign text; for example the name of the file.
        sections: how many modules, the worst first, have a section of their own.
        on_step: told before each step that takes a while.

    Raises:
        ReportError, DestinationError: as `write_notebook_report`.
    """
    check_destination(check_format(out))
    page = recording_html(record, title=title, sections=sections, paper=is_pdf(out), on_step=on_step)
    if is_pdf(out):
        on_step("printing it")
    put(out, print_pdf(page) if is_pdf(out) else page)


def put(out: Path, content: str | bytes) -> None:
    """Write beside `out`, then take its place, so that nobody finds half a report.

    Raises:
        DestinationError: it cannot be written.
    """
    with written_to(out):
        partial = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
        try:
            partial.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
