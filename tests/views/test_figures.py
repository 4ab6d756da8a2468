"""What the figures show, by their JSON and, where names are hostile, in a real browser."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.palette import PALETTES
from tinypool_nb.core.states import STATES, UNKNOWN
from tinypool_nb.views import figures
from tinypool_nb.views.backoff_figure import keeps_to, measured_gaps
from tinypool_nb.views.figures import backoff_plot, timeline

START = 1_770_000_000_000_000_000
SECOND = 1_000_000_000
NOW = START + 60 * SECOND
REASON = "UNAVAILABLE: ipv4:127.0.0.1:33651: Failed to connect to remote host: Connection refused"
HOSTILE = [
    "<script>document.title='owned'</script>",
    "<b>bold</b>",
    "%{x} %{customdata}",
    "$\\alpha$",
    "&amp;",
    '"quotes"',
    "🚀 مرحبا",
    "n" * 253,
]

# A life of one module: every state but SHUTDOWN, and a gap.
LIFE: list[Any] = [
    (None, "a", 0, 2, 0, ""),
    (None, "a", 2, 2.5, 1, ""),
    (None, "a", 2.5, 20, 2, ""),
    (None, "a", 20, 32.25, 3, REASON),
    (None, "a", 32.25, 40, -1, ""),
    (None, "a", 40, None, 2, ""),
]


def bars(figure: go.Figure) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data if trace.type == "bar"}


def all_hovers(figure: go.Figure) -> list[str]:
    return [text for trace in figure.data if trace.hovertext is not None for text in trace.hovertext]


def is_valid(figure: go.Figure) -> bool:
    """Ours are made without plotly's validation, so this is where it happens: an unknown or wrong property raises."""
    return bool(go.Figure(json.loads(figure.to_json())))


def test_one_bar_trace_a_state_with_base_and_length(make_intervals: Any) -> None:
    figure = timeline(make_intervals(LIFE), now=NOW)
    traces = bars(figure)
    assert set(traces) == {"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE", "unknown"}
    ready = traces["READY"]
    assert ready.orientation == "h"
    assert list(ready.base) == ["2026-02-02T02:40:02.500000", "2026-02-02T02:40:40.000000"]
    assert list(ready.x) == [17_500.0, 20_000.0]  # milliseconds; the open one ends at now
    assert list(ready.y) == [0, 0]
    assert is_valid(figure)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_and_patterns_come_from_the_palette(make_intervals: Any, theme: Any) -> None:
    rows = [(None, "a", place, place + 1, code, "") for place, code in enumerate([*range(5), UNKNOWN])]
    figure = timeline(make_intervals(rows), now=NOW, theme=theme)
    traces = bars(figure)
    for look in PALETTES[theme].looks.values():
        marker = traces[look.label].marker
        assert marker.color == look.colour
        assert (marker.pattern.shape or "") == look.shape
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color == PALETTES[theme].ink
    assert [trace.name for trace in sorted(figure.data, key=lambda trace: trace.legendrank)] == [*map(str, STATES), "unknown"]
    assert figure.data[-1].name == "TRANSIENT_FAILURE"  # on top


def test_hover_tells_module_state_duration_times_and_reason(make_intervals: Any) -> None:
    traces = bars(timeline(make_intervals(LIFE), now=NOW))
    (failure,) = traces["TRANSIENT_FAILURE"].hovertext
    assert failure.startswith("<b>a</b><br>TRANSIENT_FAILURE, 12.2 s<br>2026-02-02 02:40:20.000 to 02:40:32.250 UTC")
    assert failure.replace("<br>", " ").endswith(REASON)
    assert "to now UTC" in traces["READY"].hovertext[-1]
    assert {trace.hoverinfo for trace in traces.values()} == {"text"}
    assert all(trace.hovertemplate is None for trace in traces.values())


def test_plaintext_is_said_in_the_subtitle_and_on_every_segment(make_intervals: Any) -> None:
    figure = timeline(make_intervals(LIFE), now=NOW)
    assert figure.layout.title.subtitle.text.endswith(" · plaintext")
    assert list(figure.layout.yaxis.ticktext) == ["a"], "where all are, no lane says so"
    assert all("UTC<br>plaintext" in hover for hover in all_hovers(figure))


def test_where_transports_differ_lanes_of_plaintext_modules_say_so(make_intervals: Any) -> None:
    names, transports = ["a", "b", "c" * 253, "d"], ["TLS", "plaintext", "plaintext", "mutual TLS"]
    intervals = make_intervals([(None, name, 0, None, 2, "") for name in names], transports)
    figure = timeline(intervals, now=NOW)
    assert figure.layout.title.subtitle.text.endswith(" · 1 TLS, 1 mutual TLS, 2 plaintext")
    labels = list(figure.layout.yaxis.ticktext)
    assert [label.endswith(" (plaintext)") for label in labels] == [False, True, True, False]
    assert labels[:2] == ["a", "b (plaintext)"]
    assert [hover.rpartition("<br>")[2] for hover in bars(figure)["READY"].hovertext] == transports
    assert list(timeline(intervals, now=NOW, modules=["b", "new"]).layout.yaxis.ticktext) == ["b", "new"], "chosen by the shown key"


def test_a_module_that_was_secured_meanwhile_is_labelled_as_it_is_now(make_intervals: Any) -> None:
    intervals = make_intervals(
        [(None, "a", 0, 30, 2, ""), (None, "a", 30, None, 2, ""), (None, "b", 0, None, 2, "")], ["plaintext", "TLS", "TLS"]
    )
    figure = timeline(intervals, now=NOW)
    assert figure.layout.title.subtitle.text.endswith(" · TLS")
    assert ["UTC<br>plaintext" in hover for hover in bars(figure)["READY"].hovertext] == [True, False, False]


def test_local_time_is_added_where_it_differs() -> None:
    code = """
import numpy as np
from tinypool_nb.views.wording import local_offsets, offset_text
winter, summer = 1_770_000_000_000_000_000, 1_785_000_000_000_000_000
print([offset_text(int(ahead)) for ahead in local_offsets(np.array([winter, summer]))])
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TZ": "Europe/Berlin"}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "['UTC+01:00', 'UTC+02:00']"


def test_utc_is_said_on_the_axis(make_intervals: Any) -> None:
    figure = timeline(make_intervals(LIFE), now=NOW)
    assert figure.layout.xaxis.type == "date"
    assert "UTC" in figure.layout.xaxis.title.text


def test_equal_names_in_two_namespaces_have_lanes_of_their_own(make_intervals: Any) -> None:
    rows = [(namespace, "a", 0, None, 2, "") for namespace in ("one", "two", None)]
    figure = timeline(make_intervals(rows), now=NOW)
    assert list(figure.layout.yaxis.ticktext) == ["one/a", "two/a", "a"]
    assert list(bars(figure)["READY"].y) == [0, 1, 2]


def test_modules_chooses_and_orders_lanes(make_intervals: Any, make_marks: Any) -> None:
    intervals = make_intervals([(None, name, 0, None, 2, "") for name in "abc"])
    marks = make_marks([(1, "action", None, name, f"kill {name}") for name in "abc"])
    figure = timeline(intervals, marks, now=NOW, modules=["c", ModuleKey(None, "a"), "c", "new"])
    assert list(figure.layout.yaxis.ticktext) == ["c", "a", "new"]
    assert sorted(bars(figure)["READY"].y) == [0, 1]
    assert not any("kill b" in hover for hover in all_hovers(figure))


def test_a_module_s_marks_stand_on_its_lane_and_notes_across_all(make_intervals: Any, make_marks: Any) -> None:
    marks = make_marks(
        [(5, "note", None, None, "deployed v2"), (20, "action", None, "a", "kill"), (30, "action", None, "later", "register")]
    )
    figure = timeline(make_intervals(LIFE), marks, now=NOW)
    on_lane = next(trace for trace in figure.data if trace.name == "marks")
    assert (list(on_lane.x), list(on_lane.y)) == (["2026-02-02T02:40:20.000000"], [0])
    assert "kill<br>2026-02-02 02:40:20.000 UTC (action)" in on_lane.hovertext[0]
    lines = next(trace for trace in figure.data if trace.name == "notes")
    assert list(lines.y) == [-0.5, 0.5, None] * 2
    assert [label.text for label in figure.layout.annotations] == ["deployed v2", "later: register"]
    assert is_valid(figure)


def test_labels_of_many_notes_do_not_overlap(make_intervals: Any, make_marks: Any) -> None:
    marks = make_marks([(second / 10, "note", None, None, f"note number {second}") for second in range(600)])
    figure = timeline(make_intervals(LIFE), marks, now=NOW)
    shifts = [label.ay for label in figure.layout.annotations]
    assert len(set(shifts)) == 3
    assert 3 < len(shifts) < 40
    assert len([text for text in all_hovers(figure) if "note number" in text]) >= 600


def test_few_intervals_are_exact_and_many_are_merged_and_say_so(make_intervals: Any) -> None:
    few = [(None, "a", place / 1000, (place + 1) / 1000, place % 5, "") for place in range(1_000)]
    figure = timeline(make_intervals(few), now=NOW)
    assert sum(len(trace.x) for trace in figure.data) == 1_000
    assert "merged" not in figure.layout.title.subtitle.text
    many = [(None, f"m{place % 10}", place / 1000, (place + 10) / 1000, place // 10 % 5, "") for place in range(30_000)]
    figure = timeline(make_intervals(many), now=NOW)
    drawn = sum(len(trace.x) for trace in figure.data)
    assert drawn < 15_000
    assert f"30,000 intervals merged to {drawn:,} segments; the worst state wins" in figure.layout.title.subtitle.text
    assert any("the worst of" in hover for hover in all_hovers(figure))


def test_a_thousand_modules_share_a_screen_and_a_half_and_ticks_thin_out(make_intervals: Any) -> None:
    rows = [(None, f"m{lane}", lane / 100 + step, lane / 100 + step + 1, step % 4, "") for lane in range(1_000) for step in range(40)]
    figure = timeline(make_intervals(rows), now=NOW)
    assert figure.layout.height < 1_800
    assert len(figure.layout.yaxis.ticktext) <= 130
    assert sum(len(trace.x) for trace in figure.data) <= figures.MOST_SEGMENTS
    assert len(timeline(make_intervals(LIFE), now=NOW).layout.yaxis.ticktext) == 1
    assert timeline(make_intervals(LIFE), now=NOW).layout.height < 260


def test_a_short_failure_stays_visible_in_thin_lanes(make_intervals: Any) -> None:
    rows = [
        row
        for lane in range(500)
        for row in ((None, f"m{lane}", 0, 30, 2, ""), (None, f"m{lane}", 30, 30.001, 3, ""), (None, f"m{lane}", 30.001, None, 2, ""))
    ]
    failures = bars(timeline(make_intervals(rows), now=NOW))["TRANSIENT_FAILURE"]
    assert len(failures.x) == 500
    assert min(failures.x) > 60_000 / 1_000  # a pixel, milliseconds


def test_a_module_that_was_never_seen_is_not_called_closed(make_intervals: Any) -> None:
    figure = timeline(make_intervals(LIFE), now=NOW, modules=["a", "later"])
    assert "At its end: 1 READY." in figure.layout.meta["description"]


def test_width_and_height_may_be_given(make_intervals: Any) -> None:
    figure = timeline(make_intervals(LIFE), now=NOW, width=500, height=400)
    assert (figure.layout.width, figure.layout.height) == (500, 400)


def test_an_empty_record_says_so(make_intervals: Any, make_marks: Any) -> None:
    figure = timeline(make_intervals([]), make_marks([]), now=NOW)
    assert [note.text for note in figure.layout.annotations] == ["nothing recorded yet"]
    assert figure.layout.meta["description"] == "A timeline of gRPC connections: nothing recorded yet."
    assert is_valid(figure)


def test_one_instant_is_a_timeline_too(make_intervals: Any) -> None:
    figure = timeline(make_intervals([(None, "a", 60, None, 0, "")]), now=NOW)
    since, until = figure.layout.xaxis.range
    assert since < until
    assert list(bars(figure)["IDLE"].x) == [0.0]


def test_a_call_of_another_century_is_drawn(make_intervals: Any, make_calls: Any) -> None:
    """A recording of other people's may hold any time that nanoseconds can."""
    calls = make_calls([(None, "a", 1.0, 0.1, "OK", "")])
    calls["start"] = pd.Timestamp("1680-01-01", tz="UTC")
    assert is_valid(timeline(make_intervals(LIFE), calls=calls, now=NOW))


def test_description_is_plain_text(make_intervals: Any) -> None:
    description = timeline(make_intervals(LIFE), now=NOW).layout.meta["description"]
    assert description == (
        "A timeline of the gRPC connections of 1 module from 2026-02-02 02:40:00 to 02:41:00 UTC. "
        "Transport: plaintext. At its end: 1 READY. "
        "1 module failed 1 time; the longest failure was 12.2 s, of a. 1 gap in the record is shown as unknown."
    )
    closed = timeline(make_intervals([(None, "a", 0, 5, 2, "")]), now=NOW).layout.meta["description"]
    assert "At its end: 1 SHUTDOWN. No failure was recorded." in closed


def test_hostile_text_is_escaped_everywhere_in_the_figure(make_intervals: Any, make_marks: Any, make_attempts: Any) -> None:
    rows = [(None, name, 0, None, 3, f"{name} <img src=x onerror=alert(1)>") for name in HOSTILE]
    marks = make_marks([(1, "note", None, None, HOSTILE[0]), (2, "action", None, HOSTILE[1], HOSTILE[2])])
    figure = timeline(make_intervals(rows), marks, now=NOW)
    figure.layout.meta = None  # plain text, never drawn
    plot = backoff_plot(make_attempts([(0.0, 0.1, 1, 1, "failed", HOSTILE[0]), (1.0, 1.1, 1, 1, "failed", "")]), Backoff(), module="a")
    for text in (figure.to_json(), plot.to_json()):
        shown = text.encode().decode("unicode_escape", "replace")
        assert "<script" not in shown
        assert "<img" not in shown
        assert "<b>bold" not in shown
        assert "%{" not in shown
        assert "$" not in shown


@pytest.mark.browser
def test_a_browser_shows_hostile_names_as_text(make_intervals: Any, make_marks: Any, browser: Any, tmp_path: Path) -> None:
    rows = [(None, name, 0, None, 3, name) for name in HOSTILE]
    marks = make_marks([(30, "note", None, None, HOSTILE[0])])
    page_file = tmp_path / "timeline.html"
    timeline(make_intervals(rows), marks, now=NOW).write_html(page_file, include_plotlyjs=True)
    page = browser.open(page_file, width=1000)
    page.wait_for_selector(".barlayer .point")
    ticks = page.eval_on_selector_all(".yaxislayer-above text", "all => all.map(one => one.textContent)")
    assert ticks[1:7] == HOSTILE[1:7]
    assert ticks[0] == "<script>document.titl…'</script>"
    assert page.title() != "owned"
    assert page.eval_on_selector(".annotation-text", "one => one.textContent").startswith("<script>document.title=")
    page.hover(".barlayer .trace:last-of-type .point:nth-of-type(3)", force=True)
    page.wait_for_selector(".hoverlayer .hovertext")
    assert "%{x} %{customdata}" in page.eval_on_selector(".hoverlayer", "one => one.textContent")


def test_gaps_are_numbered_within_a_failing_run(make_attempts: Any) -> None:
    gaps = measured_gaps(
        make_attempts(
            [
                (0.0, 0.01, 1, 1, "failed", "one"),
                (1.0, 1.01, 1, 1, "failed", "two"),
                (2.6, 2.61, 1, 1, "ready", ""),
                (9.0, 9.01, 1, 1, "failed", "three"),
                (10.0, 10.01, 1, 1, "failed", "four"),
                (10.5, 10.51, 2, 2, "failed", "a new channel"),
                (11.5, 11.51, 2, 2, "abandoned", ""),
                (20.0, 20.01, 2, 2, "ready", ""),
            ]
        )
    )
    assert [(gap.run, gap.attempt, gap.seconds, gap.reason) for gap in gaps] == [
        (1, 1, 1.0, "one"),
        (1, 2, 1.6, "two"),
        (2, 1, 1.0, "three"),
        (3, 1, 1.0, "a new channel"),
    ]


def test_two_peers_have_ladders_of_their_own(make_attempts: Any) -> None:
    rows = [
        (time + late, time + late + 0.01, 1, subchannel, "failed", "")
        for time in (0.0, 1.0, 2.6)
        for subchannel, late in ((1, 0), (2, 0.1))
    ]
    gaps = measured_gaps(make_attempts(rows))
    assert sorted((gap.attempt, round(gap.seconds, 3)) for gap in gaps) == [(1, 1.0), (1, 1.0), (2, 1.6), (2, 1.6)]


def test_after_a_lost_start_nothing_is_measured_until_the_next_success(make_attempts: Any) -> None:
    rows = [
        (0.0, 0.01, 1, 1, "failed", ""),
        (None, 1.01, 1, 1, "failed", ""),
        (2.6, 2.61, 1, 1, "failed", ""),
        (5.2, 5.21, 1, 1, "ready", ""),
        (9.0, 9.01, 1, 1, "failed", ""),
        (10.0, 10.01, 1, 1, "failed", ""),
    ]
    assert [(gap.attempt, gap.seconds) for gap in measured_gaps(make_attempts(rows))] == [(1, 1.0)]


def test_an_attempt_that_outlasts_its_wait_keeps_to_the_specification(make_attempts: Any) -> None:
    rows = [(0.0, 20.0, 1, 1, "failed", ""), (20.01, 20.1, 1, 1, "failed", ""), (25.0, 25.1, 1, 1, "failed", "")]
    assert [keeps_to(gap, Backoff()) for gap in measured_gaps(make_attempts(rows))] == [True, False]


def test_backoff_plot_tells_kept_gaps_from_others(make_attempts: Any) -> None:
    rows = [(time, time + 0.01, 1, 1, "failed", REASON) for time in (0.0, 1.0, 2.6, 9.0)]
    figure = backoff_plot(make_attempts(rows), Backoff(), module="a")
    measured = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data if trace.mode == "markers"}
    assert measured == {"measured": ([1, 2], [1.0, 1.6]), "outside the window": ([3], [6.4])}
    assert figure.layout.title.subtitle.text.startswith("2 of 3 gaps keep to the specification")
    assert figure.layout.yaxis.type == "log"
    low, high = (next(trace for trace in figure.data if trace.fill == fill) for fill in (None, "tonexty"))
    assert (low.y[0], high.y[0]) == pytest.approx((0.7, 1.3))
    assert is_valid(figure)


def test_backoff_plot_is_linear_where_waits_are_alike(make_attempts: Any) -> None:
    rows = [(time, time + 0.01, 1, 1, "failed", "") for time in (0.0, 1.0, 2.0)]
    assert backoff_plot(make_attempts(rows), Backoff(initial=1.0, maximum=1.0), module="a").layout.yaxis.type == "linear"


def test_backoff_plot_of_a_module_without_failures(make_attempts: Any) -> None:
    figure = backoff_plot(make_attempts([]), Backoff(), module="a", theme="dark")
    assert "no attempt has followed a failed one yet" in figure.layout.title.subtitle.text
    assert is_valid(figure)
