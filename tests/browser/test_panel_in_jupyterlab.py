"""The panel in a real JupyterLab: modules come by typing and clicking, errors stand beside their fields, keys stay where they belong."""

from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook, OpenNotebook

HOSTILE = "<img src=x onerror=console.error(1)>"
SETUP = """\
import tinypool_nb as tp

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
"""
END = 'pool.close()\nlab.close()\n"the end"'

pytestmark = pytest.mark.browser


def row(panel: "Locator", module: str) -> "Locator":
    return panel.locator(f".tinypool-row[data-module='{module}']")


def run(notebook: "Notebook", number: int) -> None:
    notebook.cell(number).locator(".jp-InputPrompt").click()  # a click into the panel has selected the panel's cell
    notebook.run()


def close(notebook: "Notebook", number: int) -> None:
    run(notebook, number)
    notebook.cell(number).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    complaints = notebook.page.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    assert complaints.count() == 0


def test_a_module_is_registered_connected_and_unregistered_by_hand(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([f"{SETUP}print(module.address)\npool.panel()", "module.kill()", "module.restart()", END])
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    name, address = panel.get_by_label("Name", exact=True), panel.get_by_label("Address", exact=True)
    name.fill("http-module-v1")
    there = panel.locator(".jp-OutputArea-output pre").first.inner_text().strip()

    address.fill("127.0.0.1")  # the error stands beside the field, and the field says so
    error = panel.get_by_text("it has no port (gRPC would have dialled 443)")
    error.wait_for()
    expect(address).to_have_attribute("aria-invalid", "true")
    assert error.get_attribute("id") in (address.get_attribute("aria-describedby") or "").split()
    panel.get_by_role("button", name="Register", exact=True).click()
    expect(address).to_be_focused()
    assert panel.locator(".tinypool-row").count() == 0

    address.fill(there)
    expect(address).not_to_have_attribute("aria-invalid", "true")
    expect(panel.locator(".tinypool-line code")).to_have_text(f'pool.register("http-module-v1", "{there}")')
    panel.get_by_role("button", name="Register", exact=True).click()
    mine = row(panel, "http-module-v1")
    expect(mine).to_have_attribute("data-state", "IDLE")
    expect(name).to_have_value("")
    expect(panel.locator(".tinypool-summary")).to_contain_text("1 module")

    mine.get_by_role("button", name="connect http-module-v1").click()
    expect(mine).to_have_attribute("data-state", "READY")
    expect(panel.locator(".tinypool-summary .tinypool-state[data-state=READY]")).to_have_attribute("data-count", "1")
    run(notebook, 1)
    expect(mine).not_to_have_attribute("data-state", "READY")
    run(notebook, 2)
    panel.get_by_role("button", name="Connect all that are not READY").click()
    expect(mine).to_have_attribute("data-state", "READY")
    mine.get_by_role("button", name="details of http-module-v1").click()
    expect(mine.locator("dl")).to_contain_text("as the pool's")

    unregister = mine.get_by_role("button", name="unregister http-module-v1", exact=True)
    unregister.click()
    mine.get_by_role("button", name="really unregister http-module-v1?").wait_for()
    mine.get_by_role("button", name="do not unregister http-module-v1").click()
    expect(unregister).to_have_text("unregister")
    unregister.click()
    notebook.page.wait_for_timeout(500)  # a person reads the question
    mine.get_by_role("button", name="really unregister http-module-v1?").click()
    expect(mine).to_have_count(0)
    expect(panel.locator(".tinypool-empty")).to_be_visible()
    close(notebook, 3)
    expect(panel.locator("img[alt^='A timeline of the gRPC connections']")).to_be_visible()


@pytest.mark.slow
def test_it_is_worked_by_keys_alone_and_takes_none_of_the_notebook(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([f"{SETUP}pool.panel()", END])
    notebook.run()
    panel, keys = notebook.cell(0).locator(".jp-OutputArea"), notebook.page.keyboard
    panel.get_by_role("button", name="Timeline").focus()
    timeline = panel.locator("canvas").first
    keys.press("Space")
    expect(timeline).to_be_hidden()
    keys.press("Enter")
    expect(timeline).to_be_visible()
    for key in ("d", "d", "x", "a", "b", "ArrowDown"):  # delete, cut, insert above and below, go on: none may happen
        keys.press(key)
    expect(panel.get_by_role("button", name="Timeline")).to_be_focused()
    assert notebook.page.locator(".jp-Notebook .jp-CodeCell").count() == 2

    panel.get_by_role("button", name="Connections").focus()
    keys.press("Tab")
    expect(panel.get_by_label("Name", exact=True)).to_be_focused()
    keys.type("ddxab")
    keys.press("Tab")
    keys.type("127.0.0.1:1")
    keys.press("Enter")
    mine = row(panel, "ddxab")
    expect(mine).to_be_visible()
    expect(panel.get_by_label("Name", exact=True)).to_be_focused()
    mine.get_by_role("button", name="connect ddxab").focus()
    assert notebook.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keys.press("Enter")
    expect(mine).to_have_attribute("data-state", "TRANSIENT_FAILURE")
    mine.get_by_role("button", name="unregister ddxab").focus()
    keys.press("Enter")
    keys.press("Escape")
    expect(mine.get_by_role("button", name="unregister ddxab", exact=True)).to_be_focused()
    keys.press("Enter")
    notebook.page.wait_for_timeout(500)
    keys.press("Enter")
    expect(mine).to_have_count(0)
    expect(panel.get_by_label("Name", exact=True)).to_be_focused()
    assert notebook.page.locator(".jp-Notebook .jp-CodeCell").count() == 2
    close(notebook, 1)


@pytest.mark.slow
def test_what_is_foreign_is_text(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([f"{SETUP}pool.register({HOSTILE!r}, '127.0.0.1:1', namespace='<b>bold')\npool.panel()", END])
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    expect(panel.locator(".tinypool-cell-name")).to_have_text(f"<b>bold/{HOSTILE}")
    panel.get_by_label("Name", exact=True).fill("<script><b>")
    panel.get_by_label("Address", exact=True).fill("127.0.0.1:1")
    expect(panel.locator(".tinypool-line code")).to_have_text('pool.register("<script><b>", "127.0.0.1:1")')
    panel.get_by_role("button", name="Register", exact=True).click()
    expect(row(panel, "<script><b>")).to_be_visible()
    close(notebook, 1)
    expect(panel.locator(".tinypool-connections th[scope=row]")).to_have_text([f"<b>bold/{HOSTILE}", "<script><b>"])


@pytest.mark.slow
def test_a_running_cell_stops_no_view_and_a_kernel_that_does_not_answer_is_told(open_notebook: "OpenNotebook") -> None:
    cells = [
        f'import os\n{SETUP}pool.register("http-module-v1", module.address)\npool.health_check()\nprint(os.getpid())\npool.panel()',
        # Not one long sleep: who was suspended may have a signal of the system's pending, which then gives an interrupt to another thread.
        "import time\nmodule.kill()\nwhile True:\n    time.sleep(0.1)",
        END,
    ]
    notebook = open_notebook(cells)
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    mine = row(panel, "http-module-v1")
    expect(mine).to_have_attribute("data-state", "READY")
    kernel = psutil.Process(int(panel.locator(".jp-OutputArea-output pre").first.inner_text()))
    run(notebook, 1)
    expect(mine).to_have_attribute("data-state", "IDLE")
    expect(notebook.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    kernel.suspend()
    try:
        panel.get_by_label("Name", exact=True).fill("two")
        panel.get_by_label("Address", exact=True).fill("127.0.0.1:1")
        panel.get_by_role("button", name="Register", exact=True).click()
        expect(panel.get_by_text("The kernel has not answered yet")).to_be_visible()
    finally:
        kernel.resume()
    notebook.command("notebook:interrupt-kernel")  # a click is served at once or when the cell has ended: that depends on the front end
    expect(row(panel, "two")).to_be_visible()
    expect(panel.get_by_text("The kernel has not answered yet")).to_have_count(0)


@pytest.mark.slow
def test_it_may_be_displayed_twice_and_comes_back_with_the_page(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook(
        [f"{SETUP}pool.register(module.name, module.address)\npool.panel()", "pool.panel()", "pool.health_check()", END]
    )
    for _ in range(2):
        notebook.run()
    views = [row(notebook.cell(number), "http-module-v1") for number in (0, 1)]
    for view in views:
        expect(view).to_have_attribute("data-state", "IDLE")
    notebook.run()
    for view in views:
        expect(view).to_have_attribute("data-state", "READY")
    notebook.command("docmanager:save")
    notebook.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    notebook.page.reload()
    for view in views:
        expect(view).to_have_attribute("data-state", "READY")
