"""Who looks on while a soak goes on: a browser that listens to the panel, and a Prometheus that scrapes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import comm
from comm.base_comm import BaseComm, CommManager
from ipywidgets.widgets import widget
from prometheus_client.parser import text_string_to_metric_families

EVERY = 1.0
"""Seconds between two scrapes."""


class Browser:
    """Counts what widgets send, and keeps none of it."""

    def __init__(self) -> None:
        self.messages = 0
        self.size = 0
        """Bytes of the buffers."""

    def hello(self) -> None:
        """Open a view of each widget: from now on they send."""
        for shown in list(widget._instances.values()):
            if shown.comm is not None:
                for content in ({"type": "hello"}, {"kind": "hello"}):  # the timeline's, and the others'
                    shown.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@contextmanager
def a_browser() -> Iterator[Browser]:
    """In the place of the kernel's comms to a real one."""
    browser, manager = Browser(), CommManager()

    class Comm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
            browser.messages += 1
            browser.size += sum(len(bytes(buffer)) for buffer in buffers or ())

    before = comm.create_comm, comm.get_comm_manager
    comm.create_comm, comm.get_comm_manager = Comm, lambda: manager
    try:
        yield browser
    finally:
        comm.create_comm, comm.get_comm_manager = before


class Scraper:
    """One thread that scrapes a page of metrics and reads it, as Prometheus would."""

    def __init__(self, url: str) -> None:
        self.scrapes = 0
        self.failures: list[str] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-scraper")
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            try:
                with urlopen(self._url, timeout=10) as answer:
                    for _ in text_string_to_metric_families(answer.read().decode()):
                        pass
            except (OSError, ValueError) as failure:
                self.failures.append(repr(failure))
            else:
                self.scrapes += 1
