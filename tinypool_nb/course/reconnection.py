"""The exercises of notebook 03: reconnection and backoff."""

import math
from collections.abc import Callable

from tinypool_nb.core.backoff import JITTER, MULTIPLIER, rung, within
from tinypool_nb.core.options import Backoff
from tinypool_nb.course.exercises import Exercise, Judgement, choice, listed, look, number, right, several
from tinypool_nb.errors import shown

QUICK = Backoff(initial=0.5, maximum=4.0)
"""The settings of the module that is measured."""
_FOURTH = MULTIPLIER**3
_LONGEST = 120.0 * (1 + JITTER)
_LEAST_WAITS = 3


def _waits(answer: object) -> Judgement:
    """Judge the waits between the attempts of a module with the settings QUICK."""
    given = listed(answer)
    try:
        waits = None if given is None else [float(wait) for wait in given]
    except (TypeError, ValueError, OverflowError):
        waits = None
    if waits is None:
        return look(f"a list or a column of numbers is asked for, in seconds, and this is {shown(answer)}; .dt.total_seconds() makes some.")
    for is_so, advice in _OVERLOOKED:
        if is_so(waits):
            return look(advice)
    return _compared(waits)


def _compared(waits: list[float]) -> Judgement:
    for attempt, wait in enumerate(waits, start=1):
        if not within(wait, attempt, QUICK):
            allowed = rung(attempt, QUICK)
            return look(
                f"the wait after attempt {attempt} is {wait:.2f} s here; the rule allows {allowed.shortest:.2f} to "
                f"{allowed.longest:.2f} s. "
                "Was each taken from one start to the next? (A machine that is very busy may be late, too.)"
            )
    told = ", ".join(f"{wait:.2f}" for wait in waits)
    return right(f"{told} s: each within 20 % of 1.6 times the one before, up to 4 s. That is what the specification asks for.")


_OVERLOOKED: tuple[tuple[Callable[[list[float]], bool], str], ...] = (
    (
        lambda waits: any(map(math.isnan, waits)),
        "the first attempt has none before it, so its place is empty (NaN). Leave it out with .dropna().",
    ),
    (lambda waits: len(waits) < _LEAST_WAITS, "there are more attempts than that. Take the whole column `start`."),
    (
        lambda waits: all(0 <= wait < 0.1 for wait in waits),
        "these are milliseconds: how long each attempt took. Asked is from one start to the next, so only the column `start` is needed.",
    ),
    (lambda waits: all(wait > 100 for wait in waits), "these numbers are too large for seconds. .dt.total_seconds() gives seconds."),
    (lambda waits: min(waits) <= 0, "a wait cannot be negative. `.diff()` of the column `start` goes from each to the next one."),
)
"""What people overlook, and what to look at."""


EXERCISES = several(
    (
        Exercise(
            "03.1",
            "does it notice at once",
            choice(
                {
                    "no": right("nobody tells a client that a server is back. It finds out by its next attempt, when that is due."),
                    "yes": look("look at how many seconds it took. Who would have told the channel? A server cannot call its clients."),
                }
            ),
            ("Who would tell the channel? The module does not know who its clients are.", "The channel is waiting. What for?"),
        ),
        Exercise(
            "03.2",
            "the fourth wait",
            number(
                _FOURTH,
                said="1 s after the first, then times 1.6 three times: 1 × 1.6 × 1.6 × 1.6 = 4.096 s.",
                near={
                    MULTIPLIER**4: "that is the wait after the fifth. After the first it is 1 s, not yet 1.6 s.",
                    MULTIPLIER**2: "that is the wait after the third.",
                    8.0: "that would be doubling. gRPC multiplies by 1.6.",
                    16.0: "that would be doubling. gRPC multiplies by 1.6.",
                    4.8: "add nothing each time: multiply. After the second it is 1.6 s, after the third 1.6 times that.",
                    2.8: "add nothing each time: multiply. After the second it is 1.6 s, after the third 1.6 times that.",
                    _FOURTH * (1 + JITTER): "that is the longest one after the lot. Before it is drawn there is no 20 %.",
                },
                otherwise="the first wait is 1 s, and each one after it is 1.6 times the one before.",
            ),
            (
                "Write down the first: after attempt 1 the wait is 1 s. After attempt 2?",
                "1 s, 1.6 s, 1.6 × 1.6 s, …",
                "1 * 1.6**3",
            ),
        ),
        Exercise(
            "03.3",
            "the longest wait",
            number(
                _LONGEST,
                said="the maximum cuts the wait first, and the lot comes after: 120 s and 20 % of it are 144 s.",
                near={
                    120.0: "that would be so if the lot were drawn first. The maximum comes first; then the lot may add 20 %.",
                    96.0: "that is the shortest: 20 % less. What is the longest?",
                    192.0: "1.6 is not applied any more once the maximum is reached.",
                    140.0: "20 % of 120 s are 24 s.",
                },
                otherwise="after an hour the wait has long reached its maximum. What may the lot do to it?",
            ),
            ("After an hour the wait has reached the maximum.", "The lot is drawn after the maximum is applied, and may add 20 %."),
        ),
        Exercise(
            "03.4",
            "the waits, measured",
            _waits,
            (
                "Only the column `start` is needed: from each start to the next.",
                "attempts.start.diff() gives differences; the first has none before it and is empty.",
                "attempts.start.diff().dt.total_seconds().dropna()",
            ),
        ),
        Exercise(
            "03.5",
            "what reconnect does",
            choice(
                {
                    "fresh": right(
                        "`generation` went up: another channel, which has had no failure. The old one is closed once its calls have ended."
                    ),
                    "reset": look("Go's gRPC can do that, Python's cannot. Look at the column `generation`."),
                    "force": look("gRPC lets nobody do that in Python. Look at the column `generation`."),
                }
            ),
            ("Look at the column `generation`: it counts the channels that a module has had.", "It went up by one."),
        ),
    )
)
