"""What a call through a pool costs over one without, on a real loopback server, calls interleaved; and how many go through in a second."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter_ns
from timeit import repeat

import grpc

from tests.ports import bound
from tinypool_nb.channels.calls import CallLog
from tinypool_nb.channels.opening import open_channel
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.journal.journal import Journal
from tinypool_nb.lab import Lab
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

Row = tuple[str, float, str, float | None, str]
METHOD = "/bench.Calls/Echo"
CALLS = 3000
ROUNDS = 60
SLICE = 150_000_000
IDENTITY = ChannelIdentity(1, ModuleKey(None, "bench"), "bench:1", 1)


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    server = grpc.server(ThreadPoolExecutor(4))
    echo: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Calls", {"Echo": echo}),))
    port = bound(server)
    server.start()
    bare = open_channel(f"ipv4:127.0.0.1:{port}", 900_001, PoolOptions())
    pooled = PooledChannel(IDENTITY, bare)
    journal = Journal()
    recorded = PooledChannel(IDENTITY, bare, calls=CallLog(journal.append, journal.clock, lambda: None))
    try:
        yield from _real_calls(bare, pooled, "pooled channel", 5.0)
        yield from _real_calls(pooled, recorded, "recorded channel", 10.0)
    finally:
        pooled.retire("the benchmark is over").close()
        server.stop(None).wait()
    yield from _the_way_in()
    yield from _throughput()


def _real_calls(less: grpc.Channel, more: grpc.Channel, name: str, bar: float) -> Iterator[Row]:
    for verb, how in (("__call__", "blocking call"), ("future", "future")):
        less_us, more_us = _interleaved(_waiting(less, verb), _waiting(more, verb))
        without = "bare" if bar < 10 else "unrecorded"
        yield f"{how} through the {name}, over the {without} one, p50", more_us - less_us, "us", bar, f"{without}: {less_us:.0f} us"


def _waiting(channel: grpc.Channel, verb: str) -> Callable[[], object]:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    if verb == "future":
        return lambda: call.future(b"x").result()
    return lambda: call(b"x")


def _interleaved(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Medians in microseconds; each pair of calls in turn, so that a busy machine slows both alike."""
    took: tuple[list[int], list[int]] = ([], [])
    for number in range(CALLS):
        for which in (0, 1) if number % 2 else (1, 0):
            begun = perf_counter_ns()
            (first, second)[which]()
            took[which].append(perf_counter_ns() - begun)
    return median(took[0][100:]) / 1000, median(took[1][100:]) / 1000


class _Instant(grpc.Channel):
    """A channel whose unary calls return at once: what is left is the way in."""

    def unary_unary(self, *_: object) -> Callable[..., bytes]:  # type: ignore[override]
        return lambda *_: b""

    unary_stream = stream_unary = stream_stream = subscribe = unsubscribe = close = unary_unary  # type: ignore[assignment]


def _the_way_in() -> Iterator[Row]:
    bare = _Instant()
    pooled = PooledChannel(IDENTITY, bare)
    first, second = bare.unary_unary(METHOD), pooled.unary_unary(METHOD)
    over = min(repeat(lambda: second(b"x"), number=20_000)) - min(repeat(lambda: first(b"x", None, None, None, None, None), number=20_000))
    yield "the same without network: way into the channel, best of 5", over / 20_000 * 1e6, "us", 5.0, "a channel that answers at once"
    log = CallLog(lambda _: None, Journal().clock, lambda: None)
    third = PooledChannel(IDENTITY, bare, calls=log).unary_unary(METHOD)
    over = min(repeat(lambda: third(b"x"), number=20_000)) - min(repeat(lambda: second(b"x"), number=20_000))
    yield "recording a call, without network and journal, best of 5", over / 20_000 * 1e6, "us", 10.0, "the same, unrecorded"
    old = pooled.replace(_Instant(), IDENTITY)
    held = min(repeat(lambda: pooled.is_held(old), number=20_000)) / 20_000 * 1e6
    yield "PooledChannel.is_held: may this channel be closed?", held, "us", None, "one channelz read: 96-130 us"


def _throughput() -> Iterator[Row]:
    """Calls a second by plain grpcio and through a pool that records them, in turns."""
    with Lab() as lab, ClientPool() as pool:
        module = lab.start("bench")
        pool.register("bench", module.address)
        plain = grpc.insecure_channel(module.address)
        payload = b"x" * 100
        of_plain, of_pool = (ModuleServiceStub(channel) for channel in (plain, pool["bench"]))
        ways: dict[str, Callable[[], object]] = {
            "plain grpcio": lambda: of_plain.Message(MessageRequest(To="a.b", Payload=payload), timeout=10),
            "a stub on the pool's channel": lambda: of_pool.Message(MessageRequest(To="a.b", Payload=payload), timeout=10),
            "pool.send": lambda: pool.send("bench", to="a.b", payload=payload),
        }
        for callers in (1, 64):
            rates = _rates(list(ways.values()), callers)
            yield f"calls a second, {callers} at a time, plain grpcio", median(rates[0]), "/s", None, ""
            for way, those in list(zip(ways, rates, strict=True))[1:]:
                ratio = median(one / one_plain for one, one_plain in zip(those, rates[0], strict=True))
                yield f"{way}, {callers} at a time", ratio, "x plain/s", 0.95, f"{median(those):,.0f} calls/s; of {ROUNDS} rounds in turns"
        plain.close()


def _rates(ways: list[Callable[[], object]], callers: int) -> list[list[float]]:
    """Calls a second of each way in each round: a slice of time for each way in turn, the order by lot.

    Slices are short, so that what else the machine does slows all ways alike.
    """
    rates: list[list[float]] = [[] for _ in ways]
    with ThreadPoolExecutor(callers) as threads:
        for _ in range(ROUNDS):
            for place in random.sample(range(len(ways)), len(ways)):
                begun = perf_counter_ns()
                slices = [threads.submit(_go_on, ways[place], begun + SLICE) for _ in range(callers)]
                made = sum(future.result() for future in slices)
                rates[place].append(made / (perf_counter_ns() - begun) * 1e9)
    return rates


def _go_on(call: Callable[[], object], until: int) -> int:
    made = 0
    while perf_counter_ns() < until:
        call()
        made += 1
    return made


if __name__ == "__main__":
    for row in figures():
        print(*row, sep=" | ")
