"""Modules of the lab and what a person can do to them: kill, stop, freeze, thaw, restart, move."""

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tinypool_nb.core.plain import one_line
from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import LabError, shown
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.checks import check_seconds
from tinypool_nb.lab.faults import Faults
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.servers import Server, ServerState, started

GRACE = 5.0
"""Seconds that calls under way get by default when a server ends gracefully."""
PATIENCE = 5.0
"""Seconds that a restarted server tries for its old port, while the system may still hold it."""


class Breakable:
    """What can be broken: one or several servers behind an address. Each verb returns when its effect is there.

    A verb is announced (`tinypool_nb.lab.actions`) right before its effect. A verb that has nothing to do (killing what is dead)
    does nothing and is not announced.
    """

    def __init__(self, name: str, servers: list[Server], which: range, ports: Ports, changing: threading.Lock, *, tls: Tls | None) -> None:
        self._name = name
        self._tls = tls
        self._all = servers
        """Every server of the module; the list is shared between the module and its replicas."""
        self._which = which
        self._ports = ports
        self._changing = changing
        """Held while servers take the place of others: else two threads that restart a module would lose one's new server."""

    @property
    def _servers(self) -> list[Server]:
        return [self._all[index] for index in self._which]

    @property
    def name(self) -> str:
        """The module's name."""
        return self._name

    @property
    def address(self) -> str:
        """Where to connect, ready for `pool.register`: `127.0.0.1:port`, of several servers `ipv4:127.0.0.1:port,127.0.0.1:port`.

        Of a module that was started `proxied`, the proxies'.
        """
        return _address(self._servers)

    @property
    def tls(self) -> Tls | None:
        """What connects to it: `pool.register(module.name, module.address, options=tp.PoolOptions(tls=module.tls))`; None: plaintext.

        It trusts the lab's authority alone, so it refuses a module whose certificate is bad on purpose.
        """
        return self._tls

    @property
    def faults(self) -> Faults:
        """What can happen on the way to it.

        Raises:
            LabError: no proxy stands in front of it.
        """
        proxies = [server.proxy for server in self._servers if server.proxy is not None]
        if not proxies:
            raise LabError(
                f"faults need a proxy on the way to {shown(self.name)}: lab.start({shown(self.name)}, proxied=True) starts it with one, "
                f"and lab.proxy({shown(self.address)}) is one in front of what runs"
            )
        return Faults(self.name, self.address, proxies)

    @property
    def port(self) -> int:
        """The port of the first server; its proxy, if there is one, has another."""
        return self._servers[0].port

    @property
    def pid(self) -> int | None:
        """The process id of the first server; of one that ended, its last."""
        return self._servers[0].pid

    @property
    def state(self) -> ServerState:
        """What it is doing; of several servers, the first that applies to any in the order serving, frozen, stopped, killed."""
        states = {server.state for server in self._servers}
        return next(state for state in ServerState if state in states)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or the system's memory killer does; a frozen one too."""
        running = self._in(ServerState.SERVING, ServerState.FROZEN)
        if running:
            self._announce("kill")
            _each(running, Server.kill)
            _each(running, Server.await_end)

    def stop(self, *, grace: float = GRACE) -> None:
        """End it gracefully: clients get GOAWAY at once, calls under way may go on.

        Args:
            grace: seconds for the calls under way; what is left then is cancelled.

        Raises:
            LabError: it is frozen and cannot hear of it.
            OptionsError: `grace` is not a number of seconds.
        """
        check_seconds("grace", grace)
        if self._in(ServerState.FROZEN):
            raise LabError(f"stop: {shown(self.name)} is frozen and cannot end by itself; thaw() it first, or kill() it")
        serving = self._in(ServerState.SERVING)
        if serving:
            self._announce("stop")
            _each(serving, lambda server: server.stop(grace))
            _each(serving, lambda server: server.await_end(grace))

    def freeze(self) -> None:
        """Stop it with SIGSTOP: its connections stand, but nobody answers; what a hung machine looks like from outside.

        Raises:
            LabError: it does not run.
        """
        serving = self._in(ServerState.SERVING)
        if serving:
            self._announce("freeze")
            _each(serving, Server.freeze)
            _each(serving, Server.await_frozen)
        elif not self._in(ServerState.FROZEN):
            raise LabError(f"freeze: {shown(self.name)} does not run, it is {self.state}; restart() it first")

    def thaw(self) -> None:
        """Let a frozen one go on, with SIGCONT."""
        frozen = self._in(ServerState.FROZEN)
        if frozen:
            self._announce("thaw")
            _each(frozen, Server.thaw)
            _each(frozen, Server.await_thawed)

    def restart(self) -> None:
        """Start it again at the same port; what still runs, frozen or not, is killed first.

        Raises:
            LabError: it did not start, for example since another process took the port.
        """
        self._announce("restart")
        with self._changing:
            servers = self._servers
            _each(servers, Server.kill)
            _each(servers, Server.await_end)
            self._replace([server.successor(server.port, patience=PATIENCE) for server in servers])

    def __str__(self) -> str:
        return f"{one_line(self.name)}: {'; '.join(map(str, self._servers))}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _replace(self, launched: list[Server]) -> None:
        former = self._servers
        self._all[self._which.start : self._which.stop] = started(launched)
        self._ports.taken.difference_update(*(server.ports for server in former))
        self._ports.taken.update(*(server.ports for server in launched))

    def _in(self, *states: ServerState) -> list[Server]:
        return [server for server in self._servers if server.state in states]

    def _announce(self, verb: str) -> None:
        announce(Action(verb, self.name, self.address))


class Resource(Protocol):
    """What a cluster tells of a module; see `tinypool_nb.lab.cluster`."""

    @property
    def namespace(self) -> str:
        """Where it is."""
        ...

    def move(self, address: str) -> None:
        """Tell that the module is at that address now."""
        ...

    def remove(self) -> None:
        """Tell of the module no more."""
        ...


class Movable(Breakable):
    """What can be found at another address, too."""

    def __init__(
        self,
        name: str,
        servers: list[Server],
        which: range,
        ports: Ports,
        changing: threading.Lock,
        *,
        tls: Tls | None,
        resource: Resource | None,
    ) -> None:
        super().__init__(name, servers, which, ports, changing, tls=tls)
        self._resource = resource

    def move(self, *, grace: float = GRACE) -> str:
        """Start it at a new port, then end the old one gracefully (a frozen one is killed), as when Kubernetes replaces a pod.

        Faults stay behind: the new one has a new way to it.

        Args:
            grace: seconds for the calls under way on the old one.

        Returns:
            The new address.

        Raises:
            LabError: it did not start; the old one serves on. Or it moved, and the lab's API server could not be told.
            OptionsError: `grace` is not a number of seconds.
        """
        check_seconds("grace", grace)
        with self._changing:
            former, left = self._servers, self.address
            self._replace([server.successor(*self._ports.draw()) for server in former])
        announce(Action("move", self.name, left))
        try:
            if self._resource is not None:
                self._resource.move(_address(self._all))
        finally:
            _each(former, lambda server: server.stop(grace))
            _each(former, lambda server: server.await_end(grace))
            _each(former, Server.leave)
        return self.address


class Replica(Movable):
    """One of a module's servers, whichever process it is at the time."""


class Module(Movable):
    """A module of the lab: an address and the servers behind it. `Lab.start` makes it.

    In a lab with `kubernetes=True` it has a TinyModule resource, which tells its address: `kill` leaves it, `move` changes it, and
    `remove` takes it away.
    """

    def __init__(
        self,
        name: str,
        servers: list[Server],
        ports: Ports,
        *,
        tls: Tls | None,
        resource: Resource | None,
        forget: "weakref.WeakMethod[Callable[[str], object]]",
    ) -> None:
        super().__init__(name, servers, range(len(servers)), ports, threading.Lock(), tls=tls, resource=resource)
        self._forget = forget

    @property
    def namespace(self) -> str | None:
        """Where its resource is; None without one."""
        return None if self._resource is None else self._resource.namespace

    def remove(self, *, grace: float = GRACE) -> None:
        """Uninstall it: its resource is deleted first, then it ends gracefully (a frozen one is killed), and the lab forgets it.

        Args:
            grace: seconds for the calls under way.

        Raises:
            LabError: the lab's API server does not answer.
            OptionsError: `grace` is not a number of seconds.
        """
        check_seconds("grace", grace)
        self._announce("remove")
        if self._resource is not None:
            self._resource.remove()
        running = self._in(ServerState.SERVING, ServerState.FROZEN)
        _each(running, lambda server: server.stop(grace))
        _each(running, lambda server: server.await_end(grace))
        _each(self._servers, Server.leave)
        forget = self._forget()
        if forget is not None:
            forget(self.name)

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Its servers one by one, with the same verbs."""
        return tuple(
            Replica(
                self.name,
                self._all,
                range(index, index + 1),
                self._ports,
                self._changing,
                tls=self._tls,
                resource=self._resource,
            )
            for index in self._which
        )

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of all its servers."""
        return tuple(server.port for server in self._servers)

    @property
    def pids(self) -> tuple[int | None, ...]:
        """The process ids of all its servers."""
        return tuple(server.pid for server in self._servers)


def _each(servers: Iterable[Server], act: Callable[[Server], object]) -> None:
    for server in servers:
        act(server)


def _address(servers: Sequence[Server]) -> str:
    addresses = ",".join(server.address for server in servers)
    if len(servers) == 1:
        return addresses
    return f"ipv6:{addresses}" if addresses.startswith("[") else f"ipv4:{addresses}"
