"""The live timeline in a real JupyterLab: what happens to a module is seen, in the picture, by the chip and in words."""

from typing import TYPE_CHECKING

import pytest

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.core.states import State

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import OpenNotebook

BEGIN = """\
import time
import tinypool_nb as tp
from tinypool_nb.widgets.live import LiveTimeline

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
pool.register(module.name, module.address)
pool.reconnect(module.name)
pool.wait(module.name, "READY", timeout=10)
timeline = LiveTimeline(pool.journal, pool.publisher, window=20.0)
timeline"""

# The colour of the newest bar in the lane of a list item: two pixels to the left of where the picture ends.
PIXEL = """(canvas, item) => {
  const scale = devicePixelRatio, context = canvas.getContext("2d");
  const [place, lane] = [canvas, item].map(each => each.getBoundingClientRect());
  const at = x => [...context.getImageData(x * scale, (lane.top + lane.height / 2 - place.top) * scale, 1, 1).data];
  const hex = values => "#" + values.map(value => value.toString(16).padStart(2, "0")).join("");
  for (let x = canvas.clientWidth - 1; x > 2; x -= 1)
    if (at(x)[3] === 255 && at(x - 2)[3] === 255) return hex(at(x - 2).slice(0, 3));
  return "";
}"""


def live(page: "Page") -> "Locator":
    return page.locator(".tinypool-live").first


def wait_for(view: "Locator", state: str, module: str = "http-module-v1") -> None:
    view.locator(f"li[data-module='{module}'][data-state='{state}']").wait_for()


def wait_for_colour(view: "Locator", state: State, theme: str = "light") -> None:
    look = PALETTES["light" if theme == "light" else "dark"].looks[state.code]
    canvas, item = (view.locator(each).first.element_handle() for each in ("canvas.tinypool-live-canvas", "li"))
    view.page.wait_for_function(
        f"([canvas, item, colours]) => colours.includes(({PIXEL})(canvas, item))", arg=[canvas, item, [look.colour, look.hatch]]
    )


@pytest.mark.browser
def test_a_killed_server_is_seen_while_a_cell_runs(open_notebook: "OpenNotebook") -> None:
    block = 'module.kill()\npool.wait(module.name, "IDLE", timeout=10)\ntime.sleep(3600)'
    notebook = open_notebook([BEGIN, block, 'pool.close()\nlab.close()\n"the end"'])
    view = live(notebook.page)
    notebook.run()
    wait_for(view, "READY")
    wait_for_colour(view, State.READY)
    notebook.run()
    wait_for(view, "IDLE")
    wait_for_colour(view, State.IDLE)
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:"
    notebook.command("notebook:interrupt-kernel")
    notebook.cell(1).locator(".jp-OutputArea").get_by_text("KeyboardInterrupt").first.wait_for()
    notebook.run()
    notebook.page.locator(".tinypool-live[data-status=closed]").wait_for()
    wait_for(view, "SHUTDOWN")


@pytest.mark.browser
@pytest.mark.slow
def test_a_view_in_a_cell_that_goes_on_running_is_up_to_date(open_notebook: "OpenNotebook") -> None:
    block = "display(timeline)\nmodule.kill()\npool.wait(module.name, 'IDLE', timeout=10)\ntime.sleep(3600)"
    notebook = open_notebook([BEGIN.removesuffix("\ntimeline"), block])  # its hello must wait for the end of the cell
    notebook.run()
    notebook.run()
    wait_for(live(notebook.page), "IDLE")
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:"
    notebook.command("notebook:interrupt-kernel")
    notebook.cell(1).locator(".jp-OutputArea").get_by_text("KeyboardInterrupt").first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_that_is_loaded_again_a_second_view_and_a_kernel_that_goes(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([BEGIN, "timeline", "pool.reconnect(module.name)\npool.wait(module.name, 'READY', timeout=10)"])
    page = notebook.page
    view = live(page)
    notebook.run()
    wait_for(view, "READY")
    changes = view.get_attribute("data-changes")
    assert changes is not None
    assert int(changes) >= 3
    notebook.run()
    second = notebook.cell(1).locator(".tinypool-live")
    wait_for(second, "READY")
    assert second.get_attribute("data-changes") == changes
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
    page.locator(f".tinypool-live[data-status=live][data-changes='{changes}']").first.wait_for()
    notebook.cell(2).click()
    notebook.run()
    more = f"view => Number(view.dataset.changes) > {changes}"
    for number in (0, 1):
        handle = notebook.cell(number).locator(".tinypool-live").element_handle()
        page.wait_for_function(more, arg=handle)
    wait_for(view, "READY")  # the last that it will hear of
    page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.locator(".tinypool-live[data-status=lost]").first.wait_for()
    wait_for(view, "READY")
    notebook.wait_until_idle()


@pytest.mark.browser
@pytest.mark.slow
def test_it_follows_the_theme_and_takes_no_key_of_jupyterlab(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([BEGIN, "'below'", "pool.close()\nlab.close()"])
    page, view = notebook.page, live(notebook.page)
    notebook.run()
    wait_for(view, "READY")
    notebook.set_theme("dark")
    page.locator(".tinypool-live[data-theme=dark]").wait_for()
    wait_for_colour(view, State.READY, "dark")
    notebook.set_theme("light")
    wait_for_colour(view, State.READY)

    canvas = view.locator("canvas.tinypool-live-canvas")
    canvas.focus()
    selected = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    before = page.evaluate(selected)
    page.keyboard.press(" ")
    page.locator(".tinypool-live[data-following=false]").wait_for()
    page.keyboard.press("Home")
    page.locator(".tinypool-live[data-following=true]").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator(".tinypool-live[data-following=false]").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # now has gone on meanwhile
    page.locator(".tinypool-live[data-following=true]").wait_for()
    span = view.locator("output").inner_text()
    page.keyboard.press("-")
    page.wait_for_function("([output, before]) => output.textContent !== before", arg=[view.locator("output").element_handle(), span])
    page.keyboard.press("ArrowDown")
    tip = view.locator("[role=tooltip]")
    tip.get_by_text("READY").wait_for()
    assert "plaintext" in tip.inner_text()
    assert page.evaluate(selected) == before
    view.get_by_label("filter by name").fill("dd")  # which deletes a cell, where JupyterLab gets it
    view.get_by_label("filter by name").press("d")
    view.get_by_label("filter by name").press("d")
    page.wait_for_function("document.querySelectorAll('.tinypool-live li:not([hidden])').length === 0")
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 3
    view.get_by_label("filter by name").fill("HTTP")
    wait_for(view, "READY")
    notebook.cell(1).locator(".jp-InputPrompt").click()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"{selected} === 2")  # elsewhere JupyterLab's keys are its own


MANY = """\
import numpy as np
from tinypool_nb.core.events import ChannelIdentity, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.widgets.live import LiveTimeline
from tinypool_nb.widgets.publisher import Publisher

journal = Journal()
follower = Follower(journal)
publisher = Publisher(journal, follower)
channels = [ChannelIdentity(n + 1, ModuleKey(None, f"module-{n}"), f"10.0.0.1:{n + 1}", 1) for n in range(1000)]
now, states, rng = journal.clock.now(), list(State)[:4], np.random.default_rng(0)
for time in (now - 60 * 10**9 + np.sort(rng.integers(0, 60 * 10**9, 100))).tolist():
    for n, channel in enumerate(channels):
        journal.append(Transition(time + n, channel, None, states[rng.integers(4)], "", Evidence.SEEN))
journal.append(Transition(now, channels[777], None, State.TRANSIENT_FAILURE, "refused", Evidence.SEEN))
timeline = LiveTimeline(journal, publisher)
timeline"""


@pytest.mark.browser
@pytest.mark.slow
def test_a_thousand_modules_with_a_hundred_thousand_segments(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook([MANY, "timeline.close()\npublisher.close()\nfollower.close()\n'the end'"])
    page, view = notebook.page, live(notebook.page)
    notebook.run()
    page.locator(".tinypool-live[data-modules='1000'][data-status=live]").wait_for()
    assert view.locator("li:not([hidden])").count() < 50  # only what is in sight stands in the page
    last = view.locator("li[data-module='module-999']")
    canvas = view.locator("canvas.tinypool-live-canvas")
    canvas.hover()
    for _ in range(40):
        page.mouse.wheel(0, 1000)
    last.wait_for()
    view.get_by_label("order of the modules").select_option("worst")
    view.get_by_label("filter by name").fill("module-777")
    wait_for(view, "TRANSIENT_FAILURE", "module-777")
    view.get_by_label("filter by name").fill("")
    view.locator("button[data-state=IDLE]").click()
    page.wait_for_function("[...document.querySelectorAll('.tinypool-live li:not([hidden])')].every(li => li.dataset.state === 'IDLE')")
    notebook.cell(1).locator(".jp-InputPrompt").click()
    notebook.run()
    notebook.cell(1).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    page.wait_for_function("document.querySelectorAll('.tinypool-live').length === 0")  # a closed widget leaves the page
