"""The record against gRPC core's own final traces, row by row as far as core still has them, through thousands of transitions: 0 differ."""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import Attempt, Evidence, Outcome, Transition
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import attempt_events, transition_events
from tinypool_nb.lab import Lab
from tinypool_nb.lab.flapping import FlappingServer

from grpc._cython import cygrpc  # isort: skip  after the package, which prepares gRPC's environment

HALF_A_MILLISECOND = 500_000
KEPT = 20
"""Attempts at least that core's trace of a subchannel still has when it has dropped its oldest: they are 26, unless reasons are long."""
TAIL = "\n=== Source Location Trace"
FLAPPING = PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.2))  # connects again by itself
Change = tuple[int, str, str]
"""Nanoseconds since 1970, the state, the reason."""


def changes_of(raw: str, kind: str, words: str, between: str) -> list[Change]:
    """What a node's trace says, read without any of the package's code."""
    changes = []
    for event in json.loads(raw)[kind]["data"]["trace"]["events"]:
        if event["description"].startswith(words):
            state, _, reason = event["description"].removeprefix(words).partition(between)
            seconds, fraction = event["timestamp"].rstrip("Z").split(".")
            time = int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp()) * 10**9 + int(fraction)
            changes.append((time, state, reason.partition(TAIL)[0].rstrip()))
    return changes


def is_whole(raw: str, kind: str) -> bool:
    """Whether a node's trace still has its first event: one of many changes has dropped its oldest."""
    events = json.loads(raw)[kind]["data"]["trace"]["events"]
    return bool(events) and events[0]["description"] == f"{kind} created"


def agreed(read: Callable[[], list[Change]]) -> list[Change]:
    """What two reads in a row say alike: core works a stamp out anew at each read, and wrongly if it is interrupted in the midst of it."""
    before = read()
    for _ in range(20):
        now = read()
        if len(now) == len(before) and all(abs(one[0] - two[0]) < HALF_A_MILLISECOND for one, two in zip(before, now, strict=True)):
            return now
        before = now
    raise AssertionError(f"core says something else each time: {before}")


def channel_changes(node: int) -> tuple[list[Change], bool]:
    """The final trace of a channel, with a state that only repeats itself left out, unless it is a further failure; whether it is whole."""
    changes = agreed(lambda: changes_of(cygrpc.channelz_get_channel(node), "channel", "Channel state change to ", " status: "))
    whole = is_whole(cygrpc.channelz_get_channel(node), "channel")
    kept: list[Change] = []
    # Whether the first of those that are left only repeated the state before it cannot be told.
    state = "IDLE" if whole else changes.pop(0)[1] if changes else ""
    for change in changes:
        if change[1] != state or state == "TRANSIENT_FAILURE":
            kept.append(change)
            state = change[1]
    return kept, whole


def subchannel_changes(node: int) -> list[Change]:
    """The trace of a subchannel."""
    return changes_of(cygrpc.channelz_get_subchannel(node), "subchannel", "Subchannel connectivity state changed to ", ": ")


def nodes_of_this_process() -> dict[int, int]:
    """The channelz id of each channel that a pool of ours opened, by its number."""
    found: dict[int, int] = {}
    first, end = 0, False
    while not end:
        answer = json.loads(cygrpc.channelz_get_top_channels(first))
        for channel in answer.get("channel", ()):
            first = int(channel["ref"]["channelId"]) + 1
            tag = channel["data"]["target"].rpartition("#tp")[2]
            if tag.startswith(f"{os.getpid()}-"):
                found[int(tag.partition("-")[2])] = first - 1
        end = answer.get("end", not answer.get("channel"))
    return found


def recorded(pool: ClientPool) -> tuple[dict[int, list[Transition]], dict[int, list[Attempt]]]:
    """The record by channel number."""
    batch = pool.journal.since(START)
    transitions: dict[int, list[Transition]] = defaultdict(list)
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for transition in transition_events(batch.transitions):
        transitions[transition.channel.number].append(transition)
    for attempt in attempt_events(batch.attempts):
        attempts[attempt.channel.number].append(attempt)
    return transitions, attempts


def differences(rows: list[Transition], truth: list[Change], whole: bool) -> list[object]:
    """Where the record of a channel and its trace differ, beyond half a millisecond."""
    assert rows[0].previous is None
    assert rows[0].state is State.IDLE
    told = [(row.time, str(row.state), row.reason) for row in rows[1:]]
    assert not any(row.evidence is Evidence.GAP for row in rows), "each change of state was recorded"
    assert truth
    if not whole:  # the record has more than core still knows
        told = told[max(len(told) - len(truth), 0) :]
    if len(told) != len(truth):
        return [(len(told), len(truth))]
    return [
        (mine, theirs)
        for mine, theirs in zip(told, truth, strict=True)
        if mine[1:] != theirs[1:] or abs(mine[0] - theirs[0]) > HALF_A_MILLISECOND
    ]


def check_against_core(pool: ClientPool, names: Iterable[str]) -> tuple[int, int]:
    """Close the pool and compare all with core's final traces; returns how many transitions and attempts were compared."""
    nodes = nodes_of_this_process()
    pool.catch_up()
    transitions, attempts = recorded(pool)
    # Subchannels are gone once their channel is closed, so their traces are compared before.
    compared_attempts = 0
    for number, rows in attempts.items():
        references = json.loads(cygrpc.channelz_get_channel(nodes[number]))["channel"].get("subchannelRef", ())
        for subchannel in (int(reference["subchannelId"]) for reference in references):
            raw = cygrpc.channelz_get_subchannel(subchannel)
            ends = [change for change in agreed(partial(subchannel_changes, subchannel)) if change[1] in {"READY", "TRANSIENT_FAILURE"}]
            mine = [row for row in rows if row.subchannel == subchannel]
            if not is_whole(raw, "subchannel"):  # the record has more than core still knows
                assert len(mine) >= len(ends) >= KEPT
                mine = mine[len(mine) - len(ends) :]
            assert [(row.outcome is Outcome.READY, row.reason) for row in mine] == [(state == "READY", reason) for _, state, reason in ends]
            assert all(abs(row.end - time) < HALF_A_MILLISECOND for row, (time, _, _) in zip(mine, ends, strict=True))
            compared_attempts += len(ends)
    pool.close()
    transitions, _ = recorded(pool)
    assert {rows[0].channel.key.name for rows in transitions.values()} == set(names)
    differing = [difference for number, rows in transitions.items() for difference in differences(rows, *channel_changes(nodes[number]))]
    assert differing == []
    assert all(rows[-1].state is State.SHUTDOWN and rows[-1].evidence is Evidence.SEEN for rows in transitions.values())
    return sum(map(len, transitions.values())), compared_attempts


def count(pool: ClientPool, state: State) -> int:
    transitions, _ = recorded(pool)
    return sum(row.state is state for rows in transitions.values() for row in rows)


def connections_told(pool: ClientPool) -> int:
    """Of how many connections the record tells.

    By the state of their channel or by their attempt, since on a busy machine either may miss one: a connection can be lost before core
    calls its channel READY, and an attempt can be overwritten before it was read, which the record then says.
    """
    transitions, attempts = recorded(pool)
    told = 0
    for number, rows in transitions.items():
        ready = sum(row.state is State.READY for row in rows)
        connected = sum(row.outcome is Outcome.READY for row in attempts[number])
        assert connected >= ready or any(row.evidence is Evidence.GAP for row in attempts[number])
        told += max(ready, connected)
    return told


@pytest.mark.slow
def test_200_channels_through_20_fast_flaps_each() -> None:
    names = [f"module-{index}" for index in range(200)]
    with FlappingServer(hold=0.02, flaps=200 * 20) as server, ClientPool(FLAPPING) as pool:
        for name in names:
            pool.register(name, server.address)
        pool.health_check()
        counts = server.wait(established=200 * 21, timeout=60)
        for name in names:
            pool.wait(name, "READY", timeout=10)
        rows, attempts = check_against_core(pool, names)
        assert counts.established >= 200 * 21
        assert connections_told(pool) >= counts.established  # the server's own count: an empty record would fail
        assert rows >= 2 * counts.established
        # The server shares its flaps out as they come: on a busy machine one client has 15 and another 35, of which core keeps the last 26.
        assert attempts >= counts.established / 2


@pytest.mark.slow
def test_1000_channels_through_two_kills_of_their_server() -> None:
    names = [f"module-{index}" for index in range(1000)]
    with Lab() as lab, ClientPool(PoolOptions(backoff=Backoff(initial=0.2, maximum=1.0))) as pool:
        module = lab.start("http-module-v1")
        for name in names:
            pool.register(name, module.address)
        for _ in range(2):
            pool.health_check()
            for name in names:
                pool.wait(name, "READY", timeout=30)
            module.kill()
            for name in names:
                pool.wait(name, "IDLE", timeout=30)
            pool.health_check()
            for name in names:
                pool.wait(name, "TRANSIENT_FAILURE", timeout=30)
            module.restart()
        for name in names:
            pool.wait(name, "READY", timeout=30)
        rows, attempts = check_against_core(pool, names)
        # Three connections each, two of them lost, in between at least one refusal each time, and the end.
        assert count(pool, State.READY) == 3000
        assert count(pool, State.TRANSIENT_FAILURE) >= 2000
        assert rows >= 1000 * (1 + 2 + 2 * 3 + 1)
        assert attempts >= 1000


def test_20_channels_through_10_fast_flaps_each() -> None:
    """The same as the slow ones, small enough for everybody."""
    names = [f"module-{index}" for index in range(20)]
    with FlappingServer(hold=0.02, flaps=200) as server, ClientPool(FLAPPING) as pool:
        for name in names:
            pool.register(name, server.address)
        pool.health_check()
        counts = server.wait(established=220)
        for name in names:
            pool.wait(name, "READY", timeout=10)
        check_against_core(pool, names)
        assert connections_told(pool) >= counts.established


def test_a_trace_that_wraps_unread_makes_gap_rows_on_every_channel_concerned() -> None:
    names = [f"module-{index}" for index in range(3)]
    with FlappingServer(hold=0.0) as server, ClientPool(FLAPPING) as pool:
        for name in names:
            pool.register(name, server.address)
        with pool._observer._lock:  # the observer is held up for as long as its traces need to be overwritten
            pool.health_check()
            server.wait(established=3 * 450, timeout=60)
        server.calm()
        pool.catch_up()
        transitions, attempts = recorded(pool)
        for rows in transitions.values():
            gaps = [row for row in rows if row.evidence is Evidence.GAP]
            assert len(gaps) == 1
            after = rows[rows.index(gaps[0]) + 1]
            assert gaps[0].state is None
            assert after.previous is None
            assert gaps[0].time <= after.time
        for rows_of_attempts in attempts.values():
            assert any(row.evidence is Evidence.GAP and row.outcome is Outcome.UNKNOWN for row in rows_of_attempts)
        assert len(transitions) == len(attempts) == 3
