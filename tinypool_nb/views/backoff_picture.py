"""The backoff plot for places without JavaScript: each wait between two attempts against the specification's window, as SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tinypool_nb.core.backoff import JITTER, Rung, ladder, rung
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.palette import Palette, Theme, palette_of
from tinypool_nb.core.states import State
from tinypool_nb.views.backoff_figure import TOLERANCE, Gap, keeps_to, measured_gaps
from tinypool_nb.views.wording import duration_text, for_xml, times_text

MOST_DOTS = 400
"""Gaps that are drawn, of some 150 bytes each; of more the last ones, and whatever is outside of its window."""

_EDGE, _LEFT, _TOP, _HEIGHT, _FOOT = 16, 64, 44, 190, 46
_FEWEST_RUNGS, _MOST_RUNGS = 6, 24
_TICKS = [digit * 10.0**power for power in range(-2, 6) for digit in (1, 2, 5)]


class Waits(NamedTuple):
    """The gaps between the attempts of one module, and how many of them the specification allows."""

    gaps: tuple[Gap, ...]
    kept: int

    @property
    def text(self) -> str:
        """For example `11 of 12 waits keep to the specification`; "" if there was none.

        >>> Waits((), 0).text
        ''
        """
        count = len(self.gaps)
        return (
            f"{self.kept} of {count} wait{'' if count == 1 else 's'} keep{'s' if count == 1 else ''} to the specification" if count else ""
        )


def waits_of(attempts: pd.DataFrame, backoff: Backoff) -> Waits:
    """The waits between the attempts of one module.

    Parameters:
        attempts: as `tinypool_nb.views.frames` makes it, of that module alone.
        backoff: the settings of its channel.
    """
    gaps = tuple(measured_gaps(attempts))
    return Waits(gaps, sum(keeps_to(gap, backoff) for gap in gaps))


class _Plot(NamedTuple):
    palette: Palette
    width: int
    rungs: tuple[Rung, ...]
    low: float
    high: float

    def x(self, attempt: float) -> float:
        return _LEFT + (attempt - 0.5) / len(self.rungs) * (self.width - _LEFT - _EDGE)

    def y(self, seconds: float) -> float:
        share = math.log(max(seconds, self.low) / self.low) / math.log(self.high / self.low)
        return _TOP + _HEIGHT * (1 - min(share, 1))


def backoff_svg(waits: Waits, backoff: Backoff, *, theme: Theme = "light", width: int = 900) -> str:
    """Each wait between two attempts, by its place in the failing run, with the windows that the specification gives; logarithmic seconds.

    Parameters:
        waits: of one module, at least one.
        backoff: the settings of its channel.
        theme: "light" or "dark".
        width: pixels, at least 300.

    >>> gap = Gap(run=1, attempt=1, start=0, seconds=1.1, lasted=0.01, peer="ipv4:127.0.0.1:1", reason="refused")
    >>> svg = backoff_svg(Waits((gap,), 1), Backoff(initial=1.0))
    >>> svg.startswith("<svg"), svg.count("<circle")
    (True, 2)
    """
    palette, width = palette_of(theme), max(width, 300)
    last = max(gap.attempt for gap in waits.gaps)
    rungs = ladder(backoff, min(max(_FEWEST_RUNGS, last), _MOST_RUNGS))
    seconds = [rungs[0].shortest, rungs[-1].longest, *(max(gap.seconds, 0.01) for gap in waits.gaps)]
    plot = _Plot(palette, width, rungs, min(seconds) * 0.8, max(seconds) * 1.25)
    height = _TOP + _HEIGHT + _FOOT
    rules = f"{backoff.initial:g} s × 1.6 each time, at most {backoff.maximum:g} s, give or take {JITTER:.0%}"
    drawn, note = _drawn(waits.gaps, backoff)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        "<title>Waits between attempts against the backoff windows</title>",
        f"<desc>{for_xml(f'{waits.text}; a wait is {rules}.')}</desc>",
        f'<rect width="{width}" height="{height}" rx="6" fill="{palette.page}"/>',
        f'<g font-family="system-ui, sans-serif" font-size="11" fill="{palette.ink}">',
        f'<text x="{_EDGE}" y="24" font-size="12">{for_xml(" · ".join(part for part in (waits.text, rules, note) if part))}</text>',
        *_axes(plot, height),
        *_windows(plot),
        *(_dot(plot, gap, backoff) for gap in drawn),
        *_key(plot, has_outside=waits.kept < len(waits.gaps)),
        "</g></svg>",
    ]
    return "\n".join(lines)


def _drawn(gaps: Sequence[Gap], backoff: Backoff) -> tuple[list[Gap], str]:
    if len(gaps) <= MOST_DOTS:
        return list(gaps), ""
    outside = [gap for gap in gaps if not keeps_to(gap, backoff)][-MOST_DOTS:]
    kept = [gap for gap in gaps if keeps_to(gap, backoff)]
    return kept[len(kept) - max(MOST_DOTS - len(outside), 0) :] + outside, f"{MOST_DOTS} of them are drawn"


def _axes(plot: _Plot, height: int) -> list[str]:
    grid = plot.palette.grid
    lines, above = [], math.inf
    for tick in (tick for tick in _TICKS if plot.low <= tick <= plot.high):
        y = plot.y(tick)
        lines.append(f'<path d="M{_LEFT},{y:.1f}H{plot.width - _EDGE}" stroke="{grid}"/>')
        if above - y >= 14:
            lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g} s</text>')
            above = y
    lines += [
        f'<text x="{plot.x(step.attempt):.1f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{step.attempt}</text>' for step in plot.rungs
    ]
    lines.append(f'<text x="{plot.width - _EDGE}" y="{height - 8}" text-anchor="end">attempt in its failing run</text>')
    return lines


def _windows(plot: _Plot) -> list[str]:
    """A band a rung, as wide as the rung, and the wait without jitter as a line in it."""
    colour = plot.palette.looks[State.READY.code].colour
    lines = []
    for step in plot.rungs:
        left, right = plot.x(step.attempt - 0.5), plot.x(step.attempt + 0.5)
        top, bottom = plot.y(step.longest + TOLERANCE), plot.y(max(step.shortest - TOLERANCE, plot.low))
        size = f'width="{right - left:.1f}" height="{bottom - top:.1f}"'
        lines.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="{colour}" fill-opacity="0.2"/>')
        y = plot.y(step.nominal)
        lines.append(f'<path d="M{left:.1f},{y:.1f}H{right:.1f}" stroke="{colour}" stroke-dasharray="2 3"/>')
    return lines


def _dot(plot: _Plot, gap: Gap, backoff: Backoff) -> str:
    wait = rung(gap.attempt, backoff)
    spread = (gap.run * 7 % 13 / 13 - 0.5) * 0.5  # runs stand beside each other, not on top
    x, y = plot.x(min(gap.attempt, len(plot.rungs)) + spread), plot.y(gap.seconds)
    allowed = f"allowed: {duration_text(wait.shortest)} to {duration_text(wait.longest)}"
    began = f"{times_text(np.array([gap.start]))[0]} UTC"
    text = f"attempt {gap.attempt} of run {gap.run}: the next one after {duration_text(gap.seconds)}; {allowed}; {began}"
    return _shape(plot.palette, x, y, kept=keeps_to(gap, backoff), title=f"<title>{for_xml(text)}</title>")


def _shape(palette: Palette, x: float, y: float, *, kept: bool, title: str = "") -> str:
    if kept:
        colour = palette.looks[State.READY.code].colour
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" stroke="{palette.page}">{title}</circle>'
    colour = palette.looks[State.TRANSIENT_FAILURE.code].colour
    return f'<path d="M{x - 4:.1f},{y - 4:.1f}l8,8m0,-8l-8,8" stroke="{colour}" stroke-width="2.5" fill="none">{title}</path>'


def _key(plot: _Plot, *, has_outside: bool) -> list[str]:
    y = _TOP + _HEIGHT + _FOOT - 12
    lines = [
        f'<rect x="{_LEFT}" y="{y - 6}" width="14" height="12" fill="{plot.palette.looks[State.READY.code].colour}" fill-opacity="0.2"/>',
        f'<text x="{_LEFT + 19}" y="{y + 4}">the specification’s window</text>',
        _shape(plot.palette, _LEFT + 190, y, kept=True),
        f'<text x="{_LEFT + 200}" y="{y + 4}">measured</text>',
    ]
    if has_outside:
        lines.append(_shape(plot.palette, _LEFT + 280, y, kept=False))
        lines.append(f'<text x="{_LEFT + 291}" y="{y + 4}">outside its window</text>')
    return lines
