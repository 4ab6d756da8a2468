"""Times, durations and foreign text as people read them in figures, tables and terminals."""

import re
import time
from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any
from unicodedata import combining, east_asian_width

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core import plain

_SECOND = 1_000_000_000
_QUARTER = 900 * _SECOND
"""Nanoseconds; time zones change at whole quarters of an hour."""
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
one_line = plain.one_line
"""Foreign text on one line, without what would move a cursor, turn text around or hide in it."""


def duration_text(seconds: float) -> str:
    """A duration in the two units that matter.

    >>> [duration_text(seconds) for seconds in (0.00007, 0.0004, 0.25, 1.234, 75, 3 * 3600 + 61, 90_000)]
    ['0.07 ms', '0.4 ms', '250 ms', '1.2 s', '1 min 15 s', '3 h 1 min', '1 d 1 h']
    """
    if seconds < 0.00095:
        return f"{round(seconds * 1e3, 3):g} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1e3:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def times_text(times: NDArray[np.int64], unit: str = "ms") -> list[str]:
    """Times, nanoseconds since 1970-01-01 UTC, as `2026-01-05 12:00:00.123`.

    >>> times_text(np.array([1_500_000_000]))
    ['1970-01-01 00:00:01.500']
    """
    texts: list[str] = np.datetime_as_string(times.astype("datetime64[ns]"), unit=unit).tolist()  # type: ignore[call-overload]
    return [text.replace("T", " ") for text in texts]


def span_text(start: int, end: int) -> str:
    """A stretch of time, the date of its end only where it differs.

    >>> span_text(0, 90 * 1_000_000_000)
    '1970-01-01 00:00:00 to 00:01:30 UTC'
    """
    since, until = times_text(np.array([start, end]), "s")
    return f"{since} to {until[11:] if since[:10] == until[:10] else until} UTC"


def local_offsets(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Seconds that local time, where this process runs, is ahead of UTC at each of the `times` (nanoseconds since 1970-01-01 UTC)."""
    quarters, place = np.unique(times // _QUARTER, return_inverse=True)
    offsets: NDArray[Any] = np.array([time.localtime(int(quarter) * 900).tm_gmtoff for quarter in quarters], dtype=np.int64)
    return offsets[place] if len(offsets) else np.zeros(0, dtype=np.int64)


def offset_text(seconds: int) -> str:
    """An offset from UTC.

    >>> offset_text(7200), offset_text(-12_600)
    ('UTC+02:00', 'UTC-03:30')
    """
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def cut(text: str, most: int, *, keep_end: bool = True) -> str:
    """At most `most` characters. Of a name the end is kept too: versions and ports stand there.

    >>> cut("a-module-of-a-very-long-name-v1", 16)
    'a-module-o…me-v1'
    >>> cut("rolled back since customers complained", 16, keep_end=False)
    'rolled back sin…'
    """
    if len(text) <= most:
        return text
    tail = most // 3 if keep_end else 0
    return f"{text[: most - tail - 1]}…{text[len(text) - tail :]}"


def width_of(text: str) -> int:
    """Columns of a terminal that the text takes: wide characters take two, combining ones none."""
    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text filled up with blanks to `width` columns of a terminal.

    >>> padded("模", 4), padded("7", 3, right=True)
    ('模  ', '  7')
    """
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def label_rows(
    places: Sequence[float], texts: Sequence[str], *, width: float, character: float, rows: int = 3
) -> tuple[list[tuple[int, int, bool]], int]:
    """Stack labels so that none overlaps another: (index, row, whether it runs to the left of its place) of each that fits.

    An earlier label goes above a later one, so that the line which leads down from it crosses no text; the latest find room first.

    Parameters:
        places: where each label points to, pixels from the left, ascending.
        texts: the labels.
        width: pixels.
        character: width of one character, pixels, on the average.
        rows: rows at most; what does not fit is left out.

    Returns:
        the labels that fit, and how many rows they need.

    >>> label_rows([0, 10, 90], ["one", "two", "last"], width=100, character=5)
    ([(0, 1, False), (1, 0, False), (2, 0, True)], 2)
    """
    taken: list[float] = []  # where the leftmost label of each row begins
    placed = []
    for index, (place, text) in reversed(list(enumerate(zip(places, texts, strict=True)))):
        length = len(text) * character + 10
        runs_left = place + length > width and place >= length
        left = place - length if runs_left else place
        row = next((row for row, begin in enumerate(taken) if left + length <= begin), len(taken))
        if row < rows:
            taken[row : row + 1] = [left]
            placed.append((index, row, runs_left))
    return placed[::-1], len(taken)


NO_FORMULAS = "mathjax_ignore tex2jax_ignore"
"""Classes of an element in which no notebook takes `$...$` for a formula: MathJax 3, and MathJax 2 before it, look for them."""


def for_xml(text: str) -> str:
    r"""Text for HTML and XML: escaped, and without the characters that XML cannot hold.

    >>> for_xml('<script>alert("x")</script>')
    '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;'
    >>> for_xml("a lone surrogate: \ud800") == "a lone surrogate: \ufffd"
    True
    """
    return escape(_NOT_IN_XML.sub("\ufffd", text))


def for_plotly(text: str) -> str:
    r"""Text that plotly shows as it is, where it would read markup, `%{...}` as a template and `$...$` as a formula.

    >>> for_plotly("<b>%{x} $y$")
    '&lt;b&gt;&#37;{x} &#36;y&#36;'
    """
    return escape(text, quote=False).replace("%{", "&#37;{").replace("$", "&#36;")


def lines_for_plotly(text: str, *, width: int = 80, most: int = 400) -> str:
    """Foreign text as escaped lines of at most `width` characters for a hover."""
    text = one_line(text)
    if len(text) > most:
        text = f"{text[:most]}…"
    return "<br>".join(for_plotly(line) for line in wrap(text, width))
