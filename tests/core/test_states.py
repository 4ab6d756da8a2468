"""The table of states: complete, final where it must be, and in gRPC core's own numbering."""

from itertools import product

import grpc
import pytest

from tinypool_nb.core.states import MEANINGS, STATES, TRANSITIONS, WORST_FIRST, State, aggregate, is_legal, worst


def test_names_are_those_of_grpc() -> None:
    assert [state.name for state in STATES] == [state.name for state in grpc.ChannelConnectivity]


def test_numbers_are_those_of_grpc_core() -> None:
    assert [state.code for state in STATES] == [state.value[0] for state in grpc.ChannelConnectivity]
    assert [State.from_code(code) for code in range(5)] == list(STATES)


def test_table_speaks_of_every_state() -> None:
    assert set(TRANSITIONS) == set(MEANINGS) == set(WORST_FIRST) == set(STATES)


def test_shutdown_is_final_and_always_possible() -> None:
    assert not TRANSITIONS[State.SHUTDOWN]
    assert all(is_legal(state, State.SHUTDOWN) for state in STATES if state is not State.SHUTDOWN)


@pytest.mark.parametrize(
    ("previous", "state"),
    [(State.IDLE, State.READY), (State.IDLE, State.TRANSIENT_FAILURE), (State.READY, State.READY), (State.SHUTDOWN, State.IDLE)],
)
def test_what_never_follows(previous: State, state: State) -> None:
    assert not is_legal(previous, state)


def test_worst_is_one_of_them_and_order_does_not_matter() -> None:
    for pair in product(STATES, repeat=2):
        assert worst(pair) in pair
        assert worst(pair) is worst(pair[::-1])


def test_aggregate_is_ready_if_any_is() -> None:
    assert aggregate([State.TRANSIENT_FAILURE, State.CONNECTING, State.READY]) is State.READY
    assert aggregate([State.TRANSIENT_FAILURE, State.CONNECTING]) is State.CONNECTING
    assert aggregate([State.TRANSIENT_FAILURE, State.IDLE]) is State.IDLE
