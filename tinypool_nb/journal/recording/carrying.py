"""What each module was in as a range of time begins: a row of that moment for each, inferred.

Three things tell it, and the first that does is taken: the last row before; what the first row of the range says was before it, if the
recording has all rows since then; and the module's ledger at the end, for one that did nothing since.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.events import ChannelIdentity, Evidence
from tinypool_nb.core.states import State
from tinypool_nb.journal.recording.channels import Columns, state_columns
from tinypool_nb.journal.recording.encoding import changes_of, codes_of, numbers_of, times_of
from tinypool_nb.journal.recording.layout import MILLISECOND
from tinypool_nb.journal.tables import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from tinypool_nb.journal.recording.reading import Recorded


class _Told(NamedTuple):
    """Of some channels, by their numbers in the recording, the state that they were in, and why; codes of the table."""

    channels: npt.NDArray[np.integer]
    states: Column
    reasons: Column


def carried(recorded: "Recorded", table: Table, identities: Sequence[ChannelIdentity], start: int) -> Columns:
    """The rows of that moment.

    Parameters:
        identities: of the recording's channels, perhaps renamed.
        start: nanoseconds since 1970 UTC.
    """
    keys = {key: number for number, key in enumerate(dict.fromkeys(channel.key for channel in recorded.channels))}
    modules = np.array([keys[channel.key] for channel in recorded.channels], np.int64)
    unknown = np.ones(len(keys), bool)
    found: list[_Told] = []
    for told in _ways(recorded, table, modules, unknown, start):
        news = unknown[modules[told.channels]]
        unknown[modules[told.channels]] = False
        found.append(_Told(*(column[news] for column in told)))
    channels, states, reasons = (np.concatenate(columns) for columns in zip(*found, strict=True))
    open_ = states != State.SHUTDOWN.code
    evidence = np.where(states < 0, list(Evidence).index(Evidence.GAP), list(Evidence).index(Evidence.INFERRED))
    return state_columns(
        table, channels[open_], identities, time=start, previous=-1, state=states[open_], reason=reasons[open_], evidence=evidence[open_]
    )


def _ways(
    recorded: "Recorded", table: Table, modules: npt.NDArray[np.int64], unknown: npt.NDArray[np.bool_], start: int
) -> Iterator[_Told]:
    """What tells of the modules that are still `unknown`, the best first."""
    groups = recorded.groups["transition"]
    for group in reversed(groups):  # backwards, until the state of each is known
        if group.start > start // MILLISECOND or not unknown.any():
            continue
        rows = group.read("transition")
        told = np.flatnonzero((times_of(rows, "time") < start) & numbers_of(rows.column("counted"), bool))
        last = np.full(len(unknown), -1, np.int64)
        last[modules[recorded.channel_numbers(rows)[told]]] = told  # of equal places the last one stays
        yield _said_in(recorded, rows.take(last[last >= 0]), table)
    if groups and groups[0].start < start // MILLISECOND:
        rows = recorded.tables["transition"]
        told = np.flatnonzero((times_of(rows, "time") >= start) & numbers_of(rows.column("counted"), bool))[::-1]
        first = np.full(len(unknown), -1, np.int64)
        first[modules[recorded.channel_numbers(rows)[told]]] = told
        before = _said_in(recorded, rows.take(first[first >= 0]), table, before=True)
        is_known = before.states >= 0  # else it began in the range, or nobody knew
        yield _Told(*(column[is_known] for column in before))
    ledgers = recorded.tables["module"]
    since = np.flatnonzero(times_of(ledgers, "time", missing=True) < start)
    quiet = ledgers.take(since[[change is not None for change in ledgers.column("change").take(since).to_pylist()]])
    yield _said_in(recorded, quiet, table)


def _said_in(recorded: "Recorded", rows: "pa.Table", table: Table, *, before: bool = False) -> _Told:
    """What rows say of their channels: the state that each begins, or the one `before`, of whose reason they say nothing."""
    previous, state = changes_of(rows.column("change"), table.dictionaries["state"])
    reasons = table.dictionaries["reason"]
    said = np.full(len(state), reasons.encode([""])[0], reasons.code_type) if before else codes_of(rows.column("reason"), reasons)
    return _Told(recorded.channel_numbers(rows), previous if before else state, said)
