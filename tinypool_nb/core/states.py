"""The five connectivity states of a gRPC channel, which may follow which, and which is worse.

Source: grpc/grpc `doc/connectivity-semantics-and-api.md`, gRFC A62, and the observations in `TRANSITIONS`.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """A channel's connectivity state. The order of definition is gRPC core's own numbering, used in columns.

    >>> State("READY") is State.READY
    True
    >>> State.READY.code, State.from_code(2)
    (2, <State.READY: 'READY'>)
    """

    IDLE = "IDLE"
    CONNECTING = "CONNECTING"
    READY = "READY"
    TRANSIENT_FAILURE = "TRANSIENT_FAILURE"
    SHUTDOWN = "SHUTDOWN"

    @property
    def code(self) -> int:
        """gRPC core's number of the state, 0 to 4."""
        return CODES[self]

    @classmethod
    def from_code(cls, code: int) -> "State":
        """The state of core's number `code`."""
        return STATES[code]

    @property
    def meaning(self) -> str:
        """One plain sentence, for legends, hovers and people who are new."""
        return MEANINGS[self]


STATES: tuple[State, ...] = tuple(State)
CODES: Mapping[State, int] = MappingProxyType({state: code for code, state in enumerate(STATES)})
UNKNOWN = -1
"""The code of a state that nobody saw (inside a gap); a missing value in frames."""

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        # "IDLE -> CONNECTING: any new RPC activity on the channel."
        State.IDLE: frozenset({State.CONNECTING, State.SHUTDOWN}),
        # "CONNECTING -> READY: all steps needed to establish a connection succeeded." IDLE: all addresses were tried (pick_first).
        State.CONNECTING: frozenset({State.READY, State.TRANSIENT_FAILURE, State.IDLE, State.SHUTDOWN}),
        # "READY -> TRANSIENT_FAILURE: any failure"; IDLE when pick_first loses its connection; CONNECTING is what round_robin shows.
        State.READY: frozenset({State.IDLE, State.TRANSIENT_FAILURE, State.CONNECTING, State.SHUTDOWN}),
        # "TRANSIENT_FAILURE -> CONNECTING: wait time to implement (exponential) backoff is over." READY directly: gRFC A62.
        # To itself: one more attempt failed, which gRPC core reports with a new reason. IDLE: the resolver gave up its addresses.
        State.TRANSIENT_FAILURE: frozenset({State.CONNECTING, State.READY, State.TRANSIENT_FAILURE, State.IDLE, State.SHUTDOWN}),
        # "Channels that enter this state never leave this state."
        State.SHUTDOWN: frozenset(),
    }
)
"""The literal table: from each state, the states that may follow. Diagrams, colours and tests derive from it."""

MEANINGS: Mapping[State, str] = MappingProxyType(
    {
        State.IDLE: "not connected and not trying: nobody has asked yet, or the connection ended without harm",
        State.CONNECTING: "an attempt is under way: name, connection, handshake",
        State.READY: "connected: calls go through",
        State.TRANSIENT_FAILURE: "the last attempt failed: waiting out a backoff before the next one",
        State.SHUTDOWN: "closed for good",
    }
)

WORST_FIRST: tuple[State, ...] = (State.TRANSIENT_FAILURE, State.SHUTDOWN, State.CONNECTING, State.IDLE, State.READY)
"""Who wins where several states share a pixel or a line: what a person must not overlook comes first."""


def is_legal(previous: State, state: State) -> bool:
    """Whether the table lets `state` follow `previous`.

    >>> is_legal(State.READY, State.IDLE), is_legal(State.SHUTDOWN, State.READY)
    (True, False)
    """
    return state in TRANSITIONS[previous]


def worst(states: Iterable[State]) -> State:
    """The state that a person must not overlook among `states` (at least one).

    >>> worst([State.READY, State.CONNECTING])
    <State.CONNECTING: 'CONNECTING'>
    """
    return min(states, key=WORST_FIRST.index)


def aggregate(states: Iterable[State]) -> State:
    """The state of a round_robin channel over its subchannels: READY if any is, else CONNECTING, IDLE, TRANSIENT_FAILURE (gRFC A62).

    >>> aggregate([State.TRANSIENT_FAILURE, State.READY])
    <State.READY: 'READY'>
    >>> aggregate([])
    <State.TRANSIENT_FAILURE: 'TRANSIENT_FAILURE'>
    """
    present = set(states)
    for state in (State.READY, State.CONNECTING, State.IDLE):
        if state in present:
            return state
    return State.TRANSIENT_FAILURE
