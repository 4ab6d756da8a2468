"""Calls through a pool's channels, as the record has them: each one, once, with how long, how much and how it ended."""

import gc
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.journal.kinds import call_events

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
HTTP = "http-module-v1"


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool() as pool:
        yield pool


@pytest.fixture
def server(start_server: StartServer, pool: ClientPool) -> "EchoServer":
    server = start_server()
    pool.register(HTTP, server.target)
    return server


class Ended:
    """What the record's follower is told of calls; awaited, since a call in the background ends when it does."""

    def __init__(self, pool: ClientPool) -> None:
        self.calls: list[Call] = []
        self._news = threading.Condition()
        pool.follower.add(self.tell)

    def tell(self, batch: Batch) -> None:
        with self._news:
            self.calls += call_events(batch.calls)
            self._news.notify_all()

    def wait(self, count: int) -> list[Call]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.calls) >= count, 5), f"{len(self.calls)} of {count} calls were told of"
            return self.calls


def recorded(pool: ClientPool) -> list[Call]:
    return list(call_events(pool.journal.since().calls))


def open_(pool: ClientPool, kind: str, name: str) -> Any:
    return getattr(pool[HTTP], kind)(f"/echo/{name}", str.encode, bytes.decode, _registered_method=True)


MAKE: dict[str, Callable[[ClientPool], object]] = {
    "unary": lambda pool: open_(pool, "unary_unary", "Unary")("abc"),
    "unary with call": lambda pool: open_(pool, "unary_unary", "Unary").with_call("abc"),
    "unary future": lambda pool: open_(pool, "unary_unary", "Unary").future("abc").result(),
    "requests": lambda pool: open_(pool, "stream_unary", "Requests")(iter(["a", "bc"])),
    "requests with call": lambda pool: open_(pool, "stream_unary", "Requests").with_call(iter(["a", "bc"])),
    "requests future": lambda pool: open_(pool, "stream_unary", "Requests").future(iter(["a", "bc"])).result(),
    "responses": lambda pool: list(open_(pool, "unary_stream", "Responses")("abc")),
    "both": lambda pool: list(open_(pool, "stream_stream", "Both")(iter(["a", "bc"]))),
}


@pytest.mark.parametrize("how", MAKE)
def test_each_kind_of_call_is_one_row_with_its_bytes(pool: ClientPool, server: "EchoServer", how: str) -> None:
    ended = Ended(pool)
    before = pool.journal.clock.now()
    MAKE[how](pool)
    (call,) = ended.wait(1)
    name = len(server.name)
    received = {"responses": name + 3, "both": 2 * (name + 1) + 3}.get(how, name + 1 + 3)
    assert (call.sent, call.received, call.code, call.reason) == (3, received, Code.OK, "")
    assert call.method.startswith("echo/")
    assert before <= call.start < call.end <= pool.journal.clock.now()
    watched = pool._modules.channels()[0]
    assert call.channel == watched.identity


@pytest.mark.parametrize("verb", ["__call__", "with_call", "future"])
def test_a_failed_call_has_its_code_and_reason(pool: ClientPool, server: "EchoServer", verb: str) -> None:
    ended = Ended(pool)
    refused = pool[HTTP].unary_unary("/echo/Refused")
    with pytest.raises(grpc.RpcError, match="no such"):
        getattr(refused, verb)(b"") if verb != "future" else refused.future(b"").result()
    (call,) = ended.wait(1)
    assert (call.code, call.reason, call.sent, call.received) == (Code.NOT_FOUND, "no such", 0, 0)


def test_a_call_past_its_deadline_lasted_until_then(pool: ClientPool, server: "EchoServer") -> None:
    with pytest.raises(grpc.RpcError):
        pool[HTTP].unary_unary("/echo/Waiting")(b"", timeout=0.2)
    (call,) = recorded(pool)
    assert call.code is Code.DEADLINE_EXCEEDED
    assert 0.19e9 < call.end - call.start < 2e9


def test_what_a_serializer_cannot_do_ends_as_grpc_says(pool: ClientPool, server: "EchoServer") -> None:
    def refuse(_: object) -> Any:
        raise ValueError("not like this")

    with pytest.raises(grpc.RpcError, match="Exception serializing"):
        pool[HTTP].unary_unary("/echo/Unary", refuse)(b"abc")
    with pytest.raises(grpc.RpcError, match="Exception deserializing"):
        pool[HTTP].unary_unary("/echo/Unary", None, refuse)(b"abc")
    assert [call.code for call in recorded(pool)] == [Code.INTERNAL, Code.INTERNAL]


def test_a_cancelled_future_is_cancelled_in_the_record(pool: ClientPool, server: "EchoServer") -> None:
    ended = Ended(pool)
    future = pool[HTTP].unary_unary("/echo/Waiting").future(b"")
    assert server.entered.acquire(timeout=5)
    future.cancel()
    assert ended.wait(1)[0].code is Code.CANCELLED


def test_a_stream_that_nobody_holds_is_still_given_up(pool: ClientPool, server: "EchoServer") -> None:
    """As on a bare channel: the record holds calls weakly."""
    ended = Ended(pool)
    over = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"a"
        over.wait(10)

    answers = pool[HTTP].stream_stream("/echo/Both")(requests())
    next(answers)
    del answers
    gc.collect()
    try:
        assert ended.wait(1)[0].code is Code.CANCELLED
    finally:
        over.set()


def test_a_retired_channels_calls_are_counted_as_its_own(pool: ClientPool, server: "EchoServer", start_server: StartServer) -> None:
    ended = Ended(pool)
    future = pool[HTTP].unary_unary("/echo/Waiting").future(b"")
    assert server.entered.acquire(timeout=5)
    pool.register(HTTP, start_server().target)
    server.gate.set()
    future.result(5)
    pool[HTTP].unary_unary("/echo/Unary")(b"")
    assert [(call.channel.generation, call.code) for call in ended.wait(2)] == [(1, Code.OK), (2, Code.OK)]


def test_it_can_be_switched_off_and_on_again(pool: ClientPool, server: "EchoServer") -> None:
    call = pool[HTTP].unary_unary("/echo/Unary")
    call(b"")
    pool.register(HTTP, server.target, options=PoolOptions(record_calls=False))
    call(b"")
    assert len(recorded(pool)) == 1
    pool.register(HTTP, server.target, options=PoolOptions(record_calls=True))
    call(b"")
    assert [row.channel.generation for row in recorded(pool)] == [1, 3]


def test_a_call_that_never_began_is_none(pool: ClientPool, server: "EchoServer") -> None:
    call: Any = pool[HTTP].unary_unary("/echo/Unary")
    with pytest.raises(TypeError):
        call()
    pool.unregister(HTTP)
    with pytest.raises(ValueError, match="unregistered"):
        call(b"")
    assert recorded(pool) == []


def test_calls_in_their_thousands_are_told_in_few_batches(pool: ClientPool, server: "EchoServer") -> None:
    """Each would wake the follower's thread otherwise."""
    batches: list[int] = []
    journal = Journal()
    told = threading.Event()

    def tell(batch: Batch) -> None:
        batches.append(len(batch.calls))
        if sum(batches) == 3_000:
            told.set()

    follower = Follower(journal)
    follower.add(tell)
    one = Call(pool._modules.channels()[0].identity, "a/b", 1, 2, Code.OK, 0, 0, "")
    for _ in range(3_000):
        journal.append(one)
    assert told.wait(5)
    follower.close()
    assert len(batches) < 20


def test_a_future_whose_result_is_there_is_in_the_record(pool: ClientPool, server: "EchoServer") -> None:
    """gRPC wakes its waiter before it tells us."""
    call = pool[HTTP].unary_unary("/echo/Unary")
    for number in range(1, 301):
        call.future(b"").result()
        pool._calls.settle()
        assert len(recorded(pool)) == number


def test_why_a_connection_was_lost_is_told_by_the_call_that_broke_with_it(lab_module: Any) -> None:
    pool, module, stub, request = lab_module
    future = stub.Message.future(request(Payload=b'{"delay": 30}'), timeout=20)
    assert stub.Message(request(), timeout=5)
    module.kill()
    with pytest.raises(grpc.RpcError):
        future.result(10)
    pool.wait(module.name, "IDLE", timeout=5)
    pool.catch_up()
    (errors,) = pool.journal.disconnections().values()
    assert sum(errors.values()) == 1
    assert errors.keys() < {"socket error", "connection reset"}, "which of the two is the kernel's choice"


@pytest.fixture
def lab_module() -> Iterator[Any]:
    from tinypool_nb.lab import Lab
    from tinypool_nb.wire.module_pb2 import MessageRequest
    from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

    with Lab() as lab, ClientPool() as pool:
        module = lab.start(HTTP)
        pool.register(HTTP, module.address)
        yield pool, module, ModuleServiceStub(pool[HTTP]), MessageRequest
