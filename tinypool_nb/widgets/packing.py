"""What the live timeline sends to the browser: a short JSON head and one buffer of records, 18 bytes a transition.

Texts travel once: a record names its channel and its reason by number, and the head brings those that are new. Times are
float64 nanoseconds since the `epoch` that the snapshot states: whole and exact for 104 days, to a microsecond for 285 years.
`live/store.js` is the reader; `tests/vectors/packing.json` holds both to one form.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import CODE_OF, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.journal.journal import Batch
from tinypool_nb.journal.kinds import mark_events
from tinypool_nb.journal.tables import Rows
from tinypool_nb.views.wording import cut, one_line

VERSION = 1
"""Of the form of the messages."""
MOST_MARKS = 1_000
"""Marks of a snapshot; the newest are sent."""
LOOK_BACK = 10_000
"""Rows, beside those that a snapshot shows, in which it looks for what came before: it takes the same time however long the record is."""

RECORD = np.dtype([("time", "<f8"), ("channel", "<u4"), ("reason", "<u4"), ("state", "i1"), ("inferred", "u1")])
"""One transition: nanoseconds since the epoch, numbers of its channel and of its reason, code of the state (-1: a gap), 1 if inferred."""

_SECOND = 1_000_000_000
_REASON_LENGTH = 400
_INFERRED = list(Evidence).index(Evidence.INFERRED)


class Head(TypedDict, total=False):
    """The JSON of a message. The lists hold what is new since the message before, and are left out if nothing is."""

    version: int
    type: Literal["snapshot", "delta", "end"]
    """A snapshot replaces all that was sent before; after an end nothing changes any more."""
    epoch: int
    """Seconds since 1970-01-01 UTC; only in a snapshot."""
    now: int
    """The record's clock when the message was made, nanoseconds since the epoch."""
    lanes: list[str]
    """The shown keys of modules, in the order of their numbers, from 0; foreign text."""
    channels: list[tuple[int, str, str, int]]
    """Lane, address, transport and generation of channels, in the order of their numbers."""
    reasons: list[str]
    """In the order of their numbers; 0 is "", and is never sent."""
    marks: list[tuple[int, int, str, str]]
    """Time, lane (-1: all modules), kind and text."""
    older: int
    """How many older changes a snapshot leaves out, those that the record has no more included."""
    closed: bool
    """Whether the record has ended already; only in a snapshot."""


class Message(NamedTuple):
    """One message to the browser."""

    head: Head
    records: bytes
    """An array of RECORD."""


class Packing:
    """Packs a snapshot and then what follows it; for a new snapshot a new one is made.

    Args:
        epoch: what times count from, whole seconds since 1970-01-01 UTC.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
    >>> from tinypool_nb.core.states import State
    >>> from tinypool_nb.journal.journal import Journal
    >>> journal = Journal()
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> journal.append(Transition(5_000_000_000, channel, None, State.IDLE, "", Evidence.SEEN))
    >>> message = Packing(4).snapshot(*journal.snapshot(), now=6_000_000_000, history=1000)
    >>> message.head["lanes"], message.head["now"], np.frombuffer(message.records, RECORD)["time"].tolist()
    (['http-module-v1'], 2000000000, [1000000000.0])
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._lanes: dict[ModuleKey, int] = {}
        self._channels: dict[ChannelIdentity, int] = {}
        self._reasons: dict[str, int] = {"": 0}
        self._new = Head()

    @property
    def texts(self) -> int:
        """How many texts the browser has to remember; for who must bound them."""
        return len(self._channels) + len(self._reasons)

    def snapshot(self, batch: Batch, totals: Totals, *, now: int, history: int) -> Message:
        """All modules, the newest `history` changes that began an interval, and what each module was in before those.

        Args:
            batch: all rows that the journal has.
            totals: as of the same moment.
            now: nanoseconds since 1970-01-01 UTC.
            history: changes at most.
        """
        for channel in totals.channels:
            self._lane(channel.key)
        rows = batch.transitions
        far = max(0, len(rows) - 2 * history - LOOK_BACK)
        counted = far + np.flatnonzero(rows.columns["counted"][far:])
        older, newer = np.split(counted, [max(0, len(counted) - history)])
        channels = self._codes(rows, "channel", counted, self._channel)
        lanes = self._lane_of_channel()[channels]
        before = np.full(len(self._lanes), -1)
        before[lanes[: len(older)]] = older  # of equal places the last one stays: what the lane was in when the kept ones begin
        is_known = before >= 0
        is_known[lanes[len(older) :]] = True
        openings = [row for row in totals.openings if row is not None and not is_known[self._lanes[row.channel.key]]]
        records = [self._records(openings), self._rows(rows, np.sort(before[before >= 0])), self._rows(rows, newer)]
        marks = batch.marks.take(np.arange(max(0, len(batch.marks) - MOST_MARKS), len(batch.marks)))
        head = Head(version=VERSION, type="snapshot", epoch=self.epoch, now=self._time(now))
        left_out = rows.first + int(newer[0]) if len(newer) and (rows.first or far or len(older)) else rows.first
        return self._message(head | Head(older=left_out), records, marks)

    def delta(self, batch: Batch, *, now: int) -> Message | None:
        """What a batch adds to the picture; None if that is nothing.

        Args:
            batch: the rows that came after the last message.
            now: nanoseconds since 1970-01-01 UTC.
        """
        counted = np.flatnonzero(batch.transitions.columns["counted"])
        if not len(counted) and not len(batch.marks):
            return None
        head = Head(version=VERSION, type="delta", now=self._time(now))
        return self._message(head, [self._rows(batch.transitions, counted)], batch.marks)

    def end(self, *, now: int) -> Message:
        """The record is closed: nothing grows any more."""
        return Message(Head(version=VERSION, type="end", now=self._time(now)), b"")

    def _message(self, head: Head, records: Sequence[NDArray[Any]], marks: Rows) -> Message:
        placed = list(self._marks(marks))
        new, self._new = self._new, Head()
        if placed:
            new["marks"] = placed
        return Message(head | new, np.concatenate(records).tobytes())

    def _rows(self, rows: Rows, index: NDArray[np.intp]) -> NDArray[Any]:
        records = np.empty(len(index), RECORD)
        if len(index):
            records["time"] = rows.columns["time"][index] - self.epoch * _SECOND
            records["channel"] = self._codes(rows, "channel", index, self._channel)
            records["reason"] = self._codes(rows, "reason", index, self._reason)
            records["state"] = rows.columns["state"][index]
            records["inferred"] = rows.columns["evidence"][index] == _INFERRED
        return records

    def _records(self, events: Sequence[Transition]) -> NDArray[Any]:
        return np.array(
            [
                (
                    self._time(event.time),
                    self._channel(event.channel),
                    self._reason(event.reason),
                    CODE_OF[event.state],
                    event.evidence is Evidence.INFERRED,
                )
                for event in events
            ],
            RECORD,
        )

    def _codes(self, rows: Rows, name: str, index: NDArray[np.intp], number: Callable[[Any], int]) -> NDArray[np.int64]:
        """Our numbers of the values of a column; the dictionary of a long record is not walked for a few rows."""
        used, places = np.unique(rows.columns[name][index], return_inverse=True)
        values = rows.categories[name].dictionary.values
        return np.array([number(values[code]) for code in used.tolist()], np.int64)[places]

    def _marks(self, marks: Rows) -> Iterator[tuple[int, int, str, str]]:
        for mark in mark_events(marks):
            lane = -1 if mark.key is None else self._lanes.get(mark.key, -1)
            text = f"{mark.key}: {mark.text}" if mark.key is not None and lane < 0 else mark.text
            yield self._time(mark.time), lane, str(mark.kind), cut(one_line(text), _REASON_LENGTH, keep_end=False)

    def _time(self, time: int) -> int:
        return time - self.epoch * _SECOND

    def _lane(self, key: ModuleKey) -> int:
        if key not in self._lanes:
            self._lanes[key] = len(self._lanes)
            self._new.setdefault("lanes", []).append(one_line(key))
        return self._lanes[key]

    def _channel(self, channel: ChannelIdentity) -> int:
        if channel not in self._channels:
            self._channels[channel] = len(self._channels)
            new = self._lane(channel.key), one_line(channel.address), channel.transport, channel.generation
            self._new.setdefault("channels", []).append(new)
        return self._channels[channel]

    def _reason(self, reason: str) -> int:
        if reason not in self._reasons:
            self._reasons[reason] = len(self._reasons)
            self._new.setdefault("reasons", []).append(cut(one_line(reason), _REASON_LENGTH, keep_end=False))
        return self._reasons[reason]

    def _lane_of_channel(self) -> NDArray[np.int64]:
        return np.array([self._lanes[channel.key] for channel in self._channels], np.int64)
