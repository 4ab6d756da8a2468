"""The first line of the panel: how many modules there are, and how many in each state. Screen readers hear what changes."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import SEVERITY, UNKNOWN_LABEL
from tinypool_nb.core.states import STATES
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views.wording import cut, one_line
from tinypool_nb.widgets.assets import script, style
from tinypool_nb.widgets.connection_rows import connections_now
from tinypool_nb.widgets.part import Part
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker

FEW = 3
"""Changes that are named one by one; of more only the counts are told."""

States = Mapping[ModuleKey, str]


class Summary(Part):
    """The line itself; it changes when a state does.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
        worker: the thread that does what a browser asks.
        verbs: what may be asked of the pool.
        greeted: called, in the worker's thread, when a browser begins to show the line.
    """

    _esm = script("summary")
    _css = style()

    headline = traitlets.Unicode("").tag(sync=True)
    """How many modules there are, in words."""
    counts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """[state, how many] of each that occurs, the worst first."""
    news = traitlets.Unicode("").tag(sync=True)
    """What screen readers are told."""

    def __init__(self, journal: Journal, publisher: Publisher, worker: Worker, verbs: Verbs, *, greeted: Callable[[], object]) -> None:
        self._journal = journal
        self._publisher = publisher
        self._worker = worker
        self._verbs = verbs
        self._greeted = greeted
        self._states: States = self._now()
        super().__init__(**_told(self._states), _dom_classes=("tinypool-panel",))
        self.on_msg(self._heard)
        publisher.add(self)

    def publish(self, _: Batch) -> None:
        """Show what has changed; called by the publisher."""
        before, now = self._states, self._now()
        if now == before:
            return
        self._states = now
        with self.hold_sync():  # one message
            self.set_trait("headline", headline(now))
            self.set_trait("counts", counts(now))
            self.set_trait("news", news(before, now))

    def leave(self) -> None:
        """Hear and write no more."""
        self._publisher.remove(self)
        self.on_msg(self._heard, remove=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {sentence(self._states)}>"

    def _heard(self, _: object, content: object, __: object) -> None:
        if isinstance(content, dict) and content.get("kind") == "hello":
            self._worker.do(self._greeted)

    def _now(self) -> States:
        return {key: connection.state for key, connection in connections_now(self._journal, self._verbs.modules()).items()}


def headline(states: States) -> str:
    """How many modules there are.

    >>> headline({})
    'No modules are registered'
    """
    return f"{len(states):,} module{'' if len(states) == 1 else 's'}" if states else "No modules are registered"


def counts(states: States) -> list[tuple[str, int]]:
    """How many modules are in each state that occurs, the worst first.

    >>> counts({ModuleKey(None, "a"): "READY", ModuleKey(None, "b"): "TRANSIENT_FAILURE", ModuleKey(None, "c"): "READY"})
    [('TRANSIENT_FAILURE', 1), ('READY', 2)]
    """
    found = Counter(states.values())
    labels = [UNKNOWN_LABEL if code < 0 else STATES[code].value for code in sorted(SEVERITY, key=lambda code: -SEVERITY[code])]
    return [(label, found[label]) for label in labels if label in found]


def sentence(states: States) -> str:
    """The line as text.

    >>> sentence({ModuleKey(None, "a"): "READY"})
    '1 module: 1 READY'
    """
    return ": ".join(filter(None, [headline(states), ", ".join(f"{count:,} {state}" for state, count in counts(states))]))


def news(before: States, now: States) -> str:
    """What has changed, in words: each of a few changes, or how it stands after many.

    >>> news({ModuleKey(None, "a"): "IDLE"}, {ModuleKey(None, "a"): "READY"})
    'a is READY. 1 module: 1 READY'
    """
    changed = [f"{_short(key)} is {state}" for key, state in now.items() if before.get(key) != state]
    changed += [f"{_short(key)} is no longer registered" for key in before if key not in now]
    return f"{', '.join(changed)}. {sentence(now)}" if len(changed) <= FEW else sentence(now)


def _short(key: ModuleKey) -> str:
    return cut(one_line(key), 60)


def _told(states: States) -> dict[str, object]:
    return {"headline": headline(states), "counts": counts(states)}
