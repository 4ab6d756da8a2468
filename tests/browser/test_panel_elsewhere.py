"""The panel in Notebook 7, under an accessibility check in both themes, and in a saved notebook whose kernel is gone."""

from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import JupyterLab, Notebook, OpenNotebook
    from tests.conftest import Browser

PANEL = """\
import tinypool_nb as tp

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
pool.register(module.name, module.address)
pool.register("gone-module-v1", "127.0.0.1:1", namespace="tinysystems")
pool.health_check()
pool.panel()"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_accessibility_check_finds_nothing(theme: Literal["light", "dark"], open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([PANEL, "pool.close()\nlab.close()"])
    notebook.set_theme(theme)
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    expect(panel.locator(".tinypool-row[data-state=READY]")).to_have_count(1)
    expect(panel.locator(".tinypool-row[data-state=TRANSIENT_FAILURE]")).to_have_count(1)
    panel.get_by_text("Namespace, options, TLS").click()
    panel.get_by_label("Connection", exact=True).select_option("tls")
    panel.get_by_label("Name", exact=True).fill("a")
    panel.get_by_label("Ping after, s").fill("soon")
    panel.get_by_text("a number of seconds, such as 2.5").wait_for()
    panel.get_by_role("button", name="details of http-module-v1").click()
    panel.get_by_role("button", name="unregister http-module-v1", exact=True).click()
    found = Axe().run(notebook.page, context=".tinypool-whole")
    assert found.violations_count == 0, found.generate_report()
    assert [check["id"] for check in found.response["passes"] if check["id"] in {"color-contrast", "label", "list"}] != []


def test_notebook_7_opens_the_same_panel(jupyterlab: "JupyterLab", browser: "Browser") -> None:
    jupyterlab.write("seven", [PANEL])
    page = browser.open(f"{jupyterlab.address}/notebooks/seven.ipynb")
    try:
        expect(page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle", timeout=90_000)
        jupyterlab.await_kernel()
        browser.errors.clear()  # Notebook 7.6 complains of itself as it starts; from here on nobody may
        page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").click()
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".tinypool-row[data-module='http-module-v1']")).to_have_attribute("data-state", "READY", timeout=90_000)
        page.get_by_label("Name", exact=True).fill("typed")
        page.get_by_label("Address", exact=True).fill("127.0.0.1:1")
        page.keyboard.press("Enter")
        expect(page.locator(".tinypool-row[data-module=typed]")).to_have_attribute("data-state", "IDLE")
    finally:
        jupyterlab.end_kernels()


def saved_and_opened_without_its_kernel(notebook: "Notebook", jupyterlab: "JupyterLab") -> None:
    notebook.wait_until_idle()
    notebook.command("docmanager:save")
    notebook.page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    jupyterlab.end_kernels()
    notebook.page.reload()


def test_a_saved_notebook_shows_the_frozen_picture_without_its_kernel(open_notebook: "OpenNotebook", jupyterlab: "JupyterLab") -> None:
    notebook = open_notebook([PANEL, "pool.panel().freeze()", "pool.close()\nlab.close()"])
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    expect(panel.locator(".tinypool-row[data-state=READY]")).to_have_count(1)
    notebook.run()
    expect(panel.locator(".tinypool-row")).to_have_count(0)
    notebook.run()
    saved_and_opened_without_its_kernel(notebook, jupyterlab)
    expect(panel.locator(".tinypool-connections tbody[data-state=READY]")).to_have_count(1)
    expect(panel.locator("img[alt^='A timeline of the gRPC connections of 2 modules']")).to_be_visible()


def test_a_kernel_that_died_leaves_the_picture_of_the_last_cell(
    open_notebook: "OpenNotebook", jupyterlab: "JupyterLab", browser: "Browser"
) -> None:
    notebook = open_notebook([PANEL, 'pool.unregister("gone-module-v1")'])
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    picture = panel.locator("img[alt^='A timeline of the gRPC connections of 2 modules']").first
    expect(panel.locator(".tinypool-row")).to_have_count(2)
    expect(panel.locator(".tinypool-static")).to_be_hidden()  # behind the view
    notebook.run()
    expect(panel.locator(".tinypool-row")).to_have_count(1)
    saved_and_opened_without_its_kernel(notebook, jupyterlab)
    expect(panel.locator(".tinypool-connections tbody")).to_have_count(1)
    expect(picture).to_be_visible()
    expect(panel.get_by_text("Error displaying widget")).to_be_hidden()
    browser.errors.clear()  # JupyterLab's own: "widget model not found"
