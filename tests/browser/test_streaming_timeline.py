"""The plotly timeline that follows, in a real JupyterLab: it draws what happens, and the kernel hears that it was drawn."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

CELLS = [
    """\
import time
import tinypool_nb as tp

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool(tp.PoolOptions(load_balancing="round_robin"))
pool.register(module.name, module.address)
pool.reconnect(module.name)
pool.wait(module.name, "READY", timeout=10)
figure = pool.timeline(live=True)
figure""",
    "module.kill()\npool.wait(module.name, 'TRANSIENT_FAILURE', timeout=20)\ntime.sleep(3600)",
    """\
import asyncio

heard = []
figure.observe(lambda change: heard.append(change.new), "_js2py_traceDeltas")
async def wait():
    while figure._is_under_way or not heard:
        await asyncio.sleep(0.05)
    return "drawn and heard"
await asyncio.wait_for(wait(), 20)""",
    "pool.close()\nlab.close()\n'the end'",
]


@pytest.mark.browser
@pytest.mark.slow
def test_it_follows_while_a_cell_runs(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook(CELLS)
    plot = notebook.cell(0).locator(".js-plotly-plot")
    bars = "bars => document.querySelector('.js-plotly-plot').data.some(trace => trace.name === bars && trace.x && trace.x.length)"
    notebook.run()
    plot.locator(".barlayer .point path").first.wait_for(state="attached")
    notebook.page.wait_for_function(bars, arg="READY")
    assert plot.locator(".ytick text").all_text_contents() == ["http-module-v1"]
    ticks = plot.locator(".xtick text").all_text_contents()
    assert all(len(text) == len("06:32:40") for text in ticks)
    # Time goes on though nothing happens, and each step waits until the kernel has heard of the last one.
    notebook.page.evaluate("window.edge = document.querySelector('.js-plotly-plot').layout.xaxis.range[1]")
    notebook.page.wait_for_function("document.querySelector('.js-plotly-plot').layout.xaxis.range[1] > window.edge + 1")
    notebook.run()
    notebook.page.wait_for_function(bars, arg="TRANSIENT_FAILURE")
    assert notebook.cell(1).locator(".jp-InputPrompt").inner_text() == "[*]:"
    notebook.command("notebook:interrupt-kernel")
    notebook.cell(1).locator(".jp-OutputArea").get_by_text("KeyboardInterrupt").first.wait_for()
    notebook.run()
    notebook.cell(2).locator(".jp-OutputArea").get_by_text("drawn and heard").wait_for()
    notebook.run()
    notebook.cell(3).locator(".jp-OutputArea").get_by_text("the end").wait_for()
