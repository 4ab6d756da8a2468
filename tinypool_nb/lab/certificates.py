"""Certificates of a lab, made at run time: good ones, and those that a client must refuse. None is ever written to a file.

`trustme`, and with it `cryptography`, is loaded when the first certificate is made.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import OptionsError

HOSTS = ("127.0.0.1", "localhost", "::1")
"""Whom a good certificate is for."""
OTHER_NAME = "other.example"
"""Whom the certificate of `TlsMode.OTHER_NAME` is for: `tp.Tls(server_name=OTHER_NAME, ...)` makes it a good one."""


class TlsMode(StrEnum):
    """How a module of the lab serves TLS."""

    SERVER = "server"
    """As it should be: a certificate of the lab's authority."""
    MUTUAL = "mutual"
    """The same, and a client must have a certificate of the lab's authority too."""
    EXPIRED = "expired"
    """The certificate was valid until an hour ago."""
    OTHER_NAME = "other name"
    """The certificate is for another host."""
    OTHER_CA = "other CA"
    """The certificate is of an authority that nobody trusts."""

    @classmethod
    def parse(cls, value: "TlsMode | str | bool | None") -> "TlsMode | None":
        """The mode that a person means; None is plaintext.

        >>> TlsMode.parse(True), TlsMode.parse("other CA"), TlsMode.parse(False)
        (<TlsMode.SERVER: 'server'>, <TlsMode.OTHER_CA: 'other CA'>, None)

        Raises:
            OptionsError: it is no mode.
        """
        if value is None or isinstance(value, bool):
            return cls.SERVER if value else None
        try:
            return cls(value)
        except ValueError:
            raise OptionsError("tls", value, f"True, False or one of {', '.join(cls)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """What a server needs to serve TLS. It goes to its process as a line on its stdin: a command line can be read by everybody."""

    key: str = field(repr=False)
    """PEM."""
    chain: str = field(repr=False)
    """PEM: its certificate."""
    client_roots: str | None = field(repr=False)
    """PEM: whose certificates its clients must have; None if they need none."""

    def as_line(self) -> str:
        """Itself as one line; `parse` reads it back."""
        return json.dumps({"key": self.key, "chain": self.chain, "client_roots": self.client_roots})

    @classmethod
    def parse(cls, line: str) -> "ServerIdentity":
        """What `as_line` wrote.

        >>> identity = ServerIdentity(key="k", chain="c", client_roots=None)
        >>> ServerIdentity.parse(identity.as_line()) == identity
        True
        """
        return cls(**json.loads(line))


class Certificates:
    """The authority of one lab. To make it takes 3 ms, and each certificate 0.3."""

    def __init__(self) -> None:
        import trustme

        self._authority = trustme.CA()
        self._nobodys = trustme.CA()

    def server(self, mode: TlsMode) -> ServerIdentity:
        """A new key, and the certificate that goes with the mode."""
        authority = self._nobodys if mode is TlsMode.OTHER_CA else self._authority
        hosts = (OTHER_NAME,) if mode is TlsMode.OTHER_NAME else HOSTS
        end = datetime.now(UTC) - timedelta(hours=1) if mode is TlsMode.EXPIRED else None
        issued = authority.issue_cert(*hosts, not_after=end)
        return ServerIdentity(
            key=issued.private_key_pem.bytes().decode(),
            chain=issued.cert_chain_pems[0].bytes().decode(),
            client_roots=self._authority.cert_pem.bytes().decode() if mode is TlsMode.MUTUAL else None,
        )

    def client(self, mode: TlsMode, *, server_name: str | None) -> Tls:
        """What connects to a server of that mode, if anything does: the lab's authority, and a certificate if the server asks for one."""
        roots = self._authority.cert_pem.bytes()
        if mode is not TlsMode.MUTUAL:
            return Tls(roots=roots, server_name=server_name)
        issued = self._authority.issue_cert(common_name="a client of the lab")
        return Tls(
            roots=roots,
            certificate=issued.cert_chain_pems[0].bytes(),
            key=issued.private_key_pem.bytes(),
            server_name=server_name,
        )
