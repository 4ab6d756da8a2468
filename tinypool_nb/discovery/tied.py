"""Connections of the Kubernetes client of which every wait can be cut: for somebody to accept, for TLS, for an answer."""

import errno
import os
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any, Self

from kubernetes.client import ApiClient
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.ssl_ import create_urllib3_context

from tinypool_nb.discovery.lifeline import Lifeline

Kind = type[Any]
"""Of connection."""


def tie(api: ApiClient, line: Lifeline, made: Callable[[Kind], Kind] = lambda kind: kind) -> None:
    """Let the connections that a client opens from now on be cut with `line`; those that it has are closed.

    Args:
        api: the client, used by one thread.
        line: is told which socket is waited for.
        made: changes their kind further.
    """
    manager = api.rest_client.pool_manager
    manager.clear()
    manager.connection_pool_kw["ssl_context"] = _context(api.configuration, line)
    manager.pool_classes_by_scheme = {
        "http": _pool(HTTPConnectionPool, made(_tied(HTTPConnection, line))),
        "https": _pool(HTTPSConnectionPool, made(_tied(HTTPSConnection, line))),
    }


def _pool(kind: Kind, connection: Kind) -> Kind:
    """A kind of urllib3's pools that makes such connections."""
    return type(kind.__name__, (kind,), {"ConnectionCls": connection})


def _tied(connection: Kind, line: Lifeline) -> Kind:
    """A kind of urllib3's connections that tells its socket before it waits."""

    class Tied(connection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            """As urllib3's, which would tell of a socket only once somebody has accepted."""
            failed: Exception = OSError(errno.EADDRNOTAVAIL, "it has no address")
            for family, kind, protocol, _, address in _addresses(self, self._dns_host.strip("[]")):
                connecting = socket.socket(family, kind, protocol)
                try:
                    for option in self.socket_options or ():
                        connecting.setsockopt(*option)
                    _connect(connecting, address, self.timeout, line)
                except OSError as error:
                    connecting.close()
                    failed = error
                else:
                    return connecting
            if isinstance(failed, TimeoutError):
                raise ConnectTimeoutError(self, f"Connection to {self.host} timed out. (connect timeout={self.timeout})") from failed
            raise NewConnectionError(self, f"Failed to establish a new connection: {failed}") from failed

        def connect(self) -> None:
            line.forget()
            try:
                super().connect()
            except BaseException:
                line.drop()  # the standard library leaves a TLS socket open whose peer hung up before the handshake began
                raise
            line.hold(self.sock)

    return Tied


def _addresses(connection: Any, host: str) -> list[Any]:
    """Where the peer may be, as `getaddrinfo` says.

    Raises:
        NameResolutionError: it does not resolve.
        NewConnectionError: it is no name at all.
    """
    try:
        return socket.getaddrinfo(host, connection.port, allowed_gai_family(), socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except UnicodeError as error:
        raise NewConnectionError(connection, f"Failed to establish a new connection: {error}") from error


def _connect(connecting: socket.socket, address: Any, seconds: float | None, line: Lifeline) -> None:
    """Connect, and leave it with that timeout.

    Raises:
        OSError
    """
    connecting.setblocking(False)
    code = connecting.connect_ex(address)
    line.hold(connecting)  # only what has begun to connect can be shut
    if code == errno.EINPROGRESS:
        poller = select.poll()
        poller.register(connecting, select.POLLOUT)
        if not poller.poll(None if seconds is None else seconds * 1000):
            raise TimeoutError("timed out")
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    connecting.settimeout(seconds)


def _context(configuration: Any, line: Lifeline) -> ssl.SSLContext:
    """What a TLS connection is made by, so that its handshake can be cut, too; urllib3 adds what the client's settings say."""

    class Held(ssl.SSLSocket):
        def __new__(cls, *arguments: Any, **more: Any) -> Self:
            made = super().__new__(cls, *arguments, **more)
            line.hold(made)  # from before it takes over the socket that was held until now
            return made

        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # as in the standard library
            line.hold(self)
            super().do_handshake(block)

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    own = configuration.ssl_ca_cert or getattr(configuration, "ca_cert_data", None)
    if configuration.verify_ssl and not own:  # which urllib3 does for contexts of its own alone
        context.load_default_certs()
    context.sslsocket_class = Held
    return context
