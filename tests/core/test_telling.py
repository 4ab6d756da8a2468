"""A pool in one line, whatever it holds and whatever its modules are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.states import State
from tinypool_nb.core.telling import FEW, told_pool


def test_a_pool_without_modules() -> None:
    assert told_pool("Pool", {}) == "<Pool 0 modules>"


def test_few_modules_are_told_one_by_one() -> None:
    states = {f"m{number}": State.READY for number in range(FEW)}
    assert told_pool("Pool", states) == f"<Pool 8 modules: {', '.join(f'{name}: READY' for name in states)}>"


def test_of_many_it_is_told_how_many_are_in_which_state() -> None:
    states = {f"m{number}": State.READY for number in range(1_000)}
    assert told_pool("Pool", states) == "<Pool 1,000 modules: 1,000 READY>"
    states |= {"m3": State.TRANSIENT_FAILURE, "m7": State.IDLE, "m9": State.CONNECTING}
    assert told_pool("Pool", states) == "<Pool 1,000 modules: 1 TRANSIENT_FAILURE (m3), 1 CONNECTING, 1 IDLE, 997 READY>"


def test_of_many_in_the_worst_state_three_are_named() -> None:
    states = {f"m{number}": State.IDLE for number in range(3)} | {f"n{number}": State.READY for number in range(9)}
    assert told_pool("Pool", states) == "<Pool 12 modules: 3 IDLE (m0, m1, m2), 9 READY>"
    assert told_pool("Pool", {**states, "last": State.IDLE}) == "<Pool 13 modules: 4 IDLE (m0, m1, m2, …), 9 READY>"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"checked_every": 30.0}, "health checks every 30 s"),
        ({"checked_every": 0.5}, "health checks every 0.5 s"),
        ({"draining": 1}, "1 channel draining"),
        ({"draining": 2}, "2 channels draining"),
        ({"calls": 1}, "1 call"),
        ({"calls": 1204, "failed_calls": 3}, "1,204 calls, 3 failed"),
    ],
)
def test_what_else_goes_on_is_told_behind(more: dict[str, int], told: str) -> None:
    assert told_pool("Pool", {"a": State.READY}, **more) == f"<Pool 1 module: a: READY; {told}>"


def test_long_and_unprintable_names_are_cut_and_escaped() -> None:
    told = told_pool("Pool", {"\u202eevil": State.READY, "n" * 300: State.READY, "módulo 🚀": State.IDLE})
    assert told == f"<Pool 3 modules: \\u202eevil: READY, {'n' * 59}…: READY, módulo 🚀: IDLE>"


@given(st.dictionaries(st.text(), st.sampled_from(State), max_size=12), st.integers(0, 5), st.integers(0, 5))
def test_it_is_one_printable_line_whatever_the_names(states: dict[str, State], draining: int, calls: int) -> None:
    told = told_pool("Pool", states, draining=draining, calls=calls)
    assert told.isprintable()
    assert told.startswith(f"<Pool {len(states)} module")
