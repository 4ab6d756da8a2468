"""Callers that count for themselves how each of their calls ended, for the record to be held to."""

import random
import threading
from collections import Counter
from typing import Any

from tinypool_nb.channels.environment import prepare

prepare()

import grpc  # noqa: E402  gRPC reads the environment while it loads

from tinypool_nb.channels.pool import ClientPool  # noqa: E402
from tinypool_nb.errors import ModuleGoneError, NotReadyError, SendError, UnknownModuleError  # noqa: E402
from tinypool_nb.wire.module_pb2 import MessageRequest  # noqa: E402
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub  # noqa: E402

PAUSE = 0.05
"""Seconds between two calls of one caller, about."""
TIMEOUT = 1.5
"""Seconds that a call gets."""

Ends = Counter[tuple[str, str]]
"""How many calls ended how, by module and code."""


class Caller:
    """One thread that calls any of the modules in any of five ways, again and again, until it is to stop."""

    def __init__(self, pool: ClientPool, names: list[str], lot: random.Random, going: threading.Event) -> None:
        self.ends: Ends = Counter()
        self.refused = 0
        """Calls that were not sent: no connection, or no such module at the moment."""
        self.failure: BaseException | None = None
        self.busy = threading.Lock()
        """Held during each call."""
        self._pool, self._names, self._lot, self._going = pool, names, lot, going
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-caller")
        self._thread.start()

    def stop(self) -> None:
        """Return when its last call has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._lot.uniform(0, 2 * PAUSE)):
                with self.busy:
                    if self._going.is_set():
                        self._call(self._lot.choice(self._names), self._lot.randrange(6))
        except BaseException as failure:  # told at the end of the soak, which it makes fail
            self.failure = failure
            raise

    def _call(self, name: str, way: int) -> None:
        payload = b'{"delay": 0.02}' if way % 2 else b"x" * self._lot.randrange(2_000)
        request = MessageRequest(To="a.b", Payload=payload)
        try:
            if way < 2:
                self._pool.send(name, to="a.b", payload=payload, timeout=TIMEOUT, wait_for_ready=way == 1)
            else:
                stub = ModuleServiceStub(self._pool[name])
                if way < 4:
                    stub.Message(request, timeout=TIMEOUT, wait_for_ready=way == 3)
                else:
                    call = stub.Message.future(request, timeout=TIMEOUT)
                    if way == 5:  # given up on the way, unless it was quick
                        self._over.wait(0.01)
                        call.cancel()
                    call.result()
        except (NotReadyError, ModuleGoneError, UnknownModuleError):
            self.refused += 1
        except SendError as error:
            self.ends[name, error.code] += 1
        except grpc.FutureCancelledError:
            self.ends[name, "CANCELLED"] += 1
        except grpc.RpcError as error:
            failed: Any = error
            self.ends[name, failed.code().name] += 1
        else:
            self.ends[name, "OK"] += 1


class Callers:
    """Several of them, that can be made to pause."""

    def __init__(self, count: int, pool: ClientPool, names: list[str], seed: int) -> None:
        self._going = threading.Event()
        self._going.set()
        self._all = [Caller(pool, names, random.Random(seed + number), self._going) for number in range(count)]

    def pause(self) -> None:
        """Return when no call is under way, and none will be until `resume`."""
        self._going.clear()
        for caller in self._all:
            with caller.busy:
                pass

    def resume(self) -> None:
        """Let them call on."""
        self._going.set()

    def stop(self) -> None:
        """End them."""
        for caller in self._all:
            caller.stop()

    def ends(self) -> Ends:
        """How the calls of all of them ended; while none is under way."""
        return sum((caller.ends for caller in self._all), Counter[tuple[str, str]]())

    def refused(self) -> int:
        """How many were not sent."""
        return sum(caller.refused for caller in self._all)

    def failures(self) -> list[str]:
        """What a caller met that no caller should."""
        return [repr(caller.failure) for caller in self._all if caller.failure is not None]
