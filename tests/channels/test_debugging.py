"""The page's Debugging, on real servers: what a pool says of itself in one line, and what gRPC core counts of its connections."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from tinypool_nb.channels.channelz import Channelz
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.core.subchannels import Socket, Subchannel
from tinypool_nb.core.tracing import CHANNEL_STATE
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import transition_events
from tinypool_nb.lab import Lab
from tinypool_nb.lab.flapping import FlappingServer

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
SECOND = 10**9
EXACT = 2 * 10**6
"""Nanoseconds: as exact as core's counters tell times."""
QUICK = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.2))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool(QUICK) as pool:
        yield pool


def found_of(pool: ClientPool, name: str = HTTP) -> dict[int, tuple[Subchannel, ...]]:
    """The subchannels of one module by the channel's generation."""
    return {channel.generation: found for channel, found in pool.channelz().items() if str(channel.key) == name}


def sockets_of(pool: ClientPool, name: str = HTTP) -> list[Socket]:
    return [socket for ones in found_of(pool, name).values() for one in ones for socket in one.sockets]


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Core's counters send no event to wait for, so they are asked."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# One line


def test_a_pool_tells_its_whole_state_in_one_line(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    pool.register(HTTP, server.target)
    pool.wait(HTTP, "READY", timeout=5)
    assert repr(pool) == f"<ClientPool 1 module: {HTTP}: READY>"
    under_way = pool[HTTP].unary_unary("/echo/Waiting").future(b"", timeout=10)
    assert server.entered.acquire(timeout=5)
    pool.start_health_checks(every=30)
    pool.reconnect(HTTP)
    pool.wait(HTTP, "READY", timeout=5)
    channel = ChannelIdentity(1, ModuleKey(None, HTTP), server.target, 1)
    for code in (Code.OK, Code.UNAVAILABLE):
        pool.journal.append(Call(channel, "echo/Waiting", 0, SECOND, code, 0, 0, ""))
    told = repr(pool)
    assert told.startswith(f"<ClientPool 1 module: {HTTP}: READY; health checks every 30 s; 1 channel draining; ")
    assert ", 1 failed>" in told
    pool.stop_health_checks()
    server.gate.set()
    under_way.result()
    eventually(lambda: "draining" not in repr(pool))
    assert repr(pool).startswith(f"<ClientPool 1 module: {HTTP}: READY; ")
    assert "health checks" not in repr(pool)


def test_of_many_modules_the_worst_are_told_first(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    for number in range(40):
        pool.register(f"module-{number}", server.target)
    pool.register("refused", NOBODY)
    pool.health_check()
    for name in pool:
        pool.wait(name, "TRANSIENT_FAILURE" if name == "refused" else "READY", timeout=5)
    # The refused one connects again and again, and is CONNECTING for a moment each time.
    eventually(lambda: repr(pool) == "<ClientPool 41 modules: 1 TRANSIENT_FAILURE (refused), 40 READY>")


def test_foreign_names_leave_the_line_a_line(pool: ClientPool) -> None:
    for name in ("<script>alert(1)<\\script>", "\u202eevil", "n" * 300, "módulo 🚀"):
        pool.register(name, NOBODY, namespace="a b")
    assert repr(pool).isprintable()
    assert "a b/\\u202eevil: IDLE" in repr(pool)


# What core counts


def test_a_connection_at_rest_counts_its_keepalives(lab: Lab) -> None:
    server = lab.start("kept-alive", min_ping_interval=0.5)
    with ClientPool(PoolOptions(keepalive=Keepalive(time=1.0))) as pool:
        began = pool.journal.clock.now()
        pool.register(HTTP, server.address)
        pool.wait(HTTP, "READY", timeout=5)
        (first,) = sockets_of(pool)
        eventually(lambda: sockets_of(pool)[0].keepalives_sent >= first.keepalives_sent + 2)
        (later,) = sockets_of(pool)
        assert later.number == first.number
        assert later.remote == f"ipv4:{server.address}"
        assert (later.streams_started, later.messages_sent, later.last_stream, later.last_received) == (0, 0, None, None)
        assert first.last_sent is not None
        assert later.last_sent is not None
        assert began - EXACT <= first.last_sent < later.last_sent <= pool.journal.clock.now() + EXACT  # connected, pinged


def test_calls_streams_and_messages_are_counted_with_their_times(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    pool.register(HTTP, server.target)
    pool.wait(HTTP, "READY", timeout=5)
    before = pool.journal.clock.now()
    for _ in range(3):
        pool[HTTP].unary_unary("/echo/Unary")(b"", timeout=5)
    with pytest.raises(grpc.RpcError):
        pool[HTTP].unary_unary("/echo/Refused")(b"", timeout=5)
    eventually(lambda: (found_of(pool)[1][0].calls_succeeded, found_of(pool)[1][0].calls_failed) == (3, 1))
    ((subchannel,),) = found_of(pool).values()
    assert (subchannel.peer, subchannel.state) == (server.target, State.READY)
    assert (subchannel.calls_started, subchannel.calls_succeeded, subchannel.calls_failed) == (4, 3, 1)
    (counted,) = subchannel.sockets
    assert (counted.streams_started, counted.streams_failed, counted.messages_sent, counted.messages_received) == (4, 0, 4, 3)
    assert counted.remote == server.target
    assert counted.local.startswith("ipv4:127.0.0.1:")
    for moment in (subchannel.last_call, counted.last_stream, counted.last_sent, counted.last_received):
        assert moment is not None
        assert before - EXACT <= moment <= pool.journal.clock.now() + EXACT


def test_several_endpoints_have_a_subchannel_and_a_socket_each(lab: Lab) -> None:
    module = lab.start("replicated", replicas=3)
    with ClientPool(PoolOptions(load_balancing="round_robin")) as pool:
        pool.register(HTTP, module.address)
        pool.wait(HTTP, "READY", timeout=5)
        eventually(lambda: len(sockets_of(pool)) == 3)
        (subchannels,) = found_of(pool).values()
        peers = {f"ipv4:127.0.0.1:{port}" for port in module.ports}
        assert {one.peer for one in subchannels} == peers
        assert {one.remote for one in sockets_of(pool)} == peers
        assert len({one.number for one in sockets_of(pool)} | {one.number for one in subchannels}) == 6


@pytest.mark.parametrize("load_balancing", ["pick_first", "round_robin"])
def test_a_module_that_was_lost_has_no_socket(lab: Lab, load_balancing: str) -> None:
    module = lab.start(f"lost-{load_balancing}")
    with ClientPool(PoolOptions(load_balancing=load_balancing, backoff=QUICK.backoff)) as pool:  # type: ignore[arg-type]
        pool.register(HTTP, module.address)
        assert found_of(pool) == {1: ()}
        pool.wait(HTTP, "READY", timeout=5)
        assert len(sockets_of(pool)) == 1
        module.kill()
        pool.wait(HTTP, "IDLE" if load_balancing == "pick_first" else "TRANSIENT_FAILURE", timeout=5)
        eventually(lambda: sockets_of(pool) == [])
        pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5) if load_balancing == "round_robin" else pool.health_check()
        eventually(lambda: any(one.state is State.TRANSIENT_FAILURE for one in found_of(pool)[1]))
        assert sockets_of(pool) == []


def test_after_a_loss_the_new_connection_is_told_and_not_the_old_one(lab: Lab) -> None:
    """With round_robin both are of one subchannel, and core goes on listing what is closed."""
    module = lab.start("lost and back")
    with ClientPool(PoolOptions(load_balancing="round_robin", backoff=QUICK.backoff)) as pool:
        pool.register(HTTP, module.address)
        told: list[int] = []
        for generation in range(3):
            pool.wait(HTTP, "READY", timeout=5)
            (one,) = sockets_of(pool)
            told.append(one.number)
            if generation < 2:
                module.kill()
                pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5)
                module.restart()
        assert told == sorted(set(told)), "core numbers sockets as they come"


def test_a_retired_channel_is_told_while_it_drains(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    pool.register(HTTP, server.target)
    under_way = pool[HTTP].unary_unary("/echo/Waiting").future(b"", timeout=10)
    assert server.entered.acquire(timeout=5)
    pool.reconnect(HTTP)
    pool.wait(HTTP, "READY", timeout=5)
    assert {generation: len(one.sockets) for generation, (one,) in found_of(pool).items()} == {1: 1, 2: 1}
    pool.unregister(HTTP)
    assert 1 in found_of(pool)
    server.gate.set()
    under_way.result()
    eventually(lambda: found_of(pool) == {})


def test_a_unix_socket_shows_its_path(pool: ClientPool, tmp_path: Path) -> None:
    path = tmp_path / "module.sock"
    with serving(f"unix:{path}"):
        pool.register(HTTP, f"unix:{path}")
        pool.wait(HTTP, "READY", timeout=5)
        (one,) = sockets_of(pool)
        assert (one.local, one.remote) == ("unix:", f"unix:{path}")
        assert found_of(pool)[1][0].peer == f"unix:{path}"


def test_an_ipv6_socket_shows_its_addresses_as_people_write_them(pool: ClientPool) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
            port = free.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving(f"[::1]:{port}"):
        pool.register(HTTP, f"[::1]:{port}")
        pool.wait(HTTP, "READY", timeout=5)
        (one,) = sockets_of(pool)
        assert one.remote == f"ipv6:[::1]:{port}" == found_of(pool)[1][0].peer
        assert one.local.startswith("ipv6:[::1]:")


class serving:  # noqa: N801 it reads as a verb
    """A gRPC server at an address that the lab does not serve at."""

    def __init__(self, address: str) -> None:
        self._threads = ThreadPoolExecutor(1)
        self._server = grpc.server(self._threads, options=[("grpc.so_reuseport", 0)])
        self._server.add_insecure_port(address)

    def __enter__(self) -> None:
        self._server.start()

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        self._threads.shutdown(wait=True)


def test_a_channel_that_goes_away_meanwhile_is_left_out(pool: ClientPool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.register(HTTP, NOBODY)
    (known,) = pool.channelz()
    went = known._replace(generation=2)
    listed = {**pool._observer.open_channels(), went: 10**9}
    monkeypatch.setattr(pool._observer, "open_channels", lambda: listed)
    assert list(pool.channelz()) == [known]


def test_reading_core_s_counters_disturbs_no_record() -> None:
    options = PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.1))
    with FlappingServer(hold=0.02, flaps=60) as server, ClientPool(options) as pool:
        pool.register(HTTP, server.address)
        pool.health_check()
        while server.counts().established < 61:
            pool.channelz()
        pool.wait(HTTP, "READY", timeout=10)
        pool.catch_up()
        seen = [row.state for row in transition_events(pool.journal.since(START).transitions)]
        (number,) = pool._observer.open_channels().values()
        traced = Channelz(epoch=0).channel(number)
        assert traced is not None
        changes = [text for _, text in traced.events if text == f"{CHANNEL_STATE}READY"]
        assert seen.count(State.READY) == len(changes) > 50
        assert None not in seen


def test_a_closed_pool_has_no_connections_left(pool: ClientPool) -> None:
    pool.register(HTTP, NOBODY)
    pool.close()
    assert pool.channelz() == {}
