"""Every rule of the pool, crossed with every situation: no channel is lost, none leaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.addresses import Address, parse_address
from tinypool_nb.core.decisions import Close, Command, Open, Reconnect, Register, Retire, Table, Tell, Unregister, decide
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import PoolClosedError, UnknownModuleError

ONE, TWO = parse_address("127.0.0.1:1"), parse_address("127.0.0.1:2")
KEYS = [ModuleKey(None, "http-module-v1"), ModuleKey("tinysystems", "http-module-v1"), ModuleKey(None, "api-module-v1")]
OPTIONS = [PoolOptions(), PoolOptions(load_balancing="round_robin")]
commands = st.one_of(
    st.builds(Register, st.sampled_from(KEYS), st.sampled_from([ONE, TWO]), st.sampled_from(OPTIONS)),
    st.builds(Unregister, st.sampled_from(KEYS)),
    st.builds(Reconnect, st.sampled_from(KEYS)),
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
        except (PoolClosedError, UnknownModuleError):
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
