"""Every lesson against the real lab: it comes as it says; and what a person sees when it does not."""

import threading
from collections.abc import Iterator

import pytest

import tinypool_nb as tp
from tinypool_nb.core.expectations import Path, Stays
from tinypool_nb.core.stepping import Act, Script, Standing, Step
from tinypool_nb.lab.scripts import SCRIPTS, START
from tinypool_nb.notebook.performing import _ACTS, NAME
from tinypool_nb.notebook.stepper import Stepper


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool() as pool:
        yield pool


@pytest.mark.parametrize(
    "lesson", [pytest.param(name, marks=[] if name in {"graceful stop", "address change"} else pytest.mark.slow) for name in SCRIPTS]
)
def test_each_lesson_comes_as_it_says(pool: tp.Pool, lesson: str) -> None:
    with pool.stepper(lesson) as stepper:
        stepper.play()
        assert stepper.progress.is_over, str(stepper)
        assert stepper.progress.as_expected, str(stepper)
    assert NAME not in pool


def test_step_by_step_it_can_be_read_begun_anew_and_left(pool: tp.Pool) -> None:
    with pool.stepper() as stepper:
        assert "○  1. Start a module: to come" in str(stepper)
        stepper.next().next()
        assert repr(stepper) == "<Stepper 'first look': 2 of 10 steps, all as expected>"
        bundle = stepper._repr_mimebundle_()
        assert "a new channel, IDLE, at +" in bundle["text/plain"]
        assert bundle["text/html"].count('data-state="as expected"') == 2
        stepper.reset()
        assert NAME not in pool
        assert stepper.progress.results == ()
        assert stepper.next().next().progress.as_expected


def test_a_step_that_comes_otherwise_says_what_was_seen_instead(pool: tp.Pool) -> None:
    steps = (*SCRIPTS["first look"].steps[:2], SCRIPTS["first look"].steps[3])
    wrong = Step("Kill", Act.KILL, "", (Path((tp.State.READY, tp.State.CONNECTING), 2),), "")
    script = Script(name="wrong", title="", about="", options=SCRIPTS["first look"].options, steps=(*steps, wrong, START))
    with Stepper(pool, script) as stepper:
        stepper.play()
        assert stepper.progress.upcoming == 4  # it stopped there
        result = stepper.progress.results[3]
        assert result.standing is Standing.UNMET
        assert result.said.startswith("expected READY → CONNECTING within 2 s; seen READY → IDLE at +")


def test_a_lesson_leaves_the_person_s_own_modules_alone(pool: tp.Pool) -> None:
    pool.register(NAME, "127.0.0.1:1")
    with pool.stepper("address change") as stepper:
        assert stepper.module == f"{NAME}-2"
        stepper.next().next()
    assert list(pool) == [NAME]
    assert pool.transitions().query("module == @NAME").state.tolist() == ["IDLE"]


def test_reset_in_the_midst_of_a_step_ends_it(pool: tp.Pool) -> None:
    for_ever = Step("Watch", Act.WATCH, "", (Stays(tp.State.IDLE, 3600),), "")
    script = Script(name="long", title="", about="", options=tp.PoolOptions(), steps=(START, for_ever))
    changed = threading.Event()
    with Stepper(pool, script) as stepper:
        stepper.next()
        stepper.next(wait=False)
        stepper.listen(changed.set)
        assert stepper.progress.current == 1
        stepper.reset()
        assert stepper.progress.results == ()
        assert changed.is_set()


def test_what_cannot_be_done_is_said_and_the_lesson_goes_on_to_wait(pool: tp.Pool) -> None:
    kill = Step("Kill", Act.KILL, "", (), "")
    with Stepper(pool, Script(name="torn", title="", about="", options=tp.PoolOptions(), steps=(kill, START))) as stepper:
        stepper.next()
        assert stepper.progress.results[0].said.startswith("it could not be done: the lesson's module is not there")
        assert stepper.next().progress.results[1].standing is Standing.MET


def test_a_lesson_in_a_pool_that_closes_comes_to_an_end() -> None:
    with tp.Pool() as pool, pool.stepper() as stepper:
        stepper.next()
        pool.close()
        stepper.next()
        assert "the pool is closed" in stepper.progress.results[1].said
        with pytest.raises(tp.PoolClosedError):
            pool.stepper()


def test_an_unknown_lesson_is_refused_with_the_known_ones(pool: tp.Pool) -> None:
    with pytest.raises(tp.OptionsError, match="'first look', 'freeze', 'graceful stop', 'address change', 'round robin'"):
        pool.stepper("fisrt look")


def test_every_act_has_somebody_who_does_it() -> None:
    assert set(_ACTS) == set(Act)


def test_every_script_explains_itself() -> None:
    for script in SCRIPTS.values():
        assert "Shorter than usual" in script.about
        for step in script.steps:
            assert step.title
            assert step.does.endswith((".", ")")), step
            assert step.why.endswith("."), step
            assert step.expects
