"""From an address to a service, and from a service to a pod's port."""

from typing import Any

import pytest

from tinypool_nb.core.forwarding import Service, Target, selector_of, service_of, target_of
from tinypool_nb.errors import ForwardError

HERE = "tinysystems"
SERVICE = Service("http-module-v1", HERE, 50051)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http-module-v1:50051", SERVICE),
        ("http-module-v1.staging:50051", SERVICE._replace(namespace="staging")),
        ("http-module-v1.staging.svc:50051", SERVICE._replace(namespace="staging")),
        ("http-module-v1.staging.svc.cluster.local:50051", SERVICE._replace(namespace="staging")),
        ("dns:///http-module-v1.staging.svc.my.domain.:50051", SERVICE._replace(namespace="staging")),
        ("127.0.0.1:50051", None),
        ("[::1]:50051", None),
        ("localhost:50051", None),
        ("ipv4:127.0.0.1:50051,127.0.0.1:50052", None),
        ("modules.company.example:443", None),
    ],
)
def test_the_service_that_an_address_names(address: str, found: Service | None) -> None:
    assert service_of(address, HERE) == found


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.0.0.7:50051", "names an IP address"),
        ("ipv4:10.0.0.7:1,10.0.0.8:1", "several endpoints"),
        ("web-0.http-module-v1.staging.svc.cluster.local:50051", "headless"),
    ],
)
def test_what_cannot_be_forwarded_says_why(address: str, reason: str) -> None:
    with pytest.raises(ForwardError, match=reason):
        service_of(address, HERE)


def service(target: object = "grpc", **spec: object) -> dict[str, Any]:
    return {"spec": {"selector": {"app": "http", "tier": "web"}, "ports": [{"port": 50051, "targetPort": target}], **spec}}


def pod(name: str = "pod-1", *, phase: str = "Running", ready: str = "True", **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "module", "ports": [{"name": "grpc", "containerPort": 9000}]}]},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_named_port_a_number_none_and_a_headless_service() -> None:
    assert target_of(SERVICE, service(), [pod()]) == Target("pod-1", HERE, 9000)
    assert target_of(SERVICE, service(8080), [pod()]).port == 8080
    assert target_of(SERVICE, {"spec": {"ports": [{"port": 50051}]}}, [pod()]).port == 50051
    assert target_of(SERVICE, service(8080, clusterIP="None"), [pod()]).port == 50051
    assert selector_of(SERVICE, service()) == "app=http,tier=web"


def test_only_a_pod_that_is_ready_serves() -> None:
    pods = [pod("a", phase="Pending"), pod("b", ready="False"), pod("c", deletionTimestamp="2026-01-01T00:00:00Z"), pod("d")]
    assert target_of(SERVICE, service(), pods).pod == "d"
    with pytest.raises(
        ForwardError, match=r"no pod of service http-module-v1 in namespace tinysystems is ready \(3 of its pods are there\)"
    ):
        target_of(SERVICE, service(), pods[:3])


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (service(ports=[{"port": 80}, {"port": 443}]), "has no port 50051; it has 80, 443"),
        (service(ports=None), "it has none"),
        (service("http"), "no container of pod pod-1 has"),
    ],
)
def test_a_service_that_leads_nowhere(told: dict[str, Any], reason: str) -> None:
    with pytest.raises(ForwardError, match=reason):
        target_of(SERVICE, told, [pod()])


def test_a_service_without_a_selector() -> None:
    with pytest.raises(ForwardError, match="no selector"):
        selector_of(SERVICE, {"spec": {"type": "ExternalName"}})
