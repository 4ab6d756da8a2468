"""A misbehaving server for tests of the record: it makes clients READY, lets them down, and keeps a count of its own."""

import json
import math
import threading
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab.flapper import FlapperSettings
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.processes import Processes

STARTING = 20.0
"""Seconds that the server gets until it serves, and for each answer."""
POLLING = 0.02
"""Seconds between two questions to a server that is waited for."""


class Counts(NamedTuple):
    """The server's own count."""

    accepted: int
    """TCP connections."""
    established: int
    """Those whose client confirmed the server's SETTINGS, that is, became READY."""
    closed: int
    """Those that the server closed."""


class Connection(NamedTuple):
    """One established connection, as the server saw it; times are ns since 1970-01-01 UTC."""

    accepted: int
    established: int
    closed: int | None
    """When it was gone, whoever ended it; None while it stands."""


class FlappingServer:
    """A server on which each gRPC client becomes READY and is let down after `hold` seconds; it answers pings, but no calls.

    One process and one loop serve a thousand clients. It ends when it is closed or collected, and when this process dies.

        with FlappingServer(hold=0.02, flaps=20) as server:
            pool.register("flapping", server.address)
            server.wait(established=21)

    Args:
        hold: seconds from READY to the close; None holds every connection for ever.
        flaps: how many connections are let down, over all clients; later ones are held. None: all.
        goaway: whether it says GOAWAY before it closes.
        port: where; None takes a free one from 20000 to 32767.

    Raises:
        OptionsError: a setting is refused.
        LabError: it did not start.
    """

    def __init__(self, *, hold: float | None = 0.02, flaps: int | None = None, goaway: bool = False, port: int | None = None) -> None:
        if hold is not None and (not isinstance(hold, int | float) or not 0 <= hold < math.inf):
            raise OptionsError("hold", hold, "a number of seconds, 0 or more, or None")
        if flaps is not None and (not isinstance(flaps, int) or flaps < 0):
            raise OptionsError("flaps", flaps, "an int, 0 or more, or None")
        if port is not None and (not isinstance(port, int) or not 1 <= port <= 65_535):
            raise OptionsError("port", port, "an int from 1 to 65535, or None")
        self._asking = threading.Lock()
        self._processes = Processes()
        settings = FlapperSettings(hold=hold, flaps=flaps, goaway=goaway, ports=Ports().draw() if port is None else (port,))
        self._process = self._processes.start("-m", "tinypool_nb.lab.flapper", settings.as_argument())
        try:
            self.port = int(self._processes.next_line(self._process, "the flapping server did not start", STARTING))
        except LabError:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Where to connect: `127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    def counts(self) -> Counts:
        """The count up to now."""
        return Counts(**self._ask("counts"))

    def connections(self) -> list[Connection]:
        """Every connection that was established, in that order."""
        return [Connection(*times) for times in self._ask("connections")]

    def calm(self) -> Counts:
        """Hold every connection that is established from now on; the count up to now."""
        return Counts(**self._ask("calm"))

    def wait(self, *, established: int, timeout: float = 30.0) -> Counts:
        """Wait until that many connections were established; the count then.

        Raises:
            LabError: it took longer than `timeout` seconds.
        """
        deadline = monotonic() + timeout
        while (counts := self.counts()).established < established:
            if monotonic() > deadline:
                raise LabError(f"{counts.established} of {established} connections were established within {timeout:g} s")
            self._processes.wait(lambda: self._process.exit is not None, POLLING)
        return counts

    def _ask(self, question: str) -> Any:
        with self._asking:
            self._process.said.clear()  # an answer that an interrupted question left
            self._processes.say(self._process, question)
            return json.loads(self._processes.next_line(self._process, "the flapping server did not answer", STARTING))

    def close(self) -> None:
        """End it; a second time nothing happens."""
        self._processes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FlappingServer {'closed, was ' if self._processes.closed else ''}at {self.address}, pid {self.pid}>"
