"""`tinypool-nb report`: a notebook or a recording as one file that can be shared, HTML or PDF."""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinypool_nb.cli.telling import show_progress, show_step, size, tell, tell_aside
from tinypool_nb.core.telling import counted
from tinypool_nb.errors import ReportError, TinypoolError, shown

MOST_NAMED = 3
"""Recordings that the head of a report names; of more, the first two."""
LONGEST_TIMEOUT = 1_000_000.0
"""Seconds."""
_PARQUET, _WILD = b"PAR1", "*?["


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "report",
        help="make a report of a notebook or of a recording: one file, HTML or PDF",
        description="Runs a notebook from the top and writes it as one file that needs no network; "
        "or writes the ready report of a recording: what was wrong, since when, which modules, and what that rests on.",
        epilog="examples:\n  tinypool-nb report incident.parquet -o incident.html\n"
        "  tinypool-nb report 'runs/*.parquet' -o runs.html --start '2026-01-05 12:00' --end '2026-01-05 13:00'\n"
        "  tinypool-nb report review.ipynb -o review.pdf -p recording=incident.parquet -p modules=\"['http-module-v1']\"\n"
        "  tinypool-nb report review.ipynb --no-execute",
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="NOTEBOOK|RECORDING",
        help="an .ipynb; or what pool.save() or pool.record() wrote, also if that was killed: one or several, or a pattern",
    )
    parser.add_argument(
        "-o", "--out", type=_out, help="the file to write, .html or .pdf, in a folder that is there (default: named as the source, .html)"
    )
    parser.add_argument("--start", metavar="TIME", help="of a recording: from then on, as '2026-01-05 12:00' (UTC)")
    parser.add_argument("--end", metavar="TIME", help="of a recording: up to then")
    parser.add_argument(
        "-p", "--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="set a parameter of the notebook"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=120.0, metavar="SECONDS", help="how long one cell may take (default: %(default)g)"
    )
    parser.add_argument("--no-execute", action="store_true", help="take the notebook with the outputs that it has")
    parser.add_argument("--title", help="of the report of a recording (default: the name of its file)")
    parser.add_argument(
        "--sections", type=_count, default=24, metavar="N", help="modules of a recording with a section of their own (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the report, and tell of it."""
    from tinypool_nb.journal.destination import check_destination

    sources: list[str] = options.sources
    out: Path = options.out or Path(f"{_name(sources)}.html")
    check_destination(out)  # before minutes of work
    started = time.monotonic()
    kinds = {_is_recording(source) for source in sources}
    if kinds == {True}:
        if options.parameter or options.no_execute:
            raise ReportError(f"{shown(sources[0])} is a recording: -p and --no-execute are for notebooks")
        _report_recordings(options, sources, out)
    elif len(sources) > 1:
        raise ReportError("several recordings make one report, but a notebook makes one of its own: name it alone")
    elif options.start or options.end:
        raise ReportError(f"{shown(sources[0])} is a notebook: --start and --end are for recordings; -p sets a parameter")
    else:
        _report_notebook(options, Path(sources[0]), out)
    tell(f"{out}  ({size(out)})  the report, in {time.monotonic() - started:.1f} s")
    return 0


def _name(sources: list[str]) -> str:
    """What a report is called that is not told: as the one file that it is of."""
    from tinypool_nb.journal.recording.sources import PARTIAL

    if len(sources) > 1 or (any(each in sources[0] for each in _WILD) and not Path(sources[0]).exists()):
        return "report"
    return Path(Path(sources[0]).name.removesuffix(PARTIAL)).stem or "report"


def _title(sources: list[str]) -> str:
    """What a report of recordings says in its head.

    >>> _title(["runs/a.parquet"]), _title(["a.parquet", "b.parquet"]), _title(["1.parquet", "2.parquet", "3.parquet", "4.parquet"])
    ('a.parquet', 'a.parquet, b.parquet', '1.parquet, 2.parquet and 2 more')
    """
    from tinypool_nb.journal.recording.sources import PARTIAL

    names = [source if any(each in source for each in _WILD) else Path(source).name.removesuffix(PARTIAL) for source in sources]
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{', '.join(names[:2])} and {len(names) - 2:,} more"


def _report_recordings(options: argparse.Namespace, sources: list[str], out: Path) -> None:
    from tinypool_nb.notebook.record import open_recording
    from tinypool_nb.report.writing import write_recording_report

    record = open_recording(sources, start=options.start, end=options.end)
    tell(f"opened {', '.join(sources)}: {counted(len(record.known()), 'module')}")
    if record.partial:
        tell_aside(f"partial: {record.partial}")
    write_recording_report(record, out, title=options.title or _title(sources), sections=options.sections, on_step=show_step)


def _report_notebook(options: argparse.Namespace, source: Path, out: Path) -> None:
    from tinypool_nb.report.execute import execute
    from tinypool_nb.report.formats import is_pdf
    from tinypool_nb.report.reading import read_notebook
    from tinypool_nb.report.writing import write_notebook_report

    if options.no_execute:
        if options.parameter:
            raise ReportError("-p needs the notebook to be run; leave out --no-execute")
        node = read_notebook(source)
        if not any(cell.get("outputs") for cell in node.cells):
            raise ReportError(f"{shown(str(source))} has no outputs to show; leave out --no-execute, so that it is run first")
    else:
        tell(f"running {source.name}")
        with TemporaryDirectory(prefix="tinypool-") as folder:
            executed = Path(folder) / source.name
            node = execute(source, executed, parameters=dict(options.parameter), timeout=options.timeout, on_cell=show_progress)
    show_step("printing it" if is_pdf(out) else "writing it")
    write_notebook_report(node, out, name=source.stem)


def _is_recording(source: str) -> bool:
    """By its first bytes, whatever it is called; a folder, as of one that was not closed, or a pattern can only be recordings."""
    path = Path(source)
    if path.suffix == ".ipynb":
        return False
    if not path.is_file():
        if path.is_dir() or path.suffix == ".parquet" or any(each in source for each in _WILD):
            return True
        raise ReportError(f"there is no notebook and no recording {shown(source)}")
    with path.open("rb") as file:
        start = file.read(len(_PARQUET))
    return start == _PARQUET or path.suffix == ".parquet"


def _parameter(argument: str) -> tuple[str, object]:
    from tinypool_nb.report.parameters import parse

    try:
        return parse(argument)
    except TinypoolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _out(argument: str) -> Path:
    from tinypool_nb.report.formats import check_format

    try:
        return check_format(Path(argument))
    except TinypoolError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(argument: str) -> float:
    try:
        value = float(argument)
    except ValueError:
        value = 0.0
    if not 0 < value < LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"{argument!r} was refused: a number of seconds above 0 and below {LONGEST_TIMEOUT:g} is needed")
    return value


def _count(argument: str) -> int:
    if not (argument.isascii() and argument.isdigit()):
        raise argparse.ArgumentTypeError(f"{argument!r} was refused: a whole number of modules, 0 or more, is needed")
    return int(argument)
