"""Every rule of the pool, crossed with every situation: no channel is lost, none leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.addresses import Address, parse_address
from tinypool_nb.core.decisions import (
    Close,
    Command,
    Hold,
    Open,
    PutAway,
    Reconnect,
    ReconnectLost,
    Register,
    Release,
    Retire,
    Table,
    Tell,
    TryOnce,
    Unregister,
    decide,
)
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import NotHeldError, PoolClosedError, UnknownModuleError

ONE, TWO = parse_address("127.0.0.1:1"), parse_address("127.0.0.1:2")
KEYS = [ModuleKey(None, "http-module-v1"), ModuleKey("tinysystems", "http-module-v1"), ModuleKey(None, "api-module-v1")]
OPTIONS = [PoolOptions(), PoolOptions(load_balancing="round_robin")]
commands = st.one_of(
    st.builds(Register, st.sampled_from(KEYS), st.sampled_from([ONE, TWO]), st.sampled_from(OPTIONS)),
    st.builds(Unregister, st.sampled_from(KEYS)),
    st.builds(Reconnect, st.sampled_from(KEYS)),
    st.builds(ReconnectLost, st.sampled_from(KEYS), st.integers(1, 5), st.just("why")),
    st.builds(Hold, st.sampled_from(KEYS)),
    st.builds(TryOnce, st.sampled_from(KEYS)),
    st.builds(PutAway, st.sampled_from(KEYS), st.integers(1, 5), st.just("why")),
    st.builds(Release, st.sampled_from(KEYS)),
    st.just(Close()),
)


@given(st.lists(commands, max_size=30))
def test_what_is_open_is_what_is_registered(story: list[Command]) -> None:
    table = Table()
    channels: dict[ModuleKey, int] = {}
    last: dict[ModuleKey, int] = {}
    for command in story:
        before = table
        try:
            table, actions = decide(table, command)
        except (PoolClosedError, UnknownModuleError, NotHeldError):
            assert table is before
            continue
        for action in actions:
            match action:
                case Open(key, entry):
                    assert entry.generation == last.get(key, 0) + 1
                    channels[key] = last[key] = entry.generation
                case Retire(key):
                    del channels[key]
                case Tell():
                    pass
        assert channels == {key: entry.generation for key, entry in table.entries.items()}
        assert [isinstance(action, Tell) for action in actions] == [*[False] * (len(actions) - 1), True]
        assert not (table.closed and table.entries)


def test_the_same_address_and_options_change_nothing() -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[0]))
    again, actions = decide(table, Register(KEYS[0], ONE, OPTIONS[0]))
    assert again is table
    assert [type(action) for action in actions] == [Tell]


@pytest.mark.parametrize(("address", "options", "said"), [(TWO, OPTIONS[0], "127.0.0.1:2"), (ONE, OPTIONS[1], "options")])
def test_another_address_or_other_options_open_the_next_generation(address: Address, options: PoolOptions, said: str) -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[0]))
    _, (opened, told) = decide(table, Register(KEYS[0], address, options))
    assert isinstance(opened, Open)
    assert (opened.entry.generation, opened.connect) == (2, False)
    assert isinstance(told, Tell)
    assert said in told.text
    assert told.status == "replaced"


def test_a_module_that_comes_back_goes_on_counting() -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[0]))
    table, _ = decide(table, Unregister(KEYS[0]))
    _, (opened, _) = decide(table, Register(KEYS[0], ONE, OPTIONS[0]))
    assert isinstance(opened, Open)
    assert opened.entry.generation == 2


def test_reconnect_connects_at_once_and_keeps_the_address() -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[1]))
    _, (opened, _) = decide(table, Reconnect("http-module-v1"))
    assert isinstance(opened, Open)
    assert (opened.entry.address, opened.entry.options, opened.connect) == (ONE, OPTIONS[1], True)


def test_a_lost_module_is_reconnected_unless_its_channel_was_replaced_or_is_held() -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[1]))
    after, (opened, told) = decide(table, ReconnectLost(KEYS[0], 1, "it listens again"))
    assert isinstance(opened, Open)
    assert (opened.entry.generation, opened.entry.options, opened.connect) == (2, OPTIONS[1], True)
    assert told == Tell(KEYS[0], "reconnect: it listens again", "reconnect", "ok")
    closed, _ = decide(table, Close())
    for other in (after, HELD, closed, Table()):
        again, (told,) = decide(other, ReconnectLost(KEYS[0], 1, "it listens again"))
        assert isinstance(told, Tell)
        assert (again, told.status) == (other, "unchanged")


def test_close_is_for_good_and_quiet_the_second_time() -> None:
    table, _ = decide(Table(), Register(KEYS[0], ONE, OPTIONS[0]))
    table, actions = decide(table, Close())
    assert Retire(KEYS[0]) in actions
    again, (told,) = decide(table, Close())
    assert again is table
    assert isinstance(told, Tell)
    assert told.status == "unchanged"
    assert decide(table, Unregister(KEYS[0]))[0] is table
    with pytest.raises(PoolClosedError, match="register"):
        decide(table, Register(KEYS[0], ONE, OPTIONS[0]))
    with pytest.raises(PoolClosedError, match="reconnect"):
        decide(table, Reconnect(KEYS[0]))


HELD, _ = decide(decide(Table(), Register(KEYS[0], ONE, OPTIONS[1]))[0], Hold("http-module-v1"))


def test_a_module_is_held_by_a_channel_of_its_own_which_nobody_has_asked() -> None:
    entry = HELD.entries[KEYS[0]]
    assert (entry.held, entry.generation, entry.options) == (True, 2, OPTIONS[1])
    again, (told,) = decide(HELD, Hold(KEYS[0]))
    assert isinstance(told, Tell)
    assert (again, told.status) == (HELD, "unchanged")


@pytest.mark.parametrize(
    ("command", "held", "connect"),
    [
        (TryOnce(KEYS[0]), True, True),
        (Reconnect(KEYS[0]), True, True),
        (Register(KEYS[0], TWO, OPTIONS[1]), True, False),
        (PutAway(KEYS[0], 2, "why"), True, False),
        (Release(KEYS[0]), False, True),
    ],
)
def test_what_is_held_stays_so_until_it_is_released(command: Command, held: bool, connect: bool) -> None:
    table, (opened, _) = decide(HELD, command)
    assert isinstance(opened, Open)
    assert (opened.entry.held, opened.connect, opened.entry.generation) == (held, connect, 3)
    assert table.entries[KEYS[0]] == opened.entry


@pytest.mark.parametrize("command", [PutAway(KEYS[0], 1, "why"), PutAway(KEYS[1], 1, "why"), Release(KEYS[1])])
def test_what_is_not_there_any_more_is_left_alone(command: Command) -> None:
    assert decide(HELD, command)[0] is HELD


def test_only_what_is_held_is_attempted_once() -> None:
    table, _ = decide(HELD, Release(KEYS[0]))
    with pytest.raises(NotHeldError, match="hold it first"):
        decide(table, TryOnce(KEYS[0]))
    assert decide(table, Release(KEYS[0]))[0] is table


def test_a_module_that_was_unregistered_comes_back_unheld() -> None:
    table, _ = decide(HELD, Unregister(KEYS[0]))
    table, _ = decide(table, Register(KEYS[0], ONE, OPTIONS[0]))
    assert not table.entries[KEYS[0]].held
    with pytest.raises(PoolClosedError, match="hold"):
        decide(decide(table, Close())[0], Hold(KEYS[0]))
