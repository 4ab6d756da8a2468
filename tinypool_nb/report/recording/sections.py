"""The parts of a report of a recording, each as HTML; everything foreign in them is escaped."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from tinypool_nb.core.codes import Code
from tinypool_nb.core.palette import PALETTES, SEVERITY
from tinypool_nb.report import tables
from tinypool_nb.report.plots import script_json
from tinypool_nb.report.recording.canvas import canvas_data
from tinypool_nb.report.recording.drawings import Drawings
from tinypool_nb.report.recording.seen import Module, Seen
from tinypool_nb.report.recording.verdict import Cause, Outcome, Verdict
from tinypool_nb.report.tables import Cell, Head
from tinypool_nb.views.backoff_picture import backoff_svg
from tinypool_nb.views.pictures import timeline_svg
from tinypool_nb.views.swimlanes import describe, nanoseconds, shown_keys
from tinypool_nb.views.wording import cut, duration_text, for_xml, one_line, span_text

MOST_NAMES = 12
"""Modules that a cause names; the rest are counted, and stand in the table of modules."""
MOST_ROWS = 100
"""Rows of a table of attempts, marks or failed calls; the newest."""

_SECOND = 1_000_000_000
_SYMBOLS = {Outcome.EMPTY: "–", Outcome.WELL: "✓", Outcome.RECOVERED: "◆", Outcome.WRONG: "✖"}


def anchor(place: int) -> str:
    """The id of the section of the module at that place of the report."""
    return f"module-{place + 1}"


class Sections:
    """Writes the parts, for a screen or for paper.

    Args:
        seen: what is reported.
        judged: its verdict.
        detailed: how many modules, the worst, have a section of their own.
        paper: leave out what can only be used on a screen.
    """

    def __init__(self, seen: Seen, judged: Verdict, *, detailed: int, paper: bool) -> None:
        self.seen = seen
        self.judged = judged
        self.paper = paper
        self.detailed = seen.modules[:detailed]
        self._places = {module.name: place for place, module in enumerate(self.detailed)}
        self._drawings = Drawings()
        self._has_gaps = any(module.row.gap > 0 for module in seen.modules)

    def verdict(self) -> str:
        """What was wrong, since when, which modules, and what to do."""
        judged = self.judged
        at_end = f'<p class="states">At the end: {for_xml(judged.states)}.</p>' if judged.states else ""
        causes = "".join(map(self._cause, judged.causes))
        return (
            f'<section id="verdict" class="verdict" data-outcome="{judged.outcome}"><h2>Verdict</h2>'
            f'<p class="headline"><span class="symbol" aria-hidden="true">{_SYMBOLS[judged.outcome]}</span>{for_xml(judged.headline)}</p>'
            f"{at_end}{causes}</section>"
        )

    def timeline(self) -> str:
        """Who was in which state when: on a screen to be explored and replayed, else a picture."""
        seen = self.seen
        if not seen.modules:
            return '<section id="timeline"><h2>Timeline</h2><p class="note">There is nothing to draw.</p></section>'
        svg = self._drawings.placed(timeline_svg(seen.intervals, seen.marks, seen.calls, now=seen.now))
        described = for_xml(describe(seen.intervals, now=seen.now))
        picture = f'<figure class="picture on-paper">{svg}</figure>'
        if self.paper:
            return f'<section id="timeline"><h2>Timeline</h2>{picture}<p class="note">{described}</p></section>'
        data, note = canvas_data(seen.intervals, seen.marks, now=seen.now)
        return (
            f'<section id="timeline"><h2>Timeline</h2>'
            f'<div class="recorded-timeline"><script type="application/json">{script_json(data)}</script></div>{picture}'
            f'<p class="note">{described}{f" On the screen {note}." if note else ""}</p></section>'
        )

    def modules(self) -> str:
        """A row a module, the worst first."""
        heads = [
            Head("module"),
            Head("state", "at the end"),
            Head("since, UTC", "when that state began"),
            Head("READY", "its share of the time that is known"),
            Head("failing", "time in TRANSIENT_FAILURE"),
            Head("lost", "how often the current channel left READY"),
            Head("failed attempts", "connection attempts that failed, of those that ended"),
            *([Head("gap", "share of the time of which nothing is known")] if self._has_gaps else []),
            Head("what was found", "its first finding, or else the last reason of a failure"),
        ]
        rest = len(self.seen.modules) - len(self.detailed)
        caption = "the worst first" if len(self.seen.modules) > 1 else ""
        note = (
            f'<p class="note">The {len(self.detailed)} worst have a section of their own below; '
            f"the other {rest:,} stand in this table alone. <code>tinypool-nb report --sections N</code> makes more.</p>"
            if rest
            else ""
        )
        listed = tables.table(heads, map(self._row, self.seen.modules), caption=caption, name="modules") if self.seen.modules else ""
        return f'<section id="modules"><h2>Modules</h2>{listed or _nothing("No module was registered.")}{note}</section>'

    def each(self) -> Iterator[str]:
        """A section a module."""
        for place, module in enumerate(self.detailed):
            yield self._module(place, module)

    def attempts(self) -> str:
        """How the attempts of all modules keep to the backoff of the specification."""
        seen = self.seen
        tried = [module for module in seen.modules if module.row.attempts]
        if not tried:
            return f'<section id="attempts"><h2>Attempts</h2>{_nothing("No attempt to connect ended while it was recorded.")}</section>'
        heads = [
            Head("module"),
            Head("attempts"),
            Head("failed"),
            Head("waits", "times between two attempts of one failing run that could be measured"),
            Head("as specified", "waits within the window that gRPC's backoff gives them, or right after an attempt that took longer"),
            Head("outside"),
            Head("longest wait"),
        ]
        rows, all_waits, all_kept = [], 0, 0
        for module in tried:
            waits = seen.waits_of(module)
            all_waits, all_kept = all_waits + len(waits.gaps), all_kept + waits.kept
            rows.append(
                [
                    self._link(module),
                    tables.count(module.row.attempts),
                    tables.count(module.row.failures),
                    tables.count(len(waits.gaps)),
                    tables.count(waits.kept),
                    tables.count(len(waits.gaps) - waits.kept),
                    tables.seconds(max((gap.seconds for gap in waits.gaps), default=float("nan"))),
                ]
            )
        said = (
            f"{all_kept:,} of {all_waits:,} waits between attempts keep to the backoff that the specification gives them."
            if all_waits
            else "No attempt followed a failed one, so there is no wait to be measured."
        )
        listed = _folded(f"the attempts of {_counted(len(tried), 'module')}", tables.table(heads, rows, name="attempts"), open_=len(tried) <= 20)
        return f'<section id="attempts"><h2>Attempts and backoff</h2><p>{said}</p>{listed}</section>'

    def calls(self) -> str:
        """How many calls there were, how long they took, and how they failed."""
        seen, frame = self.seen, self.seen.latency
        if frame.empty:
            return f'<section id="calls"><h2>Calls</h2>{_nothing("No call was recorded.")}</section>'
        heads = [Head("module"), Head("calls"), Head("failed"), *map(Head, ("half within", "90 % within", "99 % within", "longest"))]
        known = {module.name: module for module in seen.modules}
        rows = [
            [
                self._link(known[name]) if name in known else tables.text(name),
                tables.count(row.calls),
                tables.count(row.failed_calls),
                *map(tables.seconds, (row.p50, row.p90, row.p99, row.longest)),
            ]
            for name, row in zip(shown_keys(frame), frame.itertuples(index=False), strict=True)
        ]
        failed = seen.calls[seen.calls["code"] != str(Code.OK)]
        said = f"{_counted(int(frame['calls'].sum()), 'call')}, {'none' if failed.empty else f'{len(failed):,}'} of them failed."
        listed = _folded(f"the calls of {_counted(len(rows), 'module')}", tables.table(heads, rows, name="calls"), open_=len(rows) <= 20)
        return f'<section id="calls"><h2>Calls</h2><p>{said}</p>{listed}{_failed_calls(failed)}</section>'

    def marks(self) -> str:
        """The labelled moments."""
        marks = self.seen.marks
        if marks.empty:
            return ""
        shown = marks.sort_values("time", kind="stable").iloc[-MOST_ROWS:]
        rows = [
            [tables.moment(time, "ms"), tables.text(kind), tables.text("" if about != about else about), tables.text(words)]  # noqa: PLR0124 - NaN
            for time, kind, about, words in zip(
                nanoseconds(shown["time"]).tolist(), shown["kind"], shown_keys(shown), shown["text"], strict=True
            )
        ]
        caption = f"the last {MOST_ROWS} of {len(marks):,}" if len(marks) > MOST_ROWS else ""
        heads = [Head("time, UTC"), Head("by"), Head("module"), Head("what")]
        listed = tables.table(heads, rows, caption=caption, name="marks")
        return f'<section id="marks"><h2>Marks</h2>{_folded(_counted(len(marks), "labelled moment"), listed, open_=len(rows) <= 20)}</section>'

    def _cause(self, cause: Cause) -> str:
        row = cause.example
        since = "" if cause.since == tables.NEVER else f" since {tables.moment(cause.since).html} UTC"
        over = "" if cause.now else " <small>(over)</small>"
        named = ", ".join(self._link(module).html for module in cause.modules[:MOST_NAMES])
        rest = len(cause.modules) - MOST_NAMES
        more = f' and <a href="#modules">{rest:,} more</a>' if rest > 0 else ""
        several = f" (of {for_xml(one_line(cause.modules[0].name))})" if len(cause.modules) > 1 else ""
        return (
            f'<div class="cause" data-now="{str(cause.now).lower()}"><h3>{for_xml(one_line(cause.cause))}{over}</h3>'
            f'<p class="who">{_counted(len(cause.modules), "module")}{since}: {named}{more}</p>'
            f"<p>{for_xml(one_line(row.finding))}{several}</p>"
            f"{_advice(row)}</div>"
        )

    def _link(self, module: Module) -> Cell:
        name = tables.text(module.name, 60, keep_end=True).html
        place = self._places.get(module.name)
        shown = f"<bdi>{name}</bdi>"
        return Cell(shown if place is None else f'<a href="#{anchor(place)}">{shown}</a>', module.name)

    def _row(self, module: Module) -> list[Cell]:
        row = module.row
        found = module.findings[0].finding if module.findings else row.last_reason
        return [
            self._link(module),
            Cell(tables.chip(module.code), -SEVERITY[module.code]),
            tables.moment(module.since),
            tables.share(row.share_ready),
            tables.seconds(row.transient_failure),
            tables.count(row.disconnections),
            Cell(f"{row.failures:,} of {row.attempts:,}", row.failures, is_number=True),
            *([tables.share(row.gap_share)] if self._has_gaps else []),
            tables.text(found, 110),
        ]

    def _module(self, place: int, module: Module) -> str:
        seen = self.seen
        intervals = seen.intervals_of(module)
        drawing = timeline_svg(intervals, seen.marks_of(module), seen.calls_of(module), now=seen.now, modules=[module.name])
        waits = seen.waits_of(module)
        backoff = f'<figure class="picture">{self._drawings.placed(backoff_svg(waits, seen.record.backoff(module.key)))}</figure>' if waits.gaps else ""
        parts = [
            f'<section class="module" id="{anchor(place)}" data-state="{PALETTES["light"].looks[module.code].label}">',
            f"<h3><bdi>{tables.text(module.name, 120, keep_end=True).html}</bdi> {tables.chip(module.code)}</h3>",
            f'<p class="facts">{_facts(module, seen.now)}</p>',
            *map(_finding, module.findings),
            f'<figure class="picture">{self._drawings.placed(drawing)}</figure>',
            backoff,
            _reasons(seen.attempts_of(module)),
            "" if self.paper else _attempts(seen.attempts_of(module)),
            "</section>",
        ]
        return "".join(parts)


def _facts(module: Module, now: int) -> str:
    row = module.row
    since = "" if module.since == tables.NEVER else f"so for {duration_text(max(now - module.since, 0) / _SECOND)}"
    ready = "" if row.share_ready != row.share_ready else f"READY {tables.share(row.share_ready).html} of the time"  # noqa: PLR0124 - NaN
    attempts = f"{row.failures:,} of {_counted(row.attempts, 'attempt')} failed" if row.attempts else "no attempt ended"
    lost = f"lost {_counted(row.disconnections, 'time')}" if row.disconnections else ""
    recovery = "" if row.mean_time_to_recover != row.mean_time_to_recover else f"back after {duration_text(row.mean_time_to_recover)} on the average"  # noqa: PLR0124 - NaN
    told = (one_line(row.address), module.transport, one_line(module.options), since, ready, attempts, lost, recovery)
    return " · ".join(for_xml(cut(each, 120)) for each in told if each)


def _finding(row: Any) -> str:
    since = "" if row.since != row.since else f" since {tables.moment(row.since.value).html} UTC"  # noqa: PLR0124 - NaT
    over = "" if row.now else " <small>(over)</small>"
    evidence = "".join(f"<li>{for_xml(one_line(each))}</li>" for each in _lines(row.evidence))
    return (
        f'<div class="finding" data-now="{str(bool(row.now)).lower()}"><p><strong>{for_xml(one_line(row.cause))}</strong>{since}{over}: '
        f"{for_xml(one_line(row.finding))}</p>{f'<ul>{evidence}</ul>' if evidence else ''}{_advice(row)}</div>"
    )


def _advice(row: Any) -> str:
    if not row.advice:
        return ""
    see = one_line(row.see) if isinstance(row.see, str) else ""
    link = f' <a href="{for_xml(see)}" rel="noreferrer">{for_xml(see)}</a>' if see.startswith("https://") else f" {for_xml(see)}" if see else ""
    return f'<p class="advice"><strong>What to do:</strong> {for_xml(one_line(row.advice))}{f"<small>{link}</small>" if link else ""}</p>'


def _lines(value: object) -> list[object]:
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return list(value) if isinstance(value, Sequence) else []


def _reasons(attempts: pd.DataFrame) -> str:
    """Why attempts failed: a row a reason."""
    failed = attempts[attempts["outcome"] == "failed"]
    if failed.empty:
        return ""
    ends = failed.assign(at=nanoseconds(failed["end"])).groupby("reason", observed=True, sort=False)["at"]
    found = ends.agg(["size", "min", "max"]).sort_values("size", ascending=False, kind="stable")
    rows = [
        [tables.text(row.Index, 300), tables.count(row.size), tables.moment(row.min), tables.moment(row.max)]
        for row in found.iloc[:8].itertuples()
    ]
    more = f"the 8 most frequent of {len(found):,} reasons" if len(found) > 8 else ""
    return tables.table(
        [Head("why attempts failed"), Head("times"), Head("first, UTC"), Head("last, UTC")], rows, caption=more, name="reasons"
    )


def _attempts(attempts: pd.DataFrame) -> str:
    """The last attempts, folded away."""
    if attempts.empty:
        return ""
    shown = attempts.iloc[-MOST_ROWS:]
    columns = zip(
        nanoseconds(shown["start"]).tolist(),
        nanoseconds(shown["end"]).tolist(),
        *(shown[name] for name in ("duration", "peer", "outcome", "reason", "evidence")),
        strict=True,
    )
    rows = [
        [
            tables.moment(end if start == tables.NEVER else start, "ms"),
            tables.seconds(took),
            tables.text(peer, 60),
            tables.text(outcome),
            tables.text(reason),
            tables.text(evidence),
        ]
        for start, end, took, peer, outcome, reason, evidence in columns
    ]
    heads = [Head("began, UTC"), Head("took"), Head("peer"), Head("outcome"), Head("reason"), Head("evidence")]
    what = f"the last {MOST_ROWS} of {len(attempts):,} attempts" if len(attempts) > MOST_ROWS else _counted(len(attempts), "attempt")
    return _folded(what, tables.table(heads, rows, name="attempts"), open_=False)


def _failed_calls(failed: pd.DataFrame) -> str:
    """How calls failed: a row a module, method, code and reason."""
    if failed.empty:
        return ""
    keyed = failed.assign(who=shown_keys(failed), at=nanoseconds(failed["end"]))
    found = keyed.groupby(["who", "method", "code", "reason"], observed=True, sort=False)["at"].agg(["size", "max"])
    found = found.sort_values("size", ascending=False, kind="stable")
    rows = [
        [*(tables.text(each, 110) for each in row.Index), tables.count(row.size), tables.moment(row.max)]
        for row in found.iloc[:MOST_ROWS].itertuples()
    ]
    caption = f"the {MOST_ROWS} most frequent of {len(found):,} ways to fail" if len(found) > MOST_ROWS else "how calls failed"
    heads = [Head("module"), Head("method"), Head("code"), Head("reason"), Head("calls"), Head("last, UTC")]
    return tables.table(heads, rows, caption=caption, name="failed-calls")


def _nothing(said: str) -> str:
    return f'<p class="note">{for_xml(said)}</p>'


def _folded(summary: str, content: str, *, open_: bool) -> str:
    return f"<details{' open' if open_ else ''}><summary>{for_xml(summary)}</summary>{content}</details>"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def span_of(seen: Seen) -> str:
    """From when to when was recorded, in words."""
    if seen.start == tables.NEVER:
        return "nothing was recorded"
    return f"{span_text(seen.start, max(seen.now, seen.start))} ({duration_text(max(seen.now - seen.start, 0) / _SECOND)})"
