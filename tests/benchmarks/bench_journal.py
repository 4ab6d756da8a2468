"""The journal at work: how fast it takes events up, how fast frames and recordings come out of it, and what a row weighs.

What it is compared to was measured once, on another run (project facts, "what it costs elsewhere"), not here.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording import load, save
from tinypool_nb.views import frames

Row = tuple[str, float, str, float | None, str]
MODULES = 1_000
MILLION = 1_000_000
FOLLOWING = {
    State.IDLE: (State.CONNECTING,),
    State.CONNECTING: (State.READY, State.READY, State.READY, State.TRANSIENT_FAILURE),
    State.READY: (State.IDLE,),
    State.TRANSIENT_FAILURE: (State.CONNECTING, State.TRANSIENT_FAILURE),
}


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    events = _events(MILLION)
    journal = Journal()
    yield (
        "append, one by one, folded",
        MILLION / _least(lambda: _append(Journal(), events), 3),
        "events/s",
        1e6,
        "5-8 M/s into a bare list",
    )
    _append(journal, events)
    yield "100 new transitions, written and folded", 1e6 * _least(partial(_fold_100, journal, events), 200, timed=False), "us", 100.0, ""
    table = journal.tables()["transitions"]
    yield "memory of a row, 1 million rows", table.nbytes / len(table), "B", None, "88 B as tuples"
    yield "transitions(copy=True), 1 million", 1e3 * _least(lambda: frames.transitions(journal), 5), "ms", None, "1.2 s from tuples"
    yield "intervals, 1 million", 1e3 * _least(lambda: frames.intervals(journal), 5), "ms", None, "28 ms by pandas groupby-shift"
    yield f"summary, {MODULES} modules", 1e3 * _least(lambda: frames.summary(journal), 50), "ms", 1.0, "11 ms by pandas over all rows"
    yield f"connections, {MODULES} modules", 1e3 * _least(lambda: frames.connections(journal), 50), "ms", None, ""
    yield from _recording(journal)
    large = Journal(history=10 * MILLION)
    for _ in range(10):
        _append(large, events)
    yield (
        "transitions(copy=False), 10 million",
        1e3 * _least(lambda: frames.transitions(large, copy=False), 50),
        "ms",
        1.0,
        "0.13 ms",
    )


def _recording(journal: Journal) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.parquet"
        rows = journal.position().transitions
        yield "save, 1 million", _least(lambda: save(journal, path), 2), "s", None, ""
        yield "recording, a transition (a transition a ms)", path.stat().st_size / rows, "B", 3.6, "5.7 B plain"
        yield "load, 1 million", _least(lambda: load(path), 2), "s", None, ""


def _events(count: int) -> list[Transition]:
    """A walk through the states of 1000 modules: a transition each millisecond on average, stamped in whole microseconds."""
    chance, arrivals = random.Random(1), np.random.default_rng(1)
    channels = [ChannelIdentity(i + 1, ModuleKey(None, f"module-{i}"), f"127.0.0.1:{20_000 + i}", 1) for i in range(MODULES)]
    times = 1_700_000_000_000_000_000 + 1_000 * np.cumsum(arrivals.exponential(1_000, count).astype(np.int64))
    states: dict[int, State] = {}
    events = []
    for time in times.tolist():
        channel = chance.choice(channels)
        previous = states.get(channel.number)
        state = State.IDLE if previous is None else chance.choice(FOLLOWING[previous])
        states[channel.number] = state
        reason = "UNAVAILABLE: Connection refused" if state is State.TRANSIENT_FAILURE else ""
        events.append(Transition(time, channel, previous, state, reason, Evidence.SEEN))
    return events


def _append(journal: Journal, events: list[Transition]) -> None:
    append = journal.append
    for event in events:
        append(event)
    journal.position()


def _fold_100(journal: Journal, events: list[Transition]) -> float:
    for event in events[:100]:
        journal.append(event)
    start = perf_counter()
    journal.position()
    return perf_counter() - start


def _least(run: Callable[[], object], times: int, *, timed: bool = True) -> float:
    """The least seconds of several runs: by the clock around the run, or, with `timed` False, as the run says itself."""
    found = []
    for _ in range(times):
        start = perf_counter()
        said = run()
        found.append(perf_counter() - start if timed else float(str(said)))
    return min(found)
