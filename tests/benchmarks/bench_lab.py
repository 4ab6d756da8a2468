"""What the lab costs: how long its verbs take, and how fast its flapping server flaps."""

import time
from collections.abc import Callable, Iterator

import grpc

from tinypool_nb.lab import FlappingServer, Lab

Row = tuple[str, float, str, float | None, str]


def milliseconds(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1000


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    yield from verbs()
    yield flaps()


def verbs() -> Iterator[Row]:
    with Lab() as lab:
        yield "lab: first server, with the guard", milliseconds(lambda: lab.start("first")), "ms", None, ""
        yield "lab: one more server", milliseconds(lambda: lab.start("second")), "ms", None, ""
        yield "lab: four servers at once", milliseconds(lambda: lab.start_all(["a", "b", "c", "d"])), "ms", None, "4 x one"
        module = lab["first"]
        for verb in (module.freeze, module.thaw, module.stop, module.restart, module.kill):
            yield f"lab: {verb.__name__}", milliseconds(verb), "ms", None, ""
        yield "lab: close, 6 servers", milliseconds(lab.close), "ms", None, ""


def flaps() -> Row:
    clients, each = 200, 20
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    with FlappingServer(hold=0.0, flaps=clients * each) as server:
        channels = [grpc.insecure_channel(f"ipv4:{server.address}#flapping-{n}", options) for n in range(clients)]
        begin = time.perf_counter()
        while server.counts().closed < clients * each:
            for channel in channels:
                channel._channel.check_connectivity_state(True)  # type: ignore[attr-defined]  # the only way to ask it to connect
        took = time.perf_counter() - begin
        for channel in channels:
            channel.close()
    return "lab: flaps of 200 clients", clients * each / took, "flaps/s", None, ""
