"""Promises that were found broken by trying them out: each test failed once."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import tinypool_nb as tp
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.lab import FlappingServer

HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
FLAPPING = tp.PoolOptions(load_balancing="round_robin", backoff=tp.Backoff(initial=0.1, maximum=0.1))


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab() as lab:
        lab.start(HTTP)
        yield lab


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_pool_without_modules_displays_itself(is_closed: bool) -> None:
    with tp.Pool() as pool, tp.Pool() as other:
        other.register(HTTP, NOBODY)
        if is_closed:
            pool.register(HTTP, NOBODY)
            pool.close()
        assert list(pool.connections()) == list(other.connections())
        assert list(map(str, pool.connections().dtypes)) == list(map(str, other.connections().dtypes))
        assert "no modules" in str(pool)
        assert "no modules" in pool._repr_mimebundle_()["text/html"]


def test_a_live_table_of_a_closed_pool_shows_its_last_picture() -> None:
    pool = tp.Pool()
    pool.close()
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        with capture_output() as captured:
            pool.connections(live=True)._ipython_display_()
        assert "no modules" in captured.outputs[-1].data["text/plain"]
    finally:
        InteractiveShell.clear_instance()


def test_since_a_mark_nothing_that_came_right_after_it_is_left_out(lab: tp.Lab) -> None:
    with tp.Pool() as pool:
        pool.register(HTTP, lab[HTTP].address)
        for generation in range(2, 22):
            mark = pool.mark("now")
            pool.reconnect(HTTP)
            new = pool.transitions(since=mark)
            assert "IDLE" in list(new[new.generation == generation].state)


@pytest.mark.parametrize("form", ["localhost:{}", "dns:///localhost:{}", "dns:///127.0.0.1:{}", "ipv4:127.0.0.1:{}"])
def test_the_lab_s_actions_are_marks_however_the_address_was_written(lab: tp.Lab, form: str) -> None:
    with tp.Pool() as pool:
        pool.register(HTTP, form.format(lab[HTTP].port))
        lab[HTTP].freeze()
        lab[HTTP].thaw()
        assert list(pool.marks().text)[1:] == ["lab: freeze", "lab: thaw"]


def test_what_is_done_to_one_replica_is_a_mark_of_its_module(lab: tp.Lab) -> None:
    module = lab.start("common-module-v1", replicas=2)
    with tp.Pool() as pool:
        pool.register("common-module-v1", module.address)
        module.replicas[1].kill()
        assert list(pool.marks().text)[1:] == ["lab: kill"]


def test_a_fork_in_the_midst_of_a_sweep_may_still_ask_for_frames() -> None:
    with tp.Pool() as pool:
        pool.register(HTTP, NOBODY)
        pool.catch_up()
        with pool._observer._lock:  # as while the observer sweeps
            child = os.fork()
            if child == 0:  # pragma: no cover - another process
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the handler is pytest's
                signal.setitimer(signal.ITIMER_REAL, 3)
                try:
                    os._exit(0 if len(pool.transitions()) == 1 else 2)
                except tp.ForkedPoolError:
                    os._exit(0)
                finally:
                    os._exit(3)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("verb", ["close", "unregister"])
def test_who_begins_to_wait_just_when_the_module_goes_is_told(verb: str) -> None:
    with ClientPool() as pool:
        pool.register(HTTP, NOBODY)
        question = pool._waiting.ask("wait", HTTP, "READY")
        closed = threading.Event()
        pool._observer.add_watcher(lambda row: closed.set() if row.state is tp.State.SHUTDOWN else None)
        if verb == "close":
            pool.close()
        else:
            pool.unregister(HTTP)
        assert closed.wait(5)
        began = time.monotonic()
        with pytest.raises(tp.PoolClosedError if verb == "close" else tp.UnknownModuleError):
            pool._waiting.settle(question, timeout=5)
        assert time.monotonic() - began < 1, "nothing will come any more, and with timeout=None nobody would ever wake"


def test_a_gap_of_attempts_begins_before_it_ends() -> None:
    with FlappingServer(hold=0.0) as server, tp.Pool(FLAPPING) as pool:
        pool.register(HTTP, server.address)
        with pool._observer._lock:
            pool.health_check()
            server.wait(established=450, timeout=30)
        server.calm()
        attempts = pool.attempts()
        gaps = attempts[attempts.evidence == "gap"]
        assert len(gaps) >= 1
        assert (gaps.start <= gaps.end).all()


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), True, "1", None])
def test_a_stream_s_period_that_cannot_be_is_refused(every: float) -> None:
    async def first() -> None:
        async for _ in pool.stream(every=every):
            break

    with tp.Pool() as pool:
        pool.register(HTTP, NOBODY)
        with pytest.raises(tp.OptionsError, match="every="):
            asyncio.run(asyncio.wait_for(first(), 1))


def test_a_closed_pool_says_so_to_who_asks_for_a_channel() -> None:
    pool = tp.Pool()
    pool.register(HTTP, NOBODY)
    pool.close()
    assert pool.get(HTTP) is None
    with pytest.raises(tp.PoolClosedError):
        pool[HTTP]


def test_a_theme_that_is_none_is_refused_with_the_rule() -> None:
    with tp.Pool() as pool:
        pool.register(HTTP, NOBODY)
        for draw in (pool.timeline, lambda theme: pool.backoff_plot(HTTP, theme=theme)):
            with pytest.raises(tp.OptionsError, match="one of light, dark"):
                draw(theme="blue")  # type: ignore[arg-type]


def test_one_module_may_be_chosen_by_its_name_alone() -> None:
    with tp.Pool() as pool:
        pool.register(HTTP, NOBODY)
        pool.register("other", NOBODY)
        assert list(pool.timeline(HTTP).layout.yaxis.ticktext) == [HTTP]
