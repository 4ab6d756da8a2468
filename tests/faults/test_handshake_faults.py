"""Faults of the handshake: whoever listens there speaks something else, or shows the wrong papers."""

from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import QUICK
from tinypool_nb import PoolOptions, Tls

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


@pytest.mark.fault(9)
def test_http_1_1(scene: "Scene") -> None:
    module = scene.lab.start("old", kind="http/1.1")
    name = scene.register(module)
    reason = scene.fails(name)
    assert "Trying to connect an http1.x server" in reason
    scene.saw(reason.partition("last error: ")[2])
    good = scene.lab.start("good")
    scene.pool.register(name, good.address)
    scene.recovers(name)


@pytest.mark.fault(10)
def test_tls_client_and_plaintext_peer(scene: "Scene") -> None:
    module = scene.lab.start("plain")
    name = scene.register(module, PoolOptions(backoff=QUICK, tls=Tls()))
    reason = scene.fails(name)
    assert "WRONG_VERSION_NUMBER" in reason
    scene.saw(reason.partition("last error: ")[2])
    scene.pool.register(name, module.address, options=PoolOptions(backoff=QUICK))
    scene.recovers(name)


@pytest.mark.fault(11)
def test_plaintext_client_and_tls_peer(scene: "Scene") -> None:
    module = scene.lab.start("tls", tls=True)
    name = scene.register(module)
    reason = scene.fails(name)
    assert "Socket closed" in reason or "Connection reset by peer" in reason
    scene.saw(reason.partition("last error: ")[2])
    scene.pool.register(name, module.address, options=PoolOptions(backoff=QUICK, tls=module.tls))
    scene.recovers(name)


@pytest.mark.fault(12)
def test_three_bad_certificates_have_three_reasons(scene: "Scene") -> None:
    reasons = []
    for mode in ("other CA", "other name", "expired"):
        module = scene.lab.start(mode.replace(" ", "-"), tls=mode)
        name = scene.register(module, PoolOptions(backoff=QUICK, tls=module.tls))
        reasons.append(scene.fails(name).partition("last error: ")[2])
        scene.saw(f"{mode}: {reasons[-1]}")
    assert len({reason.partition("127.0.0.1:")[2][5:] for reason in reasons}) == 3
    good = scene.lab.start("good", tls=True)
    scene.pool.register(name, good.address, options=PoolOptions(backoff=QUICK, tls=good.tls))
    scene.recovers(name)
