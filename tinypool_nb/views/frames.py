"""The journal as pandas frames; what stands in their columns is said in `tinypool_nb.views.schemas`.

All times are UTC. A state that nobody knows (in a gap) is a missing value.
"""

import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import union_categoricals

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import ChannelIdentity, Mark
from tinypool_nb.core.folding import (
    ATTEMPTS,
    CALLS,
    DISCONNECTIONS,
    FAILED_CALLS,
    FAILURES,
    NO_TIME,
    RECOVERIES,
    TIME_TO_RECOVER,
    Totals,
    interval_ends,
    times_in_states,
)
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import STATES, UNKNOWN, State
from tinypool_nb.core.subchannels import Found
from tinypool_nb.errors import AddressError, OptionsError
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.journal.tables import Categories, Column, Dictionary, Rows, code_type
from tinypool_nb.views.channelz_frames import counted
from tinypool_nb.views.schemas import CATEGORY, COUNT_IF_KNOWN, SCHEMAS, TEXT, TIME

__all__ = [
    "SCHEMAS",
    "Since",
    "attempts",
    "attempts_of",
    "calls",
    "connections",
    "intervals",
    "latency",
    "marks",
    "marks_of",
    "observations",
    "summary",
    "transitions",
    "transitions_of",
]

Since = Mark | datetime | int | None
"""From when on: a mark's time, a pandas Timestamp or datetime with a time zone, or nanoseconds since 1970-01-01 UTC."""

SECOND = 1e9
"""Nanoseconds."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
"""Columns of `latency`."""

_MISSING = -1
"""Stands in columns of counts for one that nobody knows."""
_INTERVAL_COLUMNS = ("time", "namespace", "module", "address", "generation", "state", "reason", "evidence")


def transitions(journal: Journal, *, since: Since = None, copy: bool = True) -> pd.DataFrame:
    """Every change of a channel's state that the journal still has, in the order in which they became known.

    Parameters:
        since: leave out what happened before.
        copy: False gives the journal's own columns, read-only, in a time that does not depend on their length. (With
            `since` the rows are picked, which always copies.)

    Raises:
        OptionsError: `since` is no time, or a time without a time zone.

    >>> transitions(Journal()).dtypes["time"]
    datetime64[ns, UTC]
    """
    rows = journal.since().transitions
    return _frame("transitions", rows if since is None else _from(rows, "time", since), copy=copy)


def attempts(journal: Journal, *, since: Since = None) -> pd.DataFrame:
    """Every attempt to connect that the journal still has; with `since`, those that ended then or later.

    Raises:
        OptionsError: as `transitions`.
    """
    rows = journal.since().attempts
    return _timed("attempts", rows if since is None else _from(rows, "end", since))


def marks(journal: Journal, *, since: Since = None) -> pd.DataFrame:
    """Every labelled moment that the journal still has.

    Raises:
        OptionsError: as `transitions`.
    """
    rows = journal.since().marks
    return _frame("marks", rows if since is None else _from(rows, "time", since), copy=True)


def calls(journal: Journal, *, since: Since = None) -> pd.DataFrame:
    """Every call that the journal still has; with `since`, those that ended then or later.

    Raises:
        OptionsError: as `transitions`.
    """
    rows = journal.since().calls
    return _timed("calls", rows if since is None else _from(rows, "end", since))


def observations(journal: Journal) -> pd.DataFrame:
    """Everything that was looked at because a person asked for an explanation, as far as the journal still has it."""
    return _frame("observations", journal.since().observations, copy=True)


def latency(journal: Journal, *, since: Since = None) -> pd.DataFrame:
    """One row for each module with calls: how many, how many failed, and within which time which part of them ended.

    Exact, over the calls that the journal still has; failed calls count too. A quantile is the duration of one of the calls.

    Raises:
        OptionsError: as `transitions`.
    """
    found = calls(journal, since=since)
    found["failed"] = found["code"] != Code.OK
    by = found.groupby(["namespace", "module"], observed=True, dropna=False, sort=False)
    columns: dict[str, Any] = {
        "calls": by.size(),
        "failed_calls": by["failed"].sum(),
        **{name: by["duration"].quantile(share, interpolation="higher") for name, share in QUANTILES.items()},
        "longest": by["duration"].max(),
        "sent": by["sent"].sum(),
        "received": by["received"].sum(),
    }
    frame = pd.DataFrame(columns).reset_index()
    return frame.astype({column.name: column.dtype for column in SCHEMAS["latency"]}).copy()[[column.name for column in SCHEMAS["latency"]]]


def transitions_of(batch: Batch) -> pd.DataFrame:
    """The new transitions of a batch, with the columns of `transitions`; `attrs["dropped"]` counts the rows that went unread."""
    return _counting(_frame("transitions", batch.transitions, copy=True), batch)


def attempts_of(batch: Batch) -> pd.DataFrame:
    """The new attempts of a batch, with the columns of `attempts`; `attrs["dropped"]` as in `transitions_of`."""
    return _counting(_timed("attempts", batch.attempts), batch)


def marks_of(batch: Batch) -> pd.DataFrame:
    """The new marks of a batch, with the columns of `marks`; `attrs["dropped"]` as in `transitions_of`."""
    return _counting(_frame("marks", batch.marks, copy=True), batch)


def intervals(journal: Journal, *, since: Since = None) -> pd.DataFrame:
    """How long each module was in which state, an open interval with end NaT; with `since`, those that had not ended before.

    An interval stands for as long as the journal has the row that began it. Open intervals always do.

    Raises:
        OptionsError: as `transitions`.
    """
    batch, totals = journal.snapshot()
    found, modules = _intervals(batch.transitions)
    if since is not None:
        moment, ends = _nanoseconds(since), found.columns["end"]
        found = found.take((ends == NO_TIME) | (ends >= moment))
    frame = _frame("intervals", found)
    if batch.transitions.first == 0:
        return frame
    older = sorted((opening for opening in totals.openings if opening and opening.channel.key not in modules), key=lambda row: row.time)
    carried = Journal(history=max(1000, len(older)), clock=journal.clock)  # a small one, of the rows that went before their interval ended
    for opening in older:
        carried.append(opening)
    return _stacked(_frame("intervals", _intervals(carried.since().transitions)[0]), frame)


def summary(journal: Journal, now: int | None = None) -> pd.DataFrame:
    """One row for each module ever seen: how long it was in each state, and how often and how long it was lost.

    Parameters:
        now: up to when open intervals count, nanoseconds since 1970-01-01 UTC; by default the journal's clock.
    """
    totals = journal.totals()
    rows = _modules(totals, "last_reason")
    until = journal.clock.now() if now is None else now
    times = times_in_states(totals.numbers, rows.columns["state"], rows.columns["since"], until)
    known = times[:, : State.SHUTDOWN.code].sum(axis=1)
    gap, ready = times[:, UNKNOWN], times[:, State.READY.code]
    numbers = totals.numbers
    columns = {
        **rows.columns,
        **{state.lower(): times[:, state.code] / SECOND for state in STATES if state is not State.SHUTDOWN},
        "gap": gap / SECOND,
        "gap_share": _ratio(gap, gap + known),
        "share_ready": _ratio(ready, known),
        "disconnections": numbers[:, DISCONNECTIONS],
        "calls": numbers[:, CALLS],
        "failed_calls": numbers[:, FAILED_CALLS],
        "mean_time_to_recover": _ratio(numbers[:, TIME_TO_RECOVER], numbers[:, RECOVERIES]) / SECOND,
        "mean_time_between_failures": _ratio(ready, numbers[:, DISCONNECTIONS]) / SECOND,
    }
    return _frame("summary", Rows(0, columns, rows.categories), copy=True)


def connections(journal: Journal, *, options: Mapping[ModuleKey, str] | None = None, found: Found | None = None) -> pd.DataFrame:
    """One row for each module whose current channel is not shut down: where it is, in which state, and since when.

    Parameters:
        options: what is to be said of each module's settings; missing for the others.
        found: what gRPC core counts of the channels; missing for those that are not among them.
    """
    totals = journal.totals()
    rows = _modules(totals, "last_error")
    told = counted(found or {}, totals.channels)
    texts = {"resolved": told.resolved, "options": [(options or {}).get(channel.key) for channel in totals.channels]}
    coded = {name: _coded(values) for name, values in texts.items()}
    columns: dict[str, Column] = {
        **rows.columns,
        **{name: codes for name, (codes, _) in coded.items()},
        "sockets": _counts(told.sockets),
        "keepalives_sent": _counts(told.keepalives_sent),
        "calls": totals.numbers[:, CALLS],
        "failed_calls": totals.numbers[:, FAILED_CALLS],
    }
    categories = {**rows.categories, **{name: categories for name, (_, categories) in coded.items()}}
    return _frame("connections", Rows(0, columns, categories).take(columns["state"] != State.SHUTDOWN.code))  # which copies


def _timed(name: str, rows: Rows) -> pd.DataFrame:
    """The frame of that name, whose rows have a start, an end and hence a duration."""
    columns = {**rows.columns, "duration": _durations(rows.columns["start"], rows.columns["end"])}
    return _frame(name, Rows(rows.first, columns, rows.categories), copy=True)


def _intervals(rows: Rows) -> tuple[Rows, set[Any]]:
    """The intervals that these transitions began, and the keys of the modules that have any."""
    keys: dict[Any, int] = {}
    module_of_channel = np.array([keys.setdefault(channel.key, len(keys)) for channel in rows.categories["channel"].members], np.int64)
    counted = np.flatnonzero(rows.columns["counted"])
    modules = module_of_channel.astype(code_type(len(keys)))[rows.columns["channel"][counted]]  # small numbers sort faster
    ends = interval_ends(modules, rows.columns["time"][counted])
    begins = rows.columns["state"][counted] != State.SHUTDOWN.code
    picked = rows.take(counted[begins], (*_INTERVAL_COLUMNS, "channel"))
    starts, ends = picked.columns["time"], ends[begins]
    transports, transport_categories = _coded([channel.transport for channel in rows.categories["channel"].members])
    columns = {
        **picked.columns,
        "transport": transports.astype(transport_categories.dictionary.code_type)[picked.columns["channel"]],
        "start": starts,
        "end": ends,
        "duration": _durations(starts, ends),
    }
    present = np.zeros(len(keys), bool)
    present[modules] = True
    return Rows(0, columns, {**rows.categories, "transport": transport_categories}), {
        key for key, module in keys.items() if present[module]
    }


def _modules(totals: Totals, reason: str) -> Rows:
    """What `summary` and `connections` share: the current channel, state and counts of each module; column `reason` has the last one."""
    identities = _identities(tuple(totals.channels))
    reasons, reason_categories = _coded(totals.last_reasons)
    columns: dict[str, Column] = {
        **identities.columns,
        "state": totals.states(),
        "since": totals.since(),
        "attempts": totals.numbers[:, ATTEMPTS],
        "failures": totals.numbers[:, FAILURES],
        reason: reasons,
    }
    states = Categories(Dictionary(STATES, closed=True), len(STATES))
    return Rows(0, columns, {**identities.categories, "state": states, reason: reason_categories})


@lru_cache(maxsize=8)
def _identities(channels: tuple[ChannelIdentity, ...]) -> Rows:
    """What follows from the channels alone. They rarely change, and to code a thousand names takes longer than all the rest."""
    coded = {
        "namespace": _coded([channel.key.namespace for channel in channels]),
        "module": _coded([channel.key.name for channel in channels]),
        "address": _coded([channel.address for channel in channels]),
        "target": _coded([_target(channel.address) for channel in channels]),
        "transport": _coded([channel.transport for channel in channels]),
    }
    columns: dict[str, Column] = {name: codes for name, (codes, _) in coded.items()}
    columns["generation"] = np.array([channel.generation for channel in channels], np.int32)
    return Rows(0, columns, {name: categories for name, (_, categories) in coded.items()})


def _counts(values: Sequence[int | None]) -> npt.NDArray[np.int64]:
    return np.array([_MISSING if value is None else value for value in values], np.int64)


@lru_cache(maxsize=4096)  # since one new address among a thousand would have all parsed again
def _target(address: str) -> str | None:
    """What gRPC dials for that address; None if a recording of other people's tells one that is none."""
    try:
        return parse_address(address).target
    except AddressError:
        return None


def _coded(values: Sequence[str | None]) -> tuple[Column, Categories]:
    dictionary = Dictionary()
    return dictionary.encode(values), Categories(dictionary, len(dictionary.values))


def _frame(name: str, rows: Rows, *, copy: bool = False) -> pd.DataFrame:
    """The frame of that name, each column made of the rows' column as its schema says; `copy` unless the rows are a copy already."""
    columns: dict[str, Any] = {}
    for column in SCHEMAS[name]:
        values = rows.columns[column.name].copy() if copy else rows.columns[column.name]
        if column.dtype == TIME:
            columns[column.name] = pd.array(values, dtype=_UTC, copy=False)  # integers, since pandas copies what it has to localise
        elif column.dtype == CATEGORY:
            categories = _category_type(rows.categories[column.name])
            columns[column.name] = pd.Categorical.from_codes(values, dtype=categories, validate=False)
        elif column.dtype == COUNT_IF_KNOWN:
            columns[column.name] = pd.arrays.IntegerArray(values, mask=values == _MISSING)
        elif column.dtype == TEXT:
            columns[column.name] = _category_type(rows.categories[column.name]).categories.take(values)
        else:
            columns[column.name] = values
    return pd.DataFrame(columns, copy=False)


_UTC = pd.DatetimeTZDtype("ns", "UTC")
_category_types: weakref.WeakKeyDictionary[Dictionary, pd.CategoricalDtype] = weakref.WeakKeyDictionary()


def _category_type(categories: Categories) -> pd.CategoricalDtype:
    """The pandas dtype of these categories; kept until the dictionary grows, since an index of many names costs more than a frame."""
    known = _category_types.get(categories.dictionary)
    if known is None or len(known.categories) != categories.size:
        index = pd.Index([str(member) for member in categories.members], dtype="str")
        known = _category_types[categories.dictionary] = pd.CategoricalDtype(index)
    return known


def _counting(frame: pd.DataFrame, batch: Batch) -> pd.DataFrame:
    frame.attrs["dropped"] = batch.dropped
    return frame


def _durations(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Seconds from start to end, NaN where one of them is missing."""
    seconds: npt.NDArray[np.float64] = np.maximum(ends - starts, 0) / SECOND
    seconds[(starts == NO_TIME) | (ends == NO_TIME)] = np.nan
    return seconds


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """`part / whole`, NaN where `whole` is 0."""
    ratio = np.full(len(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole != 0)
    return ratio


def _from(rows: Rows, name: str, since: Since) -> Rows:
    """The rows whose time in column `name` is not before `since`. A search would not do: rows are in order for each module only."""
    return rows.take(rows.columns[name] >= _nanoseconds(since))


def _nanoseconds(since: Since) -> int:
    """The moment that `since` stands for."""
    if isinstance(since, Mark):
        return since.time
    if isinstance(since, int) and not isinstance(since, bool):
        return since
    if not isinstance(since, datetime) or pd.isna(since):
        raise OptionsError("since", since, "a mark, a pandas Timestamp or datetime with a time zone, or an int of nanoseconds since 1970")
    if since.tzinfo is None:
        raise OptionsError("since", since, "a time with its time zone, for example pd.Timestamp.now('UTC')")
    return pd.Timestamp(since).as_unit("ns").value


def _stacked(older: pd.DataFrame, newer: pd.DataFrame) -> pd.DataFrame:
    """Both frames below each other, the columns keeping their dtypes."""
    columns: dict[str, Any] = {}
    for column in SCHEMAS["intervals"]:
        parts = [older[column.name], newer[column.name]]
        columns[column.name] = union_categoricals(parts) if column.dtype == CATEGORY else pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns)
