"""Whatever listens, listens on the loopback, unless somebody asked for more."""

import socket
from collections.abc import Iterator

import psutil
import pytest

import tinypool_nb as tp
from tinypool_nb.lab import FlappingServer, Kubernetes

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
"""The last is how gRPC's servers listen at the first."""
Socket = tuple[str, str, int]
"""tcp or udp, address, port."""


def listening() -> Iterator[Socket]:
    """Every listening socket of this process and of all that it started."""
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        for connection in process.net_connections("inet"):
            if connection.type == socket.SOCK_DGRAM and not connection.raddr:  # UDP says no state
                yield "udp", connection.laddr.ip, connection.laddr.port
            elif connection.status == psutil.CONN_LISTEN:
                yield "tcp", connection.laddr.ip, connection.laddr.port


@pytest.fixture
def before() -> set[Socket]:
    """What listens already."""
    return set(listening())


def check(before: set[Socket], *ports: int, udp: int | None = None) -> None:
    """What was opened since then listens on the loopback alone, and all of these ports are among it."""
    opened = set(listening()) - before
    assert {address for _, address, _ in opened} <= LOOPBACK
    assert set(ports) <= {port for kind, _, port in opened if kind == "tcp"}
    assert udp is None or udp in {port for kind, _, port in opened if kind == "udp"}


def test_pool_lab_api_server_and_metrics(before: set[Socket]) -> None:
    with tp.Lab(kubernetes=True) as lab, tp.Pool(tp.PoolOptions(eager_reconnect=True)) as pool:
        module = lab.start("http-module-v1")
        secured = lab.start("secured", tls=True)
        pool.register(module.name, module.address)
        pool.send(module.name)
        server = pool.serve_metrics(0)
        check(before, module.port, secured.port, server.port)


def test_what_breaks_things_in_a_lab(before: set[Socket]) -> None:
    with tp.Lab() as lab, FlappingServer() as flapping:
        behind = lab.start("behind", proxied=True)
        old = lab.start("old", kind="http/1.1")
        bad = lab.start("bad", tls="expired")
        proxy = lab.proxy(old.address)
        dns = lab.dns()
        connect = lab.connect_proxy()
        check(
            before,
            behind.port,
            old.port,
            bad.port,
            proxy.port,
            dns.port,
            connect.port,
            int(flapping.address.rpartition(":")[2]),
            udp=dns.port,
        )
        with proxy.faults.refuse():
            pass  # when it is healed it listens anew
        old.restart()
        check(before, old.port, proxy.port)


def test_the_listeners_of_port_forwards(before: set[Socket]) -> None:
    with tp.Lab(kubernetes=Kubernetes(cluster_names=True)) as lab, tp.Pool() as pool:
        lab.start("http-module-v1")
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait(20)
        assert pool.send("http-module-v1", wait_for_ready=True, timeout=20)
        local = str(pool.connections()["address"].iloc[0])
        assert local.startswith("127.0.0.1:")
        check(before, int(local.rpartition(":")[2]))


def test_who_asks_is_heard_by_everybody(before: set[Socket]) -> None:
    with tp.Pool() as pool:
        server = pool.serve_metrics(0, "0.0.0.0")
        assert set(listening()) - before == {("tcp", "0.0.0.0", server.port)}
