"""`tinypool-nb report`: a notebook or a recording as one file that can be shared, HTML or PDF."""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinypool_nb.cli.telling import show_progress, size
from tinypool_nb.errors import ReportError, TinypoolError, shown

_PARQUET, _WILD = b"PAR1", "*?["


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "report",
        help="make a report of a notebook or of a recording: one file, HTML or PDF",
        description="Runs a notebook from the top and writes it as one file that needs no network;\n"
        "or writes the ready report of a recording: what was wrong, since when, which modules,\nand what that rests on.",
        epilog="examples:  tinypool-nb report incident.parquet -o incident.html\n"
        "           tinypool-nb report review.ipynb -o review.pdf -p recording=incident.parquet -p modules=\"['http-module-v1']\"\n"
        "           tinypool-nb report review.ipynb --no-execute",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="NOTEBOOK|RECORDING", help="an .ipynb, or what pool.save() or pool.record() wrote")
    parser.add_argument("-o", "--out", type=_out, help="the file to write, .html or .pdf (default: named as the source, .html)")
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
    source: str = options.source
    out: Path = options.out or Path(f"{Path(source).stem.strip(_WILD) or 'report'}.html")
    started = time.monotonic()
    if _is_recording(source):
        if options.parameter or options.no_execute:
            raise ReportError(f"{shown(source)} is a recording: -p and --no-execute are for notebooks")
        _report_recording(options, out)
    else:
        _report_notebook(options, Path(source), out)
    print(f"{out}  ({size(out)})  the report, in {time.monotonic() - started:.1f} s")
    return 0


def _report_recording(options: argparse.Namespace, out: Path) -> None:
    from tinypool_nb.notebook.record import open_recording
    from tinypool_nb.report.writing import write_recording_report

    record = open_recording(options.source)
    print(f"opened {options.source}: {len(record.known()):,} modules", flush=True)
    write_recording_report(record, out, title=options.title or Path(options.source).name, sections=options.sections)


def _report_notebook(options: argparse.Namespace, source: Path, out: Path) -> None:
    from tinypool_nb.report.execute import execute
    from tinypool_nb.report.reading import read_notebook
    from tinypool_nb.report.writing import write_notebook_report

    if options.no_execute:
        if options.parameter:
            raise ReportError("-p needs the notebook to be run; leave out --no-execute")
        node = read_notebook(source)
        if not any(cell.get("outputs") for cell in node.cells):
            raise ReportError(f"{shown(str(source))} has no outputs to show; leave out --no-execute, so that it is run first")
    else:
        print(f"running {source.name}", flush=True)
        with TemporaryDirectory(prefix="tinypool-") as folder:
            executed = Path(folder) / source.name
            node = execute(source, executed, parameters=dict(options.parameter), timeout=options.timeout, on_cell=show_progress)
    write_notebook_report(node, out, name=source.stem)


def _is_recording(source: str) -> bool:
    """By its first bytes, whatever it is called; a folder or a pattern can only be recordings."""
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
    value = float(argument)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{argument} was refused: a number of seconds above 0")
    return value


def _count(argument: str) -> int:
    value = int(argument)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{argument} was refused: a number of modules, 0 or more")
    return value
