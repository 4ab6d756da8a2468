"""Faults of a recording: its disk is full, its process is killed; it is cut off, of another kind, or of a later version."""

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tinypool_nb as tp
from tests.faults.conftest import wait
from tinypool_nb.errors import RecordingError
from tinypool_nb.journal.recording.header import FORMAT, HEADER

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


CHILD: dict[str, Any] = {"text": True, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}}


class Burglar:
    """Leaves a trace if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.trace,)


@pytest.mark.fault(37)
def test_what_is_no_recording(scene: "Scene", tmp_path: Path) -> None:
    module = scene.lab.start("web")
    name = scene.connect(module)
    whole = tmp_path / "whole.parquet"
    scene.pool.save(whole)
    assert len(tp.open_recording(whole).transitions()) == 3
    trace = tmp_path / "trace"
    files = {
        "truncated": whole.read_bytes()[:-100],
        "only its head": whole.read_bytes()[:10],
        "empty": b"",
        "no Parquet": b"a,b\n1,2\n",
        "a pickle": pickle.dumps(Burglar(trace)),
    }
    for what, content in files.items():
        file = tmp_path / "broken.parquet"
        file.write_bytes(content)
        with pytest.raises(RecordingError) as refused:
            tp.open_recording(file)
        scene.saw(f"{what}: {str(refused.value).partition(' as a recording: ')[2]}")
    assert not trace.exists()
    scene.recovers(name)


ENDLESS = """
import os, resource, sys, time
from pathlib import Path
import tinypool_nb as tp

path, address, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with tp.Pool() as pool:
    recorder = pool.record(path)
    pool.register("web", address)
    pool.send("web", wait_for_ready=True, timeout=20)
    while not recorder.status.rows:
        time.sleep(0.05)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # no file may become larger: a write fails as on a full disk
    number = 0
    while limit and recorder.status.state != "stopped":
        for number in range(number, number + 200):
            pool.mark(f"{number}: {os.urandom(200).hex()}")
        pool.send("web", timeout=20)
    print(recorder.status, flush=True)
    for _ in range(10):
        pool.reconnect("web")
        pool.send("web", wait_for_ready=True, timeout=20)
    marks = [text for text in pool.marks()["text"] if "recording" in text]
    print(len(pool.transitions()), pool.health()["web"], marks, sep="; ", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.fault(33)
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits on Windows")
def test_a_full_disk_while_recording(scene: "Scene", tmp_path: Path) -> None:
    module = scene.lab.start("web")
    path = tmp_path / "incident.parquet"
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, str(path), module.address, "40000"],
        **CHILD,
        capture_output=True,
        input="\n",
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    status, goes_on = done.stdout.splitlines()
    assert "stopped" in status
    assert "what was written opens as partial" in status
    rows, state, marks = goes_on.split("; ", 2)
    assert state == "READY"
    assert int(rows) > 30  # the live view has all that came after
    assert "stopped" in marks
    record = tp.open_recording(path)
    assert "not closed" in record.partial
    assert "READY" in set(record.transitions()["state"])
    scene.saw(f"{status.rpartition(': ')[2]}; pool, calls and frames go on ({rows} transitions); opened: {record.partial}")
    scene.recovers(scene.connect(module))


@pytest.mark.fault(33)
def test_killed_while_recording(scene: "Scene", tmp_path: Path) -> None:
    module = scene.lab.start("web")
    path = tmp_path / "incident.parquet"
    child = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path), module.address, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **CHILD
    )
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline(), child.stdout.readline()
    wait(lambda: _opens(path))
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    record = tp.open_recording(path)
    assert "not closed" in record.partial
    assert "not closed" in record.marks()["text"].iloc[-1]
    assert record.explain("web").findings is not None
    scene.saw(f"kill -9: {len(record.transitions())} transitions open; {record.partial}; last mark: {record.marks()['text'].iloc[-1]}")
    scene.recovers(scene.connect(module))


def _opens(path: Path) -> bool:
    """Whether a part with the connection in it was written: every two seconds."""
    with suppress(RecordingError):
        return "READY" in set(tp.open_recording(path).transitions()["state"])
    return False


@pytest.mark.fault(37)
def test_a_recording_of_a_later_version(scene: "Scene", tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    scene.pool.register("web", "127.0.0.1:1")
    ours, later = tmp_path / "ours.parquet", tmp_path / "later.parquet"
    scene.pool.save(ours)
    table = pq.read_table(ours)
    metadata = dict(table.schema.metadata)
    header = json.loads(metadata[HEADER])
    header |= {"format": FORMAT + 1, "versions": {"tinypool-nb": "99.0"}}
    pq.write_table(table.replace_schema_metadata(metadata | {HEADER: json.dumps(header).encode()}), later)
    with pytest.raises(RecordingError, match=f"format {FORMAT + 1}.*upgrade") as refused:
        tp.open_recording(later)
    scene.saw(f"a later version: {str(refused.value).partition(' as a recording: ')[2]}")
