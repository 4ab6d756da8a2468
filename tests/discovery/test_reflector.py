"""The reflector against the lab's API server, broken in every way and worse: after each fault its target equals what the server has."""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.discovery.conftest import NAMESPACE, Between, Operator, kubeconfig, leave, open_stream, refuse, send, until
from tests.ports import listening
from tinypool_nb.core import reflecting
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
        self.due: list[str] = []
        """What lists were due for."""
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

    def well(self, version: str, *, by_list: bool, due_for: str = "") -> None:
        self.wells += 1
        self.due += [due_for] if due_for else []
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


def cut(request: Any) -> bool:
    """A connection that breaks instead of an answer."""
    request.connection.shutdown(socket.SHUT_RDWR)
    return True


@pytest.fixture
def server(operator: Operator) -> Iterator[Between]:
    between = Between(operator.api.port)
    yield between
    between.close()


@pytest.fixture
def config(server: Between, operator: Operator, tmp_path: Path) -> Path:
    return kubeconfig(tmp_path / "config", server.url, token=operator.token)


@pytest.fixture
def rig(config: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**options: Any) -> Rig:
        made.append(Rig(config, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def equal(operator: Operator, target: Copy) -> bool:
    return target.there == {ModuleKey(*key): version for key, version in operator.versions().items()}


def test_it_lists_page_by_page_and_watches_from_there(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    for number in range(7):
        operator.put(f"module-{number}", "a:1")
    target = rig(page=3).target
    until(lambda: target.wells >= 2)
    assert equal(operator, target)
    assert [path.partition("?")[2].count("continue=") for _, path in server.requests] == [0, 1, 1, 0]
    operator.put("module-7", "a:1")
    operator.put("module-0", "b:1")
    operator.delete("module-1")
    until(lambda: equal(operator, target))
    assert target.changes[7:] == [("seen", "module-7"), ("seen", "module-7"), ("seen", "module-0"), ("gone", "module-1")]
    assert (server.lists(), server.watches(), target.troubles) == (3, 1, [])


def test_each_watch_asks_for_bookmarks_and_for_an_end(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    watch = server.requests[-1][1]
    assert "allowWatchBookmarks=True" in watch or "allowWatchBookmarks=true" in watch
    assert 300 <= int(watch.partition("timeoutSeconds=")[2].partition("&")[0]) <= 600
    assert f"resourceVersion={operator.api.revision}" in watch


def test_after_a_dropped_watch_it_goes_on_from_the_same_version(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    version = operator.put("a", "a:1")
    until(lambda: target.version == version)
    operator.api.drop_watches(ending="reset")
    operator.put("b", "a:1")
    until(lambda: equal(operator, target))
    assert target.came() == [Came.CUT]
    assert server.lists() == 1
    assert f"resourceVersion={version}" in server.requests[-1][1]


def test_a_bookmark_moves_the_version_on(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    version = operator.put("elsewhere", "a:1", namespace="other")
    until(lambda: target.version == version)
    operator.api.compact()
    operator.api.drop_watches(ending="reset")  # from where it began, it would now be told 410
    until(lambda: target.wells >= 3)
    assert (server.lists(), target.came()) == (1, [Came.CUT])


def test_gone_within_a_watch_is_a_relist_that_carries_out_missed_deletions(
    server: Between, operator: Operator, rig: Callable[..., Rig]
) -> None:
    operator.put("stays", "a:1")
    operator.put("goes", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    operator.api.silence()  # so that the watch hears of none of this
    operator.delete("goes")
    operator.put("comes", "a:1")
    operator.api.compact()
    operator.api.heal()
    until(lambda: equal(operator, target))
    assert target.came() == [Came.GONE]
    assert target.changes[2:] == [("seen", "comes"), ("gone", "goes")]
    assert server.lists() == 2


def test_gone_as_a_status_is_a_relist(server: Between, rig: Callable[..., Rig]) -> None:
    server.answers = [leave, refuse(410, "Expired", "too old resource version")]
    target = rig().target
    until(lambda: target.is_well and target.wells >= 3)
    assert (target.came(), server.lists()) == ([Came.GONE], 2)


def test_a_list_that_expires_between_two_pages_begins_anew_in_one_piece(
    server: Between, operator: Operator, rig: Callable[..., Rig]
) -> None:
    for number in range(4):
        operator.put(f"module-{number}", "a:1")
    server.answers = [leave, refuse(410, "Expired", "the continue token is too old")]
    target = rig(page=2).target
    until(lambda: target.wells >= 2)
    assert equal(operator, target)
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
        (cut, Came.CUT, 1),
    ],
    ids=["503", "429", "504", "403", "400", "cut"],
)
def test_a_watch_that_is_not_let_in(
    server: Between, operator: Operator, rig: Callable[..., Rig], *, answer: Any, came: Came, lists: int
) -> None:
    server.answers = [leave, answer]
    target = rig().target
    until(lambda: target.is_well and server.watches() >= 2)
    assert (target.came(), server.lists()) == ([came], lists)
    operator.put("a", "a:1")
    until(lambda: equal(operator, target))


@pytest.mark.parametrize(
    ("status", "came"),
    [
        *((status, Came.REFUSED) for status in (401, 403, 404)),
        *((status, Came.BUSY) for status in (410, 429, 500, 503, 504)),  # to a list no version is gone: it asked for none
    ],
)
def test_a_list_that_is_not_let_in_is_told_and_tried_again(
    server: Between, operator: Operator, rig: Callable[..., Rig], status: int, came: Came
) -> None:
    operator.put("a", "a:1")
    server.answers = [refuse(status, "Whatever", f"no, says {status}")] * 3
    target = rig().target
    until(lambda: target.is_well)
    assert [(trouble.status, trouble.reason) for trouble in target.troubles] == [(status, f"no, says {status}")] * 3
    assert target.came() == [came] * 3
    assert equal(operator, target)


def test_a_gateway_that_gives_up_between_two_pages_is_asked_again_as_it_was(
    server: Between, operator: Operator, rig: Callable[..., Rig]
) -> None:
    for number in range(4):
        operator.put(f"module-{number}", "a:1")
    server.answers = [leave, refuse(504, "Timeout", "gateway timeout")]
    target = rig(page=2).target
    until(lambda: target.wells >= 2)
    assert equal(operator, target)
    assert (target.came(), server.lists()) == ([Came.BUSY], 4)


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
def test_what_is_not_understood_in_a_watch_is_a_relist(server: Between, operator: Operator, rig: Callable[..., Rig], line: bytes) -> None:
    operator.put("a", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    server.say(line)
    until(lambda: target.is_well and server.lists() >= 2)
    assert target.came() == [Came.WRONG]
    until(lambda: equal(operator, target))


def test_an_endless_line_is_given_up(server: Between, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources_room, "LONGEST_LINE", 200_000)
    target = rig().target
    until(lambda: target.wells >= 2)
    server.say(b"x" * 300_000)
    until(lambda: target.is_well and server.lists() >= 2)
    assert target.troubles[0].reason == "a watch had a line of more than 200,000 bytes"


def test_events_cut_in_pieces_anywhere_are_put_together(server: Between, rig: Callable[..., Rig]) -> None:
    target = rig().target
    until(lambda: target.wells >= 2)
    told = {"metadata": {"namespace": NAMESPACE, "name": "é", "uid": "1", "resourceVersion": "7"}}
    made = json.dumps({"type": "ADDED", "object": told}).encode() + b"\n"
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
def test_a_list_that_is_none_is_tried_again(server: Between, rig: Callable[..., Rig], body: bytes) -> None:
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


def test_a_list_that_trickles_is_given_up_in_time(server: Between, rig: Callable[..., Rig]) -> None:
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


def test_a_silent_watch_is_a_relist(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    """As after the server's storage was restored from a backup: it has yet to reach the version, and says nothing until then."""

    def mute(request: Any) -> bool:
        open_stream(request)
        return not request.connection.recv(1)

    operator.put("a", "a:1")
    server.answers = [leave, mute]
    target = rig().target
    until(lambda: target.wells >= 2)
    operator.delete("a")
    until(lambda: equal(operator, target))
    assert target.came() == [Came.SILENT]
    assert target.changes[-1] == ("gone", "a")


def test_a_watch_that_ends_at_once_without_a_word_backs_off(server: Between, rig: Callable[..., Rig]) -> None:
    def answer(request: Any) -> bool:
        open_stream(request)
        send(request, b"")
        return True

    server.answers = [leave, answer, leave, answer]
    target = rig().target
    until(lambda: server.watches() >= 3)
    assert (server.lists(), target.troubles) == (3, [])


def test_a_server_that_is_killed_and_comes_back_changed(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    operator.put("stays", "a:1")
    operator.put("goes", "a:1")
    target = rig().target
    until(lambda: target.wells >= 2)
    operator.api.kill()
    until(lambda: len(target.troubles) > 3)
    operator.api.restart()
    operator.delete("goes")
    operator.put("comes", "b:1")
    operator.api.compact()
    until(lambda: equal(operator, target))
    assert set(target.came()) <= {Came.CUT, Came.GONE}
    assert {trouble.reason.partition(":")[0] for trouble in target.troubles} <= {
        "the connection broke off",
        "Connection reset by peer",
        "too old resource version",
    }


def test_a_server_that_was_away_is_listed_though_it_lets_watch_on(
    server: Between, rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(reflecting, "RECHECK", 1.0)
    server.answers = [leave, cut, cut]
    target = rig().target
    until(lambda: target.due)
    assert (target.due, target.came(), server.lists()) == (["the API server was away"], [Came.CUT] * 2, 2)


def test_an_error_of_the_handlers_stops_nothing(
    server: Between, operator: Operator, rig: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    operator.put("bad", "a:1")
    operator.put("good", "a:1")
    made = rig()
    made.target.fails_on = "bad"
    operator.put("bad", "b:1")
    operator.put("better", "a:1")
    until(lambda: {key.name for key in made.target.there} >= {"good", "better"})
    assert made.target.troubles == []


def test_only_what_is_selected_is_seen(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    operator.put("web", "a:1", labels={"tier": "web"})
    operator.put("db", "a:1", labels={"tier": "db"})
    target = rig(selector="tier=web").target
    until(lambda: target.wells >= 2)
    assert [key.name for key in target.there] == ["web"]


def test_all_namespaces(server: Between, operator: Operator, rig: Callable[..., Rig]) -> None:
    operator.put("http", "a:1")
    operator.put("http", "a:1", namespace="other")
    target = rig(namespace=None).target
    until(lambda: target.wells >= 2)
    operator.put("api", "a:1", namespace="third")
    until(lambda: equal(operator, target) and len(target.there) == 3)


@pytest.mark.parametrize("when", ["watching", "waiting", "listing", "unaccepted", "handshake"])
def test_it_ends_quickly_whatever_it_is_doing(server: Between, operator: Operator, config: Path, when: str) -> None:
    began = threading.Event()

    def mute(request: Any) -> bool:
        began.set()
        return not request.connection.recv(1)

    if when == "listing":
        server.answers = [mute]
    if when == "waiting":
        operator.api.kill()
    with ExitStack() as stack:
        listener = stack.enter_context(unheard(config, "https" if when == "handshake" else "http"))
        if when == "unaccepted":
            fill(listener, stack)
        if when in {"watching", "waiting", "listing"}:
            kubeconfig(config, server.url, token=operator.token)
        rig = Rig(config)
        match when:
            case "watching":
                until(lambda: rig.target.wells >= 2)
            case "waiting":
                until(lambda: rig.target.troubles)
            case "listing":
                assert began.wait(5)
            case "handshake":
                accepted = stack.enter_context(listener.accept()[0])
                assert accepted.recv(1), "it says hello"
            case _:
                until(lambda: rig.line._socket)
        assert rig.stop() < 0.5


@contextmanager
def unheard(config: Path, scheme: str) -> Iterator[socket.socket]:
    """A server that answers nobody, and a kubeconfig that leads there."""
    with listening() as listener:
        listener.listen(0)
        listener.settimeout(5)
        kubeconfig(config, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        yield listener


def fill(listener: socket.socket, stack: ExitStack) -> None:
    """Let its backlog be full, so that nobody else is connected."""
    while True:
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(0.1)
        try:
            waiting.connect(listener.getsockname())
        except TimeoutError:
            return


def test_a_connection_that_nobody_takes_is_given_up_in_time(config: Path) -> None:
    with ExitStack() as stack:
        fill(stack.enter_context(unheard(config, "http")), stack)
        resources = Resources(find_cluster(config), NAMESPACE, "", Lifeline(), timeouts=Timeouts(0.2, 0.5, 1.0))
        with pytest.raises(Trouble, match=r"timed out. \(connect timeout=0.2\)"):
            resources.page(500)
        resources.close()


def test_a_host_is_tried_at_each_of_its_addresses(server: Between, operator: Operator, config: Path) -> None:
    """`localhost` may be ::1 first, where nobody listens."""
    kubeconfig(config, server.url.replace("127.0.0.1", "localhost"), token=operator.token)
    resources = Resources(find_cluster(config), NAMESPACE, "", Lifeline())
    assert resources.page(500)["items"] == []
    resources.close()


@pytest.mark.parametrize(
    ("host", "why"),
    [("does-not-exist.invalid", "not known|resolution|No address"), ("x" * 70, "label|not known|too long"), ("[::1]", "refused|address")],
)
def test_a_host_that_leads_nowhere_is_told(config: Path, host: str, why: str) -> None:
    resources = Resources(find_cluster(kubeconfig(config, f"http://{host}:1")), NAMESPACE, "", Lifeline())
    with pytest.raises(Trouble, match=why) as caught:
        resources.page(500)
    assert caught.value.came is Came.CUT
    resources.close()


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
def test_a_server_that_is_down_for_a_minute_gets_at_most_forty_requests(tmp_path: Path, seed: int) -> None:
    config = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")  # where nobody listens
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
def test_a_server_that_refuses_for_a_minute_gets_at_most_forty_requests_on_its_side_too(server: Between, config: Path, answer: Any) -> None:
    """Neither the client nor urllib3 tries again behind the reflector's back."""
    server.answers = [answer] * 1000
    target, line = Copy(), Simulated(60.0)
    reflector = Reflector(lambda: Resources(find_cluster(config), NAMESPACE, "", line), target, line, clock=lambda: line.now)
    reflector.run()
    assert len(server.requests) == reflector.requests <= 40


@pytest.mark.parametrize("kind", ["BOOKMARK", "MODIFIED"])
def test_a_server_whose_watches_end_after_the_same_word_gets_few_requests(server: Between, config: Path, kind: str) -> None:
    """What it says again is no news, so that each watch that had nothing else is followed by a list."""

    def answer(request: Any) -> bool:
        if "watch=" not in request.path:
            return False
        version = request.path.partition("resourceVersion=")[2].partition("&")[0]
        metadata = {"namespace": NAMESPACE, "name": "a", "uid": "1", "resourceVersion": version}
        open_stream(request)
        send(request, json.dumps({"type": kind, "object": {"metadata": metadata}}).encode() + b"\n")
        send(request, b"")
        return True

    server.answers = [answer] * 1000
    target, line = Copy(), Simulated(60.0)
    Reflector(lambda: Resources(find_cluster(config), NAMESPACE, "", line), target, line, clock=lambda: line.now).run()
    assert target.troubles == []
    assert server.lists() - server.watches() in {0, 1}
    assert len(server.requests) <= 40
