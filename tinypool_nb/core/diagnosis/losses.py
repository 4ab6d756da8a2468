"""Each connection that was lost, with the words of the calls that broke with it, what came after it, and what was done to it.

gRPC core's trace does not say why a connection went. A call under way on it does (`tinypool_nb.core.disconnections`); where there was
none, the lengths of the connections' lives and what came after them tell (`patterns`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tinypool_nb.core.diagnosis.case import Case, of_call, of_mark, of_transition
from tinypool_nb.core.diagnosis.findings import Reference
from tinypool_nb.core.disconnections import NEAR, UNKNOWN_ERROR, disconnect_error
from tinypool_nb.core.events import Call, Mark, MarkKind, Transition
from tinypool_nb.core.folding import DISCONNECTED
from tinypool_nb.core.states import State

AGED = ("max connection age", "max_age")
"""What servers say to a call that outlives the grace of their connection's age: gRPC core, and grpc-go."""
STOPPED = ("Cancelling all calls", "Server shutdown", "server stopping", "graceful_stop")
"""What gRPC's servers say to calls that outlive the grace of a stop."""
OUTLIVED = "outlived"
"""What such a call tells: its connection was ended on purpose, some time before."""
TIMED_OUT = "connection timed out"
"""What gRFC A94 calls it where a keepalive was not answered."""
EXACT = 2_000_000
"""Nanoseconds to which core's stamps and those of calls agree."""
SECOND = 1_000_000_000
LAB = "lab: "
"""How the marks begin that the lab makes of what is done to its servers."""
JUST_BEFORE = 2 * SECOND
"""Nanoseconds before a loss within which an act in the lab is its cause, by all likelihood."""
UNDOING = ("start", "thaw", "heal")
"""Acts that break nothing, by how they begin; a fault's end says "healed"."""
SILENCING = ("freeze", "blackhole", "silent")
"""Acts after which nothing is heard of a peer: they show once a keepalive was not answered."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """One connection that was lost."""

    row: Transition
    """READY to something else."""
    began: int | None
    """When it had become READY; None if that row is gone."""
    back: int | None
    """When the module was READY again."""
    told: tuple[Call, ...]
    """The calls that broke with it."""
    error: str
    """Why, in the words of gRFC A94; "unknown" if nothing told."""
    act: Mark | None
    """What somebody did to the module's server in the lab before, and is its cause by all likelihood."""
    refused: bool
    """Whether an attempt failed before it was back."""
    outlasted: tuple[Call, ...]
    """Calls that ended well on it afterwards: it was drained."""

    @property
    def life(self) -> float | None:
        """How long it had lived, seconds."""
        return None if self.began is None else (self.row.time - self.began) / SECOND

    @property
    def away(self) -> float | None:
        """How long it was until the module was connected again, seconds."""
        return None if self.back is None else (self.back - self.row.time) / SECOND

    @property
    def in_silence(self) -> bool:
        """Whether it went as one that is ended on purpose goes: no call broke, nobody did it in the lab, no attempt failed after it."""
        return self.error in {UNKNOWN_ERROR, "GOAWAY NO_ERROR"} and not self.told and self.act is None and not self.refused

    @property
    def references(self) -> tuple[Reference, ...]:
        """Its row, the calls that told, and what was done in the lab."""
        calls = (*self.told[:2], *self.outlasted[:2])
        rows = (of_transition(self.row), *map(of_call, calls), *(of_mark(mark) for mark in (self.act,) if mark))
        return tuple(sorted(rows, key=lambda row: row.time))

    def says(self, *words: str) -> bool:
        """Whether a call that broke with it, or its own reason, holds one of the words."""
        return any(word in reason for word in words for reason in (self.row.reason, *(call.reason for call in self.told)))


def losses(case: Case) -> tuple[Loss, ...]:
    """Each connection that was lost, the oldest first; those that were ended by the pool itself are none."""
    tellers = sorted((call for call in case.calls if _told_of(call.reason) != UNKNOWN_ERROR), key=lambda call: call.end)
    ends = [call.end for call in tellers]
    outlived = [call for call in tellers if _told_of(call.reason) == OUTLIVED]
    failures = sorted(each.end for each in case.failed)
    backs = _next_ready(case.own)
    found: list[Loss] = []
    began: int | None = None
    for row, back in zip(case.own, backs, strict=True):
        if row.state is State.READY:
            began = row.time
        elif row.previous is State.READY and row.state in DISCONNECTED:
            near = tellers[bisect_left(ends, row.time - NEAR) : bisect_right(ends, row.time + NEAR)]
            # A server that drains lets calls run on after it has said that the connection ends, and then cancels them.
            later = [call for call in outlived if call.start <= row.time < call.end - NEAR]
            told = tuple(call for call in (*near, *later) if call.channel == row.channel)
            until = case.now if back is None else back
            refused = bisect_left(failures, row.time) < bisect_right(failures, until)
            # Before it is connected again, a call can only have ended on the connection that it began on.
            outlasted = (call for call in case.outlasting if call.start < row.time - EXACT and row.time + EXACT < call.end <= until)
            good = tuple(call for call in outlasted if call.channel == row.channel)
            error = _error(row, told)
            found.append(Loss(row, began, back, told, error, _act(case, row, error), refused, good))
            began = None
    return tuple(found)


def _next_ready(rows: Sequence[Transition]) -> list[int | None]:
    """Of each row when the next READY came, by their order: several may have the same millisecond."""
    times: list[int | None] = []
    following: int | None = None
    for row in reversed(rows):
        following = row.time if row.state is State.READY else following
        times.append(following)
    return times[::-1]


def _act(case: Case, row: Transition, error: str) -> Mark | None:
    marks = [mark for mark in case.marks if mark.kind is MarkKind.ACTION and mark.text.startswith(LAB) and mark.time <= row.time + NEAR]
    if error == TIMED_OUT:
        noticing = (case.options.keepalive.time + case.options.keepalive.timeout) * SECOND
        silenced = [mark for mark in marks if _silences(mark) and row.time - mark.time <= JUST_BEFORE + noticing]
        undone = silenced and any(_undoes(mark) and mark.time >= silenced[-1].time for mark in marks)
        return silenced[-1] if silenced and not undone else None
    return next((mark for mark in reversed(marks) if row.time - mark.time <= JUST_BEFORE and not _undoes(mark)), None)


def _undoes(mark: Mark) -> bool:
    return " healed" in mark.text or mark.text.removeprefix(LAB).startswith(UNDOING)


def _silences(mark: Mark) -> bool:
    return not _undoes(mark) and mark.text.removeprefix(LAB).startswith(SILENCING)


def _error(row: Transition, told: Sequence[Call]) -> str:
    errors = (_told_of(reason) for reason in (row.reason, *(call.reason for call in told)))
    return next((error for error in errors if error not in {UNKNOWN_ERROR, OUTLIVED}), UNKNOWN_ERROR)


@lru_cache(maxsize=4096)
def _told_of(reason: str) -> str:
    """What a reason tells of a lost connection: one of gRFC A94's errors, or that the call outlived a grace."""
    return OUTLIVED if any(word in reason for word in (*AGED, *STOPPED)) else disconnect_error(reason)
