"""The panel: a summary, how discovery stands, and below it the parts of the explorer, each of which can be folded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views.overview import overview
from tinypool_nb.widgets.discoveries import DiscoveryLines
from tinypool_nb.widgets.places import Places
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.section import Section
from tinypool_nb.widgets.summary import Summary
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker


class Panel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The whole explorer of one pool. It may be displayed several times; all places show the same and live together.

    Where no browser draws it (GitHub, nbconvert, a notebook whose kernel is gone) a picture and a table stand in its place, as of the end
    of the run. One that a person saves is brought up to date by `freeze()`, or by the pool's `close`.

    It does not keep its pool alive: whoever makes the pool holds it. When the pool is closed or gone, the panel freezes and closes.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
        worker: the thread that does what is clicked; the panel closes it.
        verbs: what may be done to the pool.
        sections: title -> widget, from the top; the panel closes them.
        folded: titles of those that are folded at first.

    Source: the issue "JupyterLab: the live view, the register form and the reconnection stepper".
    """

    def __init__(
        self,
        journal: Journal,
        publisher: Publisher,
        worker: Worker,
        verbs: Verbs,
        sections: Mapping[str, ipywidgets.Widget],
        *,
        folded: tuple[str, ...] = (),
    ) -> None:
        self._journal = journal
        self._publisher = publisher
        self._worker = worker
        self._verbs = verbs
        self.summary = Summary(journal, publisher, worker, verbs, greeted=self._greet)
        self.discoveries = DiscoveryLines(publisher, verbs)
        self.headings = {title: Section(title, folded=title in folded) for title in sections}
        self.sections = dict(sections)
        parts = [part for title in sections for part in (self.headings[title], self.sections[title])]
        super().__init__((self.summary, self.discoveries, *parts), _dom_classes=("tinypool-panel", "tinypool-whole"))
        self._places = Places(super()._repr_mimebundle_(), self._static, journal.position)
        publisher.add(self)

    def fold(self, title: str, *, folded: bool = True) -> None:
        """What a click on the heading of a section does.

        Raises:
            KeyError: there is no section of that title.
        """
        self.headings[title].folded = folded

    def freeze(self) -> None:
        """Leave a picture and a table at all places where the panel is displayed, as of now, to be saved. Display it again to go on."""
        self._places.freeze()

    def publish(self, _: Batch) -> None:
        """Close after a pool that nobody holds any more; called by the publisher. One that is closed closes its panel itself."""
        if self._verbs.is_gone():
            self.close()

    def close(self) -> None:
        """Freeze, and take all parts away with their comms, the worker's thread included. May be called twice."""
        if self.closed:
            return  # ipywidgets calls it from the garbage collector too, which must wait for no lock
        self._publisher.remove(self)
        self._places.freeze()
        self._worker.close()
        for part in (self.summary, self.discoveries, *self.headings.values(), *self.sections.values()):
            part.close()
        layout = self.layout
        super().close()
        layout.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.comm is None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.sections)}>"

    def _greet(self) -> None:
        self._places.greeted()

    def _static(self) -> dict[str, str]:
        self._verbs.catch_up()
        return overview(self._journal, self._verbs.modules(), self._verbs.discoveries())

    def _ipython_display_(self) -> None:
        self._places.display()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return self._places.bundle()
