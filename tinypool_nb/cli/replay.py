"""`tinypool-nb replay`: what a recording tells, at once or as it happened."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinypool_nb.cli.telling import has_colours, tell_aside
from tinypool_nb.core.options import check_period
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.telling import counted

if TYPE_CHECKING:
    from tinypool_nb.notebook.record import Record

WIDEST = 100
"""Columns of a terminal that the timeline takes at the most."""
MOST_LINES = 40
"""Modules that are summed up; of more, those that were READY the least."""
LONGEST_REST = 2.0
"""Seconds at most between two lines: nobody wants to wait for what was a quiet night."""
SECOND = 1_000_000_000
COLOURS = {"READY": 34, "CONNECTING": 33, "TRANSIENT_FAILURE": 31, "IDLE": 36, "SHUTDOWN": 90, "unknown": 90}
"""The terminal's own, by state."""


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "replay",
        help="tell what a recording recorded, as it happened or at once",
        description="In a terminal it tells change by change, as quickly as they came or quicker; else, or with --speed 0, all at once. "
        "Then it shows the timeline and a summary. Several recordings are put together.",
        epilog="examples:\n  tinypool-nb replay incident.parquet --speed 10\n"
        "  tinypool-nb replay 'runs/*.parquet' --start '2026-01-05 12:00'",
    )
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="a file, also of a recording that was killed, or a pattern")
    parser.add_argument(
        "--speed", type=float, metavar="TIMES", help="so many times as quickly as it was; 0: at once (default: 1 in a terminal)"
    )
    parser.add_argument("--start", metavar="TIME", help="from then on, as '2026-01-05 12:00' (UTC)")
    parser.add_argument("--end", metavar="TIME", help="up to then")
    parser.add_argument("--module", metavar="NAME", action="append", help="only this module; may be given several times")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tell it."""
    from tinypool_nb.core.keys import recorded_key
    from tinypool_nb.notebook.record import open_recording

    speed = (1.0 if sys.stdout.isatty() else 0.0) if options.speed is None else options.speed
    if speed:
        check_period("--speed", speed)
    record = open_recording(options.recordings, start=options.start, end=options.end)
    chosen = None if options.module is None else {str(recorded_key(record.known(), name)) for name in options.module}
    if record.partial:
        tell_aside(f"partial: {one_line(record.partial)}")
    if speed:
        try:
            _play(record, speed, chosen)
        except KeyboardInterrupt:
            print()  # who has seen enough gets the rest at once
    print(_summary(record, chosen))
    return 0


def _play(record: "Record", speed: float, chosen: set[str] | None) -> None:
    last: int | None = None
    for moment, line in _lines(record, chosen):
        if last is not None:
            time.sleep(min(LONGEST_REST, max(0, moment - last) / SECOND / speed))
        last = moment
        print(line, flush=True)


def _lines(record: "Record", chosen: set[str] | None) -> Iterator[tuple[int, str]]:
    """Each change and mark in order of time, as (nanoseconds since 1970 UTC, a line)."""
    from tinypool_nb.journal.kinds import mark_events, transition_events

    batch = record.journal.since()
    changes = ((row.time, row.channel.key, row.state, row.reason) for row in transition_events(batch.transitions))
    marks = ((row.time, row.key, None, f"* {row.text}") for row in mark_events(batch.marks))
    for moment, key, state, text in sorted([*changes, *marks], key=lambda told: told[0]):
        name = "" if key is None else str(key)
        if chosen is not None and name and name not in chosen:
            continue
        is_mark = text.startswith("* ")
        shown = "" if is_mark else _painted(str(state or "unknown"))
        stamp = time.strftime("%H:%M:%S", time.gmtime(moment // SECOND)) + f".{moment % SECOND // 1_000_000:03}"
        yield moment, "  ".join(filter(None, [stamp, one_line(name), shown, one_line(text)]))


def _painted(state: str) -> str:
    return f"\x1b[{COLOURS.get(state, 0)}m{state}\x1b[0m" if has_colours(sys.stdout) else state


def _summary(record: "Record", chosen: set[str] | None) -> str:
    from tinypool_nb.views.pictures import timeline_text

    summary, width = record.summary(), min(shutil.get_terminal_size().columns, WIDEST)
    drawn = timeline_text(record.intervals(), record.marks(), record.calls(), now=record.now(), modules=chosen, width=width)
    if chosen is not None:
        summary = summary[_shown_keys(summary).isin(chosen)]
    sizes = ", ".join(counted(len(table), name.removesuffix("s")) for name, table in record.journal.tables().items())
    told = f"{counted(len(record.known()), 'module')}: {sizes}"
    return f"\n{drawn}\n\n{told}\n{_table(summary)}"


def _shown_keys(frame: Any) -> Any:
    names = frame["module"].astype(str)
    spaces = frame["namespace"].astype(object)
    return names.where(spaces.isna(), spaces.astype(str) + "/" + names)


def _table(summary: Any) -> str:
    """A line a module: its state, how much of the time it was READY, how often it was lost, and why it last failed."""
    from tinypool_nb.views.wording import cut

    total = len(summary)
    if total > MOST_LINES:
        summary = summary.sort_values("share_ready", kind="stable").head(MOST_LINES)
    names = [cut(one_line(name), 40) for name in _shown_keys(summary)]
    wide = max(map(len, names), default=0)
    lines = []
    for name, state, share, lost, reason in zip(
        names, summary["state"], summary["share_ready"], summary["disconnections"], summary["last_reason"], strict=True
    ):
        ready = "" if share != share else f"READY {100 * share:5.1f} %"  # noqa: PLR0124 a share that is not known is NaN
        told = [f"{name:{wide}}", f"{state!s:17}", f"{ready:13}", counted(lost, "disconnection")]
        lines.append("  ".join(filter(None, [*told, cut(one_line(reason or ""), 120, keep_end=False)])))
    if total > MOST_LINES:
        lines.append(f"... and {total - MOST_LINES:,} more, which were READY for longer; --module NAME shows one")
    return "\n".join(lines)
