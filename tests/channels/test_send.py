"""`pool.send` against a real module: both wire forms, and each status as the error that says what to do."""

import asyncio
import gc
import json
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from tests.ports import bound
from tinypool_nb import errors
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.errors import (
    CallCancelledError,
    MessageTooLargeError,
    ModuleFailedError,
    NotReadyError,
    OptionsError,
    PoolClosedError,
    SendError,
    SendTimeoutError,
    UnavailableError,
    UnknownModuleError,
    WireFormError,
)
from tinypool_nb.journal.kinds import call_events
from tinypool_nb.lab import Lab, Module
from tinypool_nb.wire import module_pb2, module_pb2_grpc

HTTP = "http-module-v1"
QUICK = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.2))
Send = Callable[..., bytes]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def module(lab: Lab) -> Module:
    if HTTP not in lab:
        lab.start(HTTP)
    lab[HTTP].restart()
    return lab[HTTP]


@pytest.fixture
def pool(module: Module) -> Iterator[ClientPool]:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, module.address)
        yield pool


@pytest.fixture(params=["send", "send_async"])
def send(request: pytest.FixtureRequest, pool: ClientPool) -> Send:
    """Both twins, called alike."""
    if request.param == "send":
        return pool.send
    return lambda *what, **how: asyncio.run(pool.send_async(*what, **how))


def wish(**asked: object) -> bytes:
    return json.dumps(asked).encode()


@pytest.mark.parametrize("wire", ["message", "send"])
def test_both_forms_of_the_wire_carry_the_message(send: Send, wire: str) -> None:
    answer = json.loads(send(HTTP, to="node.port", payload=b"hello", wire=wire, sender="me", depth=3))
    assert (answer["wire"], answer["to"], answer["from"], answer["payload"], answer["depth"]) == (wire, "node.port", "me", "hello", "3")


def test_the_edge_goes_along_and_text_is_utf8(send: Send) -> None:
    answer = json.loads(send(HTTP, payload="grüße ☃", edge="edge-7"))
    assert (answer["edge"], answer["payload"], answer["depth"]) == ("edge-7", "grüße ☃", None)


KINDS = {
    Code.CANCELLED: errors.CallCancelledError,
    Code.UNKNOWN: errors.ModuleFailedError,
    Code.INVALID_ARGUMENT: errors.MessageRefusedError,
    Code.DEADLINE_EXCEEDED: errors.SendTimeoutError,
    Code.NOT_FOUND: errors.MessageRefusedError,
    Code.ALREADY_EXISTS: errors.MessageRefusedError,
    Code.PERMISSION_DENIED: errors.AccessError,
    Code.RESOURCE_EXHAUSTED: errors.ModuleBusyError,
    Code.FAILED_PRECONDITION: errors.MessageRefusedError,
    Code.ABORTED: errors.ModuleFailedError,
    Code.OUT_OF_RANGE: errors.MessageRefusedError,
    Code.UNIMPLEMENTED: errors.WireFormError,
    Code.INTERNAL: errors.ModuleFailedError,
    Code.UNAVAILABLE: errors.UnavailableError,
    Code.DATA_LOSS: errors.ModuleFailedError,
    Code.UNAUTHENTICATED: errors.AccessError,
}


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_each_status_is_an_error_that_carries_what_was_known(send: Send, pool: ClientPool, module: Module, code: Code) -> None:
    with pytest.raises(SendError) as caught:
        send(HTTP, payload=wish(status=code, details="the module's <own> words"))
    error = caught.value
    assert type(error) is KINDS[code]
    assert (error.module, error.address, error.state, error.code) == (HTTP, module.address, "READY", code)
    assert error.reason == "the module's <own> words"
    for told in (HTTP, module.address, code, "the module's <own> words"):
        assert told in str(error)
    assert isinstance(error.__cause__, grpc.RpcError)
    (call,) = call_events(pool.journal.since().calls)
    assert (call.code, call.reason) == (code, "the module's <own> words")


def test_a_module_that_is_down_is_unavailable_and_then_not_ready(send: Send, pool: ClientPool, module: Module) -> None:
    send(HTTP)
    module.kill()
    pool.wait(HTTP, State.IDLE, timeout=5)
    with pytest.raises(UnavailableError, match="Connection refused") as caught:
        send(HTTP)
    assert caught.value.state in {State.TRANSIENT_FAILURE, State.CONNECTING}
    assert isinstance(caught.value, ConnectionError)
    pool.wait(HTTP, State.TRANSIENT_FAILURE, timeout=5)
    pool.register("nobody", "127.0.0.1:1")
    pool.health_check()
    pool.wait("nobody", State.TRANSIENT_FAILURE, timeout=5)
    sent = len(pool.journal.since().calls)
    with pytest.raises(NotReadyError, match=r"nothing was sent; it last failed with: .*Connection refused.*wait_for_ready=True") as refused:
        send("nobody")
    assert (refused.value.state, refused.value.code) == ("TRANSIENT_FAILURE", "")
    assert "Connection refused" in refused.value.last_failure
    assert len(pool.journal.since().calls) == sent


def test_an_error_tells_the_last_failure_also_where_the_observer_has_not_read_it_yet(
    send: Send, pool: ClientPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool._observer, "_sweep", lambda _now: None)
    pool.register("nobody", "127.0.0.1:1")
    watched = pool._modules.channel(ModuleKey(None, "nobody"))
    assert watched is not None
    deadline = time.monotonic() + 5
    while watched.look(connect=True) is not State.TRANSIENT_FAILURE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(NotReadyError) as caught:
        send("nobody")
    assert "refused" in caught.value.last_failure


def test_wait_for_ready_waits_until_the_module_is_back(send: Send, pool: ClientPool, module: Module) -> None:
    send(HTTP)
    module.kill()
    pool.wait(HTTP, State.IDLE, timeout=5)
    pool.health_check()
    pool.wait(HTTP, State.TRANSIENT_FAILURE, timeout=5)
    back = threading.Thread(target=module.restart)
    back.start()
    assert json.loads(send(HTTP, payload=b"x", wait_for_ready=True, timeout=15))["payload"] == "x"
    back.join()


def test_wait_for_ready_ends_at_the_deadline(send: Send, pool: ClientPool) -> None:
    pool.register("nobody", "127.0.0.1:1")
    with pytest.raises(SendTimeoutError, match=r"within 0\.3 s.*its connection is (TRANSIENT_FAILURE|CONNECTING)") as caught:
        send("nobody", wait_for_ready=True, timeout=0.3)
    assert isinstance(caught.value, TimeoutError)


def test_a_slow_module_times_out_and_is_logged(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(SendTimeoutError, match="give it longer"):
        send(HTTP, payload=wish(delay=5), timeout=0.2)
    (row,) = caplog.records
    assert "request timed out" in row.message
    assert row.__dict__["tinypool"]["code"] == "DEADLINE_EXCEEDED"


def test_what_a_module_says_adds_no_line_to_the_log(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(UnavailableError) as caught:
        send(HTTP, payload=wish(status="UNAVAILABLE", details="gone\n2026-01-01 CRITICAL all is lost\x1b[31m"))
    (row,) = caplog.records
    assert row.message.isprintable()
    assert row.__dict__["tinypool"]["reason"].startswith("gone 2026-01-01")
    assert caught.value.reason.startswith("gone\n"), "the error itself has it as it came"


@pytest.mark.parametrize("payload", [b"x" * 5_000_000, wish(bytes=5_000_000)], ids=["request", "answer"])
def test_a_message_over_the_limit_is_too_large_and_the_connection_stays_sound(send: Send, pool: ClientPool, payload: bytes) -> None:
    with pytest.raises(MessageTooLargeError, match="the connection is sound"):
        send(HTTP, payload=payload)
    assert pool.health()[HTTP] is State.READY
    send(HTTP)


def test_an_error_in_the_answer_of_the_docs_form_is_the_modules_failure(send: Send) -> None:
    with pytest.raises(ModuleFailedError, match="answered with an error: no such node") as caught:
        send(HTTP, payload=wish(error="no such node"), wire="send")
    assert (caught.value.code, caught.value.reason) == ("OK", "no such node")


class OnlySend(module_pb2_grpc.ModuleServiceServicer):
    def Send(self, _request: module_pb2.Message, _context: grpc.ServicerContext) -> module_pb2.Response:  # noqa: N802
        return module_pb2.Response(data=b"only this")


def test_a_module_that_serves_the_other_form_only_says_which(pool: ClientPool) -> None:
    threads = ThreadPoolExecutor(2)
    server = grpc.server(threads)
    module_pb2_grpc.add_ModuleServiceServicer_to_server(OnlySend(), server)
    port = bound(server)
    server.start()
    try:
        pool.register("docs-form", f"127.0.0.1:{port}")
        with pytest.raises(WireFormError, match=r"does not serve wire='message'.*try the other form: wire='send'"):
            pool.send("docs-form")
        assert pool.send("docs-form", wire="send") == b"only this"
    finally:
        server.stop(None).wait()
        threads.shutdown()


def test_a_call_that_the_pool_gives_up_is_cancelled(lab: Lab, module: Module) -> None:
    pool = ClientPool()
    pool.register(HTTP, module.address)
    pool.wait(HTTP, timeout=5)
    failed: list[Exception] = []

    def call() -> None:
        try:
            pool.send(HTTP, payload=wish(delay=20), timeout=30)
        except SendError as error:
            failed.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    started = threading.Event()

    def look() -> bool:
        node = pool._modules.channels()[0]
        pool.catch_up()
        return not node.is_drained

    while not look():  # core tells nobody that a call has begun
        assert not started.wait(0.01)
    pool.close()
    caller.join(10)
    assert [type(error) for error in failed] == [CallCancelledError]
    assert "register it again" in str(failed[0]), "to send again would be no use"


def test_what_is_kept_for_sending_goes_with_the_module(send: Send, pool: ClientPool, module: Module) -> None:
    """A pool that modules come to and go from for weeks keeps none of their channels."""
    pool.register("passing", module.address)
    send("passing")
    face = weakref.ref(pool["passing"])
    pool.unregister("passing")
    deadline = time.monotonic() + 5
    while face() is not None:  # the observer holds it until the channel is closed
        assert time.monotonic() < deadline
        time.sleep(0.01)
        gc.collect()


def test_a_coroutine_that_is_cancelled_gives_the_call_up(pool: ClientPool) -> None:
    told = threading.Event()
    pool.follower.add(lambda batch: told.set() if len(batch.calls) else None)

    async def give_up() -> None:
        await pool.until(HTTP, timeout=5)
        task = asyncio.create_task(pool.send_async(HTTP, payload=wish(delay=20), timeout=30))
        await asyncio.sleep(0)  # now it has begun
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert told.wait(5)
    assert [call.code for call in call_events(pool.journal.since().calls)] == [Code.CANCELLED]


def test_a_thousand_coroutines_send_at_once_without_a_thread_each(pool: ClientPool) -> None:
    before = threading.active_count()

    async def send_all() -> tuple[list[bytes], int]:
        sending = asyncio.gather(*(pool.send_async(HTTP, payload=b"x", timeout=60, wait_for_ready=True) for _ in range(1000)))
        await asyncio.sleep(0)
        return await sending, threading.active_count()

    answers, threads = asyncio.run(send_all())
    assert len(answers) == 1000
    assert threads - before < 10
    assert len(pool.journal.since().calls) == 1000


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"payload": {"a": 1}}, "payload=.*bytes, or a str"),
        ({"payload": None}, "payload=None"),
        ({"to": 7}, "to=7"),
        ({"wire": ["send"]}, "wire=.*one of message, send"),
        ({"wire": "grpc"}, "wire='grpc' was refused: one of message, send"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": True}, "timeout=True"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"depth": -1}, "depth=-1"),
        ({"edge": "edge-7", "wire": "send"}, 'edge=.edge-7. was refused: left out with wire="send"'),
        ({"to": "a.\udce9"}, "to=.*UTF-8"),
        ({"payload": "\udce9"}, "payload=.*UTF-8"),
    ],
)
def test_a_bad_argument_is_refused_at_the_door(send: Send, pool: ClientPool, how: dict[str, Any], rule: str) -> None:
    with pytest.raises(OptionsError, match=rule):
        send(HTTP, **how)
    assert len(pool.journal.since().calls) == 0


def test_whom_nobody_knows_nothing_is_sent(send: Send, pool: ClientPool) -> None:
    with pytest.raises(UnknownModuleError, match="did you mean 'http-module-v1'"):
        send("http-module-v2")
    pool.close()
    with pytest.raises(PoolClosedError, match="send"):
        send(HTTP)
    assert pool._operations.read()["send", "error"] == 2
    assert pool._operations.read()["send", "ok"] == 0
