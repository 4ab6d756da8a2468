"""Faults of the server itself: it dies, hangs, ends gracefully, has a policy."""

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import OPTIONS, PATIENCE, PINGING, QUICK, wait
from tinypool_nb import Keepalive, PoolOptions, State, errors
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.events import Evidence

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
    assert scene.health(name) is State.IDLE
    scene.saw(
        f"pick_first: {' -> '.join(scene.path(name)[2:])} after {scene.after('lab: kill', name, 'IDLE') * 1000:.0f} ms, and stays there"
    )
    scene.explains(name, Cause.LOST, "lost its connection", known=Evidence.INFERRED)
    scene.explains(name, Cause.IDLE, "only at the next call")
    assert scene.pool.explain(name).diagnosis.verdict != "nothing wrong"
    scene.gets(name, State.IDLE, errors.UnavailableError, "Connection refused")  # the call has it connect
    scene.fails(name)
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Connection refused")
    scene.explains(name, Cause.KILLED, "its process has ended", known=Evidence.INFERRED)
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(1)
def test_killed_under_round_robin(scene: "Scene") -> None:
    module = scene.lab.start("killed")
    name = scene.connect(module, PoolOptions(backoff=QUICK, load_balancing="round_robin"))
    module.kill()
    wait(lambda: any("refused" in reason for reason in scene.attempts(name)["reason"]))  # the first one may be reset by what is just dying
    scene.explains(name, Cause.KILLED, "since then the port refuses", known=Evidence.INFERRED)
    scene.until(name, "TRANSIENT_FAILURE")
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Connection re(fused|set)")
    module.restart()
    over = scene.pool.now()
    scene.until(name, "READY")  # nobody asks
    scene.came_back(name, over)
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
    lost = scene.explains(name, Cause.LOST, "lost its connection")
    assert "socket error" in lost.text or "connection reset" in lost.text  # either may come first
    scene.gets(name, State.IDLE, errors.UnavailableError, "Connection refused")
    scene.until(name, "TRANSIENT_FAILURE")
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Connection refused")
    scene.explains(name, Cause.KILLED, "its process has ended", known=Evidence.INFERRED)
    module.restart()
    over = scene.pool.now()
    scene.until(name, "READY")  # nobody asks
    scene.came_back(name, over)
    waited = scene.after("lab: restart", name, "READY")
    scene.saw(
        f"UNAVAILABLE {(call.ended - killed) * 1000:.0f} ms after the kill; then refused; READY {waited:.2f} s after restart() was called"
    )
    scene.recovers(name)


@pytest.mark.fault(3)
def test_frozen(scene: "Scene") -> None:
    module = scene.lab.start("frozen", min_ping_interval=0.1)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
    call = scene.call(name, payload=b'{"delay": 30}', timeout=60)
    module.freeze()
    assert scene.health(name) is State.READY  # a lie, and nobody can know
    with pytest.raises(errors.SendTimeoutError):
        scene.pool.send(name, timeout=0.2)
    scene.until(name, "IDLE")
    found = scene.after("lab: freeze", name, "IDLE")
    assert found <= PINGING.time + PINGING.timeout + 1
    assert isinstance(call.end().error, errors.UnavailableError)
    scene.explains(name, Cause.FROZEN, "no answer to keepalive")
    scene.pool.health_check()
    reason = scene.fails(name)
    assert "timed out before receiving SETTINGS frame" in reason
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "timed out before receiving SETTINGS frame")
    scene.saw(f"READY for {found:.2f} s (keepalive 0.5 s + 0.5 s), then IDLE; asked to connect: timed out before receiving SETTINGS frame")
    scene.explains(name, Cause.FROZEN, "no answer to keepalive")
    module.thaw()
    scene.recovers(name)
    scene.explains(name, Cause.FROZEN, "it was back after", now=False)


@pytest.mark.fault(3)
def test_frozen_without_a_call(scene: "Scene") -> None:
    module = scene.lab.start("frozen", min_ping_interval=0.1)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=PINGING))
    module.freeze()
    scene.until(name, "IDLE")
    assert scene.health(name) is State.IDLE
    scene.pool.health_check()
    scene.fails(name)
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "timed out before receiving SETTINGS frame")
    scene.saw("without a call nobody hears of the ping; the attempt after it tells")
    scene.explains(name, Cause.FROZEN, "its machine still accepts connections, but its process says nothing", known=Evidence.INFERRED)
    module.thaw()
    scene.recovers(name)


@pytest.mark.fault(17)
def test_graceful_stop(scene: "Scene") -> None:
    module = scene.lab.start("stopped")
    name = scene.connect(module)
    call = scene.call(name, payload=b'{"delay": 2.5}', timeout=PATIENCE)
    module.stop()
    assert call.end().error is None
    scene.until(name, "IDLE")
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY", "IDLE"]
    assert scene.summary(name)["failures"] == 0
    assert scene.health(name) is State.IDLE
    scene.saw("READY -> IDLE, no failure; the call under way was answered")
    scene.explains(name, Cause.DRAINED, "ended well after it, as where a server stops gracefully", now=False, known=Evidence.INFERRED)
    assert scene.pool.explain(name).diagnosis.verdict == "nothing wrong: idle"
    module.restart()
    scene.recovers(name)


@pytest.mark.fault(18)
def test_recycled_connections(scene: "Scene") -> None:
    module = scene.lab.start("aged", max_connection_age=2.0)  # long enough that a machine under load adds little
    name = scene.connect(module)
    sent = 0
    while scene.summary(name)["disconnections"] < 3:
        assert scene.pool.send(name, timeout=PATIENCE)
        sent += 1
        time.sleep(0.02)
    assert scene.summary(name)["failures"] == 0
    assert "TRANSIENT_FAILURE" not in scene.path(name)
    assert scene.pool.send(name, timeout=PATIENCE)
    assert scene.health(name) is State.READY
    assert set(scene.pool.calls()["code"]) == {"OK"}
    scene.saw(f"{sent} of {sent} calls answered over {scene.summary(name)['disconnections']} disconnections, no failure")
    scene.explains(name, Cause.RECYCLED, "recycled, not flapping; no call failed by it", known=Evidence.INFERRED)
    assert "FLAPPING" not in {finding.cause.name for finding in scene.pool.explain(name).findings}
    scene.recovers(name)


@pytest.mark.fault(19)
def test_too_many_pings(scene: "Scene", capfd: pytest.CaptureFixture[str]) -> None:
    module = scene.lab.start("strict", min_ping_interval=300)
    often = Keepalive(time=1.0, timeout=5)
    name = scene.connect(module, PoolOptions(backoff=QUICK, keepalive=often, load_balancing="round_robin"))
    wait(lambda: scene.summary(name)["disconnections"] >= 2)
    scene.until(name, "READY")
    assert scene.pool.send(name, timeout=PATIENCE)  # a caller notices nothing
    assert scene.health(name) is State.READY
    assert set(scene.of(name)["reason"]) == {""}  # the trace does not say why
    assert "too_many_pings" in capfd.readouterr().err  # and gRPC core says so here alone
    lost = scene.of(name)[scene.of(name)["previous"] == "READY"]["time"]
    ready = scene.of(name)[scene.of(name)["state"] == "READY"]["time"]
    lives = [(end - start).total_seconds() for start, end in zip(ready, lost, strict=False)]
    scene.saw(
        f"READY for {', then '.join(f'{life:.1f} s' for life in lives)} (keepalive 1 s, then throttled to 2 s); the trace has no reason, "
        "calls that are under way end well: only gRPC core's line on stderr says too_many_pings, so it is told from the lives"
    )
    scene.explains(name, Cause.TOO_MANY_PINGS, "is pinged more often than it permits (each 1 s", known=Evidence.INFERRED)
    scene.pool.register(name, module.address, options=OPTIONS)  # as advised: less often
    scene.recovers(name)


@pytest.mark.fault(20)
def test_message_too_large(scene: "Scene") -> None:
    module = scene.lab.start("small", max_message_bytes=1000)
    name = scene.connect(module)
    with pytest.raises(errors.MessageTooLargeError) as refused:
        scene.pool.send(name, payload=b"x" * 2000, timeout=PATIENCE)
    assert refused.value.code == "RESOURCE_EXHAUSTED"
    assert scene.path(name)[-1] == "READY"
    assert scene.health(name) is State.READY
    assert list(scene.pool.calls()["code"]) == ["RESOURCE_EXHAUSTED"]
    scene.saw(f"{refused.value.code}: {refused.value.reason}; stays READY")
    scene.explains(name, Cause.MESSAGE_TOO_LARGE, "larger than the 1,000 that the module takes", "the connection stays up")
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
    assert scene.summary(name)["disconnections"] == 0
    scene.nothing_wrong(name)
    scene.recovers(name)
