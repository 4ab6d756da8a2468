import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.events import Attempt, ChannelIdentity, Event, Evidence, Outcome, Transition
from tinypool_nb.core.folding import NUMBERS
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.errors import RecordingError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording import load, save
from tinypool_nb.views import frames

Story = Callable[..., list[Event]]
NOW = 1_800_000_000_000_000_000


def filled(events: list[Event], history: int = 5_000_000) -> Journal:
    journal = Journal(history=history, clock=Clock(epoch=NOW, monotonic=lambda: 0))
    for event in events:
        journal.append(event)
    return journal


def assert_same(one: Journal, other: Journal) -> None:
    for frame in (frames.transitions, frames.attempts, frames.intervals, frames.summary, frames.connections, frames.marks, frames.calls):
        pd.testing.assert_frame_equal(frame(one), frame(other))
    assert one.position() == other.position()
    assert repr(one) == repr(other)


@pytest.fixture
def saved(story: Story, tmp_path: Path) -> Path:
    save(filled(story(500)), tmp_path / "incident.parquet", details={"options": {"drain": 30.0}})
    return tmp_path / "incident.parquet"


@pytest.mark.parametrize("seed", range(4))
def test_a_recording_comes_back_as_it_was(story: Story, tmp_path: Path, seed: int) -> None:
    journal = filled(story(3_000, seed=seed, modules=30))
    save(journal, tmp_path / "a.parquet", details={"options": {"drain": 30.0}, "note": "☃"})
    loaded, details, _ = load(tmp_path / "a.parquet")
    assert details == {"options": {"drain": 30.0}, "note": "☃"}
    assert_same(journal, loaded)
    assert loaded.clock.now() == NOW


@pytest.mark.parametrize("seed", range(3))
def test_so_does_one_whose_oldest_rows_had_gone(story: Story, tmp_path: Path, seed: int) -> None:
    journal = filled(story(9_000, seed=seed, modules=200, reasons=5_000), history=1_000)
    assert journal.tables()["transitions"].compactions > 0
    save(journal, tmp_path / "a.parquet")
    loaded = load(tmp_path / "a.parquet").journal
    assert_same(journal, loaded)
    for event in story(2_000, seed=9):
        journal.append(event)
        loaded.append(event)
    # Both go on alike, but for the order of categories: each tidies its dictionaries in its own time.
    pd.testing.assert_frame_equal(frames.summary(journal), frames.summary(loaded), check_categorical=False)
    pd.testing.assert_frame_equal(frames.intervals(journal), frames.intervals(loaded), check_categorical=False)


def test_an_empty_journal_makes_an_empty_recording(tmp_path: Path) -> None:
    journal = filled([])
    save(journal, tmp_path / "a.parquet")
    assert_same(journal, load(tmp_path / "a.parquet")[0])


@pytest.mark.parametrize("step", [1, 999, 1_000, 1_000_000, 10**18])
def test_no_nanosecond_of_a_time_is_lost(tmp_path: Path, step: int) -> None:
    channel = ChannelIdentity(1, ModuleKey(None, "a"), "a:1", 1)
    journal = filled([Transition(-NOW + i * step, channel, None, State.IDLE, "", Evidence.SEEN) for i in range(4)])
    save(journal, tmp_path / "a.parquet")
    assert_same(journal, load(tmp_path / "a.parquet")[0])


def test_a_module_known_by_an_attempt_alone_comes_back(tmp_path: Path) -> None:
    channel = ChannelIdentity(1, ModuleKey("tiny", "a"), "a:1", 1)
    journal = filled([Attempt(channel, 0, "", None, 5, Outcome.FAILED, "no such host", Evidence.INFERRED)])
    save(journal, tmp_path / "a.parquet")
    assert_same(journal, load(tmp_path / "a.parquet")[0])


def test_another_reader_of_parquet_understands_it(saved: Path) -> None:
    rows = pq.read_table(saved, filters=[("kind", "=", "transition")]).to_pandas()
    assert {state for change in rows["change"] for state in change.split(">")} <= {*State, ""}
    assert rows["time"].dt.tz is not None
    assert json.loads(pq.read_metadata(saved).metadata[b"tinypool_nb"])["versions"]["pyarrow"] == pa.__version__


def test_a_failed_save_leaves_what_was_there(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(TypeError):
        save(filled([]), saved, details={"options": object()})
    with pytest.raises(FileNotFoundError, match=r"/nowhere/a\.parquet.$"):
        save(filled([]), saved.parent / "nowhere" / "a.parquet")
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_what_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        load(tmp_path / "missing.parquet")
    for folder in (tmp_path, ".", "/"):
        with pytest.raises(RecordingError, match="a folder"):
            load(folder)
    for nothing in ("", None, 5, [""], [None]):
        with pytest.raises(RecordingError, match=r"a path is asked for, as 'incident\.parquet'"):
            load(nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"not parquet at all", b"PAR1" + bytes(100) + b"PAR1", b"\x80\x04cos\nsystem\n(S'touch /tmp/x'\ntR."]
)
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(RecordingError, match="no recording"):
        load(tmp_path / "a.parquet")


def test_a_truncated_file_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for size in range(0, len(whole), len(whole) // 50):
        saved.write_bytes(whole[:size])
        with pytest.raises(RecordingError):
            load(saved)


def test_a_flipped_byte_is_found_or_harmless(saved: Path) -> None:
    whole = saved.read_bytes()
    for at in range(0, len(whole), 97):
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            journal = load(saved).journal
        except RecordingError:
            continue
        frames.transitions(journal)
        frames.summary(journal)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"time": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(RecordingError, match="not one that tinypool_nb saved"):
        load(tmp_path / "a.parquet")


def forge(path: Path, change: Callable[[pa.Table, dict[str, Any]], pa.Table | None]) -> None:
    """Write the recording again with other rows or another header."""
    header = json.loads(pq.read_metadata(path).metadata[b"tinypool_nb"])
    with pq.ParquetFile(path) as file:
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
    changed = [change(group, header) for group in groups]
    tables = [group if new is None else new for group, new in zip(groups, changed, strict=True)]
    with pq.ParquetWriter(path, tables[0].schema.remove_metadata()) as writer:
        for table in tables:
            if len(table):
                writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata({"tinypool_nb": json.dumps(header)})


def put(table: pa.Table, name: str, value: object) -> pa.Table:
    """The table with the same value in all rows of a column."""
    field = table.schema.field(name)
    column = pa.array([value] * len(table), field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
    return table.set_column(
        table.column_names.index(name), field, column.dictionary_encode() if pa.types.is_dictionary(field.type) else column
    )


def kind_of(table: pa.Table) -> str | None:
    return table.column("kind")[0].as_py() if len(table) else None


def test_a_forged_copy_is_otherwise_read(saved: Path) -> None:
    forge(saved, lambda _table, _header: None)
    load(saved)


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("transition", "change", "IDLE>ASLEEP"),
        ("transition", "change", "IDLE"),
        ("transition", "change", None),
        ("transition", "time_ns", 1_000_000),
        ("transition", "time_ns", -1),
        ("transition", "time_ns", None),
        ("transition", "time", 2**62),
        ("transition", "evidence", "hearsay"),
        ("transition", "channel", 10_000),
        ("transition", "channel", -1),
        ("transition", "time", None),
        ("transition", "reason", None),
        ("transition", "counted", None),
        ("attempt", "outcome", "perhaps"),
        ("attempt", "subchannel", None),
        ("mark", "mark", "graffiti"),
        ("mark", "text", None),
        ("channel", "module", None),
        ("channel", "generation", None),
        ("module", "totals", [1, 2, 3]),
        ("module", "totals", [-1] * NUMBERS),
        ("call", "code", "FINE"),
        ("call", "code", None),
        ("call", "method", None),
        ("call", "start", None),
        ("call", "channel", 10_000),
        ("call", "sent", -1),
        ("call", "received", None),
        ("module", "evidence", None),
        ("module", "change", "IDLE>ASLEEP"),
        ("transition", "kind", "pickle"),
        ("transition", "kind", None),
    ],
)
def test_a_value_that_cannot_be_is_refused(saved: Path, kind: str, column: str, value: object) -> None:
    forge(saved, lambda table, _header: put(table, column, value) if kind_of(table) == kind else None)
    with pytest.raises(RecordingError, match="damaged"):
        load(saved)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("format", "1"),
        ("format", True),
        ("format", None),
        ("format", 0),
        ("saved_at", "now"),
        ("saved_at", 10**30),
        ("history", 1.5),
        ("history", 0),
        ("dropped", []),
        ("dropped", {"transitions": -1, "attempts": 0, "marks": 0, "calls": 0}),
        ("dropped", {"transitions": 0, "attempts": 0, "marks": 0}),
        ("dictionaries", []),
        ("dictionaries", {"transitions": 1}),
        ("dictionaries", {"pickles": {}}),
        ("dictionaries", {"transitions": {"state": ["ASLEEP"]}}),
        ("origin", 1),
        ("whole", 1),
        ("missed", -1),
        ("dictionaries", {"transitions": {"channel": [99_999]}}),
        ("details", None),
    ],
)
def test_a_header_that_cannot_be_is_refused(saved: Path, entry: str, value: object) -> None:
    forge(saved, lambda _table, header: header.update({entry: value}))
    with pytest.raises(RecordingError, match="damaged"):
        load(saved)


def test_a_newer_format_is_refused_with_advice(saved: Path) -> None:
    forge(saved, lambda _table, header: header.update(format=4))
    with pytest.raises(RecordingError, match=r"format 4, this version reads 3; upgrade"):
        load(saved)


@pytest.mark.parametrize("other", [pa.list_(pa.string()), pa.struct({"a": pa.string()}), pa.binary(), pa.map_(pa.string(), pa.int64())])
def test_columns_of_other_types_are_refused(saved: Path, other: pa.DataType) -> None:
    header = {b"tinypool_nb": pq.read_metadata(saved).metadata[b"tinypool_nb"]}
    table = pq.read_table(saved)
    place = table.column_names.index("reason")
    changed = table.set_column(place, pa.field("reason", other), pa.nulls(len(table), other))
    pq.write_table(changed.replace_schema_metadata(header), saved)
    with pytest.raises(RecordingError, match=r"columns|no recording"):
        load(saved)


def test_names_that_look_like_paths_or_objects_are_only_text(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/dev/null", "C:\\con", "cos\nsystem\n(S'id'\ntR.", "{0.__class__}", "%s%n"]
    channels = [ChannelIdentity(number + 1, ModuleKey(name, name), "a:1", 1) for number, name in enumerate(names)]
    journal = filled([Transition(NOW, channel, None, State.IDLE, channel.key.name, Evidence.SEEN) for channel in channels])
    save(journal, tmp_path / "a.parquet")
    assert_same(journal, load(tmp_path / "a.parquet")[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_other_columns_are_refused(saved: Path) -> None:
    forge(saved, lambda table, _header: table.drop_columns(["peer"]))
    with pytest.raises(RecordingError, match="columns"):
        load(saved)


def test_the_journal_alone_loads_no_pyarrow() -> None:
    script = "import sys, tinypool_nb.journal.recording, tinypool_nb.journal.follower; sys.exit('pyarrow' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).returncode
        == 0
    )
