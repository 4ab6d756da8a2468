"""A notebook with a panel that was executed without a browser: its report, and stock nbconvert's page, show the end of the run."""

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from tinypool_nb.report.execute import execute
from tinypool_nb.report.writing import write_notebook_report

if TYPE_CHECKING:
    from tests.conftest import Browser

SETUP = """\
import tinypool_nb as tp
lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
pool.register(module.name, module.address)
pool.panel()"""
READY = 'pool.reconnect("http-module-v1")\npool.wait("http-module-v1", "READY", timeout=10)'
CLOSE = "pool.close()\nlab.close()"


ENDS = {"left open": "lab.close()", "closed": CLOSE}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    """Both notebooks, executed before the browser starts: while Playwright runs, this thread counts as inside an event loop."""
    folder = tmp_path_factory.mktemp("executed")
    for name, end in ENDS.items():
        nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in (SETUP, READY, end)]), folder / f"{name}.ipynb")
    return {name: execute(folder / f"{name}.ipynb", folder / f"{name}-executed.ipynb", timeout=60) for name in ENDS}


@pytest.mark.browser
@pytest.mark.parametrize("name", ENDS)
def test_the_report_shows_the_end_of_the_run(name: str, executed: dict[str, NotebookNode], browser: "Browser", tmp_path: Path) -> None:
    output, _ = executed[name].cells[0].outputs
    assert "http-module-v1" in output.data["text/plain"]
    write_notebook_report(executed[name], tmp_path / "report.html")
    page = browser.open(tmp_path / "report.html")
    state = page.locator(".tinypool-connections tbody").get_attribute("data-state")
    assert (
        state == "READY" if name == "closed" else state in {"READY", "IDLE", "CONNECTING", "TRANSIENT_FAILURE"}
    )  # the lab was closed first
    picture = page.locator("img[alt^='A timeline of the gRPC connections of 1 module']")
    assert picture.evaluate("image => image.naturalWidth") == 900
    assert page.get_by_text("Interactive, with a running kernel only").count() == 0
    timeline = page.locator(".tinypool-player .tinypool-live")
    expect(timeline).to_have_attribute("data-modules", "1")
    expect(picture).to_be_hidden()
    everything = timeline.get_attribute("data-changes")
    page.get_by_label("position in the recording").fill("0")
    expect(timeline).not_to_have_attribute("data-changes", everything or "")
    page.get_by_label("speed").select_option("86400")
    page.get_by_role("button", name="Play").click()
    expect(timeline).to_have_attribute("data-changes", everything or "")
    names = page.locator(".tinypool-live-names")
    assert names.evaluate("list => [getComputedStyle(list).margin, getComputedStyle(list).padding]") == ["0px", "0px"]
    page.emulate_media(media="print")
    expect(picture).to_be_visible()
    expect(timeline).to_be_hidden()


@pytest.mark.parametrize("name", ENDS)
def test_stock_nbconvert_shows_it_too(name: str, executed: dict[str, NotebookNode]) -> None:
    page, _ = HTMLExporter().from_notebook_node(executed[name])
    assert '<img alt="A timeline of the gRPC connections of 1 module' in page
    assert '<script type="application/vnd.jupyter.widget-view+json"' not in page  # which it would show instead, and nothing offline
