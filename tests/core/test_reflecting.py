"""What a reflector does next: each rule by itself, and a server that is down for a minute."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.reflecting import (
    FIRST_WAIT,
    LONGEST_WAIT,
    RECHECK,
    RELIST,
    WATCH,
    Came,
    Course,
    Step,
    advanced,
    is_relist_due,
    listed,
    next_step,
    opened,
)


def half() -> float:
    return 0.5


def watching(now: float = 0.0) -> Course:
    """A reflector that has listed at `now`, without trouble before."""
    return listed(Course(), "41", now=now, chance=half)


def step(course: Course, came: Came | None, now: float = 1.0, heard: int = 0, lasted: float = 5.0) -> tuple[Course, Step]:
    return next_step(course, came, now=now, chance=half, heard=heard, lasted=lasted)


def test_it_begins_with_a_list_and_goes_on_with_a_watch() -> None:
    assert step(Course(), None)[1] == Step(0.0, None, 0)
    assert step(watching(), Came.LISTED)[1] == Step(0.0, "41", 450)


@pytest.mark.parametrize(
    ("came", "version", "waits"),
    [
        (Came.LISTED, "41", False),
        (Came.ENDED, "41", False),
        (Came.CUT, "41", True),
        (Came.BUSY, "41", True),
        (Came.GONE, None, False),
        (Came.SILENT, None, False),
        (Came.REFUSED, None, True),
        (Came.WRONG, None, True),
    ],
)
def test_what_follows_what(came: Came, version: str | None, waits: bool) -> None:
    _, next_ = step(watching(), came)
    assert (next_.version, next_.wait > 0) == (version, waits)


def test_a_watch_that_ends_at_once_without_a_word_was_none() -> None:
    assert step(watching(), Came.ENDED, heard=0, lasted=0.9)[1] == Step(0.6000000000000001, None, 0)
    assert step(watching(), Came.ENDED, heard=0, lasted=1.0)[1] == Step(0.0, "41", 450)


def test_a_watch_that_ends_at_once_is_waited_for_though_it_had_news() -> None:
    course, next_ = step(watching(), Came.ENDED, heard=1, lasted=0.9)
    assert next_ == Step(0.6000000000000001, "41", 450)
    assert step(course, Came.ENDED, heard=1, lasted=0.9)[1].wait == pytest.approx(1.2)
    assert step(course, Came.ENDED, heard=1, lasted=1.0)[1].wait == 0.0


def test_waits_double_up_to_ten_seconds_and_begin_anew_after_two_minutes_of_health() -> None:
    course, waits = watching(), []
    for _ in range(7):
        course, next_ = step(course, Came.CUT)
        waits.append(round(next_.wait / 0.75, 6))
    assert waits == [0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    assert step(opened(course, now=10.0), Came.CUT, now=129.0)[1].wait == 7.5
    assert step(opened(course, now=10.0), Came.CUT, now=130.0)[1].wait == pytest.approx(0.6)


def test_what_is_gone_waits_for_nothing_and_one_after_another_does() -> None:
    course, next_ = step(watching(), Came.GONE)
    assert next_ == Step(0.0, None, 0)
    course, next_ = step(listed(course, "42", now=2.0, chance=half), Came.GONE, now=2.0)
    assert next_.wait > 0
    assert step(listed(course, "43", now=3.0, chance=half), Came.GONE, now=32.0)[1].wait == 0.0


def test_after_an_outage_a_gone_version_is_not_waited_for_twice() -> None:
    course = watching()
    for _ in range(9):
        course, next_ = step(course, Came.CUT)
    assert next_.wait == 7.5
    assert step(course, Came.GONE)[1] == Step(0.0, None, 0)


def test_two_outages_in_half_a_minute_are_each_waited_for_once() -> None:
    """Else the second wait comes on top of the first, and the pool is right only 20 s after the server is back."""
    course = watching()
    for outage in (0.0, 20.0):
        for _ in range(6):
            course, next_ = step(course, Came.CUT, now=outage)
        course, next_ = step(opened(course, now=outage + 5.0), Came.GONE, now=outage + 5.0)
        assert next_ == Step(0.0, None, 0)
        course = listed(course, "42", now=outage + 5.0, chance=half)
    assert step(course, Came.GONE, now=26.0)[1].wait > 0


def test_the_version_advances_with_what_was_applied() -> None:
    assert step(advanced(watching(), "57"), Came.CUT)[1].version == "57"


def test_a_list_comes_every_fifteen_minutes() -> None:
    course = watching(now=0.0)
    assert not is_relist_due(course, RELIST - 1)
    assert is_relist_due(course, RELIST)
    assert step(course, Came.ENDED, now=RELIST)[1] == Step(0.0, None, 0)
    assert step(course, Came.ENDED, now=RELIST - 60)[1] == Step(0.0, "41", 60)  # the last watch before it is a short one


def test_a_server_that_was_away_is_listed_within_a_minute_and_one_cut_alone_is_no_outage() -> None:
    course, _ = step(watching(), Came.CUT, now=10.0)
    assert course.relist == RELIST
    course, next_ = step(course, Came.CUT, now=11.0)
    assert (next_.version, course.relist) == ("41", 11.0 + 0.75 * RECHECK)
    course, _ = step(course, Came.BUSY, now=13.0)
    assert course.relist == 11.0 + 0.75 * RECHECK, "what goes wrong on the way does not put it off"
    back = opened(course, now=15.0)
    assert step(back, Came.ENDED, now=20.0)[1] == Step(0.0, "41", 36)
    assert step(back, Came.ENDED, now=60.0)[1] == Step(0.0, None, 0)
    assert listed(back, "42", now=60.0, chance=half).relist == 60.0 + RELIST


@given(st.lists(st.sampled_from(Came), max_size=50), st.randoms(use_true_random=False))
def test_whatever_comes_waits_and_watches_stay_within_their_bounds(history: list[Came], chance: random.Random) -> None:
    course, now = Course(), 0.0
    for came in [None, *history]:
        if came is Came.LISTED:
            course = listed(course, "1", now=now, chance=chance.random)
        course, next_ = next_step(course, came, now=now, chance=chance.random)
        assert 0.0 <= next_.wait <= LONGEST_WAIT
        assert (next_.watch_for == 0) == (next_.version is None)
        assert next_.watch_for <= WATCH[1]
        assert FIRST_WAIT <= course.wait <= LONGEST_WAIT
        now += next_.wait + 1.0


@pytest.mark.parametrize(
    ("came", "heard"),
    [*((came, 0) for came in (Came.CUT, Came.BUSY, Came.GONE, Came.REFUSED, Came.WRONG, Came.ENDED)), (Came.ENDED, 1)],
)
def test_a_server_that_fails_for_a_minute_gets_few_requests(came: Came, heard: int) -> None:
    """Each fails at once, by one and the same fault, at the worst chance. Of a watch that ends at once, each second request is a list."""
    for seed in range(200):
        chance = random.Random(seed).random
        course, now, requests = watching(), 0.0, 0
        while now < 60.0:
            requests += 1
            course, next_ = next_step(course, came, now=now, chance=chance, heard=heard)
            if next_.version is None and came in {Came.ENDED, Came.GONE}:
                requests += 1
                course = listed(course, "41", now=now, chance=chance)
            now += next_.wait
        assert requests <= 40
