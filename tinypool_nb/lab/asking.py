"""The kernel's side of a process that answers questions: lines of JSON on its stdin, one answer each on its stdout.

The other side is `tinypool_nb.lab.answering`, which the kernel need not load.
"""

import json
import threading
from itertools import count
from typing import Any

from tinypool_nb.errors import LabError
from tinypool_nb.lab.processes import Process, Processes

ANSWERING = 20.0
"""Seconds that a process gets to answer; it takes milliseconds, and the first answer 0.1 s."""


def answer_of(processes: Processes, process: Process, number: int, failure: str, verb: str, **arguments: object) -> dict[str, Any]:
    """Let a process do something, and take its answer.

    Args:
        processes: the guard's.
        process: it answers each line with one line, which repeats the question's number.
        number: no other question to this process has it.
        failure: how the message of the error begins.
        verb: what is to be done.
        arguments: with what.

    Raises:
        LabError: it does not answer.
    """
    processes.say(process, json.dumps({"number": number, "verb": verb, **arguments}))
    answer: dict[str, Any] = {"number": 0}
    while answer["number"] != number:  # an earlier one answers a question whose asker was interrupted
        answer = json.loads(processes.next_line(process, failure, ANSWERING))
    return answer


class Asked:
    """Such a process, which starts with the first question. Any thread may ask.

    Args:
        processes: the guard's.
        program: the module that the process runs.
        called: what it is called in messages.
    """

    def __init__(self, processes: Processes, program: str, called: str) -> None:
        self._processes = processes
        self._program = program
        self._called = called
        self._asking = threading.Lock()
        self._numbers = count(1)
        self._process: Process | None = None

    @property
    def closed(self) -> bool:
        """Whether the lab is closed, and the process has ended with it."""
        return self._processes.closed

    def launch(self) -> None:
        """Start the process, if it was not, and return at once: whoever will ask it soon need not wait for that."""
        with self._asking:
            self._launched()

    def _launched(self) -> Process:
        if self._process is None:
            self._process = self._processes.start("-m", self._program)
        return self._process

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        """Let the process do something, and take its answer.

        Raises:
            LabError: it could not, or does not answer.
        """
        with self._asking:
            process = self._launched()
            failure = f"{self._called} did not {verb}"
            answer = answer_of(self._processes, process, next(self._numbers), failure, verb, **arguments)
        if "error" in answer:
            raise LabError(f"{self._called} could not {verb}: {answer['error']}")
        return answer

    def end(self) -> None:
        """End the process, where only it is to go and not the lab."""
        with self._asking:
            if self._process is not None and not self.closed:
                self._processes.signal(self._process, "SIGKILL")
                self._processes.wait(lambda: self._process is None or self._process.exit is not None, ANSWERING)
