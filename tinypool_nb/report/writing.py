"""Write a report to a file: whole, or not at all."""

import uuid
from pathlib import Path

from nbformat import NotebookNode

from tinypool_nb.report.formats import check_format, is_pdf
from tinypool_nb.report.pdf import print_pdf
from tinypool_nb.report.recording import SECTIONS, recording_html
from tinypool_nb.report.recording.seen import Recorded


def write_notebook_report(node: NotebookNode, out: Path, *, name: str) -> None:
    """Write a notebook, with what it said, as HTML or PDF: the end of `out` says which.

    Raises:
        ReportError: `out` says no format; or there is no Chromium to print a PDF.
        OSError: the file cannot be written; what was there before stays.
    """
    from tinypool_nb.report.html import TinypoolHTMLExporter, TinypoolPDFExporter

    check_format(out)
    exporter = TinypoolPDFExporter() if is_pdf(out) else TinypoolHTMLExporter()
    content, _ = exporter.from_notebook_node(node, {"metadata": {"name": name}})
    put(out, content)


def write_recording_report(record: Recorded, out: Path, *, title: str, sections: int = SECTIONS) -> None:
    """Write the ready report of a record as HTML or PDF: the end of `out` says which.

    Raises:
        ReportError, OSError: as `write_notebook_report`.
    """
    check_format(out)
    page = recording_html(record, title=title, sections=sections, paper=is_pdf(out))
    put(out, print_pdf(page) if is_pdf(out) else page)


def put(out: Path, content: str | bytes) -> None:
    """Write beside `out`, then take its place, so that nobody finds half a report; its folder is made if needed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex}.part")
    try:
        partial.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
