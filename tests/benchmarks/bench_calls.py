"""What a call through a PooledChannel costs over one on the bare channel, on a real loopback server, calls interleaved."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter_ns
from timeit import repeat

import grpc

from tinypool_nb.channels.opening import open_channel
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions

Row = tuple[str, float, str, float | None, str]
METHOD = "/bench.Calls/Echo"
CALLS = 3000
IDENTITY = ChannelIdentity(1, ModuleKey(None, "bench"), "bench:1", 1)


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    server = grpc.server(ThreadPoolExecutor(4))
    echo: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Calls", {"Echo": echo}),))
    port = server.add_insecure_port(f"127.0.0.1:{random.randrange(20000, 32768)}")
    server.start()
    bare = open_channel(f"ipv4:127.0.0.1:{port}", 900_001, PoolOptions())
    pooled = PooledChannel(IDENTITY, bare)
    try:
        yield from _real_calls(bare, pooled)
    finally:
        pooled.retire("the benchmark is over").close()
        server.stop(None).wait()
    yield from _the_way_in()


def _real_calls(bare: grpc.Channel, pooled: PooledChannel) -> Iterator[Row]:
    for verb in ("__call__", "future"):
        on_bare, through_pool = (_waiting(channel, verb) for channel in (bare, pooled))
        bare_us, pooled_us = _interleaved(on_bare, through_pool)
        name = "blocking call" if verb == "__call__" else "future"
        yield f"{name} through the pooled channel, over the bare one, p50", pooled_us - bare_us, "us", 5.0, f"bare: {bare_us:.0f} us"


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
    old = pooled.replace(_Instant(), IDENTITY)
    held = min(repeat(lambda: pooled.is_held(old), number=20_000)) / 20_000 * 1e6
    yield "PooledChannel.is_held: may this channel be closed?", held, "us", None, "one channelz read: 96-130 us"


if __name__ == "__main__":
    for row in figures():
        print(*row, sep=" | ")
