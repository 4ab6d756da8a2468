"""`pool.discover`, from an API server's sockets to the pool, the frame of modules and the timeline."""

import gc
import io
import logging
import os
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
from tests.discovery.conftest import NAMESPACE, Operator, kubeconfig, until
from tests.project.test_documentation import DOCS, blocks
from tinypool_nb.core import reflecting
from tinypool_nb.core.discovering import LEFT_OUT
from tinypool_nb.core.discovery_status import Health
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.rights import role
from tinypool_nb.discovery import resources as resources_room
from tinypool_nb.discovery.arguments import own_key
from tinypool_nb.discovery.discovery import Discovery
from tinypool_nb.discovery.kubeconfig import find_cluster
from tinypool_nb.discovery.resources import Timeouts
from tinypool_nb.lab import ServerState
from tinypool_nb.views.discoveries import discoveries_html

HTTP, API = "http-module-v1", "api-module-v1"
A, B = "127.0.0.1:1", "127.0.0.1:2"
PASSWORD = "hunter2-of-ada"


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool() as pool:
        yield pool


@pytest.fixture
def server(operator: Operator) -> Operator:
    return operator


@pytest.fixture
def config(server: Operator) -> str:
    return server.kubeconfig


@pytest.fixture
def discovery(pool: tp.Pool, server: Operator, config: str) -> Discovery:
    server.put(HTTP, A)
    server.put(API, B)
    found = pool.discover(kubeconfig=config)
    found.wait(10)
    return found


def told(pool: tp.Pool) -> list[str]:
    marks = pool.marks()
    return list(marks.text[marks.kind == MarkKind.DISCOVERY])


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits do not grow, where several faults come one upon the other."""
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 0.3)


def addresses(pool: tp.Pool) -> dict[str, str]:
    frame = pool.connections()
    return dict(zip(frame.module, frame.address, strict=True))


def test_what_is_in_the_cluster_is_in_the_pool_and_stays_so(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
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


def test_the_frame_of_modules(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    components = [{"name": name, "description": "", "info": ""} for name in ("server", "router")]
    last = server.put(HTTP, A, version="1.4.2", sdkVersion="0.9", components=components, labels={"tier": "web", "app": "x"})
    server.put("nats", "nats://tinymodule.nats.msg")
    server.put("waits")
    server.put(API, "")
    until(lambda: (pool.modules().set_index("module").state.get(API)) == "kept")
    frame = pool.modules().set_index("module")
    assert dict(frame.state) == {HTTP: "registered", API: "kept", "nats": "quarantined", "waits": "waiting"}
    row = frame.loc[HTTP]
    assert (row.namespace, row.address, row.version, row.sdk_version) == (NAMESPACE, A, "1.4.2", "0.9")
    assert (row.components, row.labels, row.resource_version, row.reason) == ("server, router", "app=x, tier=web", last, "")
    assert frame.loc["nats"].reason.startswith("not gRPC")
    assert pd.isna(frame.loc["nats"].address)
    assert frame.loc[API].address == B
    assert abs(row.last_seen - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=1)
    assert str(frame.last_seen.dtype) == "datetime64[ns, UTC]"
    pool.close()
    pd.testing.assert_frame_equal(pool.modules().set_index("module"), frame)


def test_hostile_resources_are_shown_as_text_and_the_rest_goes_on(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    server.put("hostile", A, version="<img src=x>")
    server.put("number", 7)
    for name, addr in (("<script>alert(1)</script>", A), ("x" * 300, ["a"])):  # what no API server lets through that is well
        metadata = {"namespace": NAMESPACE, "name": name, "uid": name, "resourceVersion": "1", "labels": {"\ud800": "\u202e"}}
        discovery.seen({"metadata": metadata, "status": {"addr": addr, "components": {"name": 7}}})
    server.put("last", A)
    until(lambda: "last" in pool)
    frame = pool.modules()
    assert len(frame) == 7
    assert "<script>" not in frame.to_html()
    assert "<script>alert" not in pool._repr_mimebundle_()["text/html"]
    repr(frame).encode()


def test_its_history_stands_on_the_timeline(pool: tp.Pool, server: Operator, discovery: Discovery, tmp_path: Path) -> None:
    server.put(HTTP, "127.0.0.1:3")
    server.put("nats", "nats://x")
    until(lambda: len(pool.modules()) == 3)
    hovers = " ".join(text for trace in pool.timeline().data if trace.name in {"marks", "notes"} for text in trace.hovertext)
    for text in (f"added at {A}", f"address changed from {A} to 127.0.0.1:3", "quarantined: not gRPC", "(discovery)"):
        assert text in hovers
    pool.save(tmp_path / "incident.parquet")
    pd.testing.assert_frame_equal(tp.open_recording(tmp_path / "incident.parquet").marks(), pool.marks())


def test_a_recording_knows_the_resources(pool: tp.Pool, server: Operator, discovery: Discovery, tmp_path: Path) -> None:
    with pool.record(tmp_path / "recorded.parquet"):
        server.put("nats", "nats://x")
        until(lambda: len(pool.modules()) == 3)
    pool.save(tmp_path / "saved.parquet")
    for name in ("recorded", "saved"):
        pd.testing.assert_frame_equal(tp.open_recording(tmp_path / f"{name}.parquet").modules(), pool.modules())


def test_a_server_that_goes_and_comes_is_told_and_no_module_flickers(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    channels = {name: pool[name] for name in pool}
    assert discovery.status.synced
    assert str(discovery.status) == "synced"
    server.api.kill()
    until(lambda: not discovery.status.synced)
    status = discovery.status
    assert status.stale_since is not None
    assert abs(status.stale_since.timestamp() - time.time()) < 10
    assert status.last_error in {"the connection broke off", "Connection refused", "Connection reset by peer"}
    assert str(status).startswith("stale since 20")
    assert len(pool) == 2
    server.api.restart()
    server.delete(API)
    server.api.compact()
    discovery.wait(15)
    until(lambda: API not in pool)
    assert discovery.status.stale_since is None
    assert pool[HTTP] is channels[f"{NAMESPACE}/{HTTP}"]
    assert pool.transitions().query("module == @HTTP").generation.max() == 1
    history = told(pool)[2:]
    assert history[0].startswith("lost the API server: ")
    assert [text for text in history if text.startswith(("the API server is back, after", "relisted: too old"))] != []
    assert f"removed, was at {B}" in history


def test_a_missing_right_is_told_with_the_role_that_would_grant_it(pool: tp.Pool, server: Operator, config: str) -> None:
    server.api.grant(verbs=["get"])
    discovery = pool.discover(kubeconfig=config, all_namespaces=True)
    until(lambda: discovery.status.missing)
    missing = discovery.status.missing
    assert missing is not None
    assert (missing.status, missing.verb, missing.namespace) == (403, "list", None)
    assert "kind: ClusterRole" in missing.role
    assert 'User "lab" cannot list resource "tinymodules"' in str(discovery.status)
    assert discovery.status.stale_since is None
    with pytest.raises(tp.NotSyncedError, match="lab"):
        discovery.wait(0.01)
    server.api.heal()
    discovery.wait(10)
    assert discovery.status.missing is None
    assert [text.partition(":")[0] for text in told(pool)] == ["refused", "the API server is back, at last"]
    assert "kind: Role\n" in role("a")


@pytest.mark.usefixtures("_soon")
def test_a_right_to_list_alone_keeps_the_pool_equal_all_the_same(pool: tp.Pool, server: Operator, config: str) -> None:
    server.put(HTTP, A)
    server.api.grant(verbs=["get", "list"])
    discovery = pool.discover(kubeconfig=config)
    until(lambda: discovery.status.missing)
    assert discovery.status.missing is not None
    assert discovery.status.missing.verb == "watch"
    server.put(API, B)
    watches, healths = server.watches(), set()
    while server.watches() < watches + 5:
        healths.add(discovery.status.health)
        discovery.wait(0.0)
    assert healths == {Health.LIMITED}
    assert API in pool
    server.api.heal()
    until(lambda: discovery.status.missing is None, 30)
    history = [text for text in told(pool) if not text.startswith("added")]
    assert [text.partition(":")[0].partition(",")[0] for text in history] == ["refused", "the API server is back"], "it is told once"


@pytest.mark.usefixtures("_soon")
def test_an_outage_that_a_gateway_tells_is_one(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    server.api.refuse(504, message="gateway timeout")
    server.api.drop_watches(ending="reset")
    until(lambda: "lost the API server: gateway timeout" in told(pool))
    assert discovery.status.health is Health.STALE
    server.api.heal()
    discovery.wait(10)
    until(lambda: told(pool)[-1].startswith("the API server is back, after"))


@pytest.mark.usefixtures("_soon")
def test_a_server_that_is_frozen_is_stale_once_it_is_missed(
    pool: tp.Pool, server: Operator, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over plain http it takes connections all the same, and answers none: the list that is to tell must not wait for long."""
    timeouts = Timeouts(silence=0.8, hurried=0.5)
    monkeypatch.setattr(resources_room, "Timeouts", lambda: timeouts)
    server.put(HTTP, A)
    discovery = pool.discover(kubeconfig=config)
    discovery.wait(10)
    until(server.watches)
    server.api.freeze()
    until(lambda: discovery.status.health is Health.STALE, 3)
    until(lambda: told(pool)[-1] == "lost the API server: no answer in time", 3)
    server.api.thaw()
    discovery.wait(10)
    assert HTTP in pool
    assert pool.transitions().generation.max() == 1


@pytest.mark.usefixtures("_soon")
def test_an_expired_token_is_told_and_a_new_one_is_taken_from_the_file(pool: tp.Pool, server: Operator, tmp_path: Path) -> None:
    server.put(HTTP, A)
    path, good = tmp_path / "config", Path(server.kubeconfig).read_text()
    path.write_text(good)
    discovery = pool.discover(kubeconfig=path)
    discovery.wait(10)
    server.api.revoke_token()
    server.api.drop_watches()
    path.write_text(good.replace(server.token, "another-token"))
    until(lambda: discovery.status.missing)
    assert "the token has expired" in str(discovery.status)
    assert HTTP in pool
    server.api.heal()
    asked = len(server.api.requests)
    until(lambda: 401 in [request.code for request in server.api.requests[asked:]])  # by the other token, which is nobody's
    path.write_text(good)
    until(lambda: discovery.status.missing is None, 20)
    assert discovery.status.synced


def test_a_resource_definition_that_is_not_there_is_told(pool: tp.Pool, server: Operator, config: str) -> None:
    server.api.refuse(404, times=1)
    discovery = pool.discover(kubeconfig=config)
    until(lambda: discovery.status.last_error)
    assert any("definition is not installed" in text for text in told(pool))
    discovery.wait(10)


def test_the_own_module_and_what_a_person_registered_are_left_alone(pool: tp.Pool, server: Operator, config: str) -> None:
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


def test_a_namesake_of_the_own_module_in_another_namespace_is_another_module(pool: tp.Pool, server: Operator, config: str) -> None:
    for namespace in (NAMESPACE, "other"):
        server.put(HTTP, A, namespace=namespace)
    pool.discover(kubeconfig=config, all_namespaces=True, own_module=HTTP).wait(10)
    assert dict(zip(pool.modules().namespace, pool.modules().state, strict=True)) == {NAMESPACE: "own", "other": "registered"}
    assert list(pool) == [f"other/{HTTP}"]


def test_the_own_module_of_a_pod_is_in_its_namespace(tmp_path: Path) -> None:
    files = {"token": "t0ken", "ca.crt": "-", "namespace": "pods"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    in_pod = find_cluster(environment=environment, service_account=tmp_path)
    by_file = find_cluster(kubeconfig(tmp_path / "config", "http://127.0.0.1:1"))
    assert own_key(in_pod, "other", "me") == own_key(in_pod, None, "me") == tp.ModuleKey("pods", "me")
    assert own_key(by_file, "other", "me") == tp.ModuleKey("other", "me")
    assert own_key(by_file, None, "ME") == tp.ModuleKey(NAMESPACE, "me")
    assert own_key(in_pod, None, None) is None


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("kubeconfig", 5, "a path as text or a Path"),
        ("kubeconfig", b"/x", "a path as text or a Path"),
        ("kubeconfig", os.scandir, "a path as text or a Path"),
        ("context", ["lab"], "the name of one of the kubeconfig's contexts"),
        ("namespace", 5, "at most 63 lower case letters"),
        ("namespace", 0, "at most 63 lower case letters"),
        ("all_namespaces", "yes", "True or False"),
        ("port_forward", "yes", "True or False"),
        ("label_selector", 5, "text as 'tier=web,env!=test'"),
        ("label_selector", {"tier": "web"}, "text as 'tier=web,env!=test'"),
        ("own_module", 5, "the name of the module that this runs in"),
        ("own_module", "!!!", "the name of the module that this runs in"),
        ("own_module", "", "the name of the module that this runs in"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_rule(pool: tp.Pool, config: str, option: str, value: Any, rule: str) -> None:
    with pytest.raises(tp.OptionsError, match=rf"^{option}=.* was refused: {rule}"):
        pool.discover(**{"kubeconfig": config, option: value})
    assert pool.discoveries() == ()


def test_equal_names_in_two_namespaces_are_two_modules(pool: tp.Pool, server: Operator, config: str) -> None:
    server.put(HTTP, A)
    server.put(HTTP, A, namespace="other")
    pool.discover(kubeconfig=config, all_namespaces=True).wait(10)
    assert sorted(pool) == [f"other/{HTTP}", f"{NAMESPACE}/{HTTP}"]
    with pytest.raises(tp.AmbiguousModuleError):
        pool.get(HTTP)
    server.delete(HTTP, namespace="other")
    until(lambda: len(pool) == 1)
    assert pool.get(HTTP) is not None


def test_a_namespace_and_a_selection(pool: tp.Pool, server: Operator, config: str) -> None:
    server.put("web", A, namespace="other", labels={"tier": "web"})
    server.put("db", A, namespace="other")
    discovery = pool.discover(kubeconfig=config, namespace="other", label_selector="tier=web")
    discovery.wait(10)
    assert list(pool) == ["other/web"]
    assert str(discovery.scope) == f"namespace 'other' where tier=web at {server.api.url}"
    with pytest.raises(tp.OptionsError, match="no hyphen at the ends"):
        pool.discover(kubeconfig=config, namespace="a/b")
    with pytest.raises(tp.OptionsError, match="left out where all_namespaces"):
        pool.discover(kubeconfig=config, namespace="other", all_namespaces=True)


def test_the_same_discovery_again_replaces_the_first_without_a_flicker(
    pool: tp.Pool, server: Operator, config: str, discovery: Discovery
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
    pool: tp.Pool, server: Operator, config: str, discovery: Discovery
) -> None:
    began = time.monotonic()
    discovery.close()
    discovery.close()
    assert time.monotonic() - began < 1.0
    assert len(pool) == 2
    assert repr(discovery) == f"<Discovery namespace 'tinysystems' at {server.api.url} closed; 2 modules: 2 registered>"
    with pytest.raises(tp.NotSyncedError, match="it was closed"):
        discovery.wait()
    server.delete(API)
    pool.discover(kubeconfig=config).wait(10)
    assert list(pool) == [f"{NAMESPACE}/{HTTP}"]


def test_closing_the_pool_ends_it_quickly(pool: tp.Pool, server: Operator, config: str, discovery: Discovery) -> None:
    other = pool.discover(kubeconfig=config, namespace="other")
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 2.0
    assert (discovery.is_closed, other.is_closed) == (True, True)
    assert pool.discoveries() == ()
    with pytest.raises(tp.PoolClosedError):
        pool.discover(kubeconfig=config)


def test_a_pool_that_nobody_holds_ends_its_discovery(server: Operator, config: str) -> None:
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


@pytest.mark.usefixtures("_soon")
def test_what_the_how_to_lets_one_try_is_seen_line_by_line(pool: tp.Pool) -> None:
    _, begin, tries = blocks(DOCS / "howto" / "keep-equal-to-a-cluster.md", "python").values()
    said: dict[str, Any] = {"tp": tp, "pool": pool}
    exec(begin, said)  # noqa: S102 the page is ours
    lab, discovery = said["lab"], said["discovery"]

    def asked() -> list[str]:
        return [request.path for request in lab.api.requests if request.method == "GET"]

    try:
        for line in tries.splitlines():
            code, _, comment = line.partition("# ")
            expected, before = comment.partition(":")[0], len(told(pool))
            exec(code, said)  # noqa: S102
            until(lambda: discovery.status.health == expected or any(expected in text for text in told(pool)[before:]))  # noqa: B023
            if lab.api.state is ServerState.SERVING and expected not in {Health.LIMITED, Health.REFUSED}:
                until(lambda: discovery.status.health is Health.SYNCED and "watch=" in asked()[-1])
    finally:
        discovery.close()
        lab.close()


def test_its_repr_tells_its_whole_state(server: Operator, pool: tp.Pool, discovery: Discovery) -> None:
    server.put("waits")
    until(lambda: len(pool.modules()) == 3)
    assert repr(discovery) == f"<Discovery namespace 'tinysystems' at {server.api.url} synced; 3 modules: 2 registered, 1 waiting>"
    assert discovery.source.startswith("context 'tinypool-lab' of kubeconfig=")


def test_what_the_pool_does_is_counted_as_what_a_person_does(server: Operator, pool: tp.Pool, discovery: Discovery) -> None:
    server.put(HTTP, "127.0.0.1:3")
    server.delete(API)
    until(lambda: len(pool) == 1)
    counts = pool._operations.read()
    assert (counts["register", "ok"], counts["register", "replaced"], counts["unregister", "ok"]) == (2, 1, 1)


@pytest.mark.usefixtures("_soon")
def test_no_secret_shows_anywhere(pool: tp.Pool, server: Operator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The token and the password of the URL are taken, refused, and sent back by a server that quotes them wherever it can."""
    caplog.set_level(logging.DEBUG)
    url = server.api.url.replace("://", f"://ada:{PASSWORD}@")
    quoting = f"Bearer {server.token} is none of mine at {url}"
    server.put(HTTP, A)
    shown = io.StringIO()
    config = str(tmp_path / "config")
    Path(config).write_text(Path(server.kubeconfig).read_text().replace(server.api.url, url))
    unusable = tmp_path / "unusable"
    unusable.write_text(Path(config).read_text().replace(f":{server.api.port}", ":99999"))
    server.api.refuse(401, message=quoting)
    discovery = pool.discover(kubeconfig=config)
    for code in (401, 403, 409):
        server.api.refuse(code, message=quoting)
        until(lambda code=code: f"{code}: " in discovery.status.last_error)  # type: ignore[misc]
        status = discovery.status
        print(repr(status), str(status), repr(discovery), status.missing and status.missing.role, discovery.report(), file=shown)
        print(discoveries_html([discovery.report()]), file=shown)
    server.api.heal()
    until(server.watches)
    server.api.drop_watches(ending="error", message=quoting)
    until(lambda: "500" in discovery.status.last_error)
    print(repr(discovery), file=shown)
    try:
        discovery.close()
        discovery.wait(0)
    except tp.NotSyncedError:
        traceback.print_exc(file=shown)
    for path, context in ((config, "none"), (unusable, None)):
        try:
            pool.discover(kubeconfig=path, context=context)
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
    assert "not shown, since a password" in text
    assert [text_ for text_ in told(pool) if text_.startswith("refused: ") and "(403: " in text_] != []
    for where in (text, caplog.text, *(str(vars(record)) for record in caplog.records)):
        assert server.token not in where
        assert PASSWORD not in where
        assert "bearer s" not in where.lower()
    assert server.token.encode() not in (tmp_path / "incident.parquet").read_bytes()


def test_a_module_of_the_same_key_that_a_person_registered_is_left_alone_until_it_is_unregistered(
    pool: tp.Pool, server: Operator, config: str
) -> None:
    pool.register(HTTP, B, namespace=NAMESPACE)
    by_hand = pool[HTTP]
    server.put(HTTP, A)
    discovery = pool.discover(kubeconfig=config)
    discovery.wait(10)
    row = pool.modules().iloc[0]
    assert (row.state, row.address) == ("refused", A)
    assert "registered by hand, and is left alone" in row.reason
    assert (pool[HTTP], addresses(pool)) == (by_hand, {HTTP: B})
    server.delete(HTTP)
    until(lambda: pool.modules().empty)
    assert (pool[HTTP], addresses(pool)) == (by_hand, {HTTP: B})
    pool.unregister(HTTP)
    server.put(HTTP, A)
    until(lambda: HTTP in pool)
    pool.register(HTTP, B, namespace=NAMESPACE)  # a person moves what was discovered
    server.put(HTTP, "127.0.0.1:3")
    until(lambda: "refused" in set(pool.modules().state))
    assert addresses(pool) == {HTTP: B}


def states(pool: tp.Pool) -> dict[str, tuple[str, str]]:
    frame = pool.modules()
    return dict(zip(frame.module, zip(frame.state, frame.reason, strict=True), strict=True))


def test_what_a_person_unregistered_is_not_said_to_be_there(pool: tp.Pool, server: Operator, config: str, discovery: Discovery) -> None:
    assert pool.unregister(HTTP)
    assert states(pool) == {HTTP: ("refused", LEFT_OUT), API: ("registered", "")}
    assert repr(discovery).endswith("synced; 2 modules: 1 registered, 1 refused>")
    version = server.put(HTTP, A, version="2.0.0")
    until(lambda: version in set(pool.modules().resource_version))
    assert HTTP not in pool
    pool.discover(kubeconfig=config).wait(10)
    assert HTTP in pool
    assert states(pool)[HTTP] == ("registered", "")
    pool.unregister(HTTP)
    server.put(HTTP, "127.0.0.1:3")
    until(lambda: HTTP in pool)
    assert states(pool)[HTTP] == ("registered", "")


def test_what_a_person_moved_is_said_to_be_theirs_until_they_let_it_go(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    pool.register(HTTP, "127.0.0.1:9", namespace=NAMESPACE)
    state, reason = states(pool)[HTTP]
    assert (state, addresses(pool)[HTTP]) == ("refused", "127.0.0.1:9")
    assert "registered by hand, and is left alone" in reason
    version = server.put(HTTP, A, version="2.0.0")
    until(lambda: version in set(pool.modules().resource_version))
    assert (states(pool)[HTTP], addresses(pool)[HTTP]) == ((state, reason), "127.0.0.1:9")
    pool.unregister(HTTP)
    assert addresses(pool)[HTTP] == A
    assert states(pool)[HTTP] == ("registered", "")
    assert told(pool)[2:] == [reason, f"the pool has it now, at {A}"]


def test_options_of_a_persons_own_stay_with_a_discovered_module(pool: tp.Pool, server: Operator, discovery: Discovery) -> None:
    options = tp.PoolOptions(load_balancing="round_robin")
    pool.register(HTTP, A, namespace=NAMESPACE, options=options)
    server.put(HTTP, "127.0.0.1:3")
    until(lambda: addresses(pool)[HTTP] == "127.0.0.1:3")
    assert pool.options_of(tp.ModuleKey(NAMESPACE, HTTP)) == options
