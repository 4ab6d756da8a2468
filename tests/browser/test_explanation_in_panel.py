"""The explanation in a real JupyterLab: a module is chosen in the list, and why it cannot be reached stands there, as text."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

HOSTILE = "<img src=x onerror=console.error(1)>"
SETUP = f"""\
import tinypool_nb as tp

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
pool.register("http-module-v1", module.address)
pool.register({HOSTILE!r}, "127.0.0.1:21999")
pool.health_check()
pool.wait("http-module-v1", timeout=10)
pool.panel()
"""
END = 'pool.close()\nlab.close()\n"the end"'

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_choosing_a_module_shows_its_explanation(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([SETUP, 'module.kill()\npool.wait(module.name, "IDLE", timeout=10)\npool.health_check()', END], height=2000)
    notebook.run()
    panel = notebook.cell(0).locator(".jp-OutputArea")
    why = panel.locator(".tinypool-why")
    rows = panel.locator(".tinypool-row")
    expect(rows).to_have_count(2)

    rows.nth(1).get_by_role("button", name="details of").click()  # the list
    answer = why.locator(".tinypool-why-answer")
    expect(answer.locator("h4")).to_have_text(f"{HOSTILE}: cannot be reached: refused")
    expect(answer.locator("[data-cause=refused]").first).to_contain_text("ipv4:127.0.0.1:21999 refuses")
    assert panel.locator("img[src=x]").count() == 0, "a name is text"

    why.get_by_label("Explain which module").select_option(label="http-module-v1")  # here
    expect(answer.locator("h4")).to_have_text("http-module-v1: nothing wrong")
    notebook.cell(1).locator(".jp-InputPrompt").click()
    notebook.run()
    expect(answer.locator("h4")).to_have_text("http-module-v1: cannot be reached: killed")  # it keeps up
    answer.locator("summary").first.click()
    expect(answer.locator("details").first).to_contain_text("READY to IDLE")

    folder = os.environ.get("TINYPOOL_PICTURES")
    for theme in ("light", "dark") if folder else ():
        notebook.set_theme(theme)
        notebook.page.wait_for_timeout(500)
        (Path(folder or "") / f"why-{theme}.png").write_bytes(why.screenshot())
        (Path(folder or "") / f"page-{theme}.png").write_bytes(notebook.page.screenshot())

    notebook.cell(2).locator(".jp-InputPrompt").click()
    notebook.run()
    notebook.cell(2).locator(".jp-OutputArea").get_by_text("the end").wait_for()
