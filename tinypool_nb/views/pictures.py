"""Pictures of the record for places without JavaScript: the timeline as SVG; as text it is in `timeline_text`, tables in `connections`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import SEVERITY, TILE, Palette, Theme, palette_of
from tinypool_nb.views import calls_picture
from tinypool_nb.views.connections import connections_html, connections_text
from tinypool_nb.views.shown_calls import calls_of
from tinypool_nb.views.swimlanes import PlacedMark, Swimlanes, describe, swimlanes
from tinypool_nb.views.time_ticks import round_times
from tinypool_nb.views.timeline_text import subtitle, timeline_text
from tinypool_nb.views.wording import cut, for_xml, label_rows, one_line, width_of

__all__ = ["connections_html", "connections_text", "timeline_svg", "timeline_text"]

MOST_SVG_SEGMENTS = 30_000
"""Rectangles, of some 25 bytes each."""

_LABEL_LENGTH = 28
_CHARACTER = 6.7
"""Pixels: the width of one character of 12 pixels, on the average."""
_WIDE_CHARACTER = 7.7
"""The same of a text that must not be cut: an average would do for most names, not for all."""
_EDGE = 16
_HEAD = 62
_MARK_ROW = 15
_FOOT = 62
_HATCHED_LANE = 6.0
"""Pixels: a hatch needs lanes of at least this height."""
_MOST_SYMBOLS = 500
_TICK_DISTANCE = 90
_SECOND = 1_000_000_000


class _Plot(NamedTuple):
    """Where things are on the paper, pixels."""

    seen: Swimlanes
    palette: Palette
    left: float
    top: float
    width: float
    lane: float
    """Height of one lane, the space below it included."""
    below: float
    """Height of what stands between the lanes and the axis of time."""

    @property
    def bottom(self) -> float:
        return self.top + self.lane * max(len(self.seen.labels), 1)

    @property
    def foot(self) -> float:
        return self.bottom + self.below

    @property
    def strip(self) -> calls_picture.Box:
        return calls_picture.Box(self.left, self.bottom, self.width, self.seen.start, self.seen.end)

    def upright(self, x: float, top: float, beyond: int = 0) -> str:
        """The path of a line down to the axis of time and `beyond`, which leaves out the heading of the calls."""
        lanes = f"M{x:.1f},{top}V{self.bottom:.1f}M{x:.1f},{self.bottom + calls_picture.SPACE:.1f}" if self.below else f"M{x:.1f},{top}"
        return f"{lanes}V{self.foot + beyond:.1f}"

    def x(self, time: int) -> float:
        return self.left + (time - self.seen.start) / (self.seen.end - self.seen.start) * self.width


def timeline_svg(
    intervals: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    calls: pd.DataFrame | None = None,
    *,
    now: int,
    modules: Iterable[str | ModuleKey] | None = None,
    theme: Theme = "light",
    width: int = 900,
) -> str:
    """The timeline as one self-contained SVG element, with a title and a description for whoever cannot see it.

    It has a paper of its own, so that it can be read on any page, and no script.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it; open intervals end at `now`.
        marks: the same; None for none.
        calls: the same; None for none. They stand in a strip below the lanes, by their durations.
        now: nanoseconds since 1970-01-01 UTC.
        modules: which modules to show, from the top, by their shown keys; all by default.
        theme: "light" or "dark".
        width: pixels, at least 300.
    """
    modules = None if modules is None else tuple(modules)
    width = max(width, 300)
    widest = round(width - 2 * _EDGE - 8)
    called = calls_of(calls, modules)
    seen = swimlanes(intervals, marks, now=now, modules=modules, pixels=widest, most=MOST_SVG_SEGMENTS, reach=called.span)
    label_width = 8 + _WIDE_CHARACTER * max((width_of(seen.lane_text(lane, _LABEL_LENGTH)) for lane in range(len(seen.labels))), default=0)
    label_width = max(label_width, calls_picture.LABEL_WIDTH) if called else label_width
    about_all = [mark for mark in seen.marks if mark.lane is None]
    plot_width = width - 2 * _EDGE - label_width
    places = [(mark.time - seen.start) / (seen.end - seen.start) * plot_width for mark in about_all]
    texts = [cut(one_line(mark.text), 40, keep_end=False) for mark in about_all]
    labels, rows = label_rows(places, texts, width=plot_width, character=6.2)
    count = max(len(seen.labels), 1)
    lane = 32.0 if count == 1 else min(22.0, max(1.5, 720 / count))
    plot = _Plot(
        seen,
        palette_of(theme),
        _EDGE + label_width,
        _HEAD + rows * _MARK_ROW,
        plot_width,
        lane,
        calls_picture.STRIP_HEIGHT if called else 0,
    )
    height = round(plot.foot + _FOOT)
    title = for_xml(cut(one_line(seen.labels[0]), 60)) if len(seen.labels) == 1 else f"Connections of {len(seen.labels):,} modules"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{title}</title>",
        f"<desc>{for_xml(f'{describe(intervals, now=now, modules=modules)} {called.describe()}'.rstrip())}</desc>",
        _patterns(plot),
        f'<rect width="{width}" height="{height}" rx="6" fill="{plot.palette.page}"/>',
        f'<g font-family="system-ui, sans-serif" font-size="12" fill="{plot.palette.ink}">',
        f'<text x="{_EDGE}" y="28" font-size="16" font-weight="600">{title}</text>',
        f'<text x="{_EDGE}" y="47">{for_xml(subtitle(seen))}</text>',
        *_lane_labels(plot),
        *_ticks(plot),
        *_segments(plot),
        *(calls_picture.strip_svg(called, plot.palette, plot.strip) if called else ()),
        *(_line(plot, place) for place in places),
        *(_line_label(plot, places[index], texts[index], row, runs_left=runs_left) for index, row, runs_left in labels),
        _symbols(plot, [mark for mark in seen.marks if mark.lane is not None][-_MOST_SYMBOLS:]),
        *_legend(plot, height - 16),
        "</g></svg>",
    ]
    return "\n".join(line for line in lines if line)


def _fill(palette: Palette, code: int, *, hatched: bool = True) -> str:
    return f"url(#tinypool-{palette.name}-{code})" if hatched and palette.looks[code].path else palette.looks[code].colour


def _patterns(plot: _Plot) -> str:
    patterns = [
        f'<pattern id="tinypool-{plot.palette.name}-{code}" width="{TILE}" height="{TILE}" patternUnits="userSpaceOnUse">'
        f'<rect width="{TILE}" height="{TILE}" fill="{drawn.colour}"/>'
        f'<path d="{drawn.path}" stroke="{drawn.hatch}" /></pattern>'
        for code, drawn in plot.palette.looks.items()
        if drawn.path
    ]
    return f"<defs>{''.join(patterns)}</defs>"


def _lane_labels(plot: _Plot) -> list[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10**9) if step * plot.lane >= 12)
    return [
        f'<text x="{plot.left - 8:.1f}" y="{plot.top + (place + 0.5) * plot.lane + 4:.1f}" text-anchor="end">'
        f"{for_xml(plot.seen.lane_text(place, _LABEL_LENGTH))}</text>"
        for place in range(0, len(plot.seen.labels), step)
    ]


def _ticks(plot: _Plot) -> list[str]:
    seen = plot.seen
    if not len(seen.segments.lane):
        return []
    times, texts = round_times(seen.start, seen.end, least=(seen.end - seen.start) * _TICK_DISTANCE / plot.width)
    lines = []
    for time, text in zip(times, texts, strict=True):
        x = plot.x(time)
        lines.append(f'<path d="{plot.upright(x, plot.top, 5)}" stroke="{plot.palette.grid}"/>')
        if x + _TICK_DISTANCE / 3 < plot.left + plot.width + _EDGE:  # else the paper's edge would cut it
            lines.append(f'<text x="{x:.1f}" y="{plot.foot + 19:.1f}" text-anchor="middle" font-size="11">{text}</text>')
    return lines


def _segments(plot: _Plot) -> list[str]:
    """One path a state: a rectangle is but its corner and its sides."""
    segments = plot.seen.segments
    scale = plot.width / (plot.seen.end - plot.seen.start)
    x = plot.left + (segments.start - plot.seen.start) * scale
    width = np.maximum((segments.end - segments.start) * scale, 0.7)
    space = 3 if plot.lane >= 10 else plot.lane * 0.2 if plot.lane >= 4 else 0
    y = plot.top + segments.lane * plot.lane + space / 2
    height = plot.lane - space
    lines = []
    for code in sorted(SEVERITY, key=SEVERITY.__getitem__):
        of_state = segments.state == code
        if of_state.any():
            corners = zip(x[of_state].tolist(), y[of_state].tolist(), width[of_state].tolist(), strict=True)
            fill = _fill(plot.palette, code, hatched=plot.lane >= _HATCHED_LANE)
            path = "".join(f"M{left:.1f},{top:.1f}h{long:.1f}v{height:.1f}h-{long:.1f}z" for left, top, long in corners)
            lines.append(f'<path data-state="{plot.palette.looks[code].label}" fill="{fill}" d="{path}"/>')
    return lines


def _line(plot: _Plot, place: float) -> str:
    path = f'd="{plot.upright(plot.left + place, plot.top - 4)}"'
    return f'<path {path} stroke="{plot.palette.page}" stroke-opacity="0.6" stroke-width="3"/><path {path} stroke="{plot.palette.ink}"/>'


def _line_label(plot: _Plot, place: float, text: str, row: int, *, runs_left: bool) -> str:
    x, y = plot.left + place, plot.top - 8 - row * _MARK_ROW
    anchor, space = ("end", -4) if runs_left else ("start", 4)
    return (
        f'<path d="M{x:.1f},{plot.top - 4}V{y - 8}" stroke="{plot.palette.ink}"/>'
        f'<text x="{x + space:.1f}" y="{y}" text-anchor="{anchor}" font-size="11">{for_xml(text)}</text>'
    )


def _symbols(plot: _Plot, marks: Sequence[PlacedMark]) -> str:
    """A small triangle on the lane for each mark of a module; a dot where lanes are thin."""
    if not marks:
        return ""
    shape = "m-4,-3h8l-4,7z" if plot.lane >= 8 else "m-1,-1h2v2h-2z"
    corners = ((plot.x(mark.time), plot.top + ((mark.lane or 0) + 0.5) * plot.lane) for mark in marks)
    path = "".join(f"M{x:.1f},{y:.1f}{shape}" for x, y in corners)
    return f'<path d="{path}" fill="#ffffff" stroke="#000000" stroke-width="{1 if plot.lane >= 8 else 0.3}"/>'


def _legend(plot: _Plot, y: float) -> list[str]:
    lines, x = [], plot.left
    for code, drawn in plot.palette.looks.items():
        if not (plot.seen.segments.state == code).any():
            continue
        lines.append(f'<rect x="{x:.1f}" y="{y - 10:.1f}" width="14" height="12" fill="{_fill(plot.palette, code)}"/>')
        lines.append(f'<text x="{x + 19:.1f}" y="{y:.1f}">{drawn.label}</text>')
        x += 19 + _CHARACTER * 1.15 * len(drawn.label) + 18
    if lines:
        lines.append(f'<text x="{plot.left + plot.width:.1f}" y="{y:.1f}" text-anchor="end">time, UTC</text>')
    return lines
