"""An HTTP proxy that stands between the pool and its modules: where it is, and how one shows oneself to it. No secret is told."""

import base64
import re
from dataclasses import dataclass, field

from tinypool_nb.core.addresses import Address, Endpoint, Scheme, parse_address
from tinypool_nb.core.tls import Withheld
from tinypool_nb.errors import AddressError, OptionsError

_FORM = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<user>.*)@)?(?P<place>[^@]*?)/?", re.DOTALL)
_HARMLESS = re.compile(r"(?:[A-Za-z0-9+.-]+://)?(?:[A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]*\])(?::[0-9]*)?/?")
"""What can hold no password."""
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """An HTTP proxy that understands CONNECT. Made by `parse_proxy`; the credentials stand in neither its repr nor its str.

    >>> proxy = parse_proxy("http://ada:s3cret@127.0.0.1:3128")
    >>> proxy, str(proxy)
    (Proxy('127.0.0.1:3128', with credentials), '127.0.0.1:3128')
    """

    endpoint: Endpoint
    """Where it listens."""
    authorization: str = field(default="")
    """What the header Proxy-Authorization says; "" if it asks for nothing."""

    def __str__(self) -> str:
        return str(self.endpoint)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}{', with credentials' if self.authorization else ''})"


def parse_proxy(value: object) -> Proxy:
    """The proxy that is meant by `host:port`, `http://host:port` or `http://user:password@host:port`.

    In the user and the password `%40` stands for `@`, `%3A` for `:`, as in any URL. gRPC speaks plain HTTP to a proxy: no TLS, no SOCKS.

    Raises:
        OptionsError: with the rule, and with the value as far as it can hold no password.

    >>> str(parse_proxy("[::1]:3128"))
    '[::1]:3128'
    >>> parse_proxy("socks5://127.0.0.1:1080")
    Traceback (most recent call last):
    tinypool_nb.errors.OptionsError: proxy='socks5://127.0.0.1:1080' was refused: gRPC knows HTTP proxies alone, and speaks to them ...
    """
    if isinstance(value, Proxy):
        return value
    if not isinstance(value, str):
        raise _refusal(value, "a str such as 'http://127.0.0.1:3128', or None for no proxy")
    found = _FORM.fullmatch(value)
    if found is None or not value.isprintable():
        raise _refusal(value, "'http://host:port' or 'http://user:password@host:port', in printable characters; '@' in a password is '%40'")
    if (found["scheme"] or "http").lower() != "http":
        raise _refusal(value, "gRPC knows HTTP proxies alone, and speaks to them in plain text; write 'http://host:port'")
    try:
        (endpoint,) = parse_address(f"dns:///{found['place']}").endpoints
    except AddressError as error:
        rule = (
            error.rule
            if _HARMLESS.fullmatch(value)
            else "after 'http://' and the credentials, if there are any, come a host and a port alone"
        )
        raise _refusal(value, f"{rule}; write 'http://host:port'") from None
    return Proxy(endpoint, "" if found["user"] is None else _authorization(value, found["user"]))


def check_through(proxy: Proxy | str | None, address: Address) -> None:
    """Refuse an address that no proxy can lead to: it is asked for one host and port, and looks the name up itself.

    Raises:
        AddressError: it has several endpoints, is a Unix socket or names a DNS server.
    """
    if proxy is None:
        return
    if address.scheme is Scheme.UNIX:
        raise AddressError(address.text, "a proxy leads to no Unix socket; register it with options=tp.PoolOptions(proxy=None)")
    if len(address.endpoints) > 1:
        raise AddressError(address.text, "a proxy leads to one host and port; name one, or one name for all of them")
    if address.name_server is not None:
        raise AddressError(address.text, "behind a proxy the proxy looks names up, and no DNS server can be named; write 'host:port'")


def _authorization(value: str, user_info: str) -> str:
    user, colon, password = (_unescaped(part) for part in user_info.partition(":"))
    if not user or not colon or b":" in user:
        raise _refusal(value, "before '@' stand a user and a password: 'http://user:password@host:port'; ':' in a password is '%3A'")
    return f"Basic {base64.b64encode(user + b':' + password).decode()}"


def _unescaped(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode())


def _refusal(value: object, rule: str) -> OptionsError:
    told = value if isinstance(value, str) and _HARMLESS.fullmatch(value) else Withheld(value)
    return OptionsError("proxy", told, rule)
