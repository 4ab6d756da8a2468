"""One server of a module: a process at a port, and what can be done to it. Nothing is announced here; see `tinypool_nb.lab.modules`."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from tinypool_nb.core.addresses import Endpoint
from tinypool_nb.errors import LabError, OptionsError, shown
from tinypool_nb.lab.processes import Processes

if TYPE_CHECKING:
    from tinypool_nb.lab.proxies import Proxy, Relay

STARTING = 20.0
"""Seconds that a server gets until it serves. It takes about 0.1; the rest is for a machine that is busy."""
ANSWERING = 10.0
"""Seconds that a server gets to do what it is asked; it takes milliseconds."""
ACTING = 10.0
"""Seconds that the system gets to carry out a signal; it takes milliseconds."""


class ServerState(StrEnum):
    """What a server of the lab is doing. In the order of what a client of several would notice first."""

    SERVING = "serving"
    FROZEN = "frozen"
    """Stopped by SIGSTOP: its connections stand, and nobody answers."""
    STOPPED = "stopped"
    """Ended by itself: gracefully, or because it failed."""
    KILLED = "killed"
    """Ended by a signal."""


class ServerKind(StrEnum):
    """What a server of the lab speaks."""

    GRPC = "grpc"
    HTTP1 = "http/1.1"
    """HTTP/1.1 alone: what a gRPC client meets at the wrong port."""

    @classmethod
    def parse(cls, value: object) -> "ServerKind":
        """The kind that a person means.

        >>> ServerKind.parse("http/1.1")
        <ServerKind.HTTP1: 'http/1.1'>

        Raises:
            OptionsError: it is none.
        """
        try:
            return cls(str(value))
        except ValueError:
            raise OptionsError("kind", value, f"one of {', '.join(cls)}") from None


PROGRAMS = {ServerKind.GRPC: "tinypool_nb.lab.server", ServerKind.HTTP1: "tinypool_nb.lab.http1_server"}
"""The module that a server's process runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What a server is told on its command line."""

    name: str
    """The module's name."""
    kind: ServerKind = ServerKind.GRPC
    replica: int = 0
    """Which of the module's servers it is, counted from 0."""
    ports: tuple[int, ...] = ()
    """The ports to try, in this order; on `host`."""
    patience: float = 0.0
    """Seconds to go on trying while all of them are taken."""
    min_ping_interval: float = 5.0
    """Seconds between two keepalive pings that it permits; who pings more often gets GOAWAY `too_many_pings`."""
    host: str = "127.0.0.1"
    """The address of the loopback that it listens at."""
    max_connection_age: float | None = None
    """Seconds after which each connection gets GOAWAY; None: never."""
    max_message_bytes: int | None = None
    """The longest message that it takes; None: gRPC's own limit, 4 MiB."""
    tls: bool = False
    """Whether its first line on stdin is a secret: a `ServerIdentity`, by which it serves TLS."""

    def as_argument(self) -> str:
        """The settings as one argument; `parse` reads it back.

        >>> settings = ServerSettings(name="http-module-v1", ports=(20001,))
        >>> ServerSettings.parse(settings.as_argument()) == settings
        True
        """
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, argument: str) -> Self:
        """The settings that `as_argument` wrote."""
        fields = json.loads(argument)
        return cls(**{**fields, "ports": tuple(fields["ports"]), "kind": ServerKind(fields["kind"])})


class Secret(Protocol):
    """What a process is told on its stdin, where nobody else can read it."""

    def as_line(self) -> str:
        """Itself as one line, shorter than the 4096 bytes that a pipe takes in one piece."""
        ...


class Server:
    """One process that serves one module at one port. It is launched by being made; `await_serving` waits for it."""

    program: ClassVar[str | None] = None
    """The module that its process runs; None: what the kind in the settings says."""

    def __init__(
        self,
        processes: Processes,
        settings: ServerSettings,
        secret: Secret | None = None,
        *,
        relay: "Relay | None" = None,
        former_proxy: "Proxy | None" = None,
    ) -> None:
        """Launch it.

        Args:
            processes: the guard's.
            settings: what it is told.
            secret: what it is told on its stdin.
            relay: puts a proxy in front of it; None: there is none.
            former_proxy: the one of the server before it; it is kept if the port stays.
        """
        self._processes = processes
        self._settings = replace(settings, tls=secret is not None)
        self._secret = secret
        self._process = processes.start("-m", self.program or PROGRAMS[settings.kind], self._settings.as_argument())
        if secret is not None:
            processes.say(self._process, secret.as_line())
        self._relay = relay
        self._former_proxy = former_proxy
        self.proxy: Proxy | None = None
        """What stands in front of it, once it serves; None: nothing."""
        self.port = 0
        """Where it serves; 0 until it does."""

    def successor(self, *ports: int, patience: float = 0.0) -> Self:
        """Launch a server of the same settings, and the same certificate, at one of these ports."""
        settings = replace(self._settings, ports=ports, patience=patience)
        return type(self)(self._processes, settings, self._secret, relay=self._relay, former_proxy=self.proxy)

    @property
    def address(self) -> str:
        """Where to connect: `127.0.0.1:port`, of the proxy if there is one."""
        return str(self.endpoint) if self.proxy is None else self.proxy.address

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens itself."""
        return Endpoint(self._settings.host, self.port)

    @property
    def ports(self) -> set[int]:
        """Its own port and that of its proxy."""
        return {self.port} if self.proxy is None else {self.port, self.proxy.port}

    @property
    def pid(self) -> int | None:
        """Its process id; None as long as the guard has not told it."""
        return self._process.pid

    @property
    def state(self) -> ServerState:
        """What it is doing, as far as the guard has told."""
        if self._process.exit is not None:
            return ServerState.KILLED if self._process.exit < 0 else ServerState.STOPPED
        return ServerState.FROZEN if self._process.frozen else ServerState.SERVING

    def ask(self, verb: str, **arguments: object) -> Any:
        """Let a process that takes commands do something, and take its answer: one line of JSON each.

        Raises:
            LabError: it does not answer.
        """
        self._process.said.clear()  # an answer that an interrupted question left
        self._processes.say(self._process, json.dumps({"verb": verb, **arguments}))
        return json.loads(self._processes.next_line(self._process, f"{shown(self._settings.name)} did not {verb}", ANSWERING))

    def await_serving(self) -> None:
        """Wait until it serves.

        Raises:
            LabError: it does not; the message carries its last words.
        """
        self.port = int(self._processes.next_line(self._process, f"{shown(self._settings.name)} did not start", STARTING))
        former = self._former_proxy
        if former is not None and former.target == str(self.endpoint):
            former.listen()
            self.proxy = former
        elif self._relay is not None:
            self.proxy = self._relay.open(self.endpoint, self._settings.host)

    def kill(self) -> None:
        """Send SIGKILL. Its proxy refuses from now on, as its port does."""
        try:
            self._hang_up()
        finally:
            self._processes.signal(self._process, "SIGKILL")

    def _hang_up(self) -> None:
        if self.proxy is not None and self._process.exit is None:
            self.proxy.hang_up()

    def stop(self, grace: float) -> None:
        """Ask it to end: GOAWAY at once, calls under way may go on for `grace` seconds. A frozen one cannot hear of it and is killed."""
        if self._process.frozen:
            self.kill()
        else:
            self._hang_up()
            self._processes.say(self._process, f"stop {grace}")

    def await_end(self, grace: float = 0.0) -> None:
        """Wait until it has ended, `grace` seconds longer than for a kill: its port is free then."""
        self._await(lambda: self._process.exit is not None, "end", grace + ACTING)

    def leave(self) -> None:
        """Close its proxy: no server follows at this port."""
        if self.proxy is not None:
            self.proxy.close()

    def freeze(self) -> None:
        """Send SIGSTOP."""
        self._processes.signal(self._process, "SIGSTOP")

    def await_frozen(self) -> None:
        """Wait until it is really frozen."""
        self._await(lambda: self._process.frozen, "freeze", ACTING)

    def thaw(self) -> None:
        """Send SIGCONT."""
        self._processes.signal(self._process, "SIGCONT")

    def await_thawed(self) -> None:
        """Wait until it really goes on."""
        self._await(lambda: not self._process.frozen, "thaw", ACTING)

    def __str__(self) -> str:
        way = "" if self.proxy is None else f" -> {self.endpoint}"
        faults = f", {self.proxy.faults}" if self.proxy is not None and self.proxy.active else ""
        return f"{self.state} at {self.address}{way}, pid {self.pid}{faults}"

    def _await(self, met: Callable[[], bool], verb: str, timeout: float) -> None:
        self._processes.wait(lambda: met() or self._process.exit is not None, timeout)
        if not met():
            end = f"within {timeout:g} s" if self._process.exit is None else f"but ended: {self._process.last_words}"
            raise LabError(f"{shown(self._settings.name)} (pid {self.pid}) did not {verb} {end}")


def started(servers: list[Server]) -> list[Server]:
    """Wait until all of the launched `servers` serve, and return them.

    Raises:
        LabError: one does not; all of them are killed then.
    """
    try:
        for server in servers:
            server.await_serving()
    except BaseException:  # an interrupt too: nobody else knows of them yet
        for server in servers:
            server.kill()
        raise
    return servers
