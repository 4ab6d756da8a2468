"""Which cause the words of gRPC core stand for, of an attempt that failed: those of grpcio 1.85.1, as tests collect them."""

import re
from functools import lru_cache

from tinypool_nb.core.diagnosis.causes import Cause

# The first that fits counts: what TLS says of a certificate stands in a text that says "handshake failed" too.
_WORDS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r"certificate has expired|certificate is not yet valid"), Cause.CERTIFICATE_EXPIRED),
    (re.compile(r"hostname verification check failed", re.IGNORECASE), Cause.CERTIFICATE_NAME),
    (re.compile(r"CERTIFICATE_VERIFY_FAILED|self.signed certificate|local issuer certificate"), Cause.CERTIFICATE_AUTHORITY),
    (re.compile(r"CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA"), Cause.CLIENT_CERTIFICATE),
    (re.compile(r"WRONG_VERSION_NUMBER|HTTP_REQUEST|UNKNOWN_PROTOCOL|PACKET_LENGTH_TOO_LONG"), Cause.TLS_NOT_EXPECTED),
    (re.compile(r"http1\.x server|Failed parsing HTTP/2|Expected SETTINGS frame|Connection dropped: protocol|ALPN"), Cause.NOT_HTTP2),
    (
        re.compile(
            # A ping that times out before the connect deadline does, ends the attempt: as of a module that was frozen meanwhile.
            r"before receiving SETTINGS|Handshake read failed \(Endpoint closing\)|handshake.*(timed? ?out|deadline)|\(ping timeout\)",
            re.IGNORECASE,
        ),
        Cause.HANDSHAKE_HANGS,
    ),
    (re.compile(r"resolving|lookup failed|DNS resolution failed|Domain name not found|resolver", re.IGNORECASE), Cause.UNRESOLVED),
    (re.compile(r"Connection refused"), Cause.REFUSED),
    (re.compile(r"No such file or directory"), Cause.NO_SOCKET),
    (
        re.compile(r"No route to host|(Network|Host) is (unreachable|down)|timed out|tcp handshaker shutdown|FD Shutdown|ETIMEDOUT"),
        Cause.UNREACHABLE,
    ),
    (
        re.compile(
            r"Socket closed|Connection reset|Broken pipe|End of TCP|Endpoint closing|handshaker shutdown|Handshake (read|write) failed"
        ),
        Cause.HANGS_UP,
    ),
)


_NOT_PAST = frozenset({Cause.UNRESOLVED, Cause.REFUSED, Cause.UNREACHABLE})
"""Causes that are the proxy's own where there is one, since it is all that gRPC resolves and dials."""
_PROXY_SAID = re.compile(r"HTTP proxy returned|Expected '|(?<!\()Endpoint closing")
"""What comes of asking a proxy: its refusal, an answer that is none of HTTP, and none in time."""


@lru_cache(maxsize=4096)  # a thousand modules fail for few reasons
def cause_of(reason: str, *, peer: str = "", address: str = "", proxy: str = "") -> Cause:
    """The cause that a failed attempt's reason stands for.

    Args:
        reason: in gRPC core's words.
        peer: who was tried. Whatever its name says is no reason.
        address: of the module.
        proxy: through which it was tried; "" if through none.

    >>> cause_of("UNKNOWN: ipv4:127.0.0.1:50051: Failed to connect to remote host: Connection refused").value
    'refused'
    >>> cause_of("connect failed: addr: unix:/run/resolver error: Connection refused", peer="unix:/run/resolver").value
    'refused'
    """
    for name in (peer, address.rpartition("/")[2], proxy):
        if ":" in name:
            reason = reason.replace(name, "")
    cause = next((cause for words, cause in _WORDS if words.search(reason)), Cause.FAILS)
    return Cause.PROXY_FAILS if proxy and (cause in _NOT_PAST or _PROXY_SAID.search(reason)) else cause
