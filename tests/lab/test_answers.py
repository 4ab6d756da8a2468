"""What a server of the lab answers on the wire: both forms, streams, health, reflection, channelz, keepalive."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tinypool_nb.lab import Lab, Module
from tinypool_nb.wire.module_pb2 import Message, MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub, StreamServiceStub


@pytest.fixture(scope="module")
def module() -> Iterator[Module]:
    with Lab() as lab:
        yield lab.start("http-module-v1")


@pytest.fixture
def channel(module: Module, channel_to: Callable[..., Any]) -> Iterator[grpc.Channel]:
    with channel_to(module.address) as channel:
        yield channel


def wish(**asked: object) -> MessageRequest:
    return MessageRequest(Payload=json.dumps(asked).encode())


def test_message_says_who_answered_and_what_was_heard(module: Module, channel: grpc.Channel) -> None:
    request = MessageRequest(ID="7", From="common-module-v1.out", To="http-module-v1.in", Payload=b"hello", EdgeID="e1")
    answer = json.loads(ModuleServiceStub(channel).Message(request, timeout=5, metadata=(("x-message-depth", "3"),)).Data)
    assert answer == {
        "module": "http-module-v1",
        "replica": 0,
        "port": module.port,
        "pid": module.pid,
        "wire": "message",
        "id": "7",
        "from": "common-module-v1.out",
        "to": "http-module-v1.in",
        "edge": "e1",
        "payload": "hello",
        "depth": "3",
    }


def test_send_is_the_other_form(channel: grpc.Channel) -> None:
    fields: dict[str, Any] = {"from": "a", "to": "b", "data": b'{"error": "no such port"}', "metadata": {"k": "v"}}
    request = Message(**fields)  # `from` is a keyword of Python
    response = ModuleServiceStub(channel).Send(request, timeout=5)
    answer = json.loads(response.data)
    assert (answer["wire"], answer["from"], answer["to"], response.error) == ("send", "a", "b", "no such port")


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_a_payload_asks_for_any_status(channel: grpc.Channel, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ModuleServiceStub(channel).Message(wish(status=code.name, details="so it was asked"), timeout=5)
    assert isinstance(raised.value, grpc.Call)
    assert (raised.value.code(), raised.value.details()) == (code, "so it was asked")


def test_an_unknown_status_is_refused(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError, match="there is no status 'MAYBE'"):
        ModuleServiceStub(channel).Message(wish(status="MAYBE"), timeout=5)


def test_a_payload_asks_for_length_and_delay(channel: grpc.Channel) -> None:
    stub = ModuleServiceStub(channel)
    assert stub.Message(wish(bytes=100), timeout=5).Data == b"x" * 100
    with pytest.raises(grpc.RpcError) as raised:
        stub.Message(wish(delay=30), timeout=0.2)
    assert isinstance(raised.value, grpc.Call)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"[]", b'"delay"', b"7", b"null", b'{"delay": "soon"}', b'{"other": 1}'])
def test_every_other_payload_is_echoed(channel: grpc.Channel, payload: bytes) -> None:
    answer = json.loads(ModuleServiceStub(channel).Message(MessageRequest(Payload=payload), timeout=5).Data)
    assert answer["payload"] == payload.decode(errors="replace")


def test_the_three_kinds_of_streams(channel: grpc.Channel) -> None:
    stub = StreamServiceStub(channel)
    assert len(list(stub.Repeat(wish(times=3, delay=0.01), timeout=5))) == 3
    collected = stub.Collect(iter([MessageRequest(Payload=b"a"), MessageRequest(Payload=b"b")]), timeout=5)
    assert json.loads(collected.Data)["payload"] == "ab"
    answers = stub.Converse((MessageRequest(ID=str(n)) for n in range(3)), timeout=5)
    assert [json.loads(answer.Data)["id"] for answer in answers] == ["0", "1", "2"]
    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        list(stub.Repeat(wish(times=2, status="UNAVAILABLE"), timeout=5))


def test_health_is_always_serving_and_watch_ends_after_one_message(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    assert stub.Check(health_pb2.HealthCheckRequest(service="whatever"), timeout=5).status == serving
    assert [response.status for response in stub.Watch(health_pb2.HealthCheckRequest(), timeout=5)] == [serving]


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest
    services, file = stub.ServerReflectionInfo(
        iter([asked(list_services=""), asked(file_containing_symbol="module.ModuleService")]), timeout=5
    )
    assert [service.name for service in services.list_services_response.service] == [
        "grpc.channelz.v1.Channelz",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "module.ModuleService",
        "module.StreamService",
    ]
    assert len(file.file_descriptor_response.file_descriptor_proto) == 1


def test_channelz_of_the_server_answers(module: Module, channel: grpc.Channel) -> None:
    servers = channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest(), timeout=5).server
    assert len(servers) == 1
    assert servers[0].data.calls_started >= 1


@pytest.mark.slow
def test_who_pings_too_often_is_sent_away_and_others_are_not(lab: Lab, channel_to: Callable[..., Any]) -> None:
    """A canary: `grpc.http2.min_ping_interval_without_data_ms` is the option that works."""
    often = (
        ("grpc.keepalive_time_ms", 500),
        ("grpc.keepalive_timeout_ms", 3000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    strict, lenient = lab.start("strict"), lab.start("lenient", min_ping_interval=0.1)
    with channel_to(strict.address, *often) as sent_away, channel_to(lenient.address, *often) as stays:
        ends, goes_on = [ModuleServiceStub(channel).Message.future(wish(delay=30), timeout=30) for channel in (sent_away, stays)]
        error = ends.exception()
        assert isinstance(error, grpc.Call)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "Too many pings")
        assert goes_on.running()
        goes_on.cancel()


def test_a_call_that_is_given_up_leaves_its_thread(channel: grpc.Channel) -> None:
    """Else 128 of them would starve the server."""
    stub = ModuleServiceStub(channel)
    calls = [stub.Message.future(wish(delay=60), timeout=60) for _ in range(128)]
    for call in calls:
        call.cancel()
    begin = time.monotonic()
    assert stub.Message(MessageRequest(), timeout=10).Data
    assert time.monotonic() - begin < 10
