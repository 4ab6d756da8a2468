"""Where exercises are handed in: `check`, `hint` and `progress`, and how what they say is displayed.

It remembers which hints were given and how the last answers stood, for this kernel alone. Nothing is kept or sent.
"""

import difflib
import re
from collections.abc import Mapping
from html import escape
from importlib import import_module
from types import EllipsisType, MappingProxyType
from typing import NamedTuple

from tinypool_nb.course.exercises import Exercise, Judgement, Standing
from tinypool_nb.errors import ExerciseError, shown

LESSONS: Mapping[str, str] = MappingProxyType(
    {
        "02": "states",
        "03": "reconnection",
        "04": "keepalive",
        "05": "discovery",
        "06": "balancing",
        "07": "diagnosis",
    }
)
"""The number of a notebook -> the file in this folder that holds its exercises."""

_SYMBOLS = {Standing.OPEN: "○", Standing.LOOK_AGAIN: "◐", Standing.RIGHT: "✔"}
_COLOURS = {Standing.OPEN: "128,128,128", Standing.LOOK_AGAIN: "230,159,0", Standing.RIGHT: "0,158,115"}

_CODE = re.compile(r"`([^`]+)`")

_given: dict[str, int] = {}
"""How many hints of each exercise were given."""
_standings: dict[str, Standing] = {}
"""How the last answer to each exercise stood."""


class Said(NamedTuple):
    """What is said about an exercise. It displays itself as a coloured paragraph, and as text where there is no HTML."""

    number: str
    title: str
    """`Right`, `Look again`, `Open`, or which hint it is."""
    text: str
    symbol: str
    colour: str

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.title == Standing.RIGHT

    def __str__(self) -> str:
        return f"{self.number} {self.title}: {self.text}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        style = f"margin:4px 0;padding:8px 12px;max-width:75ch;border-left:4px solid rgb({self.colour});background:rgba({self.colour},.12)"
        text = _CODE.sub(r"<code>\1</code>", escape(self.text))
        told = f"<b>{self.symbol} {escape(self.number)} {escape(self.title)}:</b> {text}"
        return {"text/plain": str(self), "text/html": f'<p role="status" data-standing="{escape(self.title)}" style="{style}">{told}</p>'}


def check(number: str, answer: object = ...) -> Said:
    """What is right about an answer, or what to look at.

    Args:
        number: of the exercise, such as "02.1".
        answer: yours. `...`, which stands in the notebooks, is none yet.

    Raises:
        ExerciseError: there is no exercise of that number.

    >>> print(check("02.1"))
    02.1 Open: put your answer in the place of ... above, and run both cells again; tp.course.hint("02.1") helps.
    >>> check("02.1", "IDLE").right
    True
    """
    exercise = _exercise(number)
    if isinstance(answer, EllipsisType):
        judgement = Judgement(
            Standing.OPEN, f'put your answer in the place of ... above, and run both cells again; tp.course.hint("{number}") helps.'
        )
    else:
        judgement = exercise.judge(answer)
    _standings[number] = judgement.standing
    return Said(number, judgement.standing.value, judgement.said, _SYMBOLS[judgement.standing], _COLOURS[judgement.standing])


def hint(number: str, step: int | None = None) -> Said:
    """The next hint to an exercise; each tells a little more, and after the last one the last one again.

    Args:
        number: of the exercise, such as "02.1".
        step: which hint, counted from 1; None is the one after those already given.

    Raises:
        ExerciseError: there is no exercise of that number, or no such hint.

    >>> print(hint("02.1", step=1))
    02.1 Hint 1 of 2: register notes a name and an address. What would have to happen before anybody needs a connection?
    """
    hints = _exercise(number).hints
    if step is None:
        step = min(_given.get(number, 0) + 1, len(hints))
    if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= len(hints):
        raise ExerciseError(f"exercise {number} has {len(hints)} hints, counted from 1; step={shown(step)} is none of them")
    _given[number] = max(step, _given.get(number, 0))
    return Said(number, f"Hint {step} of {len(hints)}", hints[step - 1], "☞", "0,114,178")


def progress(notebook: str) -> Said:
    """Which exercises of a notebook are done, in this kernel.

    Args:
        notebook: its number, such as "02".

    Raises:
        ExerciseError: that notebook has no exercises.
    """
    exercises = _exercises(notebook)
    done = [number for number in exercises if _standings.get(number) is Standing.RIGHT]
    left = [f"{number} ({exercise.asks})" for number, exercise in exercises.items() if number not in done]
    standing = Standing.OPEN if left else Standing.RIGHT
    text = f"still open: {'; '.join(left)}." if left else "all of them are right."
    return Said(notebook, f"{len(done)} of {len(exercises)} exercises", text, _SYMBOLS[standing], _COLOURS[standing])


def _exercise(number: str) -> Exercise:
    exercises = _exercises(str(number).partition(".")[0])
    if number not in exercises:
        near = difflib.get_close_matches(str(number), exercises, n=1)
        advice = f"did you mean {shown(near[0])}?" if near else f"there are {', '.join(exercises)}"
        raise ExerciseError(f"there is no exercise {shown(number)}; {advice}")
    return exercises[number]


def _exercises(notebook: str) -> Mapping[str, Exercise]:
    if notebook not in LESSONS:
        raise ExerciseError(f"no notebook {shown(notebook)} has exercises; those that have are {', '.join(map(repr, LESSONS))}")
    exercises: Mapping[str, Exercise] = import_module(f"tinypool_nb.course.{LESSONS[notebook]}").EXERCISES
    return exercises
