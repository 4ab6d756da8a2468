"""In which format a report is written: the end of its name says it."""

from pathlib import Path

from tinypool_nb.errors import ReportError, shown

FORMATS = (".html", ".htm", ".pdf")


def check_format(out: Path) -> Path:
    """The same path, if its name says a format.

    Raises:
        ReportError: it ends neither in .html nor in .pdf.

    >>> check_format(Path("incident.pdf")).name
    'incident.pdf'
    """
    if out.suffix.lower() not in FORMATS:
        raise ReportError(f"{shown(str(out))} was refused: a report is written as .html or as .pdf")
    return out


def is_pdf(out: Path) -> bool:
    """Whether the name says PDF."""
    return out.suffix.lower() == ".pdf"
