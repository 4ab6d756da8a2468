"""The pool in a real JupyterLab, in a real browser: the table redraws itself in place, the timeline draws, nobody complains."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

CELLS = [
    """\
import tinypool_nb as tp

lab = tp.Lab()
module = lab.start("http-module-v1")
pool = tp.Pool()
pool.register(module.name, module.address)
pool.connections(live=True)""",
    'pool.reconnect("http-module-v1")\npool.wait("http-module-v1", "READY", timeout=10)',
    """\
import time

module.kill()
pool.wait("http-module-v1", "IDLE", timeout=10)
time.sleep(3600)  # the kernel is busy, until it is interrupted, and the table must not mind""",
    "pool.timeline()",
    'pool.close()\nlab.close()\n"the end"',
]


@pytest.mark.slow
@pytest.mark.browser
def test_the_table_lives_and_the_timeline_draws(open_notebook: "OpenNotebook") -> None:
    notebook = open_notebook(CELLS)
    run, cell = notebook.run, notebook.cell
    state = cell(0).locator(".tinypool-connections .tinypool-chip")

    def wait_for(shown: str) -> None:
        cell(0).locator(f".tinypool-chip[data-state={shown}]").wait_for()
        assert state.count() == 1  # in place: one table, not one below the other

    run()
    wait_for("IDLE")
    run()
    wait_for("READY")
    run()
    wait_for("IDLE")
    assert cell(2).locator(".jp-InputPrompt").inner_text() == "[*]:"  # while the cell is running
    notebook.command("notebook:interrupt-kernel")
    cell(2).locator(".jp-OutputArea").get_by_text("KeyboardInterrupt").first.wait_for()
    run()
    plot = cell(3).locator(".js-plotly-plot")
    plot.locator(".barlayer .point path").first.wait_for(state="attached")
    assert {"IDLE", "READY"} <= set(plot.locator(".legendtext").all_text_contents())
    assert plot.locator(".ytick text, .yaxislayer-above text").all_text_contents() == ["http-module-v1"]
    run()
    cell(4).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    complaints = [cell(number).locator("[data-mime-type='application/vnd.jupyter.stderr']").count() for number in range(len(CELLS))]
    assert complaints == [0, 0, 1, 0, 0]  # the one is the interrupt
