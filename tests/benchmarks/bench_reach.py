"""What the ways from a laptop into a cluster cost, on loopback: directly, through a CONNECT proxy, through a port-forward."""

import threading
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter_ns

import tinypool_nb as tp
from tinypool_nb.lab import Kubernetes

Row = tuple[str, float, str, float | None, str]
CALLS = 1_500
RECONNECTIONS = 20


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    with tp.Lab(kubernetes=Kubernetes(cluster_names=True)) as lab, tp.ClientPool() as pool:
        module = lab.start("http-module-v1")
        inside = lab.resources.get("http-module-v1")["status"]["addr"]
        before = threading.active_count()
        pool.discover(kubeconfig=lab.kubeconfig, port_forward=True).wait()
        listening = threading.active_count() - before - 1
        pool.register("direct", module.address)
        pool.register("proxied", inside, options=tp.PoolOptions(proxy=lab.connect_proxy().url))
        names = ("direct", "proxied", "http-module-v1")
        for name in names:
            pool.wait(name, timeout=10)
        yield "threads of a discovery that forwards, besides its own", float(listening), "threads", 1.0, ""
        connected = sum(thread.name == "tinypool-forward" for thread in threading.enumerate())
        yield "threads of one connection through a port-forward", float(connected), "threads", 1.0, "direct, or through a proxy: 0"
        direct, proxied, forwarded = (
            median(took) / 1e6 for took in _interleaved([_sender(pool, name, b"x" * 100) for name in names], CALLS)
        )
        yield "a call through a CONNECT proxy, p50", proxied, "ms", 2.0, f"direct: {direct:.2f} ms"
        yield "a call through a port-forward, p50", forwarded, "ms", 2.0, f"direct: {direct:.2f} ms"
        big = [_sender(pool, name, b"x" * 1_000_000) for name in names]
        direct, proxied, forwarded = (median(took) / 1e6 for took in _interleaved(big, 60))
        yield "a call of 1 MB each way through a CONNECT proxy, p50", proxied, "ms", None, f"direct: {direct:.1f} ms"
        yield "a call of 1 MB each way through a port-forward, p50", forwarded, "ms", None, f"direct: {direct:.1f} ms"
        direct, proxied, forwarded = (
            median(took) / 1e6 for took in _interleaved([_reconnector(pool, name) for name in names], RECONNECTIONS)
        )
        yield "reconnect to READY through a CONNECT proxy, p50", proxied, "ms", None, f"direct: {direct:.0f} ms"
        yield "reconnect to READY through a port-forward, p50", forwarded, "ms", 500.0, f"direct: {direct:.0f} ms"


def _sender(pool: tp.ClientPool, name: str, payload: bytes) -> Callable[[], object]:
    return lambda: pool.send(name, to="a.b", payload=payload)


def _reconnector(pool: tp.ClientPool, name: str) -> Callable[[], object]:
    def reconnect() -> None:
        pool.reconnect(name)
        pool.wait(name, timeout=10)

    return reconnect


def _interleaved(ways: list[Callable[[], object]], rounds: int) -> list[list[int]]:
    """Nanoseconds of each way in each round; in turns, so that what else the machine does slows all alike."""
    took: list[list[int]] = [[] for _ in ways]
    for _ in range(rounds):
        for times, way in zip(took, ways, strict=True):
            begun = perf_counter_ns()
            way()
            times.append(perf_counter_ns() - begun)
    return took


if __name__ == "__main__":
    for row in figures():
        print(*row, sep=" | ")
