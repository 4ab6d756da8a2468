"""Every exercise accepts what is right, and says to a typical wrong answer what to look at; hints come in steps."""

import json
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from html import unescape

import numpy as np
import pandas as pd
import pytest

import tinypool_nb as tp
from tests.course.solutions import RIGHT_FRAMES, SOLUTIONS, WRONG, Wrong
from tinypool_nb.course import desk
from tinypool_nb.errors import ExerciseError

EXERCISES = {number: exercise for notebook in desk.LESSONS for number, exercise in desk._exercises(notebook).items()}


@pytest.fixture(autouse=True)
def _fresh_desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(desk, "_given", {})
    monkeypatch.setattr(desk, "_standings", {})
    return iter((None,))


def cells() -> dict[str, list[str]]:
    """The code cells of each notebook of the course, by its number."""
    found = {}
    for path in tp.course.notebooks():
        notebook = json.loads(path.read_text())
        found[path.name[:2]] = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return found


@pytest.mark.parametrize("number", EXERCISES)
def test_what_is_right_is_accepted_with_a_reason(number: str) -> None:
    answer = RIGHT_FRAMES[number] if number in RIGHT_FRAMES else eval(SOLUTIONS[number], {"tp": tp})  # noqa: S307 - ours
    said = tp.course.check(number, answer)
    assert said.right, str(said)
    assert len(said.text) > 30


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.number}-{str(wrong.answer)[:20]!r}")
def test_a_typical_wrong_answer_is_told_what_to_look_at(wrong: Wrong) -> None:
    said = tp.course.check(wrong.number, wrong.answer)
    assert not said.right
    assert said.title == "Look again"
    assert wrong.told in said.text
    assert "wrong" not in said.text.lower()


ODD = [
    None,
    object(),
    b"",
    {},
    [],
    (),
    {1: 2},
    "",
    "…",
    math.nan,
    10**400,
    1j,
    np.float64(7e7),
    np.array([1, 2]),
    np.array("x"),
    pd.DataFrame(),
    pd.NA,
    tp,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize("number", EXERCISES)
def test_whatever_is_handed_in_is_told_what_is_asked_for(number: str, odd: object) -> None:
    said = tp.course.check(number, odd)
    assert said.title == "Look again"
    assert len(said.text) > 20


@pytest.mark.parametrize(
    ("number", "answer"), [("02.3", np.int64(1)), ("06.2", np.int32(3)), ("06.2", np.float64(3)), ("03.3", Fraction(144))]
)
def test_a_number_may_come_from_a_frame(number: str, answer: object) -> None:
    assert tp.course.check(number, answer).right


def test_every_exercise_has_a_solution_a_typical_mistake_and_hints() -> None:
    assert set(SOLUTIONS) == set(EXERCISES)
    assert {wrong.number for wrong in WRONG} == set(EXERCISES)
    assert [number for number, exercise in EXERCISES.items() if not exercise.hints] == []
    assert [number for number, exercise in EXERCISES.items() if number != exercise.number] == []


def test_every_exercise_stands_in_its_notebook_once_and_is_checked_there() -> None:
    there = cells()
    asked = [number for sources in there.values() for source in sources for number in re.findall(r"^# exercise (\d\d\.\d):", source)]
    checked = [number for sources in there.values() for source in sources for number in re.findall(r'course\.check\("(\d\d\.\d)"', source)]
    assert asked == list(EXERCISES)
    assert checked == list(EXERCISES)
    for notebook in desk.LESSONS:
        assert f'tp.course.progress("{notebook}")' in there[notebook][-1]


def test_no_exercise_gives_its_answer_away_before_it_is_asked() -> None:
    for sources in cells().values():
        for source in sources:
            if source.startswith("# exercise"):
                assert source.splitlines()[-1].endswith("...")


def test_without_an_answer_it_is_open_and_says_how_to_go_on() -> None:
    said = tp.course.check("02.1", ...)
    assert said.title == "Open"
    assert 'tp.course.hint("02.1")' in said.text


def test_hints_come_in_steps_and_stay_with_the_last() -> None:
    steps = [tp.course.hint("02.2").title for _ in range(4)]
    assert steps == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert tp.course.hint("02.2", step=1).title == "Hint 1 of 3"
    with pytest.raises(ExerciseError, match=r"exercise 02.2 has 3 hints, counted from 1; step=4 is none of them"):
        tp.course.hint("02.2", step=4)


def test_progress_counts_what_stands_now() -> None:
    tp.course.check("02.1", "IDLE")
    tp.course.check("02.2", "IDLE")
    assert "1 of 7 exercises: still open: 02.2 (the states of the first call);" in str(tp.course.progress("02"))
    tp.course.check("02.1", "READY")  # tried on
    assert str(tp.course.progress("02")).startswith("02 0 of 7")
    for number in desk._exercises("02"):
        tp.course.check(number, RIGHT_FRAMES[number] if number in RIGHT_FRAMES else eval(SOLUTIONS[number], {"tp": tp}))  # noqa: S307
    assert str(tp.course.progress("02")) == "02 7 of 7 exercises: all of them are right."


def test_what_is_unknown_is_refused_with_what_there_is() -> None:
    with pytest.raises(ExerciseError, match=r"there is no exercise '02.9'; did you mean '02.\d'\?"):
        tp.course.check("02.9", 1)
    with pytest.raises(ExerciseError, match=r"no notebook .1. has exercises"):
        tp.course.hint("1.1")
    with pytest.raises(ExerciseError, match="no notebook '01'"):
        tp.course.progress("01")


def test_an_answer_is_shown_as_text() -> None:
    html = tp.course.check("02.1", "<script>alert(1)</script>")._repr_mimebundle_()["text/html"]
    assert "<script" not in html
    assert "<script>alert(1)</script>" in unescape(html)
    assert 'role="status"' in html


async def _never() -> None:
    await tp.course.until(lambda: False, timeout=0.05)


def test_waiting_in_vain_says_so() -> None:
    import asyncio

    with pytest.raises(ExerciseError, match=r"did not come true within 0.05 s"):
        asyncio.run(_never())
