"""The plotly timeline that follows: what it draws, how much, and that it waits until it was drawn."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tinypool_nb as tp
from tinypool_nb.core.events import ChannelIdentity, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import STATES, State
from tinypool_nb.errors import OptionsError
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.widgets import streaming
from tinypool_nb.widgets.publisher import Publisher
from tinypool_nb.widgets.streaming import MOST_BARS, StreamingTimeline
from tinypool_nb.widgets.window import Window

if TYPE_CHECKING:
    from tests.widgets.conftest import FakeComm

SECOND = 1_000_000_000


def channel(number: int) -> ChannelIdentity:
    return ChannelIdentity(number + 1, ModuleKey(None, f"<b>module-{number}</b>"), "10.0.0.1:1", 1)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def publisher(journal: Journal, comms: "list[FakeComm]") -> Iterator[Publisher]:
    follower = Follower(journal)
    publisher = Publisher(journal, follower)
    yield publisher
    publisher.close()
    follower.close()


def change(journal: Journal, number: int, state: State | None, ago: float, reason: str = "") -> None:
    time_ = journal.clock.now() - round(ago * SECOND)
    journal.append(Transition(time_, channel(number), None, state, reason, Evidence.SEEN))


def bars(figure: StreamingTimeline) -> dict[str, list[tuple[int, float]]]:
    """Lane and length of the bars of each state."""
    return {
        trace.name: list(zip(np.asarray(trace.y).tolist(), np.asarray(trace.x).tolist(), strict=True))
        for trace in figure.data
        if trace.type == "bar" and trace.x is not None and len(trace.x)
    }


def settle(publisher: Publisher) -> None:
    publisher._follower.deliver()
    for _ in range(2):
        done = threading.Event()
        publisher.post(done.set)
        assert done.wait(5)


def test_it_draws_the_window_and_follows(journal: Journal, publisher: Publisher) -> None:
    change(journal, 0, State.IDLE, 500)  # long ago, and left
    change(journal, 0, State.READY, 100)  # before the window, and still in it
    change(journal, 1, State.CONNECTING, 20)
    change(journal, 1, State.SHUTDOWN, 10)  # after which there is nothing
    figure = StreamingTimeline(journal, publisher)
    drawn = bars(figure)
    assert set(drawn) == {"READY", "CONNECTING"}
    ((lane, length),) = drawn["CONNECTING"]
    assert lane == 1
    assert length == pytest.approx(10, abs=0.01)
    ((_, length),) = drawn["READY"]
    assert length > 60  # it reaches beyond the right edge
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;module-0&lt;/b&gt;", "&lt;b&gt;module-1&lt;/b&gt;")
    end = figure.layout.xaxis.range[1]
    figure._is_under_way = False
    change(journal, 0, State.TRANSIENT_FAILURE, 0, "<i>refused</i>")
    journal.append(Mark(journal.clock.now(), MarkKind.NOTE, "deployed <i>v2</i>", None))
    settle(publisher)
    assert "TRANSIENT_FAILURE" in bars(figure)
    assert figure.layout.xaxis.range[1] > end
    hover = next(trace for trace in figure.data if trace.name == "TRANSIENT_FAILURE").hovertext[0]
    assert "&lt;i&gt;refused&lt;/i&gt;" in hover
    assert "deployed &lt;i&gt;v2&lt;/i&gt;" in figure.data[-1].hovertext[0]
    figure.close()


def test_an_update_is_skipped_while_the_last_one_is_under_way(
    journal: Journal, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "TICK", 100)
    change(journal, 0, State.READY, 1)
    figure = StreamingTimeline(journal, publisher)
    before = figure.updates
    change(journal, 0, State.IDLE, 0)
    settle(publisher)
    assert (figure.updates, figure.skipped) == (before, 1)
    figure._is_under_way = False  # the browser says that it has drawn
    publisher.post(figure.advance)
    settle(publisher)
    assert figure.updates == before + 1
    assert "IDLE" in bars(figure)  # nothing was lost
    figure._applied_at = time.monotonic() - streaming.PATIENCE  # the kernel does not hear, since a cell is running
    publisher.post(figure.advance)
    settle(publisher)
    assert figure.updates == before + 2
    figure.close()


def test_there_are_never_more_bars_than_can_be_drawn(journal: Journal, publisher: Publisher) -> None:
    rng = np.random.default_rng(0)
    for ago in np.sort(rng.uniform(0, 60, 300))[::-1].tolist():
        for number in range(100):
            change(journal, number, STATES[rng.integers(4)], ago)
    figure = StreamingTimeline(journal, publisher)
    assert 300 < sum(map(len, bars(figure).values())) <= MOST_BARS
    figure.close()


def test_the_end_shows_the_last_state(journal: Journal, publisher: Publisher) -> None:
    change(journal, 0, State.READY, 5)
    figure = StreamingTimeline(journal, publisher)
    change(journal, 0, State.TRANSIENT_FAILURE, 0)
    publisher.close()
    assert "TRANSIENT_FAILURE" in bars(figure)
    updates = figure.updates
    figure.advance()
    assert figure.updates == updates
    assert set(figure._repr_mimebundle_()) >= {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    figure.close()


def test_a_window_forgets_what_is_older(journal: Journal) -> None:
    change(journal, 0, State.READY, 0)
    window = Window(journal, span=1.0)
    for _ in range(1000):
        change(journal, 0, State.IDLE, 0)
        change(journal, 0, State.READY, 0)
    assert window.add(journal.since(window.position))
    later = journal.clock.now() - window.epoch * SECOND + 5 * SECOND
    assert len(window.draw(now=later, pixels=10, most=10).segments.lane) == 1
    assert len(window._records) == 1


def test_only_a_pool_can_be_live(comms: "list[FakeComm]") -> None:
    with pytest.raises(OptionsError, match=r"only a tp\.Pool"):
        tp.Record(Journal()).timeline(live=True)
    with tp.Pool() as pool:
        pool.register("http-module-v1", "127.0.0.1:1")
        with pytest.raises(OptionsError, match="modules"):
            pool.timeline("http-module-v1", live=True)
        figure = pool.timeline(live=True)
        assert bars(figure)["IDLE"]
        assert pool.publisher is pool.publisher
    figure.close()
    late = pool.timeline(live=True)  # its last state
    assert late.updates == 1
    late.close()
