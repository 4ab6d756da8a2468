"""The whole corpus through reports, figures, calls and metrics in a real browser: no script, no dialog, no request."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.request import urlopen

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import tinypool_nb as tp
from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tests.security.harmless import Watched
from tests.security.test_explained import lesson
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.writing import write_notebook_report, write_recording_report
from tinypool_nb.views import pictures
from tinypool_nb.views.forecasts import forecast_html
from tinypool_nb.views.overview import overview
from tinypool_nb.views.steps import progress_html
from tinypool_nb.widgets.still import picture_bundle

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

    from tests.conftest import Browser

FIGURES = ("script", "event", "link", "plotly", "plotly's link", "formula", "turned around", "long word with markup")
"""Whose backoff is drawn, each in a figure of its own."""


def bundles() -> list[dict[str, Any]]:
    """What a person displays: a pool, a recording made by hand, figures, a forecast."""
    shown: list[dict[str, Any]] = []
    with tp.Pool() as pool:
        for name in HOSTILE.values():
            if "/" not in name:
                pool.register(name, "127.0.0.1:1")
        shown.append(pool._repr_mimebundle_())
        forecast = pool.follow("nan").now()
    record = Record(hostile_journal())
    frame = record.connections()
    shown += [{"text/html": pictures.connections_html(frame.iloc[begin : begin + 60])} for begin in range(0, len(frame), 60)]
    shown += [overview(record.journal, record.known()), picture_bundle(record.journal)]
    shown += [{"text/html": forecast_html(text, forecast, 0)} for text in ALL.values()]
    shown.append({"image/svg+xml": pictures.timeline_svg(record.intervals(), record.marks(), record.calls(), now=record.now())})
    keys = {key.name: key for key in record.known()}
    shown += [record.explain(key)._repr_mimebundle_() for key in record.known()]
    shown += [{"text/html": progress_html(lesson(text))} for text in ALL.values()]
    figures = [record.timeline(), *(record.backoff_plot(keys[ALL[what]]) for what in FIGURES)]
    shown += [{"application/vnd.plotly.v1+json": json.loads(figure.to_json())} for figure in figures]
    return shown


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    title = f"# {HOSTILE['end of a script']}"
    cells = [new_markdown_cell(title), *(new_code_cell("# shown", outputs=[new_output("display_data", each)]) for each in bundles())]
    metadata = {"title": HOSTILE["script"], "language_info": {"name": "python", "version": HOSTILE["event"]}}
    notebook = tmp_path_factory.mktemp("hostile") / "x'\"onload='window.pwned=1'.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), notebook)
    write_notebook_report(notebook, notebook.with_name("report.html"))
    return notebook.with_name("report.html")


def opened(browser: "Browser", report: Path) -> tuple["Page", list[str]]:
    """The report with all its figures drawn, and the dialogs that it opened."""
    page, dialogs = browser.open("about:blank"), list[str]()

    def dismiss(dialog: "Dialog") -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(report.as_uri())
    page.wait_for_function("n => document.querySelectorAll('.js-plotly-plot .main-svg').length >= n", arg=1 + len(FIGURES))
    return page, dialogs


@pytest.mark.browser
@pytest.mark.slow
def test_a_report_of_hostile_texts_shows_them_and_nothing_else(browser: "Browser", report: Path) -> None:
    page, dialogs = opened(browser, report)
    names = page.eval_on_selector_all(".tinypool-connections tbody th", "all => all.map(one => one.textContent)")
    for text in ALL.values():
        assert any(one_line(text)[:30] in name for name in names), text
    # What would bite if it were there: elements and attributes that none of ours has, anywhere outside of what nbconvert itself writes.
    inside = ":is(.tinypool-connections, .tinypool-forecast, .tinypool-plot .main-svg)"
    assert (
        page.locator(f"{inside} :is(script, a, img, iframe, foreignObject, form, input, link, meta, base, object, embed, b, i)").count()
        == 0
    )
    attributes: list[str] = page.eval_on_selector_all(
        f"{inside} *", "all => [...new Set(all.flatMap(one => one.getAttributeNames()))].filter(name => name.startsWith('on'))"
    )
    assert attributes == []
    # These have elements of their own, bold words and links among them, so it is what they must not have that is looked for.
    assert page.locator(".tinypool-explanation").count() == page.locator(".tinypool-steps").count() == len(ALL)
    told = ":is(.tinypool-explanation, .tinypool-steps)"
    assert page.locator(f"{told} :is(script, img, svg, iframe, foreignObject, form, input, link, meta, base, i)").count() == 0
    for text in ALL.values():
        assert page.locator(".tinypool-steps caption b").get_by_text(one_line(text)[:30], exact=False).count() > 0, text
    hrefs: list[str] = page.eval_on_selector_all("[href]", "all => all.map(one => one.getAttribute('href'))")
    assert [href for href in hrefs if ("pwned" in href or "spy" in href) and not href.startswith("#")] == []
    page.mouse.move(600, 400)
    assert page.evaluate("[window.pwned, Object.prototype.pwned, document.title.includes('pwned') || null]")[:2] == [None, None]
    assert page.locator("body").evaluate("body => getComputedStyle(body).display") == "block"
    assert dialogs == []


@pytest.mark.browser
@pytest.mark.slow
def test_hovering_over_every_bar_and_mark_runs_nothing(browser: "Browser", report: Path) -> None:
    page, dialogs = opened(browser, report)
    found: dict[str, Any] = page.evaluate(
        """async () => {
            const place = document.querySelector(".tinypool-plot"), elements = new Set(), seen = new Set([""]), calls = new Set();
            const states = new Set(["IDLE", "CONNECTING", "READY"]);  // whose hovers say no more than a name, as the others do
            for (const [curveNumber, trace] of place._fullData.entries()) {
                if (trace.hoverinfo === "skip" || !trace.hovertext || states.has(trace.name)) continue;
                for (const [pointNumber, text] of trace.hovertext.entries()) {
                    if (seen.has(text)) continue;
                    seen.add(text);
                    Plotly.Fx.hover(place, [{ curveNumber, pointNumber }], trace.xaxis + trace.yaxis);
                    if (trace.name === "calls failed") calls.add(text);
                    for (const one of place.querySelectorAll(".hoverlayer *")) elements.add(one.tagName);
                    if (seen.size % 5 === 0) await new Promise((done) => setTimeout(done, 55));
                }
            }
            return { elements: [...elements], hovered: seen.size, calls: calls.size, pwned: window.pwned ?? null };
        }"""
    )
    assert found["hovered"] > len(ALL)
    assert found["calls"] == len(ALL), "each text is a call's reason and method too"
    assert set(found["elements"]) <= {"g", "line", "path", "rect", "text", "tspan"}
    assert found["pwned"] is None
    assert dialogs == []


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ready report of a recording of all, with a section for each module."""
    out = tmp_path_factory.mktemp("recorded") / "report.html"
    write_recording_report(Record(hostile_journal()), out, title=ALL["end of a script"], sections=len(ALL))
    return out


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ready_report_of_a_recording(browser: "Browser", recorded: Path, scheme: Literal["light", "dark"]) -> None:
    page = browser.open("about:blank", color_scheme=scheme)
    watched = Watched(page)
    page.goto(recorded.as_uri())
    page.locator(".tinypool-live[data-changes]").wait_for()
    assert page.locator("h1").inner_text() == one_line(ALL["end of a script"])
    assert page.locator("section.module").count() == page.locator("#modules tbody tr").count() == len(ALL)
    told = page.locator("#modules tbody").text_content() or ""
    for text in ALL.values():
        assert one_line(text)[:20].strip() in told, text
    for button in page.locator("#modules thead button").all():  # sorting writes the rows anew
        button.click()
    canvas = page.locator(".tinypool-live canvas").first
    canvas.press("Home")
    place = canvas.bounding_box()
    assert place is not None
    for number in range(len(ALL)):
        canvas.press("ArrowDown")
        page.mouse.move(place["x"] + place["width"] * 0.8, place["y"] + place["height"] * number / len(ALL))
    watched.check("header, h1, .verdict, #modules, section.module, .tinypool-live")
    scripts: list[str] = page.eval_on_selector_all("script:not([type='application/json'])", "all => all.map((one) => one.nonce)")
    assert len(scripts) == 2, "the page's own: to draw, and to sort"
    assert len({*scripts}) == 1
    assert all(scripts), "no other could run"


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_of_metrics(browser: "Browser") -> None:
    names = {name for name in HOSTILE.values() if "/" not in name}
    with tp.Pool() as pool:
        for name in sorted(names):
            pool.register(name, "127.0.0.1:1")
        pool.health_check()
        url = pool.serve_metrics(0).url
        with urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        page = browser.open("about:blank")
        watched = Watched(page)
        page.goto(url)
        shown = page.locator("body").text_content() or ""
        labels = {line.partition("} ")[0] for line in lines if line.startswith("tinysystems_client_pool_connections{")}
        assert len(labels) >= len(names)
        assert all(label in shown for label in labels), "as text, as it was sent"
        assert page.locator("body > *").evaluate_all("all => all.map((one) => one.tagName)") == ["PRE"]
        assert page.locator("pre *").count() == 0
        watched.check("body")
