import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import START, Batch, Journal
from tinypool_nb.widgets.publisher import PERIOD, Publisher
from tinypool_nb.widgets.worker import Worker


class Eye:
    """A view that notes what it is shown, and when."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.times: list[float] = []
        self._news = threading.Condition()

    def publish(self, batch: Batch) -> None:
        with self._news:
            self.texts += batch.marks.values("text")
            self.times.append(time.monotonic())
            self._news.notify_all()

    def wait(self, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.texts, 5)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def publisher(journal: Journal) -> Iterator[Publisher]:
    follower = Follower(journal)
    publisher = Publisher(journal, follower)
    yield publisher
    publisher.close()
    follower.close()


def test_a_view_sees_each_row_once_and_at_once(journal: Journal, publisher: Publisher) -> None:
    eye = Eye()
    journal.mark("before")
    publisher.add(eye)
    begun = time.monotonic()
    journal.mark("first")
    eye.wait("first")
    assert eye.times[0] - begun < PERIOD * 8  # at once, but for a busy machine
    for number in range(100):
        journal.mark(str(number))
    eye.wait("99")
    assert eye.texts == ["first", *map(str, range(100))]


def test_there_are_at_most_eight_writes_a_second(journal: Journal, publisher: Publisher) -> None:
    eye = Eye()
    publisher.add(eye, since=START)
    for number in range(300):
        journal.mark(str(number))
        time.sleep(0.002)  # events that come all along
    eye.wait("299")
    gaps = [later - earlier for earlier, later in zip(eye.times, eye.times[1:], strict=False)]
    assert all(gap > PERIOD * 0.9 for gap in gaps)
    assert len(eye.times) >= 3


def test_nothing_is_published_when_nothing_happens(journal: Journal, publisher: Publisher) -> None:
    eye, done = Eye(), threading.Event()
    publisher.add(eye)
    publisher.post(done.set)
    assert done.wait(5)
    assert eye.times == []


def test_a_view_that_raises_is_dropped_and_the_others_go_on(journal: Journal, publisher: Publisher) -> None:
    class Blind:
        def publish(self, _: Batch) -> None:
            raise ValueError("<script>")

    eye = Eye()
    publisher.add(Blind())
    publisher.add(eye)
    journal.mark("one")
    eye.wait("view Blind was dropped: ValueError: '<script>'")
    journal.mark("two")
    eye.wait("two")
    assert sum("dropped" in text for text in eye.texts) == 1


def test_writes_are_carried_out_in_their_order_and_one_that_fails_costs_no_other(publisher: Publisher) -> None:
    done: list[int] = []
    over = threading.Event()

    def fail() -> None:
        raise ValueError

    publisher.post(lambda: done.append(1))
    publisher.post(fail)
    publisher.post(lambda: done.append(2))
    publisher.post(over.set)
    assert over.wait(5)
    assert done == [1, 2]


def test_closing_shows_what_is_new_once_more_and_takes_no_more(journal: Journal) -> None:
    follower = Follower(journal)
    publisher, eye = Publisher(journal, follower), Eye()
    publisher.add(eye)
    journal.mark("last")
    publisher.close()
    publisher.close()
    assert eye.texts == ["last"]
    publisher.post(lambda: pytest.fail("written after the end"))
    with pytest.raises(RuntimeError, match="closed"):
        publisher.add(eye)
    follower.close()


def test_a_forgotten_publisher_ends_its_thread(journal: Journal) -> None:
    follower = Follower(journal)
    publisher = Publisher(journal, follower)
    publisher.add(Eye())
    alive = weakref.ref(publisher)
    follower.close()  # which holds it, as long as it hears of the journal
    del publisher, follower
    gc.collect()
    assert alive() is None  # and the fixture of all tests finds no thread left


def test_the_worker_does_one_thing_after_the_other_whatever_fails() -> None:
    worker, done = Worker(), []

    def fail() -> None:
        raise ValueError

    worker.do(lambda: done.append(1))
    worker.do(fail)
    worker.do(lambda: done.append(2))
    worker.close()
    worker.do(lambda: done.append(3))
    worker.close()
    assert done == [1, 2]
