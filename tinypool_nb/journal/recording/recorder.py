"""Continuous recording: what a journal gets is on the disk a few seconds later, and one file in the end.

A Parquet file has its footer, without which nothing of it can be read, only when it is closed. So a recording that goes on is a folder,
`<path>.partial`, of small Parquet files that are whole, each flushed to the disk and only then given its name. A kill -9, a loss of
power or a full disk costs what came after the last of them and nothing else. When there are MERGED of them they are merged into one, and
MERGED of those again, so a week is some dozens of files, and every row is rewritten a few times at most. `close` merges all into the one
file `<path>`, which is what a person sends to a colleague, and only when that is on the disk the folder goes.

The other ways were worse: a footer rewritten after each group grows with their number, so a day of them is gigabytes; a footer beside the
file makes two files that must never be parted; an Arrow stream would be a second format to read, to check and to explain.

The thread is the recorder's own: a disk that hangs delays neither a call nor a live view. It holds a row group of GROUP rows at
most, and the identity of each channel that ever was; what waits to be written waits in the journal, which is bounded, and what goes from
there is counted.
"""

import atexit
import fcntl
import logging
import os
import queue
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self

from tinypool_nb.core.discovering import Known
from tinypool_nb.core.events import MarkKind
from tinypool_nb.errors import RecordingPathError, shown
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import START, Batch, Journal, Position
from tinypool_nb.journal.recording.header import Header, header_of
from tinypool_nb.journal.recording.layout import GROUP, TABLES
from tinypool_nb.journal.recording.sources import LOCK, goes_on, part_name, parts_folder
from tinypool_nb.journal.recording.writing import (
    channel_group,
    merged_groups,
    resources_group,
    row_groups,
    sync_folder,
    totals_group,
    write_file,
)
from tinypool_nb.journal.tables import Dictionary

if TYPE_CHECKING:
    import pyarrow as pa

EVERY = 2.0
"""Seconds between two parts at the least: what a kill -9 can cost."""
MERGED = 16
"""Parts that are merged into one."""

SETTLING = 2.0
"""Seconds at most for the last rows of a pool that nobody holds any more."""

log = logging.getLogger("tinypool_nb.journal")

State = Literal["recording", "closed", "stopped"]


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How a recording is getting on."""

    path: str
    state: State
    """`stopped`: it could not go on; what was written is there and opens as partial."""
    rows: int
    """Rows that are on the disk."""
    size: int
    """Bytes that they take there."""
    missed: int
    """Rows that left the bounded journal before they could be written."""
    written_at: int
    """Up to when the record is on the disk, nanoseconds since 1970 UTC."""
    error: str
    """Why it stopped; "" if it did not."""

    def __str__(self) -> str:
        told = f"{self.path}: {self.state}, {self.rows:,} rows in {self.size / 1e6:.1f} MB"
        missed = f", {self.missed:,} rows missed" if self.missed else ""
        return f"{told}{missed}{f' ({self.error}); what was written opens as partial' if self.error else ''}"


class Recorder:
    """Writes what a journal has and gets, until `close`. A context manager.

    If it cannot go on, as on a full disk, it stops, a mark says so, and what is observed goes on as ever.

    Args:
        journal: what is recorded, all rows that it still has included.
        follower: says when there is something new; it is not kept alive.
        path: the file that it becomes.
        details: what the recording says about itself.
        resources: what a discovery knows.
        every: seconds between two parts at the least.
        replace: put it in the place of a file there, and of what an earlier recording left.

    Raises:
        RecordingPathError: there is such a file, or a recording that goes on or was not closed.
        OSError: it cannot be written there.

    >>> import tempfile
    >>> from tinypool_nb.journal.recording import load
    >>> journal = Journal()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Recorder(journal, Follower(journal), Path(folder) / "a.parquet", details=dict) as recorder:
    ...         _ = journal.mark("deployed v2")
    ...     recorder.status.state, load(recorder.path).journal.position().marks
    ('closed', 1)
    """

    def __init__(
        self,
        journal: Journal,
        follower: Follower,
        path: str | os.PathLike[str],
        *,
        details: Callable[[], Mapping[str, object]],
        resources: Callable[[], Iterable[Known]] = tuple,
        every: float = EVERY,
        replace: bool = False,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 resolve() would follow a link that a person means; the folder may change later
        self._folder = parts_folder(self.path)
        self._journal = journal
        self._follower = weakref.ref(follower)  # which holds this recorder: it is for its pool to keep it
        self._details = details
        self._resources = resources
        self._every = every
        self._replace = replace
        self._pid = os.getpid()
        self._position: Position = START
        self._channels = Dictionary()
        self._known_channels = 0
        self._written = dict.fromkeys(TABLES, 0)  # rows on the disk
        self._waiting = 0  # rows that came since the last part, about
        self._parts: list[list[Path]] = [[]]  # by how often they were merged
        self._sizes: dict[Path, int] = {}
        self._numbers: dict[Path, tuple[int, int]] = {}
        self._next = 0
        self._told_resources: tuple[Known, ...] = ()
        self._status = RecorderStatus(str(self.path), "recording", 0, 0, 0, 0, "")
        self._closing = self._orphaned = False
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()  # a SimpleQueue, so that the garbage collector may put into it
        self._mutex = self._make_place(replace=replace)
        try:
            self._write_part(journal.since(START))  # at the door: a path that cannot be written to is told here
        except BaseException:
            self._mutex.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._atexit = _at_exit(self)
        self._thread = threading.Thread(target=self._work, name="tinypool-recorder", daemon=True)
        self._thread.start()
        with suppress(RuntimeError):  # its pool is closed: this is all there is
            follower.add(self._hear, since=self._position)

    @property
    def status(self) -> RecorderStatus:
        """How it is getting on."""
        return self._status

    def close(self, timeout: float = 60.0) -> RecorderStatus:
        """Write what is left, make one file of it, and end. May be called twice; never raises for what the disk does: the status tells.

        Args:
            timeout: seconds to wait at the most; after them a slow disk is left to the thread, which ends by itself.
        """
        if os.getpid() != self._pid:
            return self._status  # a copy in a fork: the recording is the parent's
        self._deafen()
        self._closing = True
        self._bell.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return self._status

    def end_with(self, owner: object) -> None:
        """Close soon after `owner`, which it does not keep alive, is gone."""
        weakref.finalize(owner, self._end).atexit = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Recorder {self._status}>"

    def _end(self) -> None:
        """What a finalizer does, which may run in the midst of anything: it waits for nothing."""
        self._orphaned = self._closing = True
        self._bell.put(None)

    def _deafen(self) -> None:
        follower = self._follower()
        if follower is not None:
            follower.remove(self._hear)

    def _hear(self, batch: Batch) -> None:
        self._waiting += len(batch)
        self._bell.put(None)

    def _work(self) -> None:
        """The thread: a part every now and then, and in the end one file."""
        try:
            while not self._closing:
                self._bell.get()
                self._rest()
                self._write_part(self._journal.since(self._position))
            if self._orphaned:
                self._let_settle()
            self._write_part(self._journal.since(self._position))
            self._finish()
        except Exception as error:  # noqa: BLE001 a full disk, or whatever it is: who records never breaks the recorded
            self._stop(error)
        finally:
            fcntl.flock(self._mutex, fcntl.LOCK_UN)  # closed alone, it would stay locked by a fork, which has it too
            self._mutex.close()
            atexit.unregister(self._atexit)

    def _let_settle(self) -> None:
        """Of a pool that was forgotten the last rows come while its channels are closed."""
        position, deadline = None, time.monotonic() + SETTLING
        while position != (position := self._journal.position()) and time.monotonic() < deadline:
            time.sleep(SETTLING / 10)

    def _rest(self) -> None:
        """Wait until the next part is due, or large enough, or the last."""
        due = time.monotonic() + self._every
        while not self._closing and self._waiting < min(GROUP, self._journal.history // 16):
            left = due - time.monotonic()
            if left <= 0:
                break
            with suppress(queue.Empty):
                self._bell.get(timeout=left)
        with suppress(queue.Empty):
            while True:
                self._bell.get_nowait()

    def _make_place(self, *, replace: bool) -> BinaryIO:
        """Make the folder of the parts, and lock it for as long as this process lives."""
        if self.path.is_dir():
            raise RecordingPathError(self.path, "it is a folder", "name a file in it")
        if self.path.exists() and not replace:
            raise RecordingPathError(self.path, "there is such a file already", "replace=True puts the recording in its place")
        if self._folder.exists():
            if goes_on(self._folder):
                raise RecordingPathError(self.path, "it is being recorded already", "record to another path, or close that recording first")
            if not replace:
                raise RecordingPathError(
                    self.path,
                    f"{self._folder.name} is there, of a recording that was not closed",
                    "open_recording opens it, and save() of what is opened makes one file of it; replace=True throws it away",
                )
            shutil.rmtree(self._folder)
        self._folder.mkdir()
        sync_folder(self._folder.parent)
        lock = (self._folder / LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock

    def _write_part(self, batch: Batch, saved_at: int | None = None) -> None:
        """Write what is new, if anything is; it was taken at `saved_at`, or just now."""
        self._waiting = 0
        saved_at = self._journal.clock.now() if saved_at is None else saved_at
        if not len(batch) and self._next and not batch.dropped:
            return
        if batch.dropped and self._next:
            missed = self._status.missed + batch.dropped
            self._change(missed=missed)
            self._journal.mark(f"the recording {self.path.name} missed {batch.dropped:,} rows", kind=MarkKind.RECORD)
        told = self._news_of_resources(batch)
        path = self._folder / part_name(self._next, self._next)
        written = {name: self._written[name] + len(getattr(batch, name)) for name in TABLES}
        header = self._header(batch.position, written, whole=False, saved_at=saved_at)
        groups = list(row_groups(batch, self._channels)) if len(batch) <= GROUP else row_groups(batch, self._channels)

        def all_groups() -> "Iterator[pa.Table]":
            yield from groups
            yield channel_group(self._channels.values[self._known_channels :])  # behind the rows, which bring them
            if told is not None:
                yield resources_group(told)

        self._sizes[path] = write_file(path, all_groups(), header)
        self._numbers[path] = (self._next, self._next)
        self._parts[0].append(path)
        self._next += 1
        self._position, self._written = batch.position, written
        self._known_channels = len(self._channels.values)
        self._told_resources = self._told_resources if told is None else told
        self._change(rows=sum(written.values()), written_at=header.saved_at)
        self._merge()

    def _news_of_resources(self, batch: Batch) -> tuple[Known, ...] | None:
        """What a discovery knows, if it is another than what was written; it is looked at when a mark of a discovery came."""
        kinds = batch.marks.categories["kind"].members
        if self._next and kinds.index(MarkKind.DISCOVERY) not in batch.marks.columns["kind"] and not self._closing:
            return None
        known = tuple(self._resources())
        return None if known == self._told_resources else known

    def _merge(self) -> None:
        """Merge parts where there are enough of one size."""
        for level, parts in enumerate(self._parts):
            if len(parts) < MERGED:
                return
            if level + 1 == len(self._parts):
                self._parts.append([])
            numbers = self._numbers[parts[0]][0], self._numbers[parts[-1]][1]
            path = self._folder / part_name(*numbers)
            header = self._header(self._position, self._written, whole=False, saved_at=self._status.written_at)
            self._sizes[path] = write_file(path, merged_groups(parts), header)
            self._numbers[path] = numbers
            self._parts[level + 1].append(path)
            for part in parts:
                part.unlink()
                del self._sizes[part], self._numbers[part]
            parts.clear()
            self._change()

    def _finish(self) -> None:
        """Make one file of all parts, with the totals at the end."""
        batch, totals = self._journal.snapshot(self._position)
        saved_at = self._journal.clock.now()  # of what comes while it is written it does not speak
        self._write_part(batch, saved_at)  # what came in between, so that rows and totals are of the same moment
        parts = [part for level in reversed(self._parts) for part in level]
        known = len(self._channels.values)
        modules = totals_group(totals, self._channels)

        def all_groups() -> "Iterator[pa.Table]":
            yield from merged_groups(parts, kinds=("channel",))
            yield channel_group(self._channels.values[known:])
            yield from merged_groups(parts, kinds=(layout.kind for layout in TABLES.values()))
            yield modules
            yield resources_group(tuple(self._resources()))

        if self.path.exists() and not self._replace:  # it came while this was recorded, so it is somebody else's
            advice = f"save what opens as {self._folder.name} to another path"
            raise RecordingPathError(self.path.name, "there is such a file by now", advice)
        header = self._header(self._position, self._written, whole=True, saved_at=saved_at)
        size = write_file(self.path, all_groups(), header, within=self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._sizes = {self.path: size}
        self._change(state="closed")

    def _header(self, position: Position, written: Mapping[str, int], *, whole: bool, saved_at: int) -> Header:
        dropped = {name: getattr(position, name) - written[name] for name in TABLES}
        return header_of(self._journal, self._details(), dropped, missed=self._status.missed, whole=whole, saved_at=saved_at)

    def _stop(self, error: Exception) -> None:
        self._deafen()
        why = f"{type(error).__name__}: {shown(str(error), most=200)}"
        if isinstance(error, OSError) and error.strerror:
            why = error.strerror
        elif isinstance(error, RecordingPathError):
            why = str(error)
        self._change(state="stopped", error=why)
        log.error("the recording %s stopped: %s; what was written opens as partial", self.path.name, why)
        self._journal.mark(f"the recording {self.path.name} stopped: {why}", kind=MarkKind.RECORD)

    def _change(self, **changes: Any) -> None:
        self._status = changed(self._status, size=sum(self._sizes.values()), **changes)


def _at_exit(recorder: Recorder) -> Callable[[], object]:
    """Close a recording whose interpreter ends; a handler that does not keep it alive."""
    reference = weakref.ref(recorder)

    def close() -> None:
        alive = reference()
        if alive is not None:
            alive.close()

    atexit.register(close)
    return close
