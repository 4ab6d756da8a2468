"""The shell command `tinypool-nb`."""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tinypool_nb.errors import ReportError, TinypoolError

NOTEBOOK = "01_first_look.ipynb"
WIDEST = 100
"""Columns of a terminal that the timeline takes at the most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; the exit code is 0 if it went well, 1 if it did not, 2 if the words were not understood."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (TinypoolError, OSError) as error:
        print(f"tinypool-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tinypool-nb: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinypool-nb",
        description="See, feel and explain how gRPC connections live.",
        epilog="example: tinypool-nb demo --out my-first-look",
    )
    parser.add_argument("--version", action="version", version=f"tinypool-nb {version('tinypool-nb')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="break three gRPC modules, and write notebook, report and recording",
        description="Runs the notebook 'A first look' against a lab of three gRPC servers on this machine, in less than half a minute.",
    )
    demo.add_argument("-o", "--out", type=Path, default=Path("tinypool-demo"), help="the folder to write to (default: %(default)s)")
    demo.set_defaults(run=_demo)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from tinypool_nb.report.execute import execute
    from tinypool_nb.report.html import write_report

    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    executed, report, recording = out / NOTEBOOK, out / "first_look.html", out / "first_look.parquet"
    started = time.monotonic()
    print(f"running {NOTEBOOK}")
    node = execute(_find(NOTEBOOK), executed, parameters={"recording": str(recording.resolve())}, on_cell=_show_progress)
    write_report(node, report)
    print(_summary(recording))
    print(f"done in {time.monotonic() - started:.0f} s:")
    for path, what in (
        (executed, "the executed notebook"),
        (report, "the report: one file, open it in any browser"),
        (recording, "the recording"),
    ):
        print(f"  {path}  ({_size(path)})  {what}")
    return 0


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _show_progress(number: int, total: int, source: str) -> None:
    print(f"  {number:2}/{total}  {source.partition(chr(10))[0].lstrip('# ')}", flush=True)


def _find(name: str) -> Path:
    """The notebook: inside an installed package, or beside it in the repository."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / name).is_file():
            return folder / name
    raise ReportError(f"the notebook {name} is not part of this installation; install tinypool-nb anew")


def _summary(recording: Path) -> str:
    from tinypool_nb.notebook.record import open_recording
    from tinypool_nb.views.pictures import timeline_text

    record = open_recording(recording)
    told = f"recorded: {len(record.transitions())} transitions and {len(record.attempts())} attempts of {len(record.summary())} modules"
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return f"\n{told}\n\n{timeline_text(record.intervals(), calls=record.calls(), now=record.now(), width=width)}\n"


if __name__ == "__main__":
    sys.exit(main())
