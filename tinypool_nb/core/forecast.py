"""What a module's channel is doing, and when gRPC's own next attempt can come: a prediction from what was recorded.

gRPC tells nobody when its next attempt is due. It follows from the start of the last one, by the specification's ladder
(`tinypool_nb.core.backoff`). Python's core shows TRANSIENT_FAILURE from the first failure until READY, attempts under way included
(gRFC A62); Go's client would show CONNECTING and IDLE in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.backoff import Window, deadline, window
from tinypool_nb.core.events import Attempt, Outcome
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.states import State

SECOND = 1_000_000_000

RESOLVER = Backoff(initial=1.0, maximum=120.0)
"""By which gRPC core's DNS resolver asks again, whatever the channel's options say (`src/core/resolver/dns`)."""


class Doing(StrEnum):
    """What a channel is doing, in words for people."""

    ASLEEP = "idle until somebody asks"
    TRYING = "an attempt is under way"
    WAITING = "waiting out its backoff"
    CONNECTED = "connected"
    HELD = "held: nothing happens until you ask for an attempt"
    CLOSED = "closed"
    UNKNOWN = "unknown: the record has a gap"


class Forecast(NamedTuple):
    """What is going on with one module at one moment. Times are nanoseconds since 1970-01-01 UTC."""

    doing: Doing
    state: State | None
    since: int | None
    """Since when the state has lasted, or the attempt under way; None if that is not known."""
    attempt: int
    """The number, in its failing run, of the attempt under way or of the last one that failed; 0 if there is none."""
    peer: str
    """Whom that attempt is for."""
    next: Window | None
    """Of an attempt that failed: when the next can start. Of one under way: when it is given up at the latest."""
    reason: str
    """Why the last attempt failed."""


class Numbered(NamedTuple):
    """An attempt in its failing run."""

    attempt: Attempt
    number: int
    """From 1."""
    before: Attempt | None
    """The one before it in the run."""

    @property
    def start(self) -> int:
        """When it began, or if nobody saw that, when it ended: nanoseconds since 1970-01-01 UTC."""
        return start_of(self.attempt)

    @property
    def gap(self) -> float | None:
        """Seconds from the start of the one before."""
        return None if self.before is None else (self.start - start_of(self.before)) / SECOND

    def following(self, backoff: Backoff) -> Window:
        """When the attempt after this one can start, if this one fails."""
        own = backoff if self.attempt.subchannel else RESOLVER
        return window(self.number, self.start, own, end=self.attempt.end)


def start_of(attempt: Attempt) -> int:
    """When an attempt began, or if nobody saw that, when it ended."""
    return attempt.end if attempt.start is None else attempt.start


def numbered(attempts: Iterable[Attempt]) -> list[Numbered]:
    """Each attempt with its number in its failing run.

    A run is of one subchannel, that is of one address on one connection's life; success ends it.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence
    >>> from tinypool_nb.core.keys import ModuleKey
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> two = [Attempt(channel, 3, "", start, start + 1, Outcome.FAILED, "", Evidence.SEEN) for start in (0, 1_100_000_000)]
    >>> [(each.number, each.gap) for each in numbered(two)]
    [(1, None), (2, 1.1)]
    """
    runs: dict[tuple[int, int], Numbered] = {}
    rows: list[Numbered] = []
    for attempt in attempts:
        run = (attempt.channel.number, attempt.subchannel)
        last = runs.pop(run, None)
        row = Numbered(attempt, 1, None) if last is None else Numbered(attempt, last.number + 1, last.attempt)
        rows.append(row)
        if attempt.outcome is Outcome.FAILED:
            runs[run] = row
    return rows


def forecast(
    state: State | None, since: int | None, attempts: Sequence[Attempt], backoff: Backoff, now: int, *, held: bool = False
) -> Forecast:
    """What a channel is doing, and the window in which its next attempt can start.

    Args:
        state: of the module's current channel, as recorded; None inside a gap.
        since: when it came into that state.
        attempts: all that were recorded of that channel, the oldest first.
        backoff: the channel's settings.
        now: when it is asked.
        held: whether the module is held.

    >>> forecast(State.IDLE, 0, [], Backoff(), 5).doing.value
    'idle until somebody asks'
    """
    last = _soonest(attempts, backoff)
    number, peer, reason = (0, "", "") if last is None else (last.number, last.attempt.peer, last.attempt.reason)
    if state is State.CONNECTING:
        until = None if since is None or held else deadline(number + 1, since, backoff)
        return Forecast(Doing.TRYING, state, since, number + 1, peer, until, reason)
    if held and state in {State.IDLE, State.TRANSIENT_FAILURE}:
        return Forecast(Doing.HELD, state, since, number, peer, None, reason)
    if state is not State.TRANSIENT_FAILURE:
        return Forecast(_AT_REST[state], state, since, 0, "", None, reason)
    if last is None:
        return Forecast(Doing.WAITING, state, since, 0, "", None, reason)
    following = last.following(backoff)
    if now <= following.latest:
        return Forecast(Doing.WAITING, state, last.attempt.end, number, peer, following, reason)
    # Only its end will be recorded, but it must have begun.
    return Forecast(Doing.TRYING, state, following.latest, number + 1, peer, deadline(number + 1, following.latest, backoff), reason)


_AT_REST: Mapping[State | None, Doing] = {
    None: Doing.UNKNOWN,
    State.IDLE: Doing.ASLEEP,
    State.READY: Doing.CONNECTED,
    State.SHUTDOWN: Doing.CLOSED,
}


def _soonest(attempts: Sequence[Attempt], backoff: Backoff) -> Numbered | None:
    """The failed attempt whose successor comes first: each address has a ladder of its own."""
    last = {each.attempt.subchannel: each for each in numbered(attempts)}
    failed = [each for each in last.values() if each.attempt.outcome is Outcome.FAILED]
    resolved = [each for each in failed if each.attempt.subchannel] or failed
    return min(resolved, key=lambda each: each.following(backoff).latest, default=None)
