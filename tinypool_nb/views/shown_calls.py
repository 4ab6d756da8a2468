"""Which calls a timeline shows, before they are drawn by plotly, as SVG or as text: those of its modules, thinned to what can be seen."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tinypool_nb.core.codes import Code
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.lanes import Viewport
from tinypool_nb.core.thinning import thin
from tinypool_nb.views.swimlanes import lanes_of, nanoseconds
from tinypool_nb.views.wording import duration_text, for_plotly, lines_for_plotly, one_line, times_text

SHORTEST = 1e-6
"""Seconds: a logarithmic axis has no zero, so what took less is drawn here."""

_CODES = tuple(Code)
_SECOND = 1_000_000_000
_FEWEST_DECADES = 2.0
"""An axis of at least so many powers of ten: a small difference shall not look like a great one."""


class Calls(NamedTuple):
    """The calls of the modules that are shown; arrays of one length."""

    labels: tuple[str, ...]
    """The shown keys of modules; foreign text, not escaped."""
    lane: NDArray[np.int64]
    """Which of the labels is that of its module."""
    start: NDArray[np.int64]
    """Nanoseconds since 1970-01-01 UTC."""
    end: NDArray[np.int64]
    code: NDArray[np.int8]
    """Place in `Code`; 0 is OK."""
    frame: pd.DataFrame
    """The calls as they were given; `place` says which row each is."""
    place: NDArray[np.int64]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return len(self.lane) > 0

    @property
    def failed(self) -> int:
        """How many ended with another code than OK."""
        return int(np.count_nonzero(self.code))

    @property
    def span(self) -> tuple[int, ...]:
        """When the first began and the last ended; empty if there are none."""
        return (int(self.start.min()), int(self.end.max())) if self else ()

    @property
    def gist(self) -> str:
        """How many of them failed.

        >>> calls_of(None).gist
        'no calls'
        """
        if not self:
            return "no calls"
        failed = self.failed
        many = f"{len(self.lane):,} call{'' if len(self.lane) == 1 else 's'}"
        return f"{failed:,} of {many} failed" if failed else f"{many}, none failed"

    def describe(self) -> str:
        """All of them in two sentences, for whoever cannot see them; "" if there are none."""
        if not self:
            return ""
        count = len(self.lane)
        duration = np.maximum(self.end - self.start, 0)
        slowest = int(duration.argmax())
        longest = f"{duration_text(duration[slowest] / _SECOND)}, of {one_line(self.labels[self.lane[slowest]])}."
        numbers = np.bincount(self.code[self.code > 0], minlength=len(_CODES))
        codes = ", ".join(f"{numbers[place]:,} {_CODES[place]}" for place in np.argsort(-numbers, kind="stable") if numbers[place])
        stands = "stands 1 call" if count == 1 else f"stand {count:,} calls"
        gist = f"Below it {stands}, by end and duration: {f'{self.failed:,} failed ({codes})' if codes else 'none failed'}."
        if count == 1:
            return f"{gist} It took {longest}"
        half, nearly_all = np.quantile(duration, (0.5, 0.99), method="higher") / _SECOND
        return f"{gist} Half took at most {duration_text(half)}, 99 of 100 at most {duration_text(nearly_all)}; the longest took {longest}"


def calls_of(calls: pd.DataFrame | None, modules: Iterable[str | ModuleKey] | None = None) -> Calls:
    """The calls of the modules, or of all.

    Parameters:
        calls: as `tinypool_nb.views.frames` makes it; None for none.
        modules: by their shown keys.
    """
    if calls is None:
        nothing = np.zeros(0, dtype=np.int64)
        return Calls((), nothing, nothing, nothing, nothing.astype(np.int8), pd.DataFrame(), nothing)
    labels, lane = lanes_of(calls, modules)
    start, end = nanoseconds(calls["start"]), nanoseconds(calls["end"])
    code = calls["code"].cat.codes.to_numpy().astype(np.int8, copy=False)
    place = np.flatnonzero(lane >= 0)
    return Calls(labels, lane[place], start[place], end[place], code[place], calls, place)


class ShownCalls(NamedTuple):
    """What is drawn of the calls; arrays of one length, but for the first."""

    calls: Calls
    place: NDArray[np.int64]
    """Place in `calls`."""
    stands_for: NDArray[np.int64]
    """How many calls each stands for."""
    end: NDArray[np.int64]
    """Nanoseconds since 1970-01-01 UTC."""
    seconds: NDArray[np.float64]
    """How long it took, at least SHORTEST."""
    failed: NDArray[np.bool_]

    @property
    def note(self) -> str:
        """How many calls there are, and how many of them are drawn, for the reader."""
        drawn, count = len(self.place), len(self.calls.lane)
        return self.calls.gist if drawn == count else f"{self.calls.gist}; {drawn:,} marks stand for all"


def shown_calls(calls: Calls, viewport: Viewport, *, exact: int, most: int) -> ShownCalls:
    """Choose what is drawn.

    Parameters:
        calls: all of them.
        viewport: the time to show, and in how many columns.
        exact: up to so many calls are all drawn.
        most: of more calls, marks at most.
    """
    duration = np.maximum(calls.end - calls.start, 0)
    if len(duration) <= exact:
        place = np.arange(len(duration))
        stands_for = np.ones_like(place)
    else:
        place, stands_for, _ = thin(calls.end, duration, calls.code, viewport=viewport, most=most)
    seconds = np.maximum(duration[place] / _SECOND, SHORTEST)
    return ShownCalls(calls, place, stands_for, calls.end[place], seconds, calls.code[place] != 0)


def hovers(shown: ShownCalls) -> list[str]:
    """The hover of each call that is drawn, for plotly: whose, what, how it ended and why, when, how long, how much."""
    calls = shown.calls
    rows = calls.frame.iloc[calls.place[shown.place]]
    modules = [f"<b>{lines_for_plotly(label, width=60)}</b>" for label in calls.labels]
    endings = [f"{code}: {for_plotly(code.meaning)}" for code in _CODES]
    texts = {text: lines_for_plotly(str(text)) for name in ("method", "reason") for text in rows[name].unique()}
    columns = zip(
        calls.lane[shown.place].tolist(),
        calls.code[shown.place].tolist(),
        shown.stands_for.tolist(),
        ((calls.end - calls.start)[shown.place] / _SECOND).tolist(),
        times_text(calls.start[shown.place]),
        rows["method"],
        rows["sent"],
        rows["received"],
        rows["reason"],
        strict=True,
    )
    return [
        f"{modules[lane]}<br>{texts[method]}<br>{endings[code]}<br>{duration_text(seconds)}, from {start} UTC"
        f"{f'<br>the slowest of {count:,} such calls at about this time' if count > 1 else ''}"
        f"<br>{sent:,} B sent, {received:,} B received{'<br>' * bool(texts[reason])}{texts[reason]}"
        for lane, code, count, seconds, start, method, sent, received, reason in columns
    ]


def duration_range(seconds: NDArray[np.float64]) -> tuple[float, float]:
    """The powers of ten between which an axis of these durations runs, with some air.

    >>> duration_range(np.array([0.01, 0.1]))
    (-2.5, -0.5)
    """
    low, high = math.log10(seconds.min()), math.log10(seconds.max())
    air = max(0.08 * (high - low), 0.15, (_FEWEST_DECADES - high + low) / 2)
    return low - air, high + air


def duration_ticks(low: float, high: float, *, most: int = 6) -> dict[float, str]:
    """Seconds -> label, of the powers of ten between two exponents: all, or every second, third, ... if they are many.

    >>> duration_ticks(-3.2, 1.4)
    {0.001: '1 ms', 0.01: '10 ms', 0.1: '100 ms', 1.0: '1 s', 10.0: '10 s'}
    >>> duration_ticks(-5.5, 3.5, most=4)
    {1e-05: '0.01 ms', 0.01: '10 ms', 10.0: '10 s'}
    """
    exponents = range(math.ceil(low), math.floor(high) + 1)
    step = -(-len(exponents) // most)
    return {10.0**power: f"{10**power:,} s" if power >= 0 else f"{10.0 ** (power + 3):g} ms" for power in exponents[:: max(step, 1)]}
