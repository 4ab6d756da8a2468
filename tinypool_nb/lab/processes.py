"""The kernel's side of the guard: start processes that end with this one, signal them, and hear what they say. No grpc here.

The guard (`tinypool_nb.lab.guard`) is the processes' parent; it is asked in lines of JSON, which that file describes.
"""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from tinypool_nb.errors import LabError

CLOSING = 10.0
"""Seconds that the guard gets to end the processes and itself."""

SignalName = Literal["SIGKILL", "SIGTERM", "SIGSTOP", "SIGCONT"]


class Process:
    """What is known of one process that the guard started. All of it is written by the one thread that hears the guard."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Counts the processes of one guard; the guard's name for it, since a pid is not known before it is asked for."""
        self.pid: int | None = None
        self.frozen = False
        self.exit: int | None = None
        """Minus the signal that killed it, or its exit status; None while it runs."""
        self.said: deque[str] = deque()
        """Lines of its stdout that nobody has taken up yet."""
        self.last_words = ""
        """After its end: the last lines of its stderr."""


class Processes:
    """A guard and the processes that it keeps. Closing it, its collection and the death of this process end them all.

    Thread-safe: any thread may ask and wait.
    """

    def __init__(self) -> None:
        guard = subprocess.Popen(
            [sys.executable, "-P", "-m", "tinypool_nb.lab.guard", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt of the kernel's process group is none of the servers' business
            env=_environment(),
        )
        assert guard.stdin is not None
        assert guard.stdout is not None
        self._guard = guard
        self._requests: IO[bytes] = guard.stdin
        self._asking = threading.Lock()
        self._heard = _Heard()
        # The thread holds what it hears, never `self`: else nobody could collect us.
        hearing = threading.Thread(target=self._heard.listen, args=(guard.stdout,), name="tinypool-lab", daemon=True)
        hearing.start()
        self._made_in = os.getpid()
        self._close = weakref.finalize(self, _close, guard, self._asking, hearing, self._made_in)

    def start(self, *arguments: str) -> Process:
        """Ask for a process of this Python with these `arguments`; return at once."""
        process = self._heard.expect()
        self._ask({"server": process.number, "start": ["-P", *arguments]})
        return process

    def signal(self, process: Process, name: SignalName) -> None:
        """Send a signal to a process; nothing happens if it has ended."""
        self._ask({"server": process.number, "signal": name})

    def say(self, process: Process, line: str) -> None:
        """Write one line to a process's stdin; nothing happens if it has ended."""
        self._ask({"server": process.number, "say": line})

    def wait(self, met: Callable[[], bool], timeout: float) -> bool:
        """Wait at most `timeout` seconds until `met()`, which is asked again whenever the guard has news; whether it is met."""
        return self._heard.wait(met, timeout)

    def remove_at_end(self, folder: Path) -> None:
        """Let the guard remove a folder with all that is in it, when the processes and this one have ended."""
        self._ask({"remove": str(folder)})

    def next_line(self, process: Process, failure: str, timeout: float) -> str:
        """Wait for the next line that a process says: a new one tells by it that it serves.

        Raises:
            LabError: it ended, or `timeout` seconds went by, and it was killed; the message begins with `failure`.
        """
        self.wait(lambda: bool(process.said) or process.exit is not None, timeout)
        if process.said:
            return process.said.popleft()
        if process.exit is None:
            self.signal(process, "SIGKILL")
            raise LabError(f"{failure} within {timeout:g} s and was killed")
        raise LabError(f"{failure}: {process.last_words or f'it ended with status {process.exit} and no word'}")

    def close(self) -> None:
        """End all processes and the guard; a second time nothing happens."""
        self._close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._close.alive

    def _ask(self, request: dict[str, object]) -> None:
        if self._made_in != os.getpid():
            raise LabError(f"this lab was made in process {self._made_in} and is used in its fork {os.getpid()}; make a new tp.Lab() here")
        if self.closed:
            raise LabError("the lab is closed and its servers are gone; tp.Lab() makes a new one")
        line = json.dumps(request).encode() + b"\n"
        try:
            with self._asking:
                self._requests.write(line)
                self._requests.flush()
        except (BrokenPipeError, ValueError):  # ValueError: another thread closed the lab meanwhile
            raise LabError("the lab's guard process is gone, and the servers with it; tp.Lab() makes a new lab") from None


class _Heard:
    """What the guard has told so far, and the thread's work of hearing it."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self._processes: dict[int, Process] = {}
        self._started = 0
        self._over = False

    def expect(self) -> Process:
        """A new process, of the next number."""
        with self.news:
            self._started += 1
            process = self._processes[self._started] = Process(self._started)
            return process

    def wait(self, met: Callable[[], bool], timeout: float) -> bool:
        """Wait until `met()` or the guard's end, at most `timeout` seconds; whether it is met."""
        with self.news:
            self.news.wait_for(lambda: self._over or met(), timeout)
            return met()

    def listen(self, reports: IO[bytes]) -> None:
        """Hear reports until the guard has ended; then every process has."""
        with reports:
            for line in reports:
                with self.news:
                    self._take(json.loads(line))
                    self.news.notify_all()
        with self.news:
            self._over = True
            for process in self._processes.values():
                process.exit, process.last_words = -9, "the lab's guard process ended"
            self._processes.clear()
            self.news.notify_all()

    def _take(self, report: dict[str, object]) -> None:
        process = self._processes[int(str(report["server"]))]
        match report:
            case {"pid": int(pid)}:
                process.pid = pid
            case {"said": str(line)}:
                process.said.append(line)
            case {"frozen": bool(frozen)}:
                process.frozen = frozen
            case {"exit": int(code), "stderr": str(last_words)}:
                process.exit, process.last_words, process.frozen = code, last_words, False
                del self._processes[process.number]


def _close(guard: "subprocess.Popen[bytes]", asking: threading.Lock, hearing: threading.Thread, made_in: int) -> None:
    if made_in != os.getpid():
        return  # a fork: the guard and its servers belong to the parent
    assert guard.stdin is not None
    with asking, suppress(BrokenPipeError):
        guard.stdin.write(b'{"end": true}\n')  # said, since the pipe has no end while a fork of ours holds it open
        guard.stdin.close()
    try:
        guard.wait(CLOSING)
    except subprocess.TimeoutExpired:
        guard.kill()  # its servers follow it, as its docstring tells
        guard.wait()
    if hearing is not threading.current_thread():  # which it is if the collector runs there
        hearing.join()


def _environment() -> dict[str, str]:
    """This process's environment, with its sys.path in its order, so that a server finds what the notebook finds."""
    others = {name: value for name, value in os.environ.items() if name != "GRPC_TRACE"}  # that is for the notebook's channels
    return {**others, "GRPC_VERBOSITY": "NONE", "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path)}
