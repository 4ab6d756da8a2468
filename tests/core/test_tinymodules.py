"""What a TinyModule resource says, whatever JSON it is made of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.keys import ModuleKey, parse_key
from tinypool_nb.core.tinymodules import LONGEST_TEXT, TinyModule, Verdict, decode, named, own_resource_name

METADATA = {"namespace": "tinysystems", "name": "http-module-v1", "uid": "7c9e", "resourceVersion": "41"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
almost = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("namespace", "name", "uid", "resourceVersion", "labels"), json_values)
        )
        | json_values,
        "status": st.fixed_dictionaries({}, optional=dict.fromkeys(("addr", "address", "version", "sdkVersion", "components"), json_values))
        | json_values,
    },
)


def module(**status: Any) -> TinyModule:
    return decode({"metadata": METADATA, "status": status})


@given(json_values | almost)
def test_any_json_decodes(resource: object) -> None:
    found = decode(resource)
    assert found.key == named(resource)
    assert (found.address is not None) == (found.verdict is Verdict.USABLE) == (found.reason == "")
    assert len(found.reason) < 500
    assert all(len(text) <= LONGEST_TEXT for text in (found.version, found.sdk_version, *found.components))
    repr(found).encode()
    if found.address is not None:
        parse_key(found.name, found.namespace)
        assert parse_address(found.address).text == found.address


@pytest.mark.parametrize(
    "addr", ["http-module-v1:50051", "http-module-v1.tinysystems.svc.cluster.local:50051", "127.0.0.1:50051", "dns:///a:1", "[::1]:50051"]
)
def test_what_can_be_dialled_is_usable(addr: str) -> None:
    assert module(addr=addr).address == addr
    assert module(address=addr).address == addr


def test_what_is_nested_deeply_decodes_too() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    for made in (
        module(addr=nested, version=nested, components=[nested]),
        decode({"metadata": {**METADATA, "labels": {"x": nested}, "name": nested}, "status": nested}),
        decode(nested),
    ):
        assert made.verdict is Verdict.QUARANTINED


def test_addr_counts_before_address() -> None:
    assert module(addr="a:1", address="b:2").address == "a:1"
    assert module(addr=None, address="b:2").address == "b:2"
    assert module(addr="", address="b:2").verdict is Verdict.WAITING


@pytest.mark.parametrize("status", [{}, {"addr": ""}, {"addr": None}, {"version": "1.0.0"}])
def test_without_an_address_it_waits(status: dict[str, Any]) -> None:
    assert module(**status).verdict is Verdict.WAITING
    assert decode({"metadata": METADATA}).verdict is Verdict.WAITING


@pytest.mark.parametrize(
    ("addr", "why"),
    [
        (50051, "a str"),
        (["a:1"], "a str"),
        ({}, "a str"),
        (False, "a str"),
        (0, "a str"),
        ("   ", "no blanks"),
        ("\t", "no blanks"),
        ("a" * 2000 + ":1", "at most 1,000"),
        ("nats://tinymodule.http-module-v1.msg", "not gRPC"),
        (" NATS://x", "not gRPC"),
        ("http-module-v1", "no port"),
        ("http-module-v1:99999", "1 to 65535"),
        ("::1:50051", "brackets"),
        ("<script>alert(1)</script>:1", "host name"),
        ("\ud800:1", "ASCII"),
    ],
)
def test_what_must_not_be_dialled_is_quarantined_with_the_reason(addr: object, why: str) -> None:
    found = module(addr=addr)
    assert found.verdict is Verdict.QUARANTINED
    assert why in found.reason


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"name": "x"},
        {"namespace": "a"},
        {"namespace": "a", "name": ""},
        {"namespace": "a", "name": "b/c"},
        {"namespace": 7, "name": "x"},
    ],
)
def test_what_has_no_name_is_quarantined(metadata: dict[str, Any]) -> None:
    found = decode({"metadata": metadata, "status": {"addr": "a:1"}})
    assert found.verdict is Verdict.QUARANTINED
    assert found.address is None


def test_what_is_shown_of_it() -> None:
    components = [{"name": "http-server"}, {"name": "router"}, "?", {}]
    metadata = {**METADATA, "labels": {"tier": "web", "app": "x"}}
    found = decode({"metadata": metadata, "status": {"addr": "a:1", "version": "1.4.2", "sdkVersion": "0.9", "components": components}})
    assert found.key == ModuleKey("tinysystems", "http-module-v1")
    assert (found.uid, found.resource_version, found.version, found.sdk_version) == ("7c9e", "41", "1.4.2", "0.9")
    assert found.components == ("http-server", "router", "", "")
    assert found.labels == (("app", "x"), ("tier", "web"))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("http-module-v1", "http-module-v1"),
        ("TinySystems/HTTP Module__v1", "tinysystems-http-module-v1"),
        ("--a--", "a"),
        ("registry.example.org/" + "x" * 60, "x" * 48),
        ("a" + "-" + "b" * 47, "b" * 47),
        ("...", ""),
        ("", ""),
    ],
)
def test_the_own_module_by_its_resource_name(name: str, made: str) -> None:
    assert own_resource_name(name) == made


@given(st.text())
def test_an_own_name_is_one_that_a_resource_can_have(name: str) -> None:
    made = own_resource_name(name)
    assert len(made) <= 48
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert made == made.strip("-") == own_resource_name(made)
