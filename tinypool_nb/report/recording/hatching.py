"""The hatches of a drawing as lines instead of patterns: Chromium prints a pattern as a coarse picture, and lines as lines."""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping

from tinypool_nb.core.palette import PALETTES, TILE

_FILLED = re.compile(r'<(path|rect)([^>]*) fill="url\(#tinypool-light-(-?\d+)\)"([^>]*)/>')
_RECTANGLE = re.compile(r"M([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)")
_SIZE = re.compile(r'(?: |^)(x|y|width|height)="([\d.]+)"')
_PATTERNS = re.compile(r"<defs><pattern.*?</defs>", re.DOTALL)

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; pixels."""


def with_lines(svg: str) -> str:
    """The drawing, in light colours, with its hatches as lines that are clipped to what they fill.

    >>> hatched = '<svg><rect x="0" y="0" width="16" height="8" fill="url(#tinypool-light-1)"/></svg>'
    >>> "url(#tinypool-light-1)" in with_lines(hatched), "clip-path" in with_lines(hatched)
    (False, True)
    """
    numbers = itertools.count(1)
    return _PATTERNS.sub("", _FILLED.sub(lambda found: _lined(found, next(numbers)), svg))


def _lined(found: re.Match[str], number: int) -> str:
    kind, before, code, after = found.groups()
    look = PALETTES["light"].looks[int(code)]
    name = f"tinypool-light-clip{number}"
    shape = f"<{kind}{before}{after}/>"
    lines = "".join(_HATCHES[look.shape](_box(kind, before + after)))
    dashes = f' stroke-dasharray="2 {TILE - 2}"' if look.shape == "." else ""
    return (
        f'<{kind}{before} fill="{look.colour}"{after}/><clipPath id="{name}">{shape}</clipPath>'
        f'<path clip-path="url(#{name})" d="{lines}" stroke="{look.hatch}" fill="none"{dashes}/>'
    )


def _box(kind: str, attributes: str) -> Box:
    if kind == "rect":
        size = {name: float(value) for name, value in _SIZE.findall(attributes)}
        return size["x"], size["y"], size["x"] + size["width"], size["y"] + size["height"]
    rectangles = [tuple(map(float, each)) for each in _RECTANGLE.findall(attributes)]
    lefts, tops, widths, heights = zip(*rectangles, strict=True)
    return (
        min(lefts),
        min(tops),
        max(map(float.__add__, lefts, widths)),
        max(map(float.__add__, tops, heights)),
    )


def _steps(begin: float, end: float, shift: float) -> Iterator[float]:
    """The places of lines, a tile apart, as a pattern of tiles from 0 on would have them."""
    place = math.floor((begin - shift) / TILE) * TILE + shift
    while place <= end:
        yield place
        place += TILE


def _rising(box: Box) -> Iterator[str]:
    left, top, right, bottom = box
    for place in _steps(left + top, right + bottom, 0):
        yield f"M{place - bottom:.1f},{bottom:.1f}L{place - top:.1f},{top:.1f}"


def _crossed(box: Box) -> Iterator[str]:
    yield from _rising(box)
    left, top, right, bottom = box
    for place in _steps(left - bottom, right - top, 0):
        yield f"M{place + top:.1f},{top:.1f}L{place + bottom:.1f},{bottom:.1f}"


def _lying(box: Box) -> Iterator[str]:
    left, top, right, bottom = box
    begin = next(_steps(left, left + TILE, TILE / 2 - 1))
    for place in _steps(top, bottom, TILE / 2):
        yield f"M{begin:.1f},{place:.1f}H{right:.1f}"


def _upright(box: Box) -> Iterator[str]:
    left, top, right, bottom = box
    for place in _steps(left, right, TILE / 2):
        yield f"M{place:.1f},{top:.1f}V{bottom:.1f}"


_HATCHES: Mapping[str, Callable[[Box], Iterator[str]]] = {"/": _rising, "x": _crossed, ".": _lying, "-": _lying, "|": _upright}
"""By plotly's word for the pattern."""
