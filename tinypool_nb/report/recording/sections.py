"""The parts of a report of a recording, each as HTML; everything foreign in them is escaped."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tinypool_nb.core.codes import Code
from tinypool_nb.core.palette import SEVERITY
from tinypool_nb.core.telling import counted
from tinypool_nb.report import tables
from tinypool_nb.report.recording.canvas import canvas_data
from tinypool_nb.report.recording.drawings import Drawings
from tinypool_nb.report.recording.module_section import module_section
from tinypool_nb.report.recording.seen import Module, Seen, rows_of
from tinypool_nb.report.recording.verdict import Cause, Outcome, Verdict
from tinypool_nb.report.recording.wording import advice, cause_title, folded, note, when
from tinypool_nb.report.replayed import replayed
from tinypool_nb.report.tables import Cell, Head
from tinypool_nb.views.pictures import timeline_svg
from tinypool_nb.views.swimlanes import describe, nanoseconds, shown_keys
from tinypool_nb.views.wording import duration_text, for_xml, one_line, span_text

MOST_NAMES = 12
"""Modules that a cause names; the rest are counted, and stand in the table of modules."""
MOST_ROWS = 100
"""Rows of a table of attempts, marks or failed calls; the newest."""

_SECOND = 1_000_000_000
_SYMBOLS = {Outcome.EMPTY: "–", Outcome.WELL: "✓", Outcome.RECOVERED: "✓", Outcome.TROUBLE: "▲", Outcome.BROKEN: "✖"}


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
        self._drawings = Drawings(paper=paper)
        self._has_gaps = any(module.row.gap > 0 for module in seen.modules)

    def verdict(self) -> str:
        """What was wrong, since when, which modules, and what to do."""
        judged = self.judged
        failed = int(sum(module.row.failed_calls for module in self.seen.modules))
        called = f" {failed:,} of {counted(int(sum(module.row.calls for module in self.seen.modules)), 'call')} failed." if failed else ""
        at_end = f'<p class="states">At the end: {for_xml(judged.states)}.{called}</p>' if judged.states else ""
        named = f": {', '.join(self._link(module).html for module in judged.named)}" if judged.named else ""
        causes = "".join(map(self._cause, judged.causes))
        notes = "".join(map(self._note, judged.notes))
        if notes:
            causes += folded("worth knowing", f"<ul>{notes}</ul>", unfolded=not judged.causes)
        headline = f"{for_xml(judged.headline)}{named}.{judged.more}"
        return (
            f'<section id="verdict" class="verdict" data-outcome="{judged.outcome}"><h2>Verdict</h2>'
            f'<p class="headline"><span class="symbol" aria-hidden="true">{_SYMBOLS[judged.outcome]}</span>{headline}</p>'
            f"{at_end}{self._partial()}{causes}</section>"
        )

    def _partial(self) -> str:
        """That the recording is not whole, if it is not: what is missing at its end may be what mattered."""
        partial = self.seen.details.get("partial")
        if not partial:
            return ""
        said = for_xml(one_line(partial))
        return f'<p class="partial"><strong>The recording is not whole</strong>: {said}. What came later is not in it.</p>'

    def timeline(self) -> str:
        """Who was in which state when: on a screen to be explored and replayed, else a picture."""
        seen = self.seen
        if not seen.modules:
            return '<section id="timeline"><h2>Timeline</h2><p class="note">There is nothing to draw.</p></section>'
        svg = self._drawings.placed(timeline_svg(seen.intervals, seen.marks, seen.calls, now=seen.now))
        described = for_xml(describe(seen.intervals, now=seen.now))
        picture = f'<figure class="picture tinypool-picture">{svg}</figure>'
        if self.paper:
            return f'<section id="timeline"><h2>Timeline</h2>{picture}<p class="note">{described}</p></section>'
        data, note = canvas_data(seen.intervals, seen.marks, now=seen.now)
        return (
            f'<section id="timeline"><h2>Timeline</h2>'
            f'{replayed(picture, data)}<p class="note">{described}{f" On the screen {note}." if note else ""}</p></section>'
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
            Head("found", "what was found first; the whole of it in its section"),
        ]
        rest = len(self.seen.modules) - len(self.detailed)
        caption = "the worst first" if len(self.seen.modules) > 1 else ""
        others = f'<p class="note">{_alone(len(self.detailed), rest)}</p>' if rest else ""
        listed = tables.table(heads, map(self._row, self.seen.modules), caption=caption, name="modules") if self.seen.modules else ""
        return f'<section id="modules"><h2>Modules</h2>{listed or note("No module was registered.")}{others}</section>'

    def each(self) -> Iterator[str]:
        """A section a module."""
        for place, module in enumerate(self.detailed):
            yield module_section(self.seen, module, anchor(place), self._drawings, paper=self.paper)

    def attempts(self) -> str:
        """How the attempts of all modules keep to the backoff of the specification."""
        seen = self.seen
        tried = [module for module in seen.modules if module.row.attempts]
        if not tried:
            return f'<section id="attempts"><h2>Attempts</h2>{note("No attempt to connect ended while it was recorded.")}</section>'
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
            f"{all_kept:,} of {counted(all_waits, 'wait')} between attempts {'keeps' if all_kept == 1 else 'keep'} "
            f"to the backoff that the specification gives {'it' if all_waits == 1 else 'them'}."
            if all_waits
            else "No attempt followed a failed one, so there is no wait to be measured."
        )
        listed = folded(
            f"the attempts of {counted(len(tried), 'module')}", tables.table(heads, rows, name="attempts"), unfolded=len(tried) <= 20
        )
        return f'<section id="attempts"><h2>Attempts and backoff</h2><p>{said}</p>{listed}</section>'

    def calls(self) -> str:
        """How many calls there were, how long they took, and how they failed."""
        seen, frame = self.seen, self.seen.latency
        if frame.empty:
            return f'<section id="calls"><h2>Calls</h2>{note("No call was recorded.")}</section>'
        heads = [Head("module"), Head("calls"), Head("failed"), *map(Head, ("half within", "90 % within", "99 % within", "longest"))]
        known = {module.name: module for module in seen.modules}
        rows = [
            [
                self._link(known[name]) if name in known else tables.text(name),
                tables.count(row.calls),
                tables.count(row.failed_calls),
                *map(tables.seconds, (row.p50, row.p90, row.p99, row.longest)),
            ]
            for name, row in zip(shown_keys(frame), rows_of(frame), strict=True)
        ]
        failed = seen.calls[seen.calls["code"] != Code.OK]
        said = f"{counted(int(frame['calls'].sum()), 'call')}, {'none' if failed.empty else f'{len(failed):,}'} of them failed."
        listed = folded(f"the calls of {counted(len(rows), 'module')}", tables.table(heads, rows, name="calls"), unfolded=len(rows) <= 20)
        return f'<section id="calls"><h2>Calls</h2><p>{said}</p>{listed}{_failed_calls(failed)}</section>'

    def marks(self) -> str:
        """The labelled moments."""
        marks = self.seen.marks
        if marks.empty:
            return ""
        shown = marks.sort_values("time", kind="stable").iloc[-MOST_ROWS:]
        rows = [
            [tables.moment(time, "ms"), tables.text(kind), tables.text(about if isinstance(about, str) else ""), tables.text(words)]
            for time, kind, about, words in zip(
                nanoseconds(shown["time"]).tolist(), shown["kind"], shown_keys(shown), shown["text"], strict=True
            )
        ]
        caption = f"the last {MOST_ROWS} of {len(marks):,}" if len(marks) > MOST_ROWS else ""
        heads = [Head("time, UTC"), Head("by"), Head("module"), Head("what")]
        listed = tables.table(heads, rows, caption=caption, name="marks")
        content = folded(counted(len(marks), "labelled moment"), listed, unfolded=len(rows) <= 20)
        return f'<section id="marks"><h2>Marks</h2>{content}</section>'

    def _cause(self, cause: Cause) -> str:
        row = cause.example
        first, said = one_line(cause.modules[0].name), one_line(row.finding)
        several = f" (of {for_xml(first)})" if len(cause.modules) > 1 and first not in said else ""
        return (
            f'<div class="cause" data-now="{str(cause.now).lower()}" data-gravity="{cause.gravity}">'
            f"<h3>{cause_title(cause.cause, now=cause.now)}</h3>"
            f'<p class="who">{self._who(cause)}</p><p>{for_xml(said)}{several}</p>{advice(row)}</div>'
        )

    def _note(self, cause: Cause) -> str:
        return f"<li><strong>{cause_title(cause.cause, now=cause.now)}</strong>: {self._who(cause)}</li>"

    def _who(self, cause: Cause) -> str:
        """How many modules a cause was found of, when, and which."""
        named = ", ".join(self._link(module).html for module in cause.modules[:MOST_NAMES])
        rest = len(cause.modules) - MOST_NAMES
        more = f' and <a href="#modules">{rest:,} more</a>' if rest > 0 else ""
        return f"{counted(len(cause.modules), 'module')}{when(cause.since, cause.until)}: {named}{more}"

    def _link(self, module: Module) -> Cell:
        name = tables.text(module.name, 60, keep_end=True).html
        place = self._places.get(module.name)
        shown = f"<bdi>{name}</bdi>"
        return Cell(shown if place is None else f'<a href="#{anchor(place)}">{shown}</a>', module.name)

    def _row(self, module: Module) -> list[Cell]:
        row = module.row
        found = f"{module.findings[0].cause}{'' if module.findings[0].now else ' (over)'}" if module.findings else ""
        return [
            self._link(module),
            Cell(tables.chip(module.code), -SEVERITY[module.code]),
            tables.moment(module.since),
            tables.share(row.share_ready),
            tables.seconds(row.transient_failure),
            tables.count(row.disconnections),
            Cell(f"{row.failures:,} of {row.attempts:,}", row.failures, is_number=True),
            *([tables.share(row.gap_share)] if self._has_gaps else []),
            tables.text(found, 60),
        ]


def _alone(detailed: int, rest: int) -> str:
    """Which modules stand in the table alone."""
    if not detailed:
        told = f"No module has a section of its own: {counted(rest, 'module')} {_stand(rest)}"
    else:
        worst = "worst has a section of its own" if detailed == 1 else f"{detailed:,} worst have a section of their own"
        told = f"The {worst} below; the other {rest:,} {_stand(rest)}"
    return f"{told}. <code>tinypool-nb report --sections N</code> makes more."


def _stand(number: int) -> str:
    return f"{'stands' if number == 1 else 'stand'} in this table alone"


def _failed_calls(failed: pd.DataFrame) -> str:
    """How calls failed: a row a module, method, code and reason."""
    if failed.empty:
        return ""
    keyed = failed.assign(who=shown_keys(failed), at=nanoseconds(failed["end"]))
    grouped: Any = keyed.groupby(["who", "method", "code", "reason"], observed=True, sort=False)["at"]
    found = rows_of(grouped.agg(calls="size", last="max").sort_values("calls", ascending=False, kind="stable").reset_index())
    rows = [
        [
            *(tables.text(each, 110) for each in (row.who, row.method, row.code, row.reason)),
            tables.count(row.calls),
            tables.moment(row.last),
        ]
        for row in found[:MOST_ROWS]
    ]
    caption = f"the {MOST_ROWS} most frequent of {len(found):,} ways to fail" if len(found) > MOST_ROWS else "how calls failed"
    heads = [Head("module"), Head("method"), Head("code"), Head("reason"), Head("calls"), Head("last, UTC")]
    return tables.table(heads, rows, caption=caption, name="failed-calls")


def span_of(seen: Seen) -> str:
    """From when to when was recorded, in words."""
    if seen.start == tables.NEVER:
        return "nothing was recorded"
    return f"{span_text(seen.start, max(seen.now, seen.start))} ({duration_text(max(seen.now - seen.start, 0) / _SECOND)})"
