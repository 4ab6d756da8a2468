"""Watches: what is told, from which version on, and how it ends. The same for every API server."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

if TYPE_CHECKING:
    from tests.contract.http.conftest import Space


def version(body: Any) -> int:
    return int(body["metadata"]["resourceVersion"])


def test_a_watch_tells_all_that_happens_after_its_version_in_order(space: "Space") -> None:
    space.create("before")
    with space.watch(resourceVersion=space.version()) as watch:
        assert (watch.code, watch.headers["Content-Type"], watch.headers["Transfer-Encoding"]) == (200, "application/json", "chunked")
        made = space.create("a")
        changed = space.patch("a", {"spec": {"image": "x"}})
        told = space.set_status("a")
        space.delete("a")
        assert [watch.next() for _ in range(3)] == [("ADDED", made), ("MODIFIED", changed), ("MODIFIED", told)]
        kind, gone = watch.next()
    assert kind == "DELETED"
    assert version(made) < version(changed) < version(told) < version(gone)
    assert gone == {**told, "metadata": {**told["metadata"], "resourceVersion": gone["metadata"]["resourceVersion"]}}


@pytest.mark.parametrize("from_version", [None, "0"])
def test_a_watch_without_a_version_first_tells_what_is_there(space: "Space", from_version: str | None) -> None:
    made = [space.create(name) for name in "ab"]
    space.version()
    with space.watch(resourceVersion=from_version) as watch:
        first = sorted([watch.next() for _ in made], key=lambda event: str(event[1]["metadata"]["name"]))
        assert first == [("ADDED", body) for body in made]
        space.create("c")
        assert watch.names(1) == [("ADDED", "c")]


def test_a_watch_goes_on_from_the_version_of_any_event(space: "Space") -> None:
    start = space.version()
    for name in "abc":
        space.create(name)
    with space.watch(resourceVersion=start) as watch:
        events = [watch.next()[1] for _ in range(3)]
    for nth, body in enumerate(events):
        with space.watch(resourceVersion=version(body)) as watch:
            space.create(f"after-{nth}")
            later = [("ADDED", name) for name in [*"abc"[nth + 1 :], *(f"after-{n}" for n in range(nth + 1))]]
            assert watch.names(len(later)) == later


def test_a_patch_that_changes_nothing_makes_no_event(space: "Space") -> None:
    space.create("a", labels={"tier": "web"}, spec={"image": "x"})
    told = space.set_status("a")
    with space.watch(resourceVersion=version(told)) as watch:
        assert space.set_status("a") == told
        assert space.patch("a", {"spec": {"image": "x"}, "metadata": {"labels": {"tier": "web", "none": None}}}) == told
        assert space.patch("a", {"status": {"addr": "elsewhere"}}) == told, "which is for the subresource"
        changed = space.set_status("a", addr="127.0.0.1:50052")
        assert watch.next() == ("MODIFIED", changed)


def test_what_leaves_the_selection_is_deleted_and_what_enters_it_is_added(space: "Space") -> None:
    a = space.create("a", labels={"tier": "web"})
    space.create("b", labels={"tier": "api"})
    with space.watch(resourceVersion=space.version(), labelSelector="tier=web") as watch:
        changed = space.patch("a", {"metadata": {"labels": {"tier": "api"}}})
        assert watch.next() == ("DELETED", {**a, "metadata": {**a["metadata"], "resourceVersion": changed["metadata"]["resourceVersion"]}})
        space.patch("a", {"spec": {"image": "unseen"}})
        entered = space.patch("b", {"metadata": {"labels": {"tier": "web"}}})
        assert watch.next() == ("ADDED", entered)
        space.delete("a")
        changed = space.patch("b", {"spec": {"image": "seen"}})
        assert watch.next() == ("MODIFIED", changed)
        space.delete("b")
        assert watch.names(1) == [("DELETED", "b")]


def test_one_object_can_be_watched(space: "Space") -> None:
    with space.watch(resourceVersion=space.version(), fieldSelector="metadata.name=b") as watch:
        space.create("a")
        space.create("b")
        assert watch.names(1) == [("ADDED", "b")]


def test_a_name_that_comes_again_is_another_object(space: "Space") -> None:
    first = space.create("a")
    with space.watch(resourceVersion=version(first)) as watch:
        space.delete("a")
        second = space.create("a")
        (gone, old), (came, new) = watch.next(), watch.next()
    assert (gone, came) == ("DELETED", "ADDED")
    assert old["metadata"]["uid"] == first["metadata"]["uid"] != second["metadata"]["uid"] == new["metadata"]["uid"]


def test_a_namespace_hears_of_itself_and_a_cluster_of_all(make_space: "Callable[[], Space]") -> None:
    one, other = make_space(), make_space()
    start = one.version()
    with one.watch(resourceVersion=start) as near, one.http.watch(one.everywhere, resourceVersion=start) as far:
        other.create("theirs")
        one.create("ours")
        assert near.names(1) == [("ADDED", "ours")]
        assert far.names(2) == [("ADDED", "theirs"), ("ADDED", "ours")]


def test_a_watch_ends_cleanly_after_its_timeout(space: "Space") -> None:
    began = time.monotonic()
    with space.watch(resourceVersion=space.version(), timeoutSeconds=1) as watch:
        assert list(watch) == []
    assert 0.9 < time.monotonic() - began < 5


def test_bookmarks_come_only_if_they_are_asked_for_and_shortly_before_the_end(space: "Space") -> None:
    start = space.version()
    with (
        space.watch(resourceVersion=start, timeoutSeconds=4, allowWatchBookmarks="True") as asked,
        space.watch(resourceVersion=start, timeoutSeconds=4) as plain,
    ):
        made = space.create("a")
        (first, *bookmarks), others = list(asked), list(plain)
    assert first == ("ADDED", made)
    assert bookmarks, "one before the end"
    for kind, body in bookmarks:
        assert kind == "BOOKMARK"
        assert (body["kind"], body["apiVersion"]) == ("TinyModule", "operator.tinysystems.io/v1alpha1")
        assert set(body) == {"kind", "apiVersion", "metadata"}
        assert version(body) >= version(made)
    assert others == [("ADDED", made)]


def test_a_watch_goes_on_from_a_bookmark(space: "Space") -> None:
    with space.watch(resourceVersion=space.version(), timeoutSeconds=4, allowWatchBookmarks="true") as watch:
        space.create("before")  # a server that has seen no event yet may have no bookmark to give
        kind, bookmark = list(watch)[-1]
    assert kind == "BOOKMARK"
    with space.watch(resourceVersion=version(bookmark)) as watch:
        space.create("a")
        assert watch.names(1) == [("ADDED", "a")]


def test_a_version_that_is_forgotten_is_an_error_within_a_good_answer(space: "Space") -> None:
    old = space.version()
    space.create("a")
    space.server.compact()
    with space.watch(resourceVersion=old) as watch:
        assert watch.code == 200
        ((kind, body),) = list(watch)
    assert kind == "ERROR"
    assert (body["kind"], body["status"], body["code"], body["reason"]) == ("Status", "Failure", 410, "Expired")
    assert body["message"].startswith(f"too old resource version: {old} (")


def test_a_version_of_the_future_is_silence(space: "Space") -> None:
    future = int(space.version()) + 1_000_000
    with space.watch(resourceVersion=future, timeoutSeconds=2) as watch:
        space.create("a")
        assert list(watch) == []


def test_a_version_that_is_none_is_refused(space: "Space") -> None:
    for more in ({}, {"watch": "true", "timeoutSeconds": 1}):
        answer = space.listed(resourceVersion="x", **more)
        assert (answer.code in {400, 500}, answer.body["kind"]) == (True, "Status"), answer.body


def test_a_client_that_hangs_up_harms_nobody(space: "Space") -> None:
    start = space.version()
    with space.watch(resourceVersion=start) as stays:
        for _ in range(3):
            with space.watch(resourceVersion=start):
                pass
        space.create("a")
        assert stays.names(1) == [("ADDED", "a")]


def test_a_killed_server_breaks_its_watches(space: "Space") -> None:
    with space.watch(resourceVersion=space.version()) as watch:
        space.create("a")
        assert watch.names(1) == [("ADDED", "a")]
        space.server.kill9()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            list(watch)
    space.server.restart()
