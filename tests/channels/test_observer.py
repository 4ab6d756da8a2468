"""What the observer sees of real servers: frozen peers, backoff, flaps between two sweeps, failures of its own."""

import logging
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tinypool_nb.channels.observer import TRACE_LAG
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.backoff import within
from tinypool_nb.core.events import Attempt, MarkKind, Outcome, Transition
from tinypool_nb.core.folding import DISCONNECTIONS
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import attempt_events, mark_events, transition_events
from tinypool_nb.lab import Lab
from tinypool_nb.lab.flapping import FlappingServer
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"
SECOND = 10**9


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def transitions(pool: ClientPool) -> list[Transition]:
    pool.catch_up()
    return list(transition_events(pool.journal.since(START).transitions))


def attempts(pool: ClientPool) -> list[Attempt]:
    pool.catch_up()
    return list(attempt_events(pool.journal.since(START).attempts))


def test_a_frozen_peer_is_found_within_keepalive_time_and_timeout(lab: Lab) -> None:
    server = lab.start(HTTP, min_ping_interval=0.5)
    with ClientPool(PoolOptions(keepalive=Keepalive(time=1.0, timeout=0.5))) as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        frozen = pool.journal.clock.now()
        server.freeze()
        pool.wait(HTTP, "IDLE", timeout=10)
        lost = next(row for row in transitions(pool) if row.previous is State.READY)
        assert lost.time - frozen <= (1.0 + 0.5 + 1.0) * SECOND
        server.thaw()
        pool.wait(HTTP, "READY", timeout=10)


@pytest.mark.slow
def test_the_pages_keepalive_finds_a_frozen_peer_in_14_seconds(lab: Lab) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        frozen = pool.journal.clock.now()
        server.freeze()
        pool.wait(HTTP, "IDLE", timeout=20)
        lost = next(row for row in transitions(pool) if row.previous is State.READY)
        assert lost.time - frozen <= (10 + 3 + 1) * SECOND


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_gaps_of_a_dead_port_keep_to_the_specification() -> None:
    with ClientPool() as pool:  # 1 s, x 1.6, 20 %: seven attempts take half a minute
        pool.register(HTTP, "127.0.0.1:1")
        pool.health_check()
        seventh = threading.Event()
        seen = 0

        def count(row: Transition) -> None:
            nonlocal seen
            seen += row.state is State.TRANSIENT_FAILURE
            if seen == 7:
                seventh.set()

        pool._observer.add_watcher(count)
        assert seventh.wait(60)
        starts = [attempt.start for attempt in attempts(pool) if attempt.start is not None]
        gaps = [(after - before) / SECOND for before, after in pairwise(starts)]
        assert len(gaps) >= 6
        assert all(within(gap, number, Backoff()) for number, gap in enumerate(gaps[:6], start=1)), gaps
        assert {(attempt.outcome, attempt.peer) for attempt in attempts(pool)} == {(Outcome.FAILED, "ipv4:127.0.0.1:1")}
        assert all("Connection refused" in attempt.reason for attempt in attempts(pool))


def test_a_flap_that_no_sweep_sees_is_found_by_an_audit() -> None:
    """READY -> IDLE -> ... -> READY while the observer looks elsewhere: the peeks before and after are the same."""
    with (
        FlappingServer(hold=0.2, flaps=1) as server,
        ClientPool(PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.2))) as pool,
    ):
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        found = threading.Event()
        ready = 0

        def count(row: Transition) -> None:
            nonlocal ready
            ready += row.state is State.READY
            if ready == 1:
                found.set()

        pool._observer.add_watcher(count)
        with pool._observer._lock:  # no sweep while the connection is lost and made again
            server.wait(established=2, timeout=10)
        assert found.wait(5)
        assert [row.state for row in transitions(pool)].count(State.READY) == 2


def test_a_name_that_does_not_resolve_is_recorded_with_its_reason() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, "nosuch.invalid:50051")
        pool.health_check()
        pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=30)
        (attempt,) = attempts(pool)[:1]
        assert (attempt.peer, attempt.subchannel, attempt.start, attempt.outcome) == ("", 0, None, Outcome.FAILED)
        assert "nosuch.invalid" in attempt.reason


def test_the_number_of_threads_does_not_grow_with_the_channels() -> None:
    with FlappingServer(hold=None) as server, ClientPool() as pool:
        pool.register("first", server.address)
        pool.wait("first", "READY", timeout=5)
        before = threading.active_count()
        for index in range(100):
            pool.register(f"module-{index}", server.address)
        pool.health_check()
        for index in range(100):
            pool.wait(f"module-{index}", "READY", timeout=10)
        assert threading.active_count() == before


def marks_of_the_record(pool: ClientPool) -> list[str]:
    return [mark.text for mark in mark_events(pool.journal.since(START).marks) if mark.kind is MarkKind.RECORD]


def test_a_watcher_that_raises_is_dropped_and_the_record_goes_on(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    server = lab.start(HTTP)

    def fail(_: Transition) -> None:
        raise ValueError("broken on purpose")

    with ClientPool() as pool:
        pool._observer.add_watcher(fail)
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        assert marks_of_the_record(pool) == ["a watcher was dropped: ValueError('broken on purpose')"]
    assert "broken on purpose" in caplog.text


def test_a_sweep_that_fails_is_logged_and_marked_and_the_next_one_goes_on(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.catch_up()
        peek = pool._observer._peeks[0]

        def fail_once(connect: bool) -> int:
            pool._observer._peeks[0] = peek
            raise RuntimeError("broken on purpose")

        with pool._observer._lock:
            pool._observer._peeks[0] = fail_once
        pool.wait(HTTP, "READY", timeout=5)
        assert marks_of_the_record(pool) == ["the observer failed and goes on: RuntimeError('broken on purpose')"]
    assert "broken on purpose" in caplog.text


def test_a_channel_that_was_closed_behind_our_back_hides_no_other(lab: Lab) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register("closed", server.address)
        pool.register(HTTP, server.address)
        pool.wait("closed", "READY", timeout=5)
        tenure = pool["closed"]._route.current
        tenure.channel.close()
        pool.wait("closed", "SHUTDOWN", timeout=5)
        pool.wait(HTTP, "READY", timeout=5)
        assert marks_of_the_record(pool) == []
        assert pool.health() == {"closed": State.SHUTDOWN, HTTP: State.READY}
    assert sum(row.state is State.SHUTDOWN for row in transitions(pool)) == 2


def test_a_read_that_fails_costs_neither_a_channel_nor_a_row(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        watched, failures = pool._observer._row[0], 0

        def fail(*_: object) -> None:
            nonlocal failures
            failures += 1
            raise RuntimeError("broken on purpose")

        with monkeypatch.context() as patch:
            patch.setattr(pool._observer._channelz, "subchannel", fail)  # the channel's own rows are read before
            server.kill()
            pool.wait(HTTP, "IDLE", timeout=5)
            assert watched.audit_at > time.monotonic()  # it is looked at again
            patch.setattr(pool._observer._channelz, "channel", fail)
            pool.unregister(HTTP)
            before, deadline = failures, time.monotonic() + 5
            while failures == before:
                assert time.monotonic() < deadline
        deadline = time.monotonic() + 5
        while pool._observer._watched:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [row.state for row in transitions(pool)] == [State.IDLE, State.CONNECTING, State.READY, State.IDLE, State.SHUTDOWN]
        assert marks_of_the_record(pool) == ["the observer failed and goes on: RuntimeError('broken on purpose')"]
    assert "broken on purpose" in caplog.text


def test_what_was_lost_before_a_module_came_back_counts(lab: Lab) -> None:
    """Unregistered and registered again before the loss was read: it is told before the new channel's first row."""
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        watched = pool._observer._row[0]
        with pool._observer._lock:
            server.kill()
            deadline = time.monotonic() + 5
            while watched.look() is State.READY:
                assert time.monotonic() < deadline
            pool.unregister(HTTP)
            pool.register(HTTP, server.address)
        pool.catch_up()
        assert pool.journal.totals().numbers[0, DISCONNECTIONS] == 1


def test_a_channel_that_drains_is_asked_ever_more_seldom(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        answer = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 2}'), timeout=9)
        pool.wait(HTTP, "READY", timeout=5)
        node, channel, reads = pool._observer._row[0]._node, pool._observer._channelz.channel, 0

        def read(number: int) -> object:
            nonlocal reads
            reads += number == node
            return channel(number)

        monkeypatch.setattr(pool._observer._channelz, "channel", read)
        pool.register(HTTP, "127.0.0.1:1")
        assert answer.result().Data
        pool.catch_up()
        assert reads < 60  # each 20 ms would be 100


def test_nothing_is_kept_of_closed_channels(lab: Lab) -> None:
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
    observer = pool._observer
    assert not any((observer._audits, observer._watched, observer._newest, observer._row, observer._leaving, observer._due))


def test_the_record_can_be_read_while_calls_drain(lab: Lab) -> None:
    server = lab.start(HTTP)
    pool = ClientPool()
    pool.register(HTTP, server.address)
    answer = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 1.5}'), timeout=9)
    pool.wait(HTTP, "READY", timeout=5)
    closing = threading.Thread(target=pool.close, args=[9])
    closing.start()
    deadline = time.monotonic() + 5
    while not pool._observer._leaving:  # until the drain has begun
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert [row.state for row in transitions(pool)][-1] is State.READY
    assert not answer.done()
    closing.join(10)
    assert answer.result().Data
    assert [row.state for row in transitions(pool)][-1] is State.SHUTDOWN


def test_what_core_never_traced_is_inferred_and_labelled(lab: Lab) -> None:
    """A channel whose node is not found: the state is known from peeking alone."""
    server = lab.start(HTTP)
    with ClientPool() as pool:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        with pool._observer._lock:
            pool._modules.channels()[0]._node = 10**9  # no such node
        server.kill()
        deadline = time.monotonic() + 5 * TRACE_LAG
        pool.wait(HTTP, "IDLE", timeout=deadline - time.monotonic())
        assert [(row.state, row.evidence) for row in transitions(pool)][-1] == (State.IDLE, "inferred")


def test_what_is_logged_of_a_failure_is_a_warning(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    with ClientPool() as pool:
        pool.register(HTTP, "127.0.0.1:1")
        pool.health_check()
        pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5)
        pool.close()
    assert [record.levelno for record in caplog.records if record.name == "tinypool_nb.connections"] == [logging.WARNING]
