"""What stands in the place of a live view where there is no kernel: a picture, text, and what a report needs to play it."""

import base64
from collections.abc import Collection, Sequence
from typing import Any

from tinypool_nb.core.discovery_status import DiscoveryReport
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views import frames, pictures
from tinypool_nb.views.overview import overview
from tinypool_nb.views.swimlanes import describe
from tinypool_nb.views.wording import for_xml
from tinypool_nb.widgets.packing import Packing

REPLAY = "application/vnd.tinypool.replay+json"
"""The mime type of what `tinypool_nb.report` plays in a page; notebooks keep it and show nothing of it."""
MOST_REPLAYED = 5_000
"""Changes in it, the newest: 24 bytes each in the notebook, and their reasons."""

_SECOND = 1_000_000_000


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


def still_bundle(journal: Journal, registered: Collection[ModuleKey], discoveries: Sequence[DiscoveryReport] = ()) -> dict[str, Any]:
    """The overview of a pool at this moment, and what it takes to play how it came to that, by their mime types.

    >>> sorted(still_bundle(Journal(), ()))
    ['text/html', 'text/plain']
    """
    return {**overview(journal, registered, discoveries), **replay_bundle(journal)}


def replay_bundle(journal: Journal) -> dict[str, Any]:
    """The newest changes as the message that a live view would get, under the mime type `REPLAY`; nothing of an empty record."""
    batch, totals = journal.snapshot()
    if not totals.channels:
        return {}
    now = journal.clock.now()
    first = batch.transitions.columns["time"]
    epoch = (int(first[0]) if len(first) else now) // _SECOND
    message = Packing(epoch).snapshot(batch, totals, now=now, history=MOST_REPLAYED)
    return {REPLAY: {"head": {**message.head, "closed": True}, "records": base64.b64encode(message.records).decode()}}
