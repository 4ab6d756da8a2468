"""What counts as time to recover: from a disconnection to the next READY, unless somebody ended the connection in between."""

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import DISCONNECTIONS, RECOVERIES, TIME_TO_RECOVER, Ledger
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State

FIRST, SECOND = (ChannelIdentity(number, ModuleKey(None, "http-module-v1"), "127.0.0.1:1", number) for number in (1, 2))


def told(*story: tuple[int, ChannelIdentity, State | None, State]) -> tuple[int, int, int]:
    """Disconnections, recoveries and time to recover of (time, channel, previous, state)."""
    ledger = Ledger(FIRST)
    for time, channel, previous, state in story:
        ledger.fold(Transition(time, channel, previous, state, "", Evidence.SEEN))
    return ledger.numbers[DISCONNECTIONS], ledger.numbers[RECOVERIES], ledger.numbers[TIME_TO_RECOVER]


LOST = ((0, FIRST, None, State.READY), (10, FIRST, State.READY, State.IDLE))


def test_a_reconnection_recovers_what_was_lost_on_the_channel_before() -> None:
    story = (*LOST, (12, SECOND, None, State.IDLE), (13, FIRST, State.IDLE, State.SHUTDOWN), (15, SECOND, State.IDLE, State.READY))
    assert told(*story) == (1, 1, 5)


def test_the_time_between_unregister_and_register_is_no_time_to_recover() -> None:
    story = (*LOST, (13, FIRST, State.IDLE, State.SHUTDOWN), (1_000, SECOND, None, State.IDLE), (1_001, SECOND, State.IDLE, State.READY))
    assert told(*story) == (1, 0, 0)
