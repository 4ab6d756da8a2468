"""A lesson walked through one step at a time: what to do next, what to expect, what was seen.

`advance(progress, event) -> (progress, orders)` holds every rule of next, play and reset. It is pure: nothing is done,
timed or awaited here. A driver (`tinypool_nb.notebook.stepper`) performs the orders and says what came of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.expectations import Expectation, Judgement, Sight, Verdict, View, judge
from tinypool_nb.core.options import PoolOptions


class Act(StrEnum):
    """What a step can do; a performer knows how."""

    START = "start"
    START_REPLICAS = "start replicas"
    REGISTER = "register"
    REGISTER_MOVED = "register the new address"
    WATCH = "watch"
    CALL = "call"
    CALL_MANY = "call many times"
    KILL = "kill"
    KILL_ONE = "kill one"
    RESTART = "restart"
    RESTART_ONE = "restart one"
    FREEZE = "freeze"
    THAW = "thaw"
    STOP = "stop"
    MOVE = "move"
    CONNECT = "ask to connect"


class Step(NamedTuple):
    """One step of a lesson."""

    title: str
    act: Act
    does: str
    """What will be done, one sentence."""
    expected: tuple[Expectation, ...]
    """All of them must be met; none: the action itself is all."""
    why: str
    """Why it comes so, one or two plain sentences."""
    refused: bool = False
    """The action itself fails, as it should: a call that nobody can answer."""

    @property
    def expects(self) -> str:
        """What is expected, in words."""
        own = ("the call fails",) if self.refused else ()
        return "; ".join((*own, *map(str, self.expected))) or "it is done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A lesson: its steps, and the settings that make a step take seconds."""

    name: str
    title: str
    about: str
    """What one learns, and which settings are shorter than usual."""
    options: PoolOptions
    steps: tuple[Step, ...]
    min_ping_interval: float = 5.0
    """Seconds between two keepalive pings that its servers permit."""


class Standing(StrEnum):
    """How a step stands."""

    TO_COME = "to come"
    UNDER_WAY = "under way"
    MET = "as expected"
    UNMET = "not as expected"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step. Times are nanoseconds since 1970-01-01 UTC."""

    standing: Standing = Standing.TO_COME
    began: int | None = None
    acted: int | None = None
    """When its action was done."""
    ended: int | None = None
    note: str = ""
    """What the action told: the address, the answer, the error."""
    said: str = ""
    """What was seen; if it did not come as expected, what was expected and what was seen instead."""
    seen: tuple[Sight, ...] = ()
    later: tuple[Sight, ...] = ()
    """What was seen after its end and before the next step."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a lesson has come."""

    script: Script
    results: tuple[Result, ...] = ()
    """A result a step that has begun, in order."""
    playing: bool = False
    """Whether a step that came as expected begins the next one."""

    @property
    def current(self) -> int | None:
        """The step that is under way."""
        return len(self.results) - 1 if self.results and self.results[-1].standing is Standing.UNDER_WAY else None

    @property
    def upcoming(self) -> int | None:
        """The step that `next` would begin; None while one is under way and after the last."""
        return None if self.current is not None or len(self.results) == len(self.script.steps) else len(self.results)

    @property
    def is_over(self) -> bool:
        """Whether every step has been done."""
        return self.current is None and len(self.results) == len(self.script.steps)

    @property
    def as_expected(self) -> bool:
        """Whether no step that is done came otherwise than expected."""
        return all(result.standing is not Standing.UNMET for result in self.results)

    def result(self, step: int) -> Result:
        """What became of a step, counted from 0."""
        return self.results[step] if step < len(self.results) else Result()


class Next(NamedTuple):
    """Begin the next step."""

    time: int


class Play(NamedTuple):
    """Begin the next step, and go on for as long as all comes as expected."""

    time: int


class Pause(NamedTuple):
    """Begin no further step."""


class Reset(NamedTuple):
    """Take everything back to the beginning."""


class Acted(NamedTuple):
    """The action of the step under way is done."""

    time: int
    note: str = ""
    error: str = ""
    """Why it could not be done; "" if it could."""


class Saw(NamedTuple):
    """Something was seen of the module, or nothing was until `time`."""

    time: int
    sights: tuple[Sight, ...] = ()


Happening = Next | Play | Pause | Reset | Acted | Saw


class Perform(NamedTuple):
    """Do what the step does, and say so by `Acted`."""

    step: int


class LookAgain(NamedTuple):
    """Say `Saw` at that time at the latest, though nothing may be seen."""

    at: int


class Restore(NamedTuple):
    """Take away what the steps have made."""


Order = Perform | LookAgain | Restore


def advance(progress: Progress, happening: Happening) -> tuple[Progress, tuple[Order, ...]]:
    """How the lesson stands after that, and what is to be done.

    >>> script = Script(name="short", title="", about="", options=PoolOptions(), steps=(Step("Start", Act.START, "", (), ""),))
    >>> begun, orders = advance(Progress(script), Next(0))
    >>> orders
    (Perform(step=0),)
    >>> advance(begun, Acted(5, "it serves"))[0].results[0].standing.value
    'as expected'
    """
    match happening:
        case Next(time):
            return _begin(progress, time, playing=False)
        case Play(time):
            return _begin(progress, time, playing=True)
        case Pause():
            return replace(progress, playing=False), ()
        case Reset():
            return Progress(progress.script), (Restore(),)
        case Acted(time, note, error):
            return _acted(progress, time, note, error)
        case Saw(time, sights):
            return _saw(progress, time, sights)


def _begin(progress: Progress, time: int, *, playing: bool) -> tuple[Progress, tuple[Order, ...]]:
    if progress.current is not None:  # a second click on next changes nothing; play goes on from here
        return replace(progress, playing=progress.playing or playing), ()
    step = progress.upcoming
    if step is None:
        return replace(progress, playing=False), ()
    begun = Result(Standing.UNDER_WAY, began=time)
    return replace(progress, results=(*progress.results, begun), playing=playing), (Perform(step),)


def _acted(progress: Progress, time: int, note: str, error: str) -> tuple[Progress, tuple[Order, ...]]:
    current = progress.current
    if current is None or progress.results[current].acted is not None:
        return progress, ()  # it was reset meanwhile
    step, result = progress.script.steps[current], replace(progress.results[current], acted=time, note=error or note)
    if bool(error) is not step.refused:
        said = f"it could not be done: {error}" if error else f"expected that it fails; it did not: {note}"
        return _end(progress, replace(result, standing=Standing.UNMET, said=said), time)
    return _judged(progress, result, time)


def _saw(progress: Progress, time: int, sights: Iterable[Sight]) -> tuple[Progress, tuple[Order, ...]]:
    if not progress.results:
        return progress, ()
    result = progress.results[-1]
    if progress.current is None:  # nobody waits for it, but the numbers of later attempts follow from it
        kept = replace(result, later=(*result.later, *sights))
        return replace(progress, results=(*progress.results[:-1], kept)), ()
    return _judged(progress, replace(result, seen=(*result.seen, *sights)), time)


def _judged(progress: Progress, result: Result, time: int) -> tuple[Progress, tuple[Order, ...]]:
    """Judge what was seen so far; before the action is done nothing is judged, since the limits count from there."""
    under_way = replace(progress, results=(*progress.results[:-1], result))
    if result.acted is None:
        return under_way, ()
    assert result.began is not None
    step = progress.script.steps[len(progress.results) - 1]
    before = tuple(sight for earlier in progress.results[:-1] for sight in (*earlier.seen, *earlier.later))
    view = View(before, result.seen, result.began, result.acted, time, progress.script.options.backoff)
    judgements = [judge(expectation, view) for expectation in step.expected]
    wrong = [each for each in judgements if each.verdict is Verdict.UNMET]
    waiting = [each for each in judgements if each.verdict is Verdict.WAITING]
    if wrong:
        return _end(progress, replace(result, standing=Standing.UNMET, said=_sentence(wrong)), time)
    if not waiting:
        return _end(progress, replace(result, standing=Standing.MET, said=_sentence(judgements)), time)
    under_way = replace(progress, results=(*progress.results[:-1], replace(result, said=_sentence(waiting))))
    due = min((each.due for each in waiting if each.due is not None), default=None)
    return under_way, () if due is None else (LookAgain(due),)


def _end(progress: Progress, result: Result, time: int) -> tuple[Progress, tuple[Order, ...]]:
    ended = replace(progress, results=(*progress.results[:-1], replace(result, ended=time)))
    if not progress.playing:
        return ended, ()
    if result.standing is Standing.MET:
        return _begin(ended, time, playing=True)
    return replace(ended, playing=False), ()


def _sentence(judgements: Iterable[Judgement]) -> str:
    return "; ".join(judgement.said for judgement in judgements)
