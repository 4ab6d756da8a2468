"""Servers that are killed, restarted, frozen and thawed keep what they stored. The same for every API server."""

from typing import TYPE_CHECKING

import pytest
import urllib3

if TYPE_CHECKING:
    from tests.contract.http.conftest import Space


def test_what_was_answered_outlives_a_kill(space: "Space") -> None:
    space.create("gone")
    space.delete("gone")
    space.create("a", labels={"tier": "web"}, spec={"image": "x"})
    told = space.set_status("a")
    space.server.kill9()
    with pytest.raises(urllib3.exceptions.HTTPError):
        space.get("a")
    space.server.restart()
    assert space.get("a").body == told
    assert space.names() == ["a"]
    changed = space.patch("a", {"spec": {"image": "y"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(told["metadata"]["resourceVersion"])
    assert changed["metadata"]["generation"] == told["metadata"]["generation"] + 1


@pytest.mark.parametrize("verb", ["kill9", "stop", "restart"])
def test_after_a_restart_a_watch_tells_what_was_missed_or_that_it_cannot(space: "Space", verb: str) -> None:
    start = space.version()
    missed = space.create("missed")
    getattr(space.server, verb)()
    space.server.restart()
    with space.watch(resourceVersion=start) as watch:
        kind, body = watch.next()
    assert (kind, body) == ("ADDED", missed) or (kind, body["code"]) == ("ERROR", 410)
    with space.watch(resourceVersion=space.version()) as watch:
        space.create("later")
        assert watch.names(1) == [("ADDED", "later")]


def test_a_frozen_server_says_nothing_and_a_thawed_one_goes_on(space: "Space") -> None:
    with space.watch(resourceVersion=space.version()) as watch:
        space.server.freeze()
        try:
            with pytest.raises(urllib3.exceptions.HTTPError), space.watch(patience=0.5):
                pass
        finally:
            space.server.thaw()
        space.create("a")
        assert watch.names(1) == [("ADDED", "a")]
