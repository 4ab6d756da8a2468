"""What several parts of a report of a recording say in the same way, as HTML; everything foreign is escaped."""

import re
from typing import Any

from tinypool_nb.report.tables import NEVER, moment
from tinypool_nb.views.wording import for_xml, one_line

_SOURCE = re.compile(r"(.*?)[:,(]?\s*(https://[^\s)]+)\)?")
"""What to read, and where."""


def when(since: int, until: int) -> str:
    """From when to when, behind a blank; times are nanoseconds since 1970 UTC, or NEVER."""
    if since == NEVER:
        return ""
    if until == NEVER:
        return f" since {moment(since).html} UTC"
    return f" from {moment(since).html} to {moment(until).html} UTC"


def cause_title(cause: str, *, now: bool) -> str:
    """The name of a cause, and whether it is over.

    >>> cause_title("killed", now=False)
    'killed <small>(over)</small>'
    """
    return for_xml(one_line(cause)) + ("" if now else " <small>(over)</small>")


def advice(row: Any) -> str:
    """What to do and what to read, of a row of `findings`; "" if nothing needs doing."""
    if not row.advice:
        return ""
    see = one_line(row.see)
    found = _SOURCE.fullmatch(see)
    link = f'<a href="{for_xml(found[2])}" rel="noreferrer">{for_xml(found[1].strip() or found[2])}</a>' if found else for_xml(see)
    label = "What to do" if row.now else "If it comes again"
    return f'<p class="advice"><strong>{label}:</strong> {for_xml(one_line(row.advice))}{f" <small>{link}</small>" if see else ""}</p>'


def folded(summary: str, content: str, *, unfolded: bool) -> str:
    """Content that can be folded away."""
    return f"<details{' open' if unfolded else ''}><summary>{for_xml(summary)}</summary>{content}</details>"


def note(said: str) -> str:
    """A remark."""
    return f'<p class="note">{for_xml(said)}</p>'
