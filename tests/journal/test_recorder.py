"""What a recording that goes on leaves behind, whatever happens to it."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.events import Event, MarkKind
from tinypool_nb.errors import RecordingError, RecordingPathError
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording import load, save, sources
from tinypool_nb.journal.recording.recorder import MERGED, Recorder
from tinypool_nb.journal.recording.sources import parts_folder, parts_in
from tinypool_nb.views import frames

Story = Callable[..., list[Event]]
FRAMES = (frames.transitions, frames.attempts, frames.intervals, frames.summary, frames.marks, frames.calls)
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def about() -> dict[str, object]:
    return {"options": {"drain": 30.0}}


def recorder_of(journal: Journal, follower: Follower, path: Path, **more: object) -> Recorder:
    return Recorder(journal, follower, path, details=about, **{"every": 0.01, **more})  # type: ignore[arg-type]


def write_parts(recorder: Recorder, journal: Journal, events: list[Event], count: int) -> None:
    """Append the events in so many batches, each of which becomes a part."""
    size = -(-len(events) // count)
    for start in range(0, len(events), size):
        for event in events[start : start + size]:
            journal.append(event)
        reached, deadline = sum(journal.position()), threading.Event()
        for _ in range(2_000):
            if recorder.status.rows >= reached:
                break
            deadline.wait(0.005)
        assert recorder.status.rows >= reached


def assert_alike(one: Journal, other: Journal, *, but_marks: bool = False) -> None:
    """The same rows and figures; categories come in another order."""
    for frame in FRAMES:
        if not (but_marks and frame is frames.marks):
            now = {"now": one.clock.now()} if frame is frames.summary else {}
            pd.testing.assert_frame_equal(frame(one, **now), frame(other, **now), check_categorical=False)


def test_it_becomes_one_file_with_all_that_the_journal_has(story: Story, tmp_path: Path) -> None:
    journal, events = Journal(), story(3_000, modules=30)
    follower = Follower(journal)
    for event in events[:1_000]:
        journal.append(event)  # before it began
    with recorder_of(journal, follower, tmp_path / "a.parquet") as recorder:
        write_parts(recorder, journal, events[1_000:], MERGED + 3)
        assert len(parts_in(parts_folder(recorder.path))) < MERGED
    follower.close()
    assert recorder.status.state == "closed"
    assert list(tmp_path.iterdir()) == [recorder.path]
    opened = load(recorder.path)
    assert opened.details == about()
    assert_alike(journal, opened.journal)
    assert opened.journal.position() == journal.position()
    assert recorder.status.rows == sum(journal.position())
    assert recorder.status.size == recorder.path.stat().st_size


def test_what_is_not_closed_opens_as_partial_and_can_be_saved(story: Story, tmp_path: Path) -> None:
    journal, events = Journal(), story(2_000, modules=20)
    follower = Follower(journal)
    path = tmp_path / "a.parquet"
    with recorder_of(journal, follower, path) as recorder:
        write_parts(recorder, journal, events, MERGED + 5)
        opened = load(path)
        assert opened.details["partial"] == "a: was still going on"
        assert_alike(journal, opened.journal, but_marks=True)
        assert list(opened.journal.since().marks.values("text"))[-1] == "the recording ends here: it went on when it was opened"
        assert load(parts_folder(path)).journal.position() == opened.journal.position()
        assert "recordings" not in load(tmp_path / "*").details, "the folder and what it becomes are one"
        save(opened.journal, tmp_path / "b.parquet", details=opened.details)
        assert load(tmp_path / "b.parquet").details["partial"] == "a: was still going on"
    follower.close()


SCRIPT = """
import sys, threading
sys.path.insert(0, sys.argv[2])
from conftest import _story
from pathlib import Path
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording.recorder import Recorder

journal = Journal()
follower = Follower(journal)
recorder = Recorder(journal, follower, sys.argv[1], details=dict, every=0.01)
while True:
    for event in _story(200):
        journal.append(event)
    threading.Event().wait(0.02)
    print(recorder.status.rows, recorder.status.state, flush=True)
"""


@pytest.fixture
def child(tmp_path: Path) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "a.parquet"), str(Path(__file__).parent)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


@pytest.mark.slow
def test_a_kill_costs_only_what_was_not_yet_written(child: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with child:
        assert child.stdout is not None
        written = 0
        while written < 6_000:  # some merging included
            written = int(child.stdout.readline().split()[0])
        child.send_signal(signal.SIGKILL)
    opened = load(tmp_path / "a.parquet")
    assert sum(opened.journal.position()) >= written
    assert opened.details["partial"]
    frames.summary(opened.journal)
    with pytest.raises(RecordingPathError, match="was not closed"):
        Recorder(Journal(), Follower(Journal()), tmp_path / "a.parquet", details=dict)
    journal = Journal()
    with recorder_of(journal, Follower(journal), tmp_path / "a.parquet", replace=True) as recorder:
        pass
    assert recorder.status.state == "closed"


FULL = """
import resource, sys, threading
sys.path.insert(0, sys.argv[2])
from conftest import _story
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording.recorder import Recorder

journal = Journal()
follower = Follower(journal)
heard = threading.Event()
recorder = Recorder(journal, follower, sys.argv[1], details=dict, every=0.01)
for event in _story(300):
    journal.append(event)
while recorder.status.rows < sum(journal.position()):
    threading.Event().wait(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
for event in _story(300):
    journal.append(event)
written = recorder.status.rows
while recorder.status.state == "recording":
    threading.Event().wait(0.01)
follower.add(lambda batch: heard.set())
journal.mark("life goes on")
assert heard.wait(5)
print(written)
print(recorder.status)
print([text for text in journal.since().marks.values("text") if "stopped" in text])
print(recorder.close().state)
"""


def test_on_a_full_disk_it_stops_and_says_so_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
        timeout=30,
    )
    reason = os.strerror(errno.EFBIG)
    written, status, marks, state = done.stdout.splitlines()
    assert f"stopped, {written} rows in 0.0 MB ({reason}); what was written opens as partial" in status
    assert f"the recording a.parquet stopped: {reason}" in marks
    assert state == "stopped"
    assert reason in done.stderr  # the log
    opened = load(path)
    assert sum(opened.journal.position()) == int(written) + 1  # and the mark of its end
    assert not [left for left in parts_folder(path).iterdir() if left.name.endswith(".unfinished")]


def test_rows_that_went_before_they_were_written_are_counted(story: Story, tmp_path: Path) -> None:
    journal, events = Journal(history=1_000), story(6_000)
    follower = Follower(journal)
    with recorder_of(journal, follower, tmp_path / "a.parquet") as recorder:
        journal.mark("first")
        write_parts(recorder, journal, story(5, seed=3), 1)
        follower.remove(recorder._hear)  # as a disk that hangs: it does not hear of what comes
        for event in events:
            journal.append(event)
    missed = recorder.status.missed
    assert missed > 1_000
    opened = load(tmp_path / "a.parquet").journal
    told = [text for text in opened.since().marks.values("text") if re.fullmatch(r"the recording a\.parquet missed [\d,]+ rows", text)]
    assert told == [f"the recording a.parquet missed {missed:,} rows"]
    assert opened.totals().numbers.tolist() == journal.totals().numbers.tolist()  # what was missed is in the totals all the same
    assert str(recorder.status).endswith(f", {missed:,} rows missed")
    follower.close()


def test_one_path_is_recorded_to_once(tmp_path: Path) -> None:
    journal = Journal()
    follower = Follower(journal)
    with recorder_of(journal, follower, tmp_path / "a.parquet"):
        for replace in (False, True):
            with pytest.raises(RecordingPathError, match="being recorded already"):
                recorder_of(journal, follower, tmp_path / "a.parquet", replace=replace)
        with recorder_of(journal, follower, tmp_path / "b.parquet"):
            pass
    with pytest.raises(RecordingPathError, match=r"such a file already; replace=True"):
        recorder_of(journal, follower, tmp_path / "a.parquet")
    with recorder_of(journal, follower, tmp_path / "a.parquet", replace=True):
        journal.mark("anew")
    assert load(tmp_path / "a.parquet").journal.position().marks == 1
    follower.close()


def test_a_file_that_came_meanwhile_is_not_overwritten(story: Story, tmp_path: Path) -> None:
    journal = Journal()
    follower = Follower(journal)
    recorder = recorder_of(journal, follower, tmp_path / "a.parquet")
    for event in story(500):
        journal.append(event)
    (tmp_path / "a.parquet").write_text("somebody else's")
    status = recorder.close()
    assert (status.state, status.missed) == ("stopped", 0)
    assert status.error == "cannot record to 'a.parquet': there is such a file by now; save what opens as a.parquet.partial to another path"
    assert (tmp_path / "a.parquet").read_text() == "somebody else's"
    opened = load(tmp_path / "a.parquet.partial").journal
    assert opened.totals().numbers.tolist() == journal.totals().numbers.tolist()
    assert opened.position().transitions == journal.position().transitions
    follower.close()


def test_what_cannot_be_written_is_told_at_the_door(tmp_path: Path) -> None:
    journal = Journal()
    with pytest.raises(FileNotFoundError):
        recorder_of(journal, Follower(journal), tmp_path / "nowhere" / "a.parquet")
    with pytest.raises(TypeError):
        Recorder(journal, Follower(journal), tmp_path / "a.parquet", details=lambda: {"options": object()})
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file_to_replace(tmp_path: Path) -> None:
    journal = Journal()
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(RecordingPathError, match="it is a folder"):
        recorder_of(journal, Follower(journal), tmp_path / "a.parquet", replace=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fork_does_not_keep_the_place_of_a_recording_that_stopped(tmp_path: Path) -> None:
    full = threading.Event()

    def details() -> dict[str, object]:
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return {}

    journal = Journal()
    follower = Follower(journal)
    recorder = Recorder(journal, follower, tmp_path / "a.parquet", details=details)
    copy = os.dup(recorder._mutex.fileno())  # as a fork has it
    try:
        full.set()
        journal.mark("what does not fit")
        assert recorder.close().state == "stopped"
        full.clear()
        with recorder_of(journal, follower, recorder.path, replace=True) as following:
            pass
        assert following.status.state == "closed"
    finally:
        os.close(copy)
        follower.close()


def test_it_speaks_up_to_its_last_row_however_slow_the_disk_is(tmp_path: Path) -> None:
    now = [0]

    def details() -> dict[str, object]:
        now[0] += 10  # what is asked for as a file begins stands for the time that writing takes
        return {}

    journal = Journal(clock=Clock(1_000, lambda: now[0]))
    recorder = Recorder(journal, Follower(journal), tmp_path / "a.parquet", details=details)
    recorder.close()
    assert load(recorder.path).journal.clock.now() == 1_000 + now[0] - 10


def test_a_recording_that_was_to_replace_another_one_is_opened_in_its_place(tmp_path: Path) -> None:
    journal = Journal()
    follower = Follower(journal)
    save(journal, tmp_path / "a.parquet")
    with recorder_of(journal, follower, tmp_path / "a.parquet", replace=True) as recorder:
        journal.mark("anew")
        for _ in range(2_000):
            if recorder.status.rows:
                break
            threading.Event().wait(0.005)
        opened = load(recorder.path)  # as after a kill
        assert next(iter(opened.journal.since().marks.values("text"))) == "anew"
        assert opened.details["partial"] == "a: was still going on"
        shutil.copytree(parts_folder(recorder.path), tmp_path / "kept")
    follower.close()
    (tmp_path / "kept").rename(parts_folder(recorder.path))  # as if it had been killed before it removed them
    assert "partial" not in load(recorder.path).details
    (parts_folder(recorder.path) / "part-00000000-00000000.parquet").unlink()
    assert "partial" not in load(recorder.path).details


def test_a_part_that_is_missing_is_told(story: Story, tmp_path: Path) -> None:
    journal = Journal()
    follower = Follower(journal)
    with recorder_of(journal, follower, tmp_path / "a.parquet") as recorder:
        write_parts(recorder, journal, story(100), 5)
        shutil.copytree(parts_folder(recorder.path), parts_folder(tmp_path / "b.parquet"))
    follower.close()
    parts = parts_in(parts_folder(tmp_path / "b.parquet"))
    parts[2].unlink()
    with pytest.raises(RecordingError, match=r"part 2 .*missing"):
        load(tmp_path / "b.parquet")


def test_one_that_is_closed_while_it_is_looked_for_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal()
    recorder = recorder_of(journal, Follower(journal), tmp_path / "a.parquet")

    def closed_meanwhile(folder: Path) -> tuple[Path, ...]:
        recorder.close()
        folder.mkdir(exist_ok=True)  # it goes last
        return ()

    monkeypatch.setattr(sources, "parts_in", closed_meanwhile)
    assert "partial" not in load(recorder.path).details


def test_an_empty_recording_opens(tmp_path: Path) -> None:
    journal = Journal()
    with recorder_of(journal, Follower(journal), tmp_path / "a.parquet") as recorder:
        assert load(recorder.path).journal.position().marks == 1
    assert sum(load(recorder.path).journal.position()) == 0


def test_one_whose_owner_is_forgotten_ends_by_itself(tmp_path: Path) -> None:
    class Owner:
        pass

    journal, owner = Journal(), Owner()
    recorder = recorder_of(journal, Follower(journal), tmp_path / "a.parquet")
    recorder.end_with(owner)
    journal.mark("last words", kind=MarkKind.NOTE)
    del owner
    recorder._thread.join(10)
    assert recorder.status.state == "closed"
    assert load(recorder.path).journal.position().marks == 1


def test_parts_whose_merging_was_interrupted_are_read_once(story: Story, tmp_path: Path) -> None:
    journal = Journal()
    follower = Follower(journal)
    with recorder_of(journal, follower, tmp_path / "a.parquet") as recorder:
        write_parts(recorder, journal, story(900), MERGED - 2)
        folder = parts_folder(recorder.path)
        copies = {part.name: part.read_bytes() for part in parts_in(folder)}
        write_parts(recorder, journal, story(300, seed=2), 5)
        before = load(folder).journal.position()
        for name, content in copies.items():  # as if they had not been removed yet
            (folder / name).write_bytes(content)
        assert load(folder).journal.position() == before
        (folder / "part-00000000-00000015.parquet").write_bytes(b"PAR1 cut off")
        with pytest.raises(RecordingError, match="cut off or damaged"):
            load(folder)
    follower.close()
