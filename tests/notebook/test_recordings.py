"""Recordings as a person meets them: by the pool, from the shell, and opened without a network."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import tinypool_nb as tp
from tinypool_nb.cli import main

HTTP = "http-module-v1"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def wait_until(is_true: object, seconds: float = 40.0) -> None:
    assert callable(is_true)
    for _ in range(round(seconds / 0.02)):
        if is_true():
            return
        threading.Event().wait(0.02)
    pytest.fail("it did not come to be")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "incident.parquet"
    with tp.Lab() as lab, tp.Pool() as pool, pool.record(path):
        module = lab.start(HTTP)
        pool.register(HTTP, module.address)
        pool.register("refused", "127.0.0.1:1", namespace="tiny")
        pool.health_check()
        pool.wait(HTTP, "READY", timeout=10)
        pool.mark("deployed <b>v2</b>")
        module.kill()
        pool.wait(HTTP, "IDLE", timeout=10)
    return path


def test_a_pool_records_until_it_is_closed(tmp_path: Path) -> None:
    with tp.Pool() as pool:
        one, other = pool.record(tmp_path / "a.parquet"), pool.record(tmp_path / "b.parquet")
        with pytest.raises(tp.RecordingPathError, match="being recorded already"):
            pool.record(tmp_path / "a.parquet")
        other.close()
        pool.register(HTTP, "127.0.0.1:1")
    assert one.status.state == other.status.state == "closed"
    record = tp.open_recording(tmp_path / "a.parquet")
    assert record.transitions().state.tolist() == ["IDLE", "SHUTDOWN"]
    pd.testing.assert_frame_equal(record.summary(), pool.summary(), check_categorical=False)
    assert record.partial == ""
    assert record.details["options"] == pool.options.as_dict()
    assert len(tp.open_recording(tmp_path / "b.parquet").transitions()) == 0
    with pytest.raises(tp.PoolClosedError):
        pool.record(tmp_path / "c.parquet")


def test_the_recording_of_a_forgotten_pool_is_finished(tmp_path: Path) -> None:
    pool = tp.Pool()
    recorder = pool.record(tmp_path / "a.parquet")
    pool.register(HTTP, "127.0.0.1:1")
    del pool
    gc.collect()
    wait_until(lambda: recorder.status.state == "closed")
    assert tp.open_recording(tmp_path / "a.parquet").transitions().state.tolist() == ["IDLE", "SHUTDOWN"]


@pytest.mark.slow
def test_so_is_that_of_a_program_that_ends_without_closing(tmp_path: Path) -> None:
    script = (
        f"import tinypool_nb as tp\npool = tp.ClientPool()\npool.record({str(tmp_path / 'a.parquet')!r})\npool.register('m', '127.0.0.1:1')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=ENVIRONMENT, timeout=60)
    record = tp.open_recording(tmp_path / "a.parquet")
    assert (record.partial, record.transitions().state.tolist()[:1]) == ("", ["IDLE"])


def is_in(state: str, path: Path) -> bool:
    try:
        return state in set(tp.open_recording(path).transitions().state)
    except tp.RecordingError:  # it has not begun yet
        return False


@contextmanager
def recording(*words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tinypool_nb.cli", "record", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_the_command_records_until_it_is_ended_or_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with tp.Lab() as lab:
        address = lab.start(HTTP).address
        with recording(f"tiny/{HTTP}={address}", "-o", str(path)) as process:
            wait_until(lambda: is_in("READY", path))
            process.kill()  # -9
        record = tp.open_recording(path)
        assert record.partial == "a: not closed"
        assert set(record.connections().module) == {HTTP}
        with recording(f"{HTTP}={address}", "-o", str(path), "--replace") as process:
            assert process.stderr is not None
            process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)  # who is impatient harms nobody
            assert process.wait(20) == 0
            assert f"{path}: " in process.stderr.read()
    record = tp.open_recording(path)
    assert (record.partial, record.transitions().state.iloc[-1]) == ("", "SHUTDOWN")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_the_command_records_what_it_discovers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with tp.Lab(kubernetes=True) as lab:
        lab.start(HTTP)
        with recording("--discover", "--kubeconfig", str(lab.kubeconfig), "-o", str(path)) as process:
            wait_until(lambda: is_in("READY", path))
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    record = tp.open_recording(path)
    assert record.modules().module.tolist() == [HTTP]
    assert record.modules().state.tolist() == ["registered"]
    assert "discovery" in set(record.marks().kind)


def test_the_command_says_what_it_does_not_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.parquet").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["record", "-o", str(tmp_path / "b.parquet")])
    assert "Name at least one module, NAME=ADDRESS, or --discover" in capsys.readouterr().err
    assert main(["record", "m=127.0.0.1:1", "-o", str(tmp_path / "a.parquet"), "--for", "1"]) == 1
    assert "there is such a file already; --replace puts the recording in its place" in capsys.readouterr().err


def test_a_recording_is_opened_without_network_and_grpc(incident: Path) -> None:
    script = f"""
import sys, tinypool_nb as tp
record = tp.open_recording({str(incident)!r})
record.summary(), record.attempts(), record.calls(), record.latency(), record.modules(), record.connections(), record.timeline()
record.backoff_plot("refused")
replay = record.replay(speed=10)
replay._repr_mimebundle_(), record.panel()
assert replay.playing and replay.speed == 10.0
wrong = sorted(name for name in sys.modules if name.split(".")[0] in ("grpc", "kubernetes", "pickle5"))
assert not wrong, wrong
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, env=ENVIRONMENT, timeout=60)


def test_a_range_of_a_recording_is_opened(incident: Path) -> None:
    whole = tp.open_recording(incident)
    ready = whole.transitions().set_index("state").time["READY"]
    record = tp.open_recording(incident, start=ready, end=str(ready + pd.Timedelta(milliseconds=1)))
    assert "READY" in set(record.transitions().state)
    assert "IDLE" not in set(record.transitions()[lambda frame: frame.evidence == "seen"].state)
    for start, end in (("soon", None), (5, None), ("", None), (pd.NaT, None), ("12:32:57", None), ("2026-01-02", "2026-01-01")):
        with pytest.raises(tp.OptionsError, match="start="):
            tp.open_recording(incident, start=start, end=end)  # type: ignore[arg-type]


def test_the_command_tells_a_recording(incident: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(incident)]) == 0
    told = capsys.readouterr().out
    assert "2 modules: " in told
    assert "tiny/refused" in told
    assert "1 disconnection" in told
    assert main(["replay", str(incident), "--speed", "1000000", "--module", HTTP]) == 0
    told = capsys.readouterr().out
    assert f"{HTTP}  CONNECTING" in told
    assert "* deployed <b>v2</b>" in told
    assert "refused  " not in told
    assert "\x1b" not in told  # no colour where there is no terminal
    assert main(["replay", str(incident.with_name("nowhere.parquet"))]) == 1
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), True, "fast"])
def test_a_speed_that_is_none_is_refused(incident: Path, speed: object) -> None:
    with pytest.raises(tp.OptionsError, match="speed"):
        tp.open_recording(incident).replay(speed)  # type: ignore[arg-type]


def test_a_replay_leaves_nothing(incident: Path) -> None:
    replay = tp.open_recording(incident).replay(speed=2.0)
    assert "<script" not in replay._repr_mimebundle_()["text/html"]
    with pytest.raises(tp.OptionsError):
        replay.speed = -1.0
    replay.close()
    replay.close()
    assert replay.comm is None
