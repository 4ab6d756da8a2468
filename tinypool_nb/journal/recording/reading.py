"""From the row groups of Parquet files to columns of a journal. What stands in a file is checked before it is used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.discovering import Known, Standing
from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import NO_TIME, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.tinymodules import TinyModule, Verdict
from tinypool_nb.journal.recording.carrying import carried
from tinypool_nb.journal.recording.channels import Columns, channel_columns
from tinypool_nb.journal.recording.encoding import changes_of, codes_of, numbers_of, split_change, texts_of, times_of, totals_of
from tinypool_nb.journal.recording.layout import ALWAYS, GROUP, KINDS, MILLISECOND, TABLES, Layout
from tinypool_nb.journal.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

MOST_ROWS = 200_000_000
"""Rows that are opened at once: they take about 20 bytes each, and a small hostile file may claim any number."""
MOST_BYTES = 1 << 30
"""Bytes of a row group, unpacked: ten times what the widest one takes."""
_EARLIEST, _LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Span(NamedTuple):
    """A range of time, both ends included, nanoseconds since 1970 UTC."""

    start: int = _EARLIEST
    end: int = _LATEST

    @property
    def is_all(self) -> bool:
        """Whether it leaves nothing out."""
        return self == Span()

    def may_have(self, group: "Group") -> bool:
        """Whether a row group may have rows of this range."""
        return self.is_all or (group.end >= self.start // MILLISECOND and group.start <= self.end // MILLISECOND)


class Group(NamedTuple):
    """One row group of a file."""

    file: "ParquetFile"
    number: int
    rows: int
    start: int
    """Its earliest `time`, milliseconds, as the file's statistics say; as early as may be if they do not."""
    end: int

    def read(self, kind: str) -> "pa.Table":
        """Its rows, only with the columns of that kind, each value valid in its type."""
        table = self.file.read_row_group(self.number, columns=list(KINDS[kind]))
        table.validate(full=True)  # texts are UTF-8, dictionary codes within their dictionaries
        return table


class Recorded:
    """The rows of one recording, of one file or in parts, by their kind.

    Parameters:
        files: in their order.
        span: what is asked for; row groups that lie outside are not read.

    Raises:
        ValueError: a row group mixes kinds, has an unknown one, is damaged or larger than any of ours.
    """

    def __init__(self, files: "Sequence[ParquetFile]", span: Span) -> None:
        import pyarrow as pa

        self.groups: dict[str, list[Group]] = {kind: [] for kind in KINDS}
        """All that there are, in their order."""
        self._span = span
        for file in files:
            for kind, group in _groups(file):
                self.groups[kind].append(group)
        asked = {kind: [g for g in groups if kind in ALWAYS or span.may_have(g)] for kind, groups in self.groups.items()}
        if sum(g.rows for groups in asked.values() for g in groups) > MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} rows; open a range of its time: start=, end=")
        self.sizes = {kind: sum(g.rows for g in groups) for kind, groups in self.groups.items()}
        """How many rows of each kind there are, those outside the span included."""
        self._asked = asked
        fields = files[0].schema_arrow
        self.tables: dict[str, pa.Table] = {
            kind: pa.concat_tables([g.read(kind) for g in groups])
            if groups
            else pa.schema([fields.field(name) for name in KINDS[kind]]).empty_table()
            for kind, groups in asked.items()
        }
        self.channels = self._channels()

    def columns(self, table: Table, name: str, identities: Sequence[ChannelIdentity], *, skip: int = 0) -> Columns:
        """The rows of a table of the journal within the span, coded by that table's own dictionaries.

        Parameters:
            identities: of the recording's channels, by their numbers; those of `channels`, perhaps renamed.
            skip: leave out so many of its first rows: those that another recording of the same pool has told, with the states before them.

        Raises:
            KeyError, ValueError: a value that cannot be.
        """
        layout = TABLES[name]
        columns = self._columns(self.tables[layout.kind], table, layout, identities)
        times = columns[layout.fields[0].name]
        if self._span.is_all:
            return {name: column[skip:] for name, column in columns.items()} if skip else columns
        within = (times >= self._span.start) & (times <= self._span.end)
        if skip:
            within &= self._places(layout.kind) >= skip
        columns = {name: column[within] for name, column in columns.items()}
        if layout.kind == "transition" and not skip:
            before = carried(self, table, identities, self._span.start)
            columns = {name: np.concatenate((before[name], column)) for name, column in columns.items()}
        return columns

    def is_before(self, time: int) -> bool:
        """Whether anything in it may have happened by that time, nanoseconds; as the statistics say, so without reading it."""
        starts = [g.start for layout in TABLES.values() for g in self.groups[layout.kind]]
        return not starts or min(starts) <= time // MILLISECOND

    def begin(self, *kinds: str) -> int | None:
        """The earliest time of a row of these kinds, or of any, within the span, nanoseconds; None if there is no row."""
        layouts = [layout for layout in TABLES.values() if len(self.tables[layout.kind]) and (not kinds or layout.kind in kinds)]
        found = [times_of(self.tables[layout.kind], layout.fields[0].stored).min() for layout in layouts]
        return max(int(min(found)), self._span.start) if found else None

    def totals(self) -> Totals | None:
        """The ledgers of all modules at the end; None if the recording has none, since it was not closed."""
        table = self.tables["module"]
        if not self.groups["module"]:
            return None
        numbers = self.channel_numbers(table).tolist()
        since, losts = (times_of(table, name, missing=True).tolist() for name in ("time", "start"))
        changes, reasons, evidence = (texts_of(table.column(name), missing=True) for name in ("change", "reason", "evidence"))
        openings = [
            None if time == NO_TIME else Transition(time, self.channels[number], *_states(change), _text(reason), Evidence(known))
            for time, number, change, reason, known in zip(since, numbers, changes, reasons, evidence, strict=True)
        ]
        return Totals(
            [self.channels[number] for number in numbers],
            openings,
            texts_of(table.column("text")),
            losts,
            totals_of(table.column("totals")),
        )

    def resources(self) -> list[Known]:
        """The resources that a discovery saw, as each was last known. Of a recording in parts those of the last part that has any."""
        groups = self.groups["resource"]
        if not groups:
            return []
        last = [g.read("resource") for g in groups if g.file is groups[-1].file]
        return [known for table in last for known in _resources(table)]

    def _places(self, kind: str) -> npt.NDArray[np.int64]:
        """Where the rows that were read stand among all of their kind."""
        before = dict(zip(self.groups[kind], np.cumsum([0] + [g.rows for g in self.groups[kind]]).tolist(), strict=False))
        return np.concatenate([np.empty(0, np.int64), *(before[g] + np.arange(g.rows) for g in self._asked[kind])])

    def _channels(self) -> list[ChannelIdentity]:
        table = self.tables["channel"]
        numbers, generations = (numbers_of(table.column(name), np.int64).tolist() for name in ("number", "generation"))
        namespaces = texts_of(table.column("namespace"), missing=True)
        names, addresses, transports = (texts_of(table.column(name)) for name in ("module", "address", "transport"))
        return list(map(ChannelIdentity, numbers, map(ModuleKey, namespaces, names), addresses, generations, transports))

    def channel_numbers(self, table: "pa.Table") -> npt.NDArray[np.int32]:
        """The channel of each row, by its number in the recording.

        Raises:
            ValueError: one is not among its channels.
        """
        codes = cast("npt.NDArray[np.int32]", numbers_of(table.column("channel"), np.int32))
        if len(codes) and (codes.min() < 0 or codes.max() >= len(self.channels)):
            raise ValueError("a row is about a channel that the file does not have")
        return codes

    def _columns(self, stored: "pa.Table", table: Table, layout: Layout, identities: Sequence[ChannelIdentity]) -> Columns:
        columns: Columns = {}
        for field in layout.fields:
            if field.form == "time":
                columns[field.name] = times_of(stored, field.stored, missing=field.may_miss)
            elif field.form == "channel":
                columns |= channel_columns(table, self.channel_numbers(stored), identities)
            elif field.form == "change":
                columns["previous"], columns["state"] = changes_of(stored.column(field.stored), table.dictionaries["state"])
            elif field.form == "text":
                columns[field.name] = codes_of(stored.column(field.stored), table.dictionaries[field.name], missing=field.may_miss)
            else:
                columns[field.name] = numbers_of(stored.column(field.stored), table.rows().columns[field.name].dtype)
        if layout.kind == "call" and any((columns[name] < 0).any() for name in ("sent", "received")):
            raise ValueError("a call has fewer than 0 bytes")
        return columns


def _groups(file: "ParquetFile") -> Iterator[tuple[str, Group]]:
    """The row groups of a file with their kinds.

    Raises:
        ValueError: one mixes kinds, has an unknown one, or is larger than any of ours.
    """
    metadata, names = file.metadata, list(file.schema_arrow.names)
    kind_at, time_at = names.index("kind"), names.index("time")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if not 0 < group.num_rows <= GROUP or not 0 <= group.total_byte_size <= MOST_BYTES:
            raise ValueError(f"row group {number} claims to have {group.num_rows:,} rows of {group.total_byte_size:,} bytes")
        said = group.column(kind_at).statistics
        if said is not None and said.has_min_max and said.min == said.max and said.min in KINDS and not said.null_count:
            kinds = [said.min]
        else:
            kinds = file.read_row_group(number, columns=["kind"]).column("kind").unique().to_pylist()
        if len(kinds) != 1 or kinds[0] not in KINDS:
            raise ValueError(f"row group {number} holds rows of kind {kinds}")
        times = group.column(time_at).statistics
        has_times = times is not None and times.has_min_max and type(times.min_raw) is int and type(times.max_raw) is int
        yield kinds[0], Group(file, number, group.num_rows, *((times.min_raw, times.max_raw) if has_times else (_EARLIEST, _LATEST)))


def _resources(table: "pa.Table") -> Iterator[Known]:
    names = ("namespace", "module", "uid", "version", "sdk_version", "resource_version", "standing", "reason", "components", "labels")
    texts = {name: texts_of(table.column(name)) for name in names}
    addresses = texts_of(table.column("address"), missing=True)
    rows = zip(*texts.values(), addresses, times_of(table, "time").tolist(), strict=True)
    for namespace, name, uid, version, sdk, resource_version, standing, reason, components, labels, address, seen in rows:
        told = [_text(text) for text in (*components, *labels)]
        pairs = told[len(components) :]
        module = TinyModule(
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
            address=address,
            version=version,
            sdk_version=sdk,
            components=tuple(components),
            labels=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
            verdict=Verdict.WAITING if address is None else Verdict.USABLE,
            reason=reason,
        )
        yield Known(module, address, Standing(standing), reason, seen)


def _states(change: object) -> tuple[State | None, State | None]:
    before, after = split_change(change)
    return before and State(before), after and State(after)  # type: ignore[return-value]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where a text must")
    return value


def set_order(tables: Mapping[str, Table], dictionaries: Mapping[str, object], channels: Sequence[ChannelIdentity]) -> None:
    """Let each open dictionary of empty tables learn its values in their old order, so that categories come back as they were.

    Raises:
        KeyError, TypeError, ValueError: the order cannot be.
    """
    for name, orders in dictionaries.items():
        table = tables[name]
        if not isinstance(orders, dict):
            raise TypeError(f"{orders!r} stands where the order of columns must")
        for column, values in orders.items():
            dictionary = table.dictionaries[column]
            if dictionary.closed:
                raise ValueError(f"{column} has an order of its own")
            dictionary.encode([channels[_count(value)] for value in values] if column == "channel" else [_text(value) for value in values])


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands where a count must")
    return value
