"""`pool.discover(port_forward=True)` against the lab's API server: what only a cluster knows is reached from outside, whatever happens."""

import gc
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tinypool_nb as tp
from tests.discovery.conftest import until
from tinypool_nb.core.forwarding import MOST_FORWARDS
from tinypool_nb.core.rights import role
from tinypool_nb.discovery.discovery import Discovery
from tinypool_nb.discovery.forwards import Forwards
from tinypool_nb.discovery.kubeconfig import Cluster
from tinypool_nb.discovery.tunnels import Tunnel
from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab import Kubernetes
from tinypool_nb.lab.servers import ServerState
from tinypool_nb.views.discoveries import discoveries_text

NAME = "http-module-v1"
NAMESPACE = "tinysystems"
INSIDE = f"{NAME}.{NAMESPACE}.svc.cluster.local:50051"
QUICK = tp.PoolOptions(backoff=tp.Backoff(initial=0.1, maximum=0.2))


@pytest.fixture(scope="module")
def shared() -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=Kubernetes(cluster_names=True)) as lab:
        yield lab


@pytest.fixture
def lab(shared: tp.Lab) -> Iterator[tp.Lab]:
    """Each test finds one module, and everything well."""
    if NAME not in shared:
        shared.start(NAME)
    yield shared
    if shared.api.state is ServerState.SERVING:
        shared.api.heal()
    else:
        shared.api.restart()
    told = {each["metadata"]["name"]: each["status"]["addr"] for each in shared.resources.list()}
    for module in tuple(shared.modules.values()):
        if module.name != NAME or told.get(NAME) != INSIDE:
            module.remove(grace=0)
    for left in told.keys() - {NAME, *shared.modules}:
        with suppress(LabError):  # it went with its module
            shared.resources.delete(left)


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool(QUICK) as pool:
        yield pool


@pytest.fixture
def discover(lab: tp.Lab, pool: tp.Pool) -> Callable[[], Discovery]:
    def begin() -> Discovery:
        discovery = pool.discover(kubeconfig=lab.kubeconfig, port_forward=True)
        discovery.wait(10)
        return discovery

    return begin


def told(pool: tp.Pool) -> list[str]:
    marks = pool.marks()
    return list(marks.text[(marks.kind == "discovery") & (marks.module == NAME)])


def row(pool: tp.Pool, name: str = NAME) -> Any:
    return pool.modules().set_index("module").loc[name]


def address(pool: tp.Pool) -> str:
    return str(pool.connections().set_index("module").address[NAME])


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tinypool-forward")]


def test_a_name_of_the_cluster_is_reached_and_both_addresses_are_told(
    pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab
) -> None:
    discover()
    assert b'"http-module-v1"' in pool.send(NAME, to="node.port", payload=b"{}")
    local = address(pool)
    assert local.startswith("127.0.0.1:")
    assert (row(pool).address, row(pool).state, row(pool).reason) == (INSIDE, "registered", f"forwarded from {local}")
    assert told(pool) == [f"added at {INSIDE}", f"forwarded from {local} to {INSIDE}"]
    asked = [request for request in lab.api.requests if "portforward" in request.path]
    assert [(request.code, request.path.partition("?")[2]) for request in asked] == [(101, f"ports={lab[NAME].port}")]
    assert sorted(threads()) == ["tinypool-forward", "tinypool-forwards"]


def test_big_messages_go_both_ways(pool: tp.Pool, discover: Callable[[], Discovery]) -> None:
    discover()
    assert len(pool.send(NAME, payload="x" * 3_000_000)) > 3_000_000


def test_a_pod_that_dies_and_one_that_is_replaced(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    discover()
    pool.wait(NAME, timeout=5)
    local = address(pool)
    lab[NAME].kill()
    pool.wait(NAME, "IDLE", timeout=5)
    pool.health_check()
    until(lambda: "connection refused" in row(pool).reason)
    until(lambda: (pool.transitions().state == "TRANSIENT_FAILURE").sum() >= 3)
    lab[NAME].restart()
    pool.wait(NAME, timeout=5)
    failures, again = told(pool)[2:-1], told(pool)[-1]
    assert len(failures) == 1, "however often it is tried"
    assert failures[0].startswith(f"port-forward: error forwarding port {lab[NAME].port} to pod ")
    assert again == "port-forward: it works again"
    lab[NAME].move()
    pool.wait(NAME, timeout=5)
    assert str(lab[NAME].port) in pool.send(NAME, wait_for_ready=True).decode()
    assert (address(pool), row(pool).reason) == (local, f"forwarded from {local}")


def test_eager_reconnection_leaves_a_forwarded_module_alone(lab: tp.Lab) -> None:
    """Its local port accepts whether or not there is a pod, and each probe would be one more request to the API server."""
    options = tp.PoolOptions(backoff=tp.Backoff(initial=60.0, maximum=60.0), eager_reconnect=True)
    with tp.Pool(options) as pool:
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait(10)
        pool.wait(NAME, timeout=10)
        lab[NAME].kill()
        pool.wait(NAME, "IDLE", timeout=10)
        pool.health_check()
        pool.wait(NAME, "TRANSIENT_FAILURE", timeout=10)
        asked = len(lab.api.requests)
        time.sleep(0.3)  # to see that nothing happens one has to wait
        assert len(lab.api.requests) == asked
        assert "tinypool-prober" not in {thread.name for thread in threading.enumerate()}
        assert not pool.marks().text.str.contains("eager").any()
        assert pool.options_of(pool.known()[0]).eager_reconnect is False
        lab[NAME].restart()


def test_another_service_is_another_local_port(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    other = lab.start("other")
    discover()
    pool.wait(NAME, timeout=5)
    local, channel = address(pool), pool[NAME]
    lab.resources.patch_status(NAME, {"addr": "other:50051"})
    until(lambda: address(pool) != local)
    assert str(other.port) in pool.send(NAME, wait_for_ready=True).decode()
    assert pool[NAME] is channel
    until(lambda: not _is_served(local))
    lab.resources.patch_status(NAME, {"addr": other.address})
    until(lambda: address(pool) == other.address)
    assert row(pool).reason == ""


def _is_served(local: str) -> bool:
    host, _, port = local.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_what_is_gone_leaves_no_port_and_no_thread(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    discover()
    pool.wait(NAME, timeout=5)
    local = address(pool)
    lab.resources.delete(NAME)
    until(lambda: NAME not in pool and not _is_served(local))
    until(lambda: threads() == ["tinypool-forwards"])


def test_closing_ends_everything_at_once_and_takes_the_modules_away(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    discovery = discover()
    pool.wait(NAME, timeout=5)
    local = address(pool)
    lab.api.freeze()
    pool.reconnect(NAME)  # so that a stream is just being opened
    began = time.monotonic()
    discovery.close()
    assert time.monotonic() - began < 1.5
    assert threads() == []
    assert len(pool) == 0
    assert not _is_served(local)
    assert told(pool)[-1] == f"removed, was at {INSIDE}: its port-forward was closed"
    discovery.close()
    lab.api.thaw()


def test_the_same_cell_again_takes_the_connections_over(pool: tp.Pool, discover: Callable[[], Discovery]) -> None:
    first = discover()
    pool.wait(NAME, timeout=5)
    before = pool.transitions()
    second = discover()
    assert first.is_closed
    assert pool.send(NAME)
    assert len(pool.transitions()) == len(before)
    assert [text for text in told(pool) if "forwarded" in text] == [f"forwarded from {address(pool)} to {INSIDE}"]
    second.close()
    assert threads() == []
    assert len(pool) == 0


def test_a_right_that_is_missing_is_told_with_its_role(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    lab.api.grant(verbs=["get", "list", "watch"])
    discovery = discover()
    pool.health_check()
    until(lambda: discovery.status.missing_forward is not None)
    missing = discovery.status.missing_forward
    assert missing is not None
    assert (missing.verb, missing.resource, missing.status) == ("create", "pods/portforward", 403)
    assert missing.role == role(NAMESPACE, port_forward=True)
    assert "pods/portforward" in missing.role
    assert discovery.status.synced
    assert str(discovery.status).startswith("synced; port-forward: the API server does not let it create pods/portforward in namespace ")
    assert "does not let it create pods/portforward" in row(pool).reason
    assert discovery.report().grant == missing.role
    assert "Port-forward: the API server does not let it create pods/portforward" in discoveries_text([discovery.report()])
    lab.api.heal()
    pool.wait(NAME, timeout=5)
    assert discovery.status.missing_forward is None
    lab.api.grant(verbs=["watch"])
    pool.reconnect(NAME)
    until(lambda: discovery.status.missing_forward is not None and discovery.status.missing_forward.resource == "services")


def test_an_api_server_that_goes_takes_connections_with_it_and_they_come_back(
    pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab
) -> None:
    discover()
    pool.wait(NAME, timeout=5)
    lab.api.kill()
    pool.wait(NAME, "IDLE", timeout=5)
    pool.health_check()
    until(lambda: "Connection refused" in row(pool).reason)
    lab.api.restart()
    pool.wait(NAME, timeout=10)
    assert pool.send(NAME)


def test_what_cannot_be_forwarded_says_why_and_the_rest_goes_on(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    lab.resources.create("by-ip", addr="10.0.0.7:50051")
    lab.resources.create("no-service", addr="no-service:50051")
    lab.resources.create("wrong-port", addr=f"{NAME}:1")
    lab.resources.create("outside", addr="127.0.0.1:9")
    discover()
    assert (row(pool, "by-ip").state, "names an IP address" in row(pool, "by-ip").reason) == ("refused", True)
    assert (row(pool, "outside").state, row(pool, "outside").reason) == ("registered", "")
    pool.health_check()
    until(lambda: "there is no service no-service in namespace tinysystems" in row(pool, "no-service").reason)
    until(lambda: f"service {NAME} in namespace tinysystems has no port 1; it has 50051" in row(pool, "wrong-port").reason)
    pod, unready = f"{NAME}-{lab[NAME].port}", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    lab.resources.ask("PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}", unready)
    pool.reconnect(NAME)
    until(lambda: "is ready (1 of its pods are there)" in row(pool).reason)
    lab[NAME].remove()


def test_pods_of_any_size_and_number_are_read_as_far_as_to_one_that_is_ready(
    pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab
) -> None:
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    ready = lab.resources.ask("GET", f"{pods}/{NAME}-{lab[NAME].port}")
    others = [f"{'a' if number < 25 else 'z'}{number:02}" for number in range(45)]  # before and behind it
    try:
        for name in others:
            metadata = {"name": name, "labels": ready["metadata"]["labels"], "annotations": {"x": "y" * 240_000}}
            lab.resources.ask("POST", pods, {**ready, "metadata": metadata, "status": {"phase": "Pending"}})
        discover()
        assert pool.send(NAME)
        asked = [request.path for request in lab.api.requests if request.path.startswith(f"{pods}?")]
        assert ["continue=" in path for path in asked[-2:]] == [False, True]
        assert "continue=" in asked[-1], "it is ready, so the third page is not asked for"
    finally:
        for name in others:
            lab.resources.ask("DELETE", f"{pods}/{name}")


def test_more_than_a_handful_is_refused_with_what_to_do(pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab) -> None:
    for number in range(MOST_FORWARDS):
        lab.resources.create(f"n{number:02}", addr=f"n{number:02}:50051")
    discovery = discover()
    frame = pool.modules().set_index("module")
    refused = frame[frame.state == "refused"]
    assert list(refused.index) == [f"n{MOST_FORWARDS - 1:02}"]
    assert "16 modules are forwarded already; run one CONNECT proxy in the cluster" in refused.reason.iloc[0]
    lab.resources.delete("n00")
    until(lambda: set(pool.modules().state) == {"registered"})
    assert discovery.forwards is not None
    assert len(discovery.forwards) == MOST_FORWARDS


def test_what_a_person_registered_is_left_alone_and_no_port_is_kept_for_it(
    pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab
) -> None:
    pool.register(NAME, "127.0.0.1:9", namespace=NAMESPACE)
    by_hand = pool[NAME]
    discovery = discover()
    assert (row(pool).state, "registered by hand, and is left alone" in row(pool).reason) == ("refused", True)
    assert (pool[NAME], address(pool)) == (by_hand, "127.0.0.1:9")
    assert discovery.forwards is not None
    assert len(discovery.forwards) == 0
    pool.unregister(NAME)
    lab.resources.patch_status(NAME, {"addr": f"{NAME}:50051"})
    pool_has = tp.ModuleKey(NAMESPACE, NAME)
    until(lambda: row(pool).address == f"{NAME}:50051" and row(pool).state == "registered")
    assert pool.send(NAME, wait_for_ready=True)
    options = tp.PoolOptions(backoff=QUICK.backoff, load_balancing="round_robin")
    pool.register(NAME, address(pool), namespace=NAMESPACE, options=options)  # who changes no more than options
    lab.resources.patch_status(NAME, {"addr": INSIDE})
    until(lambda: row(pool).address == INSIDE and row(pool).state == "registered")
    assert pool.options_of(pool_has) == options
    assert pool.send(NAME, wait_for_ready=True)
    pool.register(NAME, "127.0.0.1:9", namespace=NAMESPACE)  # who moves it
    lab.resources.patch_status(NAME, {"addr": f"{NAME}:50051"})
    until(lambda: row(pool).state == "refused")
    until(lambda: len(discovery.forwards or ()) == 0)
    assert address(pool) == "127.0.0.1:9"
    discovery.close()
    assert address(pool) == "127.0.0.1:9"
    lab[NAME].remove()


def test_descriptors_beyond_what_select_takes(pool: tp.Pool, discover: Callable[[], Discovery]) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < 1_400:
        pytest.skip(f"this process may have {limit} descriptors")
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        discover()
        assert pool.send(NAME)
    finally:
        for number in held:
            os.close(number)


def test_a_process_that_gets_no_thread_goes_on_forwarding(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def no_cluster() -> Cluster:
        raise LabError("there is no cluster here")

    def no_thread(_tunnel: Tunnel) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    def is_told(reason: str) -> bool:
        return bool(told) and reason in told[-1]

    forwards = Forwards(no_cluster, lambda _key, text: told.append(text))
    try:
        host, _, port = str(forwards.open(tp.ModuleKey(NAMESPACE, NAME), INSIDE)).rpartition(":")
        for reason in ("this process can take no connection: can't start new thread", "the API server: "):
            with monkeypatch.context() as patched:
                if "thread" in reason:  # which no test may really use up
                    patched.setattr(Tunnel, "start", no_thread)
                with socket.create_connection((host, int(port)), 5) as client:
                    assert client.recv(1) == b""
            until(partial(is_told, reason))
    finally:
        forwards.end()


def test_tls_looks_for_the_module_s_own_name(lab: tp.Lab) -> None:
    secure = lab.start("localhost", tls=True)  # for which the lab's certificates are made
    lab.resources.patch_status("localhost", {"addr": "localhost.tinysystems.svc:50051"})
    with tp.Pool(tp.PoolOptions(tls=secure.tls, backoff=QUICK.backoff)) as pool:
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait(10)
        pool.health_check()
        until(lambda: pool.transitions().reason.str.contains("Hostname Verification Check failed").any())
    assert secure.tls is not None
    named = replace(secure.tls, server_name="localhost")
    with tp.Pool(tp.PoolOptions(tls=named, backoff=QUICK.backoff)) as pool:
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait(10)
        pool.wait("localhost", timeout=5)


def test_no_token_shows(
    pool: tp.Pool,
    discover: Callable[[], Discovery],
    lab: tp.Lab,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = Path(lab.kubeconfig).read_text().partition('"token": "')[2].partition('"')[0]
    assert len(token) > 20
    discovery = discover()
    pool.wait(NAME, timeout=5)
    lab.api.revoke_token()
    pool.reconnect(NAME)
    until(lambda: discovery.status.missing_forward is not None)
    pool.save(tmp_path / "recording.parquet")
    shown = [repr(discovery), str(discovery.status), repr(discovery.forwards), pool.modules().to_csv(), pool.marks().to_csv(), caplog.text]
    shown += [repr(vars(discovery)), pool.transitions().to_csv()]
    assert not [text for text in shown if token in text]
    assert token.encode() not in (tmp_path / "recording.parquet").read_bytes()


def test_a_pool_that_nobody_holds_leaves_nothing(lab: tp.Lab) -> None:
    pool = tp.Pool(QUICK)
    pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait(10)
    pool.wait(NAME, timeout=5)
    assert len(threads()) == 2
    del pool
    gc.collect()
    until(lambda: threads() == [])


def test_a_discovery_that_is_refused_takes_nothing_of_the_one_under_way(
    pool: tp.Pool, discover: Callable[[], Discovery], lab: tp.Lab
) -> None:
    discovery = discover()
    forwards = discovery.forwards
    with pytest.raises(OptionsError, match="own_module"):
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True, own_module=5)  # type: ignore[arg-type]
    assert discovery.forwards is forwards
    assert pool.send(NAME)
    discovery.close()
    assert len(pool) == 0
    assert threads() == []
