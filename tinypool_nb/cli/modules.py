"""How modules and their transport security are written in a command's words; the same for each command that connects."""

import argparse
from typing import Any

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tls import Tls


def module(text: str) -> tuple[ModuleKey, str]:
    """`[NAMESPACE/]NAME=ADDRESS`; what is wrong with the parts is said by the pool.

    Example:
        >>> module("tinysystems/http-module-v1=127.0.0.1:50051")
        (ModuleKey(namespace='tinysystems', name='http-module-v1'), '127.0.0.1:50051')
    """
    shown, equals, address = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} has no '='; write NAME=ADDRESS, for example http-module-v1=127.0.0.1:50051")
    namespace, slash, name = shown.partition("/")
    return (ModuleKey(namespace, name) if slash else ModuleKey(None, shown)), address


def add_tls(parser: Any) -> None:
    """Add the words for transport security."""
    group = parser.add_argument_group("transport security", "Without any of these the connections are plaintext.")
    group.add_argument("--tls", action="store_true", help="TLS, trusting the system's authorities")
    group.add_argument("--ca", metavar="FILE", help="TLS, trusting the authorities of this PEM file and no others")
    group.add_argument("--certificate", metavar="FILE", help="mutual TLS: what to show of oneself")
    group.add_argument("--key", metavar="FILE", help="the private key of the certificate")
    group.add_argument("--server-name", metavar="NAME", help="the name in the certificates, where it is not the host of the address")


def tls(options: argparse.Namespace) -> Tls | None:
    """The transport security that the words ask for; None for none."""
    given = {"roots": options.ca, "certificate": options.certificate, "key": options.key, "server_name": options.server_name}
    return Tls(**given) if options.tls or any(given.values()) else None
