"""Carries the bytes of sockets over one WebSocket, as Kubernetes forwards ports: a client's end and, for the lab's API server, a server's.

One thread a WebSocket, and nothing in it blocks: TLS does not stand two threads in one socket, and a peer that reads no more must not keep
the other direction waiting. What is too much for a peer is left unread, so that the one who sends it waits.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tinypool_nb.core.websockets import BrokenFrameError, Decoder, Message, Opcode, frame

PIECE = 32_768
"""Bytes that one message carries at the most."""
MOST_UNSENT = 1_048_576
"""Bytes that wait for a peer before the other one is read no more."""
FAREWELL = 1.0
"""Seconds that a peer gets at the end to take what is left for it."""


class End:
    """A connected socket, of TLS or not, that never blocks.

    Args:
        connected: it is taken over; `close` closes it.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self.unsent = bytearray()
        self.is_over = False

    def receive(self) -> bytes:
        """What is there; b"" if there is nothing now, or nothing any more, which `is_over` tells."""
        try:
            piece = self.socket.recv(PIECE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError:
            piece = b""
        self.is_over = not piece
        return piece

    def send(self, data: bytes) -> None:
        """Send it, as soon as the peer takes it."""
        self.unsent += data
        self.flush()

    def flush(self) -> None:
        """Send what the peer takes now."""
        try:
            while self.unsent:
                del self.unsent[: self.socket.send(bytes(self.unsent[: 4 * PIECE]))]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.is_over = True
            self.unsent.clear()

    @property
    def has_more(self) -> bool:
        """Whether there is something to be read of which the system knows nothing: TLS decrypts whole records."""
        return isinstance(self.socket, ssl.SSLSocket) and not self.is_over and self.socket.pending() > 0

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self.socket.close()


class Channels:
    """One WebSocket and the sockets of its ports, for one thread's `run`.

    Args:
        web: where messages go.
        ports: the socket of each port, in the order in which they were asked for.
        mask: makes four random bytes, which each message of a client has; None for a server's.
        failed: is told what the other side says went wrong.
        opened: is told once of a port's first byte: only then is somebody there.
    """

    def __init__(
        self,
        web: End,
        ports: Sequence[End],
        *,
        mask: Callable[[], bytes] | None = None,
        failed: Callable[[str], object] = lambda _reason: None,
        opened: Callable[[], object] = lambda: None,
    ) -> None:
        self._web = web
        self._ports = tuple(ports)
        self._mask = mask
        self._failed = failed
        self._opened: Callable[[], object] | None = opened
        self._decoder = Decoder()
        self._is_new = [True] * (2 * len(self._ports) if mask is not None else 0)
        """Of each channel: whether its first message, which says the port, is still to come; to clients alone."""

    def say(self, channel: int, data: bytes) -> None:
        """Send a message on a channel."""
        self._send(Opcode.BINARY, bytes((channel,)) + data)

    def run(self) -> None:
        """Pass bytes on until the WebSocket or one of the ports has ended, then close all of them."""
        try:
            while not self._web.is_over and not any(port.is_over for port in self._ports):
                self._await()
                self._hear()
                for number, port in enumerate(self._ports):
                    while not self._is_full([self._web]) and (piece := port.receive()):
                        self.say(2 * number, piece)
                for each in (self._web, *self._ports):
                    each.flush()
            if not self._web.is_over:
                self._send(Opcode.CLOSE, (1000).to_bytes(2, "big"))
            self._take_leave()
        except BrokenFrameError as error:
            self._failed(f"the API server sent no WebSocket: {error}")
        finally:
            for each in (self._web, *self._ports):
                each.close()

    def _hear(self) -> None:
        while not self._is_full(self._ports) and (piece := self._web.receive()):
            for message in self._decoder.feed(piece):
                self._take(message)

    def _take(self, message: Message) -> None:
        match message.opcode:
            case Opcode.PING:
                self._send(Opcode.PONG, message.payload)
            case Opcode.CLOSE:
                self._send(Opcode.CLOSE, message.payload[:2])  # who closes waits for the same from us (RFC 6455, section 5.5.1)
                self._web.is_over = True
            case Opcode.BINARY if message.payload:
                self._take_of(message.payload[0], message.payload[1:])
            case _:
                pass

    def _take_of(self, channel: int, data: bytes) -> None:
        if channel >= 2 * len(self._ports):
            raise BrokenFrameError(f"there is no channel {channel}")
        if channel < len(self._is_new) and self._is_new[channel]:
            self._is_new[channel] = False
            if len(data) != 2:
                raise BrokenFrameError(f"channel {channel} did not begin with its port")
        elif channel % 2:
            self._failed(data.decode(errors="replace"))
            self._ports[channel // 2].is_over = True
        else:
            if self._opened is not None:
                self._opened()
                self._opened = None
            self._ports[channel // 2].send(data)

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        self._web.send(frame(opcode, payload, b"" if self._mask is None else self._mask()))

    def _await(self) -> None:
        """Return once something can be read or sent."""
        if any(each.has_more for each in (self._web, *self._ports)) and not self._is_full(self._ports):
            return
        poller = select.poll()  # unlike `select`, it takes descriptors over 1024
        waiting: dict[int, End] = {}
        for each, others in ((self._web, self._ports), *((port, (self._web,)) for port in self._ports)):
            reading = not self._is_full(others)
            poller.register(each.socket, (select.POLLIN if reading else 0) | (select.POLLOUT if each.unsent else 0))
            if not reading:
                waiting[each.socket.fileno()] = each
        for number, events in poller.poll():
            if number in waiting and events & (select.POLLHUP | select.POLLERR):
                waiting[number].is_over = True  # nobody reads from it now, so nobody else would notice, and this would spin

    def _take_leave(self) -> None:
        """Send what is left, to those who still take it."""
        deadline = time.monotonic() + FAREWELL
        while (left := [each for each in (self._web, *self._ports) if each.unsent]) and time.monotonic() < deadline:
            poller = select.poll()
            for each in left:
                poller.register(each.socket, select.POLLOUT)
            poller.poll(FAREWELL * 1000)
            for each in left:
                each.flush()

    @staticmethod
    def _is_full(ends: Sequence[End]) -> bool:
        return any(len(end.unsent) > MOST_UNSENT for end in ends)
