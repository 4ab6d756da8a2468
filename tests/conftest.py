"""What holds for every test: nothing is left behind; a browser that reports what it was asked to fetch, and a real Prometheus."""

import asyncio
import gc
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

settings.register_profile("untimed", deadline=None)  # machines are shared: how long an example takes says nothing
settings.load_profile("untimed")

GRACE = 5.0
"""Seconds that threads, processes and sockets get to go away after a test."""

CHROMIUM_FLAGS = (
    "--no-sandbox",  # a container's root has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",  # the network is off
)


TOLD_AT_THE_END = "told at the end"
"""The property under which a test records a line that is printed also if it passed, in whichever process it ran."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded under `TOLD_AT_THE_END`: the seeds of random histories."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    for line in [text for report in reports for name, text in report.user_properties if name == TOLD_AT_THE_END]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_at_the_end() -> Iterator[None]:
    """As `_nothing_left`, for what fixtures of a wider scope leave."""
    before = _alive()
    yield
    _settle(before)


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """After each test no thread, child process or listening socket is there that was not there before."""
    before = _alive()
    yield
    _settle(before)


def _settle(before: set[object]) -> None:
    if _wait(lambda: not _left(before), GRACE / 2):
        return
    gc.collect()  # what only a reference cycle keeps is no leak
    if not _wait(lambda: not _left(before), GRACE / 2):
        pytest.fail("left behind: " + ", ".join(_left(before)))


def _wait(is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether `is_so` came true in time. The world of threads and processes sends no event to wait for, so it is asked."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _alive() -> set[object]:
    """Every thread, child process and listening socket of this process."""
    this = psutil.Process()
    threads = {thread for thread in threading.enumerate() if not _stays(thread)}
    listeners = {("listens", c.laddr, c.fd) for c in this.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    return {*threads, *this.children(), *listeners}


def _stays(thread: threading.Thread) -> bool:
    """Whether it belongs to another package and lives as long as the interpreter, whatever a test does."""
    return type(thread).__module__.startswith("zmq.")  # pyzmq's collector of sent messages


def _left(before: set[object]) -> list[str]:
    return sorted(map(str, _alive() - before))


OF_JUPYTERLAB = "Could not restore the debugger state: Canceled future for debug_request"
"""What JupyterLab's debugger complains of where a kernel goes while it asks it something, which a slow machine makes likely."""


@dataclass
class Browser:
    """A browser without a network, for one test, which writes down what pages ask for and complain about."""

    chromium: "Chromium"
    errors: list[str] = field(default_factory=list)
    """Console errors and uncaught exceptions."""
    outside: list[str] = field(default_factory=list)
    """Addresses that a page asked for beyond its own file and the loopback."""
    contexts: "list[BrowserContext]" = field(default_factory=list)

    def open(
        self, address: str | Path, *, color_scheme: Literal["light", "dark"] = "light", width: int = 1280, height: int = 900
    ) -> "Page":
        """A page of its own context that shows `address`, a URL or a file."""
        context = self.chromium.new_context(color_scheme=color_scheme, viewport={"width": width, "height": height})
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("requestfailed", self._failed)
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.goto(address.resolve().as_uri() if isinstance(address, Path) else address, wait_until="load")
        return page

    def _heard(self, message: "ConsoleMessage") -> None:
        if message.type == "error" and not message.text.startswith(OF_JUPYTERLAB):
            self.errors.append(message.text)

    def _failed(self, request: "Request") -> None:
        if request.failure == "csp" and request.url in self.outside:
            self.outside.remove(request.url)  # the page's own security policy refused it, so nothing went out

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"file", "data", "blob", "about"} and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            self.outside.append(url)


def _find(what: str, *commands: str) -> str:
    """The first of these commands that is there; without one the test is skipped, but in CI it fails."""
    executable = next(filter(None, map(shutil.which, commands)), None)
    if executable is None:
        message = f"there is no {what} on the PATH (apt install {commands[0]})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return executable


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The command of a real Prometheus."""
    return _find("Prometheus", "prometheus")


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Chromium]":
    """Chromium under Playwright, once for a module: while it runs, this thread counts as inside an event loop, so no more than that."""
    executable = _find("Chromium", "chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=[*CHROMIUM_FLAGS])
        yield launched
        launched.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def browser(chromium: "Chromium") -> Iterator[Browser]:
    """A `Browser`; at the end of the test it has heard no error and asked for nothing outside."""
    watched = Browser(chromium)
    yield watched
    for context in watched.contexts:
        context.close()
    assert watched.errors == []
    assert watched.outside == []
