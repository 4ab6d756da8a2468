"""What a pool's record promises, asked of a pool on real connections: bounds, gaps, zero-copy frames, marks on timelines."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tinypool_nb as tp
from tinypool_nb.core.events import MarkKind, Outcome, Transition
from tinypool_nb.journal.journal import START
from tinypool_nb.lab import FlappingServer
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
BACKOFF = tp.Backoff(initial=0.1, maximum=0.1)
FLAPPING = tp.PoolOptions(load_balancing="round_robin", backoff=BACKOFF)  # connects again by itself


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab() as lab:
        lab.start(HTTP)
        yield lab


@pytest.fixture
def pool(lab: tp.Lab) -> Iterator[tp.Pool]:
    with tp.Pool(tp.PoolOptions(backoff=BACKOFF)) as pool:
        pool.register(HTTP, lab[HTTP].address)
        yield pool


def call(pool: tp.Pool) -> None:
    ModuleServiceStub(pool[HTTP]).Message(MessageRequest(), timeout=5)


def test_what_people_do_stands_on_the_timeline_and_in_the_frame(pool: tp.Pool, lab: tp.Lab) -> None:
    call(pool)
    pool.mark("deployed v2")
    lab[HTTP].kill()
    lab[HTTP].restart()
    pool.reconnect(HTTP)
    pool.unregister(HTTP)
    figure = pool.timeline()
    hovers = " ".join(text for trace in figure.data if trace.name in {"marks", "notes"} for text in trace.hovertext)
    for told in (f"register {lab[HTTP].address}", "lab: kill", "lab: restart", "reconnect", "unregister", "deployed v2"):
        assert told in hovers
    assert [label.text for label in figure.layout.annotations if label.showarrow is not False] == ["deployed v2"]
    kinds = pool.marks().groupby("kind", observed=True)["text"].count()
    assert kinds.to_dict() == {str(MarkKind.NOTE): 1, str(MarkKind.ACTION): 5}


def test_the_columns_are_utc_and_categories_come_from_the_enums(pool: tp.Pool) -> None:
    call(pool)
    transitions, attempts, intervals = pool.transitions(), pool.attempts(), pool.intervals()
    since, marked = pool.connections().since, pool.marks().time
    for times in (transitions.time, attempts.start, attempts.end, intervals.start, intervals.end, since, marked):
        assert str(times.dtype) == "datetime64[ns, UTC]"
    for states in (transitions.previous, transitions.state, intervals.state, pool.summary().state, pool.connections().state):
        assert list(states.cat.categories) == list(tp.State)
    assert list(transitions.evidence.cat.categories) == list(tp.Evidence)
    assert list(attempts.outcome.cat.categories) == list(Outcome)
    assert intervals.end.isna().tolist() == [False, False, True]
    assert abs(transitions.time.iloc[-1] - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=1)


def test_a_frame_without_copying_is_the_journal_and_cannot_be_written(pool: tp.Pool) -> None:
    call(pool)
    shared, copied = pool.transitions(copy=False), pool.transitions()
    columns = pool.journal.since(START).transitions.columns
    assert np.shares_memory(shared.generation.to_numpy(), columns["generation"])
    assert np.shares_memory(shared.state.array.codes, columns["state"])
    assert not np.shares_memory(copied.generation.to_numpy(), columns["generation"])
    assert not shared.generation.to_numpy().flags.writeable
    some: Any = shared.time.array
    with pytest.raises(ValueError, match="read-only"):
        some[0] = pd.Timestamp(0, tz="UTC")
    copied.loc[:, "generation"] = 9
    pd.testing.assert_frame_equal(pool.transitions(), shared)


def test_a_bounded_history_keeps_the_newest_rows_counts_what_went_and_adds_up_all_the_same() -> None:
    names = [f"module-{index}" for index in range(20)]
    bounded = tp.PoolOptions(load_balancing="round_robin", backoff=BACKOFF, history=1_000)
    told: list[Transition] = []
    with FlappingServer(hold=0.005, flaps=20 * 30) as server, tp.Pool(bounded) as pool:
        pool._observer.add_watcher(told.append)
        for name in names:
            pool.register(name, server.address)
        pool.health_check()
        server.wait(established=20 * 31, timeout=30)
        for name in names:
            pool.wait(name, "READY", timeout=10)
        kept, summary, intervals = pool.transitions(), pool.summary(), pool.intervals()
        gone = pool.journal.transitions.table.dropped
        assert gone > 0
        assert len(kept) <= 1_000
        assert len(kept) + gone == len(told)
        assert list(kept.state) == [row.state for row in told[gone:]]
        said = [text for text in pool.marks().text if text.startswith("the oldest ")]
        assert gone / 2 < int(said[-1].split()[2]) <= gone, "told anew whenever as many have gone again"
        assert len(said) <= gone.bit_length()
        # Nothing of the totals is lost with the rows that went.
        lost = [row for row in told if row.previous is tp.State.READY]
        assert summary.disconnections.sum() == len(lost) > 300
        assert intervals.end.isna().sum() == 20


def test_time_in_a_gap_is_left_out_of_the_shares_and_stated() -> None:
    with FlappingServer(hold=0.0) as server, tp.Pool(FLAPPING) as pool:
        pool.register(HTTP, server.address)
        with pool._observer._lock:  # the observer is held up until the trace is overwritten
            pool.health_check()
            server.wait(established=450, timeout=30)
        server.calm()
        pool.wait(HTTP, "READY", timeout=10)
        transitions, one = pool.transitions(), pool.summary().iloc[0]
        (gap,) = transitions.index[transitions.evidence == "gap"]
        assert pd.isna(transitions.state[gap])
        assert pd.isna(transitions.previous[gap + 1])
        known = one.idle + one.connecting + one.ready + one.transient_failure
        assert one.gap > 0
        assert one.gap == pytest.approx((transitions.time[gap + 1] - transitions.time[gap]).total_seconds())
        assert one.gap_share == pytest.approx(one.gap / (one.gap + known))
        assert one.share_ready == pytest.approx(one.ready / known)
        unknown = next(trace for trace in pool.timeline().data if trace.name == "unknown")
        assert "overwritten" in unknown.hovertext[0]


def test_a_recording_of_a_closed_pool_has_the_same_figures_to_the_last_byte(pool: tp.Pool, tmp_path: Path) -> None:
    call(pool)
    pool.register("refused", NOBODY, namespace="tinysystems")
    pool.health_check()
    pool.wait("tinysystems/refused", "TRANSIENT_FAILURE", timeout=5)
    pool.mark("a note", HTTP)
    pool.close()
    pool.save(tmp_path / "a.parquet")
    record = tp.open_recording(tmp_path / "a.parquet")
    for frame in ("transitions", "attempts", "intervals", "marks", "summary"):
        pd.testing.assert_frame_equal(getattr(record, frame)(), getattr(pool, frame)())
    assert record.timeline().to_json() == pool.timeline().to_json()
    assert record.backoff_plot("refused").to_json() == pool.backoff_plot("refused").to_json()
    since = pool.marks().time.iloc[-2]
    pd.testing.assert_frame_equal(record.transitions(since=since), pool.transitions(since=since))


def test_a_name_of_300_characters_is_shown_whole(tmp_path: Path) -> None:
    name = "n" * 299 + "🚀"
    with tp.Pool() as pool:
        pool.register(name, NOBODY, namespace="<i>")
        assert f'title="&lt;i&gt;/{name}"' in pool._repr_mimebundle_()["text/html"]
        assert list(pool.health()) == [f"<i>/{name}"]
        hover = pool.timeline().data[0].hovertext[0].partition("</b>")[0].replace("<br>", "")
        assert hover == f"<b>&lt;i&gt;/{name}"
        pool.close()
        pool.save(tmp_path / "long.parquet")
    assert list(tp.open_recording(tmp_path / "long.parquet").transitions().module.unique()) == [name]


def test_a_pool_whose_frames_and_figures_live_on_ends_when_nobody_holds_it(lab: tp.Lab) -> None:
    before = set(threading.enumerate())
    pool = tp.Pool(health_checks=60)
    pool.register(HTTP, lab[HTTP].address)
    call(pool)
    kept = [pool.transitions(copy=False), pool.summary(), pool.timeline(), pool._repr_mimebundle_(), pool[HTTP], pool.mark("x"), str(pool)]
    with pytest.raises(tp.WaitTimeoutError):
        pool.wait(HTTP, "TRANSIENT_FAILURE", timeout=0.01)
    gc.collect()
    gc.disable()  # no cycle may keep it
    try:
        del pool
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
        assert set(threading.enumerate()) <= before
    finally:
        gc.enable()
    assert len(kept[0]) == 3
