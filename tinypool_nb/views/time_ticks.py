"""The round moments at which an axis of time has its labels."""

import numpy as np

from tinypool_nb.views.wording import times_text

_SECOND = 1_000_000_000
_STEPS = (
    *(10**exponent for exponent in range(3, 9)),
    *(_SECOND * step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)),
)
"""Nanoseconds between two ticks: what people count in."""


def round_times(start: int, end: int, *, least: float) -> tuple[list[int], list[str]]:
    """The round moments of a stretch of time, and the label of each.

    Parameters:
        start: nanoseconds since 1970-01-01 UTC.
        end: the same, later.
        least: nanoseconds that two of them are apart at least.

    >>> round_times(50 * 1_000_000_000, 130 * 1_000_000_000, least=25e9)
    ([60000000000, 90000000000, 120000000000], ['00:01:00', '00:01:30', '00:02:00'])
    """
    step = next((step for step in _STEPS if step >= least), _STEPS[-1] * (int(least / _STEPS[-1]) + 1))
    times = np.arange(-(-start // step) * step, end + 1, step, dtype=np.int64)
    unit, part = ("us" if step < 10**6 else "ms", slice(11, None)) if step < _SECOND else ("s", slice(11, 19))
    if step >= 86_400 * _SECOND:
        part = slice(0, 10)
    return times.tolist(), [text[part] for text in times_text(times, unit)]
