import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.states import State
from tinypool_nb.journal.tables import Dictionary, Table, code_type


def table(history: int = 1000) -> Table:
    return Table({"time": np.dtype(np.int64), "name": Dictionary(), "state": Dictionary(tuple(State), closed=True)}, history=history)


def put(into: Table, names: list[str | None], first: int = 0) -> None:
    into.make_room(len(names))
    columns: dict[str, npt.ArrayLike] = {
        "time": np.arange(first, first + len(names)),
        "name": into.encode("name", names),
        "state": into.encode("state", [State.READY] * len(names)),
    }
    into.extend(len(names), columns)


def test_rows_come_back_decoded() -> None:
    one = table()
    put(one, ["b", None, "a", "b"])
    rows = one.rows()
    assert list(rows.values("name")) == ["b", None, "a", "b"]
    assert list(rows.values("state")) == [State.READY] * 4
    assert repr(rows) == "<Rows 0:4 of time, name, state>"


@pytest.mark.parametrize("size", [0, 126, 127, 32_766, 32_767])
def test_codes_have_the_type_that_pandas_gives_them(size: int) -> None:
    assert pd.Categorical([], categories=pd.RangeIndex(size)).codes.dtype == code_type(size)


def test_views_stay_as_they_were_while_the_table_grows_widens_and_drops() -> None:
    one = table(history=5_000)
    put(one, [f"name-{i}" for i in range(100)])
    before = one.rows()
    names, times = list(before.values("name")), before.columns["time"].copy()
    for first in range(100, 20_000, 500):
        put(one, [f"name-{first + i}" for i in range(500)], first)
    assert one.dropped > 0
    assert list(before.values("name")) == names
    assert (before.columns["time"] == times).all()
    with pytest.raises(ValueError, match="read-only"):
        before.columns["time"][0] = 1


def test_the_oldest_rows_go_in_blocks_and_positions_go_on() -> None:
    one = table(history=1_000)
    for first in range(0, 10_000, 100):
        put(one, ["x"] * 100, first)
    assert len(one) <= 1_000
    assert len(one) > 1_000 - one.block
    assert one.dropped % one.block == 0
    assert one.end == 10_000
    rows = one.rows()
    assert rows.columns["time"].tolist() == list(range(one.dropped, 10_000))
    assert one.rows(9_990).columns["time"].tolist() == list(range(9_990, 10_000))
    assert one.rows(5).first == one.dropped


def test_dictionaries_do_not_grow_without_bound() -> None:
    one = table(history=1_000)
    for first in range(0, 50_000, 100):
        put(one, [f"reason {first + i}" for i in range(100)], first)
    assert len(one.dictionaries["name"].values) <= 2_100
    assert list(one.rows().values("name")) == [f"reason {i}" for i in range(one.dropped, 50_000)]
    assert one.compactions > 0


def test_a_lone_surrogate_is_stored_as_something_that_can_be_shown() -> None:
    one = table()
    put(one, ["a\udcff", "a?"])
    assert list(one.rows().values("name")) == ["a?", "a?"]
    assert len(one.dictionaries["name"].values) == 1


def test_a_closed_dictionary_learns_nothing() -> None:
    with pytest.raises(KeyError):
        table().encode("state", ["ASLEEP"])


@given(st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), min_size=1, max_size=12), max_size=60), st.integers(100, 200))
def test_a_table_is_the_end_of_a_list(batches: list[list[str | None]], history: int) -> None:
    one, everything = table(history), list[str | None]()
    for names in batches:
        put(one, names, len(everything))
        everything += names
    assert list(one.rows().values("name")) == everything[one.dropped :]
    assert one.rows().columns["time"].tolist() == list(range(one.dropped, len(everything)))
