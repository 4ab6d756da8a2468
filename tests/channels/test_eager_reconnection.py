"""Eager reconnection against real peers: a lost module is connected as soon as it listens, and whoever only seems to be back sees no storm.

The backoff is a minute, so whatever is READY before that has not waited for gRPC.
"""

import gc
import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.channels.prober import met_itself
from tinypool_nb.core.addresses import Scheme
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.probing import Connect, GiveUp, Place, Probe
from tinypool_nb.core.states import State
from tinypool_nb.journal.kinds import mark_events, transition_events
from tinypool_nb.lab import FlappingServer, Lab

HTTP = "http-module-v1"
LONG = Backoff(initial=60.0, maximum=60.0)
EAGER = PoolOptions(backoff=LONG, eager_reconnect=True)
Listen = Callable[..., socket.socket]


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> Iterator[ClientPool]:
    with ClientPool(EAGER) as pool:
        yield pool
    assert bool(faults_of_its_own(pool)) == ("fault_of_the_prober" in request.node.name)


def faults_of_its_own(pool: ClientPool) -> list[str]:
    return [mark.text for mark in mark_events(pool.journal.since().marks) if "eager reconnection of this pool has ended" in mark.text]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.start("one")
        yield lab


def is_probing() -> bool:
    return any(thread.name == "tinypool-prober" for thread in threading.enumerate())


def reconnections(pool: ClientPool) -> list[str]:
    """The marks of eager reconnections, without their seconds."""
    marks = mark_events(pool.journal.since().marks)
    return [re.sub(r"[0-9.]+ s", "... s", mark.text) for mark in marks if "eager" in mark.text and mark.kind is MarkKind.ACTION]


def generations(pool: ClientPool) -> list[int]:
    """Of the module's channels, in the order in which they came; each has the whole record from IDLE on."""
    pool.catch_up()
    rows = list(transition_events(pool.journal.since().transitions))
    begun = [row.channel.generation for row in rows if row.previous is None]
    assert all(row.state is State.IDLE for row in rows if row.previous is None)
    assert {row.channel.generation for row in rows} == set(begun)
    return begun


def lose(pool: ClientPool, address: str) -> None:
    """Register where nobody listens, and see it fail."""
    pool.register(HTTP, address)
    pool.health_check()
    pool.wait(HTTP, State.TRANSIENT_FAILURE, timeout=10)


@contextmanager
def serving(*addresses: str) -> Iterator[None]:
    """A gRPC server without a service at these addresses."""
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        for address in addresses:
            server.add_insecure_port(address)
        server.start()
        yield
        server.stop(None).wait()


def free_port(listen: Listen) -> int:
    """Of a port that was free a moment ago."""
    with listen() as listener:
        port: int = listener.getsockname()[1]
    return port


def test_without_the_option_there_is_no_thread_and_no_probe(listen: Listen) -> None:
    with ClientPool(PoolOptions(backoff=LONG)) as pool:
        lose(pool, f"127.0.0.1:{free_port(listen)}")
        assert not is_probing()
        pool.register("eager", "127.0.0.1:1", options=EAGER)  # a module may have its own
        assert is_probing()
    assert not is_probing()


def test_what_comes_to_listen_is_connected_by_a_fresh_channel(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    lose(pool, f"127.0.0.1:{port}")
    with serving(f"127.0.0.1:{port}"):
        pool.wait(HTTP, timeout=10)
        assert generations(pool) == [1, 2]
    assert reconnections(pool) == ["reconnect: eager, it listens again ... s after it was lost"]


def test_what_was_lost_at_rest_is_connected_on_its_own_channel(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    pool.register(HTTP, f"127.0.0.1:{port}")
    with serving(f"127.0.0.1:{port}"):
        pool.wait(HTTP, timeout=10)
    pool.wait(HTTP, State.IDLE, timeout=10)
    with serving(f"127.0.0.1:{port}"):
        while not reconnections(pool):  # to wait for READY would itself ask the channel to connect
            time.sleep(0.005)
        pool.wait(HTTP, timeout=10)
        assert generations(pool) == [1]
    assert reconnections(pool) == ["reconnect: eager, it listens again ... s after it was lost"]


def test_a_killed_module_under_calls_comes_back(pool: ClientPool, lab: Lab) -> None:
    module = lab["one"]
    module.restart()
    pool.register(HTTP, module.address)
    pool.send(HTTP)
    module.kill()
    with pytest.raises(ConnectionError):
        pool.send(HTTP)
    module.restart()
    pool.wait(HTTP, timeout=10)
    assert pool.send(HTTP)


@pytest.mark.parametrize("balancing", ["pick_first", "round_robin"])
def test_one_of_several_endpoints_is_enough(listen: Listen, balancing: str) -> None:
    ports = [free_port(listen), free_port(listen)]
    options = PoolOptions(backoff=LONG, eager_reconnect=True, load_balancing=balancing)  # type: ignore[arg-type]
    with ClientPool(options) as pool:
        lose(pool, f"ipv4:127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}")
        with serving(f"127.0.0.1:{ports[1]}"):
            pool.wait(HTTP, timeout=10)


def test_a_name_is_probed_where_it_was_found(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    lose(pool, f"localhost:{port}")
    with serving(f"127.0.0.1:{port}"):
        pool.wait(HTTP, timeout=10)


def test_a_unix_socket(pool: ClientPool, tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'module.sock'}"
    lose(pool, address)
    with serving(address):
        pool.wait(HTTP, timeout=10)


def test_a_module_with_tls(lab: Lab) -> None:
    module = lab.start("secured", tls=True)
    module.kill()
    with ClientPool(PoolOptions(backoff=LONG, eager_reconnect=True, tls=module.tls)) as pool:
        lose(pool, module.address)
        module.restart()
        pool.wait(HTTP, timeout=10)


def test_many_lost_modules_are_all_back_within_seconds(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    for number in range(300):
        pool.register(f"module-{number}", f"127.0.0.1:{port}")
    pool.health_check()
    pool.wait("module-299", State.TRANSIENT_FAILURE, timeout=10)
    with serving(f"127.0.0.1:{port}"):
        for number in range(300):
            pool.wait(f"module-{number}", timeout=10)


# Who only seems to be back


class Accepting:
    """A listener that takes each connection and does as it is told with it."""

    def __init__(self, listener: socket.socket, treat: Callable[[socket.socket], None]) -> None:
        self.accepted = 0
        self._treat = treat
        self._listener = listener
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._treat(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("treat", [socket.socket.close, reset], ids=["closes", "resets"])
def test_a_peer_that_accepts_and_closes_sees_no_storm(pool: ClientPool, listen: Listen, treat: Callable[[socket.socket], None]) -> None:
    peer = Accepting(listen(), treat)
    lose(pool, f"127.0.0.1:{peer._listener.getsockname()[1]}")
    time.sleep(1.0)  # to see that nothing happens one has to wait
    peer.close()
    # The first attempt, a probe, its fresh channel, a probe that sees that somebody is there still; and the next rung is a minute away.
    assert peer.accepted <= 4
    assert generations(pool) == [1, 2]


def test_a_peer_that_accepts_and_says_nothing_is_left_alone(pool: ClientPool, listen: Listen) -> None:
    kept: list[socket.socket] = []
    listener = listen()
    port = listener.getsockname()[1]
    listener.close()
    lose(pool, f"127.0.0.1:{port}")
    peer = Accepting(listen(port), kept.append)
    pool.wait(HTTP, State.CONNECTING, timeout=10)
    time.sleep(0.5)
    assert peer.accepted == 2  # the probe, and the attempt of the fresh channel, which goes on
    assert generations(pool) == [1, 2]
    peer.close()
    for connection in kept:
        connection.close()


def test_a_connection_that_does_not_stand_is_not_made_again_and_again(pool: ClientPool) -> None:
    with FlappingServer(hold=0.05, flaps=100) as server:
        pool.register(HTTP, server.address)
        pool.wait(HTTP, timeout=10)
        time.sleep(1.0)
        assert server.counts().established == 2  # the first one, and one more in its own outage


def test_a_server_that_dies_as_it_is_probed_does_not_keep_the_next_one_waiting(pool: ClientPool, listen: Listen) -> None:
    """As one that is killed: its listening socket accepts until the last moment, and whoever came then is reset."""
    port = free_port(listen)
    lose(pool, f"127.0.0.1:{port}")
    first, came = listen(port), list[socket.socket]()

    def die(connection: socket.socket) -> None:
        came.append(connection)
        if len(came) == 2:  # after the probe, the attempt
            first.close()
            for one in came:
                reset(one)

    dying = Accepting(first, die)
    dying._thread.join(10)
    [lost] = pool._prober._schedule._modules.values()
    while lost.tried:  # until a probe has seen that it is gone; a server that is back within 20 ms of that waits for gRPC's ladder
        time.sleep(0.005)
        [lost] = pool._prober._schedule._modules.values()
    with serving(f"127.0.0.1:{port}"):
        pool.wait(HTTP, timeout=10)


# What is left alone


def test_what_is_held_or_gone_is_not_probed(pool: ClientPool, listen: Listen) -> None:
    peer = Accepting(listen(), socket.socket.close)
    where = f"127.0.0.1:{peer._listener.getsockname()[1]}"
    pool.register(HTTP, where)
    hold = pool.hold(HTTP)
    hold.attempt()
    before = peer.accepted
    time.sleep(0.3)
    assert peer.accepted == before
    pool.unregister(HTTP)
    time.sleep(0.3)
    assert peer.accepted == before
    peer.close()
    assert reconnections(pool) == []


def test_a_module_that_moved_is_not_probed_where_it_was(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    lose(pool, f"127.0.0.1:{port}")
    pool.register(HTTP, f"127.0.0.1:{free_port(listen)}")  # lazily: nobody has asked for a connection yet
    peer = Accepting(listen(port), socket.socket.close)
    time.sleep(0.3)
    peer.close()
    assert peer.accepted == 0
    assert pool.health() == {HTTP: State.IDLE}


def test_reconnecting_by_hand_and_by_itself_count_the_same(pool: ClientPool, listen: Listen) -> None:
    port = free_port(listen)
    lose(pool, f"127.0.0.1:{port}")
    pool.reconnect(HTTP)
    pool.wait(HTTP, State.TRANSIENT_FAILURE, timeout=10)
    with serving(f"127.0.0.1:{port}"):
        pool.wait(HTTP, timeout=10)
        assert generations(pool) == [1, 2, 3]


# Ends


def test_closing_does_not_wait_for_probes_that_hang(pool: ClientPool, listen: Listen) -> None:
    listener = listen()
    where = listener.getsockname()
    lose(pool, f"127.0.0.1:{free_port(listen)}")
    listener.listen(0)
    filling = [socket.socket() for _ in range(4)]
    for one in filling:  # from here on the system drops whoever wants to connect
        one.setblocking(False)
        one.connect_ex(where)
    for number in range(50):
        pool.register(
            f"module-{number}", f"127.0.0.1:{where[1]}", options=PoolOptions(backoff=Backoff(min_connect_timeout=0.1), eager_reconnect=True)
        )
    pool.health_check()
    while not pool._prober._probes:
        time.sleep(0.005)
    began = time.monotonic()
    pool._prober.close()
    assert time.monotonic() - began < 0.2
    assert pool._prober._probes == {}
    for one in filling:
        one.close()


def test_a_forgotten_pool_ends_its_prober() -> None:
    pool = ClientPool(EAGER)
    lose(pool, "127.0.0.1:1")
    prober = pool._prober
    del pool
    gc.collect()
    assert prober._thread is not None
    prober._thread.join(5)
    assert not prober._thread.is_alive()


def test_a_failure_in_what_an_answer_leads_to_is_logged_and_the_others_go_on(
    pool: ClientPool, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"127.0.0.1:{free_port(listen)}"
    lose(pool, address)
    pool.register("other", address)
    pool.health_check()
    pool.wait("other", State.TRANSIENT_FAILURE, timeout=10)
    perform, failures = pool._prober._perform, [RuntimeError("the files are gone")]

    def fail_once(action: Connect | GiveUp) -> None:
        if failures:
            raise failures.pop()
        perform(action)

    pool._prober._perform = fail_once
    with serving(address):
        while State.READY not in pool.health().values():  # which of the two it is nobody knows
            time.sleep(0.005)
    assert "the files are gone" in caplog.text


def test_a_fault_of_the_prober_is_told_and_costs_no_connection(
    pool: ClientPool, listen: Listen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port(listen)}"

    def fail(_: int) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(pool._prober._schedule, "due", fail)
    lose(pool, address)
    assert pool._prober._thread is not None
    pool._prober._thread.join(5)
    assert "broken on purpose" in caplog.text
    (mark,) = faults_of_its_own(pool)
    assert mark.startswith("eager reconnection of this pool has ended: modules come back by gRPC's own backoff, or at their next call; ")
    assert mark.endswith("RuntimeError('broken on purpose')")
    with serving(address):
        pool.reconnect(HTTP)
        pool.wait(HTTP, State.READY, timeout=10)
    assert pool._prober._told.empty(), "nobody would take what is put there"


def test_a_socket_that_met_itself_is_no_peer_and_leaves_the_port_free(listen: Listen) -> None:
    port = free_port(listen)
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", port))
        probing.connect(("127.0.0.1", port))
        assert met_itself(probing)
    with socket.socket() as server:  # without SO_REUSEADDR, which would take a port that still waits
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert not met_itself(client)


def test_what_cannot_even_be_tried_is_told_once_and_counts_as_no_answer(
    pool: ClientPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lose(pool, f"unix:{tmp_path / 'module.sock'}")
    prober = pool._prober
    prober.close()
    probe = Probe(pool[HTTP].identity, Place(Scheme.UNIX, "/" + "x" * 200, 0))
    with selectors.DefaultSelector() as selector:
        prober._begin(probe, selector)
        prober._begin(probe, selector)
    assert prober._probes == {}
    assert caplog.text.count("could not be probed") == 1
