"""The stepper in a real JupyterLab: a person clicks through a lesson, and holds a module of their own."""

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import Notebook, OpenNotebook

SHOW = """\
import tinypool_nb as tp
from tinypool_nb.notebook.stepping import step_verbs
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.stepper import StepperWidget
from tinypool_nb.widgets.worker import Worker

pool = tp.Pool()
publisher, worker = Publisher(pool.journal, pool.follower), Worker()
stepper = StepperWidget(pool.journal, publisher, worker, step_verbs(pool))
stepper"""
END = """\
stepper.close()
worker.close()
publisher.close()
pool.close()
"the end\""""
HIGH = 2000
"""Pixels in which all cells have room: JupyterLab takes those out of the page that nobody sees."""
OWN = """\
lab = tp.Lab()
module = lab.start("http-module-v1")
pool.register(module.name, module.address, options=tp.PoolOptions(backoff=tp.Backoff(initial=0.5, maximum=1.0)))
"registered\""""


def shown(notebook: "Notebook") -> "Locator":
    notebook.run()
    stepper = notebook.cell(0).locator(".tinypool-stepper")
    stepper.wait_for()
    notebook.wait_until_idle()
    return stepper


def run(notebook: "Notebook", cell: int, text: str) -> None:
    # A click in the stepper has selected the cell that shows it.
    notebook.page.evaluate("number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number; }", cell)
    notebook.run()
    notebook.cell(cell).locator(".jp-OutputArea").get_by_text(text).wait_for(state="attached")


@pytest.mark.slow
@pytest.mark.browser
def test_the_first_lesson_is_walked_through_by_clicking_next(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([SHOW, END], height=HIGH)
    stepper = shown(notebook)
    steps = stepper.locator(".tinypool-steps-list > li")
    steps.nth(9).wait_for(state="attached")
    assert steps.count() == 10
    following = stepper.locator("button[data-act=next]")
    for number in range(10):
        following.and_(stepper.locator(":not([aria-disabled])")).click()
        stepper.locator(f".tinypool-steps-list > li:nth-child({number + 1})[data-state='as expected']").wait_for()
    assert following.inner_text() == "The end"
    assert following.get_attribute("aria-disabled") == "true"
    assert "IDLE → CONNECTING at +" in (steps.nth(3).locator("[data-fact=seen] dd").text_content() or "")
    assert "Connection refused" in (steps.nth(6).locator("[data-fact=note] dd").text_content() or "")
    stepper.locator("[role=status]").filter(has_text="Step 10, Call again: as expected").wait_for(state="attached")
    stepper.locator("button[data-act=reset]").click()
    stepper.locator(".tinypool-steps-list > li:nth-child(1)[data-state='to come']").wait_for()
    assert stepper.locator(".tinypool-steps-list > li[data-state='to come']").count() == 10
    run(notebook, 1, "the end")


@pytest.mark.browser
def test_a_module_is_held_attempted_restarted_and_attempted(open_notebook: "OpenNotebook") -> None:
    cells = [SHOW, OWN, "module.kill()\n'killed'", "module.restart()\n'restarted'", "module.kill()\n'killed again'", END]
    notebook = open_notebook(cells, height=HIGH)
    stepper = shown(notebook)
    run(notebook, 1, "registered")
    stepper.locator("button[data-view=own]").click()
    own = stepper.locator(".tinypool-own")
    own.and_(stepper.locator("[data-mode=follow][data-doing=asleep]")).wait_for()
    run(notebook, 2, "killed")
    own.get_by_label("Hold").check()
    own.and_(stepper.locator("[data-mode=hold][data-doing=held]")).wait_for()
    attempt = own.locator("button[data-act=attempt]")
    attempt.click()
    report = own.locator(".tinypool-report")
    report.and_(stepper.locator("[data-state=failed]")).wait_for()
    assert report.locator("li b").all_text_contents() == ["resolving", "connecting", "failed"]
    assert "Connection refused" in report.locator("li[data-state=failed]").inner_text()
    window = re.search(r"By itself gRPC would have made the next attempt (0\.\d\d) to (0\.\d\d) s after", report.inner_text())
    assert window is not None
    assert float(window[1]) >= 0.4  # 0.5 s less 20 %, and what it took to resolve the name
    assert round(float(window[2]) - float(window[1]), 2) == 0.2
    assert own.get_attribute("data-state") == "TRANSIENT_FAILURE"
    run(notebook, 3, "restarted")
    assert own.get_attribute("data-state") == "TRANSIENT_FAILURE"  # nobody has asked
    attempt.press("Enter")
    report.and_(stepper.locator("[data-state=ready]")).wait_for()
    own.and_(stepper.locator("[data-state=READY]")).wait_for()
    assert report.locator("li b").all_text_contents() == ["resolving", "connecting", "handshake", "ready"]
    own.get_by_label("Follow").check()
    own.and_(stepper.locator("[data-mode=follow][data-doing=connected]")).wait_for()
    run(notebook, 4, "killed again")
    own.and_(stepper.locator("[data-doing=asleep]")).wait_for()
    run(notebook, 5, "the end")
