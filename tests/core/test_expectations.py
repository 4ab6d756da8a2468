"""What a step expects against what was seen: a table of sights and verdicts, and that more time only ever decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.expectations import Born, Expectation, Fails, Path, Replaced, Sight, Stays, Succeeds, Verdict, View, judge
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.states import State

IDLE, CONNECTING, READY, FAILURE, SHUTDOWN = State
SECOND = 1_000_000_000
OLD, NEW = (ChannelIdentity(number, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", number) for number in (1, 2))
WAITING, MET, UNMET = Verdict


def turn(at: float, previous: State | None, state: State | None, channel: ChannelIdentity = NEW) -> Transition:
    return Transition(round(at * SECOND), channel, previous, state, "", Evidence.SEEN)


def attempt(start: float, outcome: Outcome = Outcome.FAILED, *, lasts: float = 0.0, subchannel: int = 3) -> Attempt:
    return Attempt(
        NEW, subchannel, "ipv4:127.0.0.1:50051", round(start * SECOND), round((start + lasts) * SECOND), outcome, "", Evidence.SEEN
    )


def view(*seen: Sight, now: float, before: tuple[Sight, ...] = ()) -> View:
    return View(before, seen, 0, 0, round(now * SECOND), Backoff(initial=1.0))


LOST = Path((READY, IDLE), within=1)
CALLED = Path((IDLE, CONNECTING, READY), within=1)
ONE, TWO = turn(0.1, IDLE, CONNECTING), turn(0.2, CONNECTING, READY)


@pytest.mark.parametrize(
    ("expectation", "seen", "verdict", "said"),
    [
        (LOST, view(now=0.5), WAITING, "still to be seen: READY → IDLE within 1 s"),
        (LOST, view(now=1.0), UNMET, "expected READY → IDLE within 1 s; nothing was seen"),
        (LOST, view(turn(0.8, READY, IDLE), now=0.9), MET, "READY → IDLE at +0.800 s"),
        (
            LOST,
            view(turn(0.8, READY, CONNECTING), now=0.9),
            UNMET,
            "expected READY → IDLE within 1 s; seen READY → CONNECTING at +0.800 s",
        ),
        (LOST, view(turn(1.2, READY, IDLE), now=1.3), UNMET, "expected READY → IDLE within 1 s; seen READY → IDLE at +1.200 s"),
        (LOST, view(turn(0.1, READY, None), now=0.2), UNMET, "READY → unknown (a gap in the record) at +0.100 s"),
        (CALLED, view(ONE, now=0.3), WAITING, ""),
        (CALLED, view(ONE, TWO, now=0.3), MET, "IDLE → CONNECTING at +0.100 s, CONNECTING → READY at +0.200 s"),
        (CALLED, view(ONE, now=1.1), UNMET, "seen IDLE → CONNECTING at +0.100 s"),
        (CALLED, view(ONE, turn(0.2, CONNECTING, FAILURE), now=0.3), UNMET, "CONNECTING → TRANSIENT_FAILURE at +0.200 s"),
        # One more failed attempt is no way out of TRANSIENT_FAILURE.
        (Path((FAILURE, READY), 1), view(turn(0.1, FAILURE, FAILURE), turn(0.2, FAILURE, READY), now=0.3), MET, "+0.200 s"),
        # What a retired channel still does is none of the module's business.
        (LOST, view(turn(0.1, READY, SHUTDOWN, OLD), turn(0.2, READY, IDLE), now=0.3), MET, "+0.200 s"),
        (Born(1), view(turn(0.1, None, IDLE), now=0.2), MET, "a new channel, IDLE, at +0.100 s"),
        (Born(1), view(now=1.0), UNMET, "expected a new channel, IDLE; nothing was seen"),
        (Replaced(1), view(turn(0.1, None, IDLE), now=0.2), WAITING, ""),
        (Replaced(1), view(turn(0.1, None, IDLE), turn(0.2, IDLE, SHUTDOWN, OLD), now=0.3), MET, "SHUTDOWN of generation 1 at +0.200 s"),
        (Replaced(1), view(turn(0.1, None, IDLE), now=1.0), UNMET, "and SHUTDOWN of the old one within 1 s; seen a new channel"),
        (Stays(IDLE, 1), view(now=0.9), WAITING, ""),
        (Stays(IDLE, 1), view(now=1.0), MET, "it stayed IDLE"),
        (Stays(IDLE, 1), view(ONE, now=0.2), UNMET, "expected that it stays IDLE for 1 s; seen IDLE → CONNECTING at +0.100 s"),
        (Fails(1, 5), view(now=4), WAITING, "still to be seen: 1 attempt fails within 5 s"),
        (Fails(1, 5), view(attempt(1), now=2), MET, "failed: attempt 1 at +1.000 s"),
        (Fails(2, 5), view(attempt(1), attempt(2.1), now=3), MET, "attempt 2 at +2.100 s, 1.10 s after the one before"),
        (Fails(2, 5), view(attempt(1), attempt(1.5), now=3), UNMET, "attempt 2 at ipv4:127.0.0.1:50051 came 0.50 s after the one before"),
        (Fails(2, 9), view(attempt(1), attempt(4.5), now=5), UNMET, "came 3.50 s after the one before, outside of its window"),
        # An attempt that takes longer than its wait is followed at once.
        (Fails(2, 9), view(attempt(1, lasts=3), attempt(4.0), now=5), MET, "attempt 2"),
        # The ladders of two addresses are none of each other's business.
        (Fails(2, 5), view(attempt(1), attempt(1.1, subchannel=4), now=3), MET, "attempt 1 at +1.000 s; attempt 1 at +1.100 s"),
        (Fails(1, 5), view(attempt(0.6), now=1, before=(attempt(-0.5),)), MET, "attempt 2 at +0.600 s, 1.10 s after the one before"),
        (Fails(2, 5), view(attempt(1), now=5), UNMET, "seen attempt at ipv4:127.0.0.1:50051 failed at +1.000 s"),
        (Succeeds(5), view(attempt(1), attempt(2.1, Outcome.READY), now=3), MET, "ready at +2.100 s"),
        (Succeeds(5, times=2), view(attempt(1, Outcome.READY), now=3), WAITING, "still to be seen: 2 attempts succeed within 5 s"),
    ],
)
def test_the_table(expectation: Expectation, seen: View, verdict: Verdict, said: str) -> None:
    judgement = judge(expectation, seen)
    assert (judgement.verdict, said in judgement.said) == (verdict, True), judgement
    assert (judgement.due is None) == (verdict is not Verdict.WAITING)


states = st.sampled_from([None, *State])
turns = st.builds(turn, st.floats(0, 3), states, states, st.sampled_from([OLD, NEW]))
attempts = st.builds(attempt, st.floats(0, 3), st.sampled_from(list(Outcome)), lasts=st.floats(0, 1), subchannel=st.sampled_from([0, 3, 4]))
expectations = st.one_of(
    st.builds(Path, st.lists(st.sampled_from(list(State)), min_size=2, max_size=4).map(tuple), st.floats(0.1, 2)),
    st.builds(Born, st.floats(0.1, 2)),
    st.builds(Replaced, st.floats(0.1, 2)),
    st.builds(Stays, st.sampled_from(list(State)), st.floats(0.1, 2)),
    st.builds(Fails, st.integers(1, 3), st.floats(0.1, 2)),
    st.builds(Succeeds, st.floats(0.1, 2), st.integers(1, 3)),
)


@given(expectations, st.lists(turns | attempts, max_size=8), st.floats(0, 4))
def test_whatever_was_seen_the_judgement_comes_in_the_end(expectation: Expectation, sights: list[Sight], now: float) -> None:
    judgement = judge(expectation, view(*sights, now=now))
    assert judgement.said
    if judgement.verdict is Verdict.WAITING:
        assert judgement.due is not None
        assert judgement.due > round(now * SECOND)
        late = judge(expectation, view(*sights, now=judgement.due / SECOND + 0.001))
        assert late.verdict is not Verdict.WAITING
    else:  # what was decided stays decided, however late it is asked again
        assert judge(expectation, view(*sights, now=now + 9)) == judgement


@given(expectations)
def test_an_expectation_reads_as_a_sentence(expectation: Expectation) -> None:
    assert str(expectation).strip() == str(expectation) != ""
