"""One attempt to connect, told by its phases: resolving the name, connecting, shaking hands, ready or failed.

The stamps are gRPC core's own, from the traces of the channel and its subchannels. Core writes "Handshake connection" when the
connection to an address was made or refused; the reason of the failure tells which. Of several addresses, those refused before another
was READY leave no trace: core lets go of their subchannels at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.backoff import Window, deadline, window
from tinypool_nb.core.events import ChannelIdentity, Outcome
from tinypool_nb.core.forecast import RESOLVER
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import CHANNEL_STATE, RESOLUTION, SUBCHANNEL_STATE, TraceEvent, clean

SECOND = 1_000_000_000
HANDSHAKE = "Handshake connection"
NOT_CONNECTED = "Failed to connect to remote host"
"""What stands in the reason of an attempt whose connection was refused, or came to nobody."""


class PhaseName(StrEnum):
    """What an attempt is doing."""

    RESOLVING = "resolving"
    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    READY = "ready"
    FAILED = "failed"
    GIVEN_UP = "given up"


class Phase(NamedTuple):
    """A stretch of an attempt. Times are nanoseconds since 1970-01-01 UTC."""

    name: PhaseName
    start: int
    end: int | None
    """None if it had not ended when the attempt was given up; of ready, failed and given up the same as `start`."""
    peer: str = ""
    """The resolved address; "" while the name is resolved."""
    reason: str = ""
    """Why it failed."""


@dataclass(slots=True)
class Story:
    """The events of one channel and its subchannels as they were read."""

    channel: list[TraceEvent] = field(default_factory=list)
    subchannels: dict[int, tuple[str, list[TraceEvent]]] = field(default_factory=dict)
    """By channelz id: the peer's address, and what happened to it."""

    def tell(self, number: int, peer: str, events: Iterable[TraceEvent]) -> None:
        """Add what a subchannel's trace says."""
        self.subchannels.setdefault(number, (peer, []))[1].extend(events)

    def phases(self) -> tuple[Phase, ...]:
        """The phases in the order of their starts, up to the first time that the channel was READY."""
        began = next((time for time, text in self.channel if text.startswith(f"{CHANNEL_STATE}{State.CONNECTING}")), None)
        if began is None:
            return ()
        resolved = next(((time, text) for time, text in self.channel if text.startswith(RESOLUTION)), None)
        phases = [Phase(PhaseName.RESOLVING, began, None if resolved is None else resolved[0])]
        if resolved is not None and not self.subchannels:
            phases.append(Phase(PhaseName.FAILED, resolved[0], resolved[0], reason=clean(resolved[1][len(RESOLUTION) :])))
        for _, (peer, events) in sorted(self.subchannels.items()):
            phases += _of_peer(peer, events)
        return tuple(sorted(phases, key=lambda phase: phase.start))


def _of_peer(peer: str, events: Iterable[TraceEvent]) -> list[Phase]:
    """The phases of the first attempt to connect to one address."""
    phases: list[Phase] = []
    for time, text in events:
        if text == HANDSHAKE and phases:
            phases[-1] = phases[-1]._replace(end=time)
            phases.append(Phase(PhaseName.HANDSHAKE, time, None, peer))
        if not text.startswith(SUBCHANNEL_STATE):
            continue
        state, _, reason = text[len(SUBCHANNEL_STATE) :].partition(": ")
        if state == State.CONNECTING and not phases:
            phases.append(Phase(PhaseName.CONNECTING, time, None, peer))
        elif state in {State.READY, State.TRANSIENT_FAILURE} and phases:
            if NOT_CONNECTED in reason and phases[-1].name is PhaseName.HANDSHAKE:
                phases.pop()  # there was no connection over which hands could be shaken
            phases[-1] = phases[-1]._replace(end=time)
            name = PhaseName.READY if state == State.READY else PhaseName.FAILED
            phases.append(Phase(name, time, time, peer, clean(reason)))
            break
    return phases


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """What became of one attempt of a held module. Times are nanoseconds since 1970-01-01 UTC."""

    channel: ChannelIdentity
    attempt: int
    """Its number since the hold began, or since the last one that succeeded; from 1."""
    began: int
    ended: int
    outcome: Outcome
    """READY, FAILED, or ABANDONED: it was given up, or its channel was taken away."""
    reason: str
    """Why, if it did not succeed."""
    phases: tuple[Phase, ...]
    next: Window | None
    """When the specification would have let the next attempt start; None after success."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began) / SECOND

    @property
    def peers(self) -> tuple[str, ...]:
        """The addresses that were attempted, in order."""
        return tuple(dict.fromkeys(phase.peer for phase in self.phases if phase.peer))

    def __repr__(self) -> str:
        reason = f": {one_line(self.reason)}" if self.reason else ""
        return f"<Attempt {self.attempt} of {one_line(self.channel.key)}: {self.outcome} after {self.seconds:.3f} s{reason}>"

    def __str__(self) -> str:
        whose = f"{one_line(self.channel.key)} at {self.channel.address}"
        lines = [f"attempt {self.attempt} of {whose}: {self.outcome} after {self.seconds:.3f} s"]
        for phase in self.phases:
            took = "" if phase.end is None or phase.end == phase.start else f", for {(phase.end - phase.start) / SECOND:.3f} s"
            where = f" {phase.peer}" if phase.peer else ""
            why = f": {one_line(phase.reason)}" if phase.reason else ""
            lines.append(f"  {(phase.start - self.began) / SECOND:+.3f} s  {phase.name}{where}{took}{why}")
        if self.next is not None:
            wait = " to ".join(f"{(at - self.began) / SECOND:.2f}" for at in self.next)
            lines.append(f"  by itself gRPC would have made the next attempt {wait} s after the start of this one")
        return "\n".join(lines)


def report(
    channel: ChannelIdentity,
    story: Story,
    backoff: Backoff,
    *,
    attempt: int,
    asked: int,
    ended: int | None = None,
    why: str = "",
) -> AttemptReport:
    """Tell an attempt from its channel's events.

    Args:
        channel: which one made it.
        story: what was read of its traces.
        backoff: the module's own settings, by which the next attempt would have come.
        attempt: its number.
        asked: when it was asked for, nanoseconds since 1970-01-01 UTC.
        ended: when it was given up, if it was.
        why: why it was given up.

    >>> from tinypool_nb.core.keys import ModuleKey
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> report(channel, Story(), Backoff(), attempt=1, asked=0, ended=2_000_000_000, why="it had no end")
    <Attempt 1 of http-module-v1: abandoned after 2.000 s: it had no end>
    """
    phases = story.phases()
    began = phases[0].start if phases else asked
    ready = [phase for phase in phases if phase.name is PhaseName.READY]
    failed = [phase for phase in phases if phase.name is PhaseName.FAILED]
    if ready:
        return AttemptReport(channel, attempt, began, ready[0].start, Outcome.READY, "", phases, None)
    if ended is None and failed:
        last = max(failed, key=lambda phase: phase.start)
        own = backoff if story.subchannels else RESOLVER
        following = window(attempt, _dialled(phases, began), own, end=last.start)
        return AttemptReport(channel, attempt, began, last.start, Outcome.FAILED, last.reason, phases, following)
    end = began if ended is None else ended
    given_up = Phase(PhaseName.GIVEN_UP, end, end, reason=why)
    following = deadline(attempt, _dialled(phases, began), backoff)  # when gRPC would have given it up by itself, and tried again
    return AttemptReport(channel, attempt, began, end, Outcome.ABANDONED, why, (*phases, given_up), following)


def _dialled(phases: Iterable[Phase], began: int) -> int:
    """When the first address was dialled: its backoff counts from there."""
    return next((phase.start for phase in phases if phase.name is PhaseName.CONNECTING), began)
