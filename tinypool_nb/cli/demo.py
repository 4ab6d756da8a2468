"""`tinypool-nb demo`: the notebook 'A first look', executed, with its report and its recording."""

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from tinypool_nb.cli.telling import show_progress, size
from tinypool_nb.course.files import notebooks

NOTEBOOK = "01_first_look.ipynb"
WIDEST = 100
"""Columns of a terminal that the timeline takes at the most."""


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "demo",
        help="break three gRPC modules, and write notebook, report and recording",
        description="Runs the notebook 'A first look' against a lab of three gRPC servers on this machine, in less than half a minute.",
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("tinypool-demo"), help="the folder to write to (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Execute the notebook, write what comes of it, and tell of it."""
    from tinypool_nb.report.execute import execute
    from tinypool_nb.report.html import write_report

    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    executed, report, recording = out / NOTEBOOK, out / "first_look.html", out / "first_look.parquet"
    started = time.monotonic()
    print(f"running {NOTEBOOK}")
    node = execute(_notebook(), executed, parameters={"recording": str(recording.resolve())}, on_cell=show_progress)
    write_report(node, report)
    print(_summary(recording))
    print(f"done in {time.monotonic() - started:.0f} s:")
    for path, what in (
        (executed, "the executed notebook"),
        (report, "the report: one file, open it in any browser"),
        (recording, "the recording"),
    ):
        print(f"  {path}  ({size(path)})  {what}")
    return 0


def _notebook() -> Path:
    return next(path for path in notebooks() if path.name == NOTEBOOK)


def _summary(recording: Path) -> str:
    from tinypool_nb.notebook.record import open_recording
    from tinypool_nb.views.pictures import timeline_text

    record = open_recording(recording)
    told = f"recorded: {len(record.transitions())} transitions and {len(record.attempts())} attempts of {len(record.summary())} modules"
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return f"\n{told}\n\n{timeline_text(record.intervals(), calls=record.calls(), now=record.now(), width=width)}\n"
