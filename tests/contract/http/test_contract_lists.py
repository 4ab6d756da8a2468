"""Lists: what is there, in pages, by selectors and at versions. The same for every API server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.http.conftest import Space


def names(body: Any) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_an_empty_list_is_a_list(space: "Space") -> None:
    answer = space.listed()
    assert answer.code == 200
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.body
    assert (body["apiVersion"], body["kind"], body["items"]) == ("operator.tinysystems.io/v1alpha1", "TinyModuleList", [])
    assert set(body["metadata"]) == {"resourceVersion", "continue"}
    assert body["metadata"]["resourceVersion"].isdecimal()
    assert body["metadata"]["continue"] == ""


def test_objects_are_listed_in_the_order_of_their_names(space: "Space") -> None:
    made = {name: space.create(name) for name in ("b", "a-b", "a.b", "a")}
    body = space.listed().body
    assert names(body) == sorted(made)
    assert {item["metadata"]["name"]: item for item in body["items"]} == made


def test_pages_show_one_moment(space: "Space") -> None:
    for name in "abcde":
        space.create(name)
    first = space.listed(limit=2).body
    space.create("aa")
    space.delete("d")
    space.patch("e", {"metadata": {"labels": {"late": "yes"}}})
    second = space.listed(limit=2, continue_=first["metadata"]["continue"]).body
    third = space.listed(limit=2, continue_=second["metadata"]["continue"]).body
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert "labels" not in third["items"][0]["metadata"]
    assert len({page["metadata"]["resourceVersion"] for page in (first, second, third)}) == 1
    assert [page["metadata"].get("remainingItemCount") for page in (first, second, third)] == [3, 1, None]
    assert third["metadata"]["continue"] == ""
    assert space.names() == ["a", "aa", "b", "c", "e"]


def test_a_watch_from_the_version_of_a_paged_list_tells_what_came_after_its_first_page(space: "Space") -> None:
    for name in "abc":
        space.create(name)
    page = space.listed(limit=2).body
    space.delete("a")
    last = space.listed(limit=2, continue_=page["metadata"]["continue"]).body
    with space.watch(resourceVersion=last["metadata"]["resourceVersion"]) as watch:
        assert watch.names(1) == [("DELETED", "a")]


def test_pages_of_a_selection_do_not_count_what_is_left(space: "Space") -> None:
    for name in "abc":
        space.create(name, labels={"tier": "web"})
    page = space.listed(limit=1, labelSelector="tier=web").body
    assert names(page) == ["a"]
    assert "remainingItemCount" not in page["metadata"]
    assert names(space.listed(labelSelector="tier=web", continue_=page["metadata"]["continue"]).body) == ["b", "c"]


def test_a_limit_that_is_not_reached_leaves_no_further_page(space: "Space") -> None:
    space.create("a")
    for limit in (0, 1, 500):
        assert space.listed(limit=limit).body["metadata"]["continue"] == ""


@pytest.mark.parametrize(
    ("selector", "picked"),
    [
        ("", "abcd"),
        ("tier=web", "a"),
        ("tier==web", "a"),
        ("tier!=web", "bcd"),
        ("tier in (web, api)", "ab"),
        ("tier notin (web,api)", "cd"),
        ("tier", "abc"),
        ("!tier", "d"),
        ("tier,old", "b"),
        ("tier in (web,api),!old", "a"),
        ("tier=", "c"),
        ("tier!=,old!=yes", "ad"),
        ("example.org/part=core", "d"),
        ("nobody=has-it", ""),
    ],
)
def test_label_selectors(space: "Space", selector: str, picked: str) -> None:
    labels: dict[str, dict[str, str]] = {
        "a": {"tier": "web"},
        "b": {"tier": "api", "old": "yes"},
        "c": {"tier": ""},
        "d": {"example.org/part": "core"},
    }
    for name, given in labels.items():
        space.create(name, labels=given)
    assert space.names(labelSelector=selector) == list(picked)


@pytest.mark.parametrize(
    "selector", ["tier in web", "tier in (web", "=web", "a b", "tier=web=api", "tier=" + "x" * 64, "tier=-", ",", "tier,,old"]
)
def test_a_selector_that_cannot_be_read_is_a_bad_request(space: "Space", selector: str) -> None:
    for more in ({}, {"watch": "true", "timeoutSeconds": 1}):
        answer = space.listed(labelSelector=selector, **more)
        assert (answer.code, answer.body["reason"]) == (400, "BadRequest"), answer.body


def test_field_selectors(space: "Space") -> None:
    for name in "ab":
        space.create(name)
    assert space.names(fieldSelector="metadata.name=a") == ["a"]
    assert space.names(fieldSelector="metadata.name!=a") == ["b"]
    assert space.names(fieldSelector=f"metadata.namespace={space.namespace},metadata.name==b") == ["b"]
    answer = space.listed(fieldSelector="spec.image=x")
    assert (answer.code, answer.body["message"]) == (400, "field label not supported: spec.image")


def test_versions(space: "Space") -> None:
    space.create("a")
    old = space.version()
    space.create("b")
    assert sorted(space.names(resourceVersion=old)) == ["a", "b"], "not older than; a real server's cache lists in no order"
    assert set(space.names(resourceVersion="0")) <= {"a", "b"}, "whatever is at hand"
    assert space.names(resourceVersion=old, resourceVersionMatch="Exact", limit=5) == ["a"]


def test_a_version_of_the_future_times_out(space: "Space") -> None:
    answer = space.listed(resourceVersion=int(space.version()) + 1_000_000)
    assert (answer.code, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["message"].startswith("Timeout: Too large resource version: ")
    assert answer.body["details"]["causes"] == [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    assert answer.body["details"]["retryAfterSeconds"] == 1


@pytest.mark.parametrize(
    "query", [{"limit": "x"}, {"limit": "1.5"}, {"timeoutSeconds": "x"}, {"continue_": "%%%"}, {"continue_": "e30"}], ids=str
)
def test_parameters_that_cannot_be_read_are_a_bad_request(space: "Space", query: dict[str, object]) -> None:
    answer = space.listed(**query)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest"), answer.body


@pytest.mark.parametrize("query", [{"resourceVersionMatch": "Exact"}, {"resourceVersionMatch": "Other", "resourceVersion": "5"}], ids=str)
def test_a_match_that_makes_no_sense_is_invalid(space: "Space", query: dict[str, object]) -> None:
    answer = space.listed(**query)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"].startswith('ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: ')


def test_one_namespace_and_all_of_them(make_space: "Callable[[], Space]") -> None:
    one, other = make_space(), make_space()
    for space, name in ((one, "same"), (other, "same"), (other, "more")):
        space.create(name)
    assert one.names() == ["same"]
    found = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in one.http.send("GET", one.everywhere).body["items"]]
    ours = [(namespace, name) for namespace, name in found if namespace in {one.namespace, other.namespace}]
    assert ours == sorted([(one.namespace, "same"), (other.namespace, "more"), (other.namespace, "same")])
    assert (
        one.http.send("GET", f"/apis/operator.tinysystems.io/v1alpha1/namespaces/nowhere-{one.namespace}/tinymodules").body["items"] == []
    )


def test_further_pages_expire_with_the_history(space: "Space") -> None:
    for name in "abc":
        space.create(name)
    page = space.listed(limit=1).body
    space.create("ab")
    space.server.compact()
    answer = space.listed(limit=1, continue_=page["metadata"]["continue"])
    assert (answer.code, answer.body["reason"]) == (410, "Expired")
    assert answer.body["message"].startswith("The provided continue parameter is too old")
    rest = space.listed(continue_=answer.body["metadata"]["continue"])
    assert (rest.code, names(rest.body)) == (200, ["ab", "b", "c"])
