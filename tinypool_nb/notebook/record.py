"""What can be asked of a record: frames, figures, a recording. A pool is one that grows, an opened recording one that does not."""

from __future__ import annotations

import re
import time
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinypool_nb.core.differences import differences
from tinypool_nb.core.events import Mark, MarkKind
from tinypool_nb.core.keys import ModuleKey, recorded_key
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.telling import counted
from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import pandas as pd
    import plotly.graph_objects as go

    from tinypool_nb.core.discovering import Known
    from tinypool_nb.journal.journal import Journal
    from tinypool_nb.journal.recording.sources import Paths
    from tinypool_nb.notebook.diagram import StateDiagram
    from tinypool_nb.notebook.explanation import Explanation
    from tinypool_nb.views.figures import Theme
    from tinypool_nb.views.frames import Since
    from tinypool_nb.widgets.replay import Replay

    Moment = str | datetime

_DATED = re.compile(r"\s*\d{4}-?\d\d")
"""How the text of a moment begins that has a date."""


class Record:
    """The frames and figures of what was recorded.

    The columns of each frame, with dtype, unit and meaning, stand in `tinypool_nb.views.frames.SCHEMAS`. Times are UTC. A
    frame is a copy of your own; `copy=False`, where it is offered, gives a read-only one at no cost.
    """

    def __init__(self, journal: Journal, details: Mapping[str, Any] | None = None, resources: Iterable[Known] = ()) -> None:
        """`details`: what a recording says about itself, `partial` if it is not whole; `resources`: what a discovery knew."""
        self.journal = journal
        self.details: Mapping[str, Any] = {} if details is None else details
        self._resources = tuple(resources)

    def transitions(self, *, since: Since = None, copy: bool = True) -> pd.DataFrame:
        """Each change of a channel's state, a row each, with gRPC core's own time stamp and reason.

        Args:
            since: a mark (or a time): only rows from then on.
            copy: False for a read-only frame that shares the journal's memory.
        """
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.transitions(self.journal, since=since, copy=copy)

    def attempts(self, *, since: Since = None) -> pd.DataFrame:
        """Each attempt to connect to one address: start, end, outcome and reason."""
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.attempts(self.journal, since=since)

    def calls(self, *, since: Since = None) -> pd.DataFrame:
        """Each call that has ended: start, end, method, code, bytes and the reason of a failure. What was said in it is not kept."""
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.calls(self.journal, since=since)

    def latency(self, *, since: Since = None) -> pd.DataFrame:
        """A row a module: how many calls, how many failed, and the quantiles of their durations."""
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.latency(self.journal, since=since)

    def intervals(self) -> pd.DataFrame:
        """The stretches of time that each module spent in one state; the last one of each is open (its end is NaT)."""
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.intervals(self.journal)

    def summary(self) -> pd.DataFrame:
        """A row a module: time in each state, share READY, disconnections, attempts, failures, times to recover, last reason."""
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.summary(self.journal, now=self.now())

    def connections(self) -> pd.DataFrame:
        """A row a connection that was open at the end: address, target, settings, state, since when, attempts, calls, last error.

        What only gRPC core could tell of it (`resolved`, `sockets`, `keepalives_sent`) is no longer known.
        """
        from tinypool_nb.views import frames

        self.catch_up()
        return frames.connections(self.journal, options=self.settings())

    def settings(self) -> dict[ModuleKey, str]:
        """What the settings of each module say that the defaults do not, in a few words; of those whose settings the record tells."""
        details = self.describe()
        own, common = details.get("module_options"), details.get("options")
        own = own if isinstance(own, dict) else {}
        stored = {key: own.get(str(key), common) for key in self.known()}
        return {key: differences(options) for key, options in stored.items() if isinstance(options, dict)}

    def marks(self) -> pd.DataFrame:
        """The labelled moments: notes, actions of a person, and what the record says of itself."""
        from tinypool_nb.views import frames

        return frames.marks(self.journal)

    def modules(self) -> pd.DataFrame:
        """A row a TinyModule resource that `discover` saw: address, versions, components, labels, and what became of it.

        It is what was last known of each; what became of them over time stands in `marks()`, as those of the kind "discovery".

        >>> from tinypool_nb.journal.journal import Journal
        >>> list(Record(Journal()).modules())[8:10]
        ['state', 'reason']
        """
        from tinypool_nb.views import module_frames

        return module_frames.modules(self.resources())

    def resources(self) -> tuple[Known, ...]:
        """What the discoveries know of each resource that they saw."""
        return self._resources

    @property
    def partial(self) -> str:
        """What of a recording is not whole, since it was not closed; "" if it is."""
        return str(self.details.get("partial", ""))

    def mark(self, text: str, module: str | ModuleKey | None = None) -> Mark:
        """Label this moment on every timeline; `transitions(since=...)` takes the mark."""
        key = None if module is None else recorded_key(self.known(), module)
        mark = self.journal.mark(str(text), kind=MarkKind.NOTE, key=key)
        time.sleep(0.001)  # core's stamps are rounded down to milliseconds: what is done after this call has none before the mark
        return mark

    def timeline(
        self, modules: str | Iterable[str] | None = None, *, theme: Theme = "light", width: int | None = None, live: bool = False
    ) -> go.Figure:
        """A swimlane a module: who was in which state, when, and why; marks as labelled lines; below them the calls, by how long they took.

        Args:
            modules: only these (or this one), in this order; else all.
            theme: "light" or "dark".
            width: pixels; else as wide as the page lets it. Many short intervals are merged to what the pixels can show: the worst state
                wins, and the figure says so.
            live: only a `tp.Pool` can be: there it makes a FigureWidget of the last minute that goes on with it.

        Raises:
            OptionsError: `live` of a record that does not grow.
        """
        from tinypool_nb.views import figures

        if live:
            raise OptionsError("live", live, "only a tp.Pool goes on; of a recording, timeline() shows all there is")
        modules = [modules] if isinstance(modules, str) else modules
        chosen = None if modules is None else [str(recorded_key(self.known(), module)) for module in modules]
        return figures.timeline(self.intervals(), self.marks(), self.calls(), now=self.now(), modules=chosen, theme=theme, width=width)

    def replay(self, speed: float = 1.0) -> Replay:
        """Play the record up to now in the live timeline's own picture, for a notebook: with a slider, any speed, and jumps to the marks.

        Args:
            speed: so many times as quickly as it was; set `.speed`, `.position` and `.playing` of what this returns at any time.

        Raises:
            OptionsError: `speed` is not a number above 0.

        Example:
            record.replay(speed=10)
        """
        from tinypool_nb.widgets.replay import Replay

        self.catch_up()
        return Replay(self.journal, speed=speed, playing=True)

    def panel(self) -> Any:
        """The whole record at one glance, for a notebook: the live view's picture of all of it, to look around in and to play."""
        from tinypool_nb.widgets.replay import Replay

        return Replay(self.journal)

    def state_diagram(self, *, theme: Theme | None = None) -> StateDiagram:
        """The five states, with the ways that the recorded modules have walked, and how often each.

        Args:
            theme: "light" or "dark"; by default that of the page.
        """
        from tinypool_nb.notebook.diagram import StateDiagram
        from tinypool_nb.views.state_diagram import walked

        return StateDiagram(walked(self.transitions(copy=False)), theme=theme)

    def backoff_plot(self, module: str | ModuleKey, *, theme: Theme = "light") -> go.Figure:
        """The gaps between a module's attempts against the windows that the specification gives them.

        Raises:
            UnknownModuleError: nothing was ever recorded of it.
        """
        from tinypool_nb.views import figures

        self.catch_up()
        key = recorded_key(self.known(), module)
        transport = next((channel.transport for channel in self.journal.totals().channels if channel.key == key), "")
        return figures.backoff_plot(self.attempts(), self.backoff(key), module=str(key), transport=transport, theme=theme)

    def explain(self, name: str | ModuleKey) -> Explanation:
        """What is, or was, the matter with a module: findings, each with the rows that it is told from, what to do and what to read.

        It displays itself; `findings` gives them as data, `frame()` as a DataFrame. Of an opened recording it says what could be said when
        that was saved.

        Raises:
            UnknownModuleError: nothing was ever recorded of it; with the near names.
            AmbiguousModuleError: the bare name stands for several modules.
        """
        from tinypool_nb.journal.cases import observed
        from tinypool_nb.notebook.explanation import explain

        self.catch_up()
        return explain(
            self.journal, self.options_of, recorded_key(dict.fromkeys((*self.known(), *observed(self.journal))), name), now=self.now()
        )

    def findings(self) -> pd.DataFrame:
        """A row a finding, over all modules: cause, since when, whether it is so now, the evidence, what to do and what to read.

        It is told from the record alone, with what `pool.explain` has looked at meanwhile. 1000 modules take 0.3 s, and 1 s if each
        was lost dozens of times.
        """
        from tinypool_nb.notebook.explanation import all_findings

        self.catch_up()
        return all_findings(self.journal, self.options_of, now=self.now())

    def observations(self) -> pd.DataFrame:
        """What was looked at because a person asked for an explanation: DNS, sockets, calls by endpoint, the environment, discovery."""
        from tinypool_nb.views import frames

        return frames.observations(self.journal)

    def options_of(self, key: ModuleKey) -> PoolOptions:
        """The settings of a module, as far as the record tells them: of its Tls the `server_name` alone; else the page's defaults."""
        stored = self.details.get("module_options", {}).get(str(key)) or self.details.get("options") or {}
        try:
            keepalive, balancing = Keepalive(**stored.get("keepalive", {})), stored.get("load_balancing", "pick_first")
            told = stored.get("tls")
            tls = Tls(server_name=told.get("server_name")) if isinstance(told, dict) else None
            return PoolOptions(keepalive=keepalive, backoff=self.backoff(key), load_balancing=balancing, tls=tls)
        except (OptionsError, TypeError):  # of another version, or of other people's making
            return PoolOptions()

    def backoff(self, key: ModuleKey) -> Backoff:
        """The settings by which the module's attempts are spaced; the page's defaults if the record does not say."""
        own = self.details.get("module_options", {}).get(str(key))
        stored = own or self.details.get("options") or {}
        return Backoff(**stored.get("backoff", {}))

    def save(self, path: str | PathLike[str]) -> None:
        """Write all that was recorded into one Parquet file, which `tp.open_recording` reads back. Its folder must be there.

        Raises:
            DestinationError: the file cannot be written; a file of that name is left as it was.
        """
        from tinypool_nb.journal import recording
        from tinypool_nb.journal.destination import written_to

        self.catch_up()
        with written_to(path) as target:
            recording.save(self.journal, target, details=self.describe(), resources=self.resources())

    def report(self, path: str | PathLike[str], *, title: str = "") -> None:
        """Write a ready report of the record, as .html or .pdf: what was wrong, since when, which modules, and what that rests on.

        The folder of the file must be there, as for `save`.

        Raises:
            ReportError: the path says neither format, or there is no Chromium to print a PDF.
            DestinationError: the file cannot be written; a file of that name is left as it was.
        """
        from tinypool_nb.report.writing import write_recording_report

        self.catch_up()
        write_recording_report(self, Path(path), title=title or Path(path).stem)

    def describe(self) -> dict[str, Any]:
        """What a recording says about itself besides its rows."""
        return dict(self.details)

    def known(self) -> tuple[ModuleKey, ...]:
        """The modules that may be asked for: all that were ever seen."""
        return self.journal.keys()

    def now(self) -> int:
        """The moment up to which the record speaks, nanoseconds since 1970 UTC."""
        return self.journal.clock.now()

    def catch_up(self) -> None:
        """Make the record complete up to this moment; an opened recording is."""

    def __repr__(self) -> str:
        sizes = ", ".join(counted(len(table), name.removesuffix("s")) for name, table in self.journal.tables().items())
        return f"<{type(self).__name__} {counted(len(self.journal.keys()), 'module')}: {sizes}>"


def open_recording(path: Paths, *, start: Moment | None = None, end: Moment | None = None) -> Record:
    """Open what `save` or `record` wrote: a Record with the same frames, figures and replay, without a network and without grpc.

    Several recordings become one record. Those of one pool are put together; those of different pools continue each other where their
    times do not overlap, with a gap in between; where they do overlap, modules of the same name are told apart as `name@file`.

    Args:
        path: a file, also one whose recording was killed (`record.partial` says so, and so does a mark); a pattern, as
            `"runs/*.parquet"`; or a list of these.
        start: only what happened from then on; what each module was in at that moment is a row of that moment, inferred.
        end: only what happened up to then. Both are a text as `"2026-01-05 12:00"` (UTC, unless it says otherwise), a datetime or a
            pandas Timestamp. What lies outside is not read, so an hour of a long recording opens quickly.

    Raises:
        RecordingError: there is no such file, or it is no recording, is damaged, or comes from a newer version; or it has nothing in that
            range. Nothing in it is executed.
        OptionsError: `start` or `end` is no moment, or the one is after the other.

    Example:
        >>> record = open_recording("incident.parquet", start="2026-01-05 12:00", end="2026-01-05 13:00")  # doctest: +SKIP
        >>> record.timeline()  # doctest: +SKIP
    """
    from tinypool_nb.journal import recording

    given = recording.Span()
    span = recording.Span(
        given.start if start is None else _nanoseconds("start", start), given.end if end is None else _nanoseconds("end", end)
    )
    if span.start > span.end:
        raise OptionsError("start", start, f"before end={end!s}")
    journal, details, resources = recording.load(path, span=span)
    return Record(journal, details, resources)


def _nanoseconds(name: str, moment: Moment) -> int:
    """Nanoseconds since 1970 UTC."""
    import pandas as pd

    if isinstance(moment, int | float):
        raise OptionsError(name, moment, "a moment, as '2026-01-05 12:00'")
    if isinstance(moment, str) and not _DATED.match(moment):  # pandas takes a time of day for one of today
        raise OptionsError(name, moment, "a moment with its date, as '2026-01-05 12:00'")
    try:
        stamp = pd.Timestamp(moment)
        if not pd.isna(stamp):
            return (stamp.tz_localize("UTC") if stamp.tz is None else stamp).as_unit("ns").value
    except (ValueError, TypeError, OverflowError) as error:
        raise OptionsError(name, moment, f"a moment, as '2026-01-05 12:00' ({error})") from None
    raise OptionsError(name, moment, "a moment, as '2026-01-05 12:00'")
