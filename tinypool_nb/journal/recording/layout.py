"""How the rows of a journal stand in a Parquet file: one schema for all kinds of rows, each row group of one kind.

`kind` says which kind a row is; the columns of the other kinds are null, which costs nothing. A channel is written once, as a
row of its own; rows about it say its number among those. So a row group can be read, or left out, by its kind and by
its range of `time`, and a transition takes two to three bytes:

- A time is split into whole milliseconds (`time`) and the nanoseconds beyond them (`time_ns`). gRPC core stamps whole milliseconds plus one
  constant of the process, so what is beyond is one value for nearly all rows and costs nothing, and no nanosecond of any stamp is lost.
- `change` holds the state before and the state after in one text, as `READY>IDLE`: one follows from the other for the most part, so
  both together take no more than one of them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 1 << 18
"""Rows of a row group at most: few enough that a range of time leaves most of a long recording out."""
MILLISECOND = 1_000_000
"""Nanoseconds."""

COLUMNS: Mapping[str, str] = {
    "kind": "text",  # channel | transition | attempt | mark | call | observation | module | resource
    "time": "time",  # of a transition, mark, observation; end of an attempt or call; since when a module is so, or when a resource was seen
    "time_ns": "int32",  # nanoseconds beyond it, 0 to 999,999
    "channel": "int32",  # its number among the rows of kind channel, counted from 0
    "namespace": "text",  # of a channel, mark, observation or resource
    "module": "text",
    "address": "text",  # of a channel or resource
    "generation": "int32",
    "number": "int64",
    "transport": "text",
    "change": "text",  # of a transition, or of the one that began a module's state: `before>after`, either may be empty
    "reason": "text",
    "evidence": "text",
    "counted": "bool",
    "start": "time",  # of an attempt or call; when a module was last lost, if it still is
    "start_ns": "int32",
    "subchannel": "int64",
    "peer": "text",
    "outcome": "text",
    "mark": "text",  # the kind of a mark
    "text": "text",  # of a mark or observation; the last reason of a module
    "totals": "numbers",  # of a module: see tinypool_nb.core.folding
    "method": "text",  # of a call
    "code": "text",
    "sent": "int64",
    "received": "int64",
    "subject": "text",  # of an observation
    "value": "int64",
    "uid": "text",  # of a resource, as the rest
    "version": "text",
    "sdk_version": "text",
    "resource_version": "text",
    "standing": "text",
    "components": "texts",
    "labels": "texts",  # label, value, label, value, ...
}
"""What each column holds. The names and their order are part of the format: what changes here needs a new format number."""

TEXTS = tuple(name for name, form in COLUMNS.items() if form == "text")


class Field(NamedTuple):
    """One column of a journal's table, and where it stands in a file."""

    name: str
    """Of the table."""
    stored: str
    """Of the file. A time takes a second column, `<stored>_ns`."""
    form: Literal["time", "text", "number", "channel", "change"]
    """A `channel` brings all columns that follow from it, and `change` two: `previous` and `state`."""
    may_miss: bool = False
    """Whether a value may be missing."""


class Layout(NamedTuple):
    """How a table of the journal stands in a file."""

    kind: str
    fields: tuple[Field, ...]

    def columns(self) -> tuple[str, ...]:
        """The columns of a file that rows of this kind have."""
        return tuple(
            name for field in self.fields for name in ((field.stored, f"{field.stored}_ns") if field.form == "time" else (field.stored,))
        )


TABLES: Mapping[str, Layout] = {
    "transitions": Layout(
        "transition",
        (
            Field("time", "time", "time"),
            Field("channel", "channel", "channel"),
            Field("state", "change", "change"),
            Field("reason", "reason", "text"),
            Field("evidence", "evidence", "text"),
            Field("counted", "counted", "number"),
        ),
    ),
    "attempts": Layout(
        "attempt",
        (
            Field("end", "time", "time"),
            Field("channel", "channel", "channel"),
            Field("start", "start", "time", may_miss=True),
            Field("subchannel", "subchannel", "number"),
            Field("peer", "peer", "text"),
            Field("outcome", "outcome", "text"),
            Field("reason", "reason", "text"),
            Field("evidence", "evidence", "text"),
        ),
    ),
    "marks": Layout(
        "mark",
        (
            Field("time", "time", "time"),
            Field("kind", "mark", "text"),
            Field("namespace", "namespace", "text", may_miss=True),
            Field("module", "module", "text", may_miss=True),
            Field("text", "text", "text"),
        ),
    ),
    "calls": Layout(
        "call",
        (
            Field("end", "time", "time"),
            Field("channel", "channel", "channel"),
            Field("start", "start", "time"),
            Field("method", "method", "text"),
            Field("code", "code", "text"),
            Field("sent", "sent", "number"),
            Field("received", "received", "number"),
            Field("reason", "reason", "text"),
        ),
    ),
    "observations": Layout(
        "observation",
        (
            Field("time", "time", "time"),
            Field("namespace", "namespace", "text", may_miss=True),
            Field("module", "module", "text"),
            Field("subject", "subject", "text"),
            Field("text", "text", "text"),
            Field("value", "value", "number"),
        ),
    ),
}
"""The tables of a journal, by their names there. A new table is one more entry here, and its new columns in COLUMNS."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "channel": ("namespace", "module", "address", "generation", "number", "transport"),
    **{layout.kind: layout.columns() for layout in TABLES.values()},
    "module": ("time", "time_ns", "channel", "change", "reason", "evidence", "text", "start", "start_ns", "totals"),
    "resource": (
        *("time", "time_ns", "namespace", "module", "address", "reason", "uid", "version", "sdk_version", "resource_version", "standing"),
        *("components", "labels"),
    ),
}
"""The columns that each kind of row has, in the order in which the kinds stand in a file that was closed."""
ALWAYS = frozenset({"channel", "module", "resource"})
"""Kinds that a range of time does not leave out."""


def schema() -> "pa.Schema":
    """The file's schema."""
    import pyarrow as pa

    types = {
        "text": pa.dictionary(pa.int32(), pa.string()),
        "texts": pa.list_(pa.string()),
        "time": pa.timestamp("ms", "UTC"),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
        "numbers": pa.list_(pa.int64()),
    }
    return pa.schema([(name, types[form]) for name, form in COLUMNS.items()])
