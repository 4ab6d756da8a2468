"""The timeline as a picture that is drawn anew when something has changed: what stands where no live one does."""

import ipywidgets

from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.views.overview import picture_html
from tinypool_nb.widgets.publisher import Publisher


class TimelinePicture(ipywidgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """An `img` with its text alternative. Open intervals end where it was drawn last.

    Args:
        journal: what was seen of the connections.
        publisher: the thread that writes to widgets.
    """

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        super().__init__(picture_html(journal), _dom_classes=("tinypool-panel", "tinypool-picture"))
        self._journal = journal
        self._publisher = publisher
        publisher.add(self)

    def publish(self, _: Batch) -> None:
        """Draw anew; called by the publisher."""
        self.value = picture_html(self._journal)

    def close(self) -> None:
        """Take the picture away, with its comm. May be called twice."""
        if self.comm is not None:
            self._publisher.remove(self)
            owned = (self.layout, self.style)
            super().close()
            for each in owned:
                each.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
