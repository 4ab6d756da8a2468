"""The pool in a real JupyterLab, in a real browser: the table redraws itself in place, the timeline draws, nobody complains."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Browser

PORTS = range(20_000, 32_768)
"""Below the ephemeral ports, else somebody's own end of a connection may be one of ours."""
PATIENCE = 60.0
"""Seconds that JupyterLab gets to answer: it takes 3 on a quiet machine."""

CELLS = (
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
)

# It ends with whoever started it, since then its stdin does, however that came; and so do its kernels.
SERVER = """
import os, select, signal, threading

def ended():
    select.select([0], [], [])
    try:
        return not os.read(0, 1)
    except BlockingIOError:  # node, which JupyterLab asks about its build, makes the pipe that it inherits non-blocking
        return False

def stop():
    while not ended():
        pass
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=stop, daemon=True).start()
from jupyterlab.labapp import main
main()
"""


@contextmanager
def serving(notebooks: Path, home: Path) -> Iterator[str]:
    """A JupyterLab that shares no setting and no folder with the person's own; its address. All its processes are gone at the end."""
    settings = home / "user-settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    server, port = started(notebooks, home)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert server.stdin is not None
        server.stdin.close()
        _, left = psutil.wait_procs(family, timeout=20)
        for process in left:
            process.kill()
        server.wait()
        assert left == []


def started(notebooks: Path, home: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server that answers, and its port; a port that somebody else has already is left to them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY", "IPYTHON"))}
    for name, folder in (("CONFIG", "config"), ("DATA", "data"), ("RUNTIME", "runtime")):
        environment[f"JUPYTER_{name}_DIR"] = str(home / folder)
    environment |= {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}
    log = home / "server.log"
    for port in random.sample(PORTS, 10):
        options = [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.terminals_enabled=False",
            f"--ServerApp.root_dir={notebooks}",
            "--IdentityProvider.token=",  # who is on this machine may enter; there is nothing to find
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.expose_app_in_browser=True",
            f"--LabApp.workspaces_dir={home / 'workspaces'}",
            f"--LabApp.user_settings_dir={home / 'user-settings'}",
        ]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-c", SERVER, *options], env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        if answers(server, port):
            return server, port
        server.communicate()
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3_000:]}")


def answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it came up, which it tells nobody, so it is asked until it answers or ends."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/status")
            if connection.getresponse().status == 200:
                return True
        except (OSError, HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    return False


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The notebook of CELLS, open in a JupyterLab."""
    if find_spec("jupyterlab") is None:
        message = "there is no JupyterLab in this environment (it is in the dependency group dev)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata=kernel), notebooks / "live.ipynb")
    with serving(notebooks, tmp_path / "home") as server:
        yield f"{server}/lab/tree/live.ipynb"


def command(page: "Page", name: str) -> None:
    """Have JupyterLab do what its menus do, without waiting until it has."""
    page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)


@pytest.mark.browser
def test_the_table_lives_and_the_timeline_draws(address: str, browser: "Browser") -> None:
    page = browser.open(address, width=1400, height=1400)
    page.set_default_timeout(30_000)
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    state = cells.nth(0).locator(".tinypool-connections .tinypool-chip")

    def run() -> None:
        command(page, "notebook:run-cell-and-select-next")

    def wait_for(shown: str) -> None:
        cells.nth(0).locator(f".tinypool-chip[data-state={shown}]").wait_for()
        assert state.count() == 1  # in place: one table, not one below the other

    run()
    wait_for("IDLE")
    run()
    wait_for("READY")
    run()
    wait_for("IDLE")
    assert cells.nth(2).locator(".jp-InputPrompt").inner_text() == "[*]:"  # while the cell is running
    command(page, "notebook:interrupt-kernel")
    cells.nth(2).locator(".jp-OutputArea").get_by_text("KeyboardInterrupt").first.wait_for()
    run()
    plot = cells.nth(3).locator(".js-plotly-plot")
    plot.locator(".barlayer .point path").first.wait_for(state="attached")
    assert {"IDLE", "READY"} <= set(plot.locator(".legendtext").all_text_contents())
    assert plot.locator(".ytick text, .yaxislayer-above text").all_text_contents() == ["http-module-v1"]
    run()
    cells.nth(4).locator(".jp-OutputArea").get_by_text("the end").wait_for()
    complaints = [cells.nth(cell).locator("[data-mime-type='application/vnd.jupyter.stderr']").count() for cell in range(len(CELLS))]
    assert complaints == [0, 0, 1, 0, 0]  # the one is the interrupt
