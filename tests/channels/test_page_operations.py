"""The page's operations through the pool as a whole, where the tests of its parts could pass and the pool still fail."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tinypool_nb.channels.health import HealthChecks
from tinypool_nb.channels.opening import open_channel
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.channels.watched import numbers
from tinypool_nb.core.events import Outcome, Transition
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.errors import AmbiguousModuleError, OptionsError, PoolClosedError, UnknownModuleError
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import attempt_events, transition_events
from tinypool_nb.lab import Lab
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
QUICK = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.2))


def address(server: "EchoServer") -> str:
    return f"127.0.0.1:{server.port}"


def told_when(pool: ClientPool, is_so: Callable[[Transition], bool]) -> threading.Event:
    """Set once a transition is recorded of which `is_so` is true."""
    told = threading.Event()

    def tell(row: Transition) -> None:
        if is_so(row):
            told.set()

    pool._observer.add_watcher(tell)
    return told


class Calls:
    """A stub with a method of each kind."""

    def __init__(self, channel: grpc.Channel) -> None:
        some: Any = channel
        self.unary = some.unary_unary("/echo/Unary", _registered_method=True)
        self.waiting = some.unary_unary("/echo/Waiting", _registered_method=True)
        self.responses = some.unary_stream("/echo/Responses", _registered_method=True)
        self.requests = some.stream_unary("/echo/Requests", _registered_method=True)
        self.both = some.stream_stream("/echo/Both", _registered_method=True)

    def answers(self) -> list[bytes]:
        """An answer of each kind; each begins with the name of who gave it."""
        return [
            self.unary(b"12", timeout=5),
            b":".join([next(stream := self.responses(b"12", timeout=5)), b"".join(stream)]),
            self.requests(iter([b"1", b"2"]), timeout=5),
            b"".join(self.both(iter([b"12"]), timeout=5)),
        ]


@pytest.mark.parametrize("moves", [False, True], ids=["reconnect", "another address"])
def test_calls_of_all_kinds_are_answered_before_during_and_after_a_replacement(start_server: StartServer, moves: bool) -> None:
    first = start_server()
    second = start_server() if moves else first
    with ClientPool() as pool:
        pool.register(HTTP, address(first))
        stub = Calls(pool[HTTP])
        assert {answer[-3:] for answer in stub.answers()} == {b":12"}
        go_on = threading.Event()

        def requests() -> Iterator[bytes]:
            yield b"1"
            go_on.wait(10)
            yield b"2"

        future = stub.waiting.future(b"f", timeout=10)
        assert first.entered.acquire(timeout=5)
        halfway = stub.responses(b"12", timeout=10)
        assert next(halfway) == first.name
        collecting = stub.requests.future(requests(), timeout=10)
        conversation = stub.both(requests(), timeout=10)
        assert next(conversation) == first.name + b":1"

        closed = told_when(pool, lambda row: row.state is State.SHUTDOWN and row.channel.generation == 1)
        if moves:
            pool.register(HTTP, address(second))
        else:
            pool.reconnect(HTTP)
        assert stub.answers() == [second.name + b":12"] * 4
        assert not closed.is_set(), "calls are under way on it"
        go_on.set()
        first.gate.set()
        assert future.result(5) == first.name + b":f"
        assert list(halfway) == [b"1", b"2"]
        assert collecting.result(5) == first.name + b":12"
        assert list(conversation) == [first.name + b":2"]
        assert closed.wait(5), "the last call has ended, so it closes, long before `drain` is over"


def test_a_call_that_outlasts_drain_is_ended(start_server: StartServer) -> None:
    server = start_server()
    with ClientPool(PoolOptions(drain=0.2)) as pool:
        pool.register(HTTP, address(server))
        under_way = Calls(pool[HTTP]).waiting.future(b"", timeout=10)
        assert server.entered.acquire(timeout=5)
        pool.reconnect(HTTP)
        with pytest.raises(grpc.RpcError) as ended:
            under_way.result(5)
        assert ended.value.code() is grpc.StatusCode.CANCELLED
        assert Calls(pool[HTTP]).unary(b"1", timeout=5) == server.name + b":1"
        server.gate.set()


def test_get_never_comes_up_empty_and_no_call_fails_while_the_address_changes(start_server: StartServer) -> None:
    servers = [start_server(), start_server()]
    over = threading.Event()
    with ClientPool() as pool:
        pool.register(HTTP, address(servers[0]))

        def call_all_along() -> set[bytes]:
            names = set()
            stub = Calls(pool[HTTP])
            while not over.is_set():
                channel = pool.get(HTTP)
                assert channel is not None
                names |= {stub.unary(b"", timeout=5), Calls(channel).unary(b"", timeout=5)}
            return names

        with ThreadPoolExecutor(4) as threads:
            callers = [threads.submit(call_all_along) for _ in range(4)]
            try:
                for number in range(1, 41):
                    pool.register(HTTP, address(servers[number % 2]))
                    Calls(pool[HTTP]).unary(b"", timeout=5)
            finally:
                over.set()
            assert set().union(*(caller.result() for caller in callers)) == {server.name + b":" for server in servers}


def test_the_old_channel_serves_while_the_new_one_is_opened(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = start_server(), start_server()
    answers: list[bytes] = []
    with ClientPool(PoolOptions(drain=0.0)) as pool:
        pool.register(HTTP, address(first))
        stub = Calls(pool[HTTP])

        def open_and_look_back(target: str, number: int, options: PoolOptions, *, held: bool) -> grpc.Channel:
            answers.append(stub.unary(b"", timeout=5))
            channel = open_channel(target, number, options, held=held)
            answers.append(stub.unary(b"", timeout=5))
            return channel

        monkeypatch.setattr("tinypool_nb.channels.modules.open_channel", open_and_look_back)
        pool.register(HTTP, address(second))
        answers.append(stub.unary(b"", timeout=5))
    assert answers == [first.name + b":", first.name + b":", second.name + b":"]


def test_stubs_of_one_module_share_one_connection_and_modules_do_not(start_server: StartServer) -> None:
    server = start_server()
    with ClientPool() as pool:
        for name in (HTTP, "api-module-v1"):
            pool.register(name, address(server))

        def peer(name: str) -> bytes:
            call: Any = pool[name].unary_unary("/echo/Peer")
            answer: bytes = call(b"", timeout=5)
            return answer

        assert len({peer(HTTP) for _ in range(5)}) == 1
        assert peer(HTTP) != peer("api-module-v1")


@pytest.mark.parametrize("form", ["dns:///localhost:{}", "localhost:{}", "dns:127.0.0.1:{}", "ipv4:127.0.0.1:{}"])
def test_a_name_is_resolved_and_shown_as_it_was_registered(start_server: StartServer, form: str) -> None:
    server = start_server()
    with ClientPool() as pool:
        pool.register(HTTP, form.format(server.port))
        assert Calls(pool[HTTP]).unary(b"1", timeout=5) == server.name + b":1"
        pool.catch_up()
        (identity,) = {row.channel for row in transition_events(pool.journal.since(START).transitions)}
        assert identity.address == form.format(server.port)


def test_round_robin_uses_both_replicas_does_without_the_one_that_dies_and_takes_it_back() -> None:
    with Lab() as lab, ClientPool(PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.1))) as pool:
        module = lab.start("common-module-v1", replicas=2)
        pool.register(HTTP, module.address)
        stub = ModuleServiceStub(pool[HTTP])

        def replica() -> int:
            return int(json.loads(stub.Message(MessageRequest(), timeout=5).Data)["replica"])

        def until_both() -> None:
            assert any({replica(), replica()} == {0, 1} for _ in range(5_000))

        until_both()
        assert [replica() for _ in range(20)].count(0) == 10

        def survivor() -> int | None:
            try:
                return replica()
            except grpc.RpcError:  # it met the connection while that died
                return None

        module.replicas[0].kill()
        attempt_refused = f"ipv4:{module.replicas[0].address}"
        assert any([survivor() for _ in range(10)] == [1] * 10 for _ in range(100))
        assert pool.health() == {HTTP: State.READY}
        module.replicas[0].restart()
        until_both()
        pool.catch_up()
        failed = {attempt.peer for attempt in attempt_events(pool.journal.since(START).attempts) if attempt.outcome is Outcome.FAILED}
        assert failed <= {attempt_refused}


# Health checks


def test_periodic_checks_are_off_until_they_are_asked_for() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, NOBODY)
        assert not any(thread.name == "tinypool-health-checks" for thread in threading.enumerate())


def test_periodic_checks_come_again_and_again_and_warn_each_time(caplog: pytest.LogCaptureFixture) -> None:
    enough = threading.Event()

    class Third(logging.Handler):
        seen = 0

        def emit(self, _: logging.LogRecord) -> None:
            self.seen += 1
            if self.seen == 3:
                enough.set()

    third = Third(logging.WARNING)
    logging.getLogger("tinypool_nb.pool").addHandler(third)
    try:
        with ClientPool(QUICK, health_checks=0.02) as pool:
            pool.register(HTTP, NOBODY)
            assert enough.wait(5)
    finally:
        logging.getLogger("tinypool_nb.pool").removeHandler(third)
    said = [message for message in caplog.messages if message.startswith("connection not ready")]
    assert {message.rpartition(" is ")[0] for message in said} == {f"connection not ready: {HTTP}"}
    assert {message.rpartition(" ")[2] for message in said} <= {"IDLE", "CONNECTING", "TRANSIENT_FAILURE"}


def test_only_what_is_not_ready_is_warned_of(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start_server()
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, address(server))
        pool.register("dead", NOBODY)
        pool.wait(HTTP, "READY", timeout=5)
        assert list(pool.health_check()) == ["dead"]
        assert pool.health_check().keys() == {"dead"}
    assert not any(HTTP in message for message in caplog.messages)


def test_a_check_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    class Pool:
        def __init__(self) -> None:
            self.checked = 0
            self.twice = threading.Event()

        def health_check(self) -> None:
            self.checked += 1
            if self.checked == 1:
                raise OSError("broken on purpose")
            self.twice.set()

    pool = Pool()
    checks = HealthChecks(pool)
    checks.start(0.01)
    assert pool.twice.wait(5)
    checks.stop()
    assert "broken on purpose" in caplog.text


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), 1e20, True, "30", None])
def test_a_period_that_cannot_be_is_refused(every: Any) -> None:
    with ClientPool() as pool, pytest.raises(OptionsError, match=r"from 0\.01"):
        pool.start_health_checks(every=every)
    if every is not None:
        with pytest.raises(OptionsError, match=r"from 0\.01"):
            ClientPool(health_checks=every)


# The log and the attempts


def test_a_failure_is_logged_with_its_reason_and_recorded_with_its_attempt(caplog: pytest.LogCaptureFixture) -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, NOBODY)
        failures = count(1)
        third = told_when(pool, lambda row: row.state is State.TRANSIENT_FAILURE and next(failures) == 3)
        pool.health_check()
        assert third.wait(10)
        pool.catch_up()
        attempts = list(attempt_events(pool.journal.since(START).attempts))[:3]
    rows = [row for row in transition_events(pool.journal.since(START).transitions) if row.state is State.TRANSIENT_FAILURE][:3]
    # TRANSIENT_FAILURE after TRANSIENT_FAILURE is one more attempt.
    assert [row.previous for row in rows] == [State.CONNECTING, State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE]
    assert {(attempt.outcome, attempt.peer) for attempt in attempts} == {(Outcome.FAILED, f"ipv4:{NOBODY}")}
    assert all(attempt.start is not None and attempt.start <= attempt.end and "refused" in attempt.reason for attempt in attempts)
    logged = [record.__dict__["tinypool"] for record in caplog.records if record.name == "tinypool_nb.connections"]
    assert {(entry["module"], entry["address"], entry["generation"], entry["to"]) for entry in logged} == {
        (HTTP, NOBODY, 1, "TRANSIENT_FAILURE")
    }
    assert [entry["from"] for entry in logged[:2]] == ["CONNECTING", "TRANSIENT_FAILURE"]
    assert all("refused" in entry["reason"] and entry["evidence"] == "seen" for entry in logged)


# Names and ends


def test_every_verb_says_which_modules_a_bare_name_could_mean() -> None:
    with ClientPool() as pool:
        pool.register("amb", NOBODY, namespace="blue")
        pool.register("amb", NOBODY, namespace="green")
        for verb in (pool.get, pool.__getitem__, pool.reconnect, pool.unregister, pool.wait):
            with pytest.raises(AmbiguousModuleError, match=r"'amb' names 2 modules; say one of 'blue/amb', 'green/amb'"):
                verb("amb")
        with pytest.raises(AmbiguousModuleError):
            asyncio.run(pool.until("amb"))
        assert pool._ipython_key_completions_() == list(pool) == ["blue/amb", "green/amb"]
        assert pool.unregister("blue/amb")
        assert pool["amb"] is pool["green/amb"]


@pytest.mark.parametrize("name", ["nobody", "a/b/c", "", 7, None, b"x"])
def test_what_is_unknown_is_quiet_to_get_and_unregister_and_an_error_to_the_others(name: Any) -> None:
    with ClientPool() as pool:
        pool.register(HTTP, NOBODY)
        assert pool.get(name) is None
        assert pool.unregister(name) is False
        for verb in (pool.__getitem__, pool.reconnect, pool.wait):
            with pytest.raises(UnknownModuleError):
                verb(name)
        with pytest.raises(UnknownModuleError):
            asyncio.run(pool.until(name))


def test_a_coroutine_is_refused_after_close_too() -> None:
    pool = ClientPool()
    pool.register(HTTP, NOBODY)
    pool.close()
    with pytest.raises(PoolClosedError, match="until"):
        asyncio.run(pool.until(HTTP))


def open_channels_of_this_process() -> list[str]:
    """The targets of all channels of pools that gRPC core has not shut down."""
    from grpc._cython import cygrpc

    found, first, end = [], 0, False
    while not end:
        answer = json.loads(cygrpc.channelz_get_top_channels(first))
        for channel in answer.get("channel", ()):
            first = int(channel["ref"]["channelId"]) + 1
            if f"#tp{os.getpid()}-" in channel["data"]["target"] and channel["data"]["state"]["state"] != "SHUTDOWN":
                found.append(channel["data"]["target"])
        end = answer.get("end", not answer.get("channel"))
    return found


def test_a_close_in_the_midst_of_sixteen_threads_loses_no_channel_and_leaves_none_open(start_server: StartServer) -> None:
    server = start_server()
    names = [f"module-{index}" for index in range(8)]
    before = set(open_channels_of_this_process())
    first = next(numbers)
    pool = ClientPool(PoolOptions(drain=1.0))
    begun, over = threading.Barrier(17), threading.Event()

    def hammer(seed: int) -> int:
        begun.wait(10)
        for step in count():
            if over.is_set():
                break
            name = names[(seed * 7 + step) % len(names)]
            try:
                match (seed + step) % 4:
                    case 0 | 1:
                        pool.register(name, address(server) if step % 2 else NOBODY)
                    case 2:
                        pool.reconnect(name)
                    case 3:
                        assert pool.get(name) is None or isinstance(pool.unregister(name), bool)
            except UnknownModuleError:
                continue
            except PoolClosedError:
                return step
        return -1

    with ThreadPoolExecutor(16) as threads:
        runs = [threads.submit(hammer, seed) for seed in range(16)]
        begun.wait(10)
        over.wait(0.2)  # let them get at each other
        try:
            pool.close()
        except BaseException:
            over.set()  # else they would go on for ever, and keep this test from saying what went wrong
            raise
        assert sum(run.result() for run in runs) > 16
    rows = list(transition_events(pool.journal.since(START).transitions))
    channels = {row.channel for row in rows}
    assert sorted(channel.number for channel in channels) == list(range(first + 1, next(numbers))), "all that were opened, and many"
    assert len(channels) > 8
    assert sum(row.previous is None and row.state is State.IDLE for row in rows) == len(channels)
    assert sorted(row.channel for row in rows if row.state is State.SHUTDOWN) == sorted(channels)
    assert set(open_channels_of_this_process()) - before == set()
    assert (pool.health(), list(pool), len(pool)) == ({}, [], 0)
