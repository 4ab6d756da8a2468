import pytest

from tinypool_nb.core.codes import Code
from tinypool_nb.core.disconnections import NEAR, Disconnections, disconnect_error
from tinypool_nb.core.events import Call, ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import Ledger
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State

CLOSED = "Stream removed (Socket closed)"


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (CLOSED, "socket error"),
        ("Stream removed (ping timeout)", "connection timed out"),
        ("recvmsg:Connection reset by peer", "connection reset"),
        ("Broken pipe", "socket error"),
        ("GOAWAY received; Error code: 0; Debug Text: max_age", "GOAWAY NO_ERROR"),
        ("GOAWAY received; Error code: 2; Debug Text: x", "GOAWAY INTERNAL_ERROR"),
        ("GOAWAY received; Error code: 99", "GOAWAY UNKNOWN"),
        ("Too many pings", "GOAWAY ENHANCE_YOUR_CALM"),
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: recvmsg:Connection reset by peer", "unknown"),
        ("as the payload asked", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_words_of_core_stand_for_the_values_of_a94(reason: str, error: str) -> None:
    assert disconnect_error(reason) == error


@pytest.mark.parametrize("first", ["loss", "call"])
def test_a_call_tells_why_its_connection_was_lost_whichever_is_known_first(first: str) -> None:
    lost = Disconnections()
    if first == "call":
        lost.told(1_000, CLOSED)
    lost.lost(2_000, "")
    if first == "loss":
        lost.told(1_000, CLOSED)
    assert lost.counts(10 * NEAR) == {"socket error": 1}


def test_what_no_call_told_is_unknown_but_not_before_one_could_have() -> None:
    lost = Disconnections()
    lost.lost(1_000, "")
    assert lost.counts(1_000 + NEAR) == {}
    assert lost.counts(1_001 + NEAR) == {"unknown": 1}
    lost.told(1_000, CLOSED)
    assert lost.counts(10 * NEAR) == {"unknown": 1}, "what was counted is never taken back"


def test_a_call_long_before_or_after_tells_nothing() -> None:
    lost = Disconnections()
    lost.told(0, CLOSED)
    lost.lost(2 * NEAR, "")
    lost.told(4 * NEAR, CLOSED)
    assert lost.counts(9 * NEAR) == {"unknown": 1}


def test_of_several_calls_that_broke_at_once_the_first_counts() -> None:
    lost = Disconnections()
    lost.told(1_000, "GOAWAY received; Error code: 0")
    lost.told(1_500, CLOSED)
    lost.lost(2_000, "")
    assert lost.counts(9 * NEAR) == {"GOAWAY NO_ERROR": 1}


def test_two_losses_in_a_row_are_two() -> None:
    lost = Disconnections()
    lost.lost(1_000, "")
    lost.lost(2_000, "")
    lost.told(2_000, CLOSED)
    assert lost.counts(9 * NEAR) == {"unknown": 1, "socket error": 1}


@pytest.mark.parametrize(("code", "error"), [(Code.UNAVAILABLE, "connection reset"), (Code.NOT_FOUND, "unknown")])
def test_only_a_call_that_says_unavailable_tells_of_a_lost_connection(code: Code, error: str) -> None:
    """A module may answer with such words about something behind it, a moment before it goes away itself."""
    channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    ledger = Ledger(channel)
    ledger.fold(Transition(0, channel, State.CONNECTING, State.READY, "", Evidence.SEEN))
    ledger.fold_call(Call(channel, "a/b", 0, 1_000, code, 0, 0, "connection reset by peer"))
    ledger.fold(Transition(2_000, channel, State.READY, State.IDLE, "", Evidence.SEEN))
    assert ledger.disconnections.counts(10 * NEAR) == {error: 1}


def test_of_what_broke_the_current_connection_only_its_own_calls_tell() -> None:
    """A retired channel is closed under its last calls, whose end says nothing of the channel that took its place."""
    old, new = (ChannelIdentity(number, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", number) for number in (1, 2))
    ledger = Ledger(new)
    ledger.fold(Transition(0, new, State.CONNECTING, State.READY, "", Evidence.SEEN))
    ledger.fold_call(Call(old, "a/b", 0, 1_000, Code.UNAVAILABLE, 0, 0, CLOSED))
    ledger.fold(Transition(2_000, new, State.READY, State.IDLE, "", Evidence.SEEN))
    assert ledger.disconnections.counts(10 * NEAR) == {"unknown": 1}
