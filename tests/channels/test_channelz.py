"""Canaries: each private name of grpcio that `tinypool_nb.channels.channelz` stands on, and what it is known to answer.

If one dies, a new grpcio has changed: read the fact again, then the code.
"""

import json
import time
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc._cython import cygrpc

from tinypool_nb.channels import channelz
from tinypool_nb.channels.calls import told
from tinypool_nb.channels.channelz import Channelz, directory, peek_of
from tinypool_nb.channels.counters import Counters, behind
from tinypool_nb.channels.opening import open_channel, tag
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import MILLISECOND
from tinypool_nb.errors import GrpcVersionError
from tinypool_nb.journal.clock import system_clock
from tinypool_nb.lab.flapping import FlappingServer

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

NUMBERS = count(900_000)
SECOND = 10**9
NOBODY = 10**9
"""A channelz id that nothing has."""
CALLS = {"callsStarted": "1", "callsSucceeded": "1", "callsFailed": "0"}


@pytest.fixture
def called(start_server: Callable[[], "EchoServer"]) -> Iterator[tuple[grpc.Channel, int, "EchoServer"]]:
    """A channel on which one call has ended, its channelz id, and its server."""
    server, number = start_server(), next(NUMBERS)
    with open_channel(server.target, number, PoolOptions()) as channel:
        some: Any = channel
        some.unary_unary("/echo/Unary")(b"", timeout=5)
        node = directory.claim(tag(number))
        assert node is not None
        deadline = time.monotonic() + 5
        while socket_of(node)["data"]["streamsSucceeded"] == "0":  # core counts the end of a call a moment after it tells of it
            assert time.monotonic() < deadline
        yield channel, node, server


Called = tuple[grpc.Channel, int, "EchoServer"]


def read(get: Callable[[int], str], number: int, kind: str) -> dict[str, Any]:
    node: dict[str, Any] = json.loads(get(number))[kind]
    return node


def subchannel_of(number: int) -> dict[str, Any]:
    (reference,) = read(cygrpc.channelz_get_channel, number, "channel")["subchannelRef"]
    return read(cygrpc.channelz_get_subchannel, int(reference["subchannelId"]), "subchannel")


def socket_of(number: int) -> dict[str, Any]:
    (reference,) = subchannel_of(number)["socketRef"]
    return read(cygrpc.channelz_get_socket, int(reference["socketId"]), "socket")


def test_check_connectivity_state_tells_the_state_and_wakes_an_idle_channel(called: Called) -> None:
    channel, _, _ = called
    assert channel._channel.check_connectivity_state(False) == State.READY.code  # type: ignore[attr-defined]
    with open_channel("ipv4:127.0.0.1:1", next(NUMBERS), PoolOptions()) as idle:
        assert peek_of(idle)(False) == State.IDLE.code
        assert peek_of(idle)(True) == State.IDLE.code
        deadline = time.monotonic() + 5
        while peek_of(idle)(False) == State.IDLE.code:
            assert time.monotonic() < deadline


def test_channelz_get_top_channels_lists_a_channel_by_its_target(called: Called) -> None:
    _, number, server = called
    listed = json.loads(cygrpc.channelz_get_top_channels(number))
    assert listed["channel"][0]["ref"]["channelId"] == str(number)
    assert listed["channel"][0]["data"]["target"].startswith(f"{server.target}#tp")


def test_channelz_get_channel_tells_calls_trace_and_subchannels(called: Called) -> None:
    node = read(cygrpc.channelz_get_channel, called[1], "channel")
    assert CALLS.items() <= node["data"].items()
    assert node["data"]["trace"]["events"][0]["description"] == "Channel created"
    assert node["data"]["trace"]["events"][0]["timestamp"].endswith("Z")
    assert len(node["subchannelRef"]) == 1


def test_channelz_get_subchannel_tells_state_calls_peer_and_sockets(called: Called) -> None:
    _, number, server = called
    node = subchannel_of(number)
    assert CALLS.items() <= node["data"].items()
    assert node["data"]["state"] == {"state": "READY"}
    assert node["data"]["target"] == server.target
    assert node["data"]["lastCallStartedTimestamp"].endswith("Z")
    assert len(node["socketRef"]) == 1


def test_channelz_get_socket_tells_streams_messages_keepalives_and_both_ends(called: Called) -> None:
    _, number, server = called
    node = socket_of(number)
    one = {"streamsStarted": "1", "streamsSucceeded": "1", "streamsFailed": "0", "messagesSent": "1", "messagesReceived": "1"}
    assert one.items() <= node["data"].items()
    assert node["data"]["keepAlivesSent"].isdigit()
    for stamp in ("lastLocalStreamCreatedTimestamp", "lastMessageSentTimestamp", "lastMessageReceivedTimestamp"):
        assert node["data"][stamp].endswith("Z")
    assert node["remote"] == {"tcpipAddress": {"ipAddress": "fwAAAQ==", "port": server.port}}
    assert node["local"]["tcpipAddress"]["ipAddress"] == "fwAAAQ=="


def test_a_time_that_never_came_is_left_out(start_server: Callable[[], "EchoServer"]) -> None:
    number = next(NUMBERS)
    with open_channel(start_server().target, number, PoolOptions()) as channel:
        grpc.channel_ready_future(channel).result(timeout=5)
        node = directory.claim(tag(number))
        assert node is not None
        assert "lastCallStartedTimestamp" not in subchannel_of(node)["data"]
        assert not {"lastLocalStreamCreatedTimestamp", "lastMessageReceivedTimestamp"} & set(socket_of(node)["data"])


@pytest.mark.parametrize("get", [cygrpc.channelz_get_channel, cygrpc.channelz_get_subchannel, cygrpc.channelz_get_socket])
def test_what_core_does_not_know_is_a_value_error(get: Callable[[int], str]) -> None:
    with pytest.raises(ValueError, match=str(NOBODY)):
        get(NOBODY)


def test_the_times_of_counters_have_the_phase_of_the_trace(called: Called) -> None:
    """So one clock reads both, and the phase is a checksum for both."""
    reader = Channelz(epoch=0)
    reader.channel(called[1])
    learnt = reader._clock._phase
    assert reader.counted("channel", called[1], "lastCallStartedTimestamp")
    assert reader._clock._phase == learnt
    assert reader.reread == 0


def test_the_times_of_counters_lie_one_to_two_seconds_behind_those_of_the_trace(called: Called) -> None:
    """By the same amount for all of a process: core takes two starts for one. If this is mended, `counters.behind` can go."""
    node, clock = called[1], system_clock()
    found = Channelz(clock.epoch).channel(node)
    assert found is not None
    ready = next(event.time for event in found.events if event.text == "Channel state change to READY")
    counted = Channelz(clock.epoch).counted("channel", node, "lastCallStartedTimestamp")
    assert counted is not None
    started = counted[1][0]
    assert started is not None
    assert SECOND < behind(1) <= 2 * SECOND + MILLISECOND
    assert ready - 200 * MILLISECOND < started + behind(1) <= clock.now()  # the call began, connected, and went on
    assert abs(behind(1) - behind(2)) < 2 * MILLISECOND


def test_a_socket_is_stamped_when_it_is_made_and_lost_ones_stay_listed() -> None:
    """So the live one is the one on which something was sent last."""
    number = next(NUMBERS)
    with FlappingServer(hold=0.05, flaps=3) as server:
        options = PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.1))
        with open_channel(f"ipv4:{server.address}", number, options) as channel:
            peek_of(channel)(True)
            server.wait(established=4, timeout=10)
            grpc.channel_ready_future(channel).result(timeout=5)
            node = directory.claim(tag(number))
            assert node is not None
            listed = [int(one["socketId"]) for one in subchannel_of(node)["socketRef"]]
            assert len(listed) == 4
            stamps = [read(cygrpc.channelz_get_socket, one, "socket")["data"]["lastMessageSentTimestamp"] for one in listed]
            assert len(set(stamps)) == 4
            ((live,),) = (one.sockets for one in Counters(system_clock()).subchannels(node) or ())
            newest = read(cygrpc.channelz_get_socket, listed[stamps.index(max(stamps))], "socket")
            assert live.local == f"ipv4:127.0.0.1:{newest['local']['tcpipAddress']['port']}"


# What the readers make of it


def test_what_is_gone_is_none_and_what_goes_meanwhile_is_left_out(called: Called) -> None:
    reader, counters = Channelz(epoch=0), Counters(system_clock())
    assert reader.channel(NOBODY) is None
    assert reader.subchannel(NOBODY) is None
    assert counters.subchannels(NOBODY) is None

    def gone(_: int) -> str:
        raise ValueError("please ensure your id is valid")

    counters._channelz._get = {**counters._channelz._get, "socket": gone}
    (subchannel,) = counters.subchannels(called[1]) or ()
    assert subchannel.sockets == ()
    counters._channelz._get = {**counters._channelz._get, "subchannel": gone}
    assert counters.subchannels(called[1]) == ()


def test_a_torn_stamp_is_read_again(called: Called) -> None:
    counters = Counters(system_clock())
    (right,) = counters.subchannels(called[1]) or ()
    whole, reads = counters._channelz._get["subchannel"], 0

    def torn_once(number: int) -> str:
        nonlocal reads
        reads += 1
        node = json.loads(whole(number))
        if reads == 1:
            stamp = node["subchannel"]["data"]["lastCallStartedTimestamp"]
            node["subchannel"]["data"]["lastCallStartedTimestamp"] = f"{stamp[:-7]}{(int(stamp[-7:-1]) + 300_000) % 10**6:06}Z"
        return json.dumps(node)

    counters._channelz._get = {**counters._channelz._get, "subchannel": torn_once}
    (again,) = counters.subchannels(called[1]) or ()
    assert reads == 2
    assert again.last_call is not None
    assert right.last_call is not None
    assert abs(again.last_call - right.last_call) < MILLISECOND


@pytest.mark.parametrize("slow", [{1}, {1, 2}, {1, 2, 3, 4}], ids=["once", "twice", "always"])
def test_stamps_that_an_interruption_may_have_moved_by_whole_milliseconds_are_read_again(called: Called, slow: set[int]) -> None:
    """As on a busy machine, where a thread loses the processor for a tick of 4 ms: the phase does not show it."""
    reader = Channelz(system_clock().epoch)
    (subchannel,) = reader.channel(called[1]).subchannels  # type: ignore[union-attr]
    right = reader.subchannel(subchannel)
    whole, reads = reader._get["subchannel"], 0

    def interrupted(number: int) -> str:
        nonlocal reads
        reads += 1
        node = json.loads(whole(number))
        if reads in slow:
            until = time.monotonic_ns() + 4 * MILLISECOND
            while time.monotonic_ns() < until:
                pass
        if reads == 1:  # off by minutes, and on the phase
            event = node["subchannel"]["data"]["trace"]["events"][0]
            head, minute, tail = event["timestamp"][:14], event["timestamp"][14:16], event["timestamp"][16:]
            event["timestamp"] = f"{head}{(int(minute) + 7) % 60:02}{tail}"
        return json.dumps(node)

    reader._get = {**reader._get, "subchannel": interrupted}
    assert reader.subchannel(subchannel) == right
    assert reads == {1: 2, 2: 3, 4: 3}[len(slow)], "two in a row that say the same are believed, however long they took"


@pytest.mark.parametrize("missing", ["channelz_get_top_channels", "channelz_get_channel", "channelz_get_subchannel", "channelz_get_socket"])
def test_a_grpcio_without_one_of_them_is_told_by_name(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cygrpc, missing)
    with pytest.raises(GrpcVersionError, match=missing):
        Channelz(epoch=0)


def test_a_call_keeps_how_it_ended_in_a_state_of_its_own(called: Called) -> None:
    channel, _, _ = called
    some: Any = channel
    for name in ("Unary", "Refused"):
        call = some.unary_unary(f"/echo/{name}").future(b"")
        state = channelz.state_of(call)
        call.exception()
        assert (state.code, told(state.details)) == (call.code(), call.details())
    stream = some.unary_stream("/echo/Responses")(b"")
    state = channelz.state_of(stream)
    assert state.code is None
    del stream
    assert state.code is grpc.StatusCode.CANCELLED, "gRPC gives up what nobody holds"


def test_a_grpcio_that_keeps_no_state_of_calls_is_told() -> None:
    with pytest.raises(GrpcVersionError, match="_state"):
        channelz.state_of(object())


def test_a_grpcio_that_cannot_be_peeked_at_is_told() -> None:
    some: Any = SimpleNamespace(_channel=object())
    with pytest.raises(GrpcVersionError, match="check_connectivity_state"):
        channelz.peek_of(some)
