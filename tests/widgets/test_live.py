"""The live timeline's side in the kernel: what it sends, when, how much, and that closing leaves nothing."""

import gc
import json
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from tinypool_nb.core.events import ChannelIdentity, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.errors import OptionsError
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.widgets.live import LiveTimeline
from tinypool_nb.widgets.packing import RECORD
from tinypool_nb.widgets.publisher import Publisher

if TYPE_CHECKING:
    from tests.widgets.conftest import FakeComm

HTTP = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)


class Scene:
    """A journal, its publisher and one timeline with a fake comm."""

    def __init__(self, comms: "list[FakeComm]") -> None:
        self.journal = Journal()
        self.follower = Follower(self.journal)
        self.publisher = Publisher(self.journal, self.follower)
        self.change(State.IDLE)
        self.timeline = LiveTimeline(self.journal, self.publisher)
        self.comm = comms[-1]

    def change(self, state: State, previous: State | None = None) -> None:
        reason = "refused" if state is State.TRANSIENT_FAILURE else ""
        self.journal.append(Transition(self.journal.clock.now(), HTTP, previous, state, reason, Evidence.SEEN))

    def settle(self) -> None:
        """Wait until all that was appended is published: whatever the publisher was about to do comes before what is posted now."""
        for _ in range(2):
            done = threading.Event()
            self.follower.deliver()
            self.publisher.post(done.set)
            assert done.wait(5)

    def close(self) -> None:
        self.timeline.close()
        self.publisher.close()
        self.follower.close()


@pytest.fixture
def scene(comms: "list[FakeComm]") -> Iterator[Scene]:
    scene = Scene(comms)
    yield scene
    scene.close()


def states(records: bytes) -> list[int]:
    return [int(state) for state in np.frombuffer(records, RECORD)["state"]]


def test_a_hello_is_answered_by_a_snapshot_and_then_only_what_is_new_is_sent(scene: Scene) -> None:
    scene.comm.hear({"type": "hello"})
    scene.change(State.CONNECTING, State.IDLE)
    scene.settle()
    scene.change(State.READY, State.CONNECTING)
    scene.settle()
    heads, records = zip(*scene.comm.customs, strict=True)
    assert heads[0]["type"] == "snapshot"
    assert {head["type"] for head in heads[1:]} == {"delta"}
    assert [state for each in records for state in states(each)] == [0, 1, 2]  # each once, wherever the hello came between them


def test_a_second_view_gets_a_snapshot_of_its_own(scene: Scene) -> None:
    scene.comm.hear({"type": "hello"})
    scene.settle()
    scene.comm.hear({"type": "hello"})
    scene.settle()
    assert [head["type"] for head, _ in scene.comm.customs] == ["snapshot", "snapshot"]
    scene.change(State.CONNECTING, State.IDLE)
    scene.settle()
    head, records = scene.comm.customs[-1]
    assert (head["type"], states(records), "channels" in head) == ("delta", [1], False)


def test_nothing_is_sent_when_nothing_happens(scene: Scene) -> None:
    scene.comm.hear({"type": "hello"})
    scene.settle()
    before = len(scene.comm.sent)
    scene.journal.append(Transition(1, HTTP._replace(number=0), None, State.SHUTDOWN, "", Evidence.SEEN))  # of a retired channel
    scene.settle()
    assert len(scene.comm.sent) == before


def test_before_the_first_hello_the_widgets_own_state_is_up_to_date(scene: Scene) -> None:
    scene.change(State.TRANSIENT_FAILURE, State.IDLE)
    scene.settle()
    assert scene.comm.customs == []
    assert states(scene.timeline._start["records"]) == [0, 3]
    assert scene.timeline._start["head"]["type"] == "snapshot"


def test_the_budget_of_a_message(scene: Scene) -> None:
    scene.comm.hear({"type": "hello"})
    scene.settle()
    for _ in range(50):
        scene.change(State.CONNECTING, State.IDLE)
        scene.change(State.IDLE, State.CONNECTING)
    scene.settle()
    deltas = scene.comm.customs[1:]
    records = sum(len(each) for _, each in deltas)
    assert records == 100 * RECORD.itemsize <= 100 * 32
    assert sum(len(json.dumps(head)) for head, _ in deltas) <= 80 * len(deltas)


def test_texts_that_are_no_longer_shown_are_forgotten(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinypool_nb.widgets.live.MOST_TEXTS", 10)
    scene.comm.hear({"type": "hello"})
    scene.settle()
    for number in range(100):
        scene.journal.append(Transition(scene.journal.clock.now(), HTTP, None, State.TRANSIENT_FAILURE, f"reason {number}", Evidence.SEEN))
        scene.journal.append(Transition(scene.journal.clock.now(), HTTP, None, State.CONNECTING, "", Evidence.SEEN))
    scene.settle()
    assert scene.comm.customs[-1][0]["type"] == "snapshot"
    assert len(scene.comm.customs[-1][0]["reasons"]) == 100


def test_the_end_of_the_record_is_told_and_nothing_after_it(scene: Scene) -> None:
    scene.comm.hear({"type": "hello"})
    scene.change(State.SHUTDOWN, State.IDLE)
    scene.publisher.close()
    heads = [head for head, _ in scene.comm.customs]
    assert heads[-1]["type"] == "end"
    assert states(scene.timeline._start["records"])[-1] == 4
    scene.comm.hear({"type": "hello"})  # a page that is loaded again
    head, records = scene.comm.customs[-1]
    assert (head["type"], head["closed"], states(records)[-1]) == ("snapshot", True, 4)
    assert "ended" in repr(scene.timeline)


def test_of_a_closed_pool_the_last_state_is_shown(scene: Scene, comms: "list[FakeComm]") -> None:
    scene.publisher.close()
    late = LiveTimeline(scene.journal, scene.publisher)
    assert late._start["head"]["closed"]
    comms[-1].hear({"type": "hello"})
    assert comms[-1].customs[-1][0]["closed"]
    late.close()


def test_closing_leaves_no_comm_no_callback_and_nothing_alive(comms: "list[FakeComm]") -> None:
    scene = Scene(comms)
    scene.comm.hear({"type": "hello"})
    scene.settle()
    alive = weakref.ref(scene.timeline)
    scene.timeline.close()
    scene.timeline.close()
    sent = len(scene.comm.sent)
    assert scene.comm.sent[-1][0] == "comm_close"
    scene.change(State.CONNECTING, State.IDLE)
    scene.settle()
    assert len(scene.comm.sent) == sent
    assert not scene.publisher._positions
    assert not scene.publisher._at_end
    assert not _instances
    comms.clear()  # these hold whom they call
    del scene.timeline, scene.comm
    gc.collect()
    assert alive() is None
    scene.publisher.close()
    scene.follower.close()


def test_every_display_has_a_picture_and_a_text(scene: Scene) -> None:
    scene.journal.append(Mark(scene.journal.clock.now(), MarkKind.NOTE, '"><script>alert(1)</script>', None))
    bundle = scene.timeline._repr_mimebundle_()
    assert bundle is not None
    data, _ = bundle
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == scene.timeline.model_id
    assert 'src="data:image/svg+xml;base64,' in data["text/html"]
    assert 'alt="A timeline of the gRPC connections of 1 module' in data["text/html"]
    assert "<script>" not in data["text/html"]
    assert "http-module-v1" in data["text/plain"]


@pytest.mark.parametrize("options", [{"window": 0}, {"window": "60"}, {"history": 10}, {"history": 1e5}])
def test_options_that_cannot_be_used(scene: Scene, options: dict[str, object]) -> None:
    with pytest.raises(OptionsError, match=next(iter(options))):
        LiveTimeline(scene.journal, scene.publisher, **options)  # type: ignore[arg-type]
