"""Calls through a pool's channels, as the record has them: each one, once, with how long, how much and how it ended."""

import gc
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tinypool_nb.channels.calls import LONGEST_REASON, CallLog, Counted
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
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


def test_calls_of_one_stub_have_their_own_bytes_each(pool: ClientPool, server: "EchoServer") -> None:
    """Though the second takes the counters that the first has left."""
    call = open_(pool, "unary_unary", "Unary")
    for request in ("abc", "a", "abcdef"):
        call(request)
    assert [row.sent for row in recorded(pool)] == [3, 1, 6]
    assert len(call._free) == 1


@pytest.mark.parametrize(("kind", "name"), [("stream_unary", "Requests"), ("stream_stream", "Both")])
def test_the_counters_of_a_stream_of_requests_are_never_used_again(pool: ClientPool, server: "EchoServer", kind: str, name: str) -> None:
    """gRPC's thread may still serialize a request when the call has ended; it would count for the next one."""
    call = open_(pool, kind, name)
    answer = call(iter(["a", "bc"]))
    answer = answer if kind == "stream_unary" else list(answer)
    pool.catch_up()
    assert len(recorded(pool)) == 1
    assert not call._free


def test_a_module_that_is_unavailable_has_the_observer_look_at_once_but_not_for_each_call() -> None:
    hurries: list[bool] = []
    rows: list[Call] = []
    log = CallLog(rows.append, Journal().clock, lambda: hurries.append(True))
    counted = Counted(ChannelIdentity(1, ModuleKey(None, HTTP), "127.0.0.1:1", 1), 1)
    log.end(counted, "a/b", 1, Code.NOT_FOUND, "no such")
    assert not hurries
    for _ in range(100):
        log.end(counted, "a/b", 1, Code.UNAVAILABLE, "x" * 100_000)
    assert len(hurries) == 1
    assert {len(row.reason) for row in rows[1:]} == {LONGEST_REASON}


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
    """As on a bare channel: the record holds the call's state alone."""
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


def test_a_call_that_was_let_go_of_once_it_was_answered_is_recorded_as_answered(pool: ClientPool, server: "EchoServer") -> None:
    """`stub.future(request).result()` drops the call as soon as it returns, which may be before gRPC tells us of the end."""

    class Background:
        def __init__(self) -> None:
            self._state = SimpleNamespace(code=None, details=None)
            self.callbacks: list[Callable[[], None]] = []

        def add_callback(self, callback: Callable[[], None]) -> bool:
            self.callbacks.append(callback)
            return True

    call, log = Background(), pool._calls
    callbacks, state = call.callbacks, call._state
    log.follow(Counted(pool._modules.channels()[0].identity, 1), "a/b", 1, call, lambda _: None)
    state.code, state.details = grpc.StatusCode.OK, b""
    gone = weakref.ref(call)
    del call
    assert gone() is None, "nor does the record hold it"
    told = threading.Timer(0.05, callbacks[0])
    told.start()
    pool.catch_up()
    assert [row.code for row in recorded(pool)] == [Code.OK], "who asks waits for it"
    told.join()


def test_whatever_interrupts_a_caller_the_call_is_recorded(pool: ClientPool, server: "EchoServer") -> None:
    """Ctrl-C is one way; a service that ends at SIGTERM by `sys.exit`, a test that takes too long are others."""

    def interrupt(*_: object) -> None:
        raise next(interruptions)

    interruptions = iter((KeyboardInterrupt(), SystemExit(3), TimeoutError("too long")))
    waiting = pool[HTTP].unary_unary("/echo/Waiting")
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises((KeyboardInterrupt, SystemExit, TimeoutError)):
                waiting(b"", timeout=5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [(call.code, call.reason.rpartition(" ")[2]) for call in recorded(pool)] == [
        (Code.CANCELLED, "KeyboardInterrupt"),
        (Code.CANCELLED, "SystemExit"),
        (Code.CANCELLED, "TimeoutError"),
    ]


def test_an_interruption_before_a_call_began_is_that_interruption(
    pool: ClientPool, server: "EchoServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    call = pool[HTTP].unary_unary("/echo/Unary")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(call), "_counted", interrupt)
    with pytest.raises(KeyboardInterrupt):
        call(b"")
    assert recorded(pool) == []


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
