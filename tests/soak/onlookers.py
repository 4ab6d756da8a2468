"""Who looks on while a soak goes on: a browser that listens to the panel, and a Prometheus that scrapes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import comm
from comm.base_comm import BaseComm, CommManager
from ipywidgets.widgets import widget


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
    """A process that scrapes a page of metrics and reads it, as Prometheus would. What it takes is its own."""

    def __init__(self, url: str) -> None:
        self.scrapes = 0
        self.failures: list[str] = []
        command = [sys.executable, str(Path(__file__).with_name("scraper.py")), url]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def stop(self) -> None:
        """End it, and hear what it did. Once more does nothing."""
        if self._process.returncode is not None:
            return
        told, _ = self._process.communicate()
        if self._process.returncode == 0:
            done = json.loads(told)
            self.scrapes, self.failures = done["scrapes"], done["failures"]
        else:
            self.failures.append(f"it ended with {self._process.returncode}")
