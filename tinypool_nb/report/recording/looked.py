"""What was seen beside the connections: the resources that a discovery found, and what was looked at for an explanation."""

from tinypool_nb.core.events import Subject
from tinypool_nb.core.telling import counted
from tinypool_nb.report import tables
from tinypool_nb.report.recording.seen import Seen, rows_of
from tinypool_nb.report.recording.wording import folded
from tinypool_nb.report.tables import Head
from tinypool_nb.views.swimlanes import nanoseconds, shown_keys

MOST_OPEN = 20
"""Rows that are not folded away."""
MOST_ROWS = 1_000
"""Rows of a table; of resources the first, of what was looked at the newest."""

_COUNTS = frozenset({Subject.CALLS, Subject.KEEPALIVES})
"""Of what the value is a number that says something."""


def discovery(seen: Seen) -> str:
    """A row a TinyModule resource; "" if there was no discovery."""
    frame = seen.resources
    if frame.empty:
        return ""
    shown = frame.iloc[:MOST_ROWS]
    heads = [Head("resource"), Head("became"), Head("reason"), Head("address"), Head("version"), Head("SDK"), Head("last seen, UTC")]
    rows = [
        [
            tables.text(name, 60, keep_end=True),
            *(tables.text(each) for each in (row.state, row.reason, row.address, row.version, row.sdk_version)),
            tables.moment(time),
        ]
        for name, time, row in zip(shown_keys(shown), nanoseconds(shown["last_seen"]).tolist(), rows_of(shown), strict=True)
    ]
    caption = f"the first {MOST_ROWS:,} of {len(frame):,}" if len(frame) > MOST_ROWS else ""
    listed = tables.table(heads, rows, caption=caption, name="resources")
    content = folded(counted(len(frame), "TinyModule resource"), listed, unfolded=len(rows) <= MOST_OPEN)
    return f'<section id="discovery"><h2>Discovery</h2>{content}</section>'


def looked_at(seen: Seen) -> str:
    """What explanations looked at, a row each; "" if nothing was."""
    frame = seen.observations
    if frame.empty:
        return ""
    shown = frame.iloc[-MOST_ROWS:]
    names = shown_keys(shown)
    heads = [Head("time, UTC"), Head("module"), Head("looked at"), Head("seen"), Head("number")]
    rows = [
        [
            tables.moment(time, "ms"),
            tables.text(name if isinstance(name, str) else "", 60, keep_end=True),
            tables.text(row.subject),
            tables.text(row.text),
            tables.count(row.value) if row.subject in _COUNTS else tables.Cell("", -1, is_number=True),
        ]
        for name, time, row in zip(names, nanoseconds(shown["time"]).tolist(), rows_of(shown), strict=True)
    ]
    caption = f"the last {MOST_ROWS:,} of {len(frame):,}" if len(frame) > MOST_ROWS else ""
    content = folded(
        f"{counted(len(frame), 'observation')}, made when somebody asked for an explanation: DNS, sockets, counters, the environment",
        tables.table(heads, rows, caption=caption, name="observations"),
        unfolded=len(rows) <= MOST_OPEN,
    )
    return f'<section id="looked-at"><h2>Looked at</h2>{content}</section>'
