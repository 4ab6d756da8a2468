"""One column table in numpy, for every kind of event: appended to at the end, dropped from at the start, read without copying.

Arrays are never changed where a reader may be looking: rows are only written behind the last row, and whatever must move
(more room, fewer rows, wider or fewer codes) goes into new arrays. So a view that was handed out stays as it is for ever.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
SMALLEST = 1024
"""Rows that a table has room for at first."""
FEW = 128
"""Values up to which a dictionary is left alone."""


class Dictionary:
    """Gives each value a small code, counted from 0 in the order of first appearance. None is -1.

    >>> names = Dictionary()
    >>> names.encode(["b", "a", None, "b"]).tolist(), names.values
    ([0, 1, -1, 0], ['b', 'a'])
    """

    __slots__ = ("__weakref__", "_codes", "closed", "values")

    def __init__(self, values: Sequence[Hashable] = (), *, closed: bool = False) -> None:
        self.values: list[Any] = []
        """The value of each code; only ever appended to."""
        self.closed = closed
        """Whether these values are all there are, as of an Enum."""
        self._codes: dict[Hashable, int] = {None: -1}
        self._learn(values)

    def encode(self, values: Collection[Hashable]) -> npt.NDArray[np.int32]:
        """The code of each value, new values learnt.

        Raises:
            KeyError: a value that is not one of a closed dictionary's.
        """
        try:
            return np.fromiter(map(self._codes.__getitem__, values), np.int32, len(values))
        except KeyError:
            if self.closed:
                raise
            self._learn(values)
            return np.fromiter(map(self._codes.__getitem__, values), np.int32, len(values))

    def __contains__(self, value: Hashable) -> bool:
        """Whether it has a code for the value."""
        return value in self._codes

    @property
    def code_type(self) -> npt.DTypeLike:
        """The integer type that its codes fit in."""
        return code_type(len(self.values))

    def _learn(self, values: Iterable[Hashable]) -> None:
        for value in values:
            if value not in self._codes:
                stored = _storable(value) if isinstance(value, str) and not value.isascii() else value
                code = self._codes.setdefault(stored, len(self.values))
                if code == len(self.values):
                    self.values.append(stored)
                self._codes[value] = code


def _storable(text: str) -> str:
    # A lone surrogate, as from an undecodable byte in a foreign message, can stand neither in a pandas index nor in a file.
    return text.encode(errors="replace").decode()


def code_type(size: int) -> npt.DTypeLike:
    """The integer type for the codes of `size` values. It is pandas' own choice for categories: any other would be copied there.

    >>> code_type(126), code_type(127), code_type(40_000)
    (<class 'numpy.int8'>, <class 'numpy.int16'>, <class 'numpy.int32'>)
    """
    return next(kind for kind in (np.int8, np.int16, np.int32) if size < np.iinfo(kind).max)


class Categories(NamedTuple):
    """The values that a column's codes stood for at one moment: the first `size` of a dictionary that may have grown since."""

    dictionary: Dictionary
    size: int

    @property
    def members(self) -> list[Any]:
        """The value of each code."""
        return self.dictionary.values[: self.size]


class Rows:
    """Successive rows of a table as they were at one moment: read-only columns that share the table's memory."""

    __slots__ = ("categories", "columns", "first")

    def __init__(self, first: int, columns: Mapping[str, Column], categories: Mapping[str, Categories]) -> None:
        self.first = first
        """Position of the first row, counted over the table's whole life."""
        self.columns = columns
        """Each of shape (rows,): numbers, or codes where `categories` has the column."""
        self.categories = categories

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def values(self, name: str) -> Iterator[Any]:
        """The column as plain Python values, codes decoded, -1 as None."""
        numbers = self.columns[name].tolist()
        if name not in self.categories:
            return iter(numbers)
        return map([*self.categories[name].members, None].__getitem__, numbers)  # -1 finds the None at the end

    def take(self, index: npt.NDArray[Any], names: Iterable[str] | None = None) -> "Rows":
        """A copy of the rows that `index` picks, by number or by truth; of all columns, or of those named."""
        return Rows(self.first, {name: self.columns[name][index] for name in names or self.columns}, self.categories)

    def __repr__(self) -> str:
        return f"<Rows {self.first}:{self.first + len(self)} of {', '.join(self.columns)}>"


class Table:
    """Columns of equal length; at most `history` rows are kept. Not thread-safe: the journal's lock is around it.

    Parameters:
        columns: what each column holds: a numpy dtype, or the Dictionary that codes it.
        history: rows to keep at most; when they are full, the oldest `block` of them go at once.

    >>> table = Table({"time": np.dtype(np.int64), "name": Dictionary()}, history=1000)
    >>> table.make_room(2)
    0
    >>> table.extend(2, {"time": [10, 20], "name": table.encode("name", ["a", "b"])})
    >>> list(table.rows().values("name")), table.end
    (['a', 'b'], 2)
    """

    def __init__(self, columns: Mapping[str, np.dtype[Any] | Dictionary], *, history: int) -> None:
        self.history = history
        self.block = max(1, history // 8)
        """Rows that go at once, and rows at most that come at once."""
        self.dropped = 0
        """Rows that went, in all."""
        self.dictionaries: dict[str, Dictionary] = {name: kind for name, kind in columns.items() if isinstance(kind, Dictionary)}
        """Of each coded column."""
        self.compactions = 0
        """How often a drop has put a smaller dictionary, with other codes, in an old one's place."""
        self._capacity = min(SMALLEST, history)
        self._size = 0
        self._columns: dict[str, Column] = {
            name: np.empty(self._capacity, kind.code_type if isinstance(kind, Dictionary) else kind) for name, kind in columns.items()
        }
        self._worn = dict.fromkeys(self.dictionaries, FEW)  # the number of values at which a drop looks which ones are still in use

    def __len__(self) -> int:
        return self._size

    @property
    def end(self) -> int:
        """The position behind the last row, counted over the table's whole life."""
        return self.dropped + self._size

    @property
    def nbytes(self) -> int:
        """Bytes of the columns, spare room included, dictionaries left out."""
        return sum(column.nbytes for column in self._columns.values())

    def make_room(self, count: int) -> int:
        """Make room for `count` rows, at most a block; returns how many old rows had to go: none, or a block.

        To be called before the rows are encoded, since a drop may change the codes.
        """
        if self._size + count <= self._capacity:
            return 0
        if self._capacity < self.history:
            self._capacity = min(self.history, max(2 * self._capacity, self._size + count))
            self._move(0)
            return self.make_room(count)
        self.dropped += self.block
        self._move(self.block)
        return self.block

    def encode(self, name: str, values: Collection[Hashable]) -> npt.NDArray[np.int32]:
        """The codes of values of column `name`; a column whose codes no longer fit is widened."""
        dictionary = self.dictionaries[name]
        codes = dictionary.encode(values)
        if self._columns[name].dtype != dictionary.code_type:
            self._columns[name] = self._columns[name].astype(dictionary.code_type)
        return codes

    def extend(self, count: int, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Append `count` rows, for which there is room: numbers or codes for every column."""
        here = slice(self._size, self._size + count)
        for name, column in self._columns.items():
            column[here] = columns[name]
        self._size += count  # only now can a reader come by them

    def rows(self, start: int = 0) -> Rows:
        """The rows from position `start` on that are still there, without copying."""
        here = slice(max(0, start - self.dropped), self._size)
        columns = {name: column[here] for name, column in self._columns.items()}
        for column in columns.values():
            column.flags.writeable = False
        categories = {name: Categories(dictionary, len(dictionary.values)) for name, dictionary in self.dictionaries.items()}
        return Rows(self.dropped + here.start, columns, categories)

    def restore(self, dropped: int, columns: Mapping[str, Column]) -> None:
        """Take over the rows of a recording, coded by this table's own dictionaries, into a table that is still empty."""
        self.dropped = dropped
        self._size = self._capacity = len(next(iter(columns.values())))
        for name, column in self._columns.items():
            fitting = self.dictionaries[name].code_type if name in self.dictionaries else column.dtype
            self._columns[name] = columns[name].astype(fitting, copy=False)

    def _move(self, start: int) -> None:
        """Move all rows but the first `start` into new arrays of the current capacity."""
        kept = self._size - start
        for name, column in self._columns.items():
            live = column[start : self._size]
            if start and name in self.dictionaries:
                live = self._compacted(name, live)
            moved = np.empty(self._capacity, live.dtype)
            moved[:kept] = live
            self._columns[name] = moved
        self._size = kept

    def _compacted(self, name: str, codes: Column) -> Column:
        """The codes, by a new dictionary that has only the values still in use, if the old one has grown a lot."""
        dictionary = self.dictionaries[name]
        values = dictionary.values
        if dictionary.closed or len(values) <= self._worn[name]:
            return codes
        used = np.zeros(len(values) + 1, bool)
        used[codes] = True
        new_codes = np.cumsum(used) - 1
        new_codes[-1] = -1  # where the missing value's code, -1, finds itself
        kept = [value for value, is_used in zip(values, used.tolist(), strict=False) if is_used]
        self.dictionaries[name] = Dictionary(kept)
        self.compactions += 1
        self._worn[name] = max(FEW, 2 * len(kept))
        return new_codes[codes].astype(self.dictionaries[name].code_type)
