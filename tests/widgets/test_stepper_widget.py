"""The stepper against a browser that is none: what it sends, what it does when it is told something, what it leaves behind."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm
from ipywidgets.widgets import widget

from tinypool_nb.core.backoff import Window
from tinypool_nb.core.events import Attempt, ChannelIdentity, Outcome
from tinypool_nb.core.forecast import Doing, Forecast
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.phases import AttemptReport, Phase, PhaseName
from tinypool_nb.core.states import State
from tinypool_nb.core.stepping import Act, Acted, Next, Play, Progress, Reset, Script, Step, advance
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views.wording import one_line
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.step_verbs import StepVerbs
from tinypool_nb.widgets.stepper import StepperWidget
from tinypool_nb.widgets.worker import Worker

HOSTILE = "<script>alert(1)</script>"
KEY = ModuleKey(None, HOSTILE)
CHANNEL = ChannelIdentity(1, KEY, "127.0.0.1:50051", 1)
SCRIPTS = tuple(
    Script(name=name, title=name.title(), about="", options=PoolOptions(), steps=(Step("One", Act.START, "", (), ""),) * 2)
    for name in ("first", "second")
)


class FakeComm(BaseComm):
    """A comm whose messages are kept instead of sent."""

    sent: list[Any] = []  # noqa: RUF012  one list for all comms of a test
    closed: list[str] = []  # noqa: RUF012

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        if msg_type == "comm_close":
            FakeComm.closed.append(self.comm_id)
        elif msg_type == "comm_msg":
            FakeComm.sent.append(data)


class FakeDrive:
    """A lesson whose steps are done at once."""

    def __init__(self, script: Script) -> None:
        self.progress = Progress(script)
        self.is_closed = False
        self._listeners: list[Callable[[], object]] = []

    def next(self, *, wait: bool = True) -> object:
        assert not wait
        self._happen(Next(1), Acted(2, HOSTILE))
        return self

    def play(self, *, wait: bool = True) -> object:
        assert not wait
        self._happen(Play(1), *(Acted(2) for _ in self.progress.script.steps))
        return self

    def reset(self) -> object:
        self._happen(Reset())
        return self

    def close(self) -> None:
        self.is_closed = True

    def listen(self, listener: Callable[[], object]) -> None:
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        self._listeners.remove(listener)

    def _happen(self, *happenings: Any) -> None:
        for happening in happenings:
            self.progress, _ = advance(self.progress, happening)
        for listener in self._listeners:
            listener()


class FakeModule:
    """A module that can be followed and held."""

    def __init__(self) -> None:
        self.forecast = Forecast(Doing.WAITING, State.TRANSIENT_FAILURE, 0, 2, "peer", Window(5, 9), HOSTILE)
        self.attempts: tuple[Attempt, ...] = ()
        self.released = 0
        self.problem = ""
        self.go_on = threading.Event()

    def now(self, *, catch_up: bool = True) -> Forecast:
        assert not catch_up  # the publisher waits for nobody
        return self.forecast

    def attempt(self) -> AttemptReport:
        assert self.go_on.wait(5)
        if self.problem:
            raise TinypoolError(self.problem)
        phases = (Phase(PhaseName.FAILED, 0, 0, "peer", HOSTILE),)
        return AttemptReport(CHANNEL, 1, 0, 1, Outcome.FAILED, HOSTILE, phases, Window(5, 9))

    def release(self) -> None:
        self.released += 1


class Scene:
    """A stepper with everything around it."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.follower = Follower(self.journal)
        self.publisher, self.worker = Publisher(self.journal, self.follower), Worker()
        self.drives: list[FakeDrive] = []
        self.module = FakeModule()
        self.modules = [KEY]
        self.looks = 0
        verbs = StepVerbs(
            scripts=SCRIPTS,
            open_lesson=self._open,
            modules=lambda: self.modules,
            follow=lambda _: self.module,
            hold=lambda _: self.module,
            backoff_of=lambda _: Backoff(),
            catch_up=self._look,
        )
        self.stepper = StepperWidget(self.journal, self.publisher, self.worker, verbs)

    def _open(self, name: str) -> FakeDrive:
        self.drives.append(FakeDrive(next(script for script in SCRIPTS if script.name == name)))
        return self.drives[-1]

    def _look(self) -> None:
        self.looks += 1

    def say(self, kind: str, value: object = None) -> None:
        """A browser says something, and all that follows from it is done."""
        content = {"v": 1, "kind": kind, "value": value}
        self.stepper.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        self.settle()

    def settle(self) -> None:
        for _ in range(2):
            for post in (self.worker.do, self.publisher.post):
                done = threading.Event()
                post(done.set)
                assert done.wait(5)

    def close(self) -> None:
        self.stepper.close()
        self.worker.close()
        self.publisher.close()
        self.follower.close()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(comm, "create_comm", FakeComm)
    FakeComm.sent.clear()
    FakeComm.closed.clear()
    before = set(widget._instances)
    scene = Scene()
    yield scene
    scene.module.go_on.set()
    scene.close()
    assert set(widget._instances) == before


def states(scene: Scene) -> list[str]:
    return [step["state"] for step in scene.stepper.progress["steps"]]


def test_nothing_is_done_before_somebody_asks(scene: Scene) -> None:
    scene.say("hello")
    assert (scene.drives, states(scene)) == ([], ["to come", "to come"])
    assert scene.stepper.script["lessons"] == [["first", "First"], ["second", "Second"]]


def test_next_play_and_reset_drive_the_lesson(scene: Scene) -> None:
    scene.say("next")
    assert states(scene) == ["as expected", "to come"]
    assert scene.stepper.progress["steps"][0]["note"] == HOSTILE  # as text: the browser never reads it as markup
    scene.say("play")
    assert states(scene) == ["as expected", "as expected"]
    scene.say("reset")
    assert states(scene) == ["to come", "to come"]
    assert len(scene.drives) == 1
    assert repr(scene.stepper) == "<StepperWidget: first, 0 of 2 steps done>"


def test_another_lesson_ends_the_one_before(scene: Scene) -> None:
    scene.say("next")
    scene.say("lesson", "second")
    assert scene.drives[0].is_closed
    assert (scene.stepper.script["name"], states(scene)) == ("second", ["to come", "to come"])
    scene.say("lesson", "third")
    assert scene.stepper.error == "that was not understood: KeyError"


def test_a_module_is_followed_and_what_is_new_is_sent_once(scene: Scene) -> None:
    scene.say("view", "own")
    own = scene.stepper.own
    assert (own["chosen"], own["mode"], own["doing"], own["reason"]) == (HOSTILE, "follow", "waiting", HOSTILE)
    sent = len(FakeComm.sent)
    scene.journal.mark("something else")
    scene.settle()
    assert len(FakeComm.sent) == sent
    scene.module.forecast = Forecast(Doing.CONNECTED, State.READY, 7, 0, "", None, "")
    scene.journal.mark("it is READY")
    scene.settle()
    assert scene.stepper.own["state"] == "READY"
    assert scene.stepper.modules == [[str(KEY), one_line(KEY)]]
    assert len(FakeComm.sent) == sent + 1
    scene.say("look")
    assert scene.looks == 1


def test_an_attempt_holds_up_nobody_else_s_click(scene: Scene) -> None:
    scene.say("view", "own")
    scene.say("hold", HOSTILE)
    scene.say("attempt")
    assert (scene.stepper.own["mode"], scene.stepper.own["attempting"]) == ("hold", True)
    scene.say("attempt")  # one at a time
    scene.say("look")
    assert scene.looks == 1
    scene.module.go_on.set()
    wait_for(scene, lambda: scene.stepper.own["report"] is not None)
    assert scene.stepper.own["report"]["phases"][0]["reason"] == HOSTILE
    assert scene.stepper.own["attempting"] is False
    scene.say("follow", HOSTILE)
    assert (scene.stepper.own["mode"], scene.module.released) == ("follow", 1)


def test_what_goes_wrong_is_said(scene: Scene) -> None:
    scene.say("hold", "gone")
    assert scene.stepper.error == "no module 'gone' is registered any more"
    scene.say("hello")
    assert scene.stepper.error == ""
    scene.say("hold", HOSTILE)
    scene.module.problem = "the pool is closed"
    scene.module.go_on.set()
    scene.say("attempt")
    wait_for(scene, lambda: scene.stepper.error == "the pool is closed")


@pytest.mark.parametrize("content", [None, "next", {"kind": "next"}, {"v": 2, "kind": "next"}, {"v": 1, "kind": "close"}, {"v": 1}])
def test_what_no_button_says_is_passed_over(scene: Scene, content: object) -> None:
    scene.stepper.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    scene.settle()
    assert (scene.drives, scene.stepper.error) == ([], "")


def test_where_there_is_no_browser_a_table_stands_in_its_place(scene: Scene) -> None:
    data, _ = (
        scene.stepper._repr_mimebundle_()
        if isinstance(scene.stepper._repr_mimebundle_(), tuple)
        else (scene.stepper._repr_mimebundle_(), None)
    )
    assert "application/vnd.jupyter.widget-view+json" in data
    assert 'data-state="to come"' in data["text/html"]
    assert data["text/plain"].startswith("First (0 of 2 steps done)")


def test_closed_it_leaves_nothing_behind(scene: Scene) -> None:
    scene.say("next")
    scene.say("view", "own")
    scene.say("hold", HOSTILE)
    number = scene.stepper.model_id
    scene.stepper.close()
    scene.stepper.close()
    assert number in FakeComm.closed
    assert scene.drives[0].is_closed
    assert scene.module.released == 1
    sent = len(FakeComm.sent)
    scene.journal.mark("more")
    scene.settle()
    assert len(FakeComm.sent) == sent


def wait_for(scene: Scene, is_so: Callable[[], bool]) -> None:
    """An attempt ends in a thread of its own, which tells the publisher; each round of it takes 0.125 s."""
    for _ in range(40):
        scene.settle()
        if is_so():
            return
    pytest.fail("it did not come")
