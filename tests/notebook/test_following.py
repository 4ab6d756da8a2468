"""A module of one's own, followed: the prediction against what gRPC then does, and the stepper's verbs, which keep no pool alive."""

import gc
import time
import weakref
from collections.abc import Iterator

import pytest

import tinypool_nb as tp
from tinypool_nb.core.forecast import Doing
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.notebook.stepping import step_verbs

HTTP = "http-module-v1"
MS = 1_000_000


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.3, maximum=0.6, min_connect_timeout=0.5))) as pool:
        pool.register(HTTP, "127.0.0.1:1")  # where nobody listens
        yield pool


def test_each_attempt_comes_when_it_was_foretold(pool: tp.Pool) -> None:
    following = pool.follow(HTTP)
    assert following.now().doing is Doing.ASLEEP
    pool.health_check()
    pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=5)
    for number in (1, 2, 3):
        said = following.now()
        assert (said.attempt, said.doing) == (number, Doing.WAITING)
        assert said.next is not None
        _await_attempt(pool, number + 1)
        start = list(pool.journal.since().attempts.values("start"))[number]
        assert said.next.earliest - 100 * MS <= start <= said.next.latest + 500 * MS


def _await_attempt(pool: tp.Pool, number: int) -> None:
    """Failed attempts ring no bell, so the record is completed until the attempt is in it."""
    deadline = time.monotonic() + 10
    while len(pool.journal.since().attempts) < number:
        assert time.monotonic() < deadline, "no further attempt came"
        time.sleep(0.01)
        pool.catch_up()


def test_it_reads_as_a_sentence_and_escapes_what_is_foreign() -> None:
    with tp.Pool() as pool:
        pool.register("<b>", "127.0.0.1:1")
        following = pool.follow("<b>")
        assert str(following) == "<b> is idle until somebody asks (IDLE)"
        assert "&lt;b&gt; is idle" in following._repr_mimebundle_()["text/html"]
        with pool.hold("<b>"):
            assert "held: nothing happens until you ask" in str(following)
        with pytest.raises(tp.UnknownModuleError):
            pool.follow("other")


def test_a_new_channel_begins_a_new_ladder(pool: tp.Pool) -> None:
    following = pool.follow(HTTP)
    pool.health_check()
    _await_attempt(pool, 2)
    following.now()
    assert len(following.attempts) >= 2
    pool.register(HTTP, "127.0.0.1:2")
    assert following.now().doing is Doing.ASLEEP
    assert following.attempts == ()


def test_the_widget_s_verbs_keep_no_pool_alive() -> None:
    pool = tp.Pool()
    pool.register(HTTP, "127.0.0.1:1")
    verbs, alive = step_verbs(pool), weakref.ref(pool)
    key = ModuleKey(None, HTTP)
    lesson, followed = verbs.open_lesson("first look"), verbs.follow(key)
    assert verbs.modules() == (key,)
    assert followed.now().doing is Doing.ASLEEP
    assert verbs.backoff_of(key) == tp.Backoff()
    held = verbs.hold(key)
    del pool
    gc.collect()
    assert alive() is None
    assert verbs.modules() == ()
    held.release()
    with pytest.raises(tp.PoolClosedError):
        held.attempt()
    verbs.catch_up()
    with pytest.raises(tp.PoolClosedError):
        verbs.hold(key)
    with pytest.raises(tp.PoolClosedError):
        verbs.open_lesson("freeze")
    lesson.close()
