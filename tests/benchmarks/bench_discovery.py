"""What it takes to discover 5,000 modules, and how soon a patch reaches the pool. The API server is the lab's, another process."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import psutil

import tinypool_nb as tp
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.discovering import Scope
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.discovery.registry import Registry
from tinypool_nb.journal.journal import Journal

ROOT = Path(__file__).parents[2]
MODULES = 5_000
PATCHES = 200
LONGEST = 60.0
"""Seconds that anything may take."""

Figure = tuple[str, float, str, float | None, str]


class Timed(ClientPool):
    """Knows when it was asked to change."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.came = threading.Event()
        super().__init__(PoolOptions())

    def _place(self, key: ModuleKey, address: str | None) -> None:
        super()._place(key, address)
        self.asked.append(time.monotonic_ns())
        self.came.set()


def figures() -> Iterator[Figure]:
    """Each row: what, measured, unit, bar, compared to."""
    process = psutil.Process()
    components = [{"name": f"component-{n}", "description": "what it does", "info": "how", "tags": ["a", "b"]} for n in range(5)]
    with tp.Lab(kubernetes=tp.lab.Kubernetes(tls=False)) as lab:
        for number in range(MODULES):
            addr = f"10.0.{number // 250}.{number % 250}:50051"
            lab.resources.create(f"module-{number}", addr=addr, status={"components": components})
        config = lab.kubeconfig
        with Timed() as warm:
            warm.discover(kubeconfig=config, namespace="nobody").wait(LONGEST)  # loads the client
        before, cpu = process.memory_info().rss, sum(process.cpu_times()[:2])
        with Timed() as pool:
            began = time.perf_counter()
            discovery = pool.discover(kubeconfig=config)
            discovery.wait(LONGEST)
            took = time.perf_counter() - began
            spent = sum(process.cpu_times()[:2]) - cpu
            grown = (process.memory_info().rss - before) / 1e6
            yield f"{MODULES:,} modules synced, their channels opened", took, "s", 3, f"{spent:.2f} s of CPU"
            lags = list(patches(lab, pool))
            p99 = quantiles(lags, n=100)[98]
            yield "a patch until the pool has it, p50", median(lags), "ms", 50, f"p99 {p99:.1f} ms"
            yield (
                "  memory, with the channels",
                grown,
                "MB",
                None,
                f"{channels():.0f} MB are those of {MODULES:,} channels registered by hand; the bar is for what discovery adds, below",
            )
        yield "  memory of what discovery knows, without the channels", known(), "MB", 50, "one resource as JSON is 0.8 kB"
        yield "closing the discovery", closing(config), "ms", 1000, "while its watch is open"


def patches(lab: tp.Lab, pool: Timed) -> Iterator[float]:
    """Milliseconds from the sending of a patch to the pool's new channel."""
    for number in range(PATCHES):
        pool.came.clear()
        begun = time.monotonic_ns()
        lab.resources.patch_status(f"module-{number}", {"addr": f"10.1.0.{number}:50051"})
        if not pool.came.wait(LONGEST):
            raise TimeoutError("a patch never came")
        yield (pool.asked[-1] - begun) / 1e6
        time.sleep(0.005)


def channels() -> float:
    """Megabytes of as many channels without discovery."""
    process = psutil.Process()
    before = process.memory_info().rss
    with ClientPool() as pool:
        for number in range(MODULES):
            pool.register(f"module-{number}", f"10.0.{number // 250}.{number % 250}:50051", namespace="other")
        return (process.memory_info().rss - before) / 1e6


def known() -> float:
    """Megabytes of what a discovery knows of all modules, in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import bench_discovery; print(bench_discovery.known_here())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)


def known_here() -> float:
    """As `known`, in this process."""
    process, books = psutil.Process(), Registry(Journal(), lambda *_: None)
    book = books.open(Scope("https://10.0.0.1", None))
    before = process.memory_info().rss
    for number in range(MODULES):
        metadata = {"namespace": "tinysystems", "name": f"module-{number}", "uid": f"uid-{number}", "resourceVersion": str(number)}
        components = [{"name": f"component-{n}"} for n in range(5)]
        status = {"addr": f"10.0.{number // 250}.{number % 250}:50051", "version": "1.0.0", "components": components}
        books.seen(book, json.loads(json.dumps({"metadata": metadata, "status": status})))
    return (process.memory_info().rss - before) / 1e6


def closing(config: str) -> float:
    """Milliseconds."""
    with Timed() as pool:
        discovery = pool.discover(kubeconfig=config, namespace="nobody")
        discovery.wait(LONGEST)
        began = time.perf_counter()
        discovery.close()
        return (time.perf_counter() - began) * 1e3
