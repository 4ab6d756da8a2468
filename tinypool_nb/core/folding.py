"""Transitions, attempts and calls -> what is known of each module: its open interval and its totals, kept up row by row.

The rules, in one place. A module has one *current* channel, the newest; what an older, retired channel still does
(it drains and is shut down) opens no interval and adds to no total. Each row of the current channel ends the module's
open interval and opens the next, but for a further failed attempt (TRANSIENT_FAILURE after TRANSIENT_FAILURE), which
prolongs it. Durations are never negative: a stamp out of order counts as no time at all.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.codes import Code
from tinypool_nb.core.disconnections import Disconnections
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.latency import Histogram
from tinypool_nb.core.states import CODES, UNKNOWN, State

NO_TIME: int = np.iinfo(np.int64).min
"""Stands in int64 columns of nanoseconds for "no such time"; it is numpy's and pandas' NaT."""

# Where each total stands in `Ledger.numbers`. The nanoseconds in a state stand at the state's own code: 0 to 4, and those
# in a gap at UNKNOWN, which is -1, the last place. Time in SHUTDOWN is counted for uniformity only; no frame shows it.
DISCONNECTIONS = 5
RECOVERIES = 6
TIME_TO_RECOVER = 7
"""Nanoseconds from each disconnection to the next READY, added up."""
ATTEMPTS = 8
FAILURES = 9
SUCCESSES = 10
CALLS = 11
FAILED_CALLS = 12
NUMBERS = 14
"""How many numbers a ledger has, the gap's included."""

CODE_OF: dict[State | None, int] = {None: UNKNOWN, **{state: state.code for state in State}}
READY, TRANSIENT_FAILURE = State.READY, State.TRANSIENT_FAILURE
DISCONNECTED = frozenset({State.IDLE, State.CONNECTING, State.TRANSIENT_FAILURE})
"""READY left for one of these is a disconnection; left for SHUTDOWN it is somebody's wish."""


class Ledger:
    """What is known of one module: its current channel, its open interval and the totals of all that ended."""

    __slots__ = ("channel", "disconnections", "key", "last_reason", "latencies", "lost", "numbers", "opening")

    def __init__(self, channel: ChannelIdentity) -> None:
        self.key: ModuleKey = channel.key
        self.channel = channel
        """The newest channel."""
        self.opening: Transition | None = None
        """The row that opened the open interval; None before the first transition. After SHUTDOWN, the row that closed."""
        self.numbers: array[int] = array("q", bytes(8 * NUMBERS))
        """The totals, at the places named above, without the open interval."""
        self.lost: int = NO_TIME
        """When READY was last left, until READY comes again or another channel after SHUTDOWN."""
        self.last_reason = ""
        """Why an attempt of the current channel last failed; "" if none did."""
        self.disconnections = Disconnections()
        """As the number of that name, by their errors."""
        self.latencies: dict[tuple[str, Code], Histogram] = {}
        """How long calls took, by method and code."""

    def fold(self, row: Transition) -> bool:
        """Take up one transition; say whether it counted, that is ended one interval and opened the next.

        >>> from tinypool_nb.core.events import Evidence
        >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
        >>> ledger = Ledger(channel)
        >>> ledger.fold(Transition(1_000, channel, None, State.IDLE, "", Evidence.SEEN))
        True
        >>> ledger.fold(Transition(1_500, channel, State.IDLE, State.CONNECTING, "", Evidence.SEEN))
        True
        >>> ledger.numbers[State.IDLE.code]
        500
        """
        time, channel, previous, state, reason, _ = row
        if channel is not self.channel:
            if _is_older(channel, self.channel):
                return False
            self._turn_to(channel)
        if reason:
            self.last_reason = reason
        opening = self.opening
        if opening is not None:
            was = opening[3]
            if state is TRANSIENT_FAILURE and was is TRANSIENT_FAILURE and opening[1] == channel:
                return False
            duration = time - opening[0]
            if duration > 0:
                self.numbers[CODE_OF[was]] += duration
        self.opening = row
        if state is READY:
            if self.lost != NO_TIME:
                self.numbers[RECOVERIES] += 1
                self.numbers[TIME_TO_RECOVER] += max(0, time - self.lost)
                self.lost = NO_TIME
        elif previous is READY and state in DISCONNECTED:
            self.numbers[DISCONNECTIONS] += 1
            self.disconnections.lost(time, reason)
            self.lost = time
        return True

    def _turn_to(self, channel: ChannelIdentity) -> None:
        is_another = channel != self.channel
        self.channel = channel
        if is_another and self.opening is not None and self.opening.state is State.SHUTDOWN:
            self.lost = NO_TIME  # somebody ended it: the time until it was registered again is no time to recover

    def fold_attempt(self, row: Attempt) -> None:
        """Take up one attempt. Attempts of retired channels count too: somebody did try to connect. A gap row is none."""
        if row.outcome is Outcome.UNKNOWN:
            return
        self.numbers[ATTEMPTS] += 1
        if row.outcome is Outcome.FAILED:
            self.numbers[FAILURES] += 1
        elif row.outcome is Outcome.READY:
            self.numbers[SUCCESSES] += 1

    def fold_call(self, row: Call) -> None:
        """Take up one call. Calls on retired channels count too; of what broke the current connection only its own calls can tell."""
        channel, method, start, end, code, _, _, reason = row
        self.numbers[CALLS] += 1
        if code is not Code.OK:
            self.numbers[FAILED_CALLS] += 1
            # Core's own code for a lost connection; under any other, words such as "connection reset" are about something of the module's.
            if code is Code.UNAVAILABLE and reason and channel == self.channel:
                self.disconnections.told(end, reason)
        histogram = self.latencies.get((method, code))
        if histogram is None:
            histogram = self.latencies[method, code] = Histogram()
        histogram.add(end - start)

    def __repr__(self) -> str:
        state = None if self.opening is None else self.opening.state
        return f"<Ledger {self.key} generation {self.channel.generation}: {state or 'unknown'}>"


def _is_older(channel: ChannelIdentity, current: ChannelIdentity) -> bool:
    # Numbers are given in the order in which channels are made, also where a module was unregistered and its generations began anew.
    return (channel.number, channel.generation) < (current.number, current.generation)


class Totals(NamedTuple):
    """All ledgers at one moment, the i-th module in the i-th place of each."""

    channels: list[ChannelIdentity]
    """The newest channel of each module."""
    openings: list[Transition | None]
    last_reasons: list[str]
    losts: list[int]
    numbers: npt.NDArray[np.int64]
    """Shape (modules, NUMBERS): the totals, without the open intervals."""

    def states(self) -> npt.NDArray[np.int8]:
        """The code of the state of each module's current channel; UNKNOWN in a gap and before its first row."""
        return np.array([UNKNOWN if row is None else CODE_OF[row.state] for row in self.openings], np.int8)

    def since(self) -> npt.NDArray[np.int64]:
        """Since when each has been in it, nanoseconds; NO_TIME before its first row."""
        return np.array([NO_TIME if row is None else row.time for row in self.openings], np.int64)


class Folding:
    """The ledgers of all modules ever seen, in the order in which they were."""

    def __init__(self) -> None:
        self._ledgers: dict[ModuleKey, Ledger] = {}

    def __len__(self) -> int:
        return len(self._ledgers)

    def __iter__(self) -> Iterator[Ledger]:
        return iter(self._ledgers.values())

    def ledger(self, channel: ChannelIdentity) -> Ledger:
        """The ledger of the channel's module, opened if the module is new."""
        ledger = self._ledgers.get(channel.key)
        if ledger is None:
            ledger = self._ledgers[channel.key] = Ledger(channel)
        return ledger

    def totals(self) -> Totals:
        """A copy of all ledgers that later rows do not change."""
        ledgers = self._ledgers.values()
        numbers = np.frombuffer(b"".join([ledger.numbers for ledger in ledgers]), np.int64).reshape(-1, NUMBERS)
        return Totals(
            [ledger.channel for ledger in ledgers],
            [ledger.opening for ledger in ledgers],
            [ledger.last_reason for ledger in ledgers],
            [ledger.lost for ledger in ledgers],
            numbers,
        )

    def restore(self, totals: Totals) -> None:
        """Take over the ledgers of a recording."""
        for channel, opening, last_reason, lost, numbers in zip(*totals, strict=True):
            ledger = self.ledger(channel)
            ledger.opening, ledger.last_reason, ledger.lost = opening, last_reason, lost
            ledger.numbers = array("q", numbers.tobytes())


def times_in_states(
    numbers: npt.NDArray[np.int64], states: npt.NDArray[np.int8], since: npt.NDArray[np.int64], now: int
) -> npt.NDArray[np.int64]:
    """Nanoseconds of each module in each state, the gap at the end, shape (modules, 6); the open interval counts up to `now`.

    `numbers`, `states` and `since` are those of `Totals`, which who asks has mostly made already.

    >>> numbers = np.zeros((1, NUMBERS), np.int64)
    >>> times_in_states(numbers, np.array([State.READY.code], np.int8), np.array([1_000]), 1_500).tolist()
    [[0, 0, 500, 0, 0, 0]]
    """
    times = numbers[:, [*CODES.values(), UNKNOWN]]
    times[np.arange(len(times)), states] += np.where(since == NO_TIME, 0, np.maximum(now - np.where(since == NO_TIME, now, since), 0))
    return times


def interval_ends(modules: npt.NDArray[np.integer], times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """When each interval ended: at the next row of the same module, never before it began; NO_TIME if there is none.

    Args:
        modules: shape (n,): any number that stands for the row's module, the rows in their order of arrival.
        times: shape (n,): nanoseconds; the rows are those that counted (see `Ledger.fold`).

    >>> interval_ends(np.array([0, 1, 0, 0]), np.array([10, 20, 30, 25])).tolist()[0::2]
    [30, 30]
    """
    order = modules.argsort(kind="stable")
    modules, times = modules[order], times[order]
    following = np.maximum(times[1:], times[:-1])
    following[modules[1:] != modules[:-1]] = NO_TIME
    ends = np.empty(len(times), np.int64)
    ends[order[:-1]] = following
    ends[order[-1:]] = NO_TIME
    return ends
