"""The windows of the specification, and gRPC's own interop oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.backoff import Rung, Window, deadline, ladder, rung, window, within
from tinypool_nb.core.options import Backoff

SECOND = 1_000_000_000
PAGE = Backoff()

BACKOFFS = st.builds(
    lambda initial, times, least: Backoff(initial=initial, maximum=min(initial * times, 86_400.0), min_connect_timeout=least),
    st.floats(0.1, 100.0),
    st.floats(1.0, 500.0),
    st.floats(0.1, 60.0),
)


def test_the_ladder_of_the_page() -> None:
    nominal = [step.nominal for step in ladder(PAGE, 13)]
    assert nominal[:4] == pytest.approx([1.0, 1.6, 2.56, 4.096])
    assert nominal[10] == pytest.approx(1.6**10)
    assert nominal[11:] == [120.0, 120.0]  # 1.6 ** 11 is 175.9


def test_the_cap_applies_before_the_jitter() -> None:
    assert rung(50, PAGE) == Rung(50, 96.0, 120.0, 144.0)


def test_no_attempt_is_too_far_up_the_ladder() -> None:
    assert rung(10**9, Backoff(initial=0.1, maximum=86_400.0)).nominal == 86_400.0


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_are_counted_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match=f"attempt={attempt} was refused"):
        rung(attempt, PAGE)


def test_window_from_the_start_of_the_attempt() -> None:
    start = 1_770_000_000 * SECOND
    assert window(2, start, PAGE) == Window(start + 1_280_000_000, start + 1_920_000_000)


def test_an_attempt_that_outlasts_its_wait_is_followed_at_once() -> None:
    assert window(1, 0, PAGE, end=SECOND) == Window(SECOND, 1_200_000_000)
    assert window(1, 0, PAGE, end=20 * SECOND) == Window(20 * SECOND, 20 * SECOND)


def test_an_attempt_is_given_up_at_the_later_of_its_wait_and_the_least_timeout() -> None:
    assert deadline(1, 0, PAGE) == Window(20 * SECOND, 20 * SECOND)
    assert deadline(12, 0, PAGE) == Window(96 * SECOND, 144 * SECOND)


@pytest.mark.parametrize(("gap", "allowed"), [(0.69, False), (0.71, True), (1.0, True), (1.29, True), (1.31, False)])
def test_within_is_twenty_percent_and_100_ms(gap: float, allowed: bool) -> None:
    assert within(gap, 1, PAGE) is allowed


def test_within_takes_another_tolerance() -> None:
    assert within(1.4, 1, PAGE, tolerance=0.25)
    assert not within(1.25, 1, PAGE, tolerance=0.0)


@given(BACKOFFS, st.integers(1, 200), st.integers(0, 2**61))
def test_windows_hold_what_the_specification_can_draw(backoff: Backoff, attempt: int, start: int) -> None:
    step = rung(attempt, backoff)
    following = rung(attempt + 1, backoff)
    earliest, latest = window(attempt, start, backoff)
    assert start < earliest <= latest
    assert step.shortest <= step.nominal <= step.longest <= backoff.maximum * 1.2000001
    assert following.nominal == pytest.approx(min(step.nominal * 1.6, backoff.maximum))
    assert all(within(gap, attempt, backoff, tolerance=1e-9) for gap in (step.shortest, step.nominal, step.longest))
    assert deadline(attempt, start, backoff).earliest >= earliest
