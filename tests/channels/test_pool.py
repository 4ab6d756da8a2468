"""The page's pool against real servers: every operation, its exact behaviour, and many hands at once."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tinypool_nb.channels import channelz, modules
from tinypool_nb.channels.observer import Watcher
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.errors import (
    AddressError,
    AmbiguousModuleError,
    ForkedPoolError,
    ModuleGoneError,
    ModuleNameError,
    OptionsError,
    PoolClosedError,
    UnknownModuleError,
    WaitTimeoutError,
)
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import mark_events, transition_events
from tinypool_nb.lab import Lab, Module
from tinypool_nb.wire.module_pb2 import MessageRequest, MessageResponse
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def module(lab: Lab) -> Module:
    return lab.start(HTTP)


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool(PoolOptions(backoff=Backoff(initial=0.2, maximum=0.5))) as pool:
        yield pool


def transitions(pool: ClientPool) -> list[Transition]:
    pool.catch_up()
    return list(transition_events(pool.journal.since(START).transitions))


def call(pool: ClientPool, name: str = HTTP) -> bytes:
    data: bytes = ModuleServiceStub(pool[name]).Message(MessageRequest(ID="1"), timeout=5).Data
    return data


# Register, get, unregister


def test_a_registered_module_is_idle_until_it_is_called(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    assert pool.health() == {HTTP: State.IDLE}
    assert repr(pool) == f"<ClientPool 1 module: {HTTP}: IDLE>"
    assert call(pool)
    assert pool.health() == {HTTP: State.READY}


def test_one_channel_is_shared_by_all_who_get_it(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    assert pool.get(HTTP) is pool[HTTP] is pool.get(ModuleKey(None, HTTP))
    assert HTTP in pool
    assert list(pool) == [HTTP]
    assert len(pool) == 1


def test_the_same_address_again_changes_nothing(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    call(pool)
    before = transitions(pool)
    pool.register(HTTP, module.address)
    assert transitions(pool) == before
    assert pool.health() == {HTTP: State.READY}


def test_another_address_takes_a_new_channel_and_the_stub_goes_on(pool: ClientPool, lab: Lab) -> None:
    moving = lab.start("moving")
    pool.register(HTTP, moving.address)
    stub = ModuleServiceStub(pool[HTTP])
    before = stub.Message(MessageRequest(ID="1"), timeout=5).Data
    pool.register(HTTP, moving.move())
    after = stub.Message(MessageRequest(ID="2"), timeout=5).Data
    assert before != after
    pool.close()
    states = [(row.channel.generation, row.state) for row in transitions(pool)]
    # The new channel stands before the old one is retired.
    assert states.index((2, State.IDLE)) < states.index((1, State.SHUTDOWN))


def test_other_options_are_a_change(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    pool.register(HTTP, module.address, options=PoolOptions(load_balancing="round_robin"))
    call(pool)
    assert {row.channel.generation for row in transitions(pool)} == {1, 2}


def test_what_is_unregistered_is_gone(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    stub = ModuleServiceStub(pool[HTTP])
    call(pool)
    assert pool.unregister(HTTP)
    assert not pool.unregister(HTTP)
    assert pool.get(HTTP) is None
    assert pool.health() == {}
    with pytest.raises(ModuleGoneError, match="unregistered"):
        stub.Message(MessageRequest(), timeout=5)
    with pytest.raises(UnknownModuleError, match=HTTP):
        pool[HTTP]


def test_what_comes_back_goes_on_counting_generations(pool: ClientPool, module: Module) -> None:
    for generation in (1, 2, 3):
        pool.register(HTTP, module.address)
        assert f"generation {generation}" in repr(pool.get(HTTP))
        pool.unregister(HTTP)
        assert {row.channel.generation for row in transitions(pool)} == set(range(1, 1 + generation))


def test_equal_names_in_two_namespaces_are_two_modules(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address, namespace="blue")
    assert pool.get(HTTP) is pool.get(f"blue/{HTTP}")
    pool.register(HTTP, module.address, namespace="green")
    assert list(pool.health()) == [f"blue/{HTTP}", f"green/{HTTP}"]
    with pytest.raises(AmbiguousModuleError, match="green"):
        pool.get(HTTP)


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:99999", "::1:50051", "a b:1", "nats://x", "x" * 10_000, 7, None])
def test_a_bad_address_is_refused_before_anything_is_opened(pool: ClientPool, address: str) -> None:
    with pytest.raises(AddressError):
        pool.register(HTTP, address)
    assert transitions(pool) == []
    assert len(pool) == 0


def test_a_bad_name_or_option_is_refused_at_the_door(pool: ClientPool, module: Module) -> None:
    with pytest.raises(ModuleNameError):
        pool.register("", module.address)
    with pytest.raises(OptionsError, match="PoolOptions"):
        pool.register(HTTP, module.address, options={"drain": 3})  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="PoolOptions"):
        ClientPool({"drain": 3})  # type: ignore[arg-type]


# Health


def test_a_health_check_warns_and_asks_to_connect(pool: ClientPool, module: Module, caplog: pytest.LogCaptureFixture) -> None:
    pool.register(HTTP, module.address)
    with caplog.at_level(logging.WARNING, "tinypool_nb.pool"):
        assert pool.health_check() == {HTTP: State.IDLE}
    assert caplog.messages == [f"connection not ready: {HTTP} is IDLE"]
    assert caplog.records[0].__dict__["tinypool"] == {"module": HTTP, "state": "IDLE"}
    pool.wait(HTTP, "READY", timeout=5)
    assert pool.health_check() == {}


def test_periodic_checks_connect_and_stop_with_the_pool(module: Module) -> None:
    with ClientPool(health_checks=0.05) as pool:
        pool.register(HTTP, module.address)
        pool.wait(HTTP, "READY", timeout=5)
        pool.stop_health_checks()
        pool.start_health_checks(every=60)
        assert sum(thread.name == "tinypool-health-checks" for thread in threading.enumerate()) == 1
    assert not any(thread.name == "tinypool-health-checks" for thread in threading.enumerate())
    with pytest.raises(PoolClosedError, match="start_health_checks"):
        pool.start_health_checks()


def test_connection_events_are_logged_with_fields(pool: ClientPool, module: Module, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tinypool_nb.connections"):
        pool.register(HTTP, module.address)
        call(pool)
        pool.close()  # hands on what is left
    fields = [record.__dict__["tinypool"] for record in caplog.records if record.name == "tinypool_nb.connections"]
    assert [(entry["from"], entry["to"]) for entry in fields] == [
        ("unknown", "IDLE"),
        ("IDLE", "CONNECTING"),
        ("CONNECTING", "READY"),
        ("READY", "SHUTDOWN"),
    ]
    assert {(entry["module"], entry["address"]) for entry in fields} == {(HTTP, module.address)}


def test_debug_lists_the_connections(pool: ClientPool, module: Module, caplog: pytest.LogCaptureFixture) -> None:
    pool.register(HTTP, module.address)
    with caplog.at_level(logging.INFO, "tinypool_nb.pool"):
        pool.debug()
    assert caplog.messages[-1] == f"pool connection: {HTTP} at dns:///{module.address} is IDLE"
    fields = caplog.records[-1].__dict__["tinypool"]
    assert fields == {"module": HTTP, "target": f"dns:///{module.address}", "state": "IDLE"}


# Waiting and reconnecting


def test_waiting_in_vain_says_why(pool: ClientPool) -> None:
    pool.register(HTTP, "127.0.0.1:1")
    with pytest.raises(WaitTimeoutError, match="refused") as caught:
        pool.wait(HTTP, "READY", timeout=0.5)
    assert caught.value.state == "TRANSIENT_FAILURE"
    with pytest.raises(WaitTimeoutError, match="refused"):  # the failure was before this wait
        pool.wait(HTTP, "IDLE", timeout=0.01)


def test_waiting_for_what_is_unregistered_meanwhile_ends(pool: ClientPool) -> None:
    pool.register(HTTP, "127.0.0.1:1")
    timer = threading.Timer(0.1, pool.unregister, [HTTP])
    timer.start()
    with pytest.raises(UnknownModuleError):
        pool.wait(HTTP, "READY", timeout=10)
    timer.join()


def test_waiting_goes_on_through_a_reconnection(pool: ClientPool, lab: Lab) -> None:
    late = lab.start("late")
    late.kill()
    pool.register(HTTP, late.address)
    pool.health_check()

    def come_back() -> None:
        pool.reconnect(HTTP)
        late.restart()

    timer = threading.Timer(0.2, come_back)
    timer.start()
    pool.wait(HTTP, "READY", timeout=10)
    timer.join()


def test_what_a_replaced_channel_still_does_ends_no_wait(pool: ClientPool, lab: Lab) -> None:
    left = lab.start("left")
    left.kill()
    pool.register(HTTP, left.address)
    under_way = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(), wait_for_ready=True, timeout=10)
    pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5)
    pool.register(HTTP, "127.0.0.1:1")
    timer = threading.Timer(0.1, left.restart)
    timer.start()
    with pytest.raises(WaitTimeoutError):
        pool.wait(HTTP, "READY", timeout=2)
    timer.join()
    assert under_way.result().Data  # the old channel did become READY


def test_waiting_asks_the_channel_of_a_new_address_to_connect_too(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, "127.0.0.1:1")
    timer = threading.Timer(0.2, pool.register, [HTTP, module.address])
    timer.start()
    pool.wait(HTTP, "READY", timeout=5)
    timer.join()


def test_what_goes_right_before_the_watch_stands_ends_the_wait(pool: ClientPool, module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.register(HTTP, module.address)
    add = pool._observer.add_watcher

    pool.catch_up()

    def too_late(watcher: Watcher) -> None:
        pool.unregister(HTTP)
        while pool._observer._watched:
            pool.catch_up()
        add(watcher)

    monkeypatch.setattr(pool._observer, "add_watcher", too_late)
    with pytest.raises(UnknownModuleError):
        pool.wait(HTTP, "READY")  # without a timeout


def test_waiting_ends_with_the_pool(pool: ClientPool) -> None:
    pool.register(HTTP, "127.0.0.1:1")
    timer = threading.Timer(0.1, pool.close)
    timer.start()
    with pytest.raises(PoolClosedError):
        pool.wait(HTTP, "READY")
    timer.join()


def test_until_waits_in_a_coroutine(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    asyncio.run(pool.until(HTTP, "READY", timeout=5))
    pool.register(HTTP, "127.0.0.1:1")
    with pytest.raises(WaitTimeoutError):
        asyncio.run(pool.until(HTTP, "READY", timeout=0.1))


def test_reconnect_waits_for_no_backoff(lab: Lab) -> None:
    slow = PoolOptions(backoff=Backoff(initial=60, maximum=120))
    with ClientPool(slow) as pool:
        server = lab.start("slow")
        server.kill()
        pool.register(HTTP, server.address)
        pool.health_check()
        pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5)
        server.restart()
        pool.reconnect(HTTP)
        pool.wait(HTTP, "READY", timeout=5)  # gRPC by itself would try again after a minute
        assert [row.channel.generation for row in transitions(pool) if row.state is State.READY] == [2]


def test_unknown_names_are_answered_with_near_ones(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    for verb in (pool.reconnect, pool.wait, pool.__getitem__):
        with pytest.raises(UnknownModuleError, match=f"did you mean '{HTTP}'"):
            verb("http-module-v2")
    with pytest.raises(OptionsError, match="READY"):
        pool.wait(HTTP, "ready?")


# Marks, closing, forks


def test_each_action_of_a_person_is_a_mark(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    pool.register(HTTP, module.address)  # changes nothing, so it is none
    pool.reconnect(HTTP)
    pool.register(HTTP, "127.0.0.1:1")
    pool.unregister(HTTP)
    marks = list(mark_events(pool.journal.since(START).marks))
    assert [mark.text for mark in marks] == [
        f"register {module.address}",
        "reconnect",
        f"register: address changed from {module.address} to 127.0.0.1:1",
        "unregister",
    ]
    assert all(mark.kind is MarkKind.ACTION and mark.key == ModuleKey(None, HTTP) for mark in marks)


def test_a_closed_pool_refuses_and_remembers(module: Module) -> None:
    pool = ClientPool()
    pool.register(HTTP, module.address)
    call(pool)
    pool.close()
    pool.close()
    assert pool.get(HTTP) is None
    assert pool.health() == {}
    assert repr(pool) == "<ClientPool closed>"
    assert [row.state for row in transitions(pool)][-1] is State.SHUTDOWN
    assert not pool.unregister(HTTP)
    with pytest.raises(PoolClosedError):
        pool.register(HTTP, module.address)
    for verb in (pool.reconnect, pool.wait):
        with pytest.raises(PoolClosedError):
            verb(HTTP)
    with pytest.raises(PoolClosedError):
        pool.health_check()


def test_closing_may_wait_for_calls_under_way(module: Module) -> None:
    pool = ClientPool()
    pool.register(HTTP, module.address)
    answer = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 0.3}'), timeout=5)
    pool.wait(HTTP, "READY", timeout=5)
    pool.close(drain=5)
    assert answer.result().Data


def test_calls_under_way_end_well_through_reconnect_move_and_unregister(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    stub = ModuleServiceStub(pool[HTTP])

    def begin() -> "grpc.Future[MessageResponse]":
        call_under_way = stub.Message.future(MessageRequest(Payload=b'{"delay": 0.3}'), timeout=5)
        pool.wait(HTTP, "READY", timeout=5)
        return call_under_way

    answers = [begin()]
    pool.reconnect(HTTP)
    answers.append(begin())
    pool.register(HTTP, "127.0.0.1:1")
    pool.register(HTTP, module.address)
    answers.append(begin())
    pool.unregister(HTTP)
    assert all(answer.result().Data for answer in answers)


def test_a_pool_that_nobody_holds_ends_itself(module: Module) -> None:
    before = set(threading.enumerate())
    pool = ClientPool(health_checks=60)
    pool.register(HTTP, module.address)
    call(pool)
    threads = set(threading.enumerate()) - before
    assert {thread.name for thread in threads} == {"tinypool-observer", "tinypool-follower", "tinypool-health-checks"}
    gc.disable()  # no cycle may keep it
    try:
        del pool
        for thread in threads:
            thread.join(5)
    finally:
        gc.enable()
    assert not any(thread.is_alive() for thread in threads)


def test_a_channel_of_a_forgotten_pool_says_so(module: Module) -> None:
    pool = ClientPool()
    pool.register(HTTP, module.address)
    stub, observer = ModuleServiceStub(pool[HTTP]), pool._observer
    del pool
    observer._thread.join(5)
    with pytest.raises(ModuleGoneError, match="forgotten"):  # to prepare a call on the closed channel would end the process
        stub.Message(MessageRequest(), timeout=5)


def test_an_interrupted_register_can_be_done_again(pool: ClientPool, module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(modules, "open_channel", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.register(HTTP, module.address)
    pool.register(HTTP, module.address)
    assert call(pool)


def test_checks_that_begin_during_close_end_by_themselves(pool: ClientPool, caplog: pytest.LogCaptureFixture) -> None:
    pool.close()
    pool._checks.start(0.01)  # as by a thread that was let in before the close
    thread = pool._checks._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()
    assert caplog.messages == []


def test_a_fork_is_told_to_make_its_own(pool: ClientPool, module: Module) -> None:
    pool.register(HTTP, module.address)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        signal.alarm(10)
        said = b""
        for act in (
            lambda: pool.register("x", "127.0.0.1:1"),
            lambda: pool.reconnect(HTTP),
            pool.health_check,
            pool.health,
            pool.catch_up,
            lambda: pool.unregister(HTTP),
        ):
            try:
                act()
            except ForkedPoolError:
                said += b"."
        pool.close()
        os.write(writing, said)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"......"
    os.close(reading)
    assert call(pool)


def test_a_fork_can_make_its_own_whatever_other_threads_were_doing(module: Module) -> None:
    reading, writing = os.pipe()
    with channelz.directory._lock:  # as another pool's observer may
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            signal.alarm(10)
            with ClientPool() as pool:
                pool.register(HTTP, module.address)
                os.write(writing, b"." * len(transitions(pool)))
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"."
    os.close(reading)


# Many hands


def test_sixteen_threads_lose_no_channel_and_leak_none(lab: Lab, module: Module) -> None:
    names = [f"module-{index}" for index in range(8)]
    rounds = 60
    with ClientPool(PoolOptions(keepalive=Keepalive(time=10), drain=1.0)) as pool:

        def hammer(seed: int) -> None:
            for step in range(rounds):
                name = names[(seed * 7 + step) % len(names)]
                match (seed + step) % 5:
                    case 0 | 1:
                        pool.register(name, module.address if step % 2 else "127.0.0.1:1")
                    case 2:
                        pool.unregister(name)
                    case 3:
                        with contextlib.suppress(UnknownModuleError):
                            pool.reconnect(name)
                    case 4:
                        assert pool.get(name) is None or pool.health()

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(hammer, range(16)))
        for name in names:
            pool.register(name, module.address)
            call(pool, name)
    rows = transitions(pool)
    channels = {row.channel for row in rows}
    # Each channel that was ever opened has exactly one beginning and one end, and generations are without a hole.
    assert sum(row.previous is None and row.state is State.IDLE for row in rows) == len(channels)
    assert sorted(row.channel for row in rows if row.state is State.SHUTDOWN) == sorted(channels)
    for name in names:
        generations = sorted(channel.generation for channel in channels if channel.key.name == name)
        assert generations == list(range(1, len(generations) + 1))
