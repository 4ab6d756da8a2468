"""What a module may be called, and which module a person means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.keys import LONGEST_NAME, ModuleKey, find_key, need_key, parse_key
from tinypool_nb.core.naming import Naming
from tinypool_nb.errors import AmbiguousModuleError, ModuleNameError, UnknownModuleError

BY_HAND, IN_A, IN_B = ModuleKey(None, "http"), ModuleKey("a", "http"), ModuleKey("b", "http")


@pytest.mark.parametrize("name", ["http-module-v1", "<script>alert(1)</script>", "a'b\"c", "módulo 🚀", "שלום", "x" * LONGEST_NAME, "a b"])
def test_whatever_can_be_shown_is_a_name(name: str) -> None:
    if "/" in name:
        with pytest.raises(ModuleNameError, match="separates"):
            parse_key(name)
    else:
        assert parse_key(name) == ModuleKey(None, name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "at least one"),
        (" http", "blank"),
        ("ht\ntp", "control"),
        ("ht\x1b[31mtp", "control"),
        ("\ud800", "surrogate"),
        ("x" * 1_001, "1,001"),
        ("a/b", "separates"),
        (None, "str"),
        (7, "str"),
    ],
)
def test_what_is_refused_and_why(name: object, rule: str) -> None:
    with pytest.raises(ModuleNameError, match=rule) as caught:
        parse_key(name)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@given(st.text())
def test_any_text_is_a_key_or_a_module_name_error(text: str) -> None:
    try:
        key = parse_key(text)
    except ModuleNameError:
        return
    assert str(key) == text


def test_a_bare_name_means_the_only_one() -> None:
    assert find_key([IN_A], "http") == IN_A
    assert find_key([IN_A, IN_B], "b/http") == IN_B
    assert find_key([IN_A], "ftp") is None
    assert find_key([IN_A], 7) is None


def test_a_bare_name_of_several_is_ambiguous() -> None:
    with pytest.raises(AmbiguousModuleError, match="'a/http', 'b/http'"):
        find_key([IN_A, IN_B], "http")


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownModuleError, match="did you mean 'a/http'") as caught:
        need_key([IN_A], "a/htp")
    assert isinstance(caught.value, KeyError)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([BY_HAND, IN_A, IN_B, ModuleKey("a", "ftp")]))))
def test_naming_finds_what_find_key_finds(steps: list[tuple[bool, ModuleKey]]) -> None:
    naming = Naming[ModuleKey]()
    there: list[ModuleKey] = []
    for add, key in steps:
        if add and key not in there:
            naming.add(key, key)
            there.append(key)
        elif not add and key in there:
            naming.remove(key)
            there.remove(key)
    for asked in ("http", "a/http", "b/http", "ftp", "c/http", IN_A, BY_HAND):
        try:
            wanted = find_key(there, asked)
        except AmbiguousModuleError:
            assert asked == "http"
            assert asked not in naming.by_name
            with pytest.raises(AmbiguousModuleError):
                naming.find(asked)
        else:
            assert naming.by_name.get(asked) == wanted
            assert naming.find(asked) == wanted
