"""A local port for each module that a discovery forwards: one thread accepts for all, and each connection has a thread of its own."""

import errno
import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tinypool_nb.core.forwarding import MOST_FORWARDS, TOO_MANY, Service, service_of
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.discovery.kubeconfig import Cluster
from tinypool_nb.errors import ForwardError

if TYPE_CHECKING:
    from tinypool_nb.discovery.tunnels import Failure

MOST_CONNECTIONS = 8
"""Of one module at a time: gRPC has one, and during a reconnection some that drain."""
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
SLOWEST_END = 2.0
"""Seconds that `close` waits for the threads; what they wait for is ended before."""

Told = Callable[[ModuleKey, str], object]


class Forward:
    """One module's local port."""

    def __init__(self, key: ModuleKey, address: str, service: Service, listener: socket.socket) -> None:
        self.key = key
        self.address = address
        """As its resource says it."""
        self.service = service
        self.listener = listener
        self.local = f"127.0.0.1:{listener.getsockname()[1]}"
        """Where the pool dials."""
        self.failure = ""
        """Why the last connection did not come about; "" if it did."""
        self.is_over = False

    @property
    def note(self) -> str:
        """What is told of it wherever the module is shown."""
        return f"forwarded from {self.local}{f'; {self.failure}' if self.failure else ''}"  # as kubectl says it


class Live(NamedTuple):
    """A connection under way."""

    forward: Forward
    cut: Callable[[], object]
    thread: threading.Thread


class Forwards:
    """The forwarded modules of one discovery. Thread-safe; it starts its thread with the first of them.

    Args:
        connect: makes a way to the cluster; each connection takes one of its own.
        tell: told of each module what happens to its connections.
        changed: called, by any thread, when the API server refuses something else than before, or nothing any more.
        most: modules at a time.
    """

    def __init__(
        self, connect: Callable[[], Cluster], tell: Told, changed: Callable[[], object] = lambda: None, *, most: int = MOST_FORWARDS
    ) -> None:
        self._connect = connect
        self._tell = tell
        self._changed = changed
        self._most = most
        self._forwards: dict[ModuleKey, Forward] = {}
        self._lock = threading.Lock()
        self._live: list[Live] = []
        self._left: list[Forward] = []
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._made_in = os.getpid()
        self.missing: MissingRight | None = None
        """What the API server last refused; None once a connection came about."""

    def open(self, key: ModuleKey, address: str) -> str | None:
        """Let a local port lead to the module, and say where; None if its address is dialled as it is. The same again changes nothing.

        Raises:
            ForwardError: it leads nowhere, or there are too many.
            OSError: the system gives no port.
        """
        service = service_of(address, key.namespace or "default")
        with self._lock:
            known = self._forwards.get(key)
            if known is not None and known.address == address:
                return known.local
            if service is not None and known is None and len(self._forwards) >= self._most:
                raise ForwardError(TOO_MANY)
            if self._is_over:
                raise ForwardError("the discovery that forwards it was closed")
            if known is not None:
                self._leave(known)
            if service is None:
                return None
            forward = self._forwards[key] = Forward(key, address, service, _listener())
            self._ring()
            return forward.local

    def go_on_by(self, connect: Callable[[], Cluster]) -> None:
        """Another discovery takes them over: from now on connections find the cluster this way."""
        self._connect = connect

    def close(self, key: ModuleKey) -> None:
        """Forward a module no more: nobody new is let in, and connections end when the pool ends them. Quiet if it was not forwarded."""
        with self._lock:
            known = self._forwards.get(key)
            if known is not None:
                self._leave(known)

    def get(self, key: ModuleKey) -> Forward | None:
        """The module's local port, if it has one."""
        return self._forwards.get(key)

    def end(self) -> None:
        """End all of it, connections under way too, and wait until nothing is left."""
        self.abandon()
        if self._thread is not None:
            self._thread.join(SLOWEST_END)
        for live in self._live:
            if live.thread is not threading.current_thread():
                live.thread.join(SLOWEST_END)

    def abandon(self) -> None:
        """As `end`, but without waiting or locking, for a finalizer."""
        self._is_over = True
        for live in tuple(self._live):
            live.cut()
        self._wake()

    def __len__(self) -> int:
        return len(self._forwards)

    def __repr__(self) -> str:
        ways = ", ".join(f"{each.address} at {each.local}" for each in tuple(self._forwards.values()))
        return f"<Forwards {ways or 'none'}{'; ended' if self._is_over else ''}>"

    def _leave(self, forward: Forward) -> None:
        """Its port closes, in the thread that listens there: a descriptor must not be closed under a poll that has it."""
        del self._forwards[forward.key]
        forward.is_over = True
        self._left.append(forward)
        self._wake()

    def _ring(self) -> None:
        """Let the thread see what is new; start it, if it has not begun."""
        if self._thread is None:
            self._bell = socket.socketpair()
            self._bell[1].setblocking(False)
            self._thread = threading.Thread(target=self._accept, name="tinypool-forwards", daemon=True)
            self._thread.start()
        self._wake()

    def _wake(self) -> None:
        if self._bell is not None and self._made_in == os.getpid():
            with suppress(OSError):
                self._bell[1].send(b"!")

    def _accept(self) -> None:
        assert self._bell is not None
        bell, _ = self._bell
        try:
            while not self._is_over:
                forwards = {each.listener.fileno(): each for each in tuple(self._forwards.values())}
                poller = select.poll()
                for number in (bell.fileno(), *forwards):
                    poller.register(number, select.POLLIN)
                for number, _ in poller.poll():
                    if number == bell.fileno():
                        bell.recv(4096)
                    elif not forwards[number].is_over:
                        self._let_in(forwards[number])
                while self._left:
                    self._left.pop().listener.close()
                self._live = [each for each in self._live if each.thread.is_alive()]
        finally:
            for forward in (*self._forwards.values(), *self._left):
                forward.listener.close()
            for live in self._live:
                live.cut()
            for end in self._bell:
                end.close()

    def _let_in(self, forward: Forward) -> None:
        from tinypool_nb.discovery.tunnels import Failure, Tunnel  # they load the Kubernetes client

        try:
            accepted, _ = forward.listener.accept()
        except OSError as error:
            if error.errno in SHORTAGES:  # the client still waits, so without a pause this would spin
                self._report(forward, Failure(f"this process can take no connection: {error.strerror}"))
                self._pause()
            return
        if sum(live.forward is forward and live.thread.is_alive() for live in self._live) >= MOST_CONNECTIONS:
            accepted.close()
            self._report(forward, Failure(f"more than {MOST_CONNECTIONS} connections at a time were asked for"))
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tunnel = Tunnel(accepted, forward.service, self._connect, lambda failure: self._report(forward, failure))
        self._live = [*self._live, Live(forward, tunnel.cut, tunnel.start())]
        if self._is_over:
            tunnel.cut()

    def _pause(self) -> None:
        """For a moment, or until something is to be done."""
        assert self._bell is not None
        poller = select.poll()
        poller.register(self._bell[0], select.POLLIN)
        poller.poll(100)

    def _report(self, forward: Forward, failure: "Failure | None") -> None:
        """Told in the threads of connections, once for each change."""
        if forward.is_over or self._is_over:
            return
        before, forward.failure = forward.failure, "" if failure is None else failure.reason
        refused, self.missing = self.missing, None if failure is None else failure.missing
        if forward.failure and forward.failure != before:
            self._tell(forward.key, f"port-forward: {forward.failure}")
        elif before and not forward.failure:
            self._tell(forward.key, "port-forward: it works again")
        if self.missing != refused:
            self._changed()


def _listener() -> socket.socket:
    """On loopback, at a port that the system gives."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    listener.setblocking(False)
    return listener
