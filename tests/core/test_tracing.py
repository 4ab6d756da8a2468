"""Traces as gRPC core writes them, read in pieces, wrapped and torn: no event twice, none lost unsaid."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import MILLISECOND, ChannelHistory, Trace, TraceClock, TraceEvent, clean, nanoseconds

CHANNEL = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
REFUSED = "UNAVAILABLE: failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:50051: Connection refused"


def state_event(time: int, state: State, reason: str = "") -> TraceEvent:
    return TraceEvent(time, f"Channel state change to {state}{f' status: {reason}' if reason else ''}")


# Stamps


def raw(*stamps: str) -> list[dict[str, str]]:
    return [{"timestamp": stamp, "description": f"event {place}"} for place, stamp in enumerate(stamps)]


def test_the_wobble_of_a_read_is_taken_out() -> None:
    clock = TraceClock(epoch=0)
    first, right = clock.read(raw("1970-01-01T00:00:01.279877297Z"), offset=0)
    again, still = clock.read(raw("1970-01-01T00:00:01.279877517Z"), offset=0)
    assert right
    assert still
    assert first == again


def test_a_torn_stamp_asks_for_another_read() -> None:
    clock = TraceClock(epoch=0)
    clock.read(raw("1970-01-01T00:00:01.000100000Z"), offset=0)
    _, right = clock.read(raw("1970-01-01T00:00:01.000100000Z", "1970-01-01T00:00:02.000500000Z"), offset=0)
    assert not right


def test_a_wall_clock_that_was_set_moves_no_event() -> None:
    clock = TraceClock(epoch=5)
    first, _ = clock.read(raw("2026-01-01T00:00:01.000100000Z"), offset=0)
    hour = 3_600_000_123_456_789  # the clock was set forward; core adds the new offset to the same event
    stamp = nanoseconds("2026-01-01T00:00:01.000100000Z") + hour
    seconds, fraction = divmod(stamp, 1_000_000_000)
    set_forward = raw(f"{_iso(seconds)}.{fraction:09d}Z")
    again, right = clock.read(set_forward, offset=hour)
    assert right
    assert again == first


def test_a_phase_that_moved_for_good_is_learnt_on_the_last_try() -> None:
    clock = TraceClock(epoch=0)
    clock.read(raw("1970-01-01T00:00:01.000100000Z"), offset=0)
    slept = raw("1970-01-01T00:00:05.000600000Z", "1970-01-01T00:00:06.000600050Z")
    assert not clock.read(slept, offset=0)[1]
    assert not clock.read(slept, offset=0, last_try=True)[1]
    events, right = clock.read(slept, offset=0)
    assert right
    assert events[1].time - events[0].time == 1_000 * MILLISECOND


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


# Alignment of two reads


events = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"])), max_size=40).map(
    lambda steps: [TraceEvent(sum(step for step, _ in steps[: place + 1]), text) for place, (_, text) in enumerate(steps)]
)


@given(events, st.lists(st.integers(0, 40)))
def test_a_trace_that_never_wraps_tells_each_event_once(story: list[TraceEvent], cuts: list[int]) -> None:
    whole = [TraceEvent(0, "Channel created"), *story]
    trace = Trace()
    told: list[TraceEvent] = []
    for cut in sorted({min(cut, len(whole)) for cut in cuts} | {len(whole)}):
        fresh, lost = trace.fresh(whole[:cut])
        assert not lost
        told += fresh
    assert told == whole


@given(st.integers(4, 12), st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_a_ring_read_often_enough_tells_each_event_once(ring: int, growth: list[int]) -> None:
    trace, end = Trace(), 0
    told: list[TraceEvent] = []
    story = [TraceEvent(0, "Channel created"), *(TraceEvent(time, f"event {time}") for time in range(1, 100))]
    for step in growth:
        end += step
        fresh, lost = trace.fresh(story[max(0, end - ring) : end])
        assert not lost
        told += fresh
    assert told == story[:end]


@given(st.integers(2, 8), st.integers(0, 8), st.integers(0, 20))
def test_what_was_overwritten_unread_is_said_once(ring: int, first: int, more: int) -> None:
    story = [TraceEvent(0, "Channel created"), *(TraceEvent(time, f"event {time}") for time in range(1, 100))]
    trace = Trace()
    before = story[: first + 1][-ring:]
    trace.fresh(before)
    end = first + 1 + ring + more + 1
    fresh, lost = trace.fresh(story[end - ring : end])
    assert lost
    assert list(fresh) == story[end - ring : end]
    assert trace.fresh(story[end - ring : end]) == ([], False)


def test_a_trace_first_read_after_it_wrapped_has_a_gap() -> None:
    assert Trace().fresh([TraceEvent(5, "event 5")])[1]


def test_a_trace_emptied_for_good_says_so_once() -> None:
    trace = Trace()
    trace.fresh([TraceEvent(0, "Channel created"), TraceEvent(1, "event")])
    assert trace.fresh([]) == ([], True)
    assert trace.fresh([]) == ([], False)


# Meaning


def rows_of(history: ChannelHistory, *told: TraceEvent) -> Sequence[Transition | Attempt]:
    return history.of_channel(told)


def test_a_channel_is_born_idle() -> None:
    history = ChannelHistory(CHANNEL)
    row = history.born(7)
    assert not rows_of(history, TraceEvent(7, "Channel created"))
    assert row == Transition(7, CHANNEL, None, State.IDLE, "", Evidence.INFERRED)


def test_a_repeated_state_is_no_row_but_a_repeated_failure_is() -> None:
    history = ChannelHistory(CHANNEL)
    rows = rows_of(
        history,
        TraceEvent(0, "Channel created"),
        state_event(0, State.IDLE),
        state_event(1, State.CONNECTING),
        state_event(2, State.CONNECTING),
        state_event(3, State.TRANSIENT_FAILURE, REFUSED),
        state_event(4, State.TRANSIENT_FAILURE, REFUSED),
    )
    assert [(row.previous, row.state) for row in rows if isinstance(row, Transition)] == [
        (None, State.IDLE),
        (State.IDLE, State.CONNECTING),
        (State.CONNECTING, State.TRANSIENT_FAILURE),
        (State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE),
    ]
    assert rows[-1] == Transition(4, CHANNEL, State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE, REFUSED, Evidence.SEEN)


def test_a_name_that_does_not_resolve_is_an_attempt_without_a_peer() -> None:
    why = "UNAVAILABLE: errors resolving nosuch.invalid:99: Domain name not found"
    rows = rows_of(
        ChannelHistory(CHANNEL),
        state_event(3, State.TRANSIENT_FAILURE, why),
        TraceEvent(3, f"Resolution event: {why}, no valid service config"),
    )
    assert rows[1] == Attempt(CHANNEL, 0, "", None, 3, Outcome.FAILED, why, Evidence.SEEN)


def test_a_resolution_that_went_well_is_no_attempt() -> None:
    history = ChannelHistory(CHANNEL)
    rows_of(history, state_event(3, State.TRANSIENT_FAILURE, REFUSED))
    assert not rows_of(history, TraceEvent(4, "Resolution event: Address list became non-empty, Service config changed"))


def test_attempts_are_paired_across_reads() -> None:
    history = ChannelHistory(CHANNEL)
    peer = "ipv4:127.0.0.1:50051"
    said = "Subchannel connectivity state changed to "
    assert not history.of_subchannel(4, peer, [TraceEvent(10, f"{said}CONNECTING"), TraceEvent(11, "Handshake connection")])
    (failed,) = history.of_subchannel(
        4, peer, [TraceEvent(12, f"{said}TRANSIENT_FAILURE: {REFUSED}\n=== Source Location Trace: ===\nsrc/x.cc:1\n")]
    )
    assert failed == Attempt(CHANNEL, 4, peer, 10, 12, Outcome.FAILED, REFUSED, Evidence.SEEN)
    (ready,) = history.of_subchannel(
        4, peer, [TraceEvent(20, f"{said}IDLE"), TraceEvent(20, f"{said}CONNECTING"), TraceEvent(21, f"{said}READY")]
    )
    assert (ready.start, ready.end, ready.outcome) == (20, 21, Outcome.READY)


def test_an_attempt_whose_subchannel_went_away_is_abandoned_and_inferred() -> None:
    history = ChannelHistory(CHANNEL)
    history.of_subchannel(4, "peer", [TraceEvent(10, "Subchannel connectivity state changed to CONNECTING")])
    (row,) = history.abandoned(4, "peer", 15)
    assert (row.start, row.end, row.outcome, row.evidence) == (10, 15, Outcome.ABANDONED, Evidence.INFERRED)
    assert not history.abandoned(4, "peer", 16)


def test_after_a_gap_the_state_before_is_not_known() -> None:
    history = ChannelHistory(CHANNEL)
    rows_of(history, state_event(1, State.READY))
    gap = history.gap(5)
    assert (gap.time, gap.previous, gap.state, gap.evidence) == (5, State.READY, None, Evidence.GAP)
    (row,) = rows_of(history, state_event(9, State.READY))
    assert isinstance(row, Transition)
    assert (row.previous, row.state) == (None, State.READY)


def test_the_trail_of_source_locations_is_cut() -> None:
    assert clean(f"{REFUSED}\n=== Source Location Trace: ===\nsrc/core/util/status_helper.cc:185\n") == REFUSED
