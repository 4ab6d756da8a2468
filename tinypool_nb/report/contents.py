"""The table of contents of a report that was made of a notebook: its headings, found in the page."""

import re
from html import escape
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import quote

FEWEST = 3
"""Headings below which a table of contents is in the way."""
PLACE = "<tinypool-contents></tinypool-contents>"
"""Where the template wants it."""

_LEVEL = re.compile("h([1-3])")


class Heading(NamedTuple):
    """A heading that can be jumped to."""

    name: str
    """Its id."""
    level: int
    text: str


def with_contents(page: str) -> str:
    """The page with its table of contents in its place; without one where there is little to list."""
    found = headings(page)
    return page.replace(PLACE, _listed(found) if len(found) >= FEWEST else "", 1)


def headings(page: str) -> list[Heading]:
    """The headings of the first three levels that have an id.

    >>> headings('<h2 id="why">Why <b>it</b> broke<a class="anchor-link" href="#why">¶</a></h2><h4 id="x">x</h4>')
    [Heading(name='why', level=2, text='Why it broke')]
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


def _listed(found: list[Heading]) -> str:
    top = min(heading.level for heading in found)
    entries = "".join(
        f'<li class="depth-{heading.level - top + 1}"><a href="#{escape(quote(heading.name))}">{escape(heading.text)}</a></li>'
        for heading in found
    )
    return (
        f'<nav class="tinypool-contents" aria-label="contents"><details open><summary>Contents</summary><ol>{entries}</ol></details></nav>'
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Heading] = []
        self._open: tuple[str, str] | None = None
        self._texts: list[str] = []
        self._in_anchor = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if _LEVEL.fullmatch(tag) and found.get("id"):
            self._open, self._texts = (tag, found["id"] or ""), []
        elif tag == "a" and "anchor-link" in (found.get("class") or ""):
            self._in_anchor = True

    def handle_data(self, data: str) -> None:
        if self._open and not self._in_anchor:
            self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._in_anchor = False
        elif self._open and tag == self._open[0]:
            text = " ".join("".join(self._texts).split())
            if text:
                self.found.append(Heading(self._open[1], int(tag[1]), text))
            self._open = None
