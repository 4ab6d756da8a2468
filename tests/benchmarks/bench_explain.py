"""What it costs to explain one module, and to find what is the matter with 1000."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record

MODULES = 1000
ROUNDS = 5
TENTH = 100_000_000


def figures() -> Iterator[tuple[str, float, str, float | None, str]]:
    for losses, what in ((0, "all READY"), (3, "each lost 3 times"), (40, "each lost 40 times")):
        record = Record(recorded(losses))
        yield f"findings() of 1000 modules, {what}", milliseconds(record.findings), "ms", 1000, f"{len(record.findings()):,} findings"
    yield "explain() of one of them, from the record", milliseconds(partial(record.explain, "http-module-v7")), "ms", 20, ""


def recorded(losses: int) -> Journal:
    """A journal of modules that were connected, and lost so often, at odd times, with a failed attempt and a broken call each time."""
    journal = Journal()
    start = journal.clock.now() - 600 * 10 * TENTH
    for number in range(MODULES):
        channel = ChannelIdentity(number + 1, ModuleKey(None, f"http-module-v{number}"), f"127.0.0.1:{1024 + number}", 1)
        reason = f"UNKNOWN: ipv4:127.0.0.1:{1024 + number}: Failed to connect to remote host: Connection refused"
        now, previous = start, State.READY
        for state in (State.IDLE, State.CONNECTING, State.READY):
            journal.append(Transition(now, channel, None if state is State.IDLE else previous, state, "", Evidence.SEEN))
            previous = state
        for loss in range(losses):
            now += TENTH * (3 + loss * number % 7)
            journal.append(
                Call(channel, "module.ModuleService/Message", now - 5, now, Code.UNAVAILABLE, 1, 1, "Stream removed (Socket closed)")
            )
            for state in (State.IDLE, State.CONNECTING, State.READY):
                journal.append(Transition(now, channel, previous, state, "", Evidence.SEEN))
                previous, now = state, now + TENTH
            journal.append(Attempt(channel, 3, "ipv4:127.0.0.1:1", now - 2 * TENTH, now - TENTH, Outcome.FAILED, reason, Evidence.SEEN))
    return journal


def milliseconds(work: Callable[[], object]) -> float:
    """The median of some rounds, after one to warm up."""
    work()
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return median(took) * 1e3
