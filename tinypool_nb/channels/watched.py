"""One channel under observation: reading its traces so that nothing is lost or told twice."""

from collections.abc import Callable
from itertools import count

import grpc

from tinypool_nb.channels.channelz import Channelz, Node, directory, peek_of
from tinypool_nb.channels.opening import tag
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.core.events import Attempt, ChannelIdentity, Transition
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.phases import Story
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import ChannelHistory, Trace
from tinypool_nb.errors import HeldError

numbers = count(1)
"""Numbers the channels of this process."""

ARRIVED = 1.0
"""Seconds from a channel's arrival to its first audit."""
HOT = 0.1
"""The same for `HOT_FOR` seconds after an audit found something: where one flap was, the next is near."""
HOT_FOR = 5.0
RING_ATTEMPTS = 26
"""Failed attempts of four events that a subchannel's ring certainly holds: at least 106 events in 27136 bytes, as measured."""

Row = Transition | Attempt


class Watched:
    """A channel, what has been read of it so far, and when it is to be read next.

    Only who holds the observer's lock calls its methods.
    """

    __slots__ = (
        "_history",
        "_node",
        "_subchannels",
        "_trace",
        "ask_at",
        "audit_at",
        "channel",
        "close_by",
        "closed_at",
        "due_since",
        "face",
        "held",
        "hot_until",
        "identity",
        "is_drained",
        "left_at",
        "options",
        "peek",
        "peers",
        "seen",
        "shown",
        "story",
    )

    def __init__(
        self, identity: ChannelIdentity, channel: grpc.Channel, face: PooledChannel, options: PoolOptions, *, born: int, held: bool = False
    ) -> None:
        """`born`: when the channel was made, nanoseconds on the record's clock; `held`: it attempts only what it is asked for."""
        self.identity = identity
        self.shown = str(identity.key)
        self.channel = channel
        self.face = face
        """Through which its calls come; it may point to a later channel by now."""
        self.options = options
        self.held = held
        self.story = Story() if held else None
        """The events of a held channel's traces, of which its attempt is told."""
        self.peek: Callable[[bool], int] = peek_of(channel)
        self.seen = State.IDLE.code
        """The state at the last peek, as core's number."""
        self.peers: tuple[str, ...] = ()
        """The addresses that its name was resolved to, as far as they were tried last, in gRPC's form."""
        self.is_drained = False
        """Whether no call was under way at the last read."""
        # Monotonic seconds:
        self.audit_at = 0.0
        self.hot_until = 0.0
        self.due_since: float | None = None
        """Since when its trace has ended in another state than the one seen."""
        self.left_at = self.ask_at = 0.0
        """When it was retired, and when to ask next whether its calls have ended."""
        self.close_by: float | None = None
        """When a retired channel closes at the latest; None while it is in use."""
        self.closed_at: float | None = None
        self._node: int | None = None
        self._history = ChannelHistory(identity)
        self._trace = Trace(read_at=born)
        self._subchannels: dict[int, tuple[Trace, str]] = {}

    @property
    def state(self) -> State | None:
        """The state in which the record of this channel ends; None if that is not known."""
        return self._history.state

    @property
    def last_reason(self) -> str:
        """Why the channel last failed; "" if it has not."""
        return self._history.last_reason

    def look(self, *, connect: bool = False) -> State:
        """The state of the channel now; `connect` also asks an idle one to connect, unless it is held."""
        try:
            return State.from_code(self.peek(connect and not self.held))
        except ValueError:  # how grpcio says that it was closed
            return State.SHUTDOWN

    def gate(self) -> Callable[[], None] | None:
        """What lets calls into a held channel only while it is READY: one that is IDLE would connect. None if it is not held."""
        if not self.held:
            return None
        peek, history, shown = self.peek, self._history, self.shown  # not self, which holds the face that holds this

        def let_through() -> None:
            state = State.from_code(peek(False))
            if state is not State.READY:
                raise HeldError(shown, state, history.last_reason)

        return let_through

    def audit_in(self, now: float, at_rest: float, unsettled: float) -> float:
        """Seconds until its trace is to be read though nothing seems to have changed.

        `at_rest` if it looks quiet, `unsettled` while it is CONNECTING or in TRANSIENT_FAILURE, where attempts come and go unseen.
        A subchannel that fails again and again overwrites its trace, so it is read well before its ring is full.
        """
        if now < self.hot_until:
            return HOT
        before_full = self.options.backoff.initial * RING_ATTEMPTS / 2
        if self.state not in {State.READY, State.IDLE}:
            return min(unsettled, before_full)
        # One of several subchannels may fail on while the channel is READY by another.
        return min(at_rest, before_full) if len(self._subchannels) > 1 else at_rest

    def begin(self) -> Row:
        """The first row of its record."""
        return self._history.born(self._trace.read_at)

    def read(self, channelz: Channelz, now: int, rows: list[Row]) -> None:
        """Add to `rows` what is new in its traces: the channel's own, then its subchannels', those known before once more.

        `now`: nanoseconds on the record's clock, taken before the call.
        """
        number = self.find()
        node = None if number is None else channelz.channel(number)
        if node is None:
            self.is_drained = True
            rows += self.infer(now) if self.closed_at is None else self.infer(now, State.SHUTDOWN, "closed by the pool")
            return
        self.is_drained = node.calls_started == node.calls_ended
        fresh, lost = self._trace.fresh(node.events)
        before, self._trace.read_at = self._trace.read_at, now
        if lost:
            rows.append(self._history.gap(before))
        rows += self._history.of_channel(fresh)
        if self.story is not None:
            self.story.channel += fresh
        if self.state is None:
            rows += self.infer(now)
        at_rest = not fresh and self.state is State.READY and len(node.subchannels) == 1 and node.subchannels[0] in self._subchannels
        if at_rest:
            return
        if [row.state for row in rows if isinstance(row, Transition)] == [State.IDLE]:
            # The connection was lost and nobody has asked for another: its subchannel, which is gone, made no attempt meanwhile.
            self._forget_idle_subchannels(node)
        for number in dict.fromkeys((*self._subchannels, *node.subchannels)):
            if number not in self._subchannels:
                self._subchannels[number] = Trace(read_at=before), ""
            rows += self._read_subchannel(channelz, number, node, now)
        self.peers = tuple(peer for _, peer in self._subchannels.values() if peer) or self.peers

    def _forget_idle_subchannels(self, parent: Node) -> None:
        for number in list(self._subchannels):
            if number not in parent.subchannels and not self._history.is_trying(number):
                del self._subchannels[number]

    def find(self) -> int | None:
        """The channel's channelz id; None if core has not listed it."""
        if self._node is None:
            self._node = directory.claim(tag(self.identity.number))
        return self._node

    def _read_subchannel(self, channelz: Channelz, number: int, parent: Node, now: int) -> list[Attempt]:
        trace, peer = self._subchannels[number]
        node = channelz.subchannel(number)
        rows: list[Attempt] = []
        if node is not None:
            peer = node.target
            fresh, lost = trace.fresh(node.events)
            if lost:
                rows.append(self._history.subchannel_gap(number, peer, trace.read_at, fresh[0].time if fresh else now))
            trace.read_at = now
            self._subchannels[number] = trace, peer
            rows += self._history.of_subchannel(number, peer, fresh)
            if self.story is not None:
                self.story.tell(number, peer, fresh)
        if node is None or number not in parent.subchannels:
            self._subchannels.pop(number, None)
            rows += self._history.abandoned(number, peer, now)
        return rows

    def infer(self, now: int, state: State | None = None, reason: str = "") -> list[Row]:
        """A row of our own knowledge, where no trace tells: the channel is in `state` (else in the one seen last)."""
        state = State.from_code(self.seen) if state is None else state
        return [] if state is self.state else [self._history.inferred(now, state, reason)]
