"""The form between a fake browser and fake verbs: what it says, how often, and that it leaves nothing behind."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.registration import Registration
from tinypool_nb.core.states import State
from tinypool_nb.errors import OptionsError, PoolClosedError, TinypoolError, UnknownModuleError
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.widgets.connection_rows import options_text
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.register import RegisterForm
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker

__all__ = ["fake_browser"]

HTTP = ModuleKey(None, "http-module-v1")
ROUND_ROBIN = PoolOptions(load_balancing="round_robin")


@dataclass
class Bench:
    """A form with all that it needs, and a pool that only notes what is asked of it."""

    fake_browser: FakeBrowser
    journal: Journal = field(default_factory=Journal)
    done: list[object] = field(default_factory=list)
    modules: dict[ModuleKey, PoolOptions] = field(default_factory=dict)
    refuses: TinypoolError | None = None
    numbers: int = 0

    def __post_init__(self) -> None:
        self.follower = Follower(self.journal)
        self.publisher = Publisher(self.journal, self.follower)
        self.worker = Worker()
        self.verbs = Verbs(
            register=self.do,
            unregister=lambda key: self.do(("unregister", key)),
            reconnect=lambda key: self.do(("reconnect", key)),
            health_check=lambda: self.do("health_check"),
            modules=lambda: frozenset(self.modules),
            catch_up=lambda: None,
            options_of=lambda key: self.modules.get(key, PoolOptions()),
            is_gone=lambda: False,
            options=PoolOptions(),
        )
        self.form = RegisterForm(self.journal, self.publisher, self.worker, self.verbs)

    def do(self, what: object) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.done.append(what)

    def is_in(self, state: State, key: ModuleKey = HTTP, options: PoolOptions | None = None, *, reason: str = "") -> None:
        self.modules.setdefault(key, options or PoolOptions())
        self.numbers += 1
        channel = ChannelIdentity(1, key, "127.0.0.1:50051", 1)
        self.journal.append(Transition(self.journal.clock.now(), channel, None, state, reason, Evidence.SEEN))

    def say(self, kind: str, **more: object) -> None:
        self.fake_browser.say(self.form, {"v": 1, "kind": kind, "view": "a", **more})

    def settle(self) -> None:
        """Wait until all that was said is done, and all that follows from it is written."""
        for queue in (self.worker.do, self.publisher.post):
            over = threading.Event()
            queue(over.set)
            assert over.wait(5)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        self.settle()
        return self.fake_browser.heard(self.form, kind)

    def close(self) -> None:
        self.form.close()
        self.worker.close()
        self.publisher.close()
        self.follower.close()


@pytest.fixture
def bench(fake_browser: FakeBrowser) -> Iterator[Bench]:
    made = Bench(fake_browser)
    yield made
    made.close()


def wait_for(is_so: Callable[[], bool]) -> None:
    over = threading.Event()
    for _ in range(500):
        if is_so():
            return
        over.wait(0.01)
    pytest.fail("it did not come")


def test_nothing_is_sent_before_a_browser_says_hello_and_then_all_of_it(bench: Bench) -> None:
    bench.is_in(State.IDLE)
    bench.is_in(State.READY, ModuleKey("tinysystems", "db"), ROUND_ROBIN)
    assert bench.heard("rows") == []
    bench.say("hello")
    (message,) = bench.heard("rows")
    assert message["all"]
    assert [(row["shown"], row["literal"], row["state"], row["address"]) for row in message["rows"]] == [
        ("http-module-v1", '"http-module-v1"', "IDLE", "127.0.0.1:50051"),
        ("tinysystems/db", '"tinysystems/db"', "READY", "127.0.0.1:50051"),
    ]
    assert [row["options"] for row in message["rows"]] == ["as the pool's", options_text(ROUND_ROBIN)]
    assert message["texts"]["keepalive_time"] == "10"


def test_only_rows_that_changed_are_sent_one_message_for_all_of_them(bench: Bench) -> None:
    for number in range(20):
        bench.is_in(State.IDLE, ModuleKey(None, f"m{number}"))
    bench.say("hello")
    assert len(bench.heard("rows")) == 1
    bench.is_in(State.TRANSIENT_FAILURE, ModuleKey(None, "m3"), reason="refused\n<script>")
    wait_for(lambda: len(bench.heard("rows")) == 2)
    message = bench.heard("rows")[-1]
    assert not message["all"]
    assert [(row["shown"], row["state"], row["error"]) for row in message["rows"]] == [("m3", "TRANSIENT_FAILURE", "refused <script>")]
    del bench.modules[ModuleKey(None, "m3")]
    bench.journal.mark("unregister")
    wait_for(lambda: len(bench.heard("rows")) == 3)
    assert bench.heard("rows")[-1]["gone"] == ['"m3"']
    bench.journal.mark("a note changes no row")
    bench.settle()
    bench.settle()
    assert len(bench.heard("rows")) == 3


def test_what_is_typed_is_answered_with_errors_or_the_line(bench: Bench) -> None:
    bench.say("check", serial=1, typed={"name": "a", "address": "127.0.0.1"})
    (answer,) = bench.heard("checked")
    assert answer["serial"] == 1
    assert answer["view"] == "a"
    assert list(answer["errors"]) == ["address"]
    assert answer["line"] == ""
    bench.say("check", serial=2, typed={"name": "a", "address": "127.0.0.1:1"})
    assert bench.heard("checked")[-1]["line"] == 'pool.register("a", "127.0.0.1:1")'
    assert bench.done == []


def test_while_the_worker_is_busy_only_the_newest_text_is_checked(bench: Bench) -> None:
    gate = threading.Event()
    bench.worker.do(gate.wait)
    for serial in range(10):
        bench.say("check", serial=serial, typed={})
    gate.set()
    assert [answer["serial"] for answer in bench.heard("checked")] == [9]


def test_clicks_act_in_the_worker_and_are_answered_with_the_line(bench: Bench) -> None:
    bench.say("register", serial=1, typed={"name": "http-module-v1", "address": "127.0.0.1:50051", "load_balancing": "round_robin"})
    bench.say("reconnect", key=[None, "http-module-v1"])
    bench.say("unregister", key=["tinysystems", "db"])
    bench.say("health_check")
    answers = bench.heard("done")
    assert bench.done == [
        Registration("http-module-v1", "127.0.0.1:50051", None, ROUND_ROBIN),
        ("reconnect", HTTP),
        ("unregister", ModuleKey("tinysystems", "db")),
        "health_check",
    ]
    assert all(answer["ok"] for answer in answers)
    assert [answer["line"] for answer in answers] == [
        'pool.register("http-module-v1", "127.0.0.1:50051", options=tp.PoolOptions(load_balancing="round_robin"))',
        'pool.reconnect("http-module-v1")',
        'pool.unregister("tinysystems/db")',
        "pool.health_check()",
    ]


def test_what_the_pool_refuses_is_told_where_it_belongs(bench: Bench) -> None:
    good = {"name": "a", "address": "b:1"}
    bench.refuses = OptionsError("Tls.roots", "ca.pem", "a file that can be read: no such file")
    bench.say("register", serial=1, typed=good)
    (answer,) = bench.heard("checked")
    assert answer["errors"] == {"tls_roots": "a file that can be read: no such file"}
    assert answer["submitted"]
    bench.refuses = PoolClosedError("register")
    bench.say("register", serial=2, typed=good)
    bench.say("reconnect", key=[None, "a"])
    assert [(answer["ok"], "the pool is closed" in answer["text"]) for answer in bench.heard("done")] == [(False, True)] * 2


@pytest.mark.parametrize(
    "content",
    [
        None,
        "hello",
        [],
        {},
        {"v": 2, "kind": "hello"},
        {"v": 1, "kind": "shutdown"},
        {"v": 1, "kind": "reconnect", "key": "a"},
        {"v": 1, "kind": "unregister", "key": [1, 2]},
        {"v": 1, "kind": "register", "typed": 7},
        {"v": 1, "kind": "check", "view": []},
    ],
)
def test_a_message_that_nobody_would_send_does_nothing(bench: Bench, content: Any) -> None:
    bench.fake_browser.say(bench.form, content)
    bench.settle()
    assert bench.done == []
    bench.say("health_check")
    bench.settle()
    assert bench.done == ["health_check"]  # and the worker goes on


def test_each_button_is_a_method_too(bench: Bench) -> None:
    bench.modules[HTTP] = PoolOptions()
    bench.form.register("a", "b:1", options=ROUND_ROBIN)
    bench.form.reconnect("http-module-v1")
    bench.form.unregister(HTTP)
    bench.form.health_check()
    assert bench.done == [Registration("a", "b:1", None, ROUND_ROBIN), ("reconnect", HTTP), ("unregister", HTTP), "health_check"]
    with pytest.raises(UnknownModuleError, match="did you mean 'http-module-v1'"):
        bench.form.reconnect("http-module-v2")


def test_a_closed_form_is_quiet(bench: Bench) -> None:
    bench.say("hello")
    bench.settle()
    bench.form.close()
    bench.form.close()
    sent = len(bench.fake_browser.sent)
    bench.is_in(State.READY)
    bench.settle()
    assert len(bench.fake_browser.sent) == sent
