"""Tables of a report: their cells escaped, each with what it is sorted by, so that `tables.js` can sort them by any column."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tinypool_nb.core.palette import PALETTES, TILE, UNKNOWN_MEANING
from tinypool_nb.core.states import STATES, UNKNOWN
from tinypool_nb.views.wording import cut, duration_text, for_xml, one_line, times_text

NEVER = int(np.iinfo(np.int64).min)
"""numpy's NaT as an integer."""
LONGEST = 160
"""Characters of a cell of text; the whole of it stands in its tooltip."""


class Cell(NamedTuple):
    """One cell of a table."""

    html: str
    """What is shown: HTML, everything foreign in it escaped."""
    by: float | str | None = None
    """What it is sorted by; None for the text that is shown."""
    is_number: bool = False
    """Numbers stand at the right."""


class Head(NamedTuple):
    """The head of a column."""

    title: str
    meaning: str = ""


def text(value: object, most: int = LONGEST, *, keep_end: bool = False) -> Cell:
    """Foreign text on one line, cut to what a cell can hold.

    >>> text("<b>").html
    '&lt;b&gt;'
    """
    line = one_line(value)
    if len(line) <= most:
        return Cell(for_xml(line))
    return Cell(f'<span title="{for_xml(line)}">{for_xml(cut(line, most, keep_end=keep_end))}</span>')


def count(value: float) -> Cell:
    """A whole number.

    >>> count(12345).html
    '12,345'
    """
    return Cell(f"{int(value):,}", int(value), is_number=True)


def seconds(value: float) -> Cell:
    """A duration; a dash if there is none.

    >>> seconds(75.0).html, seconds(float("nan")).html
    ('1 min 15 s', '–')
    """
    if not math.isfinite(value):
        return Cell("–", -1, is_number=True)
    return Cell("0 s" if value == 0 else duration_text(value), value, is_number=True)


def share(value: float) -> Cell:
    """A share of a whole as a percentage; a dash if there is none.

    >>> share(0.9999).html, share(1.0).html
    ('99.9 %', '100 %')
    """
    if not math.isfinite(value):
        return Cell("–", -1, is_number=True)
    shown = "100" if value == 1 else f"{math.floor(value * 1000) / 10:g}"  # what is less than all is never shown as all
    return Cell(f"{shown} %", value, is_number=True)


def moment(time: int, unit: str = "s") -> Cell:
    """A time, nanoseconds since 1970 UTC; a dash for NEVER.

    >>> moment(0).html, moment(NEVER).html
    ('<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00:00</time>', '–')
    """
    if time == NEVER:
        return Cell("–", 0)
    shown = times_text(np.array([time]), unit)[0]
    return Cell(f'<time datetime="{shown.replace(" ", "T")}Z">{shown}</time>', time)


def chip(code: int) -> str:
    """A state as a swatch with colour and pattern, and as a word; UNKNOWN is a gap.

    >>> 'data-state="READY"' in chip(2)
    True
    """
    look = PALETTES["light"].looks[code]
    meaning = UNKNOWN_MEANING if code == UNKNOWN else STATES[code].meaning
    size = 2 * TILE
    hatch = "".join(f'<path d="{look.path}" transform="translate({x},{y})"/>' for x in (0, TILE) for y in (0, TILE) if look.path)
    swatch = (
        f'<svg width="14" height="14" viewBox="0 0 {size} {size}" aria-hidden="true"><rect width="{size}" height="{size}"/>{hatch}</svg>'
    )
    return f'<span class="chip" data-state="{look.label}" title="{for_xml(meaning)}">{swatch}{look.label}</span>'


def table(heads: Sequence[Head], rows: Iterable[Sequence[Cell]], *, caption: str = "", name: str = "") -> str:
    """A table that `tables.js` makes sortable; the first cell of a row is its head.

    Args:
        heads: a title a column.
        rows: as many cells each.
        caption: text above the table.
        name: a class of the table, for style and tests.

    >>> table([Head("module")], [[text("a")]]).count("<tr>")
    2
    """
    body, numbers = [], [False] * len(heads)
    for row in rows:
        numbers = [each.is_number for each in row]
        body.append(f"<tr>{''.join(_cell(each, is_head=place == 0) for place, each in enumerate(row))}</tr>")
    head = "".join(
        f'<th scope="col"{_NUMBER if is_number else ""}{f" title={chr(34)}{for_xml(each.meaning)}{chr(34)}" if each.meaning else ""}>'
        f"{for_xml(each.title)}</th>"
        for each, is_number in zip(heads, numbers, strict=True)
    )
    shown = f"<caption>{for_xml(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table class="sortable {name}">{shown}<thead><tr>{head}</tr></thead>'
        f"<tbody>{chr(10).join(body)}</tbody></table></div>"
    )


_NUMBER = ' class="number"'


def _cell(cell: Cell, *, is_head: bool) -> str:
    by = "" if cell.by is None else f' data-by="{for_xml(str(cell.by))}"'
    kind = _NUMBER if cell.is_number else ""
    return f'<th scope="row"{by}{kind}>{cell.html}</th>' if is_head else f"<td{by}{kind}>{cell.html}</td>"
