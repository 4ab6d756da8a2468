"""The kinds of rows: how transitions, attempts, marks, calls and observations become columns, and events again."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Mark, MarkKind, Observation, Outcome, Subject, Transition
from tinypool_nb.core.folding import NO_TIME, Folding, Ledger
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.tables import Dictionary, Rows, Table

NANOSECONDS = np.dtype(np.int64)
MOST_REASONS = 10_000
"""Different reasons of calls that are kept: a module may put a request's number into each."""
OTHER_REASONS = "(one of many other reasons)"
"""What stands for the rest."""


class Kind(Protocol):
    """What they have in common."""

    table: Table

    def append(self, rows: Sequence[Any], /) -> int:
        """Write the rows, at most a block of them; returns how many old ones had to go."""


class Transitions:
    """The table of transitions. `counted` says whether the row ended an interval (see `tinypool_nb.core.folding`)."""

    def __init__(self, folding: Folding, *, history: int) -> None:
        self.table = Table(
            {
                "time": NANOSECONDS,
                **_channel_columns(),
                "previous": _closed(State),
                "state": _closed(State),
                "reason": Dictionary(),
                "evidence": _closed(Evidence),
                "counted": np.dtype(bool),
            },
            history=history,
        )
        self._channels = _Channels(self.table, folding)

    def append(self, rows: Sequence[Transition]) -> int:
        """Write and fold the rows, at most a block of them; returns how many old ones had to go."""
        dropped = self.table.make_room(len(rows))
        times, channels, previous, states, reasons, evidence = zip(*rows, strict=True)
        columns, ledgers = self._channels.look_up(channels)
        columns["time"] = np.fromiter(times, np.int64, len(rows))
        columns["previous"] = self.table.encode("previous", previous)
        columns["state"] = self.table.encode("state", states)
        columns["reason"] = self.table.encode("reason", reasons)
        columns["evidence"] = self.table.encode("evidence", evidence)
        columns["counted"] = np.fromiter(map(Ledger.fold, ledgers, rows), bool, len(rows))
        self.table.extend(len(rows), columns)
        return dropped


class Attempts:
    """The table of connection attempts; a start that nobody saw is NO_TIME."""

    def __init__(self, folding: Folding, *, history: int) -> None:
        self.table = Table(
            {
                "start": NANOSECONDS,
                "end": NANOSECONDS,
                **_channel_columns(),
                "subchannel": np.dtype(np.int64),
                "peer": Dictionary(),
                "outcome": _closed(Outcome),
                "reason": Dictionary(),
                "evidence": _closed(Evidence),
            },
            history=history,
        )
        self._channels = _Channels(self.table, folding)

    def append(self, rows: Sequence[Attempt]) -> int:
        """Write and fold the rows, at most a block of them; returns how many old ones had to go."""
        dropped = self.table.make_room(len(rows))
        channels, subchannels, peers, starts, ends, outcomes, reasons, evidence = zip(*rows, strict=True)
        columns, ledgers = self._channels.look_up(channels)
        columns["start"] = np.array([NO_TIME if start is None else start for start in starts], np.int64)
        columns["end"] = np.fromiter(ends, np.int64, len(rows))
        columns["subchannel"] = np.fromiter(subchannels, np.int64, len(rows))
        columns["peer"] = self.table.encode("peer", peers)
        columns["outcome"] = self.table.encode("outcome", outcomes)
        columns["reason"] = self.table.encode("reason", reasons)
        columns["evidence"] = self.table.encode("evidence", evidence)
        for ledger, row in zip(ledgers, rows, strict=True):
            ledger.fold_attempt(row)
        self.table.extend(len(rows), columns)
        return dropped


class Marks:
    """The table of marks."""

    def __init__(self, *, history: int) -> None:
        self.table = Table(
            {"time": NANOSECONDS, "kind": _closed(MarkKind), "namespace": Dictionary(), "module": Dictionary(), "text": Dictionary()},
            history=history,
        )

    def append(self, rows: Sequence[Mark]) -> int:
        """Write the rows, at most a block of them; returns how many old ones had to go."""
        dropped = self.table.make_room(len(rows))
        times, kinds, texts, keys = zip(*rows, strict=True)
        columns: dict[str, npt.ArrayLike] = {
            "time": np.fromiter(times, np.int64, len(rows)),
            "kind": self.table.encode("kind", kinds),
            "namespace": self.table.encode("namespace", [key and key.namespace for key in keys]),
            "module": self.table.encode("module", [key and key.name for key in keys]),
            "text": self.table.encode("text", texts),
        }
        self.table.extend(len(rows), columns)
        return dropped


class Calls:
    """The table of calls that have ended."""

    def __init__(self, folding: Folding, *, history: int) -> None:
        self.table = Table(
            {
                "start": NANOSECONDS,
                "end": NANOSECONDS,
                **_channel_columns(),
                "method": Dictionary(),
                "code": _closed(Code),
                "sent": np.dtype(np.int64),
                "received": np.dtype(np.int64),
                "reason": Dictionary(),
            },
            history=history,
        )
        self._channels = _Channels(self.table, folding)

    def append(self, rows: Sequence[Call]) -> int:
        """Write and fold the rows, at most a block of them; returns how many old ones had to go."""
        dropped = self.table.make_room(len(rows))
        channels, methods, starts, ends, codes, sent, received, reasons = zip(*rows, strict=True)
        columns, ledgers = self._channels.look_up(channels)
        columns["start"] = np.fromiter(starts, np.int64, len(rows))
        columns["end"] = np.fromiter(ends, np.int64, len(rows))
        columns["method"] = self.table.encode("method", methods)
        columns["code"] = self.table.encode("code", codes)
        columns["sent"] = np.fromiter(sent, np.int64, len(rows))
        columns["received"] = np.fromiter(received, np.int64, len(rows))
        columns["reason"] = self.table.encode("reason", self._bounded(reasons))
        for ledger, row in zip(ledgers, rows, strict=True):
            ledger.fold_call(row)
        self.table.extend(len(rows), columns)
        return dropped

    def _bounded(self, reasons: Sequence[str]) -> Sequence[str]:
        known = self.table.dictionaries["reason"]
        if len(known.values) + len(reasons) <= MOST_REASONS:
            return reasons
        return [reason if reason in known else OTHER_REASONS for reason in reasons]


class Observations:
    """The table of observations."""

    def __init__(self, *, history: int) -> None:
        self.table = Table(
            {
                "time": NANOSECONDS,
                "namespace": Dictionary(),
                "module": Dictionary(),
                "subject": _closed(Subject),
                "text": Dictionary(),
                "value": np.dtype(np.int64),
            },
            history=history,
        )

    def append(self, rows: Sequence[Observation]) -> int:
        """Write the rows, at most a block of them; returns how many old ones had to go."""
        dropped = self.table.make_room(len(rows))
        times, keys, subjects, texts, values = zip(*rows, strict=True)
        columns: dict[str, npt.ArrayLike] = {
            "time": np.fromiter(times, np.int64, len(rows)),
            "namespace": self.table.encode("namespace", [key.namespace for key in keys]),
            "module": self.table.encode("module", [key.name for key in keys]),
            "subject": self.table.encode("subject", subjects),
            "text": self.table.encode("text", texts),
            "value": np.fromiter(values, np.int64, len(rows)),
        }
        self.table.extend(len(rows), columns)
        return dropped


def transition_events(rows: Rows) -> Iterator[Transition]:
    """The rows of a batch's `transitions` as events again."""
    return map(
        Transition,
        rows.values("time"),
        rows.values("channel"),
        rows.values("previous"),
        rows.values("state"),
        rows.values("reason"),
        rows.values("evidence"),
    )


def attempt_events(rows: Rows) -> Iterator[Attempt]:
    """The rows of a batch's `attempts` as events again."""
    starts = (None if start == NO_TIME else start for start in rows.values("start"))
    return map(
        Attempt,
        rows.values("channel"),
        rows.values("subchannel"),
        rows.values("peer"),
        starts,
        rows.values("end"),
        rows.values("outcome"),
        rows.values("reason"),
        rows.values("evidence"),
    )


def call_events(rows: Rows) -> Iterator[Call]:
    """The rows of a batch's `calls` as events again."""
    names = ("channel", "method", "start", "end", "code", "sent", "received", "reason")
    return map(Call, *(rows.values(name) for name in names))


def mark_events(rows: Rows) -> Iterator[Mark]:
    """The rows of a batch's `marks` as events again."""
    names = zip(rows.values("namespace"), rows.values("module"), strict=True)
    keys = (None if name is None else ModuleKey(namespace, name) for namespace, name in names)
    return map(Mark, rows.values("time"), rows.values("kind"), rows.values("text"), keys)


def observation_events(rows: Rows) -> Iterator[Observation]:
    """The rows of a batch's `observations` as events again."""
    keys = map(ModuleKey, rows.values("namespace"), rows.values("module"))
    return map(Observation, rows.values("time"), keys, rows.values("subject"), rows.values("text"), rows.values("value"))


def _closed(members: type[StrEnum]) -> Dictionary:
    return Dictionary(tuple(members), closed=True)


def _channel_columns() -> Mapping[str, Any]:
    # All but the first follow from the channel; they stand in full so that a frame of any length is made without copying.
    return {**{name: Dictionary() for name in ("channel", "namespace", "module", "address")}, "generation": np.dtype(np.int32)}


class _Channels:
    """What follows from a channel, kept by the channel's code, so that a row costs one look-up instead of five."""

    def __init__(self, table: Table, folding: Folding) -> None:
        self._table = table
        self._folding = folding
        self._forget()

    def look_up(self, channels: Sequence[ChannelIdentity]) -> tuple[dict[str, npt.ArrayLike], Iterator[Ledger]]:
        """The columns of these channels, and the ledgers of their modules."""
        codes = self._table.encode("channel", channels)
        if self._compactions != self._table.compactions:
            self._forget()
        known = self._table.dictionaries["channel"].values
        if len(known) > len(self._ledgers):
            self._learn(known[len(self._ledgers) :])
        columns: dict[str, npt.ArrayLike] = {name: column[codes] for name, column in self._columns.items()}
        columns["channel"] = codes
        return columns, map(self._ledgers.__getitem__, codes.tolist())

    def _forget(self) -> None:
        self._compactions = self._table.compactions
        self._ledgers: list[Ledger] = []
        self._columns = {name: np.empty(0, np.int32) for name in ("namespace", "module", "address", "generation")}

    def _learn(self, channels: Sequence[ChannelIdentity]) -> None:
        self._ledgers += [self._folding.ledger(channel) for channel in channels]
        new = {
            "namespace": self._table.encode("namespace", [channel.key.namespace for channel in channels]),
            "module": self._table.encode("module", [channel.key.name for channel in channels]),
            "address": self._table.encode("address", [channel.address for channel in channels]),
            "generation": np.array([channel.generation for channel in channels], np.int32),
        }
        self._columns = {name: np.concatenate((column, new[name])) for name, column in self._columns.items()}
