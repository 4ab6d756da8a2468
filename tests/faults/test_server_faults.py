"""Faults of the server itself: it dies, hangs, ends gracefully, has a policy."""

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import OPTIONS, PATIENCE, PINGING, QUICK
from tinypool_nb import Keepalive, PoolOptions, errors

if TYPE_CHECKING:
    from tests.faults.conftest import Scene

SLOW_CALL = b'{"delay": 1.0}'


@pytest.mark.fault(1)
def test_killed_without_a_call(scene: "Scene") -> None:
    module = scene.lab.start("killed")
    name = scene.connect(module)
    module.kill()
    scene.until(name, "IDLE")
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY", "IDLE"]
    assert str(scene.pool.health()[name]) == "IDLE"
    scene.saw(
        f"pick_first: {' -> '.join(scene.path(name)[2:])} after {scene.after('lab: kill', name, 'IDLE') * 1000:.0f} ms, and stays there"
    )
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(1)
def test_killed_under_round_robin(scene: "Scene") -> None:
    module = scene.lab.start("killed")
    name = scene.connect(module, PoolOptions(backoff=QUICK, load_balancing="round_robin"))
    module.kill()
    scene.until(name, "TRANSIENT_FAILURE")
    module.restart()
    scene.until(name, "READY")  # nobody asks
    scene.saw(f"round_robin: {' -> '.join(dict.fromkeys(scene.path(name)[2:]))} -> READY by itself")
    scene.recovers(name)


@pytest.mark.fault(2)
def test_killed_with_a_call_under_way(scene: "Scene") -> None:
    module = scene.lab.start("killed")
    name = scene.connect(module)
    call = scene.call(name, payload=b'{"delay": 30}', timeout=60)
    killed = time.monotonic()
    module.kill()
    assert isinstance(call.end().error, errors.UnavailableError)
    assert call.ended - killed < 1
    with pytest.raises(errors.UnavailableError, match="Connection refused"):
        scene.pool.send(name, timeout=PATIENCE)
    module.restart()
    scene.until(name, "READY")
    waited = scene.after("lab: restart", name, "READY")
    assert waited < QUICK.maximum * 1.2 + 1  # the restart itself takes a while
    scene.saw(
        f"UNAVAILABLE {(call.ended - killed) * 1000:.0f} ms after the kill; then refused; READY {waited:.2f} s after restart() was called"
    )
    scene.recovers(name)


@pytest.mark.fault(3)
def test_frozen(scene: "Scene") -> None:
    module = scene.lab.start("frozen", min_ping_interval=0.1)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
    module.freeze()
    scene.until(name, "IDLE")
    found = scene.after("lab: freeze", name, "IDLE")
    assert found <= PINGING.time + PINGING.timeout + 1
    scene.pool.health_check()
    reason = scene.fails(name)
    assert "timed out before receiving SETTINGS frame" in reason
    scene.saw(f"READY for {found:.2f} s (keepalive 0.5 s + 0.5 s), then IDLE; asked to connect: timed out before receiving SETTINGS frame")
    module.thaw()
    scene.recovers(name)


@pytest.mark.fault(17)
def test_graceful_stop(scene: "Scene") -> None:
    module = scene.lab.start("stopped")
    name = scene.connect(module)
    call = scene.call(name, payload=SLOW_CALL, timeout=PATIENCE)
    module.stop()
    assert call.end().error is None
    scene.until(name, "IDLE")
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY", "IDLE"]
    assert scene.summary(name)["failures"] == 0
    scene.saw("READY -> IDLE, no failure; the call under way was answered")
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(18)
def test_recycled_connections(scene: "Scene") -> None:
    module = scene.lab.start("aged", max_connection_age=0.3)
    name = scene.connect(module)
    sent = 0
    while scene.summary(name)["disconnections"] < 3:
        assert scene.pool.send(name, timeout=PATIENCE)
        sent += 1
        time.sleep(0.02)
    assert scene.summary(name)["failures"] == 0
    assert "TRANSIENT_FAILURE" not in scene.path(name)
    scene.saw(f"{sent} of {sent} calls answered over {scene.summary(name)['disconnections']} disconnections, no failure")
    scene.recovers(name)


@pytest.mark.fault(19)
def test_too_many_pings(scene: "Scene") -> None:
    module = scene.lab.start("strict", min_ping_interval=300)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=Keepalive(time=0.5, timeout=5)))
    scene.until(name, "IDLE")
    scene.saw(f"READY -> IDLE {float(scene.of(name)['time'].diff().iloc[-1].total_seconds()):.1f} s later; the trace does not say why")
    scene.recovers(name)


@pytest.mark.fault(20)
def test_message_too_large(scene: "Scene") -> None:
    module = scene.lab.start("small", max_message_bytes=1000)
    name = scene.connect(module)
    with pytest.raises(errors.MessageTooLargeError) as refused:
        scene.pool.send(name, payload=b"x" * 2000, timeout=PATIENCE)
    assert refused.value.code == "RESOURCE_EXHAUSTED"
    assert scene.path(name)[-1] == "READY"
    scene.saw(f"{refused.value.code}: {refused.value.reason}; stays READY")
    scene.recovers(name)


@pytest.mark.fault(28)
def test_address_changes_under_way(scene: "Scene") -> None:
    module = scene.lab.start("moves")
    name = scene.connect(module, OPTIONS)
    call = scene.call(name, payload=SLOW_CALL, timeout=PATIENCE)
    left = module.port
    scene.lab.start("successor")
    scene.pool.register(name, scene.lab["successor"].address)
    answer = scene.pool.send(name, wait_for_ready=True, timeout=PATIENCE)
    assert b'"module": "successor"' in answer
    assert f'"port": {left}'.encode() in (call.end().answer or b"")
    scene.saw("the call under way was answered by the old server, the next one by the new")
    scene.recovers(name)
