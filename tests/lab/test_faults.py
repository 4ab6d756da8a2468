"""Each fault of a proxy, seen exactly: plain sockets on both sides of it."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tinypool_nb.errors import AddressError, LabError, OptionsError
from tinypool_nb.lab import Fault, Faults, Lab, Proxy
from tinypool_nb.lab.injected import FaultKind, FaultSettings, Piece
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.relay import Connection, Flow, Link, Reset

PATIENCE = 10.0
"""Seconds until something that must come is missed."""
QUIET = 0.15
"""Seconds in which something that must not come would have come."""


class Way:
    """A proxy, and a server behind it that does what the test says."""

    def __init__(self, lab: Lab) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.proxy: Proxy = lab.proxy(f"127.0.0.1:{self.listener.getsockname()[1]}")
        self.sockets = ExitStack()

    @property
    def faults(self) -> Faults:
        return self.proxy.faults

    def connect(self, timeout: float = PATIENCE) -> socket.socket:
        client = self.sockets.enter_context(socket.socket())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(timeout)
        client.connect(("127.0.0.1", self.proxy.port))
        client.settimeout(PATIENCE)
        return client

    def accept(self) -> socket.socket:
        self.listener.settimeout(PATIENCE)
        server = self.sockets.enter_context(self.listener.accept()[0])
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.settimeout(PATIENCE)
        return server

    def pair(self) -> tuple[socket.socket, socket.socket]:
        return self.connect(), self.accept()

    def close(self) -> None:
        self.sockets.close()
        self.listener.close()
        self.proxy.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def way(lab: Lab) -> Iterator[Way]:
    way = Way(lab)
    yield way
    way.close()


def received(end: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer if the end comes before."""
    data = b""
    while len(data) < size and (piece := end.recv(size - len(data))):
        data += piece
    return data


def is_quiet(end: socket.socket) -> bool:
    end.settimeout(QUIET)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(PATIENCE)
    return False


@contextmanager
def takes(seconds: float) -> Iterator[None]:
    """At least that long; how much longer is up to the machine."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start >= seconds


def comes(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()


# Without a fault.


def test_a_proxy_carries_both_directions_and_each_end_by_itself(way: Way) -> None:
    client, server = way.pair()
    client.sendall(b"question")
    assert received(server, 8) == b"question"
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(b"answer")
    server.close()
    assert received(client, 100) == b"answer"
    client.close()
    assert comes(lambda: way.proxy.counts() == (1, 0, 8, 6))


@pytest.mark.parametrize("from_client", [True, False])
def test_a_reset_is_carried_as_one(way: Way, from_client: bool) -> None:
    here, there = way.pair() if from_client else way.pair()[::-1]
    reset(here)
    with pytest.raises(ConnectionResetError):
        there.recv(1)


def test_a_target_that_refuses_is_a_reset(way: Way) -> None:
    way.listener.close()
    with pytest.raises(ConnectionResetError):
        way.connect().recv(1)  # the reset may come before connect() has looked


def test_what_nobody_reads_stops_its_sender_and_is_not_lost(way: Way) -> None:
    client, server = way.pair()
    client.setblocking(False)
    block, sent = b"x" * 65_536, 0
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET:
        try:
            sent += client.send(block)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            quiet_since = time.monotonic()
    assert sent < 64_000_000  # what the kernel's buffers hold, and a little
    client.settimeout(PATIENCE)
    client.shutdown(socket.SHUT_WR)
    assert len(received(server, sent + 1)) == sent


@pytest.mark.slow
def test_a_thousand_connections_leave_nothing(lab: Lab, way: Way) -> None:
    client, server = way.pair()
    (relay,) = [process for process in psutil.Process().children(recursive=True) if "tinypool_nb.lab.relay" in process.cmdline()]
    before = relay.num_fds()
    pairs = [way.pair() for _ in range(1000)]
    with way.faults.latency(0.001):
        for client, _ in pairs:
            client.sendall(b"x")
        assert all(server.recv(1) == b"x" for _, server in pairs)
    assert way.proxy.counts().standing == 1001
    assert relay.num_fds() >= before + 2000
    for client, server in pairs:
        client.close()
        server.close()
    assert comes(lambda: way.proxy.counts().standing == 1)
    assert relay.num_fds() == before


# Each fault.


@pytest.mark.parametrize("from_client", [True, False])
def test_latency_delays_each_direction(way: Way, from_client: bool) -> None:
    here, there = way.pair() if from_client else way.pair()[::-1]
    with way.faults.latency(0.2), takes(0.2):
        here.sendall(b"late")
        assert received(there, 4) == b"late"


def test_latency_delays_the_end_too(way: Way) -> None:
    client, server = way.pair()
    with way.faults.latency(0.2), takes(0.2):
        client.close()
        assert server.recv(1) == b""


def test_latency_that_is_healed_holds_nothing_back(way: Way) -> None:
    client, server = way.pair()
    with way.faults.latency(60):
        client.sendall(b"x")
        assert is_quiet(server)
    assert server.recv(1) == b"x"


def test_jitter_keeps_the_order(way: Way) -> None:
    client, server = way.pair()
    with way.faults.latency(0.02, jitter=0.02):
        for number in range(100):
            client.sendall(bytes([number]))
            time.sleep(0.001)  # so that each is a piece of its own
        assert received(server, 100) == bytes(range(100))


@pytest.mark.slow
def test_bandwidth_is_shared_by_all_connections_of_a_direction(way: Way) -> None:
    pairs = [way.pair() for _ in range(2)]
    with way.faults.bandwidth(50_000), takes(0.3):
        for client, server in pairs:
            client.sendall(b"x" * 10_000)
            server.sendall(b"y" * 10_000)
        for client, server in pairs:
            assert received(server, 10_000) == b"x" * 10_000
            assert received(client, 10_000) == b"y" * 10_000


def test_bandwidth_that_is_healed_holds_nothing_back(way: Way) -> None:
    client, server = way.pair()
    with way.faults.bandwidth(10):
        client.sendall(b"x" * 1000)
        assert server.recv(1) == b"x"
    assert len(received(server, 999)) == 999


def test_a_blackhole_takes_everything_and_gives_it_back(way: Way) -> None:
    client, server = way.pair()
    other, other_server = way.pair()
    with way.faults.blackhole():
        client.sendall(b"question")
        server.sendall(b"answer")
        other.close()
        assert is_quiet(server)
        assert is_quiet(client)
        assert is_quiet(other_server)
    assert received(server, 8) == b"question"
    assert received(client, 6) == b"answer"
    assert other_server.recv(1) == b""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux drops a SYN when the backlog is full; others do not")
def test_nobody_connects_through_a_blackhole(way: Way) -> None:
    accepted = way.proxy.counts().accepted
    with way.faults.blackhole(), pytest.raises(TimeoutError):
        way.connect(timeout=QUIET)
    client, server = way.pair()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    assert way.proxy.counts().accepted == accepted + 1
    with way.faults.blackhole(), way.faults.refuse(), pytest.raises(ConnectionRefusedError):
        way.connect()
    way.pair()


def test_a_silent_server_hears_and_does_not_answer(way: Way) -> None:
    client, server = way.pair()
    with way.faults.silent():
        newcomer, newcomer_server = way.pair()
        for end, other in ((client, server), (newcomer, newcomer_server)):
            end.sendall(b"x")
            assert other.recv(1) == b"x"
            other.sendall(b"y")
        assert is_quiet(client)
        assert is_quiet(newcomer)
    assert client.recv(1) == newcomer.recv(1) == b"y"


@pytest.mark.slow
def test_late_settings_hold_back_the_first_word_of_a_new_connection(way: Way) -> None:
    client, server = way.pair()
    with way.faults.late_settings(0.3):
        server.sendall(b"y")
        assert client.recv(1) == b"y"
        with takes(0.3):
            newcomer, newcomer_server = way.pair()
            newcomer_server.sendall(b"y")
            newcomer.sendall(b"x")
            assert newcomer_server.recv(1) == b"x"
            assert newcomer.recv(1) == b"y"
        newcomer_server.sendall(b"y")
        assert newcomer.recv(1) == b"y"


def test_a_port_that_refused_during_a_blackhole_turns_no_client_away_later() -> None:
    async def met() -> set[object]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            link = Link("127.0.0.1", Ports().draw(), server.getsockname())
            link.begin(1, FaultSettings(kind=FaultKind.BLACKHOLE))
            link.begin(2, FaultSettings(kind=FaultKind.REFUSE))
            left = set(link.stoppers)  # whoever comes from one of these addresses is taken for ours
            link.close()
        return left

    assert asyncio.run(met()) == set()


def test_accept_and_close(way: Way) -> None:
    client, server = way.pair()
    with way.faults.accept_and_close():
        assert client.recv(1) == server.recv(1) == b""
        assert way.connect().recv(1) == b""
    way.pair()


def test_refuse_leaves_alone_what_stands(way: Way) -> None:
    client, server = way.pair()
    with way.faults.refuse():
        with pytest.raises(ConnectionRefusedError):
            way.connect()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
    way.pair()


def test_reset_is_at_once_for_what_stands_and_on_data_for_what_comes(way: Way) -> None:
    client, server = way.pair()
    with way.faults.reset():
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
        client, server = way.pair()
        assert is_quiet(client)
        client.sendall(b"x")
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)


def test_reset_meets_connections_that_are_just_being_made(way: Way) -> None:
    for _ in range(50):
        client, server = way.pair()
        with way.faults.reset():
            for end in (client, server):
                with pytest.raises(ConnectionResetError):
                    end.recv(1)


def test_reset_on_data(way: Way) -> None:
    client, server = way.pair()
    with way.faults.reset(on_data=True):
        assert is_quiet(client)
        server.sendall(b"y")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize("pieces", [[5000], [999, 1, 4000], [1] * 1001])
def test_drop_after_lets_pass_exactly_that(way: Way, pieces: list[int]) -> None:
    client, server = way.pair()
    client.sendall(b"before")
    assert received(server, 6) == b"before"
    with way.faults.drop_after(1000):
        server.sendall(b"y" * 100)
        assert received(client, 100) == b"y" * 100
        try:
            for size in pieces:
                client.sendall(b"x" * size)
        except ConnectionError:
            pass  # it is closed meanwhile
        assert received(server, 5000) == b"x" * 900
        assert client.recv(1) == b""


@pytest.mark.slow
@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_slow_close_delays_the_end_alone(way: Way, end: Callable[[socket.socket], None]) -> None:
    client, server = way.pair()
    with way.faults.slow_close(0.3), takes(0.3):
        end(client)
        try:
            assert server.recv(1) == b""
        except ConnectionResetError:
            assert end is reset
    client, server = way.pair()
    with way.faults.slow_close(60):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        client.close()
        assert is_quiet(server)
    assert server.recv(1) == b""


@pytest.mark.parametrize("fault", [lambda faults: faults.slow_close(60), Faults.silent], ids=["slow_close", "silent"])
def test_an_end_that_is_found_by_writing_is_held_too(way: Way, fault: Callable[[Faults], Fault]) -> None:
    client, server = way.pair()
    with fault(way.faults):
        reset(server)
        client.sendall(b"x")  # what the server's machine answers with a reset
        assert is_quiet(client)
        client.sendall(b"x")
        assert is_quiet(client)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_reset_that_writing_found_first_is_no_orderly_end_to_who_reads_next(way: Way) -> None:
    async def write_for_ever(flow: Flow) -> None:
        while True:
            await flow.send(Piece(b"x", 0.0, 0.0))

    async def read_after_writing() -> Piece:
        peer, end = way.pair()
        end.setblocking(False)
        link = Link("127.0.0.1", Ports().draw(), way.listener.getsockname())
        connection = Connection(link, end)
        connection.task.cancel()
        reset(peer)
        writing = Flow(connection, end, end, to_client=False)
        with pytest.raises(Reset):
            await write_for_ever(writing)
        await writing.read()
        link.close()
        return writing.waiting[0]

    end = asyncio.run(read_after_writing())
    assert (end.data, end.reset) == (b"", True)


def test_slices_come_one_by_one(way: Way) -> None:
    client, server = way.pair()
    with way.faults.slicing(10, delay=0.02), takes(0.18):
        client.sendall(b"x" * 100)
        sizes = [len(server.recv(100))]
        while sum(sizes) < 100:
            sizes.append(len(server.recv(100)))
    assert len(sizes) > 2


def test_several_at_a_time_add_up_and_heal_one_by_one(way: Way) -> None:
    client, server = way.pair()
    with way.faults.latency(0.1) as outer:
        with way.faults.latency(0.2), way.faults.slicing(1), takes(0.3):
            assert str(way.faults) == "latency(0.1 s), latency(0.2 s), slicing(1 B)"
            client.sendall(b"xx")
            assert received(server, 2) == b"xx"
        assert way.faults.active == (outer,)
        with takes(0.1):
            client.sendall(b"x")
            assert server.recv(1) == b"x"


# How it is used.


def test_begin_and_end_without_a_block(way: Way) -> None:
    client, server = way.pair()
    fault = way.faults.blackhole().begin()
    assert fault.active
    assert repr(fault) == f"<Fault blackhole of {way.proxy.address}: active>"
    with pytest.raises(LabError, match=r"blackhole of .* has begun already; end\(\) it first"):
        fault.begin()
    fault.end()
    fault.end()
    assert not fault.active
    with fault:
        client.sendall(b"x")
        assert is_quiet(server)
        way.faults.slicing(1).begin()
        way.faults.heal()
        assert server.recv(1) == b"x"
    assert way.faults.active == ()


def test_a_proxy_tells_of_itself(lab: Lab, way: Way) -> None:
    port = way.listener.getsockname()[1]
    assert repr(way.proxy) == f"<Proxy 127.0.0.1:{way.proxy.port} -> 127.0.0.1:{port}: no fault>"
    with way.faults.latency(0.2, jitter=0.05), way.faults.bandwidth(100_000):
        assert repr(way.proxy).endswith(": latency(0.2 s, jitter=0.05 s), bandwidth(100,000 B/s)>")
        assert repr(way.faults) == f"<Faults of {way.proxy.address}: latency(0.2 s, jitter=0.05 s), bandwidth(100,000 B/s)>"
    way.proxy.close()
    way.proxy.close()
    assert repr(way.proxy).endswith(": closed>")
    with pytest.raises(ConnectionRefusedError):
        way.connect()
    with pytest.raises(
        LabError, match=f"begin: the proxy at {way.proxy.address} is closed; lab.proxy\\('127.0.0.1:{port}'\\) makes a new one"
    ):
        way.faults.silent().begin()
    assert 20_000 <= way.proxy.port < 32_768


def test_faults_end_quietly_with_their_lab() -> None:
    with Lab() as lab:
        proxy = lab.proxy("127.0.0.1:1")
        fault = proxy.faults.silent().begin()
    assert not fault.active
    fault.end()
    with pytest.raises(LabError, match="the lab is closed"):
        fault.begin()
    assert not fault.active
    proxy.close()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda faults: faults.latency(0), "seconds=0 was refused: a number of seconds, more than 0"),
        (lambda faults: faults.latency(float("nan")), "seconds=nan was refused"),
        (lambda faults: faults.latency(float("inf")), "seconds=inf was refused"),
        (lambda faults: faults.latency("1"), "seconds='1' was refused"),
        (lambda faults: faults.latency(0.1, jitter=0.2), "jitter=0.2 was refused: at most the latency itself, 0.1 s"),
        (lambda faults: faults.bandwidth(0), "bytes_per_second=0 was refused: an int, 1 or more"),
        (lambda faults: faults.bandwidth(True), "bytes_per_second=True was refused"),
        (lambda faults: faults.drop_after(1.5), "bytes=1.5 was refused"),
        (lambda faults: faults.slicing(0), "bytes=0 was refused"),
        (lambda faults: faults.slicing(1, delay=-1), "delay=-1 was refused"),
        (lambda faults: faults.slow_close(True), "seconds=True was refused"),
        (lambda faults: faults.late_settings(-1), "seconds=-1 was refused"),
        (lambda faults: faults.reset(on_data=1), "on_data=1 was refused: True or False"),
    ],
)
def test_wrong_settings_are_refused(way: Way, wrong: Callable[[Faults], Fault], message: str) -> None:
    with pytest.raises(OptionsError) as refused:
        wrong(way.faults)
    assert message in str(refused.value)


@pytest.mark.parametrize("address", ["", "127.0.0.1", "ipv4:127.0.0.1:1,127.0.0.1:2", "unix:/tmp/socket", "dns://127.0.0.1:53/name:1"])
def test_a_proxy_leads_to_one_place(lab: Lab, address: str) -> None:
    with pytest.raises(AddressError):
        lab.proxy(address)


def test_a_proxy_listens_where_it_is_told(lab: Lab, way: Way) -> None:
    with pytest.raises(OptionsError, match=r"host='0\.0\.0\.0' was refused: an address of the loopback"):
        lab.proxy(way.proxy.target, host="0.0.0.0")
    with pytest.raises(OptionsError, match="port=0 was refused"):
        lab.proxy(way.proxy.target, port=0)
    with pytest.raises(LabError, match=f"the lab's proxy could not open: port {way.proxy.port} of 127.0.0.1 cannot be bound"):
        lab.proxy(way.proxy.target, port=way.proxy.port)
    proxy = lab.proxy(f"localhost:{way.listener.getsockname()[1]}", host="127.0.0.2", port=way.proxy.port)
    assert proxy.address == f"127.0.0.2:{way.proxy.port}"
    with socket.create_connection(("127.0.0.2", proxy.port), timeout=PATIENCE) as client:
        client.sendall(b"x")
        assert way.accept().recv(1) == b"x"
    proxy.close()
