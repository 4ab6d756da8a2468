"""A pool at one moment for places without a kernel: discovery, connections and timeline, as HTML without a script and as text."""

from base64 import b64encode
from collections.abc import Collection, Sequence

import pandas as pd

from tinypool_nb.core.discovery_status import DiscoveryReport
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views import frames
from tinypool_nb.views.connections import connections_html, connections_text
from tinypool_nb.views.discoveries import discoveries_html, discoveries_text
from tinypool_nb.views.pictures import timeline_svg
from tinypool_nb.views.swimlanes import describe
from tinypool_nb.views.timeline_text import timeline_text
from tinypool_nb.views.wording import for_xml


def overview(journal: Journal, registered: Collection[ModuleKey], discoveries: Sequence[DiscoveryReport] = ()) -> dict[str, str]:
    r"""MIME bundle: `text/html` for notebooks, GitHub and reports, `text/plain` for terminals and people who listen.

    Parameters:
        journal: what was seen.
        registered: the modules that are registered now, which the table lists; the timeline shows all that ever were.
        discoveries: those under way.

    >>> print(overview(Journal(), ())["text/plain"].partition("\n")[0])
    no modules are registered
    """
    now = journal.clock.now()
    connections, intervals = registered_connections(journal, registered), frames.intervals(journal)
    marks, calls = frames.marks(journal), frames.calls(journal)
    text, html = connections_text(connections), connections_html(connections)
    if discoveries:
        text, html = f"{discoveries_text(discoveries)}\n{text}", f"<div>{discoveries_html(discoveries)}{html}</div>"
    if intervals.empty:
        return {"text/plain": text, "text/html": html}
    picture = picture_html(journal, intervals=intervals, now=now)
    return {
        "text/plain": f"{text}\n\n{timeline_text(intervals, marks, calls, now=now)}",
        "text/html": f"<div>{html}{picture}</div>",
    }


def picture_html(journal: Journal, *, intervals: pd.DataFrame | None = None, now: int | None = None, width: int = 900) -> str:
    """The timeline as an `img` that holds its own SVG, with what it shows in words as its alternative text.

    Parameters:
        journal: what was seen.
        intervals: its frame, if there is one already.
        now: nanoseconds since 1970-01-01 UTC; by default the journal's clock.
        width: pixels.
    """
    now = journal.clock.now() if now is None else now
    intervals = frames.intervals(journal) if intervals is None else intervals
    svg = timeline_svg(intervals, frames.marks(journal), frames.calls(journal), now=now, width=width)
    data = b64encode(svg.encode()).decode()
    return f'<img alt="{for_xml(describe(intervals, now=now))}" src="data:image/svg+xml;base64,{data}" style="max-width:100%">'


def registered_connections(journal: Journal, registered: Collection[ModuleKey]) -> pd.DataFrame:
    """The frame of connections, without modules that were unregistered and only drain their last calls."""
    frame = frames.connections(journal)
    names = frame["module"].astype(object)
    namespaces = frame["namespace"].astype(object).where(frame["namespace"].notna(), None)
    kept = [ModuleKey(namespace, name) in registered for namespace, name in zip(namespaces, names, strict=True)]
    return frame[pd.Series(kept, index=frame.index, dtype=bool)].reset_index(drop=True)
