"""What the stepper tells a browser: plain data, foreign text on one line as text, times in milliseconds from now."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinypool_nb.core.backoff import Window
from tinypool_nb.core.events import Attempt
from tinypool_nb.core.expectations import SECOND
from tinypool_nb.core.forecast import Doing, Forecast, Numbered, numbered
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.phases import AttemptReport
from tinypool_nb.core.stepping import Progress, Script
from tinypool_nb.core.tracing import MILLISECOND
from tinypool_nb.views.wording import cut, duration_text, one_line, times_text

RECENT = 8
"""Attempts that are listed."""
_LONGEST = 400
"""Characters of a reason that are sent."""


def script(lesson: Script, lessons: Sequence[Script]) -> dict[str, Any]:
    """The words of a lesson, and the names and titles of all."""
    return {
        "name": lesson.name,
        "title": one_line(lesson.title),
        "about": one_line(lesson.about),
        "steps": [{word: one_line(getattr(step, word)) for word in ("title", "does", "expects", "why")} for step in lesson.steps],
        "lessons": [[each.name, one_line(each.title)] for each in lessons],
    }


def progress(told: Progress, now: int) -> dict[str, Any]:
    """How each step stands.

    `left`: milliseconds until the step under way is judged at the latest; None if it is not known.
    """
    results = [told.result(place) for place in range(len(told.script.steps))]
    return {
        "current": told.current,
        "upcoming": told.upcoming,
        "playing": told.playing,
        "steps": [
            {
                "state": result.standing.value,
                "began": "" if result.began is None else f"{times_text(np.array([result.began]))[0][11:]} UTC",
                "note": _foreign(result.note),
                "seen": "" if result.said == result.note else _foreign(result.said),
            }
            for result in results
        ],
        "left": _left(told, now),
    }


def _left(told: Progress, now: int) -> int | None:
    current = told.current
    result = None if current is None else told.results[current]
    if result is None or current is None or result.acted is None:
        return None
    limits = [getattr(each, "seconds", getattr(each, "within", 0.0)) for each in told.script.steps[current].expected]
    return max(0, round((result.acted - now) / MILLISECOND + max(limits, default=0.0) * 1000))


def doing(forecast: Forecast, attempts: Sequence[Attempt], backoff: Backoff, now: int) -> dict[str, Any]:
    """What a module's connection is doing."""
    rows = numbered(attempts)[-RECENT:]
    return {
        "doing": forecast.doing.name.lower(),
        "words": forecast.doing.value,
        "state": "unknown" if forecast.state is None else forecast.state.value,
        "attempt": forecast.attempt,
        "peer": one_line(forecast.peer),
        "since": None if forecast.since is None else (forecast.since - now) // MILLISECOND,
        "next": None if forecast.next is None else [(at - now) // MILLISECOND for at in forecast.next],
        "reason": "" if forecast.doing is Doing.CONNECTED else _foreign(forecast.reason),
        "backoff": f"{backoff.initial:g} s × 1.6 each time, at most {backoff.maximum:g} s, ± 20 %",
        "attempts": [
            {
                "number": each.number,
                "at": times_text(np.array([each.start]))[0][11:],
                "gap": "" if each.gap is None else f"{each.gap:.2f} s",
                "window": "" if each.before is None else _between(each.before, each.number - 1, backoff),
                "outcome": each.attempt.outcome.value,
                "reason": _foreign(each.attempt.reason),
            }
            for each in rows
        ],
    }


def _between(before: Attempt, number: int, backoff: Backoff) -> str:
    """The window in which the attempt after that one could start, from that one's start."""
    each = Numbered(before, number, None)
    return _span(each.following(backoff), each.start)


def _span(window: Window, start: int) -> str:
    first, last = ((at - start) / SECOND for at in window)
    return f"{first:.2f} to {last:.2f} s"


def report(told: AttemptReport) -> dict[str, Any]:
    """One attempt, by its phases; times are milliseconds from its start."""
    return {
        "attempt": told.attempt,
        "outcome": told.outcome.value,
        "took": duration_text(told.seconds) if told.ended - told.began >= MILLISECOND else "less than 1 ms",
        "at": f"{times_text(np.array([told.began]))[0][11:]} UTC",
        "phases": [
            {
                "name": phase.name.value,
                "at": round((phase.start - told.began) / MILLISECOND),
                "took": None if phase.end is None else round((phase.end - phase.start) / MILLISECOND),
                "peer": one_line(phase.peer),
                "reason": _foreign(phase.reason),
            }
            for phase in told.phases
        ],
        "next": "" if told.next is None else _span(told.next, told.began),
    }


def _foreign(text: str) -> str:
    return cut(one_line(text), _LONGEST, keep_end=False)
