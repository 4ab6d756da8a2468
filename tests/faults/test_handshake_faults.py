"""Faults of the handshake: whoever listens there speaks something else, or shows the wrong papers."""

from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import QUICK
from tinypool_nb import PoolOptions, State, Tls, errors
from tinypool_nb.core.diagnosis.causes import Cause

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


@pytest.mark.fault(9)
def test_http_1_1(scene: "Scene") -> None:
    module = scene.lab.start("old", kind="http/1.1")
    name = scene.register(module)
    reason = scene.fails(name)
    assert "Trying to connect an http1.x server" in reason
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Trying to connect an http1.x server")
    scene.saw(reason.partition("last error: ")[2])
    scene.explains(name, Cause.NOT_HTTP2, "answers in HTTP/1.1, so it is no gRPC server")
    good = scene.lab.start("good")
    scene.pool.register(name, good.address)
    scene.recovers(name)


@pytest.mark.fault(10)
def test_tls_client_and_plaintext_peer(scene: "Scene") -> None:
    module = scene.lab.start("plain")
    name = scene.register(module, PoolOptions(backoff=QUICK, tls=Tls()))
    reason = scene.fails(name)
    assert "WRONG_VERSION_NUMBER" in reason
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "WRONG_VERSION_NUMBER")
    scene.saw(reason.partition("last error: ")[2])
    scene.explains(name, Cause.TLS_NOT_EXPECTED, "is not TLS", "WRONG_VERSION_NUMBER")
    scene.pool.register(name, module.address, options=PoolOptions(backoff=QUICK))
    scene.recovers(name)


@pytest.mark.fault(11)
def test_plaintext_client_and_tls_peer(scene: "Scene") -> None:
    module = scene.lab.start("tls", tls=True)
    name = scene.register(module)
    reason = scene.fails(name)
    assert "Socket closed" in reason or "Connection reset by peer" in reason
    scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "Socket closed|Connection reset by peer")
    scene.saw(reason.partition("last error: ")[2])
    assert "tls=" in scene.explains(name, Cause.TLS_EXPECTED, "speaks TLSv1.3, and this connection is plaintext").advice
    scene.pool.register(name, module.address, options=PoolOptions(backoff=QUICK, tls=module.tls))
    scene.recovers(name)


@pytest.mark.fault(12)
def test_three_bad_certificates_have_three_reasons(scene: "Scene") -> None:
    reasons = []
    modes = {
        "other CA": (Cause.CERTIFICATE_AUTHORITY, "comes from an authority that is not trusted here"),
        "other name": (Cause.CERTIFICATE_NAME, "is valid, but for another name than 127.0.0.1"),
        "expired": (Cause.CERTIFICATE_EXPIRED, "has expired"),
    }
    for mode, (cause, words) in modes.items():
        module = scene.lab.start(mode.replace(" ", "-"), tls=mode)
        name = scene.register(module, PoolOptions(backoff=QUICK, tls=module.tls))
        reasons.append(scene.fails(name).partition("last error: ")[2])
        scene.saw(f"{mode}: {reasons[-1]}")
        scene.gets(name, State.TRANSIENT_FAILURE, errors.NotReadyError, "certificate|verif")
        scene.explains(name, cause, words)
    assert len({reason.partition("127.0.0.1:")[2][5:] for reason in reasons}) == 3
    good = scene.lab.start("good", tls=True)
    scene.pool.register(name, good.address, options=PoolOptions(backoff=QUICK, tls=good.tls))
    scene.recovers(name)
