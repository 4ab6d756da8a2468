"""The rule of `lanes`, held to the vectors that `lanes.js` shares, and to a slow and plain version of itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.lanes import OPEN, Segments, Viewport, merge
from tinypool_nb.core.palette import SEVERITY

SHARED: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "lanes.json").read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = SHARED["cases"]

Interval = tuple[int, int, int, int]
"""lane, start, end, state"""


def merged(intervals: list[Interval], viewport: Viewport, now: int) -> Segments:
    columns = np.array(intervals, dtype=np.int64).reshape(-1, 4).T
    return merge(columns[0], columns[1], columns[2], columns[3], viewport=viewport, now=now)


def rows(segments: Segments) -> list[list[int]]:
    return [list(row) for row in np.stack([segments.lane, segments.start, segments.end, segments.state, segments.merged], axis=1).tolist()]


def plain(intervals: list[Interval], viewport: Viewport, now: int) -> list[list[int]]:
    """The five sentences of the rule, one interval and one column at a time."""
    start, end, width = viewport.start, viewport.end, viewport.column
    cut = []
    for place, (lane, begin, finish, state) in enumerate(sorted(intervals)):
        finish = max(now if finish == OPEN else finish, begin + 1)  # noqa: PLW2901
        if begin < end and finish > start:
            cut.append((lane, max(begin, start), min(finish, end), state, place))
    columns = {place: ((begin - start) // width, (finish - 1 - start) // width) for _, begin, finish, _, place in cut}
    crowded = {(lane, column) for lane, begin, finish, _, place in cut if finish - begin < width for column in columns[place]}
    pieces = []
    for lane, column in crowded:
        touching = [
            (state, place) for other, _, _, state, place in cut if other == lane and columns[place][0] <= column <= columns[place][1]
        ]
        places = [place for _, place in touching]
        worst = max((state for state, _ in touching), key=SEVERITY.__getitem__)
        pieces.append((lane, start + column * width, min(start + (column + 1) * width, end), worst, min(places), max(places)))
    for lane, begin, finish, state, place in cut:
        if finish - begin >= width:
            left, right = columns[place]
            rest_start = start + (left + 1) * width if (lane, left) in crowded else begin
            rest_end = start + right * width if (lane, right) in crowded else finish
            if rest_end > rest_start:
                pieces.append((lane, rest_start, rest_end, state, place, place))
    joined: list[list[int]] = []
    for lane, begin, finish, state, first, last in sorted(pieces):
        if joined and joined[-1][0] == lane and joined[-1][2] == begin and joined[-1][3] == state:
            joined[-1][2], joined[-1][5] = finish, last
        else:
            joined.append([lane, begin, finish, state, first, last])
    return [[lane, begin, finish, state, last - first + 1] for lane, begin, finish, state, first, last in joined]


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_shared_vectors(case: dict[str, Any]) -> None:
    intervals = [(lane, start, OPEN if end is None else end, state) for lane, start, end, state in case["intervals"]]
    viewport = Viewport(**case["viewport"])
    assert rows(merged(intervals, viewport, case["now"])) == case["segments"]
    assert plain(intervals, viewport, case["now"]) == case["segments"]


def test_the_vectors_name_the_order_of_badness() -> None:
    assert SHARED["severity"] == {str(code): bad for code, bad in SEVERITY.items()}


@st.composite
def records(draw: st.DrawFn) -> list[Interval]:
    """Up to three lanes of intervals that follow each other, some with a hole between them, the last one perhaps open."""
    intervals = []
    for lane in range(draw(st.integers(0, 3))):
        time = draw(st.integers(0, 300))
        steps = draw(st.lists(st.tuples(st.integers(0, 90), st.integers(-1, 4), st.sampled_from([0, 0, 0, 7])), max_size=12))
        for place, (length, state, hole) in enumerate(steps):
            is_open = place == len(steps) - 1 and hole == 0
            intervals.append((lane, time, OPEN if is_open else time + length, state))
            time += max(length, 1) + hole
    return intervals


VIEWPORTS = st.builds(
    lambda start, length, pixels: Viewport(start, start + length, pixels), st.integers(0, 400), st.integers(1, 900), st.integers(1, 60)
)


@given(records(), VIEWPORTS, st.integers(0, 1500))
def test_the_fast_one_equals_the_plain_one(intervals: list[Interval], viewport: Viewport, now: int) -> None:
    now = max([now, *(start + 1 for _, start, _, _ in intervals)])
    assert rows(merged(intervals, viewport, now)) == plain(intervals, viewport, now)


@given(records(), VIEWPORTS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(intervals: list[Interval], viewport: Viewport, random: Any) -> None:
    now = 5_000
    shuffled = list(intervals)
    random.shuffle(shuffled)
    segments = merged(shuffled, viewport, now)
    assert rows(segments) == rows(merged(intervals, viewport, now))
    for lane, state, shown, first in zip(segments.lane, segments.state, segments.shown, segments.first, strict=True):
        assert (shuffled[shown][0], shuffled[shown][3]) == (lane, state)
        assert shuffled[first][0] == lane


@given(records(), VIEWPORTS)
def test_no_failure_is_lost_and_nothing_is_drawn_twice(intervals: list[Interval], viewport: Viewport) -> None:
    segments = merged(intervals, viewport, now=5_000)
    for lane, start, end, state in intervals:
        until = max(5_000 if end == OPEN else end, start + 1)
        if state == 3 and start < viewport.end and until > viewport.start:
            at = max(start, viewport.start)
            assert ((segments.lane == lane) & (segments.state == 3) & (segments.start <= at) & (segments.end > at)).any()
    same = segments.lane[1:] == segments.lane[:-1]
    assert (segments.start[1:][same] >= segments.end[:-1][same]).all()
    assert (segments.end > segments.start).all()
    assert len(segments.lane) <= max(segments.intervals, 1) * 3


def test_nothing_moves_while_pixels_suffice() -> None:
    intervals = [(0, 0, 333, 2), (0, 333, 401, 3), (0, 401, OPEN, 2)]
    assert rows(merged(intervals, Viewport(0, 1000, 100), now=1000)) == [[0, 0, 333, 2, 1], [0, 333, 401, 3, 1], [0, 401, 1000, 2, 1]]


def test_no_intervals_make_no_segments() -> None:
    segments = merged([], Viewport(0, 1, 1), now=0)
    assert (len(segments.lane), segments.intervals) == (0, 0)


@pytest.mark.parametrize("viewport", [Viewport(5, 5, 10), Viewport(6, 5, 10), Viewport(0, 5, 0)])
def test_an_empty_viewport_is_refused(viewport: Viewport) -> None:
    with pytest.raises(ValueError, match="was refused"):
        merged([], viewport, now=0)


def test_years_of_nanoseconds_do_not_overflow() -> None:
    year = 365 * 86_400 * 10**9
    start = 1_770_000_000 * 10**9
    segments = merged([(0, start, start + 1, 3), (0, start + 1, OPEN, 2)], Viewport(start, start + year, 4_000), now=start + year)
    assert segments.state.tolist() == [3, 2]
    assert int(segments.end[-1]) == start + year
