"""Several recordings as one, and ranges of time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.discovering import Known, Standing
from tinypool_nb.core.events import ChannelIdentity, Event, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.tinymodules import TinyModule, Verdict
from tinypool_nb.errors import RecordingError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording import Span, load, save
from tinypool_nb.journal.recording.joining import totals_of
from tinypool_nb.views import frames

Story = Callable[..., list[Event]]
SECOND = 1_000_000_000
IDLE, CONNECTING, READY, SHUTDOWN = State.IDLE, State.CONNECTING, State.READY, State.SHUTDOWN


def channel_of(name: str, number: int = 1) -> ChannelIdentity:
    return ChannelIdentity(number, ModuleKey(None, name), "10.0.0.1:50051", 1)


def journal_of(states: list[tuple[int, State]], name: str = "api", *, end: int, history: int = 1_000) -> Journal:
    """A journal of one module that got into the states at those seconds."""
    journal, previous = Journal(history=history, clock=Clock(end * SECOND, lambda: 0)), None
    for second, state in states:
        journal.append(Transition(second * SECOND, channel_of(name), previous, state, "", Evidence.SEEN))
        previous = state
    return journal


def told(journal: Journal) -> list[tuple[str, int, str | None, str]]:
    rows = journal.since().transitions
    return [
        (str(channel.key), time // SECOND, state and str(state), str(evidence))
        for channel, time, state, evidence in zip(*(rows.values(name) for name in ("channel", "time", "state", "evidence")), strict=True)
    ]


def test_recordings_of_different_times_continue_each_other_with_a_gap(tmp_path: Path) -> None:
    save(journal_of([(10, IDLE), (12, READY)], end=20), tmp_path / "a.parquet")
    save(journal_of([(30, IDLE), (33, READY)], end=40), tmp_path / "b.parquet")
    opened = load(tmp_path / "*.parquet")
    assert told(opened.journal) == [
        ("api", 10, "IDLE", "seen"),
        ("api", 12, "READY", "seen"),
        ("api", 20, None, "gap"),
        ("api", 30, "IDLE", "seen"),
        ("api", 33, "READY", "seen"),
    ]
    summary = frames.summary(opened.journal, now=40 * SECOND).iloc[0]
    assert [summary[name] for name in ("idle", "ready", "gap")] == [5.0, 15.0, 10.0]
    assert opened.details["recordings"] == ["a", "b"]
    assert opened.journal.clock.now() == 40 * SECOND


def test_modules_of_two_that_watched_at_once_are_told_apart(tmp_path: Path) -> None:
    one, other = journal_of([(10, IDLE), (12, READY)], end=20), journal_of([(11, IDLE), (13, READY)], end=22)
    other.append(Transition(14 * SECOND, channel_of("db", 2), None, IDLE, "", Evidence.SEEN))
    for journal in (one, other):
        journal.append(Mark(14 * SECOND, MarkKind.ACTION, "reconnect", ModuleKey(None, "api")))
    save(one, tmp_path / "here.parquet")
    save(other, tmp_path / "there.parquet", details={"options": {"drain": 5.0}})
    opened = load([tmp_path / "here.parquet", tmp_path / "there.parquet"])
    assert [(name, second) for name, second, _, _ in told(opened.journal)] == [
        ("api", 10),
        ("api@there", 11),
        ("api", 12),
        ("api@there", 13),
        ("db", 14),
    ]
    assert [str(key) for key in opened.journal.keys()] == ["api", "api@there", "db"]  # noqa: SIM118 it is no dict
    assert sorted(filter(None, opened.journal.since().marks.values("module"))) == ["api", "api@there"]
    assert opened.details["module_options"]["db"] == {"drain": 5.0}


def test_recordings_of_one_pool_are_put_together_and_rows_in_both_taken_once(story: Story, tmp_path: Path) -> None:
    journal = Journal(history=1_000)
    for number, start in enumerate(range(0, 1_800, 600)):
        for event in story(1_800)[start : start + 600]:
            journal.append(event)
        save(journal, tmp_path / f"{2 - number}.parquet")  # the pattern finds them in another order
    opened = load(str(tmp_path / "?.parquet")).journal
    whole = Journal()
    for event in story(1_800):
        whole.append(event)
    for frame in (frames.transitions, frames.attempts, frames.calls):
        pd.testing.assert_frame_equal(frame(opened), frame(whole), check_categorical=False)
    assert opened.totals().numbers.tolist() == whole.totals().numbers.tolist()


def test_what_is_missing_between_two_recordings_of_one_pool_is_a_gap(tmp_path: Path) -> None:
    journal = journal_of([(10, IDLE), (12, READY)], end=13, history=2)
    save(journal, tmp_path / "a.parquet")
    for second in range(20, 30):
        journal.append(Transition(second * SECOND, channel_of("api"), READY, READY, "", Evidence.SEEN))
    save(journal, tmp_path / "b.parquet")
    opened = load([tmp_path / "a.parquet", tmp_path / "b.parquet"]).journal
    assert [row for row in told(opened) if row[3] == "gap"] == [("api", 13, None, "gap")]


@pytest.mark.parametrize("seed", range(3))
def test_totals_that_are_folded_anew_are_the_same(story: Story, seed: int) -> None:
    journal = Journal()
    for event in story(3_000, seed=seed, modules=30):
        journal.append(event)
    found, expected = totals_of(journal.since()), journal.totals()
    order = [[channel.key for channel in found.channels].index(channel.key) for channel in expected.channels]
    assert found.numbers[order].tolist() == expected.numbers.tolist()
    for name in ("openings", "last_reasons", "losts"):
        assert [getattr(found, name)[place] for place in order] == getattr(expected, name)


def test_a_range_has_what_happened_in_it_and_what_was_before(tmp_path: Path) -> None:
    journal = journal_of([(10, IDLE), (12, CONNECTING), (13, READY), (50, IDLE), (60, READY)], end=100)
    for number, (name, states) in enumerate(
        {"quiet": [(5, IDLE), (6, READY)], "gone": [(5, IDLE), (7, SHUTDOWN)], "new": [(45, IDLE)]}.items()
    ):
        for second, state in states:
            journal.append(Transition(second * SECOND, channel_of(name, number + 2), None, state, "", Evidence.SEEN))
    save(journal, tmp_path / "a.parquet")
    opened = load(tmp_path / "a.parquet", span=Span(40 * SECOND, 55 * SECOND)).journal
    assert sorted(told(opened)) == [
        ("api", 40, "READY", "inferred"),
        ("api", 50, "IDLE", "seen"),
        ("new", 45, "IDLE", "seen"),
        ("quiet", 40, "READY", "inferred"),
    ]
    summary = frames.summary(opened).set_index("module")
    assert (summary["ready"]["api"], summary["idle"]["api"]) == (10.0, 5.0)
    assert opened.clock.now() == 55 * SECOND
    with pytest.raises(RecordingError, match="nothing between"):
        load(tmp_path / "a.parquet", span=Span(start=101 * SECOND))
    with pytest.raises(RecordingError, match="nothing between"):
        load(tmp_path / "a.parquet", span=Span(end=4 * SECOND))


def test_a_range_knows_what_was_quiet_before_the_oldest_row_that_is_left(tmp_path: Path) -> None:
    """The first row of the range says what was before it, and the ledger at the end what did nothing since."""
    journal = Journal(history=100, clock=Clock(1_000 * SECOND, lambda: 0))
    quiet, lost, gone, busy, new = (channel_of(name, number) for number, name in enumerate(("quiet", "lost", "gone", "busy", "new"), 1))
    for channel in (quiet, lost, gone):
        journal.append(Transition(5 * SECOND, channel, None, READY, "", Evidence.SEEN))
    journal.append(Transition(6 * SECOND, gone, READY, SHUTDOWN, "", Evidence.SEEN))
    for second in range(10, 510):
        journal.append(Transition(second * SECOND, busy, (IDLE, READY)[second % 2], (READY, IDLE)[second % 2], "", Evidence.SEEN))
    journal.append(Transition(520 * SECOND, lost, READY, IDLE, "a peer that went", Evidence.SEEN))
    journal.append(Transition(530 * SECOND, new, None, IDLE, "", Evidence.SEEN))
    save(journal, tmp_path / "a.parquet")
    assert sorted(told(load(tmp_path / "a.parquet", span=Span(508 * SECOND, 600 * SECOND)).journal)) == [
        ("busy", 508, "IDLE", "inferred"),
        ("busy", 508, "READY", "seen"),
        ("busy", 509, "IDLE", "seen"),
        ("lost", 508, "READY", "inferred"),
        ("lost", 520, "IDLE", "seen"),
        ("new", 530, "IDLE", "seen"),
        ("quiet", 508, "READY", "inferred"),
    ]
    # before the oldest row that is left nobody knows in what `lost` was, but `quiet` is as it was all along
    first = load(tmp_path / "a.parquet", span=Span(20 * SECOND, 600 * SECOND)).journal
    assert [row for row in told(first) if row[1] == 20] == [("quiet", 20, "READY", "inferred")]


def test_a_range_of_two_recordings_of_one_pool_is_that_of_the_later_one(tmp_path: Path) -> None:
    journal = journal_of([(10, IDLE), (12, READY), (18, CONNECTING)], end=20)
    save(journal, tmp_path / "a.parquet")
    journal.append(Transition(22 * SECOND, channel_of("api"), CONNECTING, READY, "", Evidence.SEEN))
    save(journal, tmp_path / "b.parquet")
    span = Span(15 * SECOND, 20 * SECOND)
    both, later = (load(paths, span=span).journal for paths in (tmp_path / "?.parquet", tmp_path / "b.parquet"))
    assert told(both) == told(later) == [("api", 15, "READY", "inferred"), ("api", 18, "CONNECTING", "seen")]


def test_row_groups_outside_a_range_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinypool_nb.journal.recording.writing.GROUP", 100)
    states = [(second, (READY, IDLE)[second % 2]) for second in range(1_000)]
    save(journal_of(states, end=1_000), tmp_path / "a.parquet")
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group

    def counting(file: pq.ParquetFile, number: int, **more: object) -> object:
        read.append(number)
        return plain(file, number, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counting)
    opened = load(tmp_path / "a.parquet", span=Span(500 * SECOND, 520 * SECOND)).journal
    assert [second for _, second, _, _ in told(opened)] == [500, *range(500, 521)]
    groups = pq.read_metadata(tmp_path / "a.parquet").num_row_groups
    assert groups > 10
    assert len(read) <= 5  # the channels, the module, the one of the range and the one before it


def test_resources_come_back_as_they_were_last_known(tmp_path: Path) -> None:
    def known(uid: str, seen: int, version: str) -> Known:
        module = TinyModule(
            namespace="tinysystems",
            name="<b>http</b>",
            uid=uid,
            resource_version="41",
            address="10.0.0.1:50051",
            version=version,
            sdk_version="",
            components=("router", "☃"),
            labels=(("tier", "web=1"), ("a", "")),
            verdict=Verdict.USABLE,
            reason="",
        )
        return Known(module, module.address, Standing.REGISTERED, "", seen)

    for name, seen in (("a", 5), ("b", 7)):
        save(journal_of([], end=10), tmp_path / f"{name}.parquet", resources=[known("1", seen, f"1.{seen}"), known("2", 6, "2")])
    assert load(tmp_path / "a.parquet").resources == (known("1", 5, "1.5"), known("2", 6, "2"))
    assert load(tmp_path / "*.parquet").resources == (known("1", 7, "1.7"), known("2", 6, "2"))


def test_a_pattern_that_finds_nothing_and_an_empty_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no recording is found by that pattern"):
        load(tmp_path / "*.parquet")
    with pytest.raises(RecordingError, match="empty list"):
        load([])


def test_a_small_file_cannot_claim_to_be_a_large_one(tmp_path: Path) -> None:
    save(journal_of([(10, IDLE)], end=20), tmp_path / "a.parquet")
    whole = pq.read_table(tmp_path / "a.parquet")
    header = {b"tinypool_nb": pq.read_metadata(tmp_path / "a.parquet").metadata[b"tinypool_nb"]}
    bomb = whole.filter(whole.column("kind").to_numpy() == "transition").take(np.zeros(1 << 20, np.int64))
    pq.write_table(bomb.replace_schema_metadata(header), tmp_path / "b.parquet", row_group_size=1 << 20, compression="zstd")
    assert (tmp_path / "b.parquet").stat().st_size < 120_000
    with pytest.raises(RecordingError, match=r"claims to have 1,048,576 rows"):
        load(tmp_path / "b.parquet")
