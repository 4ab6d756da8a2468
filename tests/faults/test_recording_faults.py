"""Faults of a recording: it is cut off, of another kind, or of a later version."""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tinypool_nb as tp
from tinypool_nb.errors import RecordingError

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


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
