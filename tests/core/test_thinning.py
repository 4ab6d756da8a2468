"""Which calls stand for all: nothing that failed is lost, everybody is counted, and there are few."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinypool_nb.core.codes import Code
from tinypool_nb.core.lanes import Viewport
from tinypool_nb.core.thinning import LEAST, Thinned, thin

SPAN = 10_000
MILLISECOND = 1_000_000

CALLS = st.lists(st.tuples(st.integers(-10, SPAN + 10), st.integers(0, 10**16), st.integers(0, len(Code) - 1)), max_size=300)


def columns(rows: list[tuple[int, int, int]]) -> Any:
    return tuple(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, np.int64),) * 3


def column_of(times: NDArray[np.int64], thinned: Thinned) -> NDArray[np.int64]:
    return np.clip(times, 0, SPAN - 1) // thinned.column


@given(CALLS, st.integers(1, 400))
def test_each_column_keeps_each_of_its_codes_and_its_slowest_call_of_that_code(rows: list[tuple[int, int, int]], pixels: int) -> None:
    end, duration, code = columns(rows)
    thinned = thin(end, duration, code, viewport=Viewport(0, SPAN, pixels), most=LEAST)
    column = column_of(end, thinned)
    slowest: dict[tuple[int, int], int] = {}
    for place in range(len(rows)):
        key = (int(column[place]), int(code[place]))
        slowest[key] = max(slowest.get(key, -1), int(duration[place]))
    shown: dict[tuple[int, int], int] = {}
    for place in thinned.shown.tolist():
        key = (int(column[place]), int(code[place]))
        shown[key] = max(shown.get(key, -1), int(duration[place]))
    assert shown == slowest


@given(CALLS, st.integers(1, 400))
def test_all_calls_are_counted_and_each_is_drawn_once_at_most(rows: list[tuple[int, int, int]], pixels: int) -> None:
    thinned = thin(*columns(rows), viewport=Viewport(0, SPAN, pixels), most=LEAST)
    assert thinned.stands_for.sum() == len(rows)
    assert (thinned.stands_for >= 1).all()
    assert (np.diff(thinned.shown) > 0).all()


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5_000), st.sampled_from([0, LEAST, 4_000]))
def test_there_are_never_more_marks_than_wanted(seed: int, pixels: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    count = 20_000
    end = rng.integers(0, SPAN, count)
    duration = (10 ** rng.uniform(0, 18, count)).astype(np.int64)
    thinned = thin(end, duration, rng.integers(0, len(Code), count), viewport=Viewport(0, SPAN, pixels), most=most)
    assert len(thinned.shown) <= max(most, LEAST)
    assert thinned.stands_for.sum() == count


def test_one_failed_call_among_a_million_stands_for_itself() -> None:
    rng = np.random.default_rng(0)
    end = rng.integers(0, 3_600_000, 1_000_000)
    duration = rng.lognormal(np.log(3 * MILLISECOND), 1, 1_000_000).astype(np.int64)
    code = np.zeros(1_000_000, dtype=np.int8)
    code[765_432], duration[765_432] = 14, 5
    thinned = thin(end, duration, code, viewport=Viewport(0, 3_600_000, 700), most=4_000)
    (place,) = np.flatnonzero(code[thinned.shown])
    assert (thinned.shown[place], thinned.stands_for[place]) == (765_432, 1)
    assert LEAST < len(thinned.shown) <= 4_000


def test_calls_of_very_different_durations_in_one_column_are_all_seen() -> None:
    duration = np.array([1, 10, 100, 1_000]) * MILLISECOND
    thinned = thin(np.zeros(4, np.int64), duration, np.zeros(4, np.int8), viewport=Viewport(0, SPAN, 10), most=LEAST)
    assert thinned.shown.tolist() == [0, 1, 2, 3]


def test_of_equals_the_first_is_drawn() -> None:
    thinned = thin(np.zeros(5, np.int64), np.full(5, 7), np.zeros(5, np.int8), viewport=Viewport(0, SPAN, 10), most=LEAST)
    assert (thinned.shown.tolist(), thinned.stands_for.tolist()) == ([0], [5])
