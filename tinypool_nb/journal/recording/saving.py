"""From a journal to the row groups of a Parquet file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.folding import NO_TIME, Totals
from tinypool_nb.journal.journal import Batch
from tinypool_nb.journal.recording.arrays import GROUP, column_of, group, schema, text_array, time_array
from tinypool_nb.journal.tables import Dictionary, Rows

if TYPE_CHECKING:
    import pyarrow as pa


def row_groups(batch: Batch, totals: Totals, channels: Dictionary, unit: tuple[str, int]) -> Iterator["pa.Table"]:
    """The row groups of the file, channels before the rows that are about them.

    Parameters:
        channels: gives each channel its number in the file; knows all of them.
        unit: of times, as `finest_unit` gives it.
    """
    import pyarrow as pa

    file_schema = schema(unit[0])
    identities: list[ChannelIdentity] = channels.values
    yield group(
        "channel",
        {
            "channel": pa.array(range(len(identities)), pa.int32()),
            "namespace": text_array([channel.key.namespace for channel in identities]),
            "module": text_array([channel.key.name for channel in identities]),
            "address": text_array([channel.address for channel in identities]),
            "generation": pa.array([channel.generation for channel in identities], pa.int32()),
            "number": pa.array([channel.number for channel in identities], pa.int64()),
            "transport": text_array([channel.transport for channel in identities]),
        },
        len(identities),
        file_schema,
    )
    for rows in _pieces(batch.transitions):
        columns = _coded(rows, "previous", "state", "reason", "evidence")
        columns["time"] = time_array(rows.columns["time"], *unit)
        columns["channel"] = pa.array(channels.encode(rows.categories["channel"].members)[rows.columns["channel"]])
        columns["counted"] = pa.array(rows.columns["counted"])
        yield group("transition", columns, len(rows), file_schema)
    for rows in _pieces(batch.attempts):
        columns = _coded(rows, "peer", "outcome", "reason", "evidence")
        columns["time"] = time_array(rows.columns["end"], *unit)
        columns["start"] = time_array(rows.columns["start"], *unit)
        columns["channel"] = pa.array(channels.encode(rows.categories["channel"].members)[rows.columns["channel"]])
        columns["subchannel"] = pa.array(rows.columns["subchannel"])
        yield group("attempt", columns, len(rows), file_schema)
    for rows in _pieces(batch.marks):
        columns = _coded(rows, "namespace", "module", "text")
        columns["time"] = time_array(rows.columns["time"], *unit)
        columns["mark"] = column_of(rows, "kind")
        yield group("mark", columns, len(rows), file_schema)
    for rows in _pieces(batch.calls):
        columns = _coded(rows, "method", "code", "reason")
        columns["time"] = time_array(rows.columns["end"], *unit)
        columns["start"] = time_array(rows.columns["start"], *unit)
        columns["channel"] = pa.array(channels.encode(rows.categories["channel"].members)[rows.columns["channel"]])
        columns["sent"] = pa.array(rows.columns["sent"])
        columns["received"] = pa.array(rows.columns["received"])
        yield group("call", columns, len(rows), file_schema)
    for rows in _pieces(batch.observations):
        columns = _coded(rows, "namespace", "module", "subject", "text")
        columns["time"] = time_array(rows.columns["time"], *unit)
        columns["value"] = pa.array(rows.columns["value"])
        yield group("observation", columns, len(rows), file_schema)
    openings = totals.openings
    yield group(
        "module",
        {
            "time": time_array(np.array([NO_TIME if row is None else row.time for row in openings], np.int64), *unit),
            "channel": pa.array(channels.encode(totals.channels)),
            "previous": text_array([row and row.previous for row in openings]),
            "state": text_array([row and row.state for row in openings]),
            "reason": text_array([row and row.reason for row in openings]),
            "evidence": text_array([row and row.evidence for row in openings]),
            "text": text_array(totals.last_reasons),
            "lost": time_array(np.array(totals.losts, np.int64), *unit),
            "totals": pa.array(totals.numbers.tolist(), pa.list_(pa.int64())),
        },
        len(openings),
        file_schema,
    )


def _pieces(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), GROUP):
        yield rows.take(np.arange(start, min(start + GROUP, len(rows))))


def _coded(rows: Rows, *names: str) -> dict[str, "pa.Array"]:
    return {name: column_of(rows, name) for name in names}
