"""What must hold while nothing goes on: all who tell of a state say the same, every call is counted, and nothing has grown."""

import ctypes
import gc
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import psutil
import pyarrow as pa

from tests.channels.test_lossless import HALF_A_MILLISECOND, channel_changes, nodes_of_this_process
from tests.soak.callers import Ends
from tinypool_nb.core.codes import Code
from tinypool_nb.core.folding import CALLS, FAILED_CALLS
from tinypool_nb.core.states import State
from tinypool_nb.journal.kinds import mark_events, transition_events
from tinypool_nb.notebook.pool import Pool

from grpc._cython import cygrpc  # isort: skip  after the package, which prepares gRPC's environment

PATIENCE = 15.0
"""Seconds in which all who tell of a module's state must have agreed once, whatever it is doing meanwhile."""
BRIEF = 5.0
"""Seconds in which threads, descriptors and channels that are on their way out must be gone."""
M_ARENA_MAX = -8
"""Of glibc's `malloc.h`."""


class Views(NamedTuple):
    """One module's state, as each who tells of it says."""

    core: State
    health: State
    frame: State
    record: State | None


def divergences(pool: Pool) -> list[str]:
    """Modules about which gRPC core, `health`, the frame and the record have not agreed within `PATIENCE`.

    What core says before and after is compared, so that a change in the midst of looking counts as none.
    """
    undecided, last = set(pool), dict[str, Views]()
    deadline = time.monotonic() + PATIENCE
    while undecided and time.monotonic() < deadline:
        before = core_states(pool)
        pool.catch_up()
        health, frame = pool.health(), pool.connections()
        rows = dict(zip(frame["module"], frame["state"], strict=True))
        record = recorded_states(pool)
        after = core_states(pool)
        for name in list(undecided):
            last[name] = Views(after[name], health[name], State(rows[name]), record[name])
            if before[name] is after[name] and len(set(last[name])) == 1:
                undecided.discard(name)
        time.sleep(0.05)
    return [f"{name}: {', '.join(f'{who} {state}' for who, state in last[name]._asdict().items())}" for name in sorted(undecided)]


def core_states(pool: Pool) -> dict[str, State]:
    """What gRPC core says of each module's channel."""
    found = {}
    for watched in pool._modules.channels():
        channel: Any = watched.channel
        found[watched.shown] = State.from_code(channel._channel.check_connectivity_state(False))
    return found


def recorded_states(pool: Pool) -> dict[str, State | None]:
    """In which state each module's open interval is."""
    totals = pool.journal.totals()
    openings = zip(totals.channels, totals.openings, strict=True)
    return {str(channel.key): None if row is None else row.state for channel, row in openings}


def differences_from_core(pool: Pool) -> tuple[int, list[str]]:
    """How many transitions of the current channels were compared with core's own traces, row by row, and where they differ.

    Both ends are bounded: what one of them has dropped is not compared.
    """
    pool.catch_up()
    current = {watched.identity.number: watched.shown for watched in pool._modules.channels()}
    nodes = nodes_of_this_process()
    traces = {number: channel_changes(nodes[number])[0] for number in current}
    rows: dict[int, list[tuple[int, str, str]]] = {number: [] for number in current}
    for row in transition_events(pool.journal.since().transitions):
        if row.channel.number in rows and row.previous is not None:
            rows[row.channel.number].append((row.time, str(row.state), row.reason))
    compared, differing = 0, []
    for number, name in current.items():
        length = min(len(rows[number]), len(traces[number]))
        for mine, theirs in zip(rows[number][len(rows[number]) - length :], traces[number][len(traces[number]) - length :], strict=True):
            compared += 1
            if mine[1:] != theirs[1:] or abs(mine[0] - theirs[0]) > HALF_A_MILLISECOND:
                differing.append(f"{name}: recorded {mine}, core has {theirs}")
    return compared, differing


def unaccounted(pool: Pool, ends: Ends) -> list[str]:
    """Where the callers' own count and the record's differ."""
    pool.catch_up()
    counted: Ends = Counter()
    for key, distributions in pool.journal.latencies().items():
        for (_, code), distribution in distributions.items():
            counted[str(key), str(code)] += sum(distribution.counts)
    both = {which: (ends[which], counted[which]) for which in ends | counted}
    wrong = [f"{which}: the callers count {mine}, the record {theirs}" for which, (mine, theirs) in both.items() if mine != theirs]
    totals = pool.journal.totals()
    numbers = zip(totals.channels, totals.numbers, strict=True)
    told = {str(channel.key): (int(row[CALLS]), int(row[FAILED_CALLS])) for channel, row in numbers}
    for name, (calls, failed) in told.items():
        mine = [count for (module, _), count in ends.items() if module == name]
        good = ends[name, str(Code.OK)]
        if (calls, failed) != (sum(mine), sum(mine) - good):
            wrong.append(f"{name}: {sum(mine)} calls, {sum(mine) - good} failed; the totals say {calls}, {failed}")
    return wrong


def complaints(pool: Pool) -> list[str]:
    """Marks by which the record says that something went wrong in itself."""
    words = ("failed and goes on", "dropped:", "of this pool has ended")
    return [mark.text for mark in mark_events(pool.journal.since().marks) if any(each in mark.text for each in words)]


class Size(NamedTuple):
    """What this process takes, at a moment when nothing goes on."""

    at: float
    """Seconds since the soak began."""
    memory: float
    """Resident, MB."""
    descriptors: int
    threads: int
    """Python's."""
    system_threads: int
    """Those of gRPC core and others included."""
    channels: int
    """That gRPC core has open."""
    orphans: int
    """Channels that are closed, of which gRPC core still remembers the trace."""
    children: int
    """Processes that this one started, or that those did."""


def size(began: float) -> Size:
    """Now. What goes away by itself is waited for by `settled`."""
    process = psutil.Process()
    give_back()
    nodes = nodes_of_this_process().values()
    open_ = sum(json.loads(cygrpc.channelz_get_channel(node))["channel"]["data"]["state"]["state"] != "SHUTDOWN" for node in nodes)
    return Size(
        time.monotonic() - began,
        process.memory_info().rss / 1e6,
        process.num_fds(),
        threading.active_count(),
        process.num_threads(),
        open_,
        len(nodes) - open_,
        len(process.children(recursive=True)),
    )


def use_one_arena() -> None:
    """Have glibc keep one heap for all threads from now on: of several each grows to its own peak, which takes an hour to look flat."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Let the allocators return to the system what they only keep in store: how much that is would hide what is in use."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def settled(is_so: Callable[[], bool]) -> bool:
    """Whether it came to be so in `BRIEF` seconds; no event tells that a descriptor was closed."""
    deadline = time.monotonic() + BRIEF
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def slope(sizes: list[Size]) -> float:
    """By how much memory grows, MB an hour, by least squares.

    >>> slope([Size(at, 100 + at / 36, 1, 1, 1, 1, 0, 0) for at in (0.0, 60.0, 120.0)])
    100.0
    """
    at, memory = np.array([one.at for one in sizes]), np.array([one.memory for one in sizes])
    return round(float(np.polyfit(at - at.mean(), memory, 1)[0]) * 3_600, 1)
