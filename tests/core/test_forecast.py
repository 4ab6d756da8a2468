"""What a channel is doing, and when gRPC's next attempt can come, from what was recorded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.backoff import Window, rung
from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome
from tinypool_nb.core.forecast import Doing, forecast, numbered
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.states import State

SECOND = 1_000_000_000
CHANNEL = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
BACKOFF = Backoff(initial=2.0, maximum=10.0, min_connect_timeout=5.0)


def attempt(start: float | None, outcome: Outcome = Outcome.FAILED, *, lasts: float = 0.0, subchannel: int = 3) -> Attempt:
    begin = None if start is None else round(start * SECOND)
    return Attempt(
        CHANNEL, subchannel, f"peer {subchannel}", begin, round(((start or 0) + lasts) * SECOND), outcome, "refused", Evidence.SEEN
    )


@pytest.mark.parametrize(
    ("state", "held", "doing"),
    [
        (State.IDLE, False, Doing.ASLEEP),
        (State.READY, False, Doing.CONNECTED),
        (State.READY, True, Doing.CONNECTED),
        (State.SHUTDOWN, False, Doing.CLOSED),
        (None, False, Doing.UNKNOWN),
        (State.CONNECTING, False, Doing.TRYING),
        (State.CONNECTING, True, Doing.TRYING),
        (State.TRANSIENT_FAILURE, False, Doing.WAITING),
        (State.TRANSIENT_FAILURE, True, Doing.HELD),
        (State.IDLE, True, Doing.HELD),
    ],
)
def test_what_is_going_on_follows_from_the_state(state: State | None, held: bool, doing: Doing) -> None:
    assert forecast(state, 0, [attempt(0)] if state is State.TRANSIENT_FAILURE else [], BACKOFF, SECOND, held=held).doing is doing


def test_the_next_attempt_comes_in_the_window_of_the_last_one_s_number() -> None:
    said = forecast(State.TRANSIENT_FAILURE, 0, [attempt(0), attempt(2.1)], BACKOFF, 3 * SECOND)
    assert (said.attempt, said.peer, said.reason) == (2, "peer 3", "refused")
    wait = rung(2, BACKOFF)
    assert said.next == Window(round((2.1 + wait.shortest) * SECOND), round((2.1 + wait.longest) * SECOND))


def test_after_its_window_the_next_attempt_must_be_under_way() -> None:
    said = forecast(State.TRANSIENT_FAILURE, 0, [attempt(0)], BACKOFF, 4 * SECOND)
    assert (said.doing, said.attempt, said.since) == (Doing.TRYING, 2, round(2.4 * SECOND))
    assert said.next is not None
    assert said.next.latest == round((2.4 + 5) * SECOND)


def test_an_attempt_under_way_is_given_up_at_its_deadline() -> None:
    said = forecast(State.CONNECTING, 7 * SECOND, [], BACKOFF, 8 * SECOND)
    assert (said.attempt, said.next) == (1, Window(12 * SECOND, 12 * SECOND))


def test_of_several_addresses_the_one_that_is_due_first_is_told() -> None:
    said = forecast(State.TRANSIENT_FAILURE, 0, [attempt(0), attempt(2), attempt(2.5, subchannel=4)], BACKOFF, 3 * SECOND)
    assert (said.peer, said.attempt) == ("peer 4", 1)


def test_a_name_that_does_not_resolve_is_asked_for_again_on_the_resolver_s_own_ladder() -> None:
    said = forecast(State.TRANSIENT_FAILURE, 0, [attempt(None, subchannel=0)], Backoff(initial=60.0), 0)
    assert said.next == Window(round(0.8 * SECOND), round(1.2 * SECOND))


def test_success_ends_a_run() -> None:
    assert [each.number for each in numbered([attempt(0), attempt(2), attempt(5, Outcome.READY), attempt(9)])] == [1, 2, 3, 1]


@given(
    st.sampled_from([None, *State]),
    st.lists(st.builds(attempt, st.floats(0, 50), st.sampled_from(list(Outcome)), lasts=st.floats(0, 9), subchannel=st.integers(0, 3))),
    st.integers(0, 100),
    st.booleans(),
)
def test_whatever_was_recorded_there_is_an_answer(state: State | None, attempts: list[Attempt], now: int, held: bool) -> None:
    said = forecast(state, 0, attempts, BACKOFF, now * SECOND, held=held)
    if said.next is not None:
        assert said.next.earliest <= said.next.latest
    if said.doing is Doing.WAITING and said.next is not None:
        assert said.next.latest >= now * SECOND
