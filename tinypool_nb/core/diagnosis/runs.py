"""Runs of failed attempts to connect: which of them have one cause, and when each run began and was over."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Reference
from tinypool_nb.core.diagnosis.reasons import cause_of
from tinypool_nb.core.diagnosis.wording import seconds_text
from tinypool_nb.core.events import Attempt, Evidence, Outcome, Transition
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.states import State


class Run(NamedTuple):
    """Attempts that failed for one cause, without a success in between."""

    case: Case
    cause: Cause
    attempts: tuple[Attempt, ...]
    until: int | None
    """When it was over; None if it goes on."""

    @property
    def since(self) -> int:
        """When the first of them failed."""
        return self.attempts[0].end

    @property
    def last(self) -> Attempt:
        """The last of them, whose reason is the freshest."""
        return self.attempts[-1]

    @property
    def peer(self) -> str:
        """Who was tried last."""
        return self.last.peer

    @property
    def proxy(self) -> str:
        """The proxy that they went through; "" if there was none."""
        return self.last.channel.proxy

    @property
    def whom(self) -> str:
        """Who was tried last, as a finding names it: behind a proxy the module, since only the proxy has a resolved address."""
        address = self.last.channel.address
        return f"{address}, behind the proxy {self.proxy}," if self.proxy else self.peer or address

    @property
    def took(self) -> str:
        """How long the last of them was under way."""
        start = self.last.start
        return seconds_text(self.case.options.backoff.min_connect_timeout if start is None else (self.last.end - start) / 1e9)

    @property
    def last_words(self) -> str:
        """What was said at last, behind what gRPC core put before it: of a name, the resolver's own words."""
        return shown_reason(self.last.reason.rstrip("]. ").rpartition(": ")[2] or self.last.reason, 200)

    @property
    def lost(self) -> Transition | None:
        """The row in which the connection was lost that this run failed to get back; None if there was none before."""
        first = self.attempts[0]
        before = (row for row in reversed(self.case.own) if row.time <= first.end and row.channel == first.channel)
        return next((row for row in before if row.previous is State.READY and row.state is not State.SHUTDOWN), None)


class Told(NamedTuple):
    """What a run says."""

    cause: Cause
    text: str
    advice: str
    known: Evidence = Evidence.SEEN
    more: tuple[Reference, ...] = ()
    """Evidence besides the attempts."""
    since: int | None = None
    """When it began, if that was before the first of them failed."""


def runs(case: Case) -> tuple[list[Run], list[Run]]:
    """Those that go on, one a cause, and those that are over."""
    now: list[Run] = []
    past: list[Run] = []
    stretches = [list(rows) for _, rows in groupby(case.failed, key=lambda row: (_success(case, row), row.channel.address))]
    for rows in stretches:
        until = _over(case, rows)
        by_cause: dict[Cause, list[Attempt]] = {}
        for row in rows:
            by_cause.setdefault(_cause(row), []).append(row)
        runs = [Run(case, cause, tuple(those), until) for cause, those in by_cause.items()]
        if until is not None:
            past += runs
            continue
        # Of several causes in one failing stretch those count as of now that the last attempts of the present addresses gave.
        present = {_cause(row) for row in {(row.peer): row for row in rows}.values()}
        latest = max(run.last.end for run in runs if run.cause in present)
        now += [run for run in runs if run.cause in present]
        past += [run._replace(until=max(run.last.end, min(latest, case.now))) for run in runs if run.cause not in present]
    return now, past


def _success(case: Case, failed: Attempt) -> int | None:
    """When what had failed succeeded: with round_robin each endpoint for itself, else any of them."""
    if not _each_for_itself(case, failed):
        return case.ready_after(failed.end)
    return next(
        (row.end for row in case.attempts if row.outcome is Outcome.READY and row.peer == failed.peer and row.end >= failed.end), None
    )


def _each_for_itself(case: Case, failed: Attempt) -> bool:
    return case.options.load_balancing == "round_robin" and bool(failed.peer)


def _over(case: Case, rows: Sequence[Attempt]) -> int | None:
    """When a stretch of failures ended: by success, by another address, or since nobody tries any more."""
    last = rows[-1]
    ready = _success(case, last)
    if ready is not None:
        return ready
    if case.channel is None or last.channel.key != case.key:
        return last.end
    if last.channel.address != case.address or case.state is State.SHUTDOWN:
        began = next((row.time for row in case.transitions if row.channel.number > last.channel.number), None)
        return began if began is not None else case.opening.time if case.opening is not None else last.end
    if case.state is State.READY and not _each_for_itself(
        case, last
    ):  # and the row that says so has gone, or another address of the name is connected
        return case.opening.time if case.opening is not None and case.opening.time >= last.end else last.end
    return None


def _cause(row: Attempt) -> Cause:
    return cause_of(row.reason, peer=row.peer, address=row.channel.address, proxy=row.channel.proxy)
