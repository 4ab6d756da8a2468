"""What a report shows of each kind of output, and what it says about the notebook."""

import base64
import json
import struct
import warnings
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinypool_nb.report.html import TinypoolHTMLExporter
from tinypool_nb.report.offline import PLOTLY, WIDGET_STATE, WIDGET_VIEW, Facts, Offline, Shown, settle
from tinypool_nb.report.plots import plot_html, script_json
from tinypool_nb.widgets.packing import VERSION
from tinypool_nb.widgets.still import REPLAY

VIEW = {"model_id": "m", "version_major": 2, "version_minor": 0}
FIGURE = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"title": {"text": "A plot"}}}


class Elements(HTMLParser):
    """The elements of a piece of HTML, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.tags[-1] == "script" and len(self.scripts) < self.tags.count("script"):
            self.scripts.append(data)


REPLAYED = {"head": {"version": VERSION, "type": "snapshot", "lanes": ["</script><b>"]}, "records": ""}


def drawn(data: dict[str, Any]) -> Any:
    """The figure that a settled output draws."""
    return json.loads(Elements(data["text/html"]).scripts[0])


def test_a_plotly_figure_becomes_a_place_to_draw_in() -> None:
    data: dict[str, Any] = {PLOTLY: FIGURE, "text/plain": "Figure()"}
    assert settle(data, {}) is Shown.PLOT
    assert PLOTLY not in data
    assert drawn(data) == {**FIGURE, "config": {}}


def test_a_figure_widget_becomes_a_plot_with_its_binary_arrays() -> None:
    values = base64.b64encode(struct.pack("<3d", 1.0, 2.0, 3.0)).decode()
    model = {
        "state": {
            "_widget_data": [{"type": "bar", "x": ["a", "b", "c"], "y": {"dtype": "float64", "shape": [3]}}],
            "_widget_layout": {"title": {"text": "W"}},
        },
        "buffers": [{"encoding": "base64", "path": ["_widget_data", 0, "y", "buffer"], "data": values}],
    }
    data: dict[str, Any] = {WIDGET_VIEW: VIEW, "text/plain": "FigureWidget()"}
    assert settle(data, {"m": model}) is Shown.PLOT
    assert WIDGET_VIEW not in data
    assert drawn(data)["data"] == [{"type": "bar", "x": ["a", "b", "c"], "y": {"dtype": "float64", "bdata": values}}]


def test_static_data_are_shown_in_place_of_a_live_view() -> None:
    data: dict[str, Any] = {WIDGET_VIEW: VIEW, "text/html": "<i>static</i>", "text/plain": "x"}
    assert settle(data, {"m": {"state": {}}}) is Shown.AS_IT_IS
    assert data == {"text/html": "<i>static</i>", "text/plain": "x"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"application/json": {"a": 1}}, "An output of type <code>application/json</code>, which a report does not show."),
        (
            {"application/javascript": "x()", "application/x<b>": "y"},
            "An output of type <code>application/javascript</code> or <code>application/x&lt;b&gt;</code>, which a report does not show.",
        ),
        ({REPLAY: {"head": {}}}, f"An output of type <code>{REPLAY}</code>, which a report does not show."),
        ({}, "An output without content."),
    ],
)
def test_what_no_report_shows_is_named_in_its_place_and_nobody_is_warned(data: dict[str, Any], told: str) -> None:
    cell = new_code_cell("display()", outputs=[new_output("display_data", data)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, _ = TinypoolHTMLExporter().from_notebook_node(new_notebook(cells=[cell]))
    assert f'<p class="tinypool-note">{told}</p>' in page


def test_a_live_view_alone_becomes_a_note_that_escapes_its_text() -> None:
    data: dict[str, Any] = {WIDGET_VIEW: VIEW, "text/plain": "IntSlider(description='<script>')"}
    assert settle(data, {}) is Shown.AS_IT_IS
    assert "&lt;script&gt;" in data["text/html"]
    assert "script" not in Elements(data["text/html"]).tags


def test_a_static_picture_stands_in_for_a_plot_where_there_is_no_javascript() -> None:
    data: dict[str, Any] = {PLOTLY: FIGURE, "text/html": "<img alt='lanes' src='data:image/svg+xml;base64,AA=='>"}
    settle(data, {})
    assert "<noscript><img alt='lanes'" in data["text/html"]


def test_html_that_would_run_something_is_no_stand_in() -> None:
    data: dict[str, Any] = {PLOTLY: FIGURE, "text/html": "<SCRIPT>require(['plotly'])</SCRIPT>"}
    settle(data, {})
    assert "require" not in data["text/html"]


def test_the_widget_state_is_dropped_and_plots_are_counted() -> None:
    plot = new_output("display_data", {PLOTLY: FIGURE})
    nb = new_notebook(cells=[new_code_cell("", outputs=[plot]), new_code_cell("", outputs=[new_output("stream", text="hello")])])
    nb.metadata["widgets"] = {WIDGET_STATE: {"state": {}}}
    nb, resources = Offline().preprocess(nb, {"metadata": {"name": "n"}})
    assert "widgets" not in nb.metadata
    assert resources["tinypool"].plots == 1


def facts(nb: NotebookNode) -> Facts:
    found: Facts = Offline().preprocess(nb, {"metadata": {"name": "notes"}})[1]["tinypool"]
    return found


def test_the_title_is_the_first_heading_or_else_the_name_of_the_file() -> None:
    assert facts(new_notebook(cells=[new_markdown_cell("# Why <it> broke\n\ntext")])).title == "Why <it> broke"
    assert facts(new_notebook(cells=[new_markdown_cell("text\n# later")])).title == "notes"
    assert facts(new_notebook()).title == "notes"


def test_when_it_was_run_comes_from_the_cells() -> None:
    first, last = new_code_cell("1"), new_code_cell("2")
    first.metadata["execution"] = {"iopub.execute_input": "2026-11-23T13:00:00.5+01:00", "shell.execute_reply": "2026-11-23T12:00:01Z"}
    last.metadata["execution"] = {
        "iopub.execute_input": "2026-11-23T12:00:30Z",
        "odd": "yesterday",
        "naive": "2020-01-01T00:00",
    }
    provenance = facts(new_notebook(cells=[first, last])).provenance
    assert "run on 2026-11-23 at 12:00 UTC in 30 s" in provenance


def test_a_notebook_without_times_says_so() -> None:
    assert "when it was run is not recorded" in facts(new_notebook(cells=[new_code_cell("1")])).provenance


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_survives_inside_a_script_element(value: Any) -> None:
    html = f"<script>{script_json(value)}</script>"
    assert Elements(html).tags == ["script"]
    assert json.loads(Elements(html).scripts[0]) == without_nan(value)


def without_nan(value: Any) -> Any:
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:  # noqa: PLR0124 - NaN alone differs from itself
        return value
    if isinstance(value, float):
        return None
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return {key: without_nan(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(st.text())
def test_no_title_breaks_out_of_its_plot(title: str) -> None:
    html = plot_html({"data": [], "layout": {"title": {"text": title}}})
    assert Elements(html).tags == ["div", "script", "noscript"]


@pytest.mark.parametrize("height", [None, "500; color: red", float("nan"), [1]])
def test_an_odd_height_is_passed_over(height: Any) -> None:
    assert 'style="min-height: 450px"' in plot_html({"data": [], "layout": {"height": height}})


def test_a_live_view_stands_as_its_last_picture_and_can_be_played() -> None:
    data: dict[str, Any] = {REPLAY: REPLAYED, "text/html": "<img alt='picture'>", "text/plain": "text"}
    assert settle(data, {}) is Shown.PLAYER
    assert set(data) == {"text/html", "text/plain"}
    assert "<img alt='picture'>" in data["text/html"]
    assert data["text/html"].count("</script>") == 1


@pytest.mark.parametrize("replay", [None, 1, [], {}, {"head": {}, "records": ""}, {**REPLAYED, "records": 7}, {**REPLAYED, "head": []}])
def test_what_cannot_be_played_stays_a_picture(replay: object) -> None:
    data = {REPLAY: replay, "text/html": "<img>"}
    assert settle(data, {}) is Shown.AS_IT_IS
    assert data == {"text/html": "<img>"}


def test_on_paper_nothing_is_played() -> None:
    data = {REPLAY: REPLAYED, "text/html": "<img>"}
    assert settle(data, {}, paper=True) is Shown.AS_IT_IS
    assert data == {"text/html": "<img>"}
