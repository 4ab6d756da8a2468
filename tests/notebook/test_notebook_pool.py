"""The notebook's pool: frames complete to the moment, marks of what people do, streams, displays, recordings."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import tinypool_nb as tp
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"
HOSTILE = ["<script>alert(1)<\\script>", "a\"b'c", "módulo 🚀", "\u202eevil", "%{x} <b>bold", "x" * 253]


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def module(lab: tp.Lab) -> object:
    return lab.start(HTTP)


@pytest.fixture
def pool(lab: tp.Lab, module: object) -> Iterator[tp.Pool]:
    with tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.2, maximum=0.5))) as pool:
        pool.register(HTTP, lab[HTTP].address)
        yield pool


def call(pool: tp.Pool) -> None:
    ModuleServiceStub(pool[HTTP]).Message(MessageRequest(), timeout=5)


def test_a_frame_is_complete_up_to_the_moment_it_is_asked_for(pool: tp.Pool) -> None:
    call(pool)  # returned, hence READY, whether a sweep has come by or not
    assert list(pool.transitions().state) == ["IDLE", "CONNECTING", "READY"]
    assert list(pool.connections().state) == ["READY"]
    assert list(pool.attempts().outcome) == ["ready"]


def test_since_a_mark_there_is_only_what_is_new(pool: tp.Pool) -> None:
    call(pool)
    mark = pool.mark("deployed v2", HTTP)
    assert pool.transitions(since=mark).empty
    pool.reconnect(HTTP)
    pool.wait(HTTP, "READY", timeout=5)
    new = pool.transitions(since=mark)
    assert set(new.generation) <= {1, 2}
    assert list(new[new.generation == 2].state) == ["IDLE", "CONNECTING", "READY"]
    assert (pool.marks().text == "deployed v2").sum() == 1


def test_since_a_mark_there_is_all_that_is_done_after_it() -> None:
    with tp.Pool() as pool:
        for number in range(20):
            mark = pool.mark("registering")
            pool.register(f"module-{number}", "127.0.0.1:1")
            assert list(pool.transitions(since=mark).module) == [f"module-{number}"]


def test_what_is_done_in_the_lab_is_a_mark_of_the_module(pool: tp.Pool, lab: tp.Lab) -> None:
    call(pool)
    lab[HTTP].freeze()
    lab[HTTP].thaw()
    assert list(pool.marks().text)[-2:] == ["lab: freeze", "lab: thaw"]
    with tp.Pool() as other:
        other.register("other", "127.0.0.1:1")
        lab[HTTP].freeze()
        lab[HTTP].thaw()
        assert list(other.marks().text) == ["register 127.0.0.1:1"]


def test_a_module_that_drains_is_no_connection_any_more(pool: tp.Pool) -> None:
    call(pool)
    under_way = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 0.3}'), timeout=5)
    pool.unregister(HTTP)
    assert pool.connections().empty
    assert under_way.result().Data


def test_stream_gives_only_what_is_new_and_ends_with_the_pool(pool: tp.Pool) -> None:
    frames: list[pd.DataFrame] = []

    async def listen(called: asyncio.Event) -> None:
        async for frame in pool.stream(every=0.02):
            frames.append(frame)
            if len(frames) == 1:
                pool.reconnect(HTTP)
            if "READY" in list(frame.state):
                await called.wait()  # else closing would cancel the call
                pool.close()

    async def scene() -> None:
        called = asyncio.Event()
        listening = asyncio.create_task(listen(called))
        await asyncio.sleep(0)  # it has begun to listen
        await asyncio.to_thread(call, pool)
        called.set()
        await asyncio.wait_for(listening, 20)

    asyncio.run(scene())
    streamed = pd.concat(frames, ignore_index=True)
    whole = pool.transitions()
    pd.testing.assert_frame_equal(streamed, whole.tail(len(streamed)).reset_index(drop=True), check_categorical=False, check_dtype=False)
    assert list(streamed.state)[-1] == "SHUTDOWN"


def test_stream_ends_with_the_last_shutdown_when_calls_drain(pool: tp.Pool) -> None:
    async def scene() -> list[str]:
        states: list[str] = []

        async def listen() -> None:
            async for frame in pool.stream(every=0.02):
                states.extend(frame.state)

        listening = asyncio.create_task(listen())
        await pool.until(HTTP, "READY", timeout=5)
        under_way = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 1}'), timeout=5)
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(asyncio.to_thread(pool.close, 5))
        await asyncio.sleep(0.3)
        assert not under_way.done()  # and this loop goes on while it drains
        await asyncio.gather(closing, listening)
        assert under_way.result().Data
        return states

    assert asyncio.run(scene())[-1] == "SHUTDOWN"


def test_it_displays_as_a_table_and_as_text(pool: tp.Pool) -> None:
    call(pool)
    shown = pool._repr_mimebundle_()
    assert HTTP in shown["text/html"]
    assert 'data-state="READY"' in shown["text/html"]
    assert HTTP in shown["text/plain"]
    assert str(pool) == shown["text/plain"]
    assert repr(pool).startswith(f"<Pool 1 module: {HTTP}: READY")


def test_a_live_table_redraws_itself_in_place(pool: tp.Pool) -> None:
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))  # else it starts a thread for its history
    table = pool.connections(live=True)
    with capture_output() as captured:
        table._ipython_display_()
        call(pool)
        pool.wait(HTTP, "READY", timeout=5)
        table.stop()
    assert 'data-state="READY"' in captured.outputs[-1].data["text/html"]
    assert HTTP in repr(table)
    InteractiveShell.clear_instance()


def test_a_live_table_of_a_closed_pool_shows_its_last_picture(pool: tp.Pool) -> None:
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    pool.close()
    with capture_output() as captured:
        pool.connections(live=True)._ipython_display_()
    assert len(captured.outputs) == 1
    InteractiveShell.clear_instance()


def test_a_live_table_that_was_forgotten_keeps_nothing_alive(lab: tp.Lab) -> None:
    before = set(threading.enumerate())
    pool = tp.Pool()
    pool.connections(live=True)
    del pool
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_figures_and_summary(pool: tp.Pool) -> None:
    call(pool)
    assert pool.timeline().data
    assert pool.timeline([HTTP], theme="dark").data
    assert pool.backoff_plot(HTTP).layout.title.text
    assert pool.backoff_plot(HTTP).layout.title.subtitle.text.endswith(" · plaintext")
    summary = pool.summary().iloc[0]
    assert summary.attempts == 1
    assert 0 < summary.share_ready <= 1
    with pytest.raises(tp.UnknownModuleError, match=HTTP):
        pool.backoff_plot("http-module-v2")
    with pytest.raises(tp.UnknownModuleError):
        pool.timeline(["nobody"])


def test_a_recording_has_the_same_frames_and_figures(pool: tp.Pool, tmp_path: Path) -> None:
    call(pool)
    pool.register("refused", "127.0.0.1:1", namespace="tinysystems", options=tp.PoolOptions(backoff=tp.Backoff(initial=0.5)))
    pool.health_check()
    pool.wait("refused", "TRANSIENT_FAILURE", timeout=5)
    pool.mark("a note")
    pool.close()
    pool.save(tmp_path / "incident.parquet")
    record = tp.open_recording(tmp_path / "incident.parquet")
    for frame in ("transitions", "attempts", "intervals", "marks"):
        pd.testing.assert_frame_equal(getattr(record, frame)(), getattr(pool, frame)())
    pd.testing.assert_frame_equal(record.summary().drop(columns="gap_share"), pool.summary().drop(columns="gap_share"))
    assert record.backoff(tp.ModuleKey("tinysystems", "refused")).initial == 0.5
    assert record.backoff(tp.ModuleKey(None, HTTP)).initial == 0.2
    assert [trace.name for trace in record.timeline().data] == [trace.name for trace in pool.timeline().data]
    assert record.backoff_plot("refused").to_json() == pool.backoff_plot("refused").to_json()
    assert repr(record).startswith("<Record 2 modules: ")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 100, b"\x80\x04\x95pickle"])
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.parquet"
    path.write_bytes(content)
    with pytest.raises(tp.RecordingError, match="foreign"):
        tp.open_recording(path)


def test_a_truncated_recording_is_refused(pool: tp.Pool, tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    pool.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(tp.RecordingError, match="cut"):
        tp.open_recording(path)


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    with tp.Pool() as pool:
        for name in HOSTILE:
            pool.register(name, "127.0.0.1:1")
        html = pool._repr_mimebundle_()["text/html"]
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert set(pool.connections().module) == set(HOSTILE)
        assert "<script>" not in pool.timeline().to_json().replace("\\u003c", "<").replace("&lt;", "")
        pool.close()
        pool.save(tmp_path / "hostile.parquet")
        assert set(tp.open_recording(tmp_path / "hostile.parquet").summary().module) == set(HOSTILE)


def test_open_pools_are_listed_and_closed_together() -> None:
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(tp.Pool()) for _ in range(3)]
        assert [pool for pool in tp.pools() if pool in pools] == pools
        tp.close_all()
        assert tp.pools() == []
        assert all(pool.is_closed for pool in pools)


def test_names_and_options_may_be_read_while_another_thread_changes_them() -> None:
    pool, own, done = tp.Pool(), tp.PoolOptions(drain=1.0), threading.Event()
    keys = [tp.ModuleKey(namespace, HTTP) for namespace in "abcdef"]

    def change() -> None:
        while not done.is_set():
            for key in keys:
                pool._modules._naming.add(key, pool)  # type: ignore[arg-type]
                pool._modules.options[key] = own
            for key in keys:
                pool._modules._naming.remove(key)
                del pool._modules.options[key]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(5_000):
            with contextlib.suppress(tp.AmbiguousModuleError):
                pool.unregister("nobody" if HTTP in pool else HTTP[:-1])
            pool.describe()
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
        pool.close()


def test_after_close_the_record_still_speaks(pool: tp.Pool) -> None:
    call(pool)
    pool.close()
    assert list(pool.transitions().state)[-1] == "SHUTDOWN"
    assert pool.connections().empty
    assert pool.health() == {}
    assert pool.timeline().data
    with pytest.raises(tp.PoolClosedError):
        pool.register(HTTP, "127.0.0.1:1")
