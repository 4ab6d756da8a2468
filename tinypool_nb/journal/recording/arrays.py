"""How the rows of a journal stand in a Parquet file: one schema for all kinds of rows, each row group of one kind.

`kind` says which kind a row is; the columns of the other kinds are null, which costs nothing. A channel is written once, as a
row of its own; rows about it say its number among those. So a row group can be read, or left out, by its kind and by
its range of `time`, and a transition takes about three bytes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.folding import NO_TIME, NUMBERS
from tinypool_nb.journal.tables import Column, Dictionary, Rows

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 1 << 20
"""Rows of a row group at most."""

COLUMNS: Mapping[str, str] = {
    "kind": "text",  # channel | transition | attempt | mark | call | observation | module
    "time": "time",  # of a transition, mark or observation, the end of an attempt or call, since when a module is in its state
    "channel": "int32",  # its number among the rows of kind channel, counted from 0
    "namespace": "text",  # of a channel, mark or observation
    "module": "text",
    "address": "text",  # of a channel
    "generation": "int32",
    "number": "int64",
    "transport": "text",
    "previous": "text",  # of a transition, or of the one that began a module's state
    "state": "text",
    "reason": "text",
    "evidence": "text",
    "counted": "bool",
    "start": "time",  # of an attempt or call
    "subchannel": "int64",
    "peer": "text",
    "outcome": "text",
    "mark": "text",  # the kind of a mark
    "text": "text",  # of a mark or observation; the last reason of a module
    "lost": "time",  # when a module was last lost, if it still is
    "totals": "numbers",  # of a module: see tinypool_nb.core.folding
    "method": "text",  # of a call, since format 2, as the rest
    "code": "text",
    "sent": "int64",
    "received": "int64",
    "subject": "text",  # of an observation
    "value": "int64",
}
"""What each column holds. The names and their order are part of the format: what changes here needs a new format number."""


def schema(unit: str) -> "pa.Schema":
    """The file's schema, with times in `unit`: "ns", "us" or "ms"."""
    import pyarrow as pa

    types = {
        "text": pa.dictionary(pa.int32(), pa.string()),
        "time": pa.timestamp(unit, "UTC"),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "numbers": pa.list_(pa.int64()),
    }
    return pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])


def finest_unit(times: Sequence[npt.NDArray[np.int64]]) -> tuple[str, int]:
    """The coarsest unit that holds all these times exactly, and its nanoseconds: stamps of whole microseconds take a byte less."""
    for unit, nanoseconds in (("ms", 1_000_000), ("us", 1_000)):
        if all(not (column[column != NO_TIME] % nanoseconds).any() for column in times):
            return unit, nanoseconds
    return "ns", 1


def group(kind: str, columns: Mapping[str, "pa.Array"], size: int, file_schema: "pa.Schema") -> "pa.Table":
    """`size` rows of one kind: its columns, and null in all others."""
    import pyarrow as pa

    given = {"kind": dictionary_array(np.zeros(size, np.int8), [kind]), **columns}
    arrays = [given[field.name] if field.name in given else pa.nulls(size, field.type) for field in file_schema]
    return pa.Table.from_arrays(arrays, schema=file_schema)


def dictionary_array(codes: Column, values: Sequence[str]) -> "pa.Array":
    """Codes and their values as an Arrow array; -1 is null."""
    import pyarrow as pa

    texts = pa.array([str(value) for value in values], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), texts)


def text_array(values: Sequence[str | None]) -> "pa.Array":
    """Plain values as a dictionary-coded Arrow array; None is null."""
    dictionary = Dictionary()
    codes = dictionary.encode(values)
    return dictionary_array(codes, dictionary.values)


def time_array(times: npt.NDArray[np.int64], unit: str, nanoseconds: int) -> "pa.Array":
    """Nanoseconds as an Arrow array of timestamps; NO_TIME is null."""
    import pyarrow as pa

    return pa.array(times // nanoseconds, pa.int64(), mask=times == NO_TIME).cast(pa.timestamp(unit, "UTC"))


def column_of(rows: Rows, name: str) -> "pa.Array":
    """A coded column of a table as a dictionary-coded Arrow array."""
    return dictionary_array(rows.columns[name], rows.categories[name].members)


def codes_of(column: "pa.ChunkedArray", dictionary: Dictionary, *, missing: bool = False) -> Column:
    """The codes of a text column of a file by our own dictionary.

    Raises:
        KeyError: a value that a closed dictionary does not have.
        ValueError: a null where none may be.
    """
    parts = [np.empty(0, np.int32)]
    for chunk in column.chunks:
        ours = np.append(dictionary.encode(chunk.dictionary.to_pylist()), -1)  # where the code of a null, -1, finds itself
        parts.append(ours[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)])
    codes = np.concatenate(parts)
    if not missing and (codes < 0).any():
        raise ValueError("a value is missing where there must be one")
    return codes.astype(dictionary.code_type)


def times_of(column: "pa.ChunkedArray", *, missing: bool = False) -> npt.NDArray[np.int64]:
    """A column of timestamps as nanoseconds, null as NO_TIME.

    Raises:
        ValueError: a null where none may be, or a time that nanoseconds since 1970 cannot hold.
    """
    import pyarrow as pa

    nanoseconds = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())  # checked: an overflow raises
    if column.null_count and not missing:
        raise ValueError("a time is missing where there must be one")
    return np.asarray(nanoseconds.fill_null(NO_TIME).to_numpy(), np.int64)


def numbers_of(column: "pa.ChunkedArray", dtype: npt.DTypeLike) -> Column:
    """A column of numbers or truths, without nulls.

    Raises:
        ValueError: a null.
    """
    if column.null_count:
        raise ValueError("a number is missing where there must be one")
    return np.asarray(column.to_numpy(), dtype)


def totals_of(column: "pa.ChunkedArray") -> npt.NDArray[np.int64]:
    """The totals of the modules, shape (modules, NUMBERS).

    Raises:
        ValueError: a module has more, fewer or negative ones.
    """
    rows = column.to_pylist()
    if any(row is None or len(row) != NUMBERS or any(number is None or number < 0 for number in row) for row in rows):
        raise ValueError(f"a module's totals are {NUMBERS} numbers, none negative")
    return np.array(rows, np.int64).reshape(-1, NUMBERS)


def texts_of(column: "pa.ChunkedArray", *, missing: bool = False) -> list[Any]:
    """A short text column as a list.

    Raises:
        ValueError: a null where none may be.
    """
    texts: list[Any] = column.to_pylist()
    if not missing and None in texts:
        raise ValueError("a text is missing where there must be one")
    return texts
