"""The misbehaving server: clients become READY, are let down, and its count is right."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2
from grpc_channelz.v1.channelz import ChannelzServicer

from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab import FlappingServer
from tinypool_nb.lab.flapper import ACK, GOAWAY, PING, PREFACE, SETTINGS, frame


@contextmanager
def clients(server: FlappingServer, number: int) -> Iterator[list[grpc.Channel]]:
    options = (
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_channel_trace_event_memory_per_node", 108_544),  # holds every event of the test; see FACTS on its size
        ("grpc.initial_reconnect_backoff_ms", 100),
    )
    channels = [grpc.insecure_channel(f"ipv4:{server.address}#flapping-{n}", options) for n in range(number)]
    yield channels
    for channel in channels:
        channel.close()


def poke(server: FlappingServer, channels: list[Any], established: int) -> None:
    """Ask the channels to connect, again and again, until the server has seen that many connections."""
    for _ in range(1000):
        for channel in channels:
            channel._channel.check_connectivity_state(True)
        try:
            server.wait(established=established, timeout=0.02)
        except LabError:
            continue
        return
    pytest.fail(f"only {server.counts()}")


def times_ready(server: FlappingServer) -> int:
    """How often gRPC core says that its channels to the server became READY."""
    start = found = 0
    while True:
        channels = ChannelzServicer.GetTopChannels(channelz_pb2.GetTopChannelsRequest(start_channel_id=start), None).channel
        if not channels:
            return found
        start = max(channel.ref.channel_id for channel in channels) + 1
        for channel in channels:
            if f"{server.address}#flapping" in channel.data.target:
                found += sum("state change to READY" in event.description for event in channel.data.trace.events)


@pytest.mark.parametrize("goaway", [False, True])
@pytest.mark.parametrize("hold", [0.0, 0.01])
def test_the_count_is_what_grpc_core_saw(hold: float, goaway: bool) -> None:
    with FlappingServer(hold=hold, flaps=100, goaway=goaway) as server, clients(server, 20) as channels:
        poke(server, channels, established=120)
        assert server.counts() == (120, 120, 100)
        assert [connection.closed is None for connection in server.connections()].count(True) == 20
        assert times_ready(server) == 120
        assert all(channel._channel.check_connectivity_state(False) == 2 for channel in channels)  # type: ignore[attr-defined]


def test_each_connection_is_held_as_long_as_asked() -> None:
    with FlappingServer(hold=0.1, flaps=2) as server, clients(server, 1) as channels:
        poke(server, channels, established=3)
        first, second, third = server.connections()
        assert third.closed is None
        for connection in (first, second):
            assert connection.closed is not None
            assert connection.accepted <= connection.established
            assert 0.1 <= (connection.closed - connection.established) / 1e9 < 5


def test_calm_holds_whoever_comes_next() -> None:
    with FlappingServer(hold=0) as server, clients(server, 1) as channels:
        poke(server, channels, established=3)
        flapped = server.calm().established
        poke(server, channels, established=flapped + 1)
        assert server.connections()[-1].closed is None


def test_it_speaks_enough_http2_however_the_bytes_come() -> None:
    with FlappingServer(hold=None) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said = PREFACE + frame(SETTINGS) + frame(SETTINGS, ACK) + frame(0x9, 0, b"ignored") + frame(PING, 0, b"12345678")
        for byte in said:
            client.send(bytes((byte,)))
        expected = frame(SETTINGS) + frame(SETTINGS, ACK) + frame(PING, ACK, b"12345678")
        with client.makefile("rb") as answers:
            assert answers.read(len(expected)) == expected
        assert server.counts() == (1, 1, 0)


def test_goaway_comes_before_the_end() -> None:
    with FlappingServer(hold=0, goaway=True) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(PREFACE + frame(SETTINGS, ACK))
        with client.makefile("rb") as answers:
            assert answers.read() == frame(SETTINGS) + frame(GOAWAY, payload=bytes(8))


def test_whoever_speaks_no_http2_is_no_client() -> None:
    with FlappingServer() as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with client.makefile("rb") as answers:
            assert answers.read() == frame(SETTINGS)
        assert server.counts() == (1, 0, 1)


def test_what_is_wrong_is_said() -> None:
    for settings in ({"hold": -1}, {"hold": float("nan")}, {"hold": "soon"}, {"flaps": -1}, {"flaps": 1.5}, {"port": 0}):
        with pytest.raises(OptionsError):
            FlappingServer(**settings)
    with FlappingServer(hold=None) as server:
        assert repr(server) == f"<FlappingServer at {server.address}, pid {server.pid}>"
        with pytest.raises(LabError, match=f"port {server.port} of 127.0.0.1 cannot be bound"):
            FlappingServer(port=server.port)
        with pytest.raises(LabError, match=r"0 of 1 connections were established within 0\.05 s"):
            server.wait(established=1, timeout=0.05)
    with pytest.raises(LabError, match="closed"):
        server.counts()
    assert repr(server).startswith("<FlappingServer closed")
