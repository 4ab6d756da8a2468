"""Half a minute of 64 callers while their modules are killed, restarted, reconnected and moved: every call is accounted for."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.errors import NotReadyError, SendError
from tinypool_nb.journal.kinds import call_events
from tinypool_nb.lab import Lab
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

SECONDS = 30.0
CALLERS = 64
MODULES = ("broken", "reconnected", "moved", "left alone")
TIMEOUT = 2.0
"""Seconds that each call gets."""
LATE = 1.0
"""Seconds by which a busy machine may return later than the deadline."""


class Tally(NamedTuple):
    """What one caller saw."""

    ends: Counter[tuple[str, str]]
    """Of calls that were sent, by module and code."""
    longest: float


def call_all_along(pool: ClientPool, number: int, over: threading.Event) -> Tally:
    """Call one module again and again, by `send`, by a stub, by a future; each call's end is counted."""
    module = MODULES[number % len(MODULES)]
    stub = ModuleServiceStub(pool[module])
    request = MessageRequest(To="a.b", Payload=b'{"delay": 0.02}' if number % 8 < 4 else b"x" * 100)
    ends: Counter[tuple[str, str]] = Counter()
    longest = 0.0
    while not over.is_set():
        begun = time.monotonic()
        try:
            match number // len(MODULES) % 4:
                case 0:
                    pool.send(module, to="a.b", payload=request.Payload, timeout=TIMEOUT)
                case 1:
                    pool.send(module, to="a.b", payload=request.Payload, timeout=TIMEOUT, wait_for_ready=True)
                case 2:
                    stub.Message(request, timeout=TIMEOUT, wait_for_ready=True)
                case _:
                    stub.Message.future(request, timeout=TIMEOUT).result()
            ends[module, "OK"] += 1
        except NotReadyError:
            over.wait(0.005)  # nothing was sent; as a caller that tries again would
        except SendError as error:
            ends[module, error.code] += 1
        except grpc.RpcError as error:
            failed: Any = error
            ends[module, failed.code().name] += 1
        longest = max(longest, time.monotonic() - begun)
    return Tally(ends, longest)


def break_all_along(pool: ClientPool, lab: Lab, over: threading.Event) -> None:
    """Again and again one module is killed and restarted, one reconnected, one given another address, whose old server then ends."""
    here, there = lab["moved"], lab.start("moved, elsewhere")
    while not over.is_set():
        lab["broken"].kill()
        pool.reconnect("reconnected")
        pool.register("moved", there.address)
        over.wait(0.3)  # calls that were on their way when the address changed arrive meanwhile
        here.stop(grace=5)
        lab["broken"].restart()
        here.restart()
        here, there = there, here
        over.wait(0.2)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_every_call_of_64_callers_is_accounted_for() -> None:
    over = threading.Event()
    with Lab() as lab, ClientPool(PoolOptions(backoff=Backoff(initial=0.1, maximum=0.5))) as pool:
        for name in MODULES:
            pool.register(name, lab.start(name).address)
        with ThreadPoolExecutor(CALLERS + 1) as threads:
            breaking = threads.submit(break_all_along, pool, lab, over)
            calling = [threads.submit(call_all_along, pool, number, over) for number in range(CALLERS)]
            over.wait(SECONDS)
            over.set()
            breaking.result()
            tallies = [caller.result() for caller in calling]
        ends = sum((tally.ends for tally in tallies), Counter[tuple[str, str]]())
        record = Counter((call.channel.key.name, str(call.code)) for call in call_events(pool.journal.since().calls))
        generations = pool._modules.channels()
    assert record == ends, "sent = answered + failed with a code, call by call"
    assert max(tally.longest for tally in tallies) < TIMEOUT + LATE, "none hangs past its deadline"
    for module in ("reconnected", "moved", "left alone"):
        assert {code for name, code in ends if name == module} == {Code.OK}, f"calls in flight on {module} end well"
    assert ends["broken", "UNAVAILABLE"] > 0
    assert ends["broken", "OK"] > 0
    assert {watched.shown: watched.identity.generation > 10 for watched in generations} == {
        "broken": False,
        "reconnected": True,
        "moved": True,
        "left alone": False,
    }
