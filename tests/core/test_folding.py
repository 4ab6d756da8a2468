"""The rules of folding, each on a small story, and all of them against a recomputation from all rows."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.folding import (
    ATTEMPTS,
    DISCONNECTIONS,
    FAILURES,
    NO_TIME,
    RECOVERIES,
    TIME_TO_RECOVER,
    Folding,
    Ledger,
    interval_ends,
)
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import STATES, UNKNOWN, State

IDLE, CONNECTING, READY, FAILURE, SHUTDOWN = STATES
KEY = ModuleKey(None, "http-module-v1")


def channel(generation: int = 1, key: ModuleKey = KEY) -> ChannelIdentity:
    return ChannelIdentity(generation, key, "127.0.0.1:50051", generation)


def row(time: int, previous: State | None, state: State | None, *, generation: int = 1, reason: str = "") -> Transition:
    return Transition(time, channel(generation), previous, state, reason, Evidence.GAP if state is None else Evidence.SEEN)


def folded(*rows: Transition) -> tuple[Ledger, list[bool]]:
    ledger = Ledger(rows[0].channel)
    return ledger, [ledger.fold(one) for one in rows]


def test_each_row_ends_one_interval_and_begins_the_next() -> None:
    ledger, counted = folded(row(10, None, IDLE), row(15, IDLE, CONNECTING), row(18, CONNECTING, READY), row(30, READY, SHUTDOWN))
    assert counted == [True] * 4
    assert [ledger.numbers[state.code] for state in STATES] == [5, 3, 12, 0, 0]
    assert ledger.numbers[DISCONNECTIONS] == 0
    assert repr(ledger) == "<Ledger http-module-v1 generation 1: SHUTDOWN>"


def test_a_further_failed_attempt_prolongs_the_interval_and_renews_the_reason() -> None:
    ledger, counted = folded(
        row(10, CONNECTING, FAILURE, reason="refused"), row(20, FAILURE, FAILURE, reason="timeout"), row(40, FAILURE, READY)
    )
    assert counted == [True, False, True]
    assert ledger.numbers[FAILURE.code] == 30
    assert ledger.last_reason == "timeout"


def test_a_gap_is_time_in_which_nobody_knows() -> None:
    ledger, _ = folded(row(10, None, IDLE), row(20, IDLE, None), row(50, None, READY), row(51, READY, SHUTDOWN))
    assert (ledger.numbers[IDLE.code], ledger.numbers[UNKNOWN], ledger.numbers[READY.code]) == (10, 30, 1)


def test_a_retired_channel_changes_nothing() -> None:
    ledger, counted = folded(
        row(10, CONNECTING, READY),
        row(20, None, IDLE, generation=2),
        row(25, READY, SHUTDOWN),
        row(26, READY, IDLE, reason="late"),
        row(30, IDLE, READY, generation=2),
    )
    assert counted == [True, True, False, False, True]
    assert (ledger.numbers[READY.code], ledger.numbers[IDLE.code]) == (10, 10)
    assert (ledger.numbers[DISCONNECTIONS], ledger.last_reason) == (0, "")


def test_a_module_that_comes_back_after_unregister_begins_its_generations_anew() -> None:
    again = ChannelIdentity(9, KEY, "127.0.0.1:50051", 1)
    ledger, counted = folded(
        row(10, None, IDLE, generation=3), row(20, IDLE, SHUTDOWN, generation=3), Transition(30, again, None, IDLE, "", Evidence.SEEN)
    )
    assert counted == [True, True, True]
    assert ledger.channel is again


def test_a_new_channel_that_fails_at_once_begins_an_interval_of_its_own() -> None:
    _, counted = folded(row(10, CONNECTING, FAILURE), row(20, FAILURE, FAILURE, generation=2))
    assert counted == [True, True]


@pytest.mark.parametrize("state", [IDLE, CONNECTING, FAILURE])
def test_recovery_is_from_the_loss_to_the_next_ready_of_any_generation(state: State) -> None:
    ledger, _ = folded(
        row(10, CONNECTING, READY), row(20, READY, state), row(25, None, IDLE, generation=2), row(60, CONNECTING, READY, generation=2)
    )
    assert ledger.numbers[DISCONNECTIONS] == ledger.numbers[RECOVERIES] == 1
    assert ledger.numbers[TIME_TO_RECOVER] == 40
    assert ledger.lost == NO_TIME


def test_a_stamp_out_of_order_counts_as_no_time() -> None:
    ledger, _ = folded(row(100, None, IDLE), row(90, IDLE, CONNECTING), row(95, CONNECTING, READY))
    assert (ledger.numbers[IDLE.code], ledger.numbers[CONNECTING.code]) == (0, 5)


def test_attempts_count_whichever_channel_made_them() -> None:
    folding = Folding()
    for outcome in (Outcome.FAILED, Outcome.READY, Outcome.ABANDONED):
        attempt = Attempt(channel(2), 7, "ipv4:127.0.0.1:50051", None, 5, outcome, "", Evidence.SEEN)
        folding.ledger(attempt.channel).fold_attempt(attempt)
    totals = folding.totals()
    assert totals.numbers[0, [ATTEMPTS, FAILURES]].tolist() == [3, 1]
    assert totals.openings == [None]


def test_totals_are_a_copy() -> None:
    folding = Folding()
    folding.ledger(channel()).fold(row(10, None, IDLE))
    before = folding.totals()
    folding.ledger(channel()).fold(row(20, IDLE, READY))
    assert before.numbers.sum() == 0
    assert Folding().totals().numbers.shape == (0, before.numbers.shape[1])


@st.composite
def stories(draw: st.DrawFn) -> list[Transition]:
    """Rows of up to three modules and three generations each, some out of order, some in a gap."""
    rows: list[Transition] = []
    last: dict[ChannelIdentity, State | None] = {}
    steps = st.tuples(
        st.integers(0, 2), st.integers(1, 3), st.sampled_from([*STATES, None]), st.integers(-3, 20), st.sampled_from(["", "refused"])
    )
    time = 1_000
    for module, generation, state, gap, reason in draw(st.lists(steps, max_size=60)):
        one = channel(generation, ModuleKey(None, f"module-{module}"))
        time += gap
        rows.append(Transition(time, one, last.get(one), state, reason, Evidence.SEEN))
        last[one] = state
    return rows


def recomputed(rows: Sequence[Transition]) -> dict[str, object]:
    """The totals of one module, from all its rows at once, in the words of the rules."""
    current = [one for i, one in enumerate(rows) if one.channel.number == max(other.channel.number for other in rows[: i + 1])]
    boundaries: list[Transition] = []
    for one in current:
        repeats = boundaries and boundaries[-1].state is one.state is FAILURE and boundaries[-1].channel == one.channel
        if not repeats:
            boundaries.append(one)
    times = dict.fromkeys([*STATES, None], 0)
    for began, ended in pairwise(boundaries):
        times[began.state] += max(0, ended.time - began.time)
    losses = [i for i, one in enumerate(current) if one.previous is READY and one.state in {IDLE, CONNECTING, FAILURE}]
    recoveries = []
    renewals = [
        i for i in range(1, len(current)) if current[i - 1].state is State.SHUTDOWN and current[i].channel != current[i - 1].channel
    ]
    for i, following in pairwise([*losses, len(current)]):
        until = next((renewal for renewal in renewals if renewal > i), following)
        ready = [one for one in current[i : min(until, following)] if one.state is READY]
        recoveries += [max(0, ready[0].time - current[i].time)] if ready else []
    return {
        "times": list(times.values()),
        "disconnections": len(losses),
        "recoveries": recoveries,
        "last_reason": next((one.reason for one in reversed(current) if one.reason), ""),
        "opening": boundaries[-1],
    }


@given(stories())
def test_row_by_row_gives_what_all_rows_at_once_give(rows: list[Transition]) -> None:
    folding = Folding()
    counted = [folding.ledger(one.channel).fold(one) for one in rows]
    for ledger in folding:
        expected = recomputed([one for one in rows if one.channel.key == ledger.key])
        assert [*(ledger.numbers[state.code] for state in STATES), ledger.numbers[UNKNOWN]] == expected["times"]
        assert ledger.numbers[DISCONNECTIONS] == expected["disconnections"]
        assert isinstance(expected["recoveries"], list)
        assert ledger.numbers[RECOVERIES] == len(expected["recoveries"])
        assert ledger.numbers[TIME_TO_RECOVER] == sum(expected["recoveries"])
        assert (ledger.last_reason, ledger.opening) == (expected["last_reason"], expected["opening"])
    # The intervals of the rows that counted last as long in all as the totals say.
    kept = [one for one, is_counted in zip(rows, counted, strict=True) if is_counted]
    modules = np.array([int(one.channel.key.name[-1]) for one in kept], np.int8)
    times = np.array([one.time for one in kept], np.int64)
    ends = interval_ends(modules, times)
    ended = ends != NO_TIME
    assert (ends[ended] >= times[ended]).all()
    assert (ends[ended] - times[ended]).sum() == sum(
        sum(ledger.numbers[state.code] for state in STATES) + ledger.numbers[UNKNOWN] for ledger in folding
    )
