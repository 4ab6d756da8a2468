"""How a record came to be, and what it does not know: the part of a report by which a reader can judge the rest."""

from collections.abc import Iterator, Mapping
from typing import Any

from tinypool_nb.core.events import Evidence, MarkKind
from tinypool_nb.core.telling import counted
from tinypool_nb.report import tables
from tinypool_nb.report.recording.seen import Seen
from tinypool_nb.report.tables import Head
from tinypool_nb.views.swimlanes import nanoseconds, shown_keys
from tinypool_nb.views.wording import duration_text, for_xml, one_line

MOST_OPEN = 20
"""Modules with gaps that are not folded away."""

_SECOND = 1_000_000_000

_HOW = (
    "States, times and reasons of connections are gRPC core’s own: its channelz trace, read in the process that held the channels. "
    "What stood in the trace counts as seen; what could only be concluded counts as inferred; "
    "where the trace was overwritten before it could be read there is a gap, which is drawn, counted and never filled in. "
    "Shares of time leave the gaps out. All times are UTC."
)
_EVIDENCE = {
    Evidence.SEEN: "seen in gRPC core’s trace",
    Evidence.INFERRED: "inferred",
    Evidence.GAP: "where a gap begins",
}


def method(seen: Seen, provenance: tuple[str, ...]) -> str:
    """How it was recorded, what was missed, with which settings, and what made the report."""
    counts = seen.transitions["evidence"].value_counts()
    told = [f"{number:,} {words}" for kind, words in _EVIDENCE.items() if (number := int(counts.get(str(kind), 0)))]
    kinds = f" ({', '.join(told)})" if told else ""
    rows = (
        f"<p>{counted(len(seen.transitions), 'transition')}{kinds}, {counted(len(seen.attempts), 'attempt')} "
        f"and {counted(len(seen.calls), 'call')} stand in it.</p>"
    )
    listed = "".join(f"<li>{for_xml(fact)}</li>" for fact in provenance)
    return (
        f'<section id="method"><h2>Method and gaps</h2><p>{_HOW}</p>{rows}{_gaps(seen)}{_said(seen)}'
        f'{_settings(seen.details)}<ul class="provenance">{listed}</ul></section>'
    )


def _gaps(seen: Seen) -> str:
    """The stretches of time of which nothing is known."""
    gaps = seen.intervals[seen.intervals["state"].isna()]
    if gaps.empty:
        return '<p class="gaps">There is no gap in it.</p>'
    starts = nanoseconds(gaps["start"]).tolist()
    ends = [seen.now if end == tables.NEVER else end for end in nanoseconds(gaps["end"]).tolist()]
    missed: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in zip(shown_keys(gaps), starts, ends, strict=True):
        missed.setdefault(name, []).append((start, max(end - start, 0)))
    total = sum(length for found in missed.values() for _, length in found)
    rows = [
        [
            tables.text(name, 60, keep_end=True),
            tables.count(len(found)),
            tables.seconds(sum(length for _, length in found) / _SECOND),
            tables.seconds(max(length for _, length in found) / _SECOND),
            tables.moment(min(start for start, _ in found)),
            tables.moment(max(start for start, _ in found)),
        ]
        for name, found in missed.items()
    ]
    heads = [Head("module"), Head("gaps"), Head("in all"), Head("longest"), Head("first began, UTC"), Head("last began, UTC")]
    said = f"Nobody knows what happened in {counted(len(gaps), 'gap')}, {duration_text(total / _SECOND)} in all."
    listed = tables.table(heads, rows, name="gaps")
    folded = "" if len(rows) <= MOST_OPEN else f"<details><summary>the gaps of {len(rows):,} modules</summary>{listed}</details>"
    return f'<p class="gaps">{said}</p>{folded or listed}'


def _said(seen: Seen) -> str:
    """What the record says of itself: a consumer that was dropped, old rows that went."""
    marks = seen.marks[seen.marks["kind"] == str(MarkKind.RECORD)]
    said = zip(nanoseconds(marks["time"]).tolist(), marks["text"], strict=True)
    listed = "".join(f"<li>{tables.moment(time).html} UTC: {for_xml(one_line(text))}</li>" for time, text in said)
    return f"<p>The record says of itself:</p><ul>{listed}</ul>" if listed else ""


def _settings(details: Mapping[str, Any]) -> str:
    """The settings of the pool, folded away."""
    options = details.get("options")
    if not isinstance(options, Mapping):
        return ""
    rows = [[tables.text(name), tables.text(value)] for name, value in _flat(options)]
    listed = tables.table([Head("setting"), Head("value")], rows, name="settings")
    own = details.get("module_options")
    note = f'<p class="note">{len(own):,} of the modules had settings of {"its" if len(own) == 1 else "their"} own.</p>' if own else ""
    return f"<details><summary>the pool’s settings</summary>{listed}{note}</details>"


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
