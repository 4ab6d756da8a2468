"""One thread that probes lost modules by bare TCP connects and has those connected that answer. Off unless a module's options ask for it.

What is probed when is `tinypool_nb.core.probing`'s to say; here are the sockets, none of which ever blocks. Of losses it is told by the
observer. It holds its pool weakly, as all threads do.
"""

import errno
import logging
import queue
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tinypool_nb.channels.observer import Observer
from tinypool_nb.channels.watched import Watched
from tinypool_nb.core.addresses import Address, Scheme
from tinypool_nb.core.events import MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.probing import SECOND, Connect, GiveUp, Place, Probe, Schedule
from tinypool_nb.errors import PoolClosedError, shown
from tinypool_nb.journal.journal import Journal

log = logging.getLogger(__name__)

PATIENCE = SECOND // 2
"""Nanoseconds that a probe may take. So no more than 250 are ever under way, where packets vanish without an answer."""

Perform = Callable[[Connect | GiveUp], None]
"""Does what a probe was for; called in the prober's thread."""


class Follow(NamedTuple):
    """A module has a new channel."""

    watched: Watched
    address: Address


class Forget(NamedTuple):
    """A module is probed no more."""

    key: ModuleKey


class Prober:
    """Probes the modules that it is told to follow, while they are lost.

    Making one starts nothing: the thread and its three file descriptors come with the first module.
    """

    def __init__(self, observer: Observer, journal: Journal, perform: Perform) -> None:
        self._observer = observer
        self._journal = journal
        self._clock = journal.clock
        self._perform = perform
        self._schedule = Schedule()
        self._followed: dict[ModuleKey, Watched] = {}
        # A SimpleQueue, since a finalizer may put into it in the midst of anything.
        self._told: queue.SimpleQueue[Follow | Forget | Transition] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._bell: socket.socket | None = None
        self._probes: dict[socket.socket, tuple[Probe, int]] = {}
        """Those under way, the oldest first, each with the time when it is given up."""
        self._complaint = ""

    def follow(self, watched: Watched, address: Address) -> None:
        """Probe the module of this channel whenever it is lost, if its options ask for that; never waits.

        One that is reached through a proxy is not probed: a probe would go past the proxy, and may not even find the name.
        To be told before the observer is, else the channel's first transition could be missed.
        """
        key = watched.identity.key
        if watched.held or not watched.options.eager_reconnect or watched.options.proxy is not None:
            self.forget(key)
            return
        self._start()
        self._followed[key] = watched
        self._tell(Follow(watched, address))

    def forget(self, key: ModuleKey) -> None:
        """Probe the module no more; never waits."""
        if self._followed.pop(key, None) is not None:
            self._tell(Forget(key))

    def close(self) -> None:
        """End at once; probes under way are given up. A second time nothing happens."""
        self.abandon()
        thread = self._thread
        if thread is None:
            return
        self._observer.remove_watcher(self._see)
        if thread is not threading.current_thread():
            thread.join()

    def abandon(self) -> None:
        """As `close`, but without waiting or locking, for a finalizer."""
        self._stop = True
        self._ring()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._stop:
                self._bell, heard = socket.socketpair()
                self._bell.setblocking(False)
                heard.setblocking(False)
                self._observer.add_watcher(self._see)
                self._thread = threading.Thread(target=self._run, args=(heard,), name="tinypool-prober", daemon=True)
                self._thread.start()

    def _see(self, row: Transition) -> None:
        """Told by the observer, in its thread."""
        watched = self._followed.get(row.channel.key)
        if watched is not None and watched.identity.number == row.channel.number:
            self._tell(row)

    def _tell(self, what: Follow | Forget | Transition) -> None:
        if self._stop:  # nobody would take it
            return
        self._told.put(what)
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            with suppress(OSError):  # it is full, so it rings already; or it is closed, and nobody is there to hear it
                self._bell.send(b"\0")

    def _run(self, heard: socket.socket) -> None:
        try:
            self._probe_until_stopped(heard)
        except Exception as failure:  # whatever it is, modules come back without it, too
            self._stop = True
            log.exception("eager reconnection of this pool has ended")
            told = "eager reconnection of this pool has ended: modules come back by gRPC's own backoff, or at their next call"
            self._journal.mark(f"{told}; a new pool has it again: {failure!r}", kind=MarkKind.RECORD)
        finally:
            for probing in self._probes:
                probing.close()
            self._probes.clear()
            if self._bell is not None:
                self._bell.close()

    def _probe_until_stopped(self, heard: socket.socket) -> None:
        with heard, selectors.DefaultSelector() as selector:
            selector.register(heard, selectors.EVENT_READ)
            while not self._stop:
                self._take()
                for action in self._schedule.due(self._clock.now()):
                    if isinstance(action, Probe):
                        self._begin(action, selector)
                    else:
                        self._do(action)
                for key, _ in selector.select(self._rest()):
                    if key.fileobj is heard:
                        heard.recv(4096)
                    elif isinstance(key.fileobj, socket.socket):
                        selector.unregister(key.fileobj)
                        self._end(key.fileobj, key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                self._give_up_late_ones(selector)

    def _rest(self) -> float | None:
        """Seconds until something is due; None for never."""
        nexts = [self._schedule.next, *(until for _, until in list(self._probes.values())[:1])]
        at = min((at for at in nexts if at is not None), default=None)
        return None if at is None else max(0, at - self._clock.now()) / SECOND

    def _take(self) -> None:
        with suppress(queue.Empty):
            while True:
                match self._told.get_nowait():
                    case Follow(watched, address):
                        self._schedule.follow(watched.identity, address, watched.options.backoff)
                    case Forget(key):
                        self._schedule.forget(key)
                    case Transition() as row:
                        watched_now = self._followed.get(row.channel.key)
                        peers = () if watched_now is None else watched_now.peers
                        self._schedule.see(row, self._clock.now(), peers)

    def _begin(self, probe: Probe, selector: selectors.BaseSelector) -> None:
        family, where = _where(probe.place)
        try:
            probing = socket.socket(family, socket.SOCK_STREAM)
        except OSError as failure:  # no file descriptor is free, or this machine has no such addresses
            self._complain(probe, failure)
            self._hear(probe, answered=False)
            return
        probing.setblocking(False)
        self._probes[probing] = probe, self._clock.now() + PATIENCE
        try:
            result = probing.connect_ex(where)
        except OSError as failure:  # what no connection could begin to, such as a path that is too long here
            self._complain(probe, failure)
            result = errno.EINVAL
        if result == errno.EINPROGRESS:
            selector.register(probing, selectors.EVENT_WRITE)
        else:
            self._end(probing, result)

    def _end(self, probing: socket.socket, result: int) -> None:
        probe, _ = self._probes.pop(probing)
        # Who refuses answers a SYN by a reset (ECONNREFUSED); who resets the connection later has accepted it before.
        answered = result in {0, errno.ECONNRESET} and not met_itself(probing)
        probing.close()
        self._hear(probe, answered=answered)

    def _give_up_late_ones(self, selector: selectors.BaseSelector) -> None:
        now = self._clock.now()
        for probing, (_, until) in list(self._probes.items()):
            if until > now:
                break
            selector.unregister(probing)
            self._end(probing, errno.ETIMEDOUT)

    def _hear(self, probe: Probe, *, answered: bool) -> None:
        action = self._schedule.hear(probe, answered=answered, now=self._clock.now())
        if action is not None:
            self._do(action)

    def _do(self, action: Connect | GiveUp) -> None:
        try:
            self._perform(action)
        except PoolClosedError:
            pass  # it was closed meanwhile, and so will this be
        except Exception:
            log.exception("eager reconnection of %s failed and goes on", shown(str(action.channel.key)))

    def _complain(self, probe: Probe, failure: OSError) -> None:
        """Say why no probe went out, once for each reason."""
        if str(failure) != self._complaint:
            self._complaint = str(failure)
            log.warning("%s could not be probed: %s", shown(str(probe.channel.key)), failure)


def _where(place: Place) -> tuple[socket.AddressFamily, tuple[str, int] | str]:
    match place.scheme:
        case Scheme.UNIX:
            return socket.AF_UNIX, place.host
        case Scheme.IPV6:
            return socket.AF_INET6, (place.host, place.port)
        case _:
            return socket.AF_INET, (place.host, place.port)


def met_itself(probing: socket.socket) -> bool:
    """Whether a connected socket is connected to itself, and makes it vanish without a trace if so.

    Where the port that is probed is one that the system gives to clients, it may give the probe this very port, and TCP connects the
    two. Closed in order it would keep the port for a minute from the server that is to come back.
    """
    try:
        if probing.family == socket.AF_UNIX or probing.getsockname() != probing.getpeername():
            return False
    except OSError:  # it was reset at once, so there is a peer
        return False
    probing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True
