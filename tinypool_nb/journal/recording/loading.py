"""From the row groups of a Parquet file to a journal. What stands in the file is checked before it is used."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import NO_TIME, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording.arrays import codes_of, numbers_of, texts_of, times_of, totals_of
from tinypool_nb.journal.tables import Column, Dictionary, Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

KINDS: Mapping[str, tuple[str, ...]] = {
    "channel": ("namespace", "module", "address", "generation", "number", "transport"),
    "transition": ("time", "channel", "previous", "state", "reason", "evidence", "counted"),
    "attempt": ("time", "channel", "start", "subchannel", "peer", "outcome", "reason", "evidence"),
    "mark": ("time", "mark", "namespace", "module", "text"),
    "call": ("time", "channel", "start", "method", "code", "sent", "received", "reason"),
    "observation": ("time", "namespace", "module", "subject", "text", "value"),
    "module": ("time", "channel", "previous", "state", "reason", "evidence", "text", "lost", "totals"),
}
"""The columns that each kind of row has."""


class Recorded:
    """The rows of a file by their kind, only with the columns of that kind, each value valid in its type.

    Raises:
        ValueError: a row group mixes kinds, has an unknown one, or is damaged.
    """

    def __init__(self, file: "ParquetFile") -> None:
        import pyarrow as pa

        groups: dict[str, list[pa.Table]] = {kind: [] for kind in KINDS}
        for number in range(file.num_row_groups):
            kinds = file.read_row_group(number, columns=["kind"]).column("kind").unique().to_pylist()
            if len(kinds) > 1 or not KINDS.keys() >= set(kinds):
                raise ValueError(f"row group {number} holds rows of kind {kinds}")
            if kinds:
                table = file.read_row_group(number, columns=list(KINDS[kinds[0]]))
                table.validate(full=True)  # texts are UTF-8, dictionary codes within their dictionaries
                groups[kinds[0]].append(table)
        self.tables: dict[str, pa.Table] = {
            kind: pa.concat_tables(found) if found else pa.schema([file.schema_arrow.field(name) for name in KINDS[kind]]).empty_table()
            for kind, found in groups.items()
        }

    def column(self, kind: str, name: str) -> "pa.ChunkedArray":
        """One column of one kind of rows."""
        return self.tables[kind].column(name)

    def channels(self) -> list[ChannelIdentity]:
        """The channels of the recording, in the order of their numbers in the file."""
        numbers, generations = (numbers_of(self.column("channel", name), np.int64).tolist() for name in ("number", "generation"))
        namespaces = texts_of(self.column("channel", "namespace"), missing=True)
        names, addresses, transports = (texts_of(self.column("channel", name)) for name in ("module", "address", "transport"))
        keys = map(ModuleKey, namespaces, names)
        return list(map(ChannelIdentity, numbers, keys, addresses, generations, transports))

    def channel_codes(self, kind: str, known: int) -> npt.NDArray[np.int64]:
        """The channel of each row of a kind, by its number in the file.

        Raises:
            ValueError: one is not among the `known` channels.
        """
        codes = numbers_of(self.column(kind, "channel"), np.int64)
        if ((codes < 0) | (codes >= known)).any():
            raise ValueError("a row is about a channel that the file does not have")
        return codes


def restore(journal: Journal, recorded: Recorded, dropped: Mapping[str, Any], dictionaries: Mapping[str, Any]) -> None:
    """Put everything recorded into a journal that is still empty.

    Parameters:
        dropped: of each table, how many rows went before it was saved.
        dictionaries: of each table and text column, the values in the order of their codes.

    Raises:
        KeyError, TypeError, ValueError: something recorded cannot be.
    """
    channels = recorded.channels()
    for name, table in journal.tables().items():
        _set_order(table, dictionaries[name], channels)
    transitions, attempts, marks, calls, observations = journal.tables().values()
    rows = _channel_columns(transitions, recorded.channel_codes("transition", len(channels)), channels)
    rows["time"] = times_of(recorded.column("transition", "time"))
    rows["counted"] = numbers_of(recorded.column("transition", "counted"), bool)
    _read_texts(rows, transitions, recorded, "transition", "reason", "evidence", "previous", "state")
    transitions.restore(_count(dropped["transitions"]), rows)

    rows = _channel_columns(attempts, recorded.channel_codes("attempt", len(channels)), channels)
    rows["start"] = times_of(recorded.column("attempt", "start"), missing=True)
    rows["end"] = times_of(recorded.column("attempt", "time"))
    rows["subchannel"] = numbers_of(recorded.column("attempt", "subchannel"), np.int64)
    _read_texts(rows, attempts, recorded, "attempt", "peer", "outcome", "reason", "evidence")
    attempts.restore(_count(dropped["attempts"]), rows)

    rows = {"time": times_of(recorded.column("mark", "time"))}
    rows["kind"] = codes_of(recorded.column("mark", "mark"), marks.dictionaries["kind"])
    _read_texts(rows, marks, recorded, "mark", "namespace", "module", "text")
    marks.restore(_count(dropped["marks"]), rows)

    rows = _channel_columns(calls, recorded.channel_codes("call", len(channels)), channels)
    rows["start"] = times_of(recorded.column("call", "start"))
    rows["end"] = times_of(recorded.column("call", "time"))
    for name in ("sent", "received"):
        rows[name] = numbers_of(recorded.column("call", name), np.int64)
        if (rows[name] < 0).any():
            raise ValueError("a call has fewer than 0 bytes")
    _read_texts(rows, calls, recorded, "call", "method", "code", "reason")
    calls.restore(_count(dropped["calls"]), rows)

    rows = {"time": times_of(recorded.column("observation", "time"))}
    rows["value"] = numbers_of(recorded.column("observation", "value"), np.int64)
    rows["module"] = codes_of(recorded.column("observation", "module"), observations.dictionaries["module"])  # of a mark it may be missing
    _read_texts(rows, observations, recorded, "observation", "namespace", "subject", "text")
    observations.restore(_count(dropped["observations"]), rows)

    journal.folding.restore(_totals(recorded, channels))


MAY_MISS = frozenset({"previous", "state", "namespace", "module"})
"""Text columns of the tables in which a value may be missing."""


def _read_texts(rows: dict[str, Column], table: Table, recorded: Recorded, kind: str, *names: str) -> None:
    for name in names:
        rows[name] = codes_of(recorded.column(kind, name), table.dictionaries[name], missing=name in MAY_MISS)


def _set_order(table: Table, values: Mapping[str, Any], channels: Sequence[ChannelIdentity]) -> None:
    """Give each open dictionary of a table its values in their old order, so that categories come back as they were."""
    for name, dictionary in table.dictionaries.items():
        if name == "channel":
            table.dictionaries[name] = Dictionary([channels[_count(number)] for number in values[name]])
        elif not dictionary.closed:
            table.dictionaries[name] = Dictionary([_text(value) for value in values[name]])


def _channel_columns(table: Table, numbers: npt.NDArray[np.int64], channels: Sequence[ChannelIdentity]) -> dict[str, Column]:
    """The columns of a table that follow from the rows' channels."""
    used = np.unique(numbers)
    members = [channels[number] for number in used.tolist()]
    place = np.searchsorted(used, numbers)
    codes = {
        "channel": table.dictionaries["channel"].encode(members),
        "namespace": table.dictionaries["namespace"].encode([channel.key.namespace for channel in members]),
        "module": table.dictionaries["module"].encode([channel.key.name for channel in members]),
        "address": table.dictionaries["address"].encode([channel.address for channel in members]),
        "generation": np.array([channel.generation for channel in members], np.int32),
    }
    return {name: column[place] for name, column in codes.items()}


def _totals(recorded: Recorded, channels: Sequence[ChannelIdentity]) -> Totals:
    """The ledgers of all modules."""
    numbers = recorded.channel_codes("module", len(channels)).tolist()
    since = times_of(recorded.column("module", "time"), missing=True).tolist()
    previous, states, reasons, evidence = (
        texts_of(recorded.column("module", name), missing=True) for name in ("previous", "state", "reason", "evidence")
    )
    openings = [
        None if time == NO_TIME else Transition(time, channels[number], _state(before), _state(state), _text(reason), Evidence(known))
        for time, number, before, state, reason, known in zip(since, numbers, previous, states, reasons, evidence, strict=True)
    ]
    losts = times_of(recorded.column("module", "lost"), missing=True).tolist()
    totals = totals_of(recorded.column("module", "totals"))
    return Totals([channels[number] for number in numbers], openings, texts_of(recorded.column("module", "text")), losts, totals)


def _state(text: str | None) -> State | None:
    return None if text is None else State(text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where a text must")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands where a count must")
    return value
