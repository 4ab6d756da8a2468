"""Canaries: what grpcio is known to do, and this code leans on. If one dies, a new grpcio has changed: read the fact again, then the code.

Each stands on a real socket. What a peer must do wrong, a few lines of HTTP/2 below do.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tinypool_nb.channels.opening import HELD, arguments, open_channel, tag
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
AwaitState = Callable[..., None]
IDLE, CONNECTING, READY, TRANSIENT_FAILURE = range(4)
NUMBERS = count(800_000)

PREFACE = 24  # bytes that a client sends before its first frame
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"  # an empty frame: with it the client's channel is READY
PING, SETTINGS_FRAME, ACK = 6, 4, 1


class Peer:
    """A listener that plays a server badly: it accepts, and then does what `behave` does with each connection in turn."""

    def __init__(self, listener: socket.socket, behave: Callable[[socket.socket], None]) -> None:
        self.accepted: list[float] = []
        """Monotonic seconds at which connections came."""
        self._behave = behave
        self._connections: list[socket.socket] = []
        self._listener = listener
        self.target = f"ipv4:127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="bad peer")
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._thread.join(5)
        for connection in self._connections:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            self._connections.append(connection)
            try:
                self._behave(connection)
            except OSError:
                continue


def frozen(connection: socket.socket) -> None:
    """Greets, then never says a word again, like a stopped process whose kernel goes on to acknowledge."""
    connection.sendall(SETTINGS)


def greet_and_hang_up(connection: socket.socket) -> None:
    connection.sendall(SETTINGS)
    connection.close()


def hang_up(connection: socket.socket) -> None:
    connection.close()


def say_nothing(connection: socket.socket) -> None:
    """Accepts, and never greets: the attempt goes on until its deadline."""


@pytest.fixture
def peer_that(listen: Callable[[], socket.socket]) -> Iterator[Callable[[Callable[[socket.socket], None]], Peer]]:
    started: list[Peer] = []

    def start(behave: Callable[[socket.socket], None]) -> Peer:
        started.append(Peer(listen(), behave))
        return started[-1]

    yield start
    for peer in started:
        peer.stop()


PeerThat = Callable[[Callable[[socket.socket], None]], Peer]


@pytest.fixture
def dial() -> Iterator[Callable[..., Any]]:
    """Opens channels with the options' arguments, less those named in `without`, plus `extra`; closes them at the end."""
    opened: list[grpc.Channel] = []

    def open_(target: str, options: PoolOptions | None = None, *, without: tuple[str, ...] = (), extra: tuple[Any, ...] = ()) -> Any:
        kept = [pair for pair in arguments(options or PoolOptions()) if pair[0] not in without]
        opened.append(grpc.insecure_channel(target, [*kept, *extra]))
        return opened[-1]

    yield open_
    for channel in opened:
        channel.close()


Dial = Callable[..., Any]
EAGER = PoolOptions(keepalive=Keepalive(time=0.5, timeout=0.5))


def test_a_frozen_peer_is_found_within_time_and_timeout(peer_that: PeerThat, dial: Dial, await_state: AwaitState) -> None:
    channel = dial(peer_that(frozen).target, EAGER)
    await_state(channel, wanted=READY)
    begun = time.monotonic()
    await_state(channel, unwanted=READY, timeout=5)
    assert 0.5 <= time.monotonic() - begun < 0.5 + 0.5 + 1


@pytest.mark.slow
def test_without_the_ping_timeout_a_frozen_peer_passes_for_alive(peer_that: PeerThat, dial: Dial, await_state: AwaitState) -> None:
    channel = dial(peer_that(frozen).target, EAGER, without=("grpc.http2.ping_timeout_ms",))
    await_state(channel, wanted=READY)
    begun = time.monotonic()
    with pytest.raises(AssertionError, match="the state was 2 for too long"):
        await_state(channel, unwanted=READY, timeout=8)
    assert time.monotonic() - begun > 7


class AnswersPings:
    """A good peer that counts the pings."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.pings = 0
        self.had_enough = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(SETTINGS)
        stream = connection.makefile("rb")
        stream.read(PREFACE)
        while head := stream.read(9):
            body = stream.read(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == SETTINGS_FRAME and not flags & ACK:
                connection.sendall(b"\0\0\0\x04\x01\0\0\0\0")
            if kind == PING and not flags & ACK:
                self.pings += 1
                if self.pings == self.enough:
                    self.had_enough.set()
                connection.sendall(b"\0\0\x08\x06\x01\0\0\0\0" + body)


def test_pings_go_on_while_there_is_nothing_to_say_and_at_most_one_a_second(
    peer_that: PeerThat, dial: Dial, await_state: AwaitState
) -> None:
    """A keepalive time of less than a second holds for the first ping only; without the argument, the third never comes."""
    options = PoolOptions(keepalive=Keepalive(time=0.1, timeout=1.0))
    with_it, without_it = AnswersPings(4), AnswersPings(4)
    channels = [
        dial(peer_that(with_it).target, options),
        dial(peer_that(without_it).target, options, without=("grpc.http2.max_pings_without_data",)),
    ]
    for channel in channels:
        await_state(channel, wanted=READY)
    begun = time.monotonic()
    assert with_it.had_enough.wait(10)
    assert 2.5 < time.monotonic() - begun < 4.5
    assert without_it.pings == 2


def test_a_channel_stays_ready_without_calls(start_server: StartServer, dial: Dial, await_state: AwaitState) -> None:
    idle = "grpc.client_idle_timeout_ms"
    stays, tires = dial(target := start_server().target), dial(target, without=(idle,), extra=((idle, 1000),))
    for channel in (stays, tires):
        channel.unary_unary("/echo/Unary")(b"", timeout=5)
    await_state(tires, wanted=IDLE, timeout=5)
    assert stays._channel.check_connectivity_state(False) == READY


def test_the_local_subchannel_pool_gives_each_channel_its_own_connection(start_server: StartServer, dial: Dial) -> None:
    target = start_server().target
    own = {dial(target).unary_unary("/echo/Peer")(b"", timeout=5) for _ in range(3)}
    shared = {dial(target, without=("grpc.use_local_subchannel_pool",)).unary_unary("/echo/Peer")(b"", timeout=5) for _ in range(3)}
    assert (len(own), len(shared)) == (3, 1)


def test_a_fresh_channel_waits_for_nobodys_backoff(dial: Dial, await_state: AwaitState, listen: Callable[..., socket.socket]) -> None:
    """This is how `reconnect` goes at once."""
    reserved = listen()
    port = reserved.getsockname()[1]
    reserved.close()
    target, patient = f"ipv4:127.0.0.1:{port}", PoolOptions(backoff=Backoff(initial=60))
    waiting = dial(target, patient)
    await_state(waiting, wanted=TRANSIENT_FAILURE)
    listener = listen(port)
    listener.settimeout(5)
    fresh = dial(target, patient)
    fresh._channel.check_connectivity_state(True)
    connection, _ = listener.accept()
    connection.sendall(SETTINGS)
    await_state(fresh, wanted=READY, timeout=5)
    assert waiting._channel.check_connectivity_state(True) == TRANSIENT_FAILURE, "asking does not cut a backoff short"
    connection.close()


def test_the_environments_proxy_is_not_asked(
    start_server: StartServer, peer_that: PeerThat, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = peer_that(hang_up), start_server()
    for name in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.target.replace("ipv4:", "http://"))
    target = f"dns:///127.0.0.1:{server.port}"
    assert dial(target).unary_unary("/echo/Unary")(b"", timeout=5) == server.name + b":"
    assert proxy.accepted == []
    with pytest.raises(grpc.RpcError):
        dial(target, without=("grpc.enable_http_proxy",)).unary_unary("/echo/Unary")(b"", timeout=5)
    assert proxy.accepted, "without the argument even loopback goes through the proxy"


def wait_for(is_so: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_backoff_is_the_specifications(peer_that: PeerThat, dial: Dial, await_state: AwaitState) -> None:
    peer = peer_that(hang_up)
    channel = dial(peer.target, PoolOptions(backoff=Backoff(initial=0.2, maximum=0.5)))
    channel._channel.check_connectivity_state(True)
    wait_for(lambda: len(peer.accepted) >= 6, timeout=10)
    gaps = [later - earlier for earlier, later in pairwise(peer.accepted[:6])]
    for gap, base in zip(gaps, [0.2, 0.32, 0.5, 0.5, 0.5], strict=True):
        assert 0.8 * base - 0.1 < gap < 1.2 * base + 0.1, gaps


@pytest.mark.parametrize(("initial", "expected"), [(0.1, 0.6), (1.2, 1.2)])
def test_an_attempt_gets_the_minimum_connect_timeout_or_its_backoff_if_that_is_longer(
    peer_that: PeerThat, dial: Dial, await_state: AwaitState, initial: float, expected: float
) -> None:
    peer = peer_that(say_nothing)
    channel = dial(peer.target, PoolOptions(backoff=Backoff(initial=initial, maximum=initial, min_connect_timeout=0.6)))
    await_state(channel, wanted=CONNECTING)
    await_state(channel, wanted=TRANSIENT_FAILURE, timeout=5)
    assert 0.8 * expected - 0.1 < time.monotonic() - peer.accepted[0] < 1.2 * expected + 0.3


def test_round_robin_spreads_calls_over_listed_addresses_and_with_a_tag(start_server: StartServer) -> None:
    one, other = start_server(), start_server()
    channel: Any = open_channel(
        f"ipv4:127.0.0.1:{one.port},127.0.0.1:{other.port}", next(NUMBERS), PoolOptions(load_balancing="round_robin")
    )
    call = channel.unary_unary("/echo/Unary")
    deadline = time.monotonic() + 5
    answers: list[bytes] = []
    while {*answers} != {one.name + b":", other.name + b":"}:  # the second connection may come a moment later
        assert time.monotonic() < deadline
        answers.append(call(b"", timeout=5))
    spread = [call(b"", timeout=5) for _ in range(20)]
    assert spread.count(one.name + b":") == 10
    channel.close()


def channelz(ask: str, *what: int) -> Any:
    from grpc._cython import cygrpc

    return json.loads(getattr(cygrpc, f"channelz_{ask}")(*what))


def listed(fragment: str) -> Any:
    """The top channel whose target ends in `#fragment`."""
    first = 0
    while True:
        page = channelz("get_top_channels", first)
        for node in page.get("channel", []):
            first = int(node["ref"]["channelId"]) + 1
            if node["data"]["target"].endswith(f"#{fragment}"):
                return node
        assert not page.get("end"), f"no channel with #{fragment}"


def test_channelz_answers_in_process_and_shows_the_tag(start_server: StartServer) -> None:
    server, number = start_server(), next(NUMBERS)
    channel: Any = open_channel(server.target, number, PoolOptions())
    channel.unary_unary("/echo/Unary")(b"", timeout=5)
    node = listed(tag(number))
    assert node["data"]["target"] == f"{server.target}#{tag(number)}"
    again = channelz("get_channel", int(node["ref"]["channelId"]))["channel"]
    assert again["data"]["callsStarted"] == "1"
    assert "Channel created" in [event["description"] for event in again["data"]["trace"]["events"]]
    subchannel = channelz("get_subchannel", int(again["subchannelRef"][0]["subchannelId"]))["subchannel"]
    connection = channelz("get_socket", int(subchannel["socketRef"][0]["socketId"]))["socket"]
    assert connection["data"]["streamsStarted"] == "1"
    channel.close()


def test_the_private_names_on_a_channel() -> None:
    some: Any = grpc.insecure_channel("ipv4:127.0.0.1:20000")
    assert some._channel.check_connectivity_state(False) == IDLE
    assert some._call_state.managed_calls == 0
    call = some.unary_unary("/echo/Unary")
    some.close()
    with pytest.raises(ValueError, match=r"^Cannot invoke RPC on closed channel!$"):
        call(b"")
    with pytest.raises(ValueError, match=r"^Cannot invoke RPC: Channel closed!$"):
        call.future(b"")
    with pytest.raises(ValueError, match="closed"):
        some._channel.check_connectivity_state(False)


def test_a_call_in_the_background_is_counted_before_it_is_handed_out(start_server: StartServer) -> None:
    """On this rests that a channel nobody holds, and whose counters balance, can be closed."""
    server, number = start_server(), next(NUMBERS)
    channel: Any = open_channel(server.target, number, PoolOptions())
    waiting = channel.unary_unary("/echo/Waiting")
    node = int(listed(tag(number))["ref"]["channelId"])
    futures: list[Any] = []
    for made in range(1, 6):
        futures.append(waiting.future(b""))
        assert channelz("get_channel", node)["channel"]["data"]["callsStarted"] == str(made)
        assert channel._call_state.managed_calls == made
    server.gate.set()
    assert [future.result(5) for future in futures] == [server.name + b":"] * 5
    wait_for(lambda: channel._call_state.managed_calls == 0, timeout=5)
    data = channelz("get_channel", node)["channel"]["data"]
    assert data["callsStarted"] == data["callsSucceeded"] == "5"
    channel.close()


@pytest.mark.parametrize("cap", [53 * 2**4, 53 * 2**5, 1024, 2048])
@pytest.mark.timeout(30)
def test_only_a_trace_of_53_times_a_power_of_two_survives_being_full(peer_that: PeerThat, dial: Dial, cap: int) -> None:
    peer = peer_that(greet_and_hang_up)
    fragment = f"full-{cap}"
    name = "grpc.max_channel_trace_event_memory_per_node"
    options = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.1))
    channel = dial(f"{peer.target}#{fragment}", options, without=(name,), extra=((name, cap),))
    node = int(listed(fragment)["ref"]["channelId"])
    lengths: list[int] = []
    for flaps in range(1, 41):
        while len(peer.accepted) < flaps:  # asking does nothing before the last connection's end is seen, so ask again
            channel._channel.check_connectivity_state(True)
            time.sleep(0.001)
        lengths.append(len(channelz("get_channel", node)["channel"]["data"].get("trace", {}).get("events", [])))
    if cap % 53:
        assert lengths[-1] == 0, "lost for good"
    else:
        assert max(lengths) < 120, "it did get full"
        assert min(lengths[-10:]) > cap // 150, lengths


def test_time_stamps_are_whole_milliseconds_on_one_phase_of_the_process(dial: Dial, await_state: AwaitState) -> None:
    """Core puts each on the wall clock anew at each read, so that one event wobbles by some nanoseconds: never compare exactly."""
    phases: list[int] = []
    for number in range(5):
        fragment = f"phase-{number}"
        channel = dial(f"ipv4:127.0.0.1:20000#{fragment}")
        await_state(channel, wanted=TRANSIENT_FAILURE)
        node = int(listed(fragment)["ref"]["channelId"])
        for _ in range(20):
            events = channelz("get_channel", node)["channel"]["data"]["trace"]["events"]
            phases += [int(event["timestamp"].rstrip("Z")[-6:]) for event in events]
    middle = phases[len(phases) // 2]
    away = sorted(abs((phase - middle + 500_000) % 1_000_000 - 500_000) for phase in phases)
    assert away[len(away) * 95 // 100] < 5_000, "nanoseconds"


def test_a_held_channel_makes_one_attempt_and_no_more(peer_that: PeerThat, dial: Dial, await_state: AwaitState) -> None:
    peer = peer_that(hang_up)
    options = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.1, min_connect_timeout=0.1))
    channel = dial(peer.target, options, without=tuple(name for name, _ in HELD), extra=HELD)
    await_state(channel, wanted=TRANSIENT_FAILURE)
    time.sleep(1)  # ten times the backoff that it would have
    assert len(peer.accepted) == 1


def test_a_call_makes_an_idle_channel_connect_even_if_it_is_held(peer_that: PeerThat, dial: Dial) -> None:
    """Hence the gate before the calls of a held module."""
    peer = peer_that(hang_up)
    channel = dial(peer.target, without=tuple(name for name, _ in HELD), extra=HELD)
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/any/Method")(b"", timeout=5)
    assert len(peer.accepted) == 1
