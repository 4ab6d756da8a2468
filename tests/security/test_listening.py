"""Whatever listens, listens on the loopback, unless somebody asked for more."""

from collections.abc import Iterator

import psutil

import tinypool_nb as tp

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
"""The last is how gRPC's servers listen at the first."""


def listening() -> Iterator[tuple[str, int]]:
    """The address and port of every listening socket of this process and of all that it started."""
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN or (connection.type == 2 and not connection.raddr):  # UDP says no state
                yield connection.laddr.ip, connection.laddr.port


def test_pool_lab_api_server_and_metrics_listen_on_the_loopback_alone() -> None:
    before = set(listening())
    with tp.Lab(kubernetes=True) as lab, tp.Pool(tp.PoolOptions(eager_reconnect=True)) as pool:
        module = lab.start("http-module-v1")
        secured = lab.start("secured", tls=True)
        pool.register(module.name, module.address)
        pool.send(module.name)
        server = pool.serve_metrics(0)
        opened = set(listening()) - before
        assert {ip for ip, _ in opened} <= LOOPBACK
        assert {module.port, secured.port, server.port} <= {port for _, port in opened}


def test_who_asks_is_heard_by_everybody() -> None:
    before = set(listening())
    with tp.Pool() as pool:
        server = pool.serve_metrics(0, "0.0.0.0")
        assert set(listening()) - before == {("0.0.0.0", server.port)}
