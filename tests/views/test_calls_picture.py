"""The calls in the pictures without JavaScript: a strip of the SVG, a line of the text."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.views.pictures import timeline_svg, timeline_text

START = 1_770_000_000_000_000_000
SECOND = 1_000_000_000
NOW = START + 60 * SECOND
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>document.title='owned'</script>", '"><img src=x onerror=alert(1)>', "]]>&amp;", "🚀 مرحبا"]
LANES: list[Any] = [
    (None, "a", 0, 30, 2, ""),
    (None, "a", 30, 42, 3, "refused"),
    (None, "a", 42, None, 2, ""),
    ("ns", "a", 30, None, 2, ""),
]
CALLS: list[Any] = [
    (None, "a", 6, 0.01, "OK", ""),
    (None, "a", 18, 12, "UNAVAILABLE", "Stream removed (Socket closed)"),
    (None, "a", 36, 0.001, "UNAVAILABLE", "refused"),
    (None, "a", 36.1, 0.001, "OK", ""),
    ("ns", "a", 54, 0.1, "OK", ""),
]


def parsed(picture: str) -> ET.Element:
    """Raises if it is not well-formed."""
    return ET.fromstring(picture)  # noqa: S314 - our own


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def marks(svg: str) -> dict[str, list[tuple[float, float]]]:
    """Where the marks of answered and failed calls are."""
    paths = {path.attrib["data-calls"]: path.attrib["d"] for path in parsed(svg).iter(f"{SVG}path") if "data-calls" in path.attrib}
    return {kind: [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+),([\d.]+)", path)] for kind, path in paths.items()}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_strip_has_two_symbols_an_axis_and_an_alternative(make_intervals: Any, make_calls: Any, theme: Any) -> None:
    svg = timeline_svg(make_intervals(LANES), None, make_calls(CALLS), now=NOW, theme=theme)
    root = parsed(svg)
    paths = {path.attrib["data-calls"]: path.attrib for path in root.iter(f"{SVG}path") if "data-calls" in path.attrib}
    looks = PALETTES[theme].looks
    assert {kind: path["stroke"] for kind, path in paths.items()} == {"answered": looks[2].colour, "failed": looks[3].colour}
    assert ("h.01" in paths["answered"]["d"], "h.01" in paths["failed"]["d"]) == (True, False)
    assert {"2 of 5 calls failed", "answered", "failed", "1 ms", "100 ms", "10 s"} <= set(texts(svg))
    assert "Below it stand 5 calls, by end and duration: 2 failed (2 UNAVAILABLE)." in (root.findtext(f"{SVG}desc") or "")


def test_the_strip_lies_below_the_lanes_on_their_axis_of_time(make_intervals: Any, make_calls: Any) -> None:
    intervals = make_intervals(LANES)
    svg = timeline_svg(intervals, None, make_calls(CALLS), now=NOW)
    places = marks(svg)
    assert [len(places[kind]) for kind in ("answered", "failed")] == [3, 2]
    failure = re.search(r'data-state="TRANSIENT_FAILURE"[^>]* d="M([\d.]+),', svg)
    assert failure
    assert places["failed"][0][0] == pytest.approx(float(failure[1]), abs=0.2)  # the call ended when the connection broke
    by_height = sorted((y, x) for kind in places.values() for x, y in kind)
    assert by_height[0] == (places["failed"][0][1], places["failed"][0][0])  # the longest call is the highest
    height, before = (int(parsed(picture).attrib["height"]) for picture in (svg, timeline_svg(intervals, now=NOW)))
    assert height > before
    assert all(before - 62 < y < height - 62 for y, _ in by_height)


def test_a_long_call_has_a_line(make_intervals: Any, make_calls: Any) -> None:
    svg = timeline_svg(make_intervals(LANES), None, make_calls(CALLS), now=NOW)
    (start, end), *more = re.findall(r'd="M([\d.]+),[\d.]+H([\d.]+)" stroke="#d55e00"', svg)
    assert more == []
    assert (float(end) - float(start)) / 12 == pytest.approx((900 - 16 - float(start)) / 42, rel=0.01)  # pixels a second


def test_without_calls_the_pictures_are_what_they_were(make_intervals: Any, make_calls: Any) -> None:
    intervals = make_intervals(LANES)
    for draw in (timeline_svg, timeline_text):
        assert draw(intervals, None, make_calls([]), now=NOW) == draw(intervals, now=NOW)
    assert "calls" not in timeline_svg(intervals, now=NOW)


def test_only_the_calls_of_the_chosen_modules_are_shown(make_intervals: Any, make_calls: Any) -> None:
    intervals, calls = make_intervals(LANES), make_calls(CALLS)
    assert [len(places) for places in marks(timeline_svg(intervals, None, calls, now=NOW, modules=["ns/a"])).values()] == [1]
    assert "1 call, none failed" in timeline_text(intervals, None, calls, now=NOW, modules=iter(["ns/a"]))


def test_a_million_calls_make_a_small_picture_that_keeps_the_failed_one(make_intervals: Any, make_calls: Any) -> None:
    two = make_calls([(None, "a", 0, 0.01, "OK", ""), (None, "a", 0, 0.01, "INTERNAL", "")])
    place = np.zeros(1_000_000, dtype=np.int64)
    place[500_000] = 1
    end = START + np.linspace(SECOND, 60 * SECOND, len(place)).astype(np.int64)
    start = end - np.random.default_rng(0).lognormal(np.log(3e6), 1, len(place)).astype(np.int64)
    calls = two.take(place).assign(start=pd.to_datetime(start, utc=True), end=pd.to_datetime(end, utc=True))
    svg = timeline_svg(make_intervals(LANES), None, calls, now=NOW)
    assert len(svg) < 100_000
    assert len(marks(svg)["failed"]) == 1
    (note,) = [text for text in texts(svg) if "stand for all" in text]
    assert note.startswith("1 of 1,000,000 calls failed; ")
    assert timeline_text(make_intervals(LANES), None, calls, now=NOW).count("!") == 2  # a column, and the legend


def test_the_text_has_a_line_of_calls(make_intervals: Any, make_calls: Any) -> None:
    _, *lines = timeline_text(make_intervals(LANES), None, make_calls(CALLS), now=NOW, width=46).splitlines()
    assert lines == [
        "a               ███████████████××××××█████████",
        "ns/a                           ███████████████",
        "calls              o           !  !        o",
        "                █ READY   × TRANSIENT_FAILURE",
        "                o calls answered   ! calls failed   (2 of 5 calls failed)",
    ]


def test_hostile_text_is_text_in_the_strip(make_intervals: Any, make_calls: Any) -> None:
    intervals = make_intervals([(None, name, 0, None, 2, "") for name in HOSTILE])
    for longest in HOSTILE:
        calls = make_calls([(None, name, 1, 9 if name == longest else 1, "UNKNOWN", name) for name in HOSTILE])
        svg = timeline_svg(intervals, None, calls, now=NOW)
        assert "<script" not in svg
        assert "<img" not in svg
        assert f"the longest took 9.0 s, of {longest}." in (parsed(svg).findtext(f"{SVG}desc") or "")


@pytest.mark.browser
def test_a_browser_draws_the_strip_within_the_picture(
    make_intervals: Any, make_calls: Any, make_marks: Any, browser: Any, tmp_path: Path
) -> None:
    marks_of_record = make_marks([(30, "note", None, None, "deployed v2")])
    svgs = [timeline_svg(make_intervals(LANES), marks_of_record, make_calls(CALLS), now=NOW, width=width) for width in (900, 400)]
    page_file = tmp_path / "picture.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(svgs)}", encoding="utf-8")
    page = browser.open(page_file)
    boxes = "all => all.map(one => [one.getBBox().x, one.getBBox().x + one.getBBox().width])"
    for place, width in ((1, 900), (2, 400)):
        for what in ("path[data-calls]", "text[font-size='11']"):
            for left, right in page.eval_on_selector_all(f"svg:nth-of-type({place}) {what}", boxes):
                assert 0 <= left < right <= width
    heading, answered = ((f"svg:nth-of-type(2) text:text-is('{text}')") for text in ("2 of 5 calls failed", "answered"))
    assert (
        page.locator(heading).bounding_box()["x"] + page.locator(heading).bounding_box()["width"]
        < page.locator(answered).bounding_box()["x"] - 14
    )
