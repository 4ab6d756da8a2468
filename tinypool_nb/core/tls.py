"""How a connection is secured: whom it trusts and what it shows of itself. Nothing is read here, and nothing secret is told."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from tinypool_nb.core.hints import hinting
from tinypool_nb.errors import OptionsError


class Transport(StrEnum):
    """How a channel is secured, as every view says it."""

    PLAINTEXT = "plaintext"
    """Not at all: everybody on the way can read and change what is sent."""
    TLS = "TLS"
    """The server shows a certificate."""
    MUTUAL_TLS = "mutual TLS"
    """The client shows one too."""


THROUGH = " through proxy "
"""What stands between the transport of a channel and the proxy that it goes through, wherever both are told."""


class FilePath(Protocol):
    """What `pathlib.Path` is (`os.PathLike[str]`, spelt without `os`)."""

    def __fspath__(self) -> str:
        """The path as text."""
        ...


Pem = bytes | str | FilePath
"""The content of a PEM file as bytes, or the path of one, which is read whenever a channel is opened."""

Setting = Literal["Tls.roots", "Tls.certificate", "Tls.key"]

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_DASHES = "-----"


@hinting()
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tls:
    """TLS for a pool or a module: `tp.PoolOptions(tls=tp.Tls(...))`. Without it a connection is plaintext.

    Each of `roots`, `certificate` and `key` is PEM content as bytes, or the path of a PEM file as a str or `pathlib.Path`. A file is
    read whenever a channel is opened, so that `pool.reconnect` takes a renewed one. No content ever stands in a repr, a log, an
    error or a recording; a path stands in the repr.

    >>> Tls(roots="company-ca.pem")
    Tls(roots='company-ca.pem')
    >>> Tls(roots=b"-----BEGIN CERTIFICATE-----...", server_name="http-module-v1").transport
    <Transport.TLS: 'TLS'>

    Raises:
        OptionsError: bytes are not PEM of the right kind, a key is encrypted, one of certificate and key is missing, or `server_name`
            is no name.

    Source: grpc.io, "Authentication"; RFC 7468 (PEM).
    """

    roots: Pem | None = None
    """Certificates of the authorities that are trusted, these and no others.

    None trusts the file that `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` or `SSL_CERT_FILE` names, else the system's, else the ones that come
    with gRPC: core reads them once for the whole process. Roots of one's own are parsed by each channel for itself: a few are cheap,
    a bundle of 150 takes 10 ms and 1.2 MiB a channel.
    """
    certificate: Pem | None = None
    """What the client shows of itself, for servers that ask (mutual TLS): its certificate, then those that lead up to the authority's."""
    key: Pem | None = None
    """The private key of `certificate`, not encrypted; given together with it."""
    server_name: str | None = None
    """The name that the server's certificate must have, where it is not the host of the address; the server hears it too, as the host.

    It is needed where an address lists several endpoints, since gRPC looks for one name in all their certificates.
    """

    def __post_init__(self) -> None:
        _hold(self, "roots", _checked("Tls.roots", self.roots))
        _hold(self, "certificate", _checked("Tls.certificate", self.certificate))
        _hold(self, "key", _checked("Tls.key", self.key))
        if self.key is None and self.certificate is not None:
            raise OptionsError("Tls.key", None, "it is given together with Tls.certificate")
        if self.certificate is None and self.key is not None:
            raise OptionsError("Tls.certificate", None, "it is given together with Tls.key")
        if self.server_name is not None and not (isinstance(self.server_name, str) and _NAME.fullmatch(self.server_name)):
            raise OptionsError(
                "Tls.server_name", public(self.server_name), "a name as in a certificate, such as 'http-module-v1.svc', without a port"
            )

    @property
    def transport(self) -> Transport:
        """TLS, or mutual TLS if the client has a certificate."""
        return Transport.TLS if self.certificate is None else Transport.MUTUAL_TLS

    def as_dict(self) -> dict[str, str | None]:
        """For a recording, which travels: where each part comes from (system, file or bytes), neither contents nor paths."""
        return {
            "roots": _origin(self.roots) or "system",
            "certificate": _origin(self.certificate),
            "key": _origin(self.key),
            "server_name": self.server_name,
        }

    def __repr__(self) -> str:
        given = {
            "roots": self.roots,
            "certificate": self.certificate,
            "key": self.key,
            "server_name": self.server_name,
        }
        listed = ", ".join(f"{name}={public(value)!r}" for name, value in given.items() if value is not None)
        return f"{type(self).__name__}({listed})"


class Withheld:
    """Stands in a message for a value that may hold a secret.

    >>> Withheld(b"-----BEGIN PRIVATE KEY-----...")
    <30 bytes, not shown>
    """

    __slots__ = ("_said",)

    def __init__(self, value: object) -> None:
        match value:
            case bytes():
                self._said = f"<{len(value)} bytes, not shown>"
            case str():
                self._said = f"<{len(value)} characters, not shown>"
            case _:
                self._said = f"<{type(value).__name__}, not shown>"

    def __repr__(self) -> str:
        return self._said


def public(value: object) -> object:
    """The value itself if it is None or a short printable str such as a path; else a `Withheld` in its place."""
    if value is None or (isinstance(value, str) and value.isprintable() and _DASHES not in value and len(value) <= 1_000):
        return value
    return Withheld(value)


def check_pem(setting: Setting, content: bytes, source: object) -> None:
    """Refuse what is not PEM of the kind that the setting takes.

    Args:
        setting: which one, as the message names it.
        content: what it says, or what its file holds.
        source: shown in the message: the path, or a `Withheld`.

    Raises:
        OptionsError: with the setting, the source and the rule; nothing of the content.
    """
    if setting != "Tls.key":
        if _CERTIFICATE not in content:
            raise OptionsError(
                setting, source, "PEM with at least one '-----BEGIN CERTIFICATE-----'; openssl x509 -inform der converts DER"
            )
    elif any(sign in content for sign in _ENCRYPTED):
        raise OptionsError(setting, source, "a key that is not encrypted, since gRPC asks for no passphrase; openssl pkey decrypts it")
    elif not _KEY.search(content):
        raise OptionsError(setting, source, "PEM with '-----BEGIN PRIVATE KEY-----', or one of '... EC PRIVATE KEY', '... RSA PRIVATE KEY'")


def _checked(setting: Setting, value: object) -> bytes | str | None:
    """The value, a path as a str."""
    if value is None:
        return None
    if isinstance(value, bytes):
        check_pem(setting, value, Withheld(value))
        return value
    path = value if isinstance(value, str) else value.__fspath__() if hasattr(value, "__fspath__") else None
    if not isinstance(path, str):
        raise OptionsError(setting, Withheld(value), "PEM content as bytes, or the path of a PEM file as str or pathlib.Path")
    if _DASHES in path:
        raise OptionsError(setting, Withheld(path), "a str is the path of a file; PEM content is given as bytes: .encode() it")
    if not path or not path.isprintable():
        raise OptionsError(setting, Withheld(path), "a str is the path of a file, in printable characters")
    return path


def _hold(tls: Tls, name: str, value: bytes | str | None) -> None:
    object.__setattr__(tls, name, value)  # a frozen value that is still being made


def _origin(value: Pem | None) -> str | None:
    return None if value is None else "bytes" if isinstance(value, bytes) else "file"
