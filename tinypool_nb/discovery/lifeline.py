"""How a thread that waits, or reads from a socket, is ended at once by another one or by a finalizer."""

import os
import queue
import socket
from contextlib import suppress


class Lifeline:
    """Held by one working thread; `cut` ends its waiting and its reading, for good.

    It takes no lock, so a finalizer may cut it in the midst of anything.

    >>> line = Lifeline()
    >>> line.wait(0.0), line.cut(), line.wait(60.0)
    (False, None, True)
    """

    def __init__(self) -> None:
        self.is_cut = False
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._made_in = os.getpid()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is cut; whether it was."""
        with suppress(queue.Empty):
            self._bell.get(timeout=max(0.0, seconds)) if seconds > 0 else self._bell.get_nowait()
            self._bell.put(None)  # for the next wait
        return self.is_cut

    def hold(self, connected: socket.socket) -> None:
        """Say which socket is waited for: to be connected, or to be read from."""
        self._socket = connected
        if self.is_cut:
            self._shut()

    def forget(self) -> None:
        """What was held is waited for no more."""
        self._socket = None

    def drop(self) -> None:
        """Close what is held: its connection did not come about, and nobody else has it."""
        held, self._socket = self._socket, None
        if held is not None:
            held.close()

    def cut(self) -> None:
        """End it."""
        self.is_cut = True
        self._bell.put(None)
        self._shut()

    def _shut(self) -> None:
        connected = self._socket
        if connected is None or self._made_in != os.getpid():
            return  # a fork shares the socket, and would shut its parent's
        with suppress(OSError):
            # Not its own method, which in a TLS socket takes away what the other thread is reading with.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)
