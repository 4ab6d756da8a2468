import gc
import logging
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import START, Batch, Journal

PATIENCE = 5.0
"""Seconds at most until a thread has done what it was woken for."""


class Reader:
    """A consumer that keeps what it got."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.got = threading.Condition()

    def __call__(self, batch: Batch) -> None:
        with self.got:
            self.texts += batch.marks.values("text")
            self.got.notify_all()

    def wait_for(self, *texts: str) -> bool:
        with self.got:
            return self.got.wait_for(lambda: self.texts == list(texts), PATIENCE)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def follower(journal: Journal) -> Iterator[Follower]:
    one = Follower(journal)
    yield one
    one.close()


def test_consumers_get_what_comes(journal: Journal, follower: Follower) -> None:
    first, second = Reader(), Reader()
    follower.add(first)
    journal.mark("a")
    assert first.wait_for("a")
    follower.add(second)
    journal.mark("b")
    assert first.wait_for("a", "b")
    assert second.wait_for("b")


def test_a_consumer_may_begin_in_the_past(journal: Journal, follower: Follower) -> None:
    journal.mark("before")
    reader = Reader()
    follower.add(reader, since=START)
    assert reader.wait_for("before")


def test_a_removed_consumer_gets_nothing_more(journal: Journal, follower: Follower) -> None:
    gone, stays = Reader(), Reader()
    follower.add(gone)
    follower.add(stays)
    follower.remove(gone)
    follower.remove(gone)
    journal.mark("a")
    assert stays.wait_for("a")
    assert gone.texts == []


def test_a_consumer_that_raises_is_dropped_and_the_record_goes_on(
    journal: Journal, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Batch) -> None:
        raise ValueError("<b>disk full</b>")

    reader = Reader()
    follower.add(broken)
    follower.add(reader)
    with caplog.at_level(logging.ERROR, "tinypool_nb"):
        journal.mark("a")
        with reader.got:
            assert reader.got.wait_for(lambda: len(reader.texts) == 2, PATIENCE)
    assert reader.texts[0] == "a"
    assert "broken was dropped: ValueError: '<b>disk full</b>'" in reader.texts[1]
    assert "the record goes on" in caplog.text
    assert repr(follower).endswith(": 1 consumers>")


def test_a_slow_consumer_delays_nobody_who_appends_and_gets_it_all(journal: Journal, follower: Follower) -> None:
    entered, go_on, reader = threading.Event(), threading.Event(), Reader()

    def slow(batch: Batch) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)
        reader(batch)

    follower.add(slow)
    journal.mark("0")
    assert entered.wait(PATIENCE)
    texts = [str(i) for i in range(5_000)]
    for text in texts[1:]:
        journal.mark(text)
    assert journal.position().marks == 5_000
    go_on.set()
    assert reader.wait_for(*texts)


def test_the_thread_starts_with_the_first_consumer(journal: Journal, follower: Follower) -> None:
    before = threading.active_count()
    journal.mark("a")
    assert threading.active_count() == before
    follower.add(Reader())
    follower.add(Reader())
    assert threading.active_count() == before + 1


def test_close_hands_on_what_came_before_it(journal: Journal) -> None:
    follower, reader = Follower(journal), Reader()
    follower.add(reader)
    journal.mark("last words")
    follower.close()
    assert reader.texts == ["last words"]
    follower.close()
    with pytest.raises(RuntimeError, match="closed"):
        follower.add(reader)
    assert repr(follower).endswith(": closed>")


def test_a_consumer_may_close_the_follower(journal: Journal) -> None:
    follower, closed = Follower(journal), threading.Event()

    def consumer(_: Batch) -> None:
        follower.close()
        closed.set()

    follower.add(consumer)
    journal.mark("a")
    assert closed.wait(PATIENCE)
    follower.close()


def test_the_garbage_collector_may_end_a_follower_in_the_midst_of_an_append() -> None:
    """Whatever step of an append it interrupts: with a lock in there, the thread would wait for itself."""
    journal = Journal()

    def collect(*_: object) -> None:
        if journal.changed.is_rung:
            journal.changed.wait()  # so that the append has to ring
        Follower(journal)  # which is forgotten at once, so that its finalizer runs here

    def append() -> None:
        sys.setprofile(collect)
        journal.mark("a")
        sys.setprofile(None)

    thread = threading.Thread(target=append, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert journal.position().marks == 1


def test_a_forgotten_follower_leaves_no_thread() -> None:
    journal = Journal()
    follower = Follower(journal)
    follower.add(Reader())
    thread, gone = follower._thread, weakref.ref(journal)
    assert thread is not None
    del follower, journal
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert gone() is None
