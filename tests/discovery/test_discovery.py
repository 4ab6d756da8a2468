"""`pool.discover`, from an API server's sockets to the pool, the frame of modules and the timeline."""

import gc
import io
import logging
import threading
import time
import traceback
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import tinypool_nb as tp
from tests.discovery.conftest import NAMESPACE, TOKEN, ApiServer, kubeconfig, refuse, until
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.rights import role
from tinypool_nb.discovery.discovery import Discovery

HTTP, API = "http-module-v1", "api-module-v1"
A, B = "127.0.0.1:1", "127.0.0.1:2"


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool() as pool:
        yield pool


@pytest.fixture
def discovery(pool: tp.Pool, server: ApiServer, config: Path) -> Discovery:
    server.put(HTTP, A)
    server.put(API, B)
    found = pool.discover(kubeconfig=config)
    found.wait(10)
    return found


def told(pool: tp.Pool) -> list[str]:
    marks = pool.marks()
    return list(marks.text[marks.kind == MarkKind.DISCOVERY])


def addresses(pool: tp.Pool) -> dict[str, str]:
    frame = pool.connections()
    return dict(zip(frame.module, frame.address, strict=True))


def test_what_is_in_the_cluster_is_in_the_pool_and_stays_so(pool: tp.Pool, server: ApiServer, discovery: Discovery) -> None:
    assert list(pool) == [f"{NAMESPACE}/{API}", f"{NAMESPACE}/{HTTP}"]
    channel = pool[HTTP]
    server.put(HTTP, "127.0.0.1:3")
    until(lambda: addresses(pool)[HTTP] == "127.0.0.1:3")
    assert pool[HTTP] is channel
    server.delete(API)
    until(lambda: API not in pool)
    server.put("third", A)
    until(lambda: "third" in pool)
    assert told(pool) == [
        f"added at {B}",
        f"added at {A}",
        f"address changed from {A} to 127.0.0.1:3",
        f"removed, was at {B}",
        f"added at {A}",
    ]


def test_the_frame_of_modules(pool: tp.Pool, server: ApiServer, discovery: Discovery) -> None:
    components = [{"name": "server"}, {"name": "router"}]
    server.put(HTTP, A, version="1.4.2", sdkVersion="0.9", components=components, metadata={"labels": {"tier": "web", "app": "x"}})
    server.put("nats", "nats://tinymodule.nats.msg")
    server.put("waits")
    server.put(API, "")
    until(lambda: (pool.modules().set_index("module").state.get(API)) == "kept")
    frame = pool.modules().set_index("module")
    assert dict(frame.state) == {HTTP: "registered", API: "kept", "nats": "quarantined", "waits": "waiting"}
    row = frame.loc[HTTP]
    assert (row.namespace, row.address, row.version, row.sdk_version) == (NAMESPACE, A, "1.4.2", "0.9")
    assert (row.components, row.labels, row.resource_version, row.reason) == ("server, router", "app=x, tier=web", "103", "")
    assert frame.loc["nats"].reason.startswith("not gRPC")
    assert pd.isna(frame.loc["nats"].address)
    assert frame.loc[API].address == B
    assert abs(row.last_seen - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=1)
    assert str(frame.last_seen.dtype) == "datetime64[ns, UTC]"
    pool.close()
    pd.testing.assert_frame_equal(pool.modules().set_index("module"), frame)


def test_hostile_resources_are_shown_as_text_and_the_rest_goes_on(pool: tp.Pool, server: ApiServer, discovery: Discovery) -> None:
    server.put("<script>alert(1)</script>", A, version="<img src=x>", metadata={"labels": {"\ud800": "\u202e"}})
    server.put("x" * 300, ["a"], components={"name": 7})
    server.put("last", A)
    until(lambda: "last" in pool)
    frame = pool.modules()
    assert len(frame) == 5
    assert "<script>" not in frame.to_html()
    assert "<script>alert" not in pool._repr_mimebundle_()["text/html"]
    repr(frame).encode()


def test_its_history_stands_on_the_timeline(pool: tp.Pool, server: ApiServer, discovery: Discovery, tmp_path: Path) -> None:
    server.put(HTTP, "127.0.0.1:3")
    server.put("nats", "nats://x")
    until(lambda: len(pool.modules()) == 3)
    hovers = " ".join(text for trace in pool.timeline().data if trace.name in {"marks", "notes"} for text in trace.hovertext)
    for text in (f"added at {A}", f"address changed from {A} to 127.0.0.1:3", "quarantined: not gRPC", "(discovery)"):
        assert text in hovers
    pool.save(tmp_path / "incident.parquet")
    pd.testing.assert_frame_equal(tp.open_recording(tmp_path / "incident.parquet").marks(), pool.marks())


def test_a_recording_knows_the_resources(pool: tp.Pool, server: ApiServer, discovery: Discovery, tmp_path: Path) -> None:
    with pool.record(tmp_path / "recorded.parquet"):
        server.put("nats", "nats://x")
        until(lambda: len(pool.modules()) == 3)
    pool.save(tmp_path / "saved.parquet")
    for name in ("recorded", "saved"):
        pd.testing.assert_frame_equal(tp.open_recording(tmp_path / f"{name}.parquet").modules(), pool.modules())


def test_a_server_that_goes_and_comes_is_told_and_no_module_flickers(pool: tp.Pool, server: ApiServer, discovery: Discovery) -> None:
    channels = {name: pool[name] for name in pool}
    assert discovery.status.synced
    assert str(discovery.status) == "synced"
    server.kill()
    until(lambda: not discovery.status.synced)
    status = discovery.status
    assert status.stale_since is not None
    assert abs(status.stale_since.timestamp() - time.time()) < 10
    assert status.last_error in {"the connection broke off", "Connection refused", "Connection reset by peer"}
    assert str(status).startswith("stale since 20")
    assert len(pool) == 2
    server.delete(API)
    server.compact()
    server.start()
    discovery.wait(15)
    until(lambda: API not in pool)
    assert discovery.status.stale_since is None
    assert pool[HTTP] is channels[f"{NAMESPACE}/{HTTP}"]
    assert pool.transitions().query("module == @HTTP").generation.max() == 1
    history = told(pool)[2:]
    assert history[0].startswith("lost the API server: ")
    assert [text for text in history if text.startswith(("the API server is back, after", "relisted: too old"))] != []
    assert f"removed, was at {B}" in history


def test_a_missing_right_is_told_with_the_role_that_would_grant_it(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    message = 'tinymodules.operator.tinysystems.io is forbidden: User "ada" cannot list resource "tinymodules"'
    server.answers = [refuse(403, "Forbidden", message)] * 2
    discovery = pool.discover(kubeconfig=config, all_namespaces=True)
    until(lambda: discovery.status.missing)
    missing = discovery.status.missing
    assert missing is not None
    assert (missing.status, missing.verb, missing.namespace) == (403, "list", None)
    assert "kind: ClusterRole" in missing.role
    assert 'User "ada" cannot list' in str(discovery.status)
    assert discovery.status.stale_since is None
    with pytest.raises(tp.NotSyncedError, match="ada"):
        discovery.wait(0.01)
    discovery.wait(10)
    assert discovery.status.missing is None
    assert [text.partition(":")[0] for text in told(pool)] == ["refused", "the API server is back, at last"]
    assert "kind: Role\n" in role("a")


@pytest.mark.slow
def test_a_right_to_list_alone_keeps_the_pool_equal_all_the_same(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    def no_watch(request: Any) -> bool:
        return "watch=" in request.path and refuse(403, "Forbidden", "may not watch")(request)

    server.put(HTTP, A)
    server.answers = [no_watch] * 7  # a list and a watch by turns, but for the first
    discovery = pool.discover(kubeconfig=config)
    until(lambda: discovery.status.missing)
    assert discovery.status.missing is not None
    assert discovery.status.missing.verb == "watch"
    server.put(API, B)
    until(lambda: API in pool)
    until(lambda: server.watches() > 2)
    history = [text for text in told(pool) if not text.startswith("added")]
    assert [text.partition(":")[0] for text in history] == ["refused"], "it is told once, not at each try"
    until(lambda: discovery.status.missing is None, 30)
    assert [text.partition(",")[0] for text in told(pool)][-1] == "the API server is back"


def test_an_expired_token_is_told_and_a_new_one_is_taken_from_the_file(
    pool: tp.Pool, server: ApiServer, config: Path, tmp_path: Path
) -> None:
    server.put(HTTP, A)
    server.token = TOKEN
    discovery = pool.discover(kubeconfig=config)
    discovery.wait(10)
    server.token = "another-token"
    server.drop()
    until(lambda: discovery.status.missing)
    assert "the token has expired" in str(discovery.status)
    assert HTTP in pool
    kubeconfig(config, server.url, token="another-token")
    until(lambda: discovery.status.missing is None)
    assert discovery.status.synced


def test_a_resource_definition_that_is_not_there_is_told(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    server.answers = [refuse(404, "NotFound", "the server could not find the requested resource")]
    discovery = pool.discover(kubeconfig=config)
    until(lambda: discovery.status.missing)
    assert "definition is not installed" in str(discovery.status)
    discovery.wait(10)


def test_the_own_module_and_what_a_person_registered_are_left_alone(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    server.put("tinysystems-http-v1", A)
    server.put(HTTP, A)
    pool.register(HTTP, B)
    by_hand = pool[tp.ModuleKey(None, HTTP)]
    discovery = pool.discover(kubeconfig=config, own_module="tinysystems/HTTP v1")
    discovery.wait(10)
    assert sorted(pool) == [HTTP, f"{NAMESPACE}/{HTTP}"]
    server.delete(HTTP)
    until(lambda: len(pool) == 1)
    assert pool[HTTP] is by_hand
    assert dict(zip(pool.modules().module, pool.modules().state, strict=True)) == {"tinysystems-http-v1": "own"}


def test_equal_names_in_two_namespaces_are_two_modules(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    server.put(HTTP, A)
    server.put(HTTP, A, namespace="other")
    pool.discover(kubeconfig=config, all_namespaces=True).wait(10)
    assert sorted(pool) == [f"other/{HTTP}", f"{NAMESPACE}/{HTTP}"]
    with pytest.raises(tp.AmbiguousModuleError):
        pool.get(HTTP)
    server.delete(HTTP, namespace="other")
    until(lambda: len(pool) == 1)
    assert pool.get(HTTP) is not None


def test_a_namespace_and_a_selection(pool: tp.Pool, server: ApiServer, config: Path) -> None:
    server.put("web", A, namespace="other", metadata={"labels": {"tier": "web"}})
    server.put("db", A, namespace="other")
    discovery = pool.discover(kubeconfig=config, namespace="other", label_selector="tier=web")
    discovery.wait(10)
    assert list(pool) == ["other/web"]
    assert str(discovery.scope) == f"namespace 'other' where tier=web at {server.url}"
    with pytest.raises(tp.OptionsError, match="left out where all_namespaces"):
        pool.discover(kubeconfig=config, namespace="other", all_namespaces=True)


def test_the_same_discovery_again_replaces_the_first_without_a_flicker(
    pool: tp.Pool, server: ApiServer, config: Path, discovery: Discovery
) -> None:
    channel = pool[HTTP]
    again = pool.discover(kubeconfig=config)
    again.wait(10)
    assert (discovery.is_closed, again.is_closed) == (True, False)
    assert pool.discoveries() == (again,)
    assert pool[HTTP] is channel
    assert pool.transitions().generation.max() == 1
    assert len(told(pool)) == 2
    assert [thread.name for thread in threading.enumerate()].count("tinypool-discovery") == 1


def test_closing_it_leaves_the_modules_and_a_later_one_takes_them_over(
    pool: tp.Pool, server: ApiServer, config: Path, discovery: Discovery
) -> None:
    began = time.monotonic()
    discovery.close()
    discovery.close()
    assert time.monotonic() - began < 1.0
    assert len(pool) == 2
    assert repr(discovery) == f"<Discovery namespace 'tinysystems' at {server.url} closed; 2 modules: 2 registered>"
    with pytest.raises(tp.NotSyncedError, match="it was closed"):
        discovery.wait()
    server.delete(API)
    pool.discover(kubeconfig=config).wait(10)
    assert list(pool) == [f"{NAMESPACE}/{HTTP}"]


def test_closing_the_pool_ends_it_quickly(pool: tp.Pool, server: ApiServer, config: Path, discovery: Discovery) -> None:
    other = pool.discover(kubeconfig=config, namespace="other")
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 2.0
    assert (discovery.is_closed, other.is_closed) == (True, True)
    assert pool.discoveries() == ()
    with pytest.raises(tp.PoolClosedError):
        pool.discover(kubeconfig=config)


def test_a_pool_that_nobody_holds_ends_its_discovery(server: ApiServer, config: Path) -> None:
    pool = tp.ClientPool()
    discovery = pool.discover(kubeconfig=config)
    discovery.wait(10)
    alive = weakref.ref(pool)
    del pool
    gc.collect()
    assert alive() is None
    until(lambda: discovery.is_closed)
    with pytest.raises(tp.NotSyncedError):
        discovery.wait(5)


def test_its_repr_tells_its_whole_state(server: ApiServer, pool: tp.Pool, discovery: Discovery) -> None:
    server.put("waits")
    until(lambda: len(pool.modules()) == 3)
    assert repr(discovery) == f"<Discovery namespace 'tinysystems' at {server.url} synced; 3 modules: 2 registered, 1 waiting>"
    assert discovery.source.startswith("context 'lab' of kubeconfig=")


def test_what_the_pool_does_is_counted_as_what_a_person_does(server: ApiServer, pool: tp.Pool, discovery: Discovery) -> None:
    server.put(HTTP, "127.0.0.1:3")
    server.delete(API)
    until(lambda: len(pool) == 1)
    counts = pool._operations.read()
    assert (counts["register", "ok"], counts["register", "replaced"], counts["unregister", "ok"]) == (2, 1, 1)


def test_no_secret_shows_anywhere(pool: tp.Pool, server: ApiServer, config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The token is taken, refused, and sent back by a server that quotes it wherever it can."""
    caplog.set_level(logging.DEBUG)
    quoting = f"Bearer {TOKEN} is none of mine"
    server.put(HTTP, A)
    server.answers = [
        refuse(401, "Unauthorized", quoting),
        refuse(403, quoting, quoting),
        refuse(400, quoting, ""),
    ]
    shown = io.StringIO()
    discovery = pool.discover(kubeconfig=config)
    seen: set[str] = set()
    began = time.monotonic()
    while not discovery.status.synced and time.monotonic() - began < 15:
        status = discovery.status
        if repr(status) not in seen:
            seen.add(repr(status))
            print(repr(status), str(status), repr(discovery), status.missing and status.missing.role, file=shown)
    error = b'{"type": "ERROR", "object": {"code": 500, "message": "' + quoting.encode() + b'"}}\n'

    def said() -> bool:
        server.say(error)
        return "500" in discovery.status.last_error

    until(said)
    print(repr(discovery), file=shown)
    try:
        discovery.close()
        discovery.wait(0)
    except tp.NotSyncedError:
        traceback.print_exc(file=shown)
    try:
        pool.discover(kubeconfig=config, context="none")
    except tp.KubeconfigError:
        traceback.print_exc(file=shown)
    for frame in (pool.modules(), pool.marks(), pool.transitions(), pool.connections(), pool.summary()):
        print(frame.to_string(), frame.to_csv(), file=shown)
    parts = [discovery, discovery.book, discovery.line, discovery._registry, pool._discoveries, pool]
    print(*map(repr, parts), pool.timeline().to_json(), pool._repr_mimebundle_(), pool.describe(), file=shown)
    pool.save(tmp_path / "incident.parquet")
    with pool.record(tmp_path / "recorded.parquet") as recorder:
        print(repr(recorder), recorder.status, file=shown)
    for name in ("incident", "recorded"):  # compressed, no secret could be found in the bytes alone
        stored = pq.read_table(tmp_path / f"{name}.parquet")
        print(stored.to_pylist(), pq.read_metadata(tmp_path / f"{name}.parquet").metadata, file=shown)
    text = shown.getvalue()
    assert "is none of mine" in text
    assert [told_ for told_ in told(pool) if told_.startswith("refused: ") and "(403: " in told_] != []
    assert len(seen) >= 2
    for where in (text, caplog.text, *(str(vars(record)) for record in caplog.records)):
        assert TOKEN not in where
        assert "bearer s" not in where.lower()
    assert TOKEN.encode() not in (tmp_path / "incident.parquet").read_bytes()
