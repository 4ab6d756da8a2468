"""The HTTP side: real sockets, clients that misbehave, and an end that waits for nobody."""

import gc
import gzip
import logging
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import CollectorRegistry

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.states import State
from tinypool_nb.errors import ForkedPoolError, OptionsError, PoolClosedError
from tinypool_nb.lab import Lab
from tinypool_nb.metrics.server import MetricsServer

HTTP = "http-module-v1"
QUICK = 2.0
"""Seconds; long before any timeout of the server's."""


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool() as pool:
        pool.register(HTTP, "127.0.0.1:1")
        yield pool


def get(url: str, **headers: str) -> bytes:
    with urlopen(Request(url, headers=headers), timeout=QUICK) as answer:
        body: bytes = answer.read()
        return body


def test_whoever_asks_gets_the_metrics(pool: ClientPool) -> None:
    server = pool.serve_metrics(port=0)
    assert server.url == f"http://127.0.0.1:{server.port}/metrics"
    assert repr(server) == f"<MetricsServer {server.url}>"
    assert b'tinysystems_client_pool_connections{module="http-module-v1",state="IDLE"} 1.0' in get(server.url)
    assert gzip.decompress(get(server.url, **{"Accept-Encoding": "gzip"})).startswith(b"# HELP tinysystems_client_pool_connections")
    assert get(server.url, Accept="application/openmetrics-text; version=1.0.0").endswith(b"# EOF\n")


def test_the_default_is_the_loopback(pool: ClientPool) -> None:
    server = pool.serve_metrics(port=0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=QUICK)


def test_a_real_module_is_told_of(pool: ClientPool) -> None:
    with Lab() as lab:
        module = lab.start(HTTP)
        pool.register(HTTP, module.address)
        pool.send(HTTP, to="node.port", payload=b"{}")
        pool.catch_up()
        own = CollectorRegistry()
        own.register(pool.collector())
        labels = {"module": HTTP, "grpc_target": f"dns:///{module.address}"}
        assert own.get_sample_value("tinysystems_client_pool_connections", {"module": HTTP, "state": "READY"}) == 1
        assert own.get_sample_value("tinysystems_client_pool_operations_total", {"operation": "send", "status": "ok"}) == 1
        assert own.get_sample_value("grpc_subchannel_connection_attempts_succeeded_total", labels) == 1
        of_calls = {**labels, "grpc_method": "module.ModuleService/Message", "grpc_status": "OK"}
        assert own.get_sample_value("grpc_client_call_duration_seconds_count", of_calls) == 1


def test_the_collector_is_one_and_outlives_its_pool_without_modules(pool: ClientPool) -> None:
    assert pool.collector() is pool.collector()
    pool.close()
    samples = [sample for family in pool.collector().collect() for sample in family.samples]
    assert {sample.name for sample in samples} == {"tinysystems_client_pool_operations_total"}


def test_closing_the_pool_ends_every_server_and_frees_the_ports() -> None:
    pool = ClientPool()
    servers = [pool.serve_metrics(port=0), pool.serve_metrics(port=0)]
    assert servers[0].port != servers[1].port
    pool.close()
    assert [repr(server) for server in servers] == ["<MetricsServer closed>"] * 2
    for server in servers:
        with ClientPool() as other:
            other.serve_metrics(port=server.port)
    with pytest.raises(PoolClosedError, match="serve_metrics"):
        pool.serve_metrics(port=0)


def test_a_server_that_is_closed_leaves_the_pool_and_its_other_servers(pool: ClientPool) -> None:
    one, other = pool.serve_metrics(port=0), pool.serve_metrics(port=0)
    one.close()
    one.close()
    assert get(other.url)
    assert get(pool.serve_metrics(port=one.port).url)


def test_a_pool_that_nobody_holds_takes_its_server_along() -> None:
    pool = ClientPool()
    server = pool.serve_metrics(port=0)
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None
    assert server.is_closed  # the tests' own check finds its thread and socket if they are still there


def test_a_taken_port_is_refused_in_words(pool: ClientPool) -> None:
    server = pool.serve_metrics(port=0)
    with ClientPool() as other, pytest.raises(OptionsError, match=f"port={server.port} was refused: .*already; take another port, or 0"):
        other.serve_metrics(port=server.port)


@pytest.mark.parametrize("port", [-1, 65_536, "9464", True, None, 1.5])
def test_what_is_no_port_is_refused(pool: ClientPool, port: Any) -> None:
    with pytest.raises(OptionsError, match=r"port=.* was refused: an int from 0 to 65535"):
        pool.serve_metrics(port=port)


@pytest.mark.parametrize("address", ["", "192.0.2.1", "a..b", "x" * 64 + ".invalid", "127.0.0.1:9464", None, 7])
def test_what_is_no_address_of_this_machine_is_refused(pool: ClientPool, address: Any) -> None:
    with pytest.raises(OptionsError, match=r"address=.* was refused: an address of this machine"):
        pool.serve_metrics(port=0, address=address)


def test_a_client_that_says_nothing_delays_neither_others_nor_the_end(pool: ClientPool) -> None:
    server = pool.serve_metrics(port=0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=QUICK) as silent:
        assert get(server.url)
        server.close()
        assert silent.recv(1) == b""


def test_a_client_that_does_not_read_delays_neither_others_nor_the_end(pool: ClientPool) -> None:
    for index in range(500):
        pool.register(f"module-{index}", "127.0.0.1:1")
    pool.catch_up()
    server = pool.serve_metrics(port=0)
    with closing(socket.socket()) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(QUICK)
        lazy.connect(("127.0.0.1", server.port))
        lazy.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert lazy.recv(4) == b"HTTP"
        assert len(get(server.url)) > 500_000
        assert pool.journal.position().transitions >= 500, "the journal is free"
        server.close()


def test_a_client_that_goes_away_is_no_event(pool: ClientPool, capfd: pytest.CaptureFixture[str]) -> None:
    server = pool.serve_metrics(port=0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=QUICK) as hasty:
        hasty.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # its end is a reset
    assert get(server.url)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("request_line", ["POST /metrics HTTP/1.0", "nonsense", "GET", "GET /metrics HTTP/9.9"])
def test_nonsense_is_answered_and_harms_nobody(pool: ClientPool, request_line: str, capfd: pytest.CaptureFixture[str]) -> None:
    server = pool.serve_metrics(port=0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=QUICK) as client:
        client.sendall(request_line.encode() + b"\r\n\r\n")
        while client.recv(4096):
            pass
    assert get(server.url)
    assert capfd.readouterr() == ("", "")


class Broken:
    """A collector that fails when it is told to."""

    def __init__(self, collect: Callable[[], Any]) -> None:
        self.broken = True
        self._collect = collect

    def collect(self) -> Any:
        if self.broken:
            raise RuntimeError("no numbers today")
        return self._collect()


def test_a_failing_scrape_is_told_to_who_scrapes_and_to_the_log(pool: ClientPool, caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken(pool.collector().collect)
    server = MetricsServer(broken, port=0)
    with caplog.at_level(logging.ERROR, "tinypool_nb.metrics"), pytest.raises(HTTPError, match="500") as failed:
        get(server.url)
    failed.value.close()
    assert "no numbers today" in caplog.text
    assert pool.health() == {HTTP: State.IDLE}
    broken.broken = False
    assert get(server.url)
    server.close()


OUT_OF_DESCRIPTORS = """
import os, resource, socket, time
from prometheus_client import CollectorRegistry
from tinypool_nb.metrics.server import MetricsServer

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
server, client, full = MetricsServer(CollectorRegistry(), port=0), socket.socket(), []
client.settimeout(10)
try:
    while True:
        full.append(os.dup(0))
except OSError:
    pass
client.connect(("127.0.0.1", server.port))
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
used = time.process_time()
time.sleep(0.5)
print(time.process_time() - used < 0.1)
for descriptor in full:
    os.close(descriptor)
print(client.recv(12))
"""


def test_where_no_descriptor_is_free_a_client_waits_and_no_processor_is_burnt() -> None:
    done = subprocess.run([sys.executable, "-c", OUT_OF_DESCRIPTORS], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == ["True", "b'HTTP/1.0 200'"]


def test_a_fork_serves_nothing(pool: ClientPool) -> None:
    pool._pid += 1
    with pytest.raises(ForkedPoolError):
        pool.serve_metrics(port=0)
    pool._pid -= 1
