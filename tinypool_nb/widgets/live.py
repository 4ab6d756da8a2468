"""The live timeline: a canvas in the browser that is told each change once, in a few bytes, and never answers but with "hello"."""

import json
import math
import time
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets

from tinypool_nb.core.options import check_period
from tinypool_nb.errors import OptionsError
from tinypool_nb.journal.journal import Batch, Journal, Position
from tinypool_nb.journal.tables import Rows
from tinypool_nb.widgets.joining import joined, style
from tinypool_nb.widgets.look import look
from tinypool_nb.widgets.packing import Message, Packing
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.still import picture_bundle

HISTORY = 100_000
"""Changes that a view keeps; the view says so."""
LEAST_HISTORY = 1_000
START_HISTORY = 500
"""Changes that are saved with a notebook, and that a view shows before its hello is answered."""
START_RATE = 100_000
"""Bytes a second, about, that are written where nobody may ever look."""
MOST_TEXTS = 20_000
"""Texts and channels that a browser has to remember; when there are twice as many, a snapshot leaves out what is no longer shown."""

_SECOND = 1_000_000_000


class LiveTimeline(anywidget.AnyWidget):
    """A lane a module, drawn while it happens: at once when something changes, and then at most 8 times a second.

    A view that opens (the first one, a second one, a page loaded again) says hello and gets a snapshot; from then on only what
    is new is sent. Until the first hello each change is written into the widget's state, so that a view which must wait for its
    answer, as in a cell that goes on running, is up to date too. Where there is no JavaScript a picture stands in its place.

    Args:
        journal: what is shown.
        publisher: in whose thread everything is sent; when it ends, the last state stays.
        window: seconds in sight at first.
        history: changes that the browser keeps, of all modules together; the oldest go.

    Raises:
        OptionsError: `window` or `history` is no number that can be used.

    >>> from tinypool_nb.journal.follower import Follower
    >>> journal = Journal()
    >>> publisher = Publisher(journal, Follower(journal))
    >>> timeline = LiveTimeline(journal, publisher, window=30.0)
    >>> sorted(timeline.picture_bundle())
    ['text/html', 'text/plain']
    >>> timeline.close()
    >>> publisher.close()
    """

    _esm: ClassVar[str] = joined()
    _css: ClassVar[str] = style()
    window = traitlets.Float(60.0, help="Seconds in sight at first.").tag(sync=True)
    _look = traitlets.Dict().tag(sync=True)
    _kept = traitlets.Int(HISTORY).tag(sync=True)
    _start = traitlets.Dict().tag(sync=True)

    def __init__(self, journal: Journal, publisher: Publisher, *, window: float = 60.0, history: int = HISTORY) -> None:
        check_period("window", window)
        if type(history) is not int or history < LEAST_HISTORY:
            raise OptionsError("history", history, f"a whole number of changes, at least {LEAST_HISTORY:,}")
        self._journal = journal
        self._publisher = publisher
        self._heard = False  # whether a view ever said hello
        self._ended = False
        self._shown = Position()  # up to where the last message went
        self._epoch = journal.clock.now() // _SECOND
        self._packing = Packing(self._epoch)
        self._texts = 0
        self._written = -math.inf  # when the state was, seconds of a steady clock
        self._size = 0
        self._is_due = False
        super().__init__(window=window, _look=look(), _kept=history)
        self.on_msg(self._listen)
        self._write_start()
        try:
            publisher.add(self, since=self._shown, at_end=self.end)
        except RuntimeError:  # the pool is closed: this is its last state
            self._ended = True
            self._write_start()

    def publish(self, batch: Batch) -> None:
        """Send what is new; called in the publisher's thread."""
        if not self._heard:
            self._is_due = True
            self._keep_start()
            return
        message = self._packing.delta(self._unseen(batch), now=self._journal.clock.now())
        if message is None:
            return
        if self._packing.texts > 2 * self._texts + MOST_TEXTS:
            self._send_snapshot()
        else:
            self._shown = batch.position
            self._dispatch(message)

    def end(self) -> None:
        """The record is over: show its last state, and send no more. Called in the publisher's thread as it ends."""
        if self._ended:
            return
        self._ended = True
        if self._heard:
            self._dispatch(self._packing.end(now=self._journal.clock.now()))
        self._write_start()

    def picture_bundle(self) -> dict[str, str]:
        """What is recorded up to now as a picture and as text, for places without JavaScript, by their mime types."""
        return picture_bundle(self._journal)

    def close(self) -> None:
        """Take it out of the page, and send no more. May be called twice."""
        if "_publisher" in self.__dict__:  # it is not where the options were refused; ipywidgets closes whatever is forgotten
            self._publisher.remove(self)
            self.on_msg(self._listen, remove=True)
            self.layout.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, **self.picture_bundle()}, metadata

    def __repr__(self) -> str:
        state = "ended" if self._ended else "live" if self._heard else "not seen yet"
        return f"<LiveTimeline of {self._journal!r}: {state}>"

    def _listen(self, _: object, content: dict[str, Any], __: object) -> None:
        """A view says hello. Called in the kernel's main thread; the answer is the publisher's, while there is one."""
        if content.get("type") != "hello":
            return
        if self._ended:
            self._answer()
        else:
            self._publisher.post(self._answer)

    def _answer(self) -> None:
        self._heard = True
        self._send_snapshot()

    def _send_snapshot(self) -> None:
        self._dispatch(self._snapshot(self._kept))

    def _snapshot(self, history: int) -> Message:
        batch, totals = self._journal.snapshot()
        now = self._journal.clock.now()
        self._packing = Packing(self._epoch)
        message = self._packing.snapshot(batch, totals, now=now, history=history)
        if self._ended:
            message.head["closed"] = True
        self._shown = batch.position
        self._texts = self._packing.texts
        return message

    def _keep_start(self) -> None:
        """Write the widget's own state, if it is due and not written too often already; else look again in the next round."""
        if not self._is_due or self._heard or self._ended:
            return
        if time.monotonic() - self._written < self._size / START_RATE:
            self._publisher.post(self._keep_start)
        else:
            self._write_start()

    def _write_start(self) -> None:
        """Keep the newest changes in the widget's own state, which is saved with the notebook."""
        if self._heard:  # a view goes on by the numbers of the packing that it knows
            packing, shown, texts = self._packing, self._shown, self._texts
            message = self._snapshot(START_HISTORY)
            self._packing, self._shown, self._texts = packing, shown, texts
        else:
            message = self._snapshot(START_HISTORY)
        self._is_due = False
        self._start = {"head": message.head, "records": message.records}
        self._written, self._size = time.monotonic(), len(json.dumps(message.head)) + len(message.records)

    def _unseen(self, batch: Batch) -> Batch:
        """The batch without the rows that a snapshot has shown already."""
        transitions, marks = _after(batch.transitions, self._shown.transitions), _after(batch.marks, self._shown.marks)
        return Batch(transitions, batch.attempts, marks, batch.calls, batch.observations, batch.position, batch.dropped)

    def _dispatch(self, message: Message) -> None:
        self.send(dict(message.head), [message.records])


def _after(rows: Rows, position: int) -> Rows:
    return rows if position <= rows.first else rows.take(np.arange(position - rows.first, len(rows)))
