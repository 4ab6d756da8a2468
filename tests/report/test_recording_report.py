"""The ready report of a recording in a real browser with the network off: it draws, plays, sorts, and shows hostile text as text."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.report.writing import write_recording_report
from tinypool_nb.views.wording import cut, one_line

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Browser
    from tests.report.conftest import MakeRecord

HOSTILE = (
    "<script>window.pwned=1;alert(1)<\\script>",
    "</script><script>window.pwned=1</script>",
    "<img src=https://spy.example/x onerror='window.pwned=1'>",
    '<a href="javascript:window.pwned=1">press</a>',
    "<b>bold</b>",
    'it\'s "quoted"',
    "&lt;i&gt; &amp; {{ 7 * 7 }}",
    "módulo 🚀 模块",
    "\u202eevil שלום",
    "n" * 253,
)
CASES = {
    "empty": ((), {}),
    "one": (("http-module-v1",), {"calls": 20}),
    "names": (HOSTILE, {"calls": 10}),
    "gaps": (tuple(f"http-module-v{n}" for n in range(1, 13)), {"gaps": True, "changes": 30}),
    "many": (tuple(f"http-module-v{n}" for n in range(1, 1_001)), {"changes": 6}),
}


class Reports(dict[str, Path]):
    """The report of each case, written when it is first asked for."""

    def __init__(self, make_record: "MakeRecord", folder: Path) -> None:
        super().__init__()
        self._make_record = make_record
        self._folder = folder

    def __missing__(self, name: str) -> Path:
        modules, options = CASES[name]
        self[name] = self._folder / f"{name}.html"
        write_recording_report(self._make_record(modules, **options), self[name], title=f"{name}.parquet")
        return self[name]


@pytest.fixture(scope="module")
def reports(make_record: "MakeRecord", tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(make_record, tmp_path_factory.mktemp("recorded"))


def drawn_changes(page: "Page") -> str:
    """How many changes the timeline shows. The page lets nothing be evaluated from a text, so it is asked by its attributes."""
    timeline = page.locator(".tinypool-live[data-changes]")
    timeline.wait_for()
    return timeline.get_attribute("data-changes") or ""


def painted(page: "Page") -> list[str]:
    """The colours on the canvas."""
    found: list[str] = page.evaluate(
        """() => {
            const canvas = document.querySelector(".tinypool-live-canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let at = 0; at < data.length; at += 4)
                if (data[at + 3] === 255) seen.add("#" + [0, 1, 2].map((n) => data[at + n].toString(16).padStart(2, "0")).join(""));
            return [...seen];
        }"""
    )
    return found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in {"gaps", "many"})) for name in CASES])
def test_all_of_it_is_drawn_with_the_network_off(name: str, scheme: str, browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports[name], color_scheme=scheme)  # type: ignore[arg-type]
    modules = len(CASES[name][0])
    assert page.locator("h1").inner_text() == f"{name}.parquet"
    assert page.locator("#modules tbody tr").count() == modules
    assert page.locator("section.module").count() == min(modules, 24)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if not modules:
        assert page.locator(".verdict").get_attribute("data-outcome") == "empty"
        return
    drawn_changes(page)
    assert {PALETTES[scheme].looks[code].colour for code in (2, 3)} & {*painted(page)}  # type: ignore[index]
    drawn = page.evaluate(
        "[...document.querySelectorAll('section.module svg path[data-state]')].map((path) => getComputedStyle(path).fill)"
    )
    assert len(drawn) >= min(modules, 24)
    assert all(fill.startswith(("rgb(", 'url("#d')) for fill in drawn)


@pytest.mark.browser
def test_patterns_of_one_drawing_are_not_those_of_another(browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["gaps"])
    ids: list[str] = page.eval_on_selector_all("[id]", "all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.browser
def test_on_paper_the_picture_takes_the_place_of_what_is_played_with(browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["gaps"], color_scheme="dark")
    assert page.locator(".recorded-timeline").is_visible()
    assert not page.locator(".on-paper").is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".recorded-timeline").is_visible()
    assert page.locator(".on-paper").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper = page.locator(".on-paper svg > rect").evaluate("rect => getComputedStyle(rect).fill")
    assert paper == "rgb(255, 255, 255)"


@pytest.mark.browser
def test_names_with_markup_are_text(browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["names"])
    drawn_changes(page)
    names = page.locator("#modules tbody th").all_inner_texts()
    keys = [f"tinysystems/{name}" if number % 3 == 1 else name for number, name in enumerate(HOSTILE)]
    shown = {cut(one_line(key), 60) for key in keys}
    assert {name.replace("\u00a0", " ") for name in names} == shown
    assert page.evaluate("window.pwned") is None
    assert page.locator("main :is(img, b b, i, script:not([type]), iframe)").count() == 0
    assert page.locator("main a:not([href^='#']):not([href^='https://'])").count() == 0
    text = reports["names"].read_text(encoding="utf-8")
    assert "<script>window.pwned" not in text
    assert "<img src" not in text


@pytest.mark.browser
def test_it_can_be_replayed(browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["one"])
    everything, timeline = drawn_changes(page), page.locator(".tinypool-live")
    page.get_by_label("position in the recording").fill("100")
    expect(timeline).not_to_have_attribute("data-changes", everything)
    time = page.get_by_label("time in the recording")
    expect(time).to_contain_text("02:46:00")
    page.get_by_label("speed").select_option("86400")
    page.get_by_role("button", name="Play").click()
    expect(timeline).to_have_attribute("data-changes", everything)
    expect(time).to_contain_text("03:40:00")
    page.get_by_role("button", name="Play").wait_for()


@pytest.mark.browser
def test_tables_are_sorted_by_the_keyboard(browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["gaps"])
    head = page.locator("#modules thead th").first
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    names = page.locator("#modules tbody th").all_inner_texts()
    assert names[:3] == ["http-module-v1", "http-module-v3", "http-module-v4"]
    assert names[-1] == "tinysystems/http-module-v11"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#modules tbody th").first.inner_text() == "tinysystems/http-module-v11"
    failed = page.locator("#modules thead th", has_text="failed attempts")
    failed.locator("button").click()
    failed.locator("button").click()
    assert page.locator("#modules tbody th").first.inner_text() == "http-module-v4"
    assert head.get_attribute("aria-sort") is None


@pytest.mark.browser
@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_it_is_accessible(scheme: str, browser: "Browser", reports: Reports) -> None:
    page = browser.open(reports["one"], color_scheme=scheme)  # type: ignore[arg-type]
    drawn_changes(page)
    found = Axe().run(page)
    assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found.response["violations"]] == []
