"""Plotly figures as inert HTML: their JSON stands in the page, `pages/plots.js` draws it."""

import html
import json
import math
from collections.abc import Mapping
from typing import Any

Json = Any
"""What JSON can hold: None, bool, int, float, str, lists and dicts of these."""

DEFAULT_HEIGHT = 450
"""Pixels: plotly.js's own."""


def plot_html(figure: Mapping[str, Json], *, fallback: str = "") -> str:
    """The figure as a place to draw in and its JSON, with `fallback` (HTML) for a reader without JavaScript.

    >>> plot_html({"data": [], "layout": {"title": {"text": "</script><b>"}}}).count("</script>")
    1
    """
    layout = figure.get("layout") or {}
    content = {"data": figure.get("data") or [], "layout": layout, "config": figure.get("config") or {}}
    label = html.escape(_description(layout))
    return (
        f'<div class="tinypool-plot" role="figure" aria-label="{label}" style="min-height: {_height(layout):g}px">'
        f'<script type="application/json">{script_json(content)}</script>'
        f"<noscript>{fallback or 'This plot is drawn by JavaScript, which is switched off here.'}</noscript>"
        "</div>"
    )


def figure_of_widget(model: Mapping[str, Json]) -> dict[str, Json] | None:
    """The figure in the saved state of a plotly FigureWidget; None if `model` is the state of another widget.

    A cell saves what the figure was when it was displayed; what changed later is not in it.

    Args:
        model: an entry of the notebook's widget state, with `state` and `buffers`.
    """
    state = model.get("state") or {}
    if "_widget_data" not in state or "_widget_layout" not in state:
        return None
    buffers = {tuple(buffer["path"]): buffer["data"] for buffer in model.get("buffers") or ()}
    return {
        "data": _with_arrays(state["_widget_data"], ("_widget_data",), buffers),
        "layout": _with_arrays(state["_widget_layout"], ("_widget_layout",), buffers),
        "config": state.get("_config") or {},
    }


def script_json(value: Json) -> str:
    r"""JSON that can stand inside a `<script>`: no text in it can end the element or open a comment, no number is NaN.

    >>> script_json(["</script>", float("nan")])
    '["\\u003c/script\\u003e", null]'
    """
    text = json.dumps(_finite(value), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _with_arrays(value: Json, path: tuple[str | int, ...], buffers: Mapping[tuple[str | int, ...], str]) -> Json:
    """`value` with its binary arrays put in, as plotly.js reads them: base64 and a dtype."""
    if isinstance(value, Mapping):
        data = buffers.get((*path, "buffer"))
        if data is not None:
            return {"dtype": value["dtype"], "bdata": data}
        return {key: _with_arrays(item, (*path, key), buffers) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, (*path, place), buffers) for place, item in enumerate(value)]
    return value


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _description(layout: Mapping[str, Json]) -> str:
    """The text alternative that our figures carry, or else the title."""
    meta, title = layout.get("meta"), layout.get("title")
    described = meta.get("description") if isinstance(meta, Mapping) else None
    titled = title.get("text") if isinstance(title, Mapping) else title
    return str(described or titled or "a plot")


def _height(layout: Mapping[str, Json]) -> float:
    height = layout.get("height")
    return height if isinstance(height, int | float) and math.isfinite(height) else DEFAULT_HEIGHT
