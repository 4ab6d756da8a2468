"""The corpus of hostile texts in a real JupyterLab, in both themes: live timeline, panel, tables, streaming figure; all of it only text."""

import json
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tests.security.harmless import Watched
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record

if TYPE_CHECKING:
    from tests.browser.conftest import JupyterLab, Notebook, OpenNotebook

REGISTERED = [name for name in HOSTILE.values() if "/" not in name]
POOL = f"""\
import json
import tinypool_nb as tp

pool = tp.Pool()
names = json.loads({json.dumps(json.dumps(REGISTERED))})
for name in names:
    pool.register(name, "127.0.0.1:1")
    pool.mark(name, name)
    pool.mark(name)
pool.health_check()
pool"""
RECORD = """\
from tinypool_nb.journal.follower import Follower
from tinypool_nb.widgets.live import LiveTimeline
from tinypool_nb.widgets.publisher import Publisher

record = tp.open_recording("hostile.parquet")
follower = Follower(record.journal)
publisher = Publisher(record.journal, follower)
LiveTimeline(record.journal, publisher, window=600.0)"""
END = """\
publisher.close()
follower.close()
pool.close()
"the end\""""

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run(notebook: "Notebook", number: int) -> None:
    notebook.cell(number).locator(".jp-InputPrompt").click()  # a click into the panel has selected the panel's cell
    notebook.run()


def test_nothing_of_the_corpus_is_more_than_text(open_notebook: "OpenNotebook", jupyterlab: "JupyterLab") -> None:
    Record(hostile_journal()).save(jupyterlab.notebooks / "hostile.parquet")
    cells = [POOL, "pool.panel()", RECORD, "pool.timeline(live=True)", "pool.connections()", END]
    notebook = open_notebook(cells, height=3000)
    page, watched = notebook.page, Watched(notebook.page)
    run(notebook, 0)
    table = notebook.cell(0).locator(".tinypool-connections")
    expect(table.locator("tbody")).to_have_count(len(REGISTERED))
    names: list[str] = table.locator("tbody th").evaluate_all("all => all.map(one => one.textContent)")
    assert HOSTILE["formula"][:20] in " ".join(names)
    assert page.locator(".tinypool-connections mjx-container").count() == 0  # MathJax takes no name for a formula

    run(notebook, 1)
    panel = notebook.cell(1).locator(".jp-OutputArea")
    expect(panel.locator(".tinypool-row")).to_have_count(len(REGISTERED))
    rows: list[str] = panel.locator(".tinypool-row").evaluate_all("all => all.map(one => one.textContent)")
    for name in REGISTERED:
        assert any(one_line(name)[:20] in row for row in rows), name
    for number in range(0, len(REGISTERED), 6):  # the details of some, with their last errors
        panel.locator(".tinypool-row").nth(number).get_by_role("button").last.click()

    run(notebook, 2)
    live = notebook.cell(2).locator(".tinypool-live")
    expect(live.locator("li").first).to_be_visible()
    place = live.locator("canvas").first.bounding_box()
    assert place is not None
    seen = set[str]()
    for _ in range(6):  # the pointer goes over every lane, and what is told of it comes up
        for step in range(1, 24):
            page.mouse.move(place["x"] + place["width"] * 0.8, place["y"] + place["height"] * step / 24)
        seen.update(live.locator("li:visible .tinypool-live-name").all_text_contents())
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(100)
    assert len(seen) > len(ALL) / 2, seen
    for number in (3, 4):
        run(notebook, number)
    notebook.cell(3).locator(".js-plotly-plot .main-svg").first.wait_for()
    notebook.wait_until_idle()

    inside = ".tinypool-connections, .tinypool-row, .tinypool-live, .tinypool-summary, .js-plotly-plot .main-svg"
    for theme in THEMES:  # in which all of it is drawn anew
        notebook.set_theme(theme)
        live.scroll_into_view_if_needed()
        place = live.locator("canvas").first.bounding_box()
        assert place is not None
        for step in range(1, 24):
            page.mouse.move(place["x"] + place["width"] * 0.8, place["y"] + place["height"] * step / 24)
        watched.check(inside)
        assert page.locator(f":is({inside}) a").count() == 0
    run(notebook, 5)
    notebook.cell(5).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    complaints = page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert complaints == []
