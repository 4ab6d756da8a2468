"""What can be recorded: the frozen values that go from the observer into the journal.

Every `time`, `start` and `end` is an int: nanoseconds since 1970-01-01 UTC on one clock (see `tinypool_nb.core.clock`),
so that differences are true durations even if the wall clock was set meanwhile. They are NamedTuples because a
million of them a second are made.
"""

from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.codes import Code
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.tls import THROUGH, Transport


class Evidence(StrEnum):
    """How a row of the record is known."""

    SEEN = "seen"
    """It stood in gRPC core's own trace, with core's own time stamp."""
    INFERRED = "inferred"
    """We know it from something else (a state peeked at, our own close); the time stamp is ours."""
    GAP = "gap"
    """Events were overwritten before they could be read; from `time` on, nobody knows what happened until the next row."""


NOT_RECORDED = "not recorded"
"""The reason of a gap between two recordings; every other gap is of events that were overwritten before they could be read."""


class ChannelIdentity(NamedTuple):
    """Which channel a row is about. A module gets a new channel, of the next generation, on reconnect and on a new address."""

    number: int
    """Unique in the process, counted from 1; stands in the channel's target as `#tp<pid>-<number>`."""
    key: ModuleKey
    address: str
    """As it was registered."""
    generation: int
    """1 for a module's first channel, then 2, 3, ..."""
    transport: str = "plaintext"
    """How the connection is secured, and through which proxy it goes."""

    @property
    def is_plaintext(self) -> bool:
        """Whether it is not secured at all.

        >>> ChannelIdentity(1, ModuleKey(None, "api"), "api:50051", 1, "plaintext through proxy 127.0.0.1:3128").is_plaintext
        True
        """
        return self.transport.partition(THROUGH)[0] == Transport.PLAINTEXT

    @property
    def proxy(self) -> str:
        """The proxy that it goes through, which looks names up and is its peer; "" if there is none."""
        return self.transport.partition(THROUGH)[2]


class Transition(NamedTuple):
    """One change of a channel's state.

    The first row of a channel has `previous` None: the channel was created and is IDLE. TRANSIENT_FAILURE after
    TRANSIENT_FAILURE is a further failed attempt, with its own reason. In a gap row `state` is None, and in the row
    after it `previous` is.
    """

    time: int
    channel: ChannelIdentity
    previous: State | None
    state: State | None
    reason: str
    """Why, in gRPC core's own words, where it failed; else ""."""
    evidence: Evidence


class Outcome(StrEnum):
    """How a connection attempt ended."""

    READY = "ready"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """Its channel or subchannel went away first."""
    UNKNOWN = "unknown"
    """Only in a gap row: attempts between `start` and `end` were overwritten before they could be read, nobody knows how many."""


class Attempt(NamedTuple):
    """One attempt to connect to one address, from its subchannel's trace."""

    channel: ChannelIdentity
    subchannel: int
    """gRPC core's channelz id of the subchannel; 0 if the attempt ended before there was one (the name did not resolve)."""
    peer: str
    """The resolved address, for example `ipv4:127.0.0.1:50051`; "" if the name did not resolve."""
    start: int | None
    """None if the start was overwritten before it could be read, or never stood in a trace."""
    end: int
    outcome: Outcome
    reason: str
    evidence: Evidence


class Call(NamedTuple):
    """One call that has ended. What was said in it is not kept, only how long it was."""

    channel: ChannelIdentity
    """The channel on which it began."""
    method: str
    """Package, service and method, as gRFC A66 writes it: `module.ModuleService/Message`."""
    start: int
    end: int
    """When its status was known here: of a stream, after its last message was read."""
    code: Code
    sent: int
    """Bytes of its requests, before compression."""
    received: int
    """Bytes of its responses, after decompression."""
    reason: str
    """Why it failed, in the words of who ended it; "" if it did not."""


class MarkKind(StrEnum):
    """Who or what made a mark."""

    NOTE = "note"
    """A person, by `pool.mark(text)`."""
    ACTION = "action"
    """A verb of the pool or of the lab: register, unregister, reconnect, kill, freeze, ..."""
    DISCOVERY = "discovery"
    """A discovery: a module was added, moved, removed or quarantined, the API server was lost or is back."""
    RECORD = "record"
    """The record itself: a consumer was dropped, old rows went."""


class Mark(NamedTuple):
    """A labelled moment, shown on every timeline."""

    time: int
    kind: MarkKind
    text: str
    """For an action, its verb first: "register", "kill", "address changed to ..."."""
    key: ModuleKey | None
    """The module it is about; None if it is about all."""


class Subject(StrEnum):
    """What an observation is of."""

    RESOLVED = "resolved"
    """The addresses that the module's channel has: one in gRPC's form each, joined by ", "."""
    DNS = "dns"
    """The addresses that the system's resolver says now, in the same form."""
    DNS_FAILED = "dns failed"
    """Why it said none."""
    CALLS = "calls"
    """A resolved address of the module's channel; the value is how many calls were started on it."""
    KEEPALIVES = "keepalives"
    """The peer of a socket; the value is how many keepalive pings were sent on it."""
    TLS = "tls"
    """What the address said to a TLS hello: the version that it speaks, or "" if it spoke none."""
    ENVIRONMENT = "environment"
    """The names, never the values, of variables that would send other clients through a proxy, joined by ", "."""
    DISCOVERY = "discovery"
    """The state of the module's discovery, and why, as `state: reason`."""
    HELD = "held"
    """The module is held: the value is 1."""
    TCP = "tcp"
    """The peer that a connection is being made to, if it accepted a second one at once; the value is how many milliseconds that took."""


class Observation(NamedTuple):
    """Something looked at because a person asked for an explanation. What was looked at together has the same time."""

    time: int
    key: ModuleKey
    subject: Subject
    text: str
    """What was seen."""
    value: int = 0
    """How many, where the subject counts."""


Event = Transition | Attempt | Mark | Call | Observation
