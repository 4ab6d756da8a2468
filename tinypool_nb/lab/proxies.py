"""The kernel's side of the lab's proxies: they stand in front of addresses, so that faults can happen on the way."""

from typing import Any, NamedTuple

from tinypool_nb.core.addresses import Endpoint
from tinypool_nb.errors import LabError
from tinypool_nb.lab.asking import Asked
from tinypool_nb.lab.faults import Fault, Faults
from tinypool_nb.lab.injected import FaultKind, FaultSettings
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.processes import Processes


class ProxyCounts(NamedTuple):
    """What went through a proxy since it was made."""

    accepted: int
    """Connections of clients."""
    standing: int
    """Those that stand now."""
    to_server: int
    """Bytes."""
    to_client: int
    """Bytes."""


class Relay(Asked):
    """The one process that all proxies of a lab are in."""

    def __init__(self, processes: Processes, ports: Ports) -> None:
        super().__init__(processes, "tinypool_nb.lab.relay", "the lab's proxy")
        self.ports = ports

    def open(self, target: Endpoint, host: str = "127.0.0.1", port: int | None = None) -> "Proxy":
        """A new proxy in front of a target.

        Raises:
            LabError: the port is not to be had.
        """
        ports = self.ports.draw() if port is None else (port,)
        answer = self.ask("open", host=host, ports=ports, target=target)
        proxy = Proxy(self, int(answer["proxy"]), target, Endpoint(host, int(answer["port"])))
        self.ports.taken.add(proxy.port)
        return proxy


class Proxy:
    """Stands in front of an address and carries every connection on to it. `Lab.proxy` makes it, or `Lab.start(name, proxied=True)`.

        proxy = lab.proxy("10.0.0.7:50051")
        pool.register("http-module-v1", proxy.address)
        with proxy.faults.latency(0.2):
            pool.send("http-module-v1")

    It accepts before its target does: a client whose target refuses gets a reset. In front of a module of the lab it refuses by itself
    while the module is killed or stopped.
    """

    def __init__(self, relay: Relay, number: int, target: Endpoint, listening: Endpoint) -> None:
        self._relay = relay
        self._number = number
        self._target = target
        self._listening = listening
        self._closed = False
        self._active: list[Fault] = []
        """What is injected now; `Fault` keeps it."""

    @property
    def address(self) -> str:
        """Where to connect: `127.0.0.1:port`."""
        return str(self._listening)

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self._listening.port

    @property
    def target(self) -> str:
        """Where its connections lead."""
        return str(self._target)

    @property
    def faults(self) -> Faults:
        """What can happen on the way."""
        return Faults(self.address, self.address, [self])

    def counts(self) -> ProxyCounts:
        """What went through until now.

        Raises:
            LabError: the lab or the proxy is closed.
        """
        answer = self._ask("counts")
        return ProxyCounts(**{name: answer[name] for name in ProxyCounts._fields})

    def close(self) -> None:
        """Refuse, and reset the connections that stand; a second time nothing happens. The lab's end does it, too."""
        if not self._closed and not self._relay.closed:
            self._ask("close")
            self._relay.ports.taken.discard(self.port)
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether it is there no more."""
        return self._closed or self._relay.closed

    def hang_up(self) -> None:
        """Refuse connections, since its server does; those that stand go on."""
        self._ask("begin", fault=0, settings=FaultSettings(kind=FaultKind.REFUSE).as_json())

    def listen(self) -> None:
        """Accept connections again."""
        self._ask("end", fault=0)

    def inject(self, number: int, settings: FaultSettings, fault: Fault) -> None:
        """Let a fault begin."""
        self._active.append(fault)  # first: whoever is interrupted while asking heals what may have begun
        self._ask("begin", fault=number, settings=settings.as_json())

    def heal(self, number: int, fault: Fault) -> None:
        """Let it end; nothing happens if the proxy is closed."""
        if fault in self._active:
            self._active.remove(fault)
            if not self.closed:
                self._ask("end", fault=number)

    @property
    def active(self) -> tuple[Fault, ...]:
        """What is injected now, in the order of its begin."""
        return () if self.closed else tuple(self._active)

    def _ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        if self._closed:
            raise LabError(f"{verb}: the proxy at {self.address} is closed; lab.proxy({self.target!r}) makes a new one")
        return self._relay.ask(verb, proxy=self._number, **arguments)

    def __str__(self) -> str:
        return f"{self.address} -> {self.target}: {'closed' if self.closed else self.faults}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"
