"""What stands in the place of a live view where there is no JavaScript: a picture, and text."""

import base64

from tinypool_nb.journal.journal import Journal
from tinypool_nb.views import frames, pictures
from tinypool_nb.views.swimlanes import describe
from tinypool_nb.views.wording import for_xml


def picture_bundle(journal: Journal) -> dict[str, str]:
    """All that is recorded up to now as an image with a description, and as text, by their mime types.

    >>> picture_bundle(Journal())["text/plain"]
    'nothing recorded yet'
    """
    intervals, marks, now = frames.intervals(journal), frames.marks(journal), journal.clock.now()
    svg = base64.b64encode(pictures.timeline_svg(intervals, marks, now=now).encode()).decode()
    description = for_xml(describe(intervals, now=now))
    return {
        "text/html": f'<img alt="{description}" src="data:image/svg+xml;base64,{svg}" style="max-width: 100%">',
        "text/plain": pictures.timeline_text(intervals, marks, now=now),
    }
