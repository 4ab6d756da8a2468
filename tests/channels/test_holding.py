"""A held module connects only when it is asked to, once an address, whatever else happens to it."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from tinypool_nb.channels.holding import Hold
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import Outcome
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.phases import PhaseName
from tinypool_nb.core.states import State
from tinypool_nb.errors import HeldError, NotHeldError, PoolClosedError, UnknownModuleError
from tinypool_nb.lab import Lab, Module

HTTP = "http-module-v1"
QUICK = PoolOptions(backoff=Backoff(initial=0.2, maximum=0.4, min_connect_timeout=0.5))
LONG_ENOUGH = 1.0
"""Seconds in which a normal channel of these options makes at least two attempts more: to see nothing, one has to wait."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.start(HTTP)
        yield lab


@pytest.fixture
def module(lab: Lab) -> Module:
    lab[HTTP].restart()
    return lab[HTTP]


@pytest.fixture
def pool(module: Module) -> Iterator[ClientPool]:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, module.address)
        yield pool


def attempts(pool: ClientPool) -> int:
    pool.catch_up()
    return len(pool.journal.since().attempts)


def texts(pool: ClientPool) -> list[str]:
    return list(pool.journal.since().marks.values("text"))


def call(pool: ClientPool, **settings: object) -> object:
    return pool[HTTP].unary_unary("/module.ModuleService/Message")(b"", timeout=5, **settings)  # type: ignore[arg-type]


def lose(pool: ClientPool, module: Module) -> None:
    module.kill()
    pool.wait(HTTP, State.IDLE, timeout=5)


def test_nothing_makes_it_connect_but_an_attempt(pool: ClientPool) -> None:
    hold = pool.hold(HTTP)
    states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
    pool[HTTP].subscribe(states.put, try_to_connect=True)
    for waits in (False, True):
        with pytest.raises(HeldError, match="is IDLE"):
            call(pool, wait_for_ready=waits)
        with pytest.raises(HeldError, match=r"hold\.attempt\(\)"):
            pool.send(HTTP, wait_for_ready=waits)
    assert pool.health_check() == {HTTP: State.IDLE}
    with pytest.raises(TimeoutError):
        pool.wait(HTTP, timeout=0.3)
    assert states.get(timeout=5) is grpc.ChannelConnectivity.IDLE
    assert (attempts(pool), states.empty()) == (0, True)
    assert hold.attempt().outcome is Outcome.READY
    assert attempts(pool) == 1
    call(pool)


def test_one_attempt_at_a_time_with_its_phases_and_where_the_next_would_have_been(pool: ClientPool, module: Module) -> None:
    module.kill()
    hold = pool.hold(HTTP)
    for number in (1, 2):
        report = hold.attempt()
        assert [phase.name for phase in report.phases] == [PhaseName.RESOLVING, PhaseName.CONNECTING, PhaseName.FAILED]
        assert (report.attempt, report.outcome) == (number, Outcome.FAILED)
        assert "Connection refused" in report.reason
        assert report.next is not None
        wait = 0.2 * 1.6 ** (number - 1) * 1e9
        dialled = report.phases[1].start
        assert [at - dialled for at in report.next] == pytest.approx([0.8 * wait, 1.2 * wait], abs=1)
    time.sleep(LONG_ENOUGH)
    assert attempts(pool) == 2
    with pytest.raises(HeldError, match="Connection refused"):
        call(pool)
    with pytest.raises(HeldError):
        pool.send(HTTP)
    module.restart()
    time.sleep(LONG_ENOUGH)
    assert attempts(pool) == 2
    assert hold.attempt().phases[-1].name is PhaseName.READY
    assert [report.attempt for report in hold.reports] == [1, 2, 3]
    assert texts(pool).count("hold: attempt") == 3


def test_a_connection_that_is_lost_stays_lost(pool: ClientPool, module: Module) -> None:
    with pool.hold(HTTP) as hold:
        hold.attempt()
        lose(pool, module)
        with pytest.raises(HeldError, match="is IDLE"):
            call(pool)
        assert attempts(pool) == 1


def test_each_address_is_attempted_once(module: Module, unused_port: int) -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, f"ipv4:127.0.0.1:{unused_port},127.0.0.2:{unused_port}")
        report = pool.hold(HTTP).attempt()
        assert set(report.peers) == {f"ipv4:127.0.0.1:{unused_port}", f"ipv4:127.0.0.2:{unused_port}"}
        time.sleep(LONG_ENOUGH)
        assert attempts(pool) == 2


def test_round_robin_is_held_too(module: Module) -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, module.address, options=PoolOptions(load_balancing="round_robin", backoff=QUICK.backoff))
        with pool.hold(HTTP) as hold:
            hold.attempt()
            lose(pool, module)
            time.sleep(LONG_ENOUGH)
            assert attempts(pool) == 1
        pool.wait(HTTP, State.TRANSIENT_FAILURE, timeout=5)  # released, it tries by itself


def test_a_name_that_does_not_resolve_is_not_asked_for_again() -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, "no-such-module.invalid:50051")
        report = pool.hold(HTTP).attempt()
        assert [phase.name for phase in report.phases] == [PhaseName.RESOLVING, PhaseName.FAILED]
        time.sleep(1.5)  # the resolver would ask again after 0.8 to 1.2 s
        assert attempts(pool) == 1
        assert texts(pool)[-1].startswith("hold: put away")
        assert pool.health() == {HTTP: State.IDLE}


def test_an_attempt_without_an_end_is_given_up(listen: Callable[[], socket.socket]) -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, f"127.0.0.1:{listen().getsockname()[1]}")  # connects, and is never greeted
        report = pool.hold(HTTP).attempt(timeout=0.5)
        assert [phase.name for phase in report.phases][-2:] == [PhaseName.HANDSHAKE, PhaseName.GIVEN_UP]
        assert report.outcome is Outcome.ABANDONED
        assert pool.health() == {HTTP: State.IDLE}


def test_released_it_has_its_own_settings_again_and_connects(pool: ClientPool, module: Module) -> None:
    module.kill()
    with pool.hold(HTTP) as hold:
        assert (hold.is_held, pool.held) == (True, (HTTP,))
        hold.attempt()
    assert (hold.is_held, pool.held) == (False, ())
    module.restart()
    pool.wait(HTTP, State.READY, timeout=5)  # by its own ladder
    call(pool)
    hold.release()
    assert texts(pool).count("hold: released") == 1
    with pytest.raises(NotHeldError, match=r"pool\.hold\('http-module-v1'\)"):
        hold.attempt()


def test_calls_under_way_when_it_is_held_end_well(pool: ClientPool) -> None:
    slow = pool[HTTP].unary_unary("/module.ModuleService/Message").future(b'"\x0e{"delay": 0.5}', timeout=5)
    call(pool)  # answered on the same connection, so the server has the slow one
    with pool.hold(HTTP):
        assert b"module" in slow.result()


@pytest.mark.parametrize("how", ["register elsewhere", "reconnect", "register the same"])
def test_it_stays_held_through(pool: ClientPool, module: Module, how: str) -> None:
    hold = pool.hold(HTTP)
    before = attempts(pool)
    match how:
        case "register elsewhere":
            pool.register(HTTP, module.address.replace("127.0.0.1", "localhost"))
        case "reconnect":
            pool.reconnect(HTTP)  # somebody asked: that is one attempt
            pool.wait(HTTP, timeout=5)
        case _:
            pool.register(HTTP, module.address)
    assert hold.is_held
    assert attempts(pool) - before == (how == "reconnect")


def test_unregistered_or_closed_while_it_is_held_nothing_is_left(pool: ClientPool, module: Module) -> None:
    hold = pool.hold(HTTP)
    pool.unregister(HTTP)
    assert not hold.is_held
    with pytest.raises(UnknownModuleError, match="no module 'http-module-v1'"):
        hold.attempt()
    hold.release()
    pool.register(HTTP, module.address)
    assert not hold.is_held
    call(pool)
    hold = pool.hold(HTTP)
    pool.close()
    hold.release()
    with pytest.raises(PoolClosedError):
        hold.attempt()
    with pytest.raises(PoolClosedError):
        pool.hold(HTTP)


def test_taken_away_in_the_midst_of_an_attempt_it_says_so(listen: Callable[[], socket.socket]) -> None:
    with ClientPool(QUICK) as pool:
        pool.register(HTTP, f"127.0.0.1:{listen().getsockname()[1]}")
        hold = pool.hold(HTTP)
        reports = []
        thread = threading.Thread(target=lambda: reports.append(hold.attempt(timeout=30)))
        thread.start()
        pool.wait(HTTP, State.CONNECTING, timeout=5)
        pool.unregister(HTTP)
        thread.join(10)
        assert [report.outcome for report in reports] == [Outcome.ABANDONED]
        assert reports[0].reason == "its channel was taken away meanwhile"


def test_its_line_tells_how_it_stands(pool: ClientPool) -> None:
    hold = pool.hold(HTTP)
    assert repr(hold) == "<Hold of http-module-v1: held>"
    hold.attempt()
    assert repr(hold).startswith("<Hold of http-module-v1: held; last: <Attempt 1 of http-module-v1: ready after 0.0")
    hold.release()
    assert isinstance(hold, Hold)
    assert repr(hold).startswith("<Hold of http-module-v1: over")


@pytest.fixture
def unused_port(listen: Callable[[], socket.socket]) -> int:
    listener = listen()
    port: int = listener.getsockname()[1]
    listener.close()
    return port
