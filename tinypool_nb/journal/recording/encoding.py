"""Columns of numpy to Arrow arrays, and back; what comes back is checked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.folding import NO_TIME, NUMBERS
from tinypool_nb.journal.recording.layout import MILLISECOND
from tinypool_nb.journal.tables import Column, Dictionary, Rows

if TYPE_CHECKING:
    import pyarrow as pa

LATEST: int = np.iinfo(np.int64).max


def group(kind: str, columns: Mapping[str, "pa.Array"], size: int, file_schema: "pa.Schema") -> "pa.Table":
    """`size` rows of one kind: its columns, and null in all others."""
    import pyarrow as pa

    given = {"kind": dictionary_array(np.zeros(size, np.int8), [kind]), **columns}
    arrays = [given[field.name] if field.name in given else pa.nulls(size, field.type) for field in file_schema]
    return pa.Table.from_arrays(arrays, schema=file_schema)


def dictionary_array(codes: Column, values: Sequence[str]) -> "pa.Array":
    """Codes and their values as an Arrow array, with only the values that occur; -1 is null."""
    import pyarrow as pa

    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values))) if len(codes) else np.empty(0, np.int64)
    if len(used) < len(values):
        places = np.full(len(values) + 1, -1, np.int32)
        places[used] = np.arange(len(used), dtype=np.int32)
        codes, values = places[codes], [values[code] for code in used.tolist()]
    texts = pa.array([str(value) for value in values], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False), mask=codes < 0), texts)


def text_array(values: Sequence[str | None]) -> "pa.Array":
    """Plain values as a dictionary-coded Arrow array; None is null."""
    dictionary = Dictionary()
    codes = dictionary.encode(values)
    return dictionary_array(codes, dictionary.values)


def time_arrays(name: str, times: npt.NDArray[np.int64]) -> dict[str, "pa.Array"]:
    """Nanoseconds as two columns: whole milliseconds, and what is beyond; NO_TIME is null in both."""
    import pyarrow as pa

    missing = times == NO_TIME
    milliseconds = times // MILLISECOND
    beyond = (times - milliseconds * MILLISECOND).astype(np.int32)
    return {
        name: pa.array(milliseconds, pa.int64(), mask=missing).cast(pa.timestamp("ms", "UTC")),
        f"{name}_ns": pa.array(beyond, pa.int32(), mask=missing),
    }


def change_array(rows: Rows) -> "pa.Array":
    """The columns `previous` and `state` of rows as one text each, `READY>IDLE`."""
    before, after = ([*rows.categories[name].members, ""] for name in ("previous", "state"))  # -1 finds the "" at the end
    width = len(after)
    codes = rows.columns["previous"].astype(np.int16) % len(before) * width + rows.columns["state"].astype(np.int16) % width
    return dictionary_array(codes, [f"{one}>{other}" for one in before for other in after])


def codes_of(column: "pa.ChunkedArray", dictionary: Dictionary, *, missing: bool = False) -> Column:
    """The codes of a text column of a file by our own dictionary.

    Raises:
        KeyError: a value that a closed dictionary does not have.
        ValueError: a null where none may be.
    """
    codes = _looked_up(column, lambda values: [dictionary.encode(values)])[0]
    if not missing and (codes < 0).any():
        raise ValueError("a value is missing where there must be one")
    return codes.astype(dictionary.code_type, copy=False)


def changes_of(column: "pa.ChunkedArray", states: Dictionary) -> tuple[Column, Column]:
    """The codes of the states before and after, from what `change_array` makes.

    Raises:
        KeyError: a state that is none.
        ValueError: a null, or a text of another form.
    """

    def both(values: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        parts = [split_change(value) for value in values]
        return [states.encode([part[place] for part in parts]) for place in (0, 1)]

    if column.null_count:
        raise ValueError("a change is missing where there must be one")
    before, after = _looked_up(column, both, columns=2)
    return before.astype(states.code_type, copy=False), after.astype(states.code_type, copy=False)


def split_change(text: object) -> tuple[str | None, str | None]:
    """The states before and after, None for an empty one.

    >>> split_change(">IDLE")
    (None, 'IDLE')
    """
    before, between, after = str(text).partition(">")
    if not between:
        raise ValueError(f"{text!r} stands where a change of state must")
    return before or None, after or None


def times_of(table: "pa.Table", name: str, *, missing: bool = False) -> npt.NDArray[np.int64]:
    """The two columns of a time as nanoseconds, null as NO_TIME.

    Raises:
        ValueError: a null where none may be, or a time that nanoseconds since 1970 cannot hold.
    """
    import pyarrow as pa

    column, rest = table.column(name), table.column(f"{name}_ns")
    if column.null_count and not missing:
        raise ValueError("a time is missing where there must be one")
    if column.null_count != rest.null_count:
        raise ValueError("a time is there in part only")
    milliseconds = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(), np.int64)
    beyond = np.asarray(rest.fill_null(0).to_numpy(), np.int64)
    most = LATEST // MILLISECOND - 1
    if len(beyond) and not (
        beyond.min() >= 0 and beyond.max() < MILLISECOND and -most <= milliseconds.min() and milliseconds.max() <= most
    ):
        raise ValueError("a time is out of range")
    times = milliseconds * MILLISECOND + beyond
    if column.null_count:
        times[column.is_null().to_numpy()] = NO_TIME
    return times


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


def _looked_up(column: "pa.ChunkedArray", encode: Any, columns: int = 1) -> list[Column]:
    """For each chunk of a dictionary-coded column its values by our own codes; null is -1."""
    parts: list[list[Column]] = [[np.empty(0, np.int8)] for _ in range(columns)]
    for chunk in column.chunks:
        indices = chunk.indices
        indices = np.asarray((indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False))
        for found, part in zip(encode(chunk.dictionary.to_pylist()), parts, strict=True):
            ours = np.append(found, -1)  # where the code of a null, -1, finds itself
            narrow = np.int8 if len(ours) < 100 else np.int16 if len(ours) < 30_000 else np.int32
            if int(ours.max()) > np.iinfo(narrow).max:
                narrow = np.int32
            part.append(ours.astype(narrow)[indices])
    return [np.concatenate(part) for part in parts]
