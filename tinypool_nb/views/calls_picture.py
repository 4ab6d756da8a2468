"""The calls under the lanes of a timeline without JavaScript: a strip of an SVG, a line of text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.lanes import Viewport
from tinypool_nb.core.palette import Palette
from tinypool_nb.core.states import State
from tinypool_nb.views.shown_calls import Calls, ShownCalls, duration_range, duration_ticks, shown_calls

STRIP_HEIGHT = 96
"""Pixels that the strip takes below the lanes, the space above it included."""
SPACE = 30
"""Pixels between the lanes and the strip, where its heading stands."""
LABEL_WIDTH = 60
"""Pixels that the labels of its axis need."""
EXACT_SVG_CALLS = 1_000
"""Up to so many calls are drawn as they are."""
MOST_SVG_CALLS = 3_000
"""Marks, of some 20 bytes each."""
LETTERS = {"answered": "o", "failed": "!"}
"""What fills a column of a terminal in which calls ended: only answered ones, or any that failed."""

_COLUMN = 3
"""Pixels: about half of a mark's width."""
_LINE_FROM = 10
"""Pixels: a call that took longer than this is wide has a line from its start to its end."""
_DOT = "h.01"
"""A line of nearly no length, with round ends: the shortest way to write a dot."""
_CROSS = "m-3,-3l6,6m0,-6l-6,6"


class Box(NamedTuple):
    """Where the strip is on the paper, pixels, and the time that its width stands for."""

    left: float
    top: float
    """Where the lanes end."""
    width: float
    start: int
    """Nanoseconds since 1970-01-01 UTC."""
    end: int

    def x(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """Pixels from the left of the paper."""
        places: NDArray[np.float64] = self.left + (times - self.start) / (self.end - self.start) * self.width
        return places


def strip_svg(calls: Calls, palette: Palette, box: Box) -> list[str]:
    """The elements of the strip: a heading with the key, an axis of durations, and a mark for each call where it ended.

    Parameters:
        calls: at least one.
        palette: whose colours are used.
        box: where to draw.
    """
    viewport = Viewport(box.start, box.end, max(round(box.width / _COLUMN), 1))
    shown = shown_calls(calls, viewport, exact=EXACT_SVG_CALLS, most=MOST_SVG_CALLS)
    top, bottom = box.top + SPACE, box.top + STRIP_HEIGHT
    low, high = duration_range(shown.seconds)
    scale = (bottom - top) / (high - low)
    y = bottom - (np.log10(shown.seconds) - low) * scale
    lines = [
        f'<text x="{box.left:.1f}" y="{top - 9:.1f}" font-size="11">{shown.note}</text>',
        *_key(palette, box.left + box.width, top - 9),
    ]
    for seconds, label in duration_ticks(low, high, most=4).items():
        place = bottom - (np.log10(seconds) - low) * scale
        lines.append(f'<path d="M{box.left - 4:.1f},{place:.1f}h{box.width + 4:.1f}" stroke="{palette.grid}"/>')
        lines.append(f'<text x="{box.left - 8:.1f}" y="{place + 4:.1f}" text-anchor="end" font-size="11">{label}</text>')
    return [*lines, *_marks(shown, palette, box, y)]


def _key(palette: Palette, right: float, y: float) -> list[str]:
    """What the two symbols mean, at the right of the heading."""
    good, bad = (palette.looks[state.code].colour for state in (State.READY, State.TRANSIENT_FAILURE))
    return [
        f'<path d="M{right - 113:.1f},{y - 4:.1f}{_DOT}" stroke="{good}" stroke-width="6" stroke-linecap="round"/>',
        f'<text x="{right - 50:.1f}" y="{y:.1f}" text-anchor="end" font-size="11">answered</text>',
        f'<path d="M{right - 39:.1f},{y - 4:.1f}{_CROSS}" stroke="{bad}" stroke-width="2"/>',
        f'<text x="{right:.1f}" y="{y:.1f}" text-anchor="end" font-size="11">failed</text>',
    ]


def _marks(shown: ShownCalls, palette: Palette, box: Box, y: NDArray[np.float64]) -> list[str]:
    """Answered and failed calls, a path each, and below them the lines of those that took long; the failed ones on top."""
    ends, starts = box.x(shown.end), box.x(shown.calls.start[shown.place])
    dot = 5 if len(ends) <= EXACT_SVG_CALLS else 4
    lines = []
    for is_failed, state in ((False, State.READY), (True, State.TRANSIENT_FAILURE)):
        chosen = shown.failed == is_failed
        if not chosen.any():
            continue
        colour = palette.looks[state.code].colour
        long = chosen & (ends - starts >= _LINE_FROM)
        if long.any():
            path = "".join(f"M{a:.1f},{h:.1f}H{b:.1f}" for a, b, h in zip(starts[long], ends[long], y[long], strict=True))
            lines.append(f'<path d="{path}" stroke="{colour}" stroke-opacity="0.6"/>')
        form = _CROSS if is_failed else _DOT
        path = "".join(f"M{x:.1f},{h:.1f}{form}" for x, h in zip(ends[chosen], y[chosen], strict=True))
        stroke = 'stroke-width="1.8" fill="none"' if is_failed else f'stroke-width="{dot}" stroke-linecap="round" stroke-opacity="0.7"'
        lines.append(f'<path data-calls="{"failed" if is_failed else "answered"}" d="{path}" stroke="{colour}" {stroke}/>')
    return lines


def text_line(calls: Calls, start: int, end: int, columns: int) -> str:
    """A character for each column in which a call ended, those of LETTERS.

    Parameters:
        calls: the calls.
        start: where the first column begins, nanoseconds since 1970-01-01 UTC.
        end: where the last one ends.
        columns: how many characters.
    """
    width = max(-(-(end - start) // columns), 1)
    column = np.clip((calls.end - start) // width, 0, columns - 1)
    letters = np.full(columns, " ")
    letters[column] = LETTERS["answered"]
    letters[column[calls.code != 0]] = LETTERS["failed"]
    return "".join(letters.tolist()).rstrip()
