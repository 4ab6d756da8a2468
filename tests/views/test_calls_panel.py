"""The calls under the lanes of the timeline: by the figure's JSON, and in a real browser where pixels and pointers matter."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.report.html import write_report
from tinypool_nb.views.calls_panel import EXACT_CALLS, HEIGHT, MOST_CALLS
from tinypool_nb.views.figure_layout import BOTTOM, GRID, TOP
from tinypool_nb.views.figures import timeline
from tinypool_nb.views.shown_calls import duration_range, duration_ticks

START = 1_770_000_000_000_000_000
SECOND = 1_000_000_000
NOW = START + 60 * SECOND
REASON = "Stream removed (Socket closed)"
HOSTILE = ["<script>document.title='owned'</script>", "<b>bold</b>", "%{x} %{customdata}", "$\\alpha$", '"quotes" 🚀 مرحبا']
LANES: list[Any] = [
    (None, "a", 0, 20, 2, ""),
    (None, "a", 20, 30, 3, "UNAVAILABLE: connection refused"),
    (None, "a", 30, None, 2, ""),
    (None, "b", 0, None, 2, ""),
]
CALLS: list[Any] = [
    (None, "a", 1, 0.004, "OK", ""),
    (None, "a", 10, 10, "UNAVAILABLE", REASON),
    (None, "a", 25, 0.0007, "UNAVAILABLE", "failed to connect to all addresses"),
    (None, "b", 40, 0.02, "OK", ""),
    (None, "b", 41, 5, "DEADLINE_EXCEEDED", "Deadline Exceeded"),
]


def calls_of(figure: go.Figure, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == f"calls {name}" and trace.mode == "markers"]
    return found


def lines_of(figure: go.Figure, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == f"calls {name}" and trace.mode == "lines"]


def heading(figure: go.Figure) -> str:
    text: str = figure.layout.annotations[-1].text
    return text


def is_valid(figure: go.Figure) -> bool:
    """Ours are made without plotly's validation, so this is where it happens: an unknown or wrong property raises."""
    return bool(go.Figure(json.loads(figure.to_json())))


def many(calls: pd.DataFrame, count: int) -> pd.DataFrame:
    """The first row `count - 1` times, spread over a minute, and the second one in the middle."""
    rng = np.random.default_rng(0)
    place = np.zeros(count, dtype=np.int64)
    place[count // 2] = 1
    end = START + np.sort(rng.integers(SECOND, 59 * SECOND, count))
    start = end - rng.lognormal(np.log(3e6), 1, count).astype(np.int64)
    spread = calls.take(place).reset_index(drop=True)
    return spread.assign(start=pd.to_datetime(start, utc=True), end=pd.to_datetime(end, utc=True), duration=(end - start) / SECOND)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_answered_and_failed_calls_differ_by_colour_and_symbol(make_intervals: Any, make_calls: Any, theme: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW, theme=theme)
    answered, failed = calls_of(figure, "answered"), calls_of(figure, "failed")
    looks = PALETTES[theme].looks
    assert (answered.marker.symbol, answered.marker.color) == ("circle", looks[2].colour)
    assert (failed.marker.symbol, failed.marker.color) == ("x", looks[3].colour)
    assert [trace.name for trace in figure.data if trace.showlegend and trace.yaxis == "y2"] == ["calls answered", "calls failed"]
    assert is_valid(figure)


def test_a_call_stands_at_its_end_and_at_the_height_of_its_duration(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    answered, failed = calls_of(figure, "answered"), calls_of(figure, "failed")
    assert list(answered.x) == ["2026-02-02T02:40:01.004000", "2026-02-02T02:40:40.020000"]
    assert list(answered.y) == [0.004, 0.02]
    assert list(failed.y) == [10.0, 0.0007, 5.0]
    assert figure.layout.yaxis2.type == "log"
    low, high = figure.layout.yaxis2.range
    assert 10**low < 0.0007
    assert 10**high > 10
    assert list(figure.layout.yaxis2.ticktext) == ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]


def test_a_long_call_has_a_line_from_its_start(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    (line,) = lines_of(figure, "failed")
    assert lines_of(figure, "answered") == []
    assert list(line.x)[:3] == ["2026-02-02T02:40:10.000000", "2026-02-02T02:40:20.000000", None]
    assert list(line.y) == [10.0] * 3 + [5.0] * 3
    assert (line.legendgroup, line.showlegend) == (calls_of(figure, "failed").legendgroup, False)


def test_the_panel_shares_the_axis_of_time_which_moves_to_the_bottom(make_intervals: Any, make_calls: Any, make_marks: Any) -> None:
    marks = make_marks([(30, "note", None, None, "deployed v2")])
    figure = timeline(make_intervals(LANES), marks, make_calls(CALLS), now=NOW)
    assert {trace.xaxis for trace in figure.data} == {None}
    assert (figure.layout.xaxis.anchor, figure.layout.xaxis.title.text) == ("y2", "time, UTC")
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]
    assert [trace.yaxis for trace in figure.data if trace.name == "notes"] == [None, None, "y2", "y2"]


def test_the_panel_adds_height_and_takes_none(make_intervals: Any, make_calls: Any) -> None:
    for count in (1, 10, 300, 1_000):
        intervals = make_intervals([(None, f"m{lane}", 0, None, 2, "") for lane in range(count)])
        before = timeline(intervals, now=NOW)
        figure = timeline(intervals, None, make_calls([(None, "m0", 1, 0.1, "OK", "")]), now=NOW)
        assert figure.layout.height == before.layout.height + HEIGHT
        bottom, top = figure.layout.yaxis.domain
        assert (top - bottom) * (figure.layout.height - TOP - figure.layout.margin.b) == pytest.approx(before.layout.height - TOP - BOTTOM)


def test_a_given_height_is_kept(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW, width=500, height=600)
    assert (figure.layout.width, figure.layout.height) == (500, 600)


def test_without_calls_the_figure_is_what_it_was(make_intervals: Any, make_calls: Any) -> None:
    intervals = make_intervals(LANES)
    before = timeline(intervals, now=NOW, modules=["a"]).to_json()
    assert timeline(intervals, None, make_calls([]), now=NOW, modules=["a"]).to_json() == before
    assert timeline(intervals, None, make_calls(CALLS[3:]), now=NOW, modules=["a"]).to_json() == before
    assert "calls" not in before


def test_only_the_calls_of_the_chosen_modules_are_drawn(make_intervals: Any, make_calls: Any) -> None:
    calls = make_calls([*CALLS, ("ns", "b", 2, 0.001, "OK", "")])
    figure = timeline(make_intervals(LANES), None, calls, now=NOW, modules=["b"])
    assert [len(calls_of(figure, name).x) for name in ("answered", "failed")] == [1, 1]
    assert heading(figure) == "1 of 2 calls failed"
    assert "Below it stand 2 calls, by end and duration: 1 failed (1 DEADLINE_EXCEEDED)." in figure.layout.meta["description"]


def test_the_hover_tells_all_about_a_call(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    assert calls_of(figure, "failed").hovertext[0] == (
        "<b>a</b><br>module.ModuleService/Message<br>UNAVAILABLE: the module cannot be reached, or went away during the call"
        f"<br>10.0 s, from 2026-02-02 02:40:10.000 UTC<br>1,000 B sent, 20 B received<br>{REASON}"
    )
    assert (
        calls_of(figure, "answered")
        .hovertext[0]
        .endswith("<br>OK: answered<br>4.0 ms, from 2026-02-02 02:40:01.000 UTC<br>1,000 B sent, 20 B received")
    )


def test_the_description_tells_of_the_calls(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    assert figure.layout.meta["description"].endswith(
        "Below it stand 5 calls, by end and duration: 3 failed (2 UNAVAILABLE, 1 DEADLINE_EXCEEDED). "
        "Half took at most 20 ms, 99 of 100 at most 10.0 s; the longest took 10.0 s, of a."
    )
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS[:1]), now=NOW)
    assert figure.layout.meta["description"].endswith("Below it stands 1 call, by end and duration: none failed. It took 4.0 ms, of a.")


def test_calls_before_and_after_all_intervals_are_drawn(make_intervals: Any, make_calls: Any) -> None:
    calls = make_calls([(None, "a", -30, 0.01, "OK", ""), (None, "a", 100, 10, "OK", "")])
    figure = timeline(make_intervals(LANES), None, calls, now=NOW)
    start, end = figure.layout.xaxis.range
    assert start < "2026-02-02T02:39:30"
    assert end > "2026-02-02T02:41:50"
    figure = timeline(make_intervals([]), None, calls, now=NOW)
    assert (figure.layout.xaxis.visible, [note.text for note in figure.layout.annotations]) == (True, ["2 calls, none failed"])


def test_a_call_that_took_no_time_has_a_place_on_the_axis(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls([(None, "a", 1, 0, "CANCELLED", "")]), now=NOW)
    assert list(calls_of(figure, "failed").y) == [1e-6]
    assert "<br>0 ms, from" in calls_of(figure, "failed").hovertext[0]
    assert is_valid(figure)


def test_few_calls_are_exact_and_many_are_thinned_and_say_so(make_intervals: Any, make_calls: Any) -> None:
    two = make_calls([CALLS[0], CALLS[1]])
    figure = timeline(make_intervals(LANES), None, many(two, EXACT_CALLS), now=NOW)
    assert sum(len(calls_of(figure, name).x) for name in ("answered", "failed")) == EXACT_CALLS
    assert heading(figure) == "1 of 3,000 calls failed"
    figure = timeline(make_intervals(LANES), None, many(two, EXACT_CALLS * 4), now=NOW)
    drawn = sum(len(calls_of(figure, name).x) for name in ("answered", "failed"))
    assert drawn < EXACT_CALLS
    assert heading(figure) == f"1 of 12,000 calls failed; {drawn:,} marks stand for all"
    assert any("the slowest of" in hover for hover in calls_of(figure, "answered").hovertext)
    assert is_valid(figure)


def test_one_failed_call_among_a_million_is_drawn(make_intervals: Any, make_calls: Any) -> None:
    figure = timeline(make_intervals(LANES), None, many(make_calls([CALLS[0], CALLS[1]]), 1_000_000), now=NOW)
    failed = calls_of(figure, "failed")
    assert len(failed.x) == 1
    assert REASON in failed.hovertext[0]
    assert "the slowest of" not in failed.hovertext[0]
    assert EXACT_CALLS / 2 < len(calls_of(figure, "answered").x) < MOST_CALLS
    assert heading(figure).startswith("1 of 1,000,000 calls failed")
    assert len(figure.to_json()) < 3_000_000


def test_hostile_text_is_escaped_in_the_panel(make_intervals: Any, make_calls: Any) -> None:
    intervals = make_intervals([(None, name, 0, None, 2, "") for name in HOSTILE])
    calls = make_calls([(None, name, 1, 0.1, "UNKNOWN", f"{name} <img src=x onerror=alert(1)>") for name in HOSTILE])
    calls["method"] = pd.Categorical(HOSTILE)
    figure = timeline(intervals, None, calls, now=NOW)
    assert is_valid(figure)
    figure.layout.meta = None  # plain text, never drawn
    shown = figure.to_json().encode().decode("unicode_escape", "replace")
    for text in ("<script", "<img", "<b>bold", "%{", "$"):
        assert text not in shown


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20), st.sampled_from([4, 6]))
def test_an_axis_of_any_durations_holds_them_and_has_a_few_ticks(seconds: list[float], most: int) -> None:
    low, high = duration_range(np.array(seconds))
    assert low < math.log10(min(seconds))
    assert math.log10(max(seconds)) < high
    ticks = duration_ticks(low, high, most=most)
    assert 2 <= len(ticks) <= most
    assert all(low <= math.log10(tick) + 1e-9 and math.log10(tick) - 1e-9 <= high for tick in ticks)


@pytest.mark.browser
def test_a_browser_moves_both_together_and_leaves_the_lanes_their_height(
    make_intervals: Any, make_calls: Any, browser: Any, tmp_path: Path
) -> None:
    intervals, page_file = make_intervals(LANES), tmp_path / "timeline.html"
    timeline(intervals, now=NOW).write_html(page_file, include_plotlyjs=True)
    lanes = browser.open(page_file).evaluate("document.querySelector('.plotly-graph-div')._fullLayout.yaxis._length")
    calls = make_calls([*CALLS, (None, "a", 22, 0.1, "UNKNOWN", HOSTILE[0])])
    timeline(intervals, None, calls, now=NOW).write_html(page_file, include_plotlyjs=True)
    page = browser.open(page_file)
    page.wait_for_selector(".scatterlayer .point")
    layout = "document.querySelector('.plotly-graph-div')._fullLayout"
    assert lanes <= page.evaluate(f"{layout}.yaxis._length") < lanes + 5
    assert page.title() != "owned"

    failure, failed = page.locator(".xy .barlayer .trace").last.locator(".point"), page.locator(".xy2 .scatterlayer .point").last
    before = [one.bounding_box()["x"] for one in (failure, failed)]
    box = page.locator(".xy2 .scatterlayer").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 105, box["y"] + 40, steps=4)
    page.mouse.up()
    moved = [one.bounding_box()["x"] - place for one, place in zip((failure, failed), before, strict=True)]
    assert moved == [pytest.approx(100, abs=10)] * 2
    assert moved[0] == pytest.approx(moved[1], abs=1)

    texts = page.eval_on_selector_all(".ytitle, .y2title, .xtitle, .annotation-text, .legendtext", "all => all.map(one => one.textContent)")
    assert {"duration of calls", "time, UTC", "4 of 6 calls failed", "calls answered", "calls failed"} <= set(texts)


@pytest.mark.browser
def test_the_panel_turns_dark_in_a_dark_report(make_intervals: Any, make_calls: Any, browser: Any, tmp_path: Path) -> None:
    figure = timeline(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    output = {"output_type": "display_data", "metadata": {}, "data": {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}}
    cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}, "source": "pool.timeline()", "outputs": [output]}
    notebook = tmp_path / "look.ipynb"
    notebook.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}), encoding="utf-8")
    write_report(notebook, tmp_path / "report.html")
    page = browser.open(tmp_path / "report.html", color_scheme="dark")
    page.wait_for_selector(".tinypool-plot .scatterlayer .point")
    dark = PALETTES["dark"]
    plot = "document.querySelector('.tinypool-plot')"
    markers = f"{plot}._fullData.filter((trace) => trace.mode === 'markers')"
    colours = page.evaluate(f"{markers}.map(({{ name, marker }}) => [name, marker.color, marker.line.color])")
    assert colours == [["calls answered", dark.looks[2].colour, dark.page], ["calls failed", dark.looks[3].colour, dark.page]]
    assert page.evaluate(f"{plot}._fullLayout.yaxis2.gridcolor") == GRID  # quiet on both pages
    assert page.evaluate(f"{plot}._fullLayout.xaxis.spikecolor") == dark.ink
    assert "Below it stand 5 calls" in page.locator(".tinypool-plot").get_attribute("aria-label")
