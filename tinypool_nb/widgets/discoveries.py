"""The lines of the panel that tell how the discoveries stand: what is synced, stale or refused, why, and what would mend it."""

from collections.abc import Sequence
from typing import Any

import traitlets

from tinypool_nb.core.discovery_status import Health
from tinypool_nb.views.discoveries import ShownDiscovery, shown_discovery
from tinypool_nb.widgets.assets import script
from tinypool_nb.widgets.part import Part
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.verbs import Verbs


class DiscoveryLines(Part):
    """A line for each discovery under way, with what is wrong below it; nothing at all where there is none.

    Args:
        publisher: the thread that writes to widgets.
        verbs: what may be asked of the pool.
    """

    _esm = script("discoveries")

    lines: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """What is shown of each, the oldest first."""
    news = traitlets.Unicode("").tag(sync=True)
    """What screen readers are told."""

    def __init__(self, publisher: Publisher, verbs: Verbs) -> None:
        self._publisher = publisher
        self._verbs = verbs
        self._posted = False
        shown = self._now()
        super().__init__(lines=told(shown), _dom_classes=("tinypool-panel", "tinypool-discoveries"))
        self._shown = shown
        self._unlisten = verbs.listen(self._hear)
        self._hear()  # something may have changed meanwhile

    def leave(self) -> None:
        """Hear no more."""
        self._unlisten()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {sentence(self._shown)}>"

    def _hear(self) -> None:
        """Something may have changed; called by the threads of discoveries, often."""
        if not self._posted:
            self._posted = True
            self._publisher.post(self._show)

    def _show(self) -> None:
        """Called in the publisher's thread."""
        self._posted = False  # first: what changes from here on is posted anew
        before, now = self._shown, self._now()
        if now == before or self.comm is None:
            return
        self._shown = now
        with self.hold_sync():  # one message
            self.set_trait("lines", told(now))
            if [(each.where, each.state) for each in now] != [(each.where, each.state) for each in before]:
                self.set_trait("news", sentence(now))

    def _now(self) -> list[ShownDiscovery]:
        return [shown_discovery(report) for report in self._verbs.discoveries()]


def told(shown: Sequence[ShownDiscovery]) -> list[dict[str, Any]]:
    """The lines as JSON."""
    return [{**each._asdict(), "symbol": each.symbol, "bad": each.health in {Health.STALE, Health.REFUSED}} for each in shown]


def sentence(shown: Sequence[ShownDiscovery]) -> str:
    """What a screen reader says.

    >>> sentence([])
    'Nothing is being discovered'
    """
    return ". ".join(f"Discovery of {each.where}: {each.state}" for each in shown) or "Nothing is being discovered"
