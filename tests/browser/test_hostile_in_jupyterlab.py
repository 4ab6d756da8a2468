"""The corpus of hostile texts in a real JupyterLab: live timeline, panel, tables, streaming figure; all of it text, nothing of it obeyed."""

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record

if TYPE_CHECKING:
    from playwright.sync_api import Dialog

    from tests.browser.conftest import JupyterLab, OpenNotebook

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

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_nothing_of_the_corpus_is_more_than_text(open_notebook: "OpenNotebook", jupyterlab: "JupyterLab") -> None:
    Record(hostile_journal()).save(jupyterlab.notebooks / "hostile.parquet")
    cells = [POOL, "pool.panel()", RECORD, "pool.timeline(live=True)", "record.timeline()", "pool.connections()", END]
    notebook = open_notebook(cells, height=3000)
    page, dialogs = notebook.page, list[str]()

    def dismiss(dialog: "Dialog") -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    notebook.run()
    table = notebook.cell(0).locator(".tinypool-connections")
    expect(table.locator("tbody")).to_have_count(len(REGISTERED))
    names: list[str] = table.locator("tbody th").evaluate_all("all => all.map(one => one.textContent)")
    assert HOSTILE["formula"][:20] in " ".join(names)
    assert page.locator(".tinypool-connections mjx-container").count() == 0  # MathJax takes no name for a formula

    notebook.run()
    panel = notebook.cell(1).locator(".jp-OutputArea")
    expect(panel.locator(".tinypool-row")).to_have_count(len(REGISTERED))
    rows: list[str] = panel.locator(".tinypool-row").evaluate_all("all => all.map(one => one.textContent)")
    for name in REGISTERED:
        assert any(one_line(name)[:20] in row for row in rows), name
    for number in range(0, len(REGISTERED), 6):  # the details of some, with their last errors
        panel.locator(".tinypool-row").nth(number).get_by_role("button").last.click()

    notebook.run()
    live = notebook.cell(2).locator(".tinypool-live")
    expect(live.locator("li")).to_have_count(len(ALL))
    place = live.locator("canvas").first.bounding_box()
    assert place is not None
    for step in range(1, 40):  # the pointer goes over every lane, and what is told of it comes up
        page.mouse.move(place["x"] + place["width"] * 0.8, place["y"] + place["height"] * step / 40)
    for _ in range(3):
        notebook.run()
    notebook.cell(4).locator(".js-plotly-plot .main-svg").first.wait_for()
    notebook.wait_until_idle()

    inside = ":is(.tinypool-connections, .tinypool-row, .tinypool-live, .tinypool-summary, .js-plotly-plot .main-svg)"
    assert page.locator(f"{inside} :is(script, a, iframe, foreignObject, form, link, meta, base, object, embed)").count() == 0
    assert page.locator(f"{inside} [onload], {inside} [onerror], {inside} [onmouseover]").count() == 0
    assert page.evaluate("[window.pwned ?? null, Object.prototype.pwned ?? null]") == [None, None]
    assert dialogs == []
    notebook.run()
    notebook.cell(6).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    complaints = page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert complaints == []
