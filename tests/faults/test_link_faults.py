"""Faults on the way to the server, by a proxy."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import OPTIONS, PATIENCE, PINGING, QUICK, wait
from tinypool_nb import PoolOptions, State, errors
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.events import Evidence

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


@pytest.mark.fault(4)
def test_blackhole(scene: "Scene") -> None:
    module = scene.lab.start("far", proxied=True, min_ping_interval=0.1)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
    call = scene.call(name, payload=b'{"delay": 30}', timeout=60)
    with module.faults.blackhole():
        with pytest.raises(errors.SendTimeoutError):
            scene.pool.send(name, timeout=0.2)
        scene.until(name, "IDLE")
        found = scene.after("lab: blackhole", name, "IDLE")
        assert found <= PINGING.time + PINGING.timeout + 1
        assert isinstance(call.end().error, errors.UnavailableError)
        scene.explains(name, Cause.FROZEN, "no answer to keepalive")
        scene.pool.health_check()
        reason = scene.fails(name)
        scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, re.escape(reason[-40:]))
        scene.explains(name, Cause.UNREACHABLE, "nothing answers, not even to refuse")
    (told,) = [words for words in ("tcp handshaker shutdown", "connect() timed out") if words in reason]  # of two timers the first
    scene.saw(f"READY for {found:.2f} s (keepalive 0.5 s + 0.5 s); a call ends at its deadline, one without by the ping; then {told}")
    scene.recovers(name)


@pytest.mark.fault(4)
def test_half_open(scene: "Scene") -> None:
    module = scene.lab.start("gone", proxied=True, min_ping_interval=0.1)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
    with module.faults.slow_close(60):  # the server is gone, and that its end of the connection is, nobody hears
        call = scene.call(name, payload=b'{"delay": 30}', timeout=60)
        module.kill()
        assert scene.health(name) is State.READY  # a lie, and nobody can know
        with pytest.raises(errors.SendTimeoutError):
            scene.pool.send(name, timeout=0.2)
        scene.until(name, "IDLE")
        found = scene.after("lab: kill", name, "IDLE")
        assert found <= PINGING.time + PINGING.timeout + 1
        assert isinstance(call.end().error, errors.UnavailableError)
        assert scene.health(name) is State.IDLE
        scene.explains(name, Cause.FROZEN, "no answer to keepalive")
    scene.saw(f"half-open: the server is gone and its end of the connection is not told of: READY for {found:.2f} s, as when frozen")
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(5)
def test_reset_in_a_stream(scene: "Scene") -> None:
    module = scene.lab.start("torn", proxied=True)
    name = scene.connect(module)
    with module.faults.reset(on_data=True), pytest.raises(errors.UnavailableError) as broken:
        scene.pool.send(name, payload=b"x" * 10_000, timeout=PATIENCE)
    scene.until(name, "IDLE")
    assert scene.health(name) is State.IDLE
    assert list(scene.pool.calls()["code"]) == ["UNAVAILABLE"]
    scene.recovers(name)
    assert scene.summary(name)["disconnections"] == 1
    scene.saw(f"{broken.value.code}: {broken.value.reason}; 1 disconnection")
    scene.explains(name, Cause.LOST, "connection reset", "it was back after", now=False)


@pytest.mark.fault(6)
def test_accepts_and_says_nothing(scene: "Scene") -> None:
    module = scene.lab.start("mute", proxied=True)
    with module.faults.silent():
        name = scene.register(module)
        reason = scene.fails(name)
        assert "timed out before receiving SETTINGS frame" in reason
        (duration,) = scene.attempts(name)["duration"][:1]
        assert duration >= QUICK.min_connect_timeout * 0.9
        assert scene.path(name)[:3] == ["IDLE", "CONNECTING", "TRANSIENT_FAILURE"]
        scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "timed out before receiving SETTINGS frame")
        scene.explains(name, Cause.HANDSHAKE_HANGS, "accepts the connection and then says nothing: HTTP/2 SETTINGS did not come within")
    scene.saw(f"CONNECTING for {duration:.2f} s (deadline 0.5 s): connection attempt timed out before receiving SETTINGS frame")
    scene.recovers(name)


@pytest.mark.fault(7)
def test_accepts_and_closes(scene: "Scene") -> None:
    module = scene.lab.start("shut", proxied=True)
    with module.faults.accept_and_close():
        name = scene.register(module)
        wait(lambda: len(scene.attempts(name)) >= 4)
        scene.explains(name, Cause.HANGS_UP, "accepts the connection and ends it before it has said anything")
        scene.until(name, "TRANSIENT_FAILURE")
        scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Socket closed|Connection reset")
        scene.explains(name, Cause.BACKOFF, "waits out gRPC's backoff", known=Evidence.INFERRED)
    failed = scene.attempts(name)
    failed = failed[failed["outcome"] == "failed"]
    assert all("Socket closed" in reason or "Connection reset" in reason for reason in failed["reason"])
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(failed["start"])]
    assert all(gap >= QUICK.initial * 0.8 - 0.01 for gap in gaps)
    scene.saw(f"attempts after {', '.join(f'{gap:.2f}' for gap in gaps)} s, each: {failed['reason'].iloc[0].rpartition(': ')[2]}")
    scene.recovers(name)


@pytest.mark.fault(8)
def test_port_closed(scene: "Scene") -> None:
    module = scene.lab.start("closed")
    module.kill()
    name = scene.register(module)
    assert "Connection refused" in scene.fails(name)
    duration = scene.attempts(name)["duration"].iloc[0]
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Connection refused")
    scene.saw(f"Connection refused after {duration * 1000:.0f} ms")
    scene.explains(name, Cause.REFUSED, "the machine answers, but nothing listens at that port")
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(35)
def test_a_slow_link(scene: "Scene") -> None:
    module = scene.lab.start("slow", proxied=True, min_ping_interval=0.1)
    with module.faults.latency(0.05, jitter=0.03), module.faults.slicing(200, delay=0.001), module.faults.bandwidth(200_000):
        name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
        (duration,) = scene.attempts(name)["duration"]
        for _ in range(5):
            assert len(scene.pool.send(name, payload=b'{"bytes": 10000}', timeout=PATIENCE)) == 10_000
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY"]
    scene.saw(f"CONNECTING for {duration:.2f} s, then READY throughout, with keepalive 0.5 s + 0.5 s")
    scene.nothing_wrong(name)
    scene.recovers(name)


@pytest.mark.fault(40)
def test_late_settings(scene: "Scene") -> None:
    module = scene.lab.start("late", proxied=True)
    with module.faults.late_settings(5.0):
        name = scene.register(module, PoolOptions())
        scene.until(name, "CONNECTING")
        scene.explains(name, Cause.CONNECTING, "attempt 1 has been under way for")
        scene.until(name, "READY")
    (duration,) = scene.attempts(name)["duration"]
    assert duration >= 4.9
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY"]
    scene.saw(f"CONNECTING for {duration:.2f} s, then READY, in one attempt")
    scene.nothing_wrong(name)
    scene.recovers(name)


@pytest.mark.fault(27)
def test_two_modules_on_one_address(scene: "Scene") -> None:
    module = scene.lab.start("shared")
    for name in ("one", "two"):
        scene.pool.register(name, module.address, options=OPTIONS)
    scene.pool.health_check()
    for name in ("one", "two"):
        scene.until(name, "READY")
    assert list(scene.pool.connections()["module"]) == ["one", "two"]
    scene.explains("one", Cause.SHARED_ADDRESS, "shares its address", "with two: both reach the same server")
    scene.pool.unregister("one")
    assert list(scene.pool.connections()["module"]) == ["two"]
    scene.saw("both rows, each with a connection of its own; one is unregistered, the other stays READY")
    scene.until_closed("one")
    scene.explains("one", Cause.TAKEN_AWAY, "is not in the pool any more")
    scene.nothing_wrong("two")
    scene.recovers("two")
