"""What an exercise is: a number, how an answer is judged, and hints in steps. Pure, so that every answer can be tried in a test."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from numbers import Real
from typing import Any, NamedTuple

from tinypool_nb.core.states import STATES, State
from tinypool_nb.errors import shown


class Standing(StrEnum):
    """How an answer stands."""

    OPEN = "Open"
    LOOK_AGAIN = "Look again"
    RIGHT = "Right"


class Judgement(NamedTuple):
    """What became of an answer: right, or what to look at."""

    standing: Standing
    said: str


def right(said: str) -> Judgement:
    """It is right, and why."""
    return Judgement(Standing.RIGHT, said)


def look(said: str) -> Judgement:
    """It is not right yet, and where to look."""
    return Judgement(Standing.LOOK_AGAIN, said)


class Exercise(NamedTuple):
    """One exercise of a notebook."""

    number: str
    """`02.1`: the notebook's, and which of it."""
    asks: str
    """In a few words."""
    judge: Callable[[object], Judgement]
    hints: tuple[str, ...]
    """Each tells a little more; the last one all but says it."""


def choice(answers: Mapping[str, Judgement]) -> Callable[[object], Judgement]:
    r"""One of several words, in small or big letters; each has a judgement of its own.

    >>> judge = choice({"yes": right("it does."), "no": look("read the row again.")})
    >>> judge("YES").standing.value, judge("perhaps").said
    ('Right', 'one of "yes", "no" is asked for, and this is \'perhaps\'.')
    """
    by_word = {_plain(word): judgement for word, judgement in answers.items()}

    def judge(answer: object) -> Judgement:
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        if isinstance(answer, str) and _plain(answer) in by_word:
            return by_word[_plain(answer)]
        words = ", ".join(f'"{word}"' for word in answers)
        return look(f"one of {words} is asked for, and this is {shown(answer)}.")

    return judge


def state(answers: Mapping[State, Judgement]) -> Callable[[object], Judgement]:
    """One of the five states, as text or as `tp.State`."""
    return choice({each.value: answers[each] for each in STATES})


def number(
    expected: float, *, within: float = 0.01, said: str, near: Mapping[float, str], otherwise: str, unit: str = "seconds"
) -> Callable[[object], Judgement]:
    """A number; typical wrong ones have words of their own.

    Args:
        expected: the right one.
        within: how far off it may be, as a share of itself.
        said: why it is right.
        near: a wrong number that people come to, and what they overlooked.
        otherwise: what to look at with any other number.
        unit: what it counts.
    """

    def judge(answer: object) -> Judgement:
        given = _number(answer)
        if given is None:
            return look(f"a number of {unit} is asked for, and this is {shown(answer)}.")
        if math.isclose(given, expected, rel_tol=within):
            return right(said)
        for wrong, why in near.items():
            if math.isclose(given, wrong, rel_tol=within):
                return look(why)
        return look(otherwise)

    return judge


def path(expected: Sequence[State], *, said: str, otherwise: str) -> Callable[[object], Judgement]:
    """States in their order; says up to where it is right.

    >>> judge = path([State.IDLE, State.CONNECTING], said="so it is.", otherwise="see the frame.")
    >>> judge(["IDLE", "READY"]).said
    'up to IDLE it is right; after that comes something else than READY. see the frame.'
    """

    def judge(answer: object) -> Judgement:
        given = _states(answer)
        if given is None:
            return look(f'a list of states is asked for, such as ["IDLE", "READY"], and this is {shown(answer)}.')
        if given == list(expected):
            return right(said)
        same = next((place for place, (one, other) in enumerate(zip(given, expected, strict=False)) if one is not other), None)
        if same is None:
            what = "what is there is right, but it ends too early" if len(given) < len(expected) else "it goes on for too long"
        elif same == 0:
            what = f"it does not begin with {given[0]}"
        else:
            what = f"up to {given[same - 1]} it is right; after that comes something else than {given[same]}"
        return look(f"{what}. {otherwise}")

    return judge


def several(exercises: Iterable[Exercise]) -> Mapping[str, Exercise]:
    """The exercises by their numbers."""
    return {exercise.number: exercise for exercise in exercises}


def rows_of(answer: Any, *names: str) -> list[tuple[Any, ...]] | None:
    """The rows of these columns of a frame, or None if it is no frame that has them."""
    columns = getattr(answer, "columns", ())
    if not isinstance(columns, Iterable) or not set(names) <= set(columns):
        return None
    return list(zip(*(answer[name] for name in names), strict=True))


def listed(answer: object) -> list[Any] | None:
    """What an answer lists, or None if it lists nothing."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return None
    try:
        return list(answer)
    except TypeError:  # an array of no dimension
        return None


def _number(answer: object) -> float | None:
    """The finite number that an answer is, be it of numpy, or None."""
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return None
    try:
        number = float(answer)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _plain(word: str) -> str:
    return word.strip().casefold().replace(" ", "_")


def _states(answer: object) -> list[State] | None:
    given = listed(answer)
    if given is None:
        return None
    try:
        return [State(_plain(str(each)).upper()) for each in given]
    except ValueError:
        return None
