"""The pool of a notebook: the page's client pool and its record in one, displayed as a table."""

from __future__ import annotations

import asyncio
import weakref
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, PoolOptions, check_period
from tinypool_nb.lab import actions
from tinypool_nb.notebook.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pandas as pd

    from tinypool_nb.lab.actions import Action
    from tinypool_nb.notebook.live_table import LiveTable

_pools: weakref.WeakValueDictionary[int, Pool] = weakref.WeakValueDictionary()
_serials = count(1)


class Pool(ClientPool, Record):
    """One gRPC connection for each module, and the record of all that becomes of it.

    The verbs of the connections are `ClientPool`'s, the frames and figures `Record`'s; a frame that is asked for is complete
    up to that moment. It displays itself as a table. After `close` the frames, figures and `save` still work.

    Args:
        options: settings for all modules; a module may have its own.
        health_checks: seconds between periodic health checks; None leaves them off.

    Example:
        >>> with Pool() as pool:
        ...     pool.register("http-module-v1", "127.0.0.1:50051")
        ...     pool.transitions()[["module", "state"]]
                   module state
        0  http-module-v1  IDLE
    """

    def __init__(self, options: PoolOptions | None = None, *, health_checks: float | None = None) -> None:
        ClientPool.__init__(self, options, health_checks=health_checks)
        Record.__init__(self, self.journal)
        _pools[next(_serials)] = self
        actions.listeners.add(self)

    @overload
    def connections(self, *, live: Literal[False] = False) -> pd.DataFrame: ...
    @overload
    def connections(self, *, live: Literal[True]) -> LiveTable: ...

    def connections(self, *, live: bool = False) -> pd.DataFrame | LiveTable:
        """A row a connection that is open: where to, how it is set, its state, attempts, sockets, keepalives, calls, last error.

        Besides the record it reads gRPC core's own counters (channelz), as they are now: 1 s with 1000 connected modules.

        Args:
            live: True for a table that redraws itself in place, at most 8 times a second, until the pool closes.
        """
        from tinypool_nb.views import frames

        if not live:
            self.catch_up()
            return self._registered(frames.connections(self.journal, options=self.settings(), found=self.channelz()))
        from tinypool_nb.notebook.live_table import LiveTable

        self.catch_up()  # so that its first picture shows what was just registered
        return LiveTable(self.journal, self.follower)

    def subchannels(self) -> pd.DataFrame:
        """A row a subchannel of every open channel: peer, state and calls as gRPC core counts them at this moment (channelz, gRFC A14).

        A module has one for each address that its name resolves to. Retired channels that still drain are among them: the
        column `generation` tells. Times are exact to 2 ms.

        >>> with Pool() as pool:
        ...     list(pool.subchannels())[4:7]
        ['subchannel', 'peer', 'state']
        """
        from tinypool_nb.views import channelz_frames

        return channelz_frames.subchannels(self.channelz())

    def sockets(self) -> pd.DataFrame:
        """A row a socket of every open channel: both ends, streams, messages and keepalive pings, as gRPC core counts them (gRFC A14).

        A subchannel has one while it is READY. Retired channels that still drain are among them: the column `generation`
        tells. Times are exact to 2 ms.

        >>> with Pool() as pool:
        ...     list(pool.sockets())[6:8]
        ['local', 'remote']
        """
        from tinypool_nb.views import channelz_frames

        return channelz_frames.sockets(self.channelz())

    def modules(self) -> pd.DataFrame:
        """A row a TinyModule resource that `discover` has seen: address, versions, components, labels, and what became of it.

        >>> with Pool() as pool:
        ...     list(pool.modules())[8:10]
        ['state', 'reason']
        """
        from tinypool_nb.views import module_frames

        return module_frames.modules(self._discoveries.known())

    def _registered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Without modules that were unregistered: one may still drain its last calls, but is no connection of the pool's any more."""
        return frame[np.array([key in self for key in _keys(frame)], bool)].reset_index(drop=True)

    def _listed(self) -> pd.DataFrame:
        """The connections as the pool displays them: from the record alone, since the table shows none of core's counters."""
        from tinypool_nb.views import frames

        self.catch_up()
        return self._registered(frames.connections(self.journal))

    async def stream(self, every: float = 1.0) -> AsyncIterator[pd.DataFrame]:
        """Frames of only the transitions that are new since the last one, until the pool closes.

        `every`: seconds between two frames at the least; a frame without rows is not sent. A frame's `attrs["dropped"]`
        counts the rows that left the bounded journal before they could be sent.

        Example:
            async for frame in pool.stream(every=0.5):
                display(frame)

        Raises:
            OptionsError: `every` is not a number of at least 0.01 s.
        """
        from tinypool_nb.views import frames

        check_period("every", every)
        position = self.journal.position()
        closed = False
        while not closed:
            await asyncio.sleep(every)
            closed = self.is_closed and self._observer.is_over  # only then is the last SHUTDOWN recorded
            self.catch_up()
            batch = self.journal.since(position)
            position = batch.position
            if len(batch.transitions) or batch.dropped:
                yield frames.transitions_of(batch)

    def backoff(self, key: ModuleKey) -> Backoff:
        """The settings by which the module's attempts are spaced."""
        return self.options_of(key).backoff

    def describe(self) -> dict[str, Any]:
        """What a recording says about itself besides its rows; no secret is among it."""
        own = {str(key): options.as_dict() for key, options in self._modules.options.copy().items() if options != self.options}
        return {**super().describe(), "options": self.options.as_dict(), "module_options": own}

    def known(self) -> tuple[ModuleKey, ...]:
        """The modules that may be asked for: all that were ever seen, those just registered included."""
        return tuple(dict.fromkeys((*super().known(), *self._modules.keys())))

    def catch_up(self) -> None:
        """Read what may have happened, so that the record is complete up to this moment."""
        ClientPool.catch_up(self)

    def lab_acted(self, action: Action) -> None:
        """An action of a person in the lab is a mark on the modules that it is about."""
        for key in self.keys_at(action.address):
            self.journal.mark(f"lab: {action.verb}", kind=MarkKind.ACTION, key=key)

    def __enter__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return ClientPool.__repr__(self)

    def __str__(self) -> str:
        from tinypool_nb.views import pictures

        return pictures.connections_text(self._listed())

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from tinypool_nb.views import pictures

        frame = self._listed()
        return {"text/plain": pictures.connections_text(frame), "text/html": pictures.connections_html(frame)}


def pools() -> list[Pool]:
    """The open pools of this process, the oldest first (a displayed pool is kept alive by the notebook's `Out`)."""
    known = [reference() for reference in _pools.valuerefs()]  # a copy: another thread may make a pool meanwhile
    return [pool for pool in known if pool is not None and not pool.is_closed]


def _keys(frame: pd.DataFrame) -> list[ModuleKey]:
    namespaces = frame["namespace"].astype(object).where(frame["namespace"].notna(), None)
    return [ModuleKey(namespace, name) for namespace, name in zip(namespaces, frame["module"], strict=True)]


def close_all() -> None:
    """Close every open pool of this process."""
    for pool in pools():
        pool.close()
