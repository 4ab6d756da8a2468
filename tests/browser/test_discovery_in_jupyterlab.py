"""How discovery stands, in the panel of a real JupyterLab: no line without one, then each state as it comes, foreign text as text."""

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

CELLS = [
    """\
import tinypool_nb as tp

lab = tp.Lab(kubernetes=True)
lab.resources.create("http-module-v1", addr="127.0.0.1:1")
pool = tp.Pool()
pool.panel()""",
    "discovery = pool.discover(kubeconfig=lab.kubeconfig)",
    "lab.api.kill()",
    "lab.api.restart()",
    "lab.api.grant(verbs=[])\nlab.api.drop_watches()",
    "discovery.close()",
    'pool.close()\nlab.close()\n"the end"',
]


@pytest.mark.slow
@pytest.mark.browser
def test_the_line_of_a_discovery_lives(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook(CELLS)
    panel = notebook.cell(0).locator(".jp-OutputArea")
    line = panel.locator(".tinypool-discoveries li")

    def run(number: int) -> None:
        notebook.cell(number).locator(".jp-InputPrompt").click()
        notebook.run()

    run(0)
    panel.locator(".tinypool-live").wait_for()
    assert panel.locator(".tinypool-discoveries").bounding_box() is None, "it takes no room"
    run(1)
    expect(line).to_have_attribute("data-health", "synced")
    expect(line).to_contain_text("1 module: 1 registered")
    run(2)
    expect(line).to_have_attribute("data-health", "stale")
    expect(line).to_contain_text("The pool keeps what it had.")
    expect(panel.locator(".tinypool-discoveries [role=status]")).to_contain_text("stale")
    run(3)
    expect(line).to_have_attribute("data-health", "synced")
    run(4)
    expect(line).to_have_attribute("data-health", "refused")
    role = line.locator("summary")
    role.focus()
    notebook.page.keyboard.press("Enter")
    expect(line.locator("pre")).to_contain_text("kind: Role")
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    line.get_by_role("button", name="Copy").click()
    expect(line.get_by_role("button", name="Copied")).to_be_visible()
    assert notebook.page.evaluate("navigator.clipboard.readText()").startswith("apiVersion: rbac")
    notebook.set_theme("dark")
    expect(line.locator("pre")).to_be_visible()  # what was unfolded stays so
    run(5)
    expect(line).to_have_count(0)
    run(6)
    notebook.cell(6).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    assert notebook.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
