"""What gRPC core counts of connections, as pandas frames: a row a subchannel, a row a socket.

What stands in their columns is said in `tinypool_nb.views.schemas`. All times are UTC.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.folding import NO_TIME
from tinypool_nb.core.subchannels import Found, Socket, Subchannel
from tinypool_nb.views.schemas import CATEGORY, SCHEMAS, TIME, Column
from tinypool_nb.views.table import Table


def subchannels(found: Found) -> pd.DataFrame:
    """One row for each subchannel of each channel, in the order of `found`.

    >>> list(subchannels({}))[4:7]
    ['subchannel', 'peer', 'state']
    """
    return rows_frame("subchannels", [_of_subchannel(channel, one) for channel, ones in found.items() for one in ones])


def sockets(found: Found) -> pd.DataFrame:
    """One row for each socket of each subchannel, in the order of `found`.

    >>> list(sockets({}))[6:8]
    ['local', 'remote']
    """
    rows = (_of_socket(channel, one, socket) for channel, ones in found.items() for one in ones for socket in one.sockets)
    return rows_frame("sockets", list(rows))


class Counted(NamedTuple):
    """What is told of whole channels: each of the same length, None where a channel was not read."""

    resolved: list[str | None]
    """The peers of its subchannels, joined by ", "."""
    sockets: list[int | None]
    keepalives_sent: list[int | None]
    """On these sockets."""


def counted(found: Found, channels: Iterable[ChannelIdentity]) -> Counted:
    """What there is to tell of each of the `channels`."""
    told = Counted([], [], [])
    for channel in channels:
        ones = found.get(channel)
        sockets = [socket for one in ones or () for socket in one.sockets]
        told.resolved.append(None if ones is None else ", ".join(dict.fromkeys(one.peer for one in ones)))
        told.sockets.append(None if ones is None else len(sockets))
        told.keepalives_sent.append(None if ones is None else sum(socket.keepalives_sent for socket in sockets))
    return told


def _of_subchannel(channel: ChannelIdentity, one: Subchannel) -> tuple[object, ...]:
    calls = (one.calls_started, one.calls_succeeded, one.calls_failed, one.last_call)
    return (*_of_channel(channel), one.number, one.peer, one.state, *calls, len(one.sockets))


def _of_socket(channel: ChannelIdentity, one: Subchannel, socket: Socket) -> tuple[object, ...]:
    return (*_of_channel(channel), one.number, *socket)


def _of_channel(channel: ChannelIdentity) -> tuple[object, ...]:
    return channel.key.namespace, channel.key.name, channel.address, channel.generation


def rows_frame(name: str, rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """The frame of that name, whose columns stand in each row in the schema's order."""
    columns = SCHEMAS[name]
    values: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(columns)
    return Table({column.name: _column(column, list(ones)) for column, ones in zip(columns, values, strict=True)})


def _column(column: Column, values: list[Any]) -> Any:
    if column.dtype == TIME:
        times = np.array([NO_TIME if value is None else value for value in values], np.int64)
        return pd.DatetimeIndex(times.astype("datetime64[ns]"), tz="UTC")
    if column.dtype == CATEGORY:
        members = [value for value in dict.fromkeys(values) if value is not None] if column.members is None else list(column.members)
        return pd.Categorical(values, categories=pd.Index([str(member) for member in members], dtype="str"))
    return np.array(values, dtype=column.dtype)
