"""From recordings to one journal: of one file, of the parts of one, or of several processes at once.

How several become one:

- Recordings of the same pool (of one `origin`) are put together, and rows that stand in both are taken once.
- Recordings of different pools whose times do not overlap continue each other: a module of the same name is the same lane, and
  between the end of one and the beginning of the next its state is a gap, "not recorded".
- Where the times of two overlap, both watched at once, so modules of the same name are told apart: the later one's are called
  `name@file`. Rows are in order of time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import NOT_RECORDED, ChannelIdentity, Evidence, Mark, MarkKind, Outcome
from tinypool_nb.core.folding import ATTEMPTS, CALLS, FAILED_CALLS, FAILURES, SUCCESSES, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.refolding import refold
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.journal.kinds import transition_events
from tinypool_nb.journal.recording.channels import Columns, state_columns
from tinypool_nb.journal.recording.header import Header
from tinypool_nb.journal.recording.layout import TABLES
from tinypool_nb.journal.recording.reading import Recorded
from tinypool_nb.journal.tables import Rows, Table


class Recording(NamedTuple):
    """One recording that was read."""

    label: str
    """What tells it apart from others."""
    header: Header
    rows: Recorded
    goes_on: bool = False
    """It is in parts since somebody still records it."""


class _Pool:
    """The recordings of one pool, in their order."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = sorted(recordings, key=lambda one: (one.header.dropped["transitions"], one.header.saved_at))
        begins = [begin for one in self.recordings if (begin := one.rows.begin()) is not None]
        self.end = max(one.header.saved_at for one in self.recordings)
        self.begin = min(begins, default=self.end)
        self.keys = {channel.key for one in self.recordings for channel in one.rows.channels}


def join(journal: Journal, recordings: Sequence[Recording]) -> None:
    """Put everything recorded into a journal that is still empty, its totals folded anew.

    Raises:
        KeyError, TypeError, ValueError: something recorded cannot be.
    """
    by_origin: dict[str, list[Recording]] = {}
    for one in recordings:
        by_origin.setdefault(one.header.origin, []).append(one)
    pools = sorted(map(_Pool, by_origin.values()), key=lambda pool: pool.begin)
    tables = journal.tables()
    parts: dict[str, list[Columns]] = {name: [] for name in tables}
    earlier: list[_Pool] = []
    number = 0
    for pool in pools:
        renamed = _renamed(pool, earlier)
        continued = pool.keys - renamed.keys()
        for before in earlier:
            parts["transitions"] += _gaps(tables["transitions"], parts["transitions"], before.end, pool.begin, before.keys & continued)
        _add(parts, tables, pool, renamed, number)
        number += max((channel.number for one in pool.recordings for channel in one.rows.channels), default=0)
        pool.keys = {renamed.get(key, key) for key in pool.keys}
        earlier.append(pool)
    for name, table in tables.items():
        columns = _one(parts[name], by_time=TABLES[name].fields[0].name if len(pools) > 1 else None)
        if columns is not None:
            table.restore(pools[0].recordings[0].header.dropped[name] if len(pools) == 1 else 0, columns)
    journal.folding.restore(totals_of(journal.since()))


def totals_of(batch: Batch) -> Totals:
    """The ledgers that follow from rows alone."""
    channels = list(dict.fromkeys(channel for rows in (batch.transitions, batch.attempts, batch.calls) for channel in _channels_of(rows)))
    keys = {key: number for number, key in enumerate(dict.fromkeys(channel.key for channel in channels))}
    order = sorted(channels, key=lambda channel: (channel.number, channel.generation))
    module_of = {channel: keys[channel.key] for channel in channels}
    rank_of = {channel: rank for rank, channel in enumerate(order)}

    rows = batch.transitions
    modules = _by_channel(rows, module_of)
    reasons = np.array([*map(bool, rows.categories["reason"].members), False], bool)
    found = refold(
        modules.astype(np.int16) if len(keys) < 30_000 else modules,  # numpy sorts short numbers much quicker
        _by_channel(rows, rank_of),
        rows.columns["time"],
        rows.columns["previous"],
        rows.columns["state"],
        counted=rows.columns["counted"],
        with_reason=reasons[rows.columns["reason"]],
        count=len(keys),
    )
    for rows, column, places in (
        (batch.attempts, "outcome", {ATTEMPTS: set(Outcome) - {Outcome.UNKNOWN}, FAILURES: {Outcome.FAILED}, SUCCESSES: {Outcome.READY}}),
        (batch.calls, "code", {CALLS: set(Code), FAILED_CALLS: set(Code) - {Code.OK}}),
    ):
        modules, members = _by_channel(rows, module_of), rows.categories[column].members
        for place, which in places.items():
            picked = np.isin(rows.columns[column], [code for code, member in enumerate(members) if member in which])
            found.numbers[:, place] = np.bincount(modules[picked], minlength=len(keys))

    first = {channel.key: channel for channel in reversed(channels)}
    newest = [order[rank] if rank >= 0 else first[key] for key, rank in zip(keys, found.channel.tolist(), strict=True)]
    openings = _taken(batch.transitions, found.opening, transition_events)
    last_reasons = _taken(batch.transitions, found.last_reason, lambda rows: rows.values("reason"))
    return Totals(newest, openings, [reason or "" for reason in last_reasons], found.lost.tolist(), found.numbers)


def mark_of_end(time: int, missed: int, *, goes_on: bool) -> Mark:
    """What the record says where a recording ends that was not closed, or not yet."""
    more = f"; {missed:,} rows were missed" if missed else ""
    why = "it went on when it was opened" if goes_on else "it was not closed"
    return Mark(time, MarkKind.RECORD, f"the recording ends here: {why}{more}", None)


def _renamed(pool: _Pool, earlier: Sequence[_Pool]) -> dict[ModuleKey, ModuleKey]:
    """New names for modules whose own name belongs to another pool that was watched at the same time."""
    taken = {key for other in earlier if other.end > pool.begin for key in other.keys}
    label = pool.recordings[0].label
    new: dict[ModuleKey, ModuleKey] = {}
    everybody = {key for other in earlier for key in other.keys} | pool.keys
    for key in pool.keys & taken:
        name = f"{key.name}@{label}"
        while ModuleKey(key.namespace, name) in everybody:
            name += "'"
        new[key] = ModuleKey(key.namespace, name)
    return new


def _add(
    parts: dict[str, list[Columns]], tables: Mapping[str, Table], pool: _Pool, renamed: Mapping[ModuleKey, ModuleKey], number: int
) -> None:
    reached: dict[str, int] = {}
    end = pool.end
    for one in pool.recordings:
        channels = [
            channel._replace(number=channel.number + number, key=renamed.get(channel.key, channel.key)) for channel in one.rows.channels
        ]
        begin = one.rows.begin("transition")
        if begin is not None and reached and reached["transitions"] < one.header.dropped["transitions"]:
            parts["transitions"] += _gaps(tables["transitions"], parts["transitions"], end, begin, {channel.key for channel in channels})
        for name, table in tables.items():
            first = one.header.dropped[name]
            columns = one.rows.columns(table, name, channels, skip=max(0, reached.get(name, 0) - first))
            if name in {"marks", "observations"} and renamed:
                columns |= _renamed_modules(columns, table, renamed)
            reached[name] = max(reached.get(name, 0), first + one.rows.sizes[TABLES[name].kind])
            parts[name].append(columns)
        end = one.header.saved_at


def _renamed_modules(columns: Columns, table: Table, renamed: Mapping[ModuleKey, ModuleKey]) -> Columns:
    spaces, names = table.dictionaries["namespace"], table.dictionaries["module"]
    modules = columns["module"].astype(np.int32)
    for key, new in renamed.items():
        here = (modules == names.encode([key.name])[0]) & (columns["namespace"] == spaces.encode([key.namespace])[0])
        modules[here] = names.encode([new.name])[0]
    return {"module": modules}


def _gaps(table: Table, parts: Sequence[Columns], end: int, begin: int, keys: set[ModuleKey]) -> list[Columns]:
    """Rows that say that nobody knows what modules did between the end of one recording and the beginning of the next."""
    states: dict[ModuleKey, tuple[ChannelIdentity, int]] = {}
    channels = table.dictionaries["channel"].values
    for columns in parts:
        counted = np.flatnonzero(columns["counted"])
        last = np.full(len(channels), -1)
        last[columns["channel"][counted]] = counted  # of equal places the last one stays
        for code in np.flatnonzero(last >= 0)[last[last >= 0].argsort()].tolist():
            states[channels[code].key] = channels[code], int(columns["state"][last[code]])
    told = [(channel, state) for key, (channel, state) in states.items() if key in keys and state != State.SHUTDOWN.code]
    if not told or begin <= end:
        return []
    reason = table.dictionaries["reason"].encode([NOT_RECORDED])[0]
    evidence = table.dictionaries["evidence"].encode([Evidence.GAP])[0]
    of, previous = [channel for channel, _ in told], [state for _, state in told]
    return [state_columns(table, np.arange(len(told)), of, time=end, previous=previous, state=-1, reason=reason, evidence=evidence)]


def _one(parts: Sequence[Columns], *, by_time: str | None) -> Columns | None:
    """The rows of all parts as one; with `by_time` in order of that column, those of one part never against each other."""
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if by_time is not None:
        reached = [np.maximum.accumulate(part[by_time]) for part in parts]  # a stamp out of order keeps its place
        order = np.concatenate(reached).argsort(kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
    return columns


def _channels_of(rows: Rows) -> list[ChannelIdentity]:
    """The channels of rows, in the order of their codes."""
    members = rows.categories["channel"].members
    return [members[code] for code in np.flatnonzero(np.bincount(rows.columns["channel"])).tolist()]


def _by_channel(rows: Rows, number_of: Mapping[ChannelIdentity, int]) -> npt.NDArray[np.int32]:
    """A number of each row's channel; channels that no row has need none."""
    numbers = np.array([*(number_of.get(channel, -1) for channel in rows.categories["channel"].members), -1], np.int32)
    return numbers[rows.columns["channel"]]


def _taken(rows: Rows, places: npt.NDArray[np.int64], read: Callable[[Rows], Iterable[Any]]) -> list[Any]:
    """What stands in the rows at these places; None where a place is -1."""
    known = places >= 0
    found = iter(read(rows.take(places[known])))
    return [next(found) if is_known else None for is_known in known.tolist()]
