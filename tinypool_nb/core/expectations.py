"""What a step of a lesson expects to see, and the judgement of what was seen: met, not met, or still waiting.

Pure: events come in as data, times as parameters. Each kind of expectation has one function in the table `_JUDGES`.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from tinypool_nb.core.events import Attempt, Outcome, Transition
from tinypool_nb.core.forecast import Numbered, numbered, start_of
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.states import State

SECOND = 1_000_000_000

Sight = Transition | Attempt
"""What can be seen of a module."""


class Verdict(StrEnum):
    """What became of an expectation."""

    WAITING = "waiting"
    MET = "met"
    UNMET = "unmet"


class Judgement(NamedTuple):
    """A verdict with its words."""

    verdict: Verdict
    said: str
    """What was seen, or what is missing; one sentence without a full stop."""
    due: int | None = None
    """When to judge again though nothing new was seen, nanoseconds since 1970 UTC; None if only an event can decide."""


class View(NamedTuple):
    """All that a judge may know."""

    before: Sequence[Sight]
    """What earlier steps saw."""
    seen: Sequence[Sight]
    """What was seen since the step began."""
    began: int
    """When the step began; shown times count from here."""
    acted: int
    """When its action was done; limits count from here."""
    now: int
    backoff: Backoff

    def current(self) -> list[Transition]:
        """The transitions of the module's newest channel in this step, without "one more attempt failed"."""
        newest = max((sight.channel.number for sight in (*self.before, *self.seen)), default=0)
        return [
            sight
            for sight in self.seen
            if isinstance(sight, Transition) and sight.channel.number == newest and sight.previous is not sight.state
        ]

    def failed(self) -> list[Numbered]:
        """The attempts that failed in this step, each with its number in its failing run."""
        attempts = [sight for sight in (*self.before, *self.seen) if isinstance(sight, Attempt)]
        since = sum(isinstance(sight, Attempt) for sight in self.before)
        return [each for each in numbered(attempts)[since:] if each.attempt.outcome is Outcome.FAILED]


class Path(NamedTuple):
    """The module's channel goes from the first state through the others, in this order and with nothing in between."""

    states: tuple[State, ...]
    within: float
    """Seconds."""

    def __str__(self) -> str:
        return f"{' → '.join(self.states)} within {self.within:g} s"


class Born(NamedTuple):
    """The module gets a channel, which is IDLE and dials nothing."""

    within: float = 5.0

    def __str__(self) -> str:
        return "a new channel, IDLE"


class Replaced(NamedTuple):
    """The module gets a fresh channel, IDLE, and the old one ends in SHUTDOWN."""

    within: float = 5.0
    """Seconds."""

    def __str__(self) -> str:
        return f"a new channel, IDLE, and SHUTDOWN of the old one within {self.within:g} s"


class Stays(NamedTuple):
    """The module's channel changes no state for so long."""

    state: State
    seconds: float

    def __str__(self) -> str:
        return f"stays {self.state} for {self.seconds:g} s"


class Fails(NamedTuple):
    """So many attempts fail, each within the window that the specification gives it after the one before."""

    times: int
    within: float
    """Seconds until the last of them has failed."""

    def __str__(self) -> str:
        many = "1 attempt fails" if self.times == 1 else f"{self.times} attempts fail, each in its backoff window,"
        return f"{many} within {self.within:g} s"


class Succeeds(NamedTuple):
    """So many attempts to connect to an address succeed, whatever the channel as a whole shows."""

    within: float
    """Seconds."""
    times: int = 1

    def __str__(self) -> str:
        return f"{'an attempt succeeds' if self.times == 1 else f'{self.times} attempts succeed'} within {self.within:g} s"


Expectation = Path | Born | Replaced | Stays | Fails | Succeeds


def judge(expectation: Expectation, view: View) -> Judgement:
    """Whether what was seen is what was expected.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence
    >>> from tinypool_nb.core.keys import ModuleKey
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> seen = [Transition(800_000_000, channel, State.READY, State.CONNECTING, "", Evidence.SEEN)]
    >>> judge(Path((State.READY, State.IDLE), within=1), View((), seen, 0, 0, 900_000_000, Backoff())).said
    'expected READY → IDLE within 1 s; seen READY → CONNECTING at +0.800 s'
    """
    return _JUDGES[type(expectation)](expectation, view)


def told(sight: Sight, began: int) -> str:
    """One thing that was seen, with the time since the step began.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence
    >>> from tinypool_nb.core.keys import ModuleKey
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> told(Transition(5_000_000, channel, None, State.IDLE, "", Evidence.INFERRED), 0)
    'a new channel, IDLE, at +0.005 s'
    """
    if isinstance(sight, Attempt):
        return f"attempt at {sight.peer or 'resolving the name'} {sight.outcome} at {_plus(start_of(sight), began)}"
    state = "unknown (a gap in the record)" if sight.state is None else sight.state
    if sight.previous is None and sight.state is State.IDLE:
        return f"a new channel, IDLE, at {_plus(sight.time, began)}"
    return f"{sight.previous or 'unknown'} → {state} at {_plus(sight.time, began)}"


def _plus(time: int, began: int) -> str:
    return f"{max(0, time - began) / SECOND:+.3f} s"


def _limit(view: View, seconds: float) -> int:
    return view.acted + round(seconds * SECOND)


def _seen(sights: Sequence[Sight], began: int) -> str:
    return ", ".join(told(sight, began) for sight in sights)


def _wrong(expected: str, view: View, sights: Sequence[Sight]) -> Judgement:
    seen = f"seen {_seen(sights, view.began)}" if sights else "nothing was seen"
    return Judgement(Verdict.UNMET, f"expected {expected}; {seen}")


def _open(expectation: Expectation, view: View, sights: Sequence[Sight], within: float) -> Judgement:
    """Not met so far: wait, until the time is over."""
    limit = _limit(view, within)
    if view.now >= limit:
        return _wrong(str(expectation), view, sights)
    so_far = f"; so far {_seen(sights, view.began)}" if sights else ""
    return Judgement(Verdict.WAITING, f"still to be seen: {expectation}{so_far}", limit)


def _path(expectation: Path, view: View) -> Judgement:
    rows, states = view.current(), expectation.states
    for place, row in enumerate(rows[: len(states) - 1]):
        if row.state is not states[place + 1] or row.previous not in {None, states[place]}:
            return _wrong(str(expectation), view, rows[: place + 1])
    if len(rows) < len(states) - 1:
        return _open(expectation, view, rows, expectation.within)
    ended = rows[len(states) - 2].time if len(states) > 1 else view.acted
    if ended > _limit(view, expectation.within):
        return _wrong(str(expectation), view, rows)
    return Judgement(Verdict.MET, _seen(rows[: len(states) - 1], view.began))


def _born(expectation: Born, view: View) -> Judgement:
    rows = view.current()
    if rows and rows[0].previous is None and rows[0].state is State.IDLE:
        return Judgement(Verdict.MET, _seen(rows[:1], view.began))
    return _open(expectation, view, rows, expectation.within)


def _replaced(expectation: Replaced, view: View) -> Judgement:
    rows = view.current()
    born = [row for row in rows if row.previous is None and row.state is State.IDLE]
    number = born[0].channel.number if born else 0
    gone = [row for row in view.seen if isinstance(row, Transition) and row.state is State.SHUTDOWN and row.channel.number < number]
    if born and gone:
        old, new = gone[-1].channel, born[0].channel
        ended = f"SHUTDOWN of generation {old.generation} at {_plus(gone[-1].time, view.began)}"
        return Judgement(Verdict.MET, f"{_seen(born[:1], view.began)} (generation {new.generation}); {ended}")
    return _open(expectation, view, [*born, *gone], expectation.within)


def _stays(expectation: Stays, view: View) -> Judgement:
    rows = view.current()
    if rows:
        return _wrong(f"that it {expectation}", view, rows)
    limit = _limit(view, expectation.seconds)
    if view.now < limit:
        return Judgement(Verdict.WAITING, f"still to be seen: that it {expectation}", limit)
    return Judgement(Verdict.MET, f"it stayed {expectation.state}: no change was seen")


def _fails(expectation: Fails, view: View) -> Judgement:
    failed = view.failed()
    for each in failed:
        if each.before is None:
            continue
        early, late = Numbered(each.before, each.number - 1, None).following(view.backoff)
        if not early - EARLY <= each.start <= late + LATE:
            beside = f"attempt {each.number} at {each.attempt.peer} came {each.gap:.2f} s after the one before, outside of its window"
            return Judgement(Verdict.UNMET, f"expected {expectation}; {beside}")
    if len(failed) < expectation.times:
        return _open(expectation, view, [each.attempt for each in failed], expectation.within)
    return Judgement(Verdict.MET, "failed: " + "; ".join(_attempt_words(each, view.began, view.backoff) for each in failed))


EARLY, LATE = SECOND // 10, SECOND
"""Nanoseconds by which an attempt may come before or after its window: gRPC's interop test allows 0.1 s, a busy machine is later."""


def _attempt_words(each: Numbered, began: int, backoff: Backoff) -> str:
    if each.before is None or each.gap is None:
        return f"attempt {each.number} at {_plus(each.start, began)}"
    first, last = ((at - start_of(each.before)) / SECOND for at in Numbered(each.before, each.number - 1, None).following(backoff))
    after = f"{each.gap:.2f} s after the one before (window {first:.2f} to {last:.2f} s)"
    return f"attempt {each.number} at {_plus(each.start, began)}, {after}"


def _succeeds(expectation: Succeeds, view: View) -> Judgement:
    attempts = [sight for sight in view.seen if isinstance(sight, Attempt)]
    ready = [attempt for attempt in attempts if attempt.outcome is Outcome.READY]
    if len(ready) >= expectation.times:
        return Judgement(Verdict.MET, _seen(ready, view.began))
    return _open(expectation, view, attempts, expectation.within)


_JUDGES: Mapping[type[Expectation], Callable[[Any, View], Judgement]] = {
    Path: _path,
    Born: _born,
    Replaced: _replaced,
    Stays: _stays,
    Fails: _fails,
    Succeeds: _succeeds,
}
