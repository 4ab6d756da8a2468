"""Columns of rows that are about channels."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.journal.tables import Column, Table

Columns = dict[str, Column]
"""Of one table, by their names: numbers, or codes by the table's dictionaries."""


def channel_columns(table: Table, numbers: npt.NDArray[np.integer], channels: Sequence[ChannelIdentity]) -> Columns:
    """The columns of a table that follow from the rows' channels, given by number."""
    used = np.flatnonzero(np.bincount(numbers, minlength=len(channels)))
    members = [channels[number] for number in used.tolist()]
    codes: Columns = {
        "channel": table.dictionaries["channel"].encode(members),
        "namespace": table.dictionaries["namespace"].encode([channel.key.namespace for channel in members]),
        "module": table.dictionaries["module"].encode([channel.key.name for channel in members]),
        "address": table.dictionaries["address"].encode([channel.address for channel in members]),
    }
    columns: Columns = {}
    for name, column in codes.items():
        by_number = np.zeros(max(1, len(channels)), table.dictionaries[name].code_type)
        by_number[used] = column
        columns[name] = by_number[numbers]
    generations = np.zeros(max(1, len(channels)), np.int32)
    generations[used] = [channel.generation for channel in members]
    columns["generation"] = generations[numbers]
    return columns


def state_columns(
    table: Table,
    numbers: npt.NDArray[np.integer],
    channels: Sequence[ChannelIdentity],
    *,
    time: int,
    previous: npt.ArrayLike,
    state: npt.ArrayLike,
    reason: npt.ArrayLike,
    evidence: npt.ArrayLike,
) -> Columns:
    """Rows of transitions, all of one moment and counted; codes of the table, one for all or one for each row."""
    rows = {"previous": previous, "state": state, "reason": reason, "evidence": evidence, "time": time, "counted": True}
    like = table.rows().columns
    return channel_columns(table, numbers, channels) | {
        name: np.full(len(numbers), value, table.dictionaries[name].code_type if name in table.dictionaries else like[name].dtype)
        for name, value in rows.items()
    }
