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

# The colour of the newest bar of the first lane: a few pixels to the left of now.
PIXEL = """([canvas, dx]) => {
  const scale = devicePixelRatio, context = canvas.getContext("2d");
  for (let x = canvas.clientWidth - 1; x > 0; x -= 1) {
    const [r, g, b, a] = context.getImageData((x - dx) * scale, 50 * scale, 1, 1).data;
    const edge = context.getImageData(x * scale, 50 * scale, 1, 1).data;
    if (edge[3] === 255 && a === 255) return "#" + [r, g, b].map(value => value.toString(16).padStart(2, "0")).join("");
  }
  return "";
}"""


def live(page: "Page") -> "Locator":
    return page.locator(".tinypool-live").first


def wait_for(view: "Locator", state: str, module: str = "http-module-v1") -> None:
    view.locator(f"li[data-module='{module}'][data-state='{state}']").wait_for()


def wait_for_colour(view: "Locator", state: State, theme: str = "light") -> None:
    look = PALETTES["light" if theme == "light" else "dark"].looks[state.code]
    view.page.wait_for_function(
        f"argument => {{ const colour = ({PIXEL})(argument.place); return argument.colours.includes(colour); }}",
        arg={"place": [view.locator("canvas.tinypool-live-canvas").element_handle(), 2], "colours": [look.colour, look.hatch]},
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
