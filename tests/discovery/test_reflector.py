"""The reflector against a real HTTP server that is broken in every way: after each fault its target equals what the server has."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.discovery.conftest import NAMESPACE, ApiServer, kubeconfig, leave, open_stream, refuse, send, until
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.reflecting import Came
from tinypool_nb.core.tinymodules import named
from tinypool_nb.discovery import resources as resources_room
from tinypool_nb.discovery.kubeconfig import find_cluster
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.reflector import Reflector
from tinypool_nb.discovery.resources import Resources, Timeouts, Trouble

TIMEOUTS = Timeouts(connect=2.0, answer=2.0, silence=0.6)


class Copy:
    """A target that writes down what it is told."""

    def __init__(self) -> None:
        self.there: dict[ModuleKey, str] = {}
        """The resource version of each."""
        self.changes: list[tuple[str, str]] = []
        self.troubles: list[Trouble] = []
        self.version = ""
        self.wells = 0
        self.is_well = False
        self.has_ended = False
        self.fails_on = ""

    def seen(self, resource: Any) -> None:
        key, version = named(resource), resource["metadata"]["resourceVersion"]
        if key.name == self.fails_on:
            raise RuntimeError("a handler's error")
        if self.there.get(key) != version:
            self.changes.append(("seen", key.name))
        self.there[key] = version

    def gone(self, resource: Any) -> None:
        self.changes.append(("gone", named(resource).name))
        self.there.pop(named(resource), None)

    def complete(self, keys: set[ModuleKey]) -> None:
        for key in self.there.keys() - keys:
            self.changes.append(("gone", key.name))
            del self.there[key]

    def well(self, version: str, *, by_list: bool) -> None:
        self.wells += 1
        self.is_well = True

    def heard(self, version: str) -> None:
        self.version = version

    def troubled(self, trouble: Trouble, verb: str) -> None:
        self.is_well = False
        self.troubles.append(trouble)

    def ended(self) -> None:
        self.has_ended = True

    def came(self) -> list[Came]:
        return [trouble.came for trouble in self.troubles]


class Quick(Lifeline):
    """Waits a hundredth of the time."""

    def wait(self, seconds: float) -> bool:
        return super().wait(seconds / 100)


class Rig:
    def __init__(self, config: Path, namespace: str | None = NAMESPACE, selector: str = "", page: int = 500) -> None:
        self.target, self.line = Copy(), Quick()
        self.reflector = Reflector(
            lambda: Resources(find_cluster(config), namespace, selector, self.line, timeouts=TIMEOUTS), self.target, self.line, page=page
        )
        self.thread = threading.Thread(target=self.reflector.run)
        self.thread.start()

    def stop(self) -> float:
        began = time.monotonic()
        self.line.cut()
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert self.target.has_ended
        return time.monotonic() - began


@pytest.fixture
def rig(config: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**options: Any) -> Rig:
        made.append(Rig(config, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def equal(server: ApiServer, target: Copy) -> bool:
    return target.there == {ModuleKey(*key): each["metadata"]["resourceVersion"] for key, each in server.objects.items()}


def test_it_lists_page_by_page_and_watches_from_there(server: ApiServer, rig: Callable[..., Rig]) -> None:
    for number in range(7):
        server.put(f"module-{number}", "a:1")
    target = rig(page=3).target
    until(lambda: target.wells >= 2)
    assert equal(server, target)
    assert [path.partition("?")[2].count("continue=") for _, path in server.requests] == [0, 1, 1, 0]
    server.put("module-7", "a:1")
    server.put("module-0", "b:1")
    server.delete("module-1")
    until(lambda: equal(server, target))
    assert target.changes[7:] == [("seen", "module-7"), ("seen", "module-0"), ("gone", "module-1")]
    assert (server.lists(), server.watches(), target.troubles) == (3, 1, [])


def test_each_watch_asks_for_bookmarks_and_for_an_end(server: ApiServer, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    watch = server.requests[-1][1]
    assert "allowWatchBookmarks=True" in watch or "allowWatchBookmarks=true" in watch
    assert 300 <= int(watch.partition("timeoutSeconds=")[2].partition("&")[0]) <= 600
    assert "resourceVersion=100" in watch


def test_after_a_dropped_watch_it_goes_on_from_the_same_version(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.put("a", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    server.drop()
    server.put("b", "a:1")
    until(lambda: equal(server, target))
    assert target.came() == [Came.CUT]
    assert server.lists() == 1
    assert "resourceVersion=101" in server.requests[-1][1]


def test_a_bookmark_moves_the_version_on(server: ApiServer, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    server.put("elsewhere", "a:1", namespace="other")
    server.bookmark()
    until(lambda: target.version == "101")
    server.compact()
    server.drop()  # from where it began, it would now be told 410
    until(lambda: target.wells >= 3)
    assert (server.lists(), target.came()) == (1, [Came.CUT])


def test_gone_within_a_watch_is_a_relist_that_carries_out_missed_deletions(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.put("stays", "a:1")
    server.put("goes", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    with server.changed:
        server.delete("goes")
        server.put("comes", "a:1")
        server.compact()
    until(lambda: equal(server, target))
    assert target.came() == [Came.GONE]
    assert target.changes[2:] == [("seen", "comes"), ("gone", "goes")]
    assert server.lists() == 2


def test_gone_as_a_status_is_a_relist(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.answers = [leave, refuse(410, "Expired", "too old resource version")]
    target = rig().target
    until(lambda: target.is_well and target.wells >= 3)
    assert (target.came(), server.lists()) == ([Came.GONE], 2)


def test_a_list_that_expires_between_two_pages_begins_anew_in_one_piece(server: ApiServer, rig: Callable[..., Rig]) -> None:
    for number in range(4):
        server.put(f"module-{number}", "a:1")
    server.answers = [leave, refuse(410, "Expired", "the continue token is too old")]
    target = rig(page=2).target
    until(lambda: target.wells >= 2)
    assert equal(server, target)
    assert (target.came(), server.lists()) == ([], 3)
    assert "limit=" not in server.requests[2][1]


@pytest.mark.parametrize(
    ("answer", "came", "lists"),
    [
        (refuse(503, "ServiceUnavailable", "shutting down"), Came.BUSY, 1),
        (refuse(429, "TooManyRequests", "later"), Came.BUSY, 1),
        (refuse(504, "Timeout", "Too large resource version: 41, current: 3"), Came.GONE, 2),
        (refuse(403, "Forbidden", "may not watch"), Came.REFUSED, 2),
        (refuse(400, "BadRequest", "no"), Came.WRONG, 2),
        (lambda request: bool(request.connection.shutdown(socket.SHUT_RDWR)) or True, Came.CUT, 1),
    ],
    ids=["503", "429", "504", "403", "400", "cut"],
)
def test_a_watch_that_is_not_let_in(server: ApiServer, rig: Callable[..., Rig], answer: Any, came: Came, lists: int) -> None:
    server.answers = [leave, answer]
    target = rig().target
    until(lambda: target.is_well and server.watches() >= 2)
    assert (target.came(), server.lists()) == ([came], lists)
    server.put("a", "a:1")
    until(lambda: equal(server, target))


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_list_that_is_not_let_in_is_told_and_tried_again(server: ApiServer, rig: Callable[..., Rig], status: int) -> None:
    server.put("a", "a:1")
    server.answers = [refuse(status, "Whatever", f"no, says {status}")] * 3
    target = rig().target
    until(lambda: target.is_well)
    assert [(trouble.status, trouble.reason) for trouble in target.troubles] == [(status, f"no, says {status}")] * 3
    assert equal(server, target)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b'{"type": "ADDED"}\n',
        b'"text"\n',
        b"[]\n",
        b"\xff\xfe\n",
        b'{"type": "ADDED", "object": {"metadata": {"name": "x", "namespace": "tinysystems"}}}\n',
        b'{"type": "BOOKMARK", "object": {}}\n',
        b'{"type": "SOMETHING", "object": {}}\n',
        b'{"type": "ERROR", "object": {"code": 500, "reason": "InternalError", "message": "etcdserver: leader changed"}}\n',
        b'{"type": "ERROR", "object": {}}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_not_understood_in_a_watch_is_a_relist(server: ApiServer, rig: Callable[..., Rig], line: bytes) -> None:
    server.put("a", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    server.say(line)
    until(lambda: target.is_well and server.lists() >= 2)
    assert target.came() == [Came.WRONG]
    until(lambda: equal(server, target))


def test_an_endless_line_is_given_up(server: ApiServer, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources_room, "LONGEST_LINE", 200_000)
    target = rig().target
    until(lambda: target.wells >= 2)
    server.say(b"x" * 300_000)
    until(lambda: target.is_well and server.lists() >= 2)
    assert target.troubles[0].reason == "a watch had a line of more than 200,000 bytes"


def test_events_cut_in_pieces_anywhere_are_put_together(server: ApiServer, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    made = server._line("ADDED", {"metadata": {"namespace": NAMESPACE, "name": "é", "uid": "1", "resourceVersion": "7"}})
    for byte in made * 2:
        server.say(bytes([byte]))
    until(lambda: len(target.there) == 1)
    assert target.troubles == []


@pytest.mark.parametrize(
    "body",
    [
        b"garbage",
        b"[]",
        b"{}",
        b'{"metadata": {}}',
        b'{"metadata": {"resourceVersion": 7}, "items": 7}',
        b'{"metadata": {"resourceVersion": ""}}',
    ],
)
def test_a_list_that_is_none_is_tried_again(server: ApiServer, rig: Callable[..., Rig], body: bytes) -> None:
    def answer(request: Any) -> bool:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return True

    server.answers = [answer]
    target = rig().target
    until(lambda: target.is_well)
    assert target.came() == [Came.WRONG]


def test_a_list_that_trickles_is_given_up_in_time(server: ApiServer, rig: Callable[..., Rig]) -> None:
    def answer(request: Any) -> bool:
        open_stream(request)
        for _ in range(100):
            send(request, b" ")
            if server.changed.acquire(timeout=0.1):
                server.changed.wait(0.1)
                server.changed.release()
        return True

    server.answers = [answer]
    began = time.monotonic()
    target = rig().target
    until(lambda: target.is_well)
    assert target.came() == [Came.CUT]
    assert time.monotonic() - began < 5


def test_a_silent_watch_is_a_relist(server: ApiServer, rig: Callable[..., Rig]) -> None:
    """As after the server's storage was restored from a backup: it has yet to reach the version, and says nothing until then."""
    server.put("a", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    with server.changed:
        server.objects.clear()
        server.events.clear()
        server.version = 50
    until(lambda: equal(server, target))
    assert target.came() == [Came.SILENT]
    assert target.changes[-1] == ("gone", "a")


def test_a_watch_that_ends_at_once_without_a_word_backs_off(server: ApiServer, rig: Callable[..., Rig]) -> None:
    def answer(request: Any) -> bool:
        open_stream(request)
        send(request, b"")
        return True

    server.answers = [leave, answer, leave, answer]
    target = rig().target
    until(lambda: server.watches() >= 3)
    assert (server.lists(), target.troubles) == (3, [])


def test_a_server_that_is_killed_and_comes_back_changed(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.put("stays", "a:1")
    server.put("goes", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    server.kill()
    until(lambda: len(target.troubles) > 3)
    server.delete("goes")
    server.put("comes", "b:1")
    server.compact()
    server.start()
    until(lambda: equal(server, target))
    assert set(target.came()) <= {Came.CUT, Came.GONE}
    assert {trouble.reason for trouble in target.troubles} <= {
        "the connection broke off",
        "Connection refused",
        "Connection reset by peer",
        "too old resource version: 102",
    }


def test_an_error_of_the_handlers_stops_nothing(server: ApiServer, rig: Callable[..., Rig], caplog: pytest.LogCaptureFixture) -> None:
    server.put("bad", "a:1")
    server.put("good", "a:1")
    made = rig()
    made.target.fails_on = "bad"
    server.put("bad", "b:1")
    server.put("better", "a:1")
    until(lambda: {key.name for key in made.target.there} >= {"good", "better"})
    assert made.target.troubles == []


def test_only_what_is_selected_is_seen(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.put("web", "a:1", metadata={"labels": {"tier": "web"}})
    server.put("db", "a:1", metadata={"labels": {"tier": "db"}})
    target = rig(selector="tier=web").target
    until(lambda: target.wells >= 2)
    assert [key.name for key in target.there] == ["web"]


def test_all_namespaces(server: ApiServer, rig: Callable[..., Rig]) -> None:
    server.put("http", "a:1")
    server.put("http", "a:1", namespace="other")
    target = rig(namespace=None).target
    until(lambda: target.wells >= 2)
    server.put("api", "a:1", namespace="third")
    until(lambda: equal(server, target) and len(target.there) == 3)


@pytest.mark.parametrize("when", ["watching", "waiting", "listing", "unheard"])
def test_it_ends_quickly_whatever_it_is_doing(server: ApiServer, config: Path, when: str) -> None:
    began = threading.Event()

    def mute(request: Any) -> bool:
        began.set()
        return not request.connection.recv(1)

    if when == "listing":
        server.answers = [mute]
    if when == "waiting":
        server.kill()
    with socket.socket() as backlog:  # where nobody accepts
        if when == "unheard":
            backlog.bind(("127.0.0.1", 0))
            backlog.listen(0)
            kubeconfig(config, f"http://127.0.0.1:{backlog.getsockname()[1]}")
        rig = Rig(config)
        match when:
            case "watching":
                until(lambda: rig.target.wells >= 2)
            case "waiting":
                until(lambda: rig.target.troubles)
            case "listing":
                assert began.wait(5)
            case _:
                until(lambda: rig.reflector.requests)
        assert rig.stop() < 1.0


class Simulated(Lifeline):
    """Waits by moving the clock of the test on."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self.now = 0.0
        self.end = end

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        if self.now >= self.end:
            self.cut()
        return super().wait(0.0)


@pytest.mark.parametrize("seed", range(10))
def test_a_server_that_is_down_for_a_minute_gets_at_most_forty_requests(server: ApiServer, config: Path, seed: int) -> None:
    server.kill()
    target, line = Copy(), Simulated(60.0)
    reflector = Reflector(
        lambda: Resources(find_cluster(config), NAMESPACE, "", line),
        target,
        line,
        clock=lambda: line.now,
        chance=random.Random(seed).random,
    )
    reflector.run()
    assert 8 <= reflector.requests <= 40
    assert set(target.came()) == {Came.CUT}


@pytest.mark.parametrize(
    "answer", [refuse(503, "ServiceUnavailable", "later"), refuse(401, "Unauthorized", "Unauthorized")], ids=["503", "401"]
)
def test_a_server_that_refuses_for_a_minute_gets_at_most_forty_requests_on_its_side_too(
    server: ApiServer, config: Path, answer: Any
) -> None:
    """Neither the client nor urllib3 tries again behind the reflector's back."""
    server.answers = [answer] * 1000
    target, line = Copy(), Simulated(60.0)
    reflector = Reflector(lambda: Resources(find_cluster(config), NAMESPACE, "", line), target, line, clock=lambda: line.now)
    reflector.run()
    assert len(server.requests) == reflector.requests <= 40
