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
    (re.compile(r"http1\.x server|Failed parsing HTTP/2|Expected SETTINGS frame|Connection dropped: protocol"), Cause.NOT_HTTP2),
    (
        re.compile(
            r"before receiving SETTINGS|Handshake read failed \(Endpoint closing\)|handshake.*(timed? ?out|deadline)", re.IGNORECASE
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


@lru_cache(maxsize=4096)  # a thousand modules fail for few reasons
def cause_of(reason: str) -> Cause:
    """The cause that a failed attempt's reason stands for.

    >>> cause_of("UNKNOWN: ipv4:127.0.0.1:50051: Failed to connect to remote host: Connection refused").value
    'refused'
    """
    return next((cause for words, cause in _WORDS if words.search(reason)), Cause.FAILS)
