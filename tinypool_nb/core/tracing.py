"""gRPC core's channelz traces, made into transitions and attempts: time stamps, alignment of two reads, gaps.

A trace is a ring of events, bounded in bytes. Two reads of one trace overlap; what is new is what stands behind the
overlap, and where there is none something was overwritten. Nothing here reads a trace: events come in as data.
Source: gRFC A14 (channelz); the observations in `tests/channels/test_canary_options.py`.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.states import State

MILLISECOND = 1_000_000
PHASE_TOLERANCE = 50_000
"""Nanoseconds by which a stamp may lie beside core's whole milliseconds and still count as rightly read."""

CHANNEL_STATE = "Channel state change to "
SUBCHANNEL_STATE = "Subchannel connectivity state changed to "
RESOLUTION = "Resolution event: "
CREATED = "reated"
"""How the first event of a trace ends that has never wrapped: "Channel created", "subchannel created"."""
SOURCE_TAIL = "\n=== Source Location Trace"
"""Where a subchannel's reason goes over into file names of gRPC core, which help nobody."""


class TraceEvent(NamedTuple):
    """One event of a trace."""

    time: int
    """Nanoseconds since 1970 UTC, on the record's clock."""
    text: str


class TraceClock:
    """Turns the stamps of a trace into times on the record's clock, and tells when one was read wrong.

    gRPC core counts whole milliseconds on the monotonic clock and adds "wall clock minus monotonic clock" anew each
    time a trace is *read*. So a stamp wobbles, moves when the wall clock is set, and, if the thread was interrupted in
    between, is wrong. Less the same difference as we see it (`offset`), all stamps of a process are whole milliseconds
    plus one constant, the phase: that is taken out, and serves as the checksum.

    >>> clock = TraceClock(epoch=0)
    >>> clock.read([{"timestamp": "1970-01-01T00:00:05.001000300Z", "description": "Channel created"}], offset=0)
    ([TraceEvent(time=5001000300, text='Channel created')], True)
    """

    def __init__(self, epoch: int) -> None:
        """`epoch`: the record's clock, wall minus monotonic, nanoseconds."""
        self._epoch = epoch
        self._phase: int | None = None

    def read(self, events: Sequence[Mapping[str, str]], offset: int, *, last_try: bool = False) -> tuple[list[TraceEvent], bool]:
        """The events with their times, and whether every stamp lay on the phase; if not, read the trace again.

        Args:
            events: the trace's events as JSON has them ("timestamp", "description").
            offset: wall clock minus monotonic clock, nanoseconds, at this read.
            last_try: take the stamps as they are; if all lie beside the phase by the same amount, it is the phase that
                has moved (a machine that slept), and it is learnt anew.
        """
        times, right = self.times([event["timestamp"] for event in events], offset, last_try=last_try)
        return [TraceEvent(time, event["description"]) for time, event in zip(times, events, strict=True)], right

    def times(self, stamps: Sequence[str], offset: int, *, last_try: bool = False) -> tuple[list[int], bool]:
        """As `read`, of stamps that are no events: core counts the times of its sockets in the same way.

        >>> TraceClock(epoch=0).times(["1970-01-01T00:00:05.001000300Z"], offset=0)
        ([5001000300], True)
        """
        moments = [nanoseconds(stamp) - offset for stamp in stamps]
        if self._phase is None and moments:
            self._phase = moments[-1] % MILLISECOND
        phase = self._phase or 0
        beside = [(moment - phase + MILLISECOND // 2) % MILLISECOND - MILLISECOND // 2 for moment in moments]
        right = all(-PHASE_TOLERANCE < off < PHASE_TOLERANCE for off in beside)
        if not right and last_try and max(beside) - min(beside) < PHASE_TOLERANCE:
            self._phase = phase = (phase + beside[-1]) % MILLISECOND
            beside = [off - beside[-1] for off in beside]
        return [self._epoch + moment - off for moment, off in zip(moments, beside, strict=True)], right


class Trace:
    """What has been read of one node's trace, so that the next read yields only what is new.

    Of each event it keeps a fingerprint of 8 bytes: enough to find the overlap of two reads.
    """

    __slots__ = ("_known", "_wrapped", "read_at")

    def __init__(self, read_at: int = 0) -> None:
        self._known = array("q")
        self._wrapped = False
        self.read_at = read_at
        """When the trace was last read, or if it never was, when it was not yet there, nanoseconds. A gap starts there."""

    def fresh(self, events: Sequence[TraceEvent]) -> tuple[Sequence[TraceEvent], bool]:
        """The events that are new since the last call, and whether others before them were overwritten unread."""
        known = self._known
        if not self._wrapped and events and events[0].text.endswith(CREATED):
            # Never wrapped: what is new is a plain suffix, however alike the events are.
            new = events[len(known) :]
            known.extend(hash(event) for event in new)
            return new, False
        prints = array("q", map(hash, events))
        overlap = _overlap(known, prints)
        # An empty trace that once had events is one that a cap of a power of two emptied for good: say so once.
        lost = overlap == 0 and (len(known) > 0 or (len(events) > 0 and not self._wrapped))
        self._known, self._wrapped = prints, True
        return events[overlap:], lost


def _overlap(known: "array[int]", prints: "array[int]") -> int:
    """How many of the first of `prints` are the last of `known`, at the most."""
    if not prints:
        return 0
    start = max(0, len(known) - len(prints))
    while True:
        try:
            start = known.index(prints[0], start)
        except ValueError:
            return 0
        if known[start:] == prints[: len(known) - start]:
            return len(known) - start
        start += 1


class ChannelHistory:
    """Follows one channel: its trace's events become transitions, its subchannels' events attempts."""

    __slots__ = ("_started", "channel", "last_reason", "state")

    def __init__(self, channel: ChannelIdentity) -> None:
        self.channel = channel
        self.state: State | None = None
        """The state in which the record ends so far; None before it is born and inside a gap."""
        self.last_reason = ""
        """Why it last failed."""
        self._started: dict[int, int] = {}

    def born(self, time: int) -> Transition:
        """The first row: the channel was made and is IDLE, which no trace says."""
        return self._become(time, State.IDLE, "", Evidence.INFERRED)

    def gap(self, time: int) -> Transition:
        """Events were overwritten: from `time` on the state is not known."""
        row = Transition(time, self.channel, self.state, None, "trace overwritten before it could be read", Evidence.GAP)
        self.state = None
        return row

    def inferred(self, time: int, state: State, reason: str) -> Transition:
        """The channel is in `state`, as we know from something else than its trace."""
        return self._become(time, state, reason, Evidence.INFERRED)

    def _become(self, time: int, state: State, reason: str, evidence: Evidence) -> Transition:
        row = Transition(time, self.channel, self.state, state, reason, evidence)
        self.state = state
        self.last_reason = reason or self.last_reason
        return row

    def of_channel(self, events: Iterable[TraceEvent]) -> list[Transition | Attempt]:
        """The rows that these events of the channel's own trace make.

        The same state again is no row, but TRANSIENT_FAILURE again is: one more attempt failed. A failure to resolve
        the name is an attempt without a subchannel.
        """
        rows: list[Transition | Attempt] = []
        for time, text in events:
            if text.startswith(CHANNEL_STATE):
                name, _, reason = text[len(CHANNEL_STATE) :].partition(" status: ")
                state = State(name)
                if state is not self.state or state is State.TRANSIENT_FAILURE:
                    rows.append(self._become(time, state, clean(reason), Evidence.SEEN))
            elif self._is_failed_resolution(text):
                rows.append(Attempt(self.channel, 0, "", None, time, Outcome.FAILED, self.last_reason, Evidence.SEEN))
        return rows

    def _is_failed_resolution(self, text: str) -> bool:
        """Whether the event says that the name did not resolve, which is what the channel has just failed for."""
        failing = self.state is State.TRANSIENT_FAILURE and self.last_reason != ""
        return failing and text.startswith(RESOLUTION) and clean(text[len(RESOLUTION) :]).startswith(self.last_reason)

    def of_subchannel(self, subchannel: int, peer: str, events: Iterable[TraceEvent]) -> list[Attempt]:
        """The attempts that these events of a subchannel's trace end."""
        rows: list[Attempt] = []
        for time, text in events:
            if not text.startswith(SUBCHANNEL_STATE):
                continue
            name, _, reason = text[len(SUBCHANNEL_STATE) :].partition(": ")
            if name == State.CONNECTING:
                self._started[subchannel] = time
            elif name in {State.READY, State.TRANSIENT_FAILURE}:
                outcome = Outcome.READY if name == State.READY else Outcome.FAILED
                start = self._started.pop(subchannel, None)
                rows.append(Attempt(self.channel, subchannel, peer, start, time, outcome, clean(reason), Evidence.SEEN))
        return rows

    def is_trying(self, subchannel: int) -> bool:
        """Whether an attempt of that subchannel had begun and not ended when its trace was last read."""
        return subchannel in self._started

    def subchannel_gap(self, subchannel: int, peer: str, start: int, end: int) -> Attempt:
        """Attempts of a subchannel were overwritten between the times `start` and `end`."""
        self._started.pop(subchannel, None)
        why = "trace overwritten before it could be read"
        return Attempt(self.channel, subchannel, peer, start, end, Outcome.UNKNOWN, why, Evidence.GAP)

    def abandoned(self, subchannel: int, peer: str, time: int) -> list[Attempt]:
        """The attempt, if one was under way, of a subchannel that went away."""
        start = self._started.pop(subchannel, None)
        if start is None:
            return []
        why = "its subchannel went away before its end could be read"
        return [Attempt(self.channel, subchannel, peer, start, time, Outcome.ABANDONED, why, Evidence.INFERRED)]


def clean(reason: str) -> str:
    """The reason without gRPC core's trail of source locations."""
    return reason.partition(SOURCE_TAIL)[0].rstrip()


def nanoseconds(stamp: str) -> int:
    """A stamp of channelz as nanoseconds since 1970 UTC.

    >>> nanoseconds("1970-01-01T00:00:01.5Z")
    1500000000
    """
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return _seconds(seconds) + int(fraction[:9].ljust(9, "0"))


@lru_cache(maxsize=4096)  # neighbouring events share their second
def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
