"""The section of one module in a report of a recording: its facts and findings, its timeline, its waits, why its attempts failed."""

import math
from typing import Any

import pandas as pd

from tinypool_nb.core.events import Evidence, Outcome
from tinypool_nb.core.palette import PALETTES
from tinypool_nb.core.telling import counted
from tinypool_nb.report import tables
from tinypool_nb.report.recording.drawings import Drawings
from tinypool_nb.report.recording.seen import Module, Seen, moment_of, rows_of
from tinypool_nb.report.recording.wording import advice, cause_title, folded, when
from tinypool_nb.report.tables import Head
from tinypool_nb.views.backoff_picture import backoff_svg
from tinypool_nb.views.pictures import timeline_svg
from tinypool_nb.views.swimlanes import nanoseconds
from tinypool_nb.views.wording import cut, duration_text, for_xml, one_line

MOST_REASONS = 8
MOST_ATTEMPTS = 100
"""Rows of the table of attempts; the newest."""

_SECOND = 1_000_000_000


def module_section(seen: Seen, module: Module, name: str, drawings: Drawings, *, paper: bool) -> str:
    """The section.

    Args:
        seen: what is reported.
        module: of whom.
        name: the section's id.
        drawings: of the page.
        paper: leave out what is folded away.
    """
    attempts, waits = seen.attempts_of(module), seen.waits_of(module)
    lane = timeline_svg(seen.intervals_of(module), seen.marks_of(module), seen.calls_of(module), now=seen.now, modules=[module.name])
    parts = [
        f'<section class="module" id="{name}" data-state="{PALETTES["light"].looks[module.code].label}">',
        f"<h3><bdi>{tables.text(module.name, 120, keep_end=True).html}</bdi> {tables.chip(module.code)}</h3>",
        f'<p class="facts">{_facts(module, seen.now)}</p>',
        *map(_finding, module.findings),
        _picture(drawings.placed(lane)),
        _picture(drawings.placed(backoff_svg(waits, seen.record.backoff(module.key)))) if waits.gaps else "",
        _reasons(attempts),
        "" if paper else _attempts(attempts),
        "</section>",
    ]
    return "".join(parts)


def _picture(svg: str) -> str:
    return f'<figure class="picture">{svg}</figure>'


def _facts(module: Module, now: int) -> str:
    row = module.row
    since = "" if module.since == tables.NEVER else f"so for {duration_text(max(now - module.since, 0) / _SECOND)}"
    ready = "" if math.isnan(row.share_ready) else f"READY {tables.share(row.share_ready).html} of the time"
    attempts = f"{row.failures:,} of {counted(row.attempts, 'attempt')} failed" if row.attempts else "no attempt ended"
    lost = f"lost {counted(row.disconnections, 'time')}" if row.disconnections else ""
    back = row.mean_time_to_recover
    recovery = "" if math.isnan(back) else f"back after {duration_text(back)} on the average"
    told = (one_line(row.address), module.transport, one_line(module.options), since, ready, attempts, lost, recovery)
    return " · ".join(for_xml(cut(each, 120)) for each in told if each)


def _finding(row: Any) -> str:
    evidence = "".join(f"<li>{for_xml(one_line(each))}</li>" for each in str(row.evidence).splitlines() if each.strip())
    known = "" if row.known == Evidence.SEEN else f" <small>({for_xml(str(row.known))})</small>"
    title = cause_title(str(row.cause), now=bool(row.now))
    return (
        f'<div class="finding" data-now="{str(bool(row.now)).lower()}" data-gravity="{for_xml(str(row.gravity))}">'
        f"<p><strong>{title}</strong>{when(moment_of(row.since), moment_of(row.until))}{known}. {for_xml(one_line(row.finding))}</p>"
        f"{f'<ul>{evidence}</ul>' if evidence else ''}{advice(row)}</div>"
    )


def _reasons(attempts: pd.DataFrame) -> str:
    """Why attempts failed: a row a reason."""
    failed = attempts[attempts["outcome"] == Outcome.FAILED]
    if failed.empty:
        return ""
    ends: Any = failed.assign(at=nanoseconds(failed["end"])).groupby("reason", observed=True, sort=False)["at"]
    found = rows_of(ends.agg(times="size", first="min", last="max").sort_values("times", ascending=False, kind="stable").reset_index())
    rows = [
        [tables.text(row.reason, 300), tables.count(row.times), tables.moment(row.first), tables.moment(row.last)]
        for row in found[:MOST_REASONS]
    ]
    more = f"the {MOST_REASONS} most frequent of {len(found):,} reasons" if len(found) > MOST_REASONS else ""
    heads = [Head("why attempts failed"), Head("times"), Head("first, UTC"), Head("last, UTC")]
    return tables.table(heads, rows, caption=more, name="reasons")


def _attempts(attempts: pd.DataFrame) -> str:
    """The last attempts, folded away."""
    if attempts.empty:
        return ""
    shown = attempts.iloc[-MOST_ATTEMPTS:]
    times = zip(nanoseconds(shown["start"]).tolist(), nanoseconds(shown["end"]).tolist(), rows_of(shown), strict=True)
    rows = [
        [
            tables.moment(end if start == tables.NEVER else start, "ms"),
            tables.seconds(row.duration),
            tables.text(row.peer, 60),
            tables.text(row.outcome),
            tables.text(row.reason),
            tables.text(row.evidence),
        ]
        for start, end, row in times
    ]
    heads = [Head("began, UTC"), Head("took"), Head("peer"), Head("outcome"), Head("reason"), Head("evidence")]
    many = len(attempts)
    what = f"the last {MOST_ATTEMPTS} of {many:,} attempts" if many > MOST_ATTEMPTS else counted(many, "attempt")
    return folded(what, tables.table(heads, rows, name="attempts"), unfolded=False)
