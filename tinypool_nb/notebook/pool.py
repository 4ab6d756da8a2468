"""The pool of a notebook: the page's client pool and its record in one, displayed as a table."""

from __future__ import annotations

import asyncio
import threading
import weakref
from dataclasses import fields
from itertools import count
from typing import TYPE_CHECKING, Literal, Self, overload

import numpy as np

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.hints import hinting
from tinypool_nb.core.keys import ModuleKey, need_key
from tinypool_nb.core.options import Backoff, PoolOptions, check_period
from tinypool_nb.errors import OptionsError
from tinypool_nb.lab import actions
from tinypool_nb.notebook.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    import pandas as pd
    import plotly.graph_objects as go

    from tinypool_nb.lab.actions import Action
    from tinypool_nb.notebook.explanation import Explanation
    from tinypool_nb.notebook.following import Following
    from tinypool_nb.notebook.live_table import LiveTable
    from tinypool_nb.notebook.stepper import Stepper
    from tinypool_nb.views.figures import Theme
    from tinypool_nb.widgets.panel import Panel
    from tinypool_nb.widgets.publisher import Publisher

_pools: weakref.WeakValueDictionary[int, Pool] = weakref.WeakValueDictionary()
_serials = count(1)


@hinting(settings=(field.name for field in fields(PoolOptions)))
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
        self._publisher: Publisher | None = None
        self._publishing = threading.Lock()  # around the first use
        _pools[next(_serials)] = self
        actions.listeners.add(self)
        self._panel: Panel | None = None

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

    def _registered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Without modules that were unregistered: one may still drain its last calls, but is no connection of the pool's any more."""
        return frame[np.array([key in self for key in _keys(frame)], bool)].reset_index(drop=True)

    def _listed(self) -> pd.DataFrame:
        """The connections as the pool displays them: from the record alone, since the table shows none of core's counters."""
        from tinypool_nb.views import frames

        self.catch_up()
        return self._registered(frames.connections(self.journal))

    def timeline(
        self, modules: str | Iterable[str] | None = None, *, theme: Theme = "light", width: int | None = None, live: bool = False
    ) -> go.Figure:
        """As `Record.timeline`; or, with `live`, a FigureWidget of the last minute that follows this pool until it closes.

        Raises:
            OptionsError: `modules` or `width` with `live`, which shows all modules, as wide as the page lets it.
        """
        if not live:
            return super().timeline(modules, theme=theme, width=width)
        for name, value in (("modules", modules), ("width", width)):
            if value is not None:
                raise OptionsError(name, value, "left out where live=True, which shows all modules, as wide as the page lets it")
        from tinypool_nb.widgets.streaming import StreamingTimeline

        self.catch_up()
        return StreamingTimeline(self.journal, self.publisher, theme=theme)

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

    def panel(self) -> Panel:
        """The whole explorer, for a notebook: summary, timeline, the form to register modules with the list of them.

        Each call gives the same panel, which may be displayed several times, until `close`. It does not keep the pool alive: hold the pool.

        Raises:
            PoolClosedError: after `close`; the frames and figures still work.
        """
        self._check_open("panel")
        if self._panel is None or self._panel.closed:
            from tinypool_nb.notebook.explorer import explorer

            self.catch_up()  # so that it begins with what was just registered
            self._panel = explorer(self)
        return self._panel

    def close(self, drain: float = 0.0) -> None:
        """As `ClientPool.close`; live views show the last state and stop, and where the panel is displayed a picture and a table stay."""
        if self._panel is not None and not self._panel.closed:
            self._panel.freeze()
        super().close(drain)
        if not self.is_closed:
            return  # a copy in a fork: what is displayed is the parent's
        with self._publishing:
            if self._publisher is not None:
                self._publisher.close()
        if self._panel is not None:
            self._panel.close()

    def stepper(self, lesson: str = "first look") -> Stepper:
        """A lesson to walk through, one step at a time, against servers of the lab: what is done, expected and seen, and why.

        Args:
            lesson: "first look", "freeze", "graceful stop", "address change" or "round robin".

        Raises:
            OptionsError: there is no such lesson.
            PoolClosedError: after `close`.

        Example:
            >>> with Pool() as pool, pool.stepper("first look") as stepper:
            ...     stepper.next()
            <Stepper 'first look': 1 of 10 steps, all as expected>
        """
        from tinypool_nb.lab.scripts import SCRIPTS
        from tinypool_nb.notebook.stepper import Stepper

        self._check_open("stepper")
        if lesson not in SCRIPTS:
            raise OptionsError("lesson", lesson, f"one of {', '.join(map(repr, SCRIPTS))}")
        return Stepper(self, SCRIPTS[lesson])

    def follow(self, name: str | ModuleKey) -> Following:
        """What a module's connection is doing, and the window in which gRPC's own next attempt can come; `now()` gives it as data.

        Raises:
            UnknownModuleError, AmbiguousModuleError

        Example:
            >>> with Pool() as pool:
            ...     pool.register("http-module-v1", "127.0.0.1:50051")
            ...     pool.follow("http-module-v1")
            <Following http-module-v1 is idle until somebody asks (IDLE)>
        """
        from tinypool_nb.notebook.following import Following

        return Following(self, self._modules.need(name))

    def explain(self, name: str | ModuleKey, *, timeout: float = 2.0) -> Explanation:
        """What is, or was, the matter with a module: findings, each with the rows that it is told from, what to do and what to read.

        First it looks at what the record does not have (gRPC core's counters, what DNS says now, the environment, discovery) and records
        that too, so that an opened recording explains the same.

        Args:
            name: the module; one that discovery saw and did not register may be asked for too.
            timeout: seconds at most that each of DNS, a TLS hello and a TCP connection may take.

        Raises:
            UnknownModuleError: nobody has ever seen it; with the near names.
            AmbiguousModuleError: the bare name stands for several modules.

        Example:
            >>> with Pool() as pool:
            ...     pool.register("http-module-v1", "127.0.0.1:50051")
            ...     pool.explain("http-module-v1")
            <Explanation of http-module-v1: nothing wrong: idle>
        """
        check_period("timeout", timeout)
        key = need_key(dict.fromkeys((*self.known(), *(known.module.key for known in self._discoveries.known()))), name)
        if not self.is_closed:
            self.observe(key, timeout)
        return super().explain(key)

    def backoff(self, key: ModuleKey) -> Backoff:
        """The settings by which the module's attempts are spaced."""
        return self.options_of(key).backoff

    def known(self) -> tuple[ModuleKey, ...]:
        """The modules that may be asked for: all that were ever seen, those just registered included."""
        return tuple(dict.fromkeys((*super().known(), *self._modules.keys())))

    @property
    def publisher(self) -> Publisher:
        """What writes to this pool's widgets: made when it is first asked for, ended by `close`."""
        from tinypool_nb.widgets.publisher import Publisher

        with self._publishing:
            if self._publisher is None:
                self._publisher = Publisher(self.journal, self.follower)
                if self.is_closed:
                    self._publisher.close()
            return self._publisher

    def on_discovery(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener`, in any thread and often, after how a discovery stands may have changed; what is returned ends that."""
        return self._discoveries.listen(listener)

    def registered(self) -> tuple[ModuleKey, ...]:
        """The modules that are registered now."""
        return self._modules.keys()

    def catch_up(self) -> None:
        """Read what may have happened, so that the record is complete up to this moment."""
        ClientPool.catch_up(self)

    def lab_acted(self, action: Action) -> None:
        """An action of a person in the lab is a mark on the modules that it is about."""
        for key in self.keys_at(action.address):
            self.journal.mark(f"lab: {action.verb}", kind=MarkKind.ACTION, key=key)
        for key in self.keys_through(action.address):
            self.journal.mark(f"lab: {action.verb} {action.name}", kind=MarkKind.ACTION, key=key)

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
