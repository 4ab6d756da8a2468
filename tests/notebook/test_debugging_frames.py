"""The page's Debugging in a notebook: complete connections, their subchannels and sockets, and what a recording still knows of them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tinypool_nb as tp
from tinypool_nb.views.schemas import SCHEMAS
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
OWN = tp.PoolOptions(load_balancing="round_robin", keepalive=tp.Keepalive(time=1.0, timeout=1.0))
LIVE_ONLY = ["resolved", "sockets", "keepalives_sent"]
"""Columns that only gRPC core can tell."""


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab() as lab:
        lab.start(HTTP)
        lab.start("replicated", replicas=2, min_ping_interval=0.5)
        yield lab


@pytest.fixture
def pool(lab: tp.Lab) -> Iterator[tp.Pool]:
    """A module by itself, one with two replicas and settings of its own, and one that nobody has called."""
    with tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.2, maximum=0.5))) as pool:
        pool.register(HTTP, lab[HTTP].address)
        pool.register("replicated", lab["replicated"].address, namespace="tiny", options=OWN)
        pool.register("idle", NOBODY)
        yield pool


def connect(pool: tp.Pool, lab: tp.Lab) -> None:
    ModuleServiceStub(pool[HTTP]).Message(MessageRequest(), timeout=5)
    pool.wait("replicated", "READY", timeout=5)
    ports: set[int] = set()
    while ports != set(lab["replicated"].ports):  # round_robin connects to the second a moment later
        found = pool.sockets()
        ports = {int(remote.rpartition(":")[2]) for remote in found.remote[found.module == "replicated"]}


def test_connections_are_complete(pool: tp.Pool, lab: tp.Lab) -> None:
    connect(pool, lab)
    frame: Any = pool.connections().set_index("module")
    address = lab[HTTP].address
    assert frame.loc[HTTP, ["target", "resolved", "transport", "options", "state", "sockets"]].tolist() == [
        f"dns:///{address}",
        f"ipv4:{address}",
        "plaintext",
        "backoff 0.2 s to 0.5 s",
        "READY",
        1,
    ]
    replicated = frame.loc["replicated"]
    assert set(replicated.resolved.split(", ")) == {f"ipv4:127.0.0.1:{port}" for port in lab["replicated"].ports}
    assert (replicated.options, replicated.sockets) == ("round_robin, keepalive 1 s/1 s", 2)
    assert replicated.keepalives_sent >= 0
    assert frame.loc["idle", LIVE_ONLY].tolist() == ["", 0, 0]
    assert frame.loc["idle", "target"] == f"dns:///{NOBODY}"
    assert "#tp" not in frame.to_string()


def test_subchannels_and_sockets_belong_together(pool: tp.Pool, lab: tp.Lab) -> None:
    connect(pool, lab)
    subchannels, sockets = pool.subchannels(), pool.sockets()
    assert subchannels.groupby("module", observed=True).size().to_dict() == {HTTP: 1, "replicated": 2}
    assert set(sockets.subchannel) == set(subchannels.subchannel)
    assert (sockets.remote.astype(str).to_numpy() == subchannels.set_index("subchannel").peer[sockets.subchannel].astype(str)).all()
    one: Any = sockets[sockets.module == HTTP].iloc[0]
    assert (one.streams_started, one.messages_sent, one.messages_received) == (1, 1, 1)
    assert abs(one.last_received - pd.Timestamp.now("UTC")) < pd.Timedelta(seconds=30)
    attempts = pool.attempts()
    assert set(subchannels.subchannel) <= set(attempts.subchannel)
    assert set(subchannels.peer) <= set(attempts.peer)


def test_a_secure_connection_is_told_without_a_secret(lab: tp.Lab) -> None:
    module = lab.start("secure", tls="mutual")
    with tp.Pool(tp.PoolOptions(tls=module.tls)) as pool:
        pool.register("secure", module.address)
        pool.wait("secure", "READY", timeout=5)
        frame: Any = pool.connections()
        assert frame.loc[0, ["options", "sockets"]].tolist() == ["tls (roots bytes, certificate bytes, key bytes)", 1]
        assert list(pool.sockets().remote) == list(frame.resolved) == [f"ipv4:{module.address}"]


def test_a_retired_channel_shows_beside_the_new_one_but_is_no_connection_of_its_own(pool: tp.Pool) -> None:
    under_way = ModuleServiceStub(pool[HTTP]).Message.future(MessageRequest(Payload=b'{"delay": 0.5}'), timeout=5)
    pool.wait(HTTP, "READY", timeout=5)
    pool.reconnect(HTTP)
    pool.wait(HTTP, "READY", timeout=5)
    assert list(pool.sockets().generation) == list(pool.subchannels().generation) == [1, 2]
    one: Any = pool.connections().set_index("module").loc[HTTP]
    assert (one.generation, one.sockets) == (2, 1)
    assert under_way.result().Data


def test_a_recording_keeps_what_the_record_knows(pool: tp.Pool, lab: tp.Lab, tmp_path: Path) -> None:
    connect(pool, lab)
    live = pool.connections()
    pool.save(tmp_path / "incident.parquet")
    recorded = tp.open_recording(tmp_path / "incident.parquet").connections()
    pd.testing.assert_frame_equal(recorded.drop(columns=LIVE_ONLY), live.drop(columns=LIVE_ONLY))
    assert recorded.dtypes.astype(str).tolist() == live.dtypes.astype(str).tolist()
    assert recorded[LIVE_ONLY].isna().all(axis=None)


def test_a_recording_of_strange_settings_can_be_listed(pool: tp.Pool) -> None:
    key = tp.ModuleKey(None, HTTP)
    assert pool.settings()[key] == "backoff 0.2 s to 0.5 s"
    pool.catch_up()
    nothing: tuple[dict[str, Any], ...] = ({}, {"options": "none"}, {"options": None, "module_options": []})
    for details in nothing:
        assert tp.Record(pool.journal, details).settings() == {}
    strange = tp.Record(pool.journal, {"options": {"<b>": {"x": [1]}}, "module_options": {HTTP: {"tls": {"roots": "system"}}}})
    assert list(strange.connections().options) == ["tls (roots system)", "<b> (x [1])", "<b> (x [1])"]


def test_what_is_displayed_reads_no_counters(pool: tp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A display comes often, and the live table up to eight times a second."""

    def never(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tp.Pool, "channelz", never)
    for shown in (str(pool), repr(pool), pool._repr_mimebundle_()["text/html"], repr(pool.connections(live=True))):
        assert HTTP in shown


def test_a_closed_pool_has_empty_frames(pool: tp.Pool) -> None:
    pool.close()
    for name in ("connections", "subchannels", "sockets"):
        frame = getattr(pool, name)()
        assert frame.empty
        assert list(frame) == [column.name for column in SCHEMAS[name]]
        assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in SCHEMAS[name]]


def test_in_a_fork_they_say_so(pool: tp.Pool) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the handler is pytest's
        signal.setitimer(signal.ITIMER_REAL, 3)
        try:
            pool.sockets()
        except tp.ForkedPoolError:
            os._exit(0)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
