"""Many transitions at once -> what is known of each module: the rules of `tinypool_nb.core.folding`, for columns instead of row by row.

A recording that has no totals (it was not closed, or only a range of its time or several recordings are opened) is folded by this,
ten million rows in three seconds. It agrees with `Ledger.fold`, whose decision which row counts stands in the rows themselves.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.folding import DISCONNECTED, DISCONNECTIONS, NO_TIME, NUMBERS, READY, RECOVERIES, TIME_TO_RECOVER
from tinypool_nb.core.states import State

Numbers = NDArray[np.int64]


class Refolded(NamedTuple):
    """What comes of the rows, the i-th module in the i-th place of each."""

    opening: Numbers
    """The number of the row that opened the open interval; -1 if the module has no row."""
    last_reason: Numbers
    """The number of the row that says why it last failed; -1 if none does."""
    lost: Numbers
    """As `Ledger.lost`."""
    channel: Numbers
    """The highest rank of a channel of the module; -1 if it has no row."""
    numbers: Numbers
    """As `Ledger.numbers`, shape (modules, NUMBERS), without attempts and calls."""


def refold(
    modules: NDArray[np.integer],
    ranks: NDArray[np.integer],
    times: Numbers,
    previous: NDArray[np.integer],
    states: NDArray[np.integer],
    *,
    counted: NDArray[np.bool_],
    with_reason: NDArray[np.bool_],
    count: int,
) -> Refolded:
    """Fold rows in their order of arrival.

    Args:
        modules: shape (n,): the number of each row's module, 0 to `count` - 1.
        ranks: shape (n,): a number of each row's channel that is higher for a newer channel.
        times: shape (n,): nanoseconds.
        previous: shape (n,): codes of the states before; -1 for unknown.
        states: shape (n,): codes of the states after.
        counted: shape (n,): what `Ledger.fold` said of each row.
        with_reason: shape (n,): whether the row has a reason.
        count: how many modules there are.

    >>> ready, idle = State.READY.code, State.IDLE.code
    >>> states = np.array([ready, idle, ready])
    >>> found = refold(
    ...     np.zeros(3, int), np.zeros(3, int), np.array([10, 30, 35]), np.array([-1, ready, idle]), states,
    ...     counted=np.ones(3, bool), with_reason=np.zeros(3, bool), count=1,
    ... )
    >>> found.numbers[0, [ready, idle, DISCONNECTIONS, TIME_TO_RECOVER]].tolist(), found.opening.tolist()
    ([20, 5, 1, 5], [2])
    """
    order = np.flatnonzero(counted)
    order = order[modules[order].argsort(kind="stable")]
    module, time, state, rank = modules[order].astype(np.int64), times[order], states[order], ranks[order]
    is_next = module[1:] == module[:-1]  # whether the row after is of the same module
    numbers = np.zeros((count, NUMBERS), np.int64)
    durations = np.where(is_next, np.maximum(time[1:] - time[:-1], 0), 0)
    np.add.at(numbers, (module[:-1], state[:-1]), durations)  # the code of a gap is -1, and so is its place

    lost = (previous[order] == READY.code) & np.isin(state, [one.code for one in DISCONNECTED])
    ready = state == READY.code
    begun_anew = np.zeros(len(order), bool)  # another channel after SHUTDOWN: the time until then is no time to recover
    begun_anew[1:] = is_next & (rank[1:] != rank[:-1]) & (state[:-1] == State.SHUTDOWN.code)
    told = np.flatnonzero(lost | ready | begun_anew)
    follows = module[told[1:]] == module[told[:-1]]
    recovered = follows & lost[told[:-1]] & ready[told[1:]] & ~begun_anew[told[1:]]
    ends, begins = told[1:][recovered], told[:-1][recovered]
    np.add.at(numbers, (module[ends], TIME_TO_RECOVER), np.maximum(time[ends] - time[begins], 0))
    np.add.at(numbers, (module[ends], RECOVERIES), 1)
    np.add.at(numbers, (module[lost], DISCONNECTIONS), 1)

    losts = np.full(count, NO_TIME, np.int64)
    losts[module[told]] = np.where(lost[told], time[told], NO_TIME)  # of equal places the last one stays
    opening = np.full(count, -1, np.int64)
    opening[module] = order
    return Refolded(opening, _last_reasons(modules, ranks, with_reason, count), losts, _newest(modules, ranks, count), numbers)


def _newest(modules: NDArray[np.integer], ranks: NDArray[np.integer], count: int) -> Numbers:
    newest = np.full(count, -1, np.int64)
    np.maximum.at(newest, modules, ranks)
    return newest


def _last_reasons(modules: NDArray[np.integer], ranks: NDArray[np.integer], with_reason: NDArray[np.bool_], count: int) -> Numbers:
    """The last row with a reason whose channel was, when it came, the newest of its module."""
    order = modules.argsort(kind="stable")
    module = modules[order].astype(np.int64)
    height = int(ranks.max()) + 1 if len(ranks) else 1
    newest = np.maximum.accumulate(module * height + ranks[order]) - module * height if len(order) else module
    kept = with_reason[order] & (ranks[order] == newest)
    last = np.full(count, -1, np.int64)
    last[module[kept]] = order[kept]
    return last
