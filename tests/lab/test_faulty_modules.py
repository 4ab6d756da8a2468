"""What faults and misbehaving servers look like to a real pool: its transitions, attempts, marks and errors."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tinypool_nb import Backoff, Keepalive, Pool, PoolOptions, errors
from tinypool_nb.lab import Lab, Module, ServerState

QUICK = Backoff(initial=0.2, maximum=0.5, min_connect_timeout=0.5)
PINGING = Keepalive(time=0.5, timeout=0.5)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def module(lab: Lab) -> Module:
    return lab.start("http-module-v1", proxied=True, min_ping_interval=0.1)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(PoolOptions(backoff=QUICK)) as pool:
        yield pool


def connected(pool: Pool, module: Module) -> str:
    """Its name, once it is READY."""
    pool.register(module.name, module.address)
    pool.health_check()
    pool.wait(module.name, "READY", timeout=10)
    return module.name


def states(pool: Pool) -> list[str]:
    return [str(state) for state in pool.transitions()["state"]]


def last_reason(pool: Pool) -> str:
    reasons = pool.transitions()["reason"]
    return str(reasons[reasons != ""].iloc[-1])


def until_ready(pool: Pool, name: str) -> None:
    """Ask for it until it is: pick_first by itself stays IDLE after a loss."""
    deadline = time.monotonic() + 10
    while str(pool.health()[name]) != "READY":
        assert time.monotonic() < deadline
        pool.health_check()
        time.sleep(0.05)


def test_begin_and_end_are_marks_of_whoever_has_the_address(lab: Lab, module: Module, pool: Pool) -> None:
    other = lab.start("other", proxied=True)
    pool.register("a", module.address)
    pool.register("b", other.address)
    with module.faults.latency(0.05, jitter=0.01):
        pass
    marks = pool.marks()
    assert list(marks[marks["text"].str.startswith("lab:")]["text"]) == [
        "lab: latency(0.05 s, jitter=0.01 s)",
        "lab: latency(0.05 s, jitter=0.01 s) healed",
    ]
    assert set(marks[marks["text"].str.startswith("lab:")]["module"]) == {"a"}
    other.remove()


def test_a_slow_link_is_no_alarm(module: Module) -> None:
    with Pool(PoolOptions(backoff=QUICK, keepalive=PINGING)) as pool:
        name = connected(pool, module)
        with module.faults.latency(0.05, jitter=0.04), module.faults.slicing(100, delay=0.001), module.faults.bandwidth(200_000):
            start = time.monotonic()
            assert len(pool.send(name, payload=b'{"bytes": 10000}', timeout=10)) == 10_000
            assert time.monotonic() - start >= 0.12
        assert states(pool) == ["IDLE", "CONNECTING", "READY"]


def test_calls_in_a_blackhole_end_at_their_deadline_and_what_was_held_goes_on(module: Module, pool: Pool) -> None:
    name = connected(pool, module)
    with module.faults.blackhole(), pytest.raises(errors.SendTimeoutError):
        pool.send(name, timeout=0.2)
    assert json.loads(pool.send(name, timeout=10))["module"] == name
    assert states(pool) == ["IDLE", "CONNECTING", "READY"]


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("blackhole", ("tcp handshaker shutdown", "connect() timed out")),  # of two timers of gRPC the one that is first
        ("silent", ("connection attempt timed out before receiving SETTINGS frame",)),
    ],
)
@pytest.mark.slow
def test_keepalive_finds_a_way_that_is_dead_and_what_follows_tells_why(module: Module, fault: str, reasons: tuple[str, ...]) -> None:
    with Pool(PoolOptions(backoff=QUICK, keepalive=PINGING)) as pool:
        name = connected(pool, module)
        with getattr(module.faults, fault)():
            pool.wait(name, "IDLE", timeout=10)
            pool.health_check()
            pool.wait(name, "TRANSIENT_FAILURE", timeout=10)
        assert any(reason in last_reason(pool) for reason in reasons)
        pool.wait(name, "READY", timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason"), [("accept_and_close", "Socket closed"), ("reset", "Connection reset by peer")])
def test_the_ladder_of_a_server_that_lets_everybody_down(module: Module, pool: Pool, fault: str, reason: str) -> None:
    name = connected(pool, module)
    with getattr(module.faults, fault)():
        pool.wait(name, "IDLE", timeout=10)
        pool.health_check()
        pool.wait(name, "TRANSIENT_FAILURE", timeout=10)
        mark = len(pool.attempts())
        while len(pool.attempts()) < mark + 2:
            time.sleep(0.05)
    failed = pool.attempts()[1:]
    assert all(reason in told for told in failed[failed["outcome"] == "failed"]["reason"])
    pool.wait(name, "READY", timeout=10)


def test_refused(module: Module, pool: Pool) -> None:
    pool.register(module.name, module.address)
    with module.faults.refuse():
        pool.health_check()
        pool.wait(module.name, "TRANSIENT_FAILURE", timeout=10)
        assert "Connection refused" in last_reason(pool)
    pool.wait(module.name, "READY", timeout=10)


@pytest.mark.slow
def test_late_settings_make_one_long_attempt(module: Module) -> None:
    with Pool() as pool, module.faults.late_settings(0.5):
        connected(pool, module)
        assert len(pool.attempts()) == 1
        assert pool.attempts()["duration"].iloc[0] >= 0.49
        assert states(pool) == ["IDLE", "CONNECTING", "READY"]


@pytest.mark.parametrize("fault", ["drop_after", "reset"])
def test_a_call_whose_connection_breaks_is_unavailable(module: Module, pool: Pool, fault: str) -> None:
    name = connected(pool, module)
    broken = module.faults.drop_after(1000) if fault == "drop_after" else module.faults.reset(on_data=True)
    with broken, pytest.raises(errors.UnavailableError):
        pool.send(name, payload=b"x" * 10_000, timeout=10)
    until_ready(pool, name)
    assert json.loads(pool.send(name, timeout=10))["module"] == name


@pytest.mark.slow
def test_a_proxied_module_is_killed_restarted_and_moved_as_any(lab: Lab, pool: Pool) -> None:
    module = lab.start("moves", proxied=True)
    name = connected(pool, module)
    address = module.address
    module.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
    with module.faults.silent():
        module.restart()
        assert str(module.faults) == "silent"  # it is on the way, and the way is the same
    assert module.address == address
    until_ready(pool, name)
    with module.faults.latency(0.01) as left:
        moved = module.move()
        assert moved == module.address != address
        assert str(module.faults) == "no fault"
        assert not left.active
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
    pool.register(name, moved)
    until_ready(pool, name)
    module.stop()
    assert module.state is ServerState.STOPPED
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(moved.rpartition(":")[2])))
    module.restart()
    assert module.address == moved
    until_ready(pool, name)
    module.remove()
    with pytest.raises(errors.LabError, match="is closed"):
        module.faults.silent().begin()


@pytest.mark.slow
def test_each_replica_has_a_way_of_its_own(lab: Lab) -> None:
    module = lab.start("two", proxied=True, replicas=2)
    with Pool(PoolOptions(load_balancing="round_robin", backoff=QUICK)) as pool:
        connected(pool, module)
        with module.replicas[0].faults.accept_and_close():
            assert str(module.faults) == "accept_and_close"
            assert str(module.replicas[1].faults) == "no fault"
            while "failed" not in set(pool.attempts()["outcome"]):  # until then a call may meet the connection that is being closed
                time.sleep(0.02)
            assert {json.loads(pool.send("two", wait_for_ready=True, timeout=10))["replica"] for _ in range(5)} == {1}
        with module.faults.latency(0.01):
            assert str(module.replicas[1].faults) == "latency(0.01 s)"
        assert list(pool.marks()["text"])[-2:] == ["lab: latency(0.01 s)", "lab: latency(0.01 s) healed"]
    assert repr(module).count(" -> ") == 2
    module.remove()


@pytest.mark.slow
def test_a_proxied_module_may_serve_tls(lab: Lab) -> None:
    module = lab.start("tls", proxied=True, tls=True)
    with Pool(PoolOptions(tls=module.tls)) as pool:
        connected(pool, module)
    module.remove()


def test_without_a_proxy_an_error_says_how_to_get_one(lab: Lab, pool: Pool) -> None:
    module = lab.start("bare")
    with pytest.raises(errors.LabError) as raised:
        _ = module.faults
    assert str(raised.value) == (
        "faults need a proxy on the way to 'bare': lab.start('bare', proxied=True) starts it with one, "
        f"and lab.proxy('{module.address}') is one in front of what runs"
    )
    proxy = lab.proxy(module.address)
    pool.register("bare", proxy.address)
    pool.health_check()
    pool.wait("bare", "READY", timeout=10)
    proxy.close()
    module.remove()


# Servers that misbehave by themselves.


@pytest.mark.slow
def test_a_server_that_knows_http_1_1_alone(lab: Lab, pool: Pool) -> None:
    module = lab.start("old", kind="http/1.1")
    pool.register("old", module.address)
    pool.health_check()
    pool.wait("old", "TRANSIENT_FAILURE", timeout=10)
    assert "Trying to connect an http1.x server" in last_reason(pool)
    with socket.create_connection(("127.0.0.1", module.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    module.freeze()
    module.restart()
    module.stop()
    assert module.state is ServerState.STOPPED
    module.remove()


@pytest.mark.slow
def test_connections_that_the_server_recycles(lab: Lab, pool: Pool) -> None:
    module = lab.start("aged", max_connection_age=0.3)
    name = connected(pool, module)
    pool.wait(name, "IDLE", timeout=10)
    assert states(pool) == ["IDLE", "CONNECTING", "READY", "IDLE"]
    assert json.loads(pool.send(name, timeout=10))["module"] == name
    module.remove()


@pytest.mark.slow
def test_a_limit_of_size(lab: Lab, pool: Pool) -> None:
    module = lab.start("small", max_message_bytes=100)
    name = connected(pool, module)
    with pytest.raises(errors.MessageTooLargeError, match="larger than max"):
        pool.send(name, payload=b"x" * 200)
    assert states(pool) == ["IDLE", "CONNECTING", "READY"]
    module.remove()


@pytest.mark.slow
def test_too_many_pings(lab: Lab) -> None:
    module = lab.start("strict", min_ping_interval=300)
    with Pool(PoolOptions(keepalive=Keepalive(time=0.5, timeout=5))) as pool:
        name = connected(pool, module)
        pool.wait(name, "IDLE", timeout=10)
    module.remove()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"kind": "ftp"}, "kind='ftp' was refused: one of grpc, http/1.1"),
        ({"kind": "http/1.1", "tls": True}, "tls=True was refused: None: a server of the kind http/1.1 serves plaintext alone"),
        ({"host": "10.0.0.1"}, "host='10.0.0.1' was refused: an address of the loopback, such as 127.0.0.2"),
        ({"host": 1}, "host=1 was refused"),
        ({"max_connection_age": 0}, "max_connection_age=0 was refused: a number of seconds, more than 0"),
        ({"max_message_bytes": -1}, "max_message_bytes=-1 was refused"),
        ({"min_ping_interval": 0}, "min_ping_interval=0 was refused: a number of seconds, more than 0 and at most 86400"),
        ({"proxied": 1}, "proxied=1 was refused: True or False"),
    ],
)
def test_wrong_settings_are_refused(lab: Lab, setting: dict[str, object], message: str) -> None:
    with pytest.raises(errors.OptionsError) as refused:
        lab.start("wrong", **setting)  # type: ignore[arg-type]
    assert str(refused.value).startswith(message)
    assert "wrong" not in lab
