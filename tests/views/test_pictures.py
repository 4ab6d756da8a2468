"""The pictures without JavaScript: valid XML, foreign text as text, the same lanes as the figures."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.core.states import MEANINGS, STATES, UNKNOWN
from tinypool_nb.views.pictures import connections_html, connections_text, timeline_svg, timeline_text
from tinypool_nb.views.wording import width_of

START = 1_770_000_000_000_000_000
SECOND = 1_000_000_000
NOW = START + 60 * SECOND
SVG = "{http://www.w3.org/2000/svg}"
REASON = "UNAVAILABLE: ipv4:127.0.0.1:33651: Failed to connect to remote host: Connection refused"
HOSTILE = ["<script>document.title='owned'</script>", '"><img src=x onerror=alert(1)>', "]]>&amp;", "🚀 مرحبا", "\ufffe", "n" * 253]
LIFE: list[Any] = [
    (None, "a", 0, 6, 0, ""),
    (None, "a", 6, 12, 1, ""),
    (None, "a", 12, 30, 2, ""),
    (None, "a", 30, 42, 3, REASON),
    (None, "a", 42, 48, -1, ""),
    (None, "a", 48, None, 2, ""),
    ("tinysystems", "a", 30, None, 2, ""),
]


def parsed(picture: str) -> ET.Element:
    """Raises if it is not well-formed."""
    return ET.fromstring(picture)  # noqa: S314 - our own


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_svg_has_the_lanes_the_states_and_an_alternative(make_intervals: Any, make_marks: Any, theme: Any) -> None:
    marks = make_marks([(30, "note", None, None, "deployed v2"), (31, "action", None, "a", "kill")])
    svg = timeline_svg(make_intervals(LIFE), marks, now=NOW, theme=theme)
    root = parsed(svg)
    assert (root.attrib["role"], root.attrib["width"]) == ("img", "900")
    assert root.findtext(f"{SVG}title") == "Connections of 2 modules"
    assert (root.findtext(f"{SVG}desc") or "").startswith("A timeline of the gRPC connections of 2 modules")
    assert {"a", "tinysystems/a", "deployed v2", "time, UTC", "READY", "unknown"} <= set(texts(svg))
    drawn = {path.attrib["data-state"]: path.attrib["fill"] for path in root.iter(f"{SVG}path") if "data-state" in path.attrib}
    assert set(drawn) == {"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE", "unknown"}
    assert drawn["READY"] == PALETTES[theme].looks[2].colour
    patterns = {f"url(#{pattern.attrib['id']})" for pattern in root.iter(f"{SVG}pattern")}
    assert {fill for label, fill in drawn.items() if label != "READY"} <= patterns


def test_svg_draws_what_it_says(make_intervals: Any) -> None:
    svg = timeline_svg(make_intervals([(None, "a", 0, 30, 2, ""), (None, "a", 30, None, 3, "")]), now=NOW)
    paths = {path.attrib["data-state"]: path.attrib["d"] for path in parsed(svg).iter(f"{SVG}path") if "data-state" in path.attrib}
    rectangle = re.compile(r"M([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z")
    (ready,), (failure,) = rectangle.findall(paths["READY"]), rectangle.findall(paths["TRANSIENT_FAILURE"])
    assert float(ready[0]) + float(ready[2]) == pytest.approx(float(failure[0]), abs=0.2)
    assert float(ready[2]) == pytest.approx(float(failure[2]), abs=0.2)
    assert float(failure[0]) + float(failure[2]) == pytest.approx(900 - 16, abs=0.2)


@pytest.mark.parametrize("seconds", [0.00001, 0.01, 3, 400, 90_000, 10_000_000])
def test_ticks_of_any_span_are_few_and_inside(make_intervals: Any, seconds: float) -> None:
    svg = timeline_svg(make_intervals([(None, "a", 0, seconds, 2, "")]), now=START + round(seconds * SECOND))
    ticks = [float(text.attrib["x"]) for text in parsed(svg).iter(f"{SVG}text") if text.attrib.get("text-anchor") == "middle"]
    assert len(ticks) <= 9
    assert all(0 < tick < 870 for tick in ticks)
    assert all(later - tick > 60 for tick, later in pairwise(ticks))


def test_svg_of_an_empty_record(make_intervals: Any) -> None:
    assert "nothing recorded yet" in texts(timeline_svg(make_intervals([]), now=NOW))


def test_svg_of_many_modules_stays_small(make_intervals: Any) -> None:
    rows = [(None, f"m{lane}", lane / 100 + step, lane / 100 + step + 1, step % 4, "") for lane in range(1_000) for step in range(40)]
    svg = timeline_svg(make_intervals(rows), now=NOW)
    assert len(svg) < 2_000_000
    assert "40,000 intervals merged to" in svg
    assert int(parsed(svg).attrib["height"]) < 1_700


def test_hostile_text_is_text_in_svg_and_html(make_intervals: Any, make_marks: Any, make_connections: Any) -> None:
    intervals = make_intervals([(None, name, 0, None, 3, name) for name in HOSTILE])
    marks = make_marks([(1, "note", None, None, HOSTILE[0]), (2, "action", None, HOSTILE[1], HOSTILE[1])])
    svg = timeline_svg(intervals, marks, now=NOW)
    html = connections_html(make_connections([(None, name, name, 3, f"{name}\x1b[31m\n{name}") for name in HOSTILE]))
    for text in (svg, html):
        text.encode()
        assert "<script" not in text
        assert "<img" not in text
        assert "\x1b" not in text
    assert "]]>&amp;" in texts(svg)
    assert parsed(html).tag == "div"


def test_text_timeline(make_intervals: Any, make_marks: Any) -> None:
    marks = make_marks([(30, "action", None, "a", "kill"), (45, "note", None, None, "deployed\nv2")])
    lines = timeline_text(make_intervals(LIFE), marks, now=NOW, width=46).splitlines()
    assert lines == [
        "2026-02-02 02:40:00 to 02:41:00 UTC · 1 min 0 s · plaintext",
        "a               ···▒▒▒█████████××××××???██████",
        "tinysystems/a                  ███████████████",
        "                · IDLE   ▒ CONNECTING   █ READY   × TRANSIENT_FAILURE   ? unknown",
        "2026-02-02 02:40:30.000 UTC  a: kill",
        "2026-02-02 02:40:45.000 UTC  deployed v2",
    ]


def test_plaintext_is_labelled_where_transports_differ(make_intervals: Any) -> None:
    intervals = make_intervals([(None, name, 0, None, 2, "") for name in ("a", "b")], ["TLS", "plaintext"])
    svg = timeline_svg(intervals, now=NOW)
    assert {"a", "b (plaintext)"} <= set(texts(svg))
    assert any(text.endswith(" · 1 TLS, 1 plaintext") for text in texts(svg))
    lines = timeline_text(intervals, now=NOW, width=60).splitlines()
    assert lines[0].endswith(" · 1 TLS, 1 plaintext")
    assert lines[1:3] == [f"{'a':32} {'█' * 27}", f"{'b (plaintext)':32} {'█' * 27}"]
    assert "Transport: 1 TLS, 1 plaintext." in (parsed(svg).findtext(f"{SVG}desc") or "")


def test_text_timeline_is_bounded_and_safe(make_intervals: Any) -> None:
    text = timeline_text(make_intervals([(None, f"m{lane}", 0, None, 2, "") for lane in range(100)]), now=NOW)
    assert "… and 60 more modules" in text
    assert len(text.splitlines()) == 43
    assert timeline_text(make_intervals([]), now=NOW) == "nothing recorded yet"
    assert "\x1b" not in timeline_text(make_intervals([(None, "a\x1b[31m", 0, None, 2, "")]), now=NOW)


def test_html_table(make_connections: Any) -> None:
    rows = [(None, state.lower(), "127.0.0.1:1", state.code, "") for state in STATES] + [("ns", "x", "127.0.0.1:2", UNKNOWN, REASON)]
    html = connections_html(make_connections(rows))
    caption = "6 modules: 1 TRANSIENT_FAILURE, 1 unknown, 1 SHUTDOWN, 1 CONNECTING, 1 IDLE, 1 READY"
    assert f"<caption>{caption}</caption>" in html
    for state in STATES:
        assert f'class="tinypool-chip" data-state="{state}" title="{MEANINGS[state]}"' in html
        assert PALETTES["light"].looks[state.code].colour in html
    assert '<th scope="row">ns/x</th>' in html
    assert f'<tr class="error"><td colspan="7">{REASON}</td></tr>' in html
    assert html.count('<tr class="error">') == 1
    assert "2026-02-02 02:40:00 UTC" in html


def test_long_text_is_cut_and_whole_in_the_tooltip(make_connections: Any) -> None:
    html = connections_html(make_connections([(None, "n" * 253, "127.0.0.1:1", 3, "e" * 900)]))
    assert f'title="{"n" * 253}"' in html
    assert f'title="{"e" * 900}"' in html
    assert html.count("…") == 2


def test_of_many_modules_the_worst_are_shown(make_connections: Any) -> None:
    frame = make_connections([(None, f"m{place}", "127.0.0.1:1", 3 if place == 99 else 2, "") for place in range(100)])
    assert "100 modules: 1 TRANSIENT_FAILURE, 99 READY; the 60 worst are shown" in connections_html(frame)
    lines = connections_text(frame).splitlines()
    assert len(lines) == 62
    assert [line.split()[0] for line in lines[2:5]] == ["m99", "m0", "m1"]


def test_no_modules(make_connections: Any) -> None:
    assert connections_text(make_connections([])) == "no modules are registered"
    assert "<caption>no modules are registered</caption></table>" in connections_html(make_connections([]))


def test_text_table_is_aligned(make_connections: Any) -> None:
    frame = make_connections([(None, "模块", "127.0.0.1:1", 2, ""), ("ns", "b", "127.0.0.1:20001", 3, "line\nbreak")])
    caption, *lines = connections_text(frame).splitlines()
    assert caption == "2 modules: 1 TRANSIENT_FAILURE, 1 READY"
    assert lines[0] == "module  state                since                    address          transport  attempts  failures  last error"
    assert lines[2] == "ns/b    ✖ TRANSIENT_FAILURE  2026-02-02 02:40:00 UTC  127.0.0.1:20001  plaintext         1         1  line break"
    assert width_of(lines[1][: lines[1].index("●")]) == lines[0].index("state")


@pytest.mark.browser
def test_a_browser_draws_the_pictures(make_intervals: Any, make_marks: Any, make_connections: Any, browser: Any, tmp_path: Path) -> None:
    rows = [(None, name, 0, None, place % 4, "") for place, name in enumerate(HOSTILE[:4])]
    svg = timeline_svg(make_intervals(rows), make_marks([(30, "note", None, None, HOSTILE[0])]), now=NOW)
    html = connections_html(make_connections([(None, name, "127.0.0.1:1", 3, name) for name in HOSTILE[:4]]))
    page_file = tmp_path / "pictures.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8><body>{svg}{html}", encoding="utf-8")
    page = browser.open(page_file)
    assert page.title() != "owned"
    assert page.eval_on_selector_all("tbody th", "all => all.map(one => one.textContent)") == HOSTILE[:4]
    assert page.locator(".tinypool-chip[data-state=TRANSIENT_FAILURE]").count() == 4
    right_edges = page.eval_on_selector_all("body > svg text", "all => all.map(one => one.getBBox().x + one.getBBox().width)")
    assert max(right_edges) <= 900
    left_edges = page.eval_on_selector_all("body > svg text", "all => all.map(one => one.getBBox().x)")
    assert min(left_edges) >= 0
