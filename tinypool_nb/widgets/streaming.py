"""The timeline as a plotly figure that follows a journal, without ever being asked to draw more than it can."""

import threading
import time
import weakref
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tinypool_nb.core.options import check_period
from tinypool_nb.core.palette import SEVERITY, Theme, palette_of
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views.figure_layout import axis, common_layout
from tinypool_nb.views.time_ticks import round_times
from tinypool_nb.views.wording import cut, for_plotly, lines_for_plotly, one_line, times_text
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.still import picture_bundle
from tinypool_nb.widgets.window import Drawn, Window

MOST_BARS = 1_500
"""Bars of one drawing: what plotly.js draws many times a second."""
TICK = 0.25
"""Seconds between two steps of a figure in which nothing happens but that time goes on."""
PATIENCE = 1.0
"""Seconds after which an update is no longer waited for: while a cell is running, the kernel does not hear that it was drawn."""

_SECOND = 1_000_000_000
_PIXELS = 700
_TICKS = 6
_LABEL_LENGTH = 32
_REASON_LENGTH = 120
_CODES = sorted(SEVERITY, key=SEVERITY.__getitem__)
"""The worst state is drawn last, so that it lies on top."""


class StreamingTimeline(go.FigureWidget):  # type: ignore[misc]  # plotly has no types
    """A lane a module over the last seconds, one bar trace a state, as `timeline()` draws them; merged to at most 1,500 bars.

    An update is skipped while the last one is under way, so that no backlog builds up however slow the browser is. Open
    intervals reach beyond the right edge: while nothing happens only the edges move. To look around in what was, take
    `timeline()`: this figure always shows now.

    Args:
        journal: what is shown.
        publisher: in whose thread everything is written; when it ends, the last state stays.
        window: seconds in sight.
        theme: "light" or "dark".

    Raises:
        OptionsError: `window` or `theme` cannot be used.
    """

    __hash__ = object.__hash__  # figures compare by content, but a view is only itself

    updates = 0
    """How many updates were written."""
    skipped = 0
    """How many were not, since the last one was under way."""

    def __init__(self, journal: Journal, publisher: Publisher, *, window: float = 60.0, theme: Theme = "light") -> None:
        check_period("window", window)
        palette = palette_of(theme)
        self._journal = journal
        self._publisher = publisher
        self._looks = palette.looks
        self._window = Window(journal, span=window)
        self._length = round(window * _SECOND)
        self._lanes_shown = -1
        self._marks_shown: list[Any] = []
        self._reach = 0  # where open intervals end in the last drawing
        self._is_changed = False
        self._is_under_way = False
        self._applied_at = 0.0
        self._rest_until = 0.0  # as long as the last drawing took, so that the browser has half of its time for all else
        self._over = threading.Event()
        traces = [self._bars(palette.looks[code].label, code, palette.looks[code]) for code in _CODES]
        marks = {"type": "scatter", "mode": "lines", "name": "marks", "x": [], "y": [], "hoverinfo": "text", "line": {"color": palette.ink}}
        layout = common_layout(palette, title="Connections, live", subtitle="", top=72, height=300, width=None)
        layout |= {
            "barmode": "overlay",
            "bargap": 0.24,
            "dragmode": False,
            "xaxis": axis("time, UTC") | {"type": "linear", "fixedrange": True},
            "yaxis": axis("") | {"type": "linear", "fixedrange": True},
        }
        super().__init__({"data": [*traces, marks], "layout": layout})
        self.observe(self._hear, "_js2py_traceDeltas")
        self._redraw()
        try:
            publisher.add(self, since=self._window.position, at_end=self.end)
        except RuntimeError:  # the pool is closed: this is its last state
            self._over.set()
            return
        arguments = (weakref.ref(self), self._over)
        threading.Thread(target=_tick, args=arguments, name="tinypool-streaming", daemon=True).start()

    def publish(self, batch: Batch) -> None:
        """Show what is new, if the last update was drawn, else with the next step; called in the publisher's thread."""
        if self._window.add(batch):
            self._is_changed = True
            self.advance()

    def advance(self) -> None:
        """Go on to now, unless the last update is still under way; called in the publisher's thread."""
        if self._over.is_set():
            return
        at = time.monotonic()
        if (self._is_under_way and at - self._applied_at < PATIENCE) or at < self._rest_until:
            self.skipped += 1
            return
        now = self._now()
        if self._is_changed or now + self._length // 8 > self._reach:
            self._redraw()
        else:
            self._apply({}, self._edges(now))

    def end(self) -> None:
        """The record is over: show its last state, and write no more. Called in the publisher's thread as it ends."""
        if not self._over.is_set():
            self._over.set()
            self._redraw()

    def picture_bundle(self) -> dict[str, str]:
        """What is recorded up to now as a picture and as text, for places without JavaScript, by their mime types."""
        return picture_bundle(self._journal)

    def close(self) -> None:
        """Take it out of the page, and write no more. May be called twice."""
        if "_publisher" in self.__dict__:
            self._over.set()
            self._publisher.remove(self)
        super().close()

    def _repr_mimebundle_(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(*arguments, **options), **self.picture_bundle()}

    @staticmethod
    def _bars(label: str, code: int, look: Any) -> dict[str, Any]:
        marker: dict[str, Any] = {"color": look.colour, "line": {"width": 1, "color": look.colour}}
        if look.shape:
            marker["pattern"] = {"shape": look.shape, "fgcolor": look.hatch, "bgcolor": look.colour, "size": 6, "solidity": 0.25}
        return {
            "type": "bar",
            "orientation": "h",
            "name": label,
            "showlegend": True,
            "legendrank": 1000 + code % 10,  # in gRPC's own order, unknown (-1) last
            "hoverinfo": "text",
            "textposition": "none",
            "marker": marker,
        }

    def _now(self) -> int:
        now: int = self._journal.clock.now() - self._window.epoch * _SECOND
        return now

    def _redraw(self) -> None:
        now = self._now()
        reach = now if self._over.is_set() else now + self._length // 4
        self._reach = reach
        self._is_changed = False
        drawn = self._window.draw(now=now, pixels=_PIXELS, most=MOST_BARS, until=reach)
        lanes = self._lanes()
        self._draw_marks(anew=bool(lanes))
        self._apply(self._restyle(drawn), lanes | self._edges(now))

    def _apply(self, restyle: dict[str, Any], relayout: dict[str, Any]) -> None:
        self._is_under_way = True
        self._applied_at = time.monotonic()
        self.updates += 1
        # An update without bars too, since what a mere relayout has drawn is told to nobody (plotly.js writes it to a misspelt trait).
        self.plotly_update(restyle, relayout, list(range(len(_CODES))))

    def _hear(self, change: dict[str, Any]) -> None:
        """The browser has drawn; called in the kernel's main thread."""
        if (change["new"] or {}).get("trace_edit_id") == self._last_trace_edit_id:
            self._is_under_way = False
            now = time.monotonic()
            self._rest_until = now + min(now - self._applied_at, PATIENCE)

    def _restyle(self, drawn: Drawn) -> dict[str, Any]:
        segments = drawn.segments
        hovers = np.array(self._hovers(drawn), dtype=object)
        columns: dict[str, list[Any]] = {"base": [], "x": [], "y": [], "hovertext": []}
        for code in _CODES:
            of_state = segments.state == code
            columns["base"].append(segments.start[of_state] / _SECOND)
            columns["x"].append((segments.end - segments.start)[of_state] / _SECOND)
            columns["y"].append(segments.lane[of_state].astype(np.int32))
            columns["hovertext"].append(hovers[of_state].tolist())
        return columns

    def _draw_marks(self, *, anew: bool) -> None:
        """Lines across all lanes for the marks about all modules, if there are others than before."""
        marks = [mark for mark in self._window.marks if mark[1] < 0]
        if not anew and marks == self._marks_shown:
            return
        self._marks_shown = marks
        bottom = max(len(self._window.labels), 1) - 0.5
        line = {
            "x": [[x for time_, *_ in marks for x in (time_ / _SECOND, time_ / _SECOND, None)]],
            "y": [[-0.5, bottom, None] * len(marks)],
            "hovertext": [[line for *_, text in marks for line in (lines_for_plotly(text),) * 3]],
        }
        self.plotly_restyle(line, [len(_CODES)])

    def _hovers(self, drawn: Drawn) -> list[str]:
        segments = drawn.segments
        since = times_text(drawn.since + self._window.epoch * _SECOND)
        return [
            f"<b>{for_plotly(cut(self._window.labels[lane], 60))}</b><br>{self._looks[code].label}"
            f"{f' (the worst of {count:,} intervals)' if count > 1 else ''}<br>since {begin[11:]} UTC"
            + (f"<br>{lines_for_plotly(reason, most=_REASON_LENGTH)}" if reason else "")
            for lane, code, count, begin, reason in zip(
                segments.lane.tolist(), segments.state.tolist(), segments.merged.tolist(), since, drawn.reasons, strict=True
            )
        ]

    def _edges(self, now: int) -> dict[str, Any]:
        """From when to when, and the round times in between."""
        start, epoch = now - self._length, self._window.epoch * _SECOND
        times, texts = round_times(epoch + start, epoch + now, least=self._length / _TICKS)
        return {
            "xaxis.range": [start / _SECOND, now / _SECOND],
            "xaxis.tickvals": [(each - epoch) / _SECOND for each in times],
            "xaxis.ticktext": texts,
        }

    def _lanes(self) -> dict[str, Any]:
        """The names of the lanes, if there are new ones."""
        labels = self._window.labels
        if len(labels) == self._lanes_shown:
            return {}
        self._lanes_shown = len(labels)
        count = max(len(labels), 1)
        lane = 44.0 if count == 1 else min(28.0, max(1.5, 900 / count))
        step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10**9) if step * lane >= 12)
        return {
            "height": round(72 + 92 + count * lane),
            "yaxis.range": [count - 0.5, -0.5],
            "yaxis.tickvals": list(range(0, len(labels), step)),
            "yaxis.ticktext": [for_plotly(cut(one_line(label), _LABEL_LENGTH)) for label in labels[::step]],
        }


def _tick(reference: "weakref.ref[StreamingTimeline]", over: threading.Event) -> None:
    while not over.wait(TICK):
        figure = reference()
        if figure is None:
            return
        figure._publisher.post(figure.advance)  # noqa: SLF001 the thread is the figure's own
        del figure  # the wait must not keep it alive
