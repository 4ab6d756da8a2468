"""The marks of a timeline as plotly draws them: lines with labels about all modules, symbols on the lanes of one."""

from typing import Any

import numpy as np

from tinypool_nb.core.palette import Palette
from tinypool_nb.views.figure_layout import HATCHED_LANE, iso_times
from tinypool_nb.views.swimlanes import PlacedMark, Swimlanes
from tinypool_nb.views.wording import cut, for_plotly, label_rows, lines_for_plotly, one_line, times_text

MOST_MODULE_MARKS = 2_000
"""Symbols on lanes; the newest are kept."""
MARK_ROW_HEIGHT = 16
"""Pixels that a row of labels takes above the plot."""

_LENGTH = 40
_CHARACTER = 6.2
"""Pixels: the width of one character of a mark's label, on the average."""
_SYMBOLS = {"note": "diamond", "action": "triangle-down", "discovery": "hexagon", "record": "square"}


def mark_labels(seen: Swimlanes, pixels: int, palette: Palette) -> tuple[list[dict[str, Any]], int]:
    """The labels of marks about all modules, and how many rows they need; what does not fit shows on hover."""
    marks = [mark for mark in seen.marks if mark.lane is None]
    texts = [cut(one_line(mark.text), _LENGTH, keep_end=False) for mark in marks]
    times = iso_times(np.array([mark.time for mark in marks], dtype=np.int64))
    places = [(mark.time - seen.start) / (seen.end - seen.start) * pixels for mark in marks]
    placed, rows = label_rows(places, texts, width=pixels, character=_CHARACTER)
    labels = [
        {
            "text": for_plotly(texts[index]),
            "x": times[index],
            "xanchor": "right" if runs_left else "left",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            # The arrow without a head leads the line on to its label.
            "showarrow": True,
            "arrowhead": 0,
            "arrowwidth": 1,
            "arrowcolor": palette.ink,
            "ax": 0,
            "ay": -row * MARK_ROW_HEIGHT,
            "borderpad": 3,
            "font": {"size": 11, "color": palette.ink},
        }
        for index, row, runs_left in placed
    ]
    return labels, rows


def mark_traces(seen: Swimlanes, palette: Palette, lane_height: float) -> list[dict[str, Any]]:
    """Lines across all lanes for marks about all, symbols on the lanes for those of one module."""
    traces = mark_lines(seen, palette, -0.5, max(len(seen.labels), 1) - 0.5)
    on_lanes = [mark for mark in seen.marks if mark.lane is not None][-MOST_MODULE_MARKS:]
    if on_lanes:
        traces.append(_symbols(on_lanes, seen, lane_height))
    return traces


def mark_lines(seen: Swimlanes, palette: Palette, top: float, bottom: float) -> list[dict[str, Any]]:
    """A line for each mark about all modules, with a halo, from `top` to `bottom` on the axis y."""
    marks = [mark for mark in seen.marks if mark.lane is None]
    halo = {"color": f"{palette.page}a0", "width": 3}
    return [_lines(marks, seen, line, top, bottom) for line in (halo, {"color": palette.ink, "width": 1})] if marks else []


def _lines(marks: list[PlacedMark], seen: Swimlanes, line: dict[str, Any], top: float, bottom: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "notes",
        "showlegend": False,
        "x": [x for time in iso_times(np.array([mark.time for mark in marks])) for x in (time, time, None)],
        "y": [top, bottom, None] * len(marks),
        "hovertext": [text for mark in marks for text in (_hover(mark, seen), _hover(mark, seen), "")],
        "hoverinfo": "text",
        "line": line,
    }


def _symbols(marks: list[PlacedMark], seen: Swimlanes, lane_height: float) -> dict[str, Any]:
    small = lane_height < HATCHED_LANE
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "marks",
        "showlegend": True,
        "legendrank": 1100,
        "x": iso_times(np.array([mark.time for mark in marks])),
        "y": [mark.lane for mark in marks],
        "hovertext": [_hover(mark, seen) for mark in marks],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": {
            "symbol": "circle" if small else [_SYMBOLS.get(mark.kind, "diamond") for mark in marks],
            "size": 3 if small else 9,
            # By name, not by number: a report that turns a light figure dark leaves these as they are.
            "color": "black" if small else "white",
            "line": {"color": "white" if small else "black", "width": 0.5 if small else 1},
        },
    }


def _hover(mark: PlacedMark, seen: Swimlanes) -> str:
    whose = "" if mark.lane is None else f"<b>{lines_for_plotly(seen.labels[mark.lane], width=60)}</b><br>"
    return f"{whose}{lines_for_plotly(mark.text)}<br>{times_text(np.array([mark.time]))[0]} UTC ({mark.kind})"
