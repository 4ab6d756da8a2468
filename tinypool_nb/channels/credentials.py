"""From `Tls` to gRPC's credentials: reads the files, and refuses what gRPC would only fail on later, without a word."""

import os
import ssl
from functools import cache, lru_cache
from pathlib import Path

import grpc

from tinypool_nb.core.tls import Pem, Setting, Tls, Withheld, check_pem
from tinypool_nb.errors import OptionsError

ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
"""Where gRPC core looks for the roots of those who name none (grpc/grpc `doc/environment_variables.md`)."""

SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their roots in one file: Debian, Fedora and Red Hat, the same of old, SUSE, Alpine and macOS."""


def channel_credentials(tls: Tls) -> grpc.ChannelCredentials:
    """The credentials of one more channel. Files are read now.

    Channels share no credentials: it would save nothing, since gRPC core (1.85) parses own roots once a channel all the same.

    Raises:
        OptionsError: a file cannot be read, or holds no PEM of its kind; with the setting and the path.
    """
    if tls.roots is None:
        _trust_the_system()
    return grpc.ssl_channel_credentials(
        _content("Tls.roots", tls.roots), _content("Tls.key", tls.key), _content("Tls.certificate", tls.certificate)
    )


@cache
def _trust_the_system() -> None:
    """Let core trust the system's roots, to which a company's may have been added, and not only those that come with gRPC.

    By its variable, not as content: core then parses them once for all channels, where each channel would take 10 ms and 1.2 MiB
    for itself. It looks when the first channel without roots of its own is opened.
    """
    if ROOTS not in os.environ:
        known = (
            ssl.get_default_verify_paths().cafile,
            *SYSTEM_ROOTS,
        )  # the first one honours SSL_CERT_FILE, and is None if it is not there
        file = next((file for file in known if file and Path(file).is_file()), None)
        if file:
            os.environ[ROOTS] = file


def _content(setting: Setting, value: Pem | None) -> bytes | None:
    """What the setting says, or what its file holds."""
    if value is None:
        return None
    source = Withheld(value) if isinstance(value, bytes) else Path(value)
    if isinstance(value, bytes):
        content = value
    else:
        try:
            content = Path(value).read_bytes()
        except OSError as error:
            raise OptionsError(setting, source, f"the file cannot be read: {error.strerror or type(error).__name__}") from None
        check_pem(setting, content, source)
    if setting != "Tls.key" and not _can_be_parsed(content):
        # Core would only say "Failed to create security handshaker" at each attempt.
        raise OptionsError(setting, source, "certificates that can be read; these are damaged")
    return content


@lru_cache(maxsize=16)
def _can_be_parsed(certificates: bytes) -> bool:
    """Whether OpenSSL can read them. Remembered, since it takes 0.3 ms, and a thousand modules may have the same."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates.decode("ascii", "ignore"))
    except ssl.SSLError:
        return False
    return True
