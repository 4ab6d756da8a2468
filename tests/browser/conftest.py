"""A real JupyterLab that shares nothing with the person's own, and notebooks in it, driven by a real browser."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.conftest import Browser

PORTS = range(20_000, 32_768)
"""Below the ephemeral ports, else somebody's own end of a connection may be one of ours."""
PATIENCE = 60.0
"""Seconds that JupyterLab gets to answer: it takes 3 on a quiet machine."""
IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"

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
            "--ServerApp.disable_check_xsrf=True",  # else it refuses to end a kernel
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


@dataclass
class JupyterLab:
    """One server for all tests of a run."""

    address: str
    """`http://127.0.0.1:port`."""
    notebooks: Path
    """The folder that it shows."""

    def write(self, name: str, cells: list[str]) -> str:
        """A new notebook of these cells; the address at which JupyterLab opens it."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=kernel), self.notebooks / f"{name}.ipynb")
        return f"{self.address}/lab/tree/{name}.ipynb?reset"  # without the tabs of the tests before

    def await_kernel(self) -> None:
        """Wait until a kernel waits for what to run: a page may say so before there is one, and would then ask which one to start."""
        deadline = time.monotonic() + 60
        while not any(session["kernel"]["execution_state"] == "idle" for session in json.loads(self._ask("GET", "/api/sessions"))):
            assert time.monotonic() < deadline, "no kernel came up"
            time.sleep(0.05)

    def end_kernels(self) -> None:
        """Shut down every kernel, with what runs in it; one that is just starting again refuses at first."""
        deadline = time.monotonic() + 20
        while sessions := json.loads(self._ask("GET", "/api/sessions")):
            assert time.monotonic() < deadline, f"kernels were left: {sessions}"
            for session in sessions:
                self._ask("DELETE", f"/api/sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> bytes:
        connection = HTTPConnection(self.address.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            assert answer.status < 400, f"{method} {path}: {answer.status}"
            return answer.read()
        finally:
            connection.close()


@dataclass
class Notebook:
    """A notebook that is open in the browser."""

    page: "Page"

    def run(self) -> None:
        """Run the selected cell and select the next one; returns at once."""
        self.command("notebook:run-cell-and-select-next")

    def command(self, name: str) -> None:
        """Have JupyterLab do what its menus do, without waiting until it has."""
        self.page.evaluate("name => void window.jupyterapp.commands.execute(name)", name)

    def cell(self, number: int) -> "Locator":
        """A code cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def wait_until_idle(self) -> None:
        """Wait until the kernel runs nothing."""
        self.page.wait_for_function(IDLE)

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        """Change JupyterLab's theme, and wait until it shows."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", f"JupyterLab {theme.capitalize()}"
        )
        light = str(theme == "light").lower()
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
        # JupyterLab covers the change with its splash, and stumbles over it if the next change comes before it has faded.
        self.page.wait_for_function("document.getElementById('jupyterlab-splash') === null")


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """A JupyterLab, once for all tests of a run."""
    if find_spec("jupyterlab") is None:
        message = "there is no JupyterLab in this environment (it is in the dependency group dev)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    notebooks = tmp_path_factory.mktemp("notebooks")
    with serving(notebooks, tmp_path_factory.mktemp("home")) as server:
        yield JupyterLab(server, notebooks)


OpenNotebook = Callable[..., Notebook]


@pytest.fixture
def open_notebook(jupyterlab: JupyterLab, browser: "Browser", request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Opens a notebook of the given cells, with the first one selected and a kernel that waits; all kernels end with the test."""

    from playwright.sync_api import expect

    def open_(cells: list[str], *, width: int = 1400, height: int = 1400) -> Notebook:
        name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
        page = browser.open(jupyterlab.write(name, cells), width=width, height=height)
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.wait_for_function(IDLE)
        notebook = Notebook(page)
        if page.evaluate("document.body.dataset.jpThemeLight") != "true":  # JupyterLab keeps the theme that another test has chosen
            notebook.set_theme("light")
        return notebook

    yield open_
    while browser.contexts:
        browser.contexts.pop().close()  # first, for a page that loses its kernel complains
    jupyterlab.end_kernels()
