"""Tiny peers that speak no gRPC: what each does with a connection."""

import socket
import ssl
import struct
from collections.abc import Callable, Sequence

import trustme

Handler = Callable[[socket.socket], None]
"""Gets a connection, which is closed after it."""


def say_nothing(peer: socket.socket) -> None:
    while peer.recv(4096):
        pass


def answer(words: bytes) -> Handler:
    def handle(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(words)
        say_nothing(peer)

    return handle


def hang_up(peer: socket.socket) -> None:
    peer.recv(1)


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def speak_tls(certificate: trustme.LeafCert, protocols: Sequence[str]) -> Handler:
    """A web server with TLS, which offers those protocols by ALPN; none at all if there are none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if protocols:
        context.set_alpn_protocols(protocols)

    def handle(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as secured:
            say_nothing(secured)

    return handle
