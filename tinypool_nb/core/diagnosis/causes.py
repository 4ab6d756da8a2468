"""Everything that can be found, in one literal table: how bad it is, and what to read about it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Gravity(StrEnum):
    """How bad a finding is while it lasts."""

    BROKEN = "broken"
    """The module cannot be reached."""
    TROUBLE = "trouble"
    """It can, but something goes wrong."""
    NOTE = "note"
    """Nothing is wrong; it is worth knowing."""


class Cause(StrEnum):
    """What a finding says is the matter. In this order they are told."""

    QUARANTINED = "quarantined"
    """Discovery does not dial what the resource names."""
    PROXY_FAILS = "proxy in the way"
    """The proxy of its options cannot be reached, or does not lead to it."""
    UNRESOLVED = "does not resolve"
    REFUSED = "refused"
    KILLED = "killed"
    """It was connected, then it refused: its process ended."""
    NO_SOCKET = "no socket"
    """The file of a Unix socket is not there."""
    UNREACHABLE = "unreachable"
    FROZEN = "frozen"
    """It was connected, and does not answer any more, though its machine does."""
    HANDSHAKE_HANGS = "handshake hangs"
    NOT_HTTP2 = "not HTTP/2"
    TLS_EXPECTED = "TLS expected"
    TLS_NOT_EXPECTED = "TLS not expected"
    CERTIFICATE_AUTHORITY = "certificate authority"
    CERTIFICATE_NAME = "certificate name"
    CERTIFICATE_EXPIRED = "certificate expired"
    CLIENT_CERTIFICATE = "client certificate"
    """The peer hangs up on a TLS client: mostly it asks for a certificate."""
    HANGS_UP = "hangs up"
    """The peer accepts connections and ends them before it has said anything."""
    FAILS = "fails"
    """It cannot be connected to, for a reason that none of the others knows."""
    WAITING_FOR_ADDRESS = "waiting for an address"
    """Discovery: the resource names none yet."""
    TOO_MANY_PINGS = "too many pings"
    FLAPPING = "flapping"
    LOST = "connection lost"
    RECYCLED = "recycled"
    DRAINED = "drained"
    STALE_DNS = "stale DNS"
    DNS_FAILS = "DNS fails"
    """The name has no address any more, which will be felt when the connection is lost."""
    UNEVEN = "uneven"
    UNEVEN_BY_DESIGN = "uneven by design"
    """pick_first uses one endpoint at a time."""
    MESSAGE_TOO_LARGE = "message too large"
    DEADLINE = "deadline too short"
    KEPT_ADDRESS = "last good address"
    """Discovery: the resource names no usable address any more, and the module stays at the last one."""
    HANDSHAKE = "handshake"
    """An attempt is under way and waits for more than TCP, by all likelihood."""
    BACKOFF = "waiting in backoff"
    CONNECTING = "connecting"
    HELD = "held"
    IDLE = "idle"
    TAKEN_AWAY = "taken away"
    """It was unregistered, or its pool was closed."""
    GAP = "gap in the record"
    SHARED_ADDRESS = "shared address"
    PROXY = "proxy in the environment"


class Source(NamedTuple):
    """A specification, a gRFC or a page."""

    name: str
    url: str


class About(NamedTuple):
    """What is known of a cause beforehand."""

    gravity: Gravity
    see: Source


_GRPC = "https://github.com/grpc/grpc/blob/master/doc"
_GRFC = "https://github.com/grpc/proposal/blob/master"

BACKOFF_SPECIFICATION = Source("gRPC connection backoff protocol", f"{_GRPC}/connection-backoff.md")
STATES_SPECIFICATION = Source("gRPC connectivity semantics", f"{_GRPC}/connectivity-semantics-and-api.md")
NAMING = Source("gRPC name resolution", f"{_GRPC}/naming.md")
STATUS_CODES = Source("gRPC status codes", f"{_GRPC}/statuscodes.md")
KEEPALIVE = Source("gRFC A8, client-side keepalive", f"{_GRFC}/A8-client-side-keepalive.md")
SERVER_KEEPALIVE = Source("gRFC A9, server-side connection management", f"{_GRFC}/A9-server-side-conn-mgt.md")
CHANNELZ = Source("gRFC A14, channelz", f"{_GRFC}/A14-channelz.md")
AUTHENTICATION = Source("grpc.io, Authentication", "https://grpc.io/docs/guides/auth/")
PEM_NAMES = Source("RFC 9525, names in certificates", "https://www.rfc-editor.org/rfc/rfc9525")
VALIDITY = Source("RFC 5280, certificates and their validity", "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5")
PATHS = Source("RFC 5280, certification paths", "https://www.rfc-editor.org/rfc/rfc5280#section-6")
PREFACE = Source("RFC 9113, HTTP/2 connection preface", "https://www.rfc-editor.org/rfc/rfc9113#section-3.4")
GOAWAY = Source("RFC 9113, GOAWAY", "https://www.rfc-editor.org/rfc/rfc9113#section-6.8")
RESET = Source("RFC 9293, TCP: what a reset means", "https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2")
UNREACHED = Source("RFC 1122, hosts: unreachable and timed out", "https://www.rfc-editor.org/rfc/rfc1122#section-4.2.3.5")
UNIX = Source("unix(7), sockets on one machine", "https://man7.org/linux/man-pages/man7/unix.7.html")
LOAD_BALANCING = Source("gRPC load balancing", f"{_GRPC}/load-balancing.md")
DEADLINES = Source("grpc.io, Deadlines", "https://grpc.io/docs/guides/deadlines/")
PROXIES = Source("gRFC A1, HTTP CONNECT proxies", f"{_GRFC}/A1-http-connect-proxy-support.md")

CAUSES: Mapping[Cause, About] = MappingProxyType(
    {
        Cause.QUARANTINED: About(Gravity.BROKEN, NAMING),
        Cause.PROXY_FAILS: About(Gravity.BROKEN, PROXIES),
        Cause.UNRESOLVED: About(Gravity.BROKEN, NAMING),
        Cause.REFUSED: About(Gravity.BROKEN, RESET),
        Cause.KILLED: About(Gravity.BROKEN, RESET),
        Cause.NO_SOCKET: About(Gravity.BROKEN, UNIX),
        Cause.UNREACHABLE: About(Gravity.BROKEN, UNREACHED),
        Cause.FROZEN: About(Gravity.BROKEN, KEEPALIVE),
        Cause.HANDSHAKE_HANGS: About(Gravity.BROKEN, PREFACE),
        Cause.NOT_HTTP2: About(Gravity.BROKEN, PREFACE),
        Cause.TLS_EXPECTED: About(Gravity.BROKEN, AUTHENTICATION),
        Cause.TLS_NOT_EXPECTED: About(Gravity.BROKEN, AUTHENTICATION),
        Cause.CERTIFICATE_AUTHORITY: About(Gravity.BROKEN, PATHS),
        Cause.CERTIFICATE_NAME: About(Gravity.BROKEN, PEM_NAMES),
        Cause.CERTIFICATE_EXPIRED: About(Gravity.BROKEN, VALIDITY),
        Cause.CLIENT_CERTIFICATE: About(Gravity.BROKEN, AUTHENTICATION),
        Cause.HANGS_UP: About(Gravity.BROKEN, PREFACE),
        Cause.FAILS: About(Gravity.BROKEN, STATES_SPECIFICATION),
        Cause.WAITING_FOR_ADDRESS: About(Gravity.BROKEN, NAMING),
        Cause.TOO_MANY_PINGS: About(Gravity.TROUBLE, KEEPALIVE),
        Cause.FLAPPING: About(Gravity.TROUBLE, STATES_SPECIFICATION),
        Cause.LOST: About(Gravity.TROUBLE, STATES_SPECIFICATION),
        Cause.RECYCLED: About(Gravity.NOTE, SERVER_KEEPALIVE),
        Cause.DRAINED: About(Gravity.NOTE, GOAWAY),
        Cause.STALE_DNS: About(Gravity.TROUBLE, NAMING),
        Cause.DNS_FAILS: About(Gravity.NOTE, NAMING),
        Cause.UNEVEN: About(Gravity.TROUBLE, LOAD_BALANCING),
        Cause.UNEVEN_BY_DESIGN: About(Gravity.NOTE, LOAD_BALANCING),
        Cause.MESSAGE_TOO_LARGE: About(Gravity.TROUBLE, STATUS_CODES),
        Cause.DEADLINE: About(Gravity.TROUBLE, DEADLINES),
        Cause.KEPT_ADDRESS: About(Gravity.TROUBLE, NAMING),
        Cause.HANDSHAKE: About(Gravity.TROUBLE, PREFACE),
        Cause.BACKOFF: About(Gravity.NOTE, BACKOFF_SPECIFICATION),
        Cause.CONNECTING: About(Gravity.NOTE, BACKOFF_SPECIFICATION),
        Cause.HELD: About(Gravity.NOTE, BACKOFF_SPECIFICATION),
        Cause.IDLE: About(Gravity.NOTE, STATES_SPECIFICATION),
        Cause.TAKEN_AWAY: About(Gravity.NOTE, STATES_SPECIFICATION),
        Cause.GAP: About(Gravity.NOTE, CHANNELZ),
        Cause.SHARED_ADDRESS: About(Gravity.NOTE, NAMING),
        Cause.PROXY: About(Gravity.NOTE, PROXIES),
    }
)
"""What each cause comes with."""
