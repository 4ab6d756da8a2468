"""The lab's API server forwards ports as a real one does: the official client's own port-forward can't tell."""

import gc
import random
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kubernetes import client, config
from kubernetes.client import ApiException, CoreV1Api
from kubernetes.stream import portforward

import tinypool_nb as tp
from tinypool_nb.lab import Kubernetes
from tinypool_nb.lab.modules import Module

NAMESPACE = "tinysystems"
# When a server hangs up, or refuses, the official client leaves its socket to the collector, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", params=[True, False], ids=["https", "http"])
def lab(request: pytest.FixtureRequest) -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=Kubernetes(tls=request.param)) as lab:
        yield lab


@pytest.fixture(scope="module")
def module(lab: tp.Lab) -> Module:
    return lab.start("http-module-v1")


@pytest.fixture
def api(lab: tp.Lab) -> Iterator[Any]:  # its types say that anything may be None
    with config.new_client_from_config(lab.kubeconfig, client_configuration=type.__call__(client.Configuration)) as own:
        yield CoreV1Api(own)
    gc.collect()


@pytest.mark.usefixtures("module")
def test_pods_and_services_are_those_of_a_cluster(api: Any, module: Module) -> None:
    service = api.read_namespaced_service("http-module-v1", NAMESPACE)
    assert (service.spec.ports[0].port, service.spec.ports[0].target_port) == (50051, "grpc")
    selector = ",".join(f"{label}={value}" for label, value in service.spec.selector.items())
    (pod,) = api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    assert pod.status.phase == "Running"
    assert {condition.type: condition.status for condition in pod.status.conditions}["Ready"] == "True"
    assert pod.spec.containers[0].ports[0].container_port == module.port
    assert api.list_pod_for_all_namespaces().items[0].metadata.uid == pod.metadata.uid
    with pytest.raises(ApiException) as caught:
        api.read_namespaced_pod("none", NAMESPACE)
    assert caught.value.status == 404
    assert '"kind":"Status"' in str(caught.value.body)


def test_the_official_client_forwards_a_port(api: Any, module: Module) -> None:
    forward = portforward(api.connect_get_namespaced_pod_portforward, f"http-module-v1-{module.port}", NAMESPACE, ports=str(module.port))
    with closing(forward.socket(module.port)) as near, socket.create_server(("127.0.0.1", 0)) as listener:
        near.setblocking(True)
        with grpc.insecure_channel(f"127.0.0.1:{listener.getsockname()[1]}") as channel:
            asked = health_pb2_grpc.HealthStub(channel).Check.future(health_pb2.HealthCheckRequest(), timeout=10)
            accepted, _ = listener.accept()
            with accepted:
                _pass_on_until(asked, accepted, near)
            assert asked.result().status == health_pb2.HealthCheckResponse.SERVING
        near.shutdown(socket.SHUT_WR)
        while near.recv(65_536):  # closed with something unread, it is reset, which the official client's thread takes as an error
            pass
    assert forward.error(module.port) is None


def _pass_on_until(asked: Any, one: socket.socket, other: Any) -> None:
    while not asked.done():
        for source in select.select([one, other.fileno()], [], [], 0.05)[0]:
            if source is one:
                other.sendall(one.recv(65_536))
            else:
                one.sendall(other.recv(65_536))


def test_a_port_that_nobody_serves_is_told_on_its_error_channel(api: Any, module: Module) -> None:
    pod = f"http-module-v1-{module.port}"
    forward = portforward(api.connect_get_namespaced_pod_portforward, pod, NAMESPACE, ports="81")
    with closing(forward.socket(81)) as near:
        near.settimeout(10)
        assert near.recv(1) == b""
    assert forward.error(81).startswith(f"error forwarding port 81 to pod {pod}, uid ")
    assert "connection refused" in forward.error(81)


def test_who_may_not_is_refused(lab: tp.Lab, api: Any, module: Module) -> None:
    pod = f"http-module-v1-{module.port}"
    lab.api.grant(verbs=["get", "list"])
    try:
        with pytest.raises(ApiException) as caught:
            portforward(api.connect_get_namespaced_pod_portforward, pod, NAMESPACE, ports=str(module.port))
        assert "403" in str(caught.value)
    finally:
        lab.api.heal()
    with pytest.raises(ApiException, match="404"):
        portforward(api.connect_get_namespaced_pod_portforward, "none", NAMESPACE, ports="80")


def test_many_bytes_both_ways_arrive_unchanged(lab: tp.Lab, api: Any) -> None:
    """Through a pod that echoes, made by hand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        metadata = {"name": f"echo-{port}", "namespace": NAMESPACE}
        spec = {"containers": [{"name": "echo", "ports": [{"containerPort": port}]}]}
        lab.resources.ask(
            "POST", f"/api/v1/namespaces/{NAMESPACE}/pods", {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}
        )
        forward = portforward(api.connect_get_namespaced_pod_portforward, metadata["name"], NAMESPACE, ports=str(port))
        with closing(forward.socket(port)) as near:
            near.settimeout(20)
            accepted, _ = listener.accept()
            with accepted:
                sent = random.Random(7).randbytes(3_000_000)
                for start in range(0, len(sent), 100_000):
                    piece = sent[start : start + 100_000]
                    near.sendall(piece)
                    assert _read(accepted, len(piece)) == piece
                    accepted.sendall(piece)
                    assert _read(near, len(piece)) == piece
            assert near.recv(1) == b""
    assert forward.error(port) is None


def _read(source: Any, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = source.recv(min(65_536, size - len(found)))
        assert piece
        found += piece
    return bytes(found)


def test_pods_come_and_go_with_their_module(lab: tp.Lab, api: Any) -> None:
    mover = lab.start("mover", replicas=2, namespace="staging")
    assert len(api.list_namespaced_pod("staging").items) == 2
    before = {pod.metadata.name for pod in api.list_namespaced_pod("staging").items}
    mover.move()
    after = {pod.metadata.name for pod in api.list_namespaced_pod("staging").items}
    assert len(after) == 2
    assert not before & after
    lab.api.kill()
    lab.api.restart()
    assert {pod.metadata.name for pod in api.list_namespaced_pod("staging").items} == after
    mover.remove()
    assert api.list_namespaced_pod("staging").items == []
    assert api.list_namespaced_service("staging").items == []
