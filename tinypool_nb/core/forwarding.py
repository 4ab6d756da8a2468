"""From a module's address to the pod that serves it, as port-forward needs it. Pure.

Source: Kubernetes, "DNS for Services and Pods", "Service" (targetPort, headless services) and "Pod Lifecycle" (conditions).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, NamedTuple

from tinypool_nb.core.addresses import Scheme, parse_address
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import ForwardError, shown

MOST_FORWARDS = 16
"""Modules of a discovery at a time: each connection costs a thread here and a stream through the API server, which serves others too."""
TOO_MANY = (
    f"port-forward is for a handful, and {MOST_FORWARDS} modules are forwarded already; run one CONNECT proxy in the cluster, "
    "forward its port, and give the pool proxy='http://127.0.0.1:3128': it leads to all of them"
)


class Service(NamedTuple):
    """A port of a service, as its name in a cluster says it."""

    name: str
    namespace: str
    port: int

    def __str__(self) -> str:
        return f"service {self.name} in namespace {self.namespace}"


class Target(NamedTuple):
    """A port of a pod."""

    pod: str
    namespace: str
    port: int


def service_of(address: str, namespace: str) -> Service | None:
    """The service that an address names; None if it is dialled as it is: one on loopback, or a name that is none of a cluster's.

    Args:
        address: as the resource says it.
        namespace: the resource's: where a bare name is looked up.

    Raises:
        AddressError: it is no address.
        ForwardError: it is inside the cluster, but names no service.

    >>> service_of("http-module-v1:50051", "tinysystems")
    Service(name='http-module-v1', namespace='tinysystems', port=50051)
    >>> service_of("http-module-v1.staging.svc.cluster.local:50051", "tinysystems").namespace
    'staging'
    >>> service_of("127.0.0.1:50051", "tinysystems")
    """
    parsed = parse_address(address)
    if parsed.scheme is Scheme.UNIX or all(_is_loopback(host) for host in parsed.hosts):
        return None
    if len(parsed.endpoints) != 1:
        raise ForwardError(f"{shown(address)} lists several endpoints, and port-forward leads to one service's pod")
    ((host, port),) = parsed.endpoints
    if _is_ip(host):
        raise ForwardError(f"{shown(address)} names an IP address, and port-forward finds pods by the name of their service")
    match host.removesuffix(".").split("."):
        case [name]:
            return Service(name, namespace, port)
        case [name, where] | [name, where, "svc", *_]:
            return Service(name, where, port)
        case [_, _, _, "svc", *_]:
            raise ForwardError(
                f"{shown(address)} names a pod of a headless service, and port-forward finds pods by the name of their service"
            )
        case _:
            return None


def forwarded_options(options: PoolOptions, address: str) -> PoolOptions:
    """The settings for a local port that leads to `address`: no proxy is in the way, and the certificate still names the module.

    Nor is it probed: the local port accepts whether or not there is a pod, and each probe would open a way through the API server.

    >>> from tinypool_nb.core.tls import Tls
    >>> forwarded_options(PoolOptions(tls=Tls(), proxy="127.0.0.1:3128"), "http-module-v1.tinysystems.svc:50051").tls
    Tls(server_name='http-module-v1.tinysystems.svc')
    """
    tls = options.tls
    if tls is not None and tls.server_name is None:
        tls = replace(tls, server_name=parse_address(address).hosts[0])
    return replace(options, proxy=None, tls=tls, eager_reconnect=False)


def target_of(service: Service, told: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> Target:
    """The pod and its port that a connection to the service comes to.

    Args:
        service: which is meant.
        told: the service, as the API server says it.
        pods: those that its selector picks; read no further than to the first that is ready.

    Raises:
        ForwardError: none; with the reason.
    """
    ports = [each for each in told["spec"].get("ports") or () if each.get("port") == service.port and each.get("protocol", "TCP") == "TCP"]
    if not ports:
        there = ", ".join(str(each.get("port")) for each in told["spec"].get("ports") or ()) or "none"
        raise ForwardError(f"{service} has no port {service.port}; it has {there}")
    number = 0
    for pod in pods:
        if _is_ready(pod):
            return Target(pod["metadata"]["name"], service.namespace, _port(service, told, ports[0], pod))
        number += 1
    found = f"{number} of its pods are there" if number else "it picks none"
    raise ForwardError(f"no pod of {service} is ready ({found})")


def selector_of(service: Service, told: Mapping[str, Any]) -> str:
    """The label selector that picks the pods of a service.

    Raises:
        ForwardError: it picks none.
    """
    selector = told["spec"].get("selector") or {}
    if not selector:
        raise ForwardError(f"{service} has no selector, so it names no pods")
    return ",".join(f"{label}={value}" for label, value in selector.items())


def _port(service: Service, told: Mapping[str, Any], port: Mapping[str, Any], pod: Mapping[str, Any]) -> int:
    if told["spec"].get("clusterIP") == "None":
        return service.port  # a headless service's name leads to the pods themselves
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    for container in pod["spec"].get("containers") or ():
        for each in container.get("ports") or ():
            if each.get("name") == wanted:
                return int(each["containerPort"])
    raise ForwardError(f"{service} leads to port {shown(wanted)}, which no container of pod {pod['metadata']['name']} has")


def _is_ready(pod: Mapping[str, Any]) -> bool:
    status = pod.get("status") or {}
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    return status.get("phase") == "Running" and conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)
