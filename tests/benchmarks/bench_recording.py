"""Recordings at work: what a transition takes on the disk, how quickly a long one opens, and what recording while it happens costs.

The events are those of bench_journal: 1000 modules, a transition each millisecond on average.
"""

import importlib.util
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinypool_nb.core.events import Transition
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording import Span, load, save
from tinypool_nb.journal.recording.recorder import Recorder
from tinypool_nb.views import frames

Row = tuple[str, float, str, float | None, str]
MILLION, MILLISECOND, SECOND = 1_000_000, 1_000_000, 1_000_000_000
WEEK = 7 * 86_400 * SECOND
PHASE = 345_678
"""Nanoseconds by which all stamps of a process lie beside whole milliseconds."""


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    events = _events()
    with tempfile.TemporaryDirectory() as folder:
        yield from _long(events, Path(folder))
        yield from _week(events, Path(folder))
        yield from _while_it_happens(events, Path(folder))


def _long(events: list[Transition], folder: Path) -> Iterator[Row]:
    path = folder / "long.parquet"
    yield "save, 10 million", _saved(_ten_times(events, lambda time: time), path), "s", None, ""
    yield "10 million, a transition (stamps of whole us)", path.stat().st_size / (10 * MILLION), "B", 3.6, "5.7 B plain; entropy 3.2 B"
    yield "open and summarise 10 million", _least(lambda: frames.summary(load(path).journal), 3), "s", 2.0, ""
    path.unlink()


def _week(events: list[Transition], folder: Path) -> Iterator[Row]:
    """A week of 1000 modules, a transition of each a minute, as gRPC core stamps them."""
    path = folder / "week.parquet"
    begin = events[0].time
    stretch = WEEK / (10 * (events[-1].time - begin))
    _saved(_ten_times(events, lambda time: round((begin + (time - begin) * stretch) / MILLISECOND) * MILLISECOND + PHASE), path)
    yield "a week of 1000 modules, a transition", path.stat().st_size / (10 * MILLION), "B", None, "core's stamps: whole ms and a phase"
    start = begin + 5 * 86_400 * SECOND
    hour = Span(start, start + 3_600 * SECOND)
    yield "open an hour of it", _least(lambda: frames.summary(load(path, span=hour).journal), 3), "s", 1.0, "all of it: the row above"
    yield (
        "open a day of it",
        _least(lambda: frames.summary(load(path, span=Span(start, start + 86_400 * SECOND)).journal), 2),
        "s",
        None,
        "",
    )


def _while_it_happens(events: list[Transition], folder: Path) -> Iterator[Row]:
    alone = time.process_time()
    plain = _append(Journal(), events)
    alone = time.process_time() - alone
    journal = Journal()
    follower = Follower(journal)
    recorder = Recorder(journal, follower, folder / "live.parquet", details=dict, replace=True)
    begun = time.process_time()
    recorded = _append(journal, events)
    while recorder.status.rows < MILLION:
        threading.Event().wait(0.01)
    seconds = time.process_time() - begun
    recorder.close()
    follower.close()
    yield "append while it is recorded", MILLION / recorded, "events/s", None, f"{MILLION / plain:,.0f} /s without"
    yield "recorder, an event, in a burst of a million", 1e6 * (seconds - alone) / MILLION, "us", None, "CPU, in a thread of its own"
    yield "share of a core, 1000 events a second", _at_rest(events[:4_000], folder), "%", None, "a part every 2 s, merging included"


def _at_rest(events: list[Transition], folder: Path) -> float:
    """Percent of a core that recording takes of a pool of 1000 modules with a thousand events a second, besides the journal's own."""

    def run(path: Path | None) -> float:
        journal = Journal()
        follower = Follower(journal)
        recorder = None if path is None else Recorder(journal, follower, path, details=dict)
        begun, wall = time.process_time(), time.perf_counter()
        for start in range(0, len(events), 100):
            for event in events[start : start + 100]:
                journal.append(event)
            time.sleep(0.1)
        share = 100 * (time.process_time() - begun) / (time.perf_counter() - wall)
        if recorder is not None:
            recorder.close()
        follower.close()
        return share

    return max(0.0, run(folder / "rest.parquet") - run(None))


def _saved(journal: Journal, path: Path) -> float:
    return _least(lambda: save(journal, path), 1)


def _ten_times(events: list[Transition], stamped: Callable[[int], int]) -> Journal:
    journal = Journal(history=10 * MILLION + 1)
    span = events[-1].time - events[0].time
    for number in range(10):
        for event in events:
            journal.append(event._replace(time=stamped(event.time + number * span)))
    journal.position()
    return journal


def _append(journal: Journal, events: list[Transition]) -> float:
    begun = time.perf_counter()
    for event in events:
        journal.append(event)
    journal.position()
    return time.perf_counter() - begun


def _events() -> list[Transition]:
    spec = importlib.util.spec_from_file_location("bench_journal", Path(__file__).with_name("bench_journal.py"))
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    events: list[Transition] = module._events(MILLION)
    return events


def _least(run: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return float(np.min(found))
