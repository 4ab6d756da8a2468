"""The evidence of one module: everything that a diagnosis may look at, and hence all that it can be judged by."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from tinypool_nb.core.diagnosis.findings import Reference, RowOf
from tinypool_nb.core.events import (
    NOT_RECORDED,
    Attempt,
    Call,
    ChannelIdentity,
    Evidence,
    Mark,
    MarkKind,
    Observation,
    Outcome,
    Subject,
    Transition,
)
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """What the record has of one module. The rows are those of the frames, the oldest first."""

    key: ModuleKey
    channel: ChannelIdentity | None
    """The module's newest channel; None if it has never had one."""
    now: int
    """Up to when the record speaks, nanoseconds since 1970-01-01 UTC."""
    options: PoolOptions = field(default_factory=PoolOptions)
    """The module's settings; of an opened recording of the Tls its `server_name` alone; how it is secured says `channel.transport`."""
    opening: Transition | None = None
    """The row that began its present state."""
    transitions: tuple[Transition, ...] = ()
    """Of all its channels."""
    attempts: tuple[Attempt, ...] = ()
    calls: tuple[Call, ...] = ()
    """Those that failed."""
    outlasting: tuple[Call, ...] = ()
    """Calls that ended well, and were under way when some connection was lost."""
    calls_seen: int = 0
    """How many calls ended, the good ones included."""
    marks: tuple[Mark, ...] = ()
    observations: tuple[Observation, ...] = ()
    """What was looked at last."""
    neighbours: tuple[ModuleKey, ...] = ()
    """Other modules whose address shares an endpoint with this one's."""

    @property
    def state(self) -> State | None:
        """Of its present channel; None in a gap, and before the first row."""
        return None if self.opening is None else self.opening.state

    @property
    def address(self) -> str:
        """As it was registered; "" if it never was."""
        return "" if self.channel is None else self.channel.address

    @cached_property
    def own(self) -> tuple[Transition, ...]:
        """The transitions of the channels up to the newest, without what retired ones still did after they were replaced."""
        rows: list[Transition] = []
        newest = 0
        for row in self.transitions:
            if row.channel.number >= newest:
                newest = row.channel.number
                rows.append(row)
        return tuple(rows)

    @cached_property
    def readies(self) -> tuple[int, ...]:
        """When it became READY, the earliest first."""
        return tuple(sorted(row.time for row in self.own if row.state is State.READY))

    @cached_property
    def failed(self) -> tuple[Attempt, ...]:
        """The attempts that failed."""
        return tuple(row for row in self.attempts if row.outcome is Outcome.FAILED)

    def observed(self, subject: Subject) -> tuple[Observation, ...]:
        """What was looked at last, of that subject, if it still holds: what it is about must not have changed since."""
        return tuple(row for row in self.observations if row.subject is subject and row.time >= self._changed(subject))

    def _changed(self, subject: Subject) -> int:
        """When what a subject is about changed last, as far as the record tells."""
        if subject is Subject.ENVIRONMENT:
            return 0
        if subject is Subject.DISCOVERY:
            return max((row.time for row in self.marks if row.kind is MarkKind.DISCOVERY), default=0)
        return 0 if self.opening is None else self.opening.time

    def ready_after(self, time: int) -> int | None:
        """When it became READY next, at that moment or later; None if it has not."""
        place = bisect_left(self.readies, time)
        return self.readies[place] if place < len(self.readies) else None


# How a row is told in a reference


def of_transition(row: Transition) -> Reference:
    """`READY to IDLE`, and why."""
    if row.evidence is Evidence.GAP:
        why = "nothing was recorded from here on" if row.reason == NOT_RECORDED else "events were overwritten before they could be read"
        return Reference(RowOf.TRANSITIONS, row.time, why)
    before = "created as" if row.previous is None else f"{row.previous} to"
    return Reference(RowOf.TRANSITIONS, row.time, f"{before} {row.state or 'unknown'}{_why(row.reason)}")


def of_attempt(row: Attempt) -> Reference:
    """Who was tried, how it ended and why."""
    return Reference(RowOf.ATTEMPTS, row.end, f"{row.outcome}{f' at {row.peer}' if row.peer else ''}{_why(row.reason)}")


def of_call(row: Call) -> Reference:
    """What was called, and how it ended."""
    return Reference(RowOf.CALLS, row.end, f"{row.method} {row.code}{_why(row.reason)}")


def of_mark(row: Mark) -> Reference:
    """The mark's own text."""
    return Reference(RowOf.MARKS, row.time, row.text)


def of_observation(row: Observation) -> Reference:
    """What was looked at, and what was seen."""
    value = f" {row.value:,}" if row.subject in {Subject.CALLS, Subject.KEEPALIVES} else ""
    value = f" after {row.value:,} ms" if row.subject is Subject.TCP else value
    return Reference(RowOf.OBSERVATIONS, row.time, f"{row.subject}: {row.text}{value}")


def spread(many: Iterable[T], most: int = 4) -> tuple[T, ...]:
    """The first and the last of many, since they are the ones that tell: at most so many."""
    rows = tuple(many)
    return rows if len(rows) <= most else (*rows[:1], *rows[1 - most :])


def _why(reason: str) -> str:
    return f": {shown_reason(reason)}" if reason else ""
