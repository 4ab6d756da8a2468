"""The panel's answer to "why?": a person chooses a module, and its explanation stands there and keeps up with what happens."""

from __future__ import annotations

from functools import partial
from typing import Any

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views.explanations import plain
from tinypool_nb.views.wording import one_line
from tinypool_nb.widgets.assets import script, sheet, style
from tinypool_nb.widgets.connection_rows import Connection, connections_now
from tinypool_nb.widgets.part import Part
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker

VERSION = 1
"""Of the messages between this and `browser/explaining.js`."""


class ExplanationView(Part):
    """Shows the explanation of one module: the one chosen here, in the list of connections, or on the timeline.

    A choice makes the worker look (DNS and so on, as `pool.explain`); what happens to the module later is told anew from the record alone.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
        worker: the thread that does what is clicked.
        verbs: what may be asked of the pool.
    """

    _esm = script("explaining")
    _css = f"{style()}\n{sheet('explaining')}"

    def __init__(self, journal: Journal, publisher: Publisher, worker: Worker, verbs: Verbs) -> None:
        super().__init__(_dom_classes=("tinypool-panel",))
        self._journal = journal
        self._publisher = publisher
        self._worker = worker
        self._verbs = verbs
        # Of the publisher's thread alone:
        self._seen = False  # whether a browser has said hello; before, nobody would hear
        self._listed: tuple[ModuleKey, ...] = ()
        self._chosen: ModuleKey | None = None
        self._shown: Connection | None = None
        self.on_msg(self._heard)
        publisher.add(self)

    def explain(self, key: ModuleKey) -> None:
        """What choosing a module does: look at what the record does not have, and show the explanation."""
        self._publisher.post(partial(self._choose, key))
        try:
            answer = {"kind": "explanation", **plain(self._verbs.explain(key))}
        except TinypoolError as error:
            answer = {"kind": "failed", "text": one_line(error)}
        self._publisher.post(partial(self._answer, key, answer))

    def publish(self, _: Batch) -> None:
        """Send which modules there are, where that changed, and the explanation anew, where the chosen one's connection did."""
        if not self._seen:
            return
        now = connections_now(self._journal, self._verbs.modules())
        if tuple(now) != self._listed:
            self._list(tuple(now))
        if self._chosen is not None and self._shown != now.get(self._chosen):
            self._shown = now.get(self._chosen)
            self._tell_again(self._chosen)

    def leave(self) -> None:
        """Hear and write no more."""
        self._publisher.remove(self)
        self.on_msg(self._heard, remove=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._chosen or 'no module yet'}>"

    def _heard(self, _: object, content: object, __: object) -> None:
        """Enqueue what a browser says. It runs in the kernel's loop or in a subshell's thread, so it does nothing else."""
        if not isinstance(content, dict) or content.get("v") != VERSION:
            return
        match content:
            case {"kind": "hello"}:
                self._publisher.post(self._greet)
            case {"kind": "explain", "key": [str() | None as namespace, str() as name]}:
                self._worker.do(partial(self.explain, ModuleKey(namespace, name)))

    def _greet(self) -> None:
        """A browser has come, perhaps one more: it gets all there is."""
        self._seen = True
        self._list(tuple(connections_now(self._journal, self._verbs.modules())))
        if self._chosen is not None:
            self._tell_again(self._chosen)

    def _tell_again(self, key: ModuleKey) -> None:
        try:
            told = plain(self._verbs.diagnose(key))
        except TinypoolError:
            return  # the pool has gone meanwhile; what was said last stays
        self._answer(key, {"kind": "explanation", **told})

    def _list(self, keys: tuple[ModuleKey, ...]) -> None:
        self._listed = keys
        self.send({"v": VERSION, "kind": "modules", "modules": [[list(key), one_line(key)] for key in keys]})

    def _choose(self, key: ModuleKey) -> None:
        self._chosen = key
        self._shown = connections_now(self._journal, (key,)).get(key)

    def _answer(self, key: ModuleKey, answer: dict[str, Any]) -> None:
        if key == self._chosen:
            self.send({"v": VERSION, "key": list(key), **answer})
