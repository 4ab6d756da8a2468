"""Faults of the address: wrong ones, names that do not resolve or that resolve to something else, a proxy in the environment."""

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import PATIENCE, QUICK, wait
from tinypool_nb import PoolOptions, State, errors
from tinypool_nb.core.diagnosis.causes import Cause

if TYPE_CHECKING:
    from tests.faults.conftest import Scene
    from tinypool_nb.core.options import LoadBalancing


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:99999", "127.0.0.1", "127.0.0.1: 1", "127.0.0.1:1\n", "a\0b:1", "", "x" * 10_000 + ":1"],
    ids=lambda address: address[:12],
)
def test_bad_addresses(scene: "Scene", address: str) -> None:
    with pytest.raises(errors.AddressError) as refused:
        scene.pool.register("bad", address)
    assert len(str(refused.value)) < 300
    assert "bad" not in scene.pool
    assert scene.pool.transitions().empty
    with pytest.raises(errors.UnknownModuleError):
        scene.pool.explain("bad")  # there is nothing to explain: nothing was dialled
    scene.saw(str(refused.value))


@pytest.mark.fault(14)
def test_ipv6(scene: "Scene") -> None:
    if not socket.has_ipv6 or not sys.platform.startswith("linux"):
        pytest.skip("there is no ::1 here")
    module = scene.lab.start("six", host="::1")
    name = scene.connect(module)
    with pytest.raises(errors.AddressError, match=rf"an IPv6 address stands in brackets: \[::1\]:{module.port}") as refused:
        scene.pool.register("bare", f"::1:{module.port}")
    scene.saw(f"{module.address} is READY; {refused.value}")
    scene.nothing_wrong(name)
    scene.recovers(name)


@pytest.mark.fault(15)
def test_a_name_that_does_not_resolve(scene: "Scene") -> None:
    dns = scene.lab.dns()
    module = scene.lab.start("named")
    scene.pool.register("named", dns.target("nobody.test", module.port))
    scene.pool.health_check()
    reason = scene.fails("named")
    assert "nobody.test" in reason
    assert "Domain name not found" in reason
    scene.gets("named", State.TRANSIENT_FAILURE, errors.NotReadyError, "Domain name not found")
    scene.saw(reason)
    scene.explains("named", Cause.UNRESOLVED, "The name nobody.test does not resolve")
    dns.set("nobody.test", ["127.0.0.1"])
    scene.recovers("named")


@pytest.mark.fault(16)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of the loopback by itself")
def test_pods_are_added(scene: "Scene") -> None:
    dns = scene.lab.dns()
    first = scene.lab.start("first")
    scene.lab.start("second", host="127.0.0.2", port=first.port)
    dns.set("pods.test", ["127.0.0.1"])
    scene.pool.register("pods", dns.target("pods.test", first.port), options=PoolOptions(backoff=QUICK, load_balancing="round_robin"))
    scene.pool.health_check()
    scene.until("pods", "READY")
    dns.set("pods.test", ["127.0.0.1", "127.0.0.2"])
    asked = len(dns.queries)
    for _ in range(20):
        assert b'"module": "first"' in scene.pool.send("pods")
    assert len(dns.queries) == asked
    resolved = scene.pool.connections()["resolved"].iloc[0]
    assert "127.0.0.2" not in str(resolved)
    scene.saw(f"gRPC does not ask again while it is READY: resolved {resolved}; DNS says 127.0.0.1, 127.0.0.2")
    finding = scene.explains(
        "pods", Cause.STALE_DNS, "The resolved set of pods differs from what DNS says now", f"127.0.0.2:{first.port} is new"
    )
    assert "pool.reconnect" in finding.advice
    scene.pool.reconnect("pods")
    wait(lambda: "127.0.0.2" in str(scene.pool.connections()["resolved"].iloc[0]))
    scene.recovers("pods")
    assert not any(finding.cause is Cause.STALE_DNS for finding in scene.pool.explain("pods").findings)


@pytest.mark.fault(16)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of the loopback by itself")
@pytest.mark.parametrize(
    ("before", "load_balancing", "differs"),
    [
        (["127.0.0.1", "127.0.0.2"], "round_robin", ": ipv4:127.0.0.1:{} is not there any more. "),
        (["127.0.0.1"], "pick_first", ": ipv4:127.0.0.1:{0} is not there any more; ipv4:127.0.0.2:{0} is new. "),
    ],
    ids=["removed", "replaced"],
)
def test_pods_are_taken_away(scene: "Scene", before: list[str], load_balancing: "LoadBalancing", differs: str) -> None:
    dns = scene.lab.dns()
    first = scene.lab.start("first")
    scene.lab.start("second", host="127.0.0.2", port=first.port)
    dns.set("pods.test", before)
    options = PoolOptions(backoff=QUICK, load_balancing=load_balancing)
    scene.pool.register("pods", dns.target("pods.test", first.port), options=options)
    for _ in range(20):
        assert scene.pool.send("pods", wait_for_ready=True, timeout=PATIENCE)
    dns.set("pods.test", ["127.0.0.2"])
    wait(lambda: b'"module": "first"' in scene.pool.send("pods"))  # who is not there any more is called all the same
    assert scene.health("pods") is State.READY
    scene.explains("pods", Cause.STALE_DNS, "differs from what DNS says now", differs.format(first.port))
    scene.saw(f"DNS said {', '.join(before)} and says 127.0.0.2: the first pod is called all the same")
    scene.pool.reconnect("pods")
    over = scene.pool.now()
    for _ in range(5):
        assert b'"module": "second"' in scene.pool.send("pods", wait_for_ready=True, timeout=PATIENCE)
    scene.came_back("pods", over)
    scene.recovers("pods")
    assert not any(finding.cause is Cause.STALE_DNS for finding in scene.pool.explain("pods").findings)


@pytest.mark.fault(21)
def test_a_proxy_in_the_environment(scene: "Scene", monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy_port = proxy.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://ada:secret@127.0.0.1:{proxy_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        module = scene.lab.start("direct")
        name = scene.connect(module)
        proxy.settimeout(0.05)
        with pytest.raises(TimeoutError):
            proxy.accept()
        doctor = subprocess.run(
            [sys.executable, "-m", "tinypool_nb.cli", "doctor", module.address], capture_output=True, text=True, check=False, timeout=60
        )
        assert (doctor.returncode, doctor.stderr) == (0, "")
        (line,) = [line for line in doctor.stdout.splitlines() if "http_proxy" in line and "environment sets" in line]
    scene.saw(f"READY; nobody asked the proxy; doctor: {line.strip()}")
    finding = scene.explains(name, Cause.PROXY, "The environment sets http_proxy", "dialled directly")
    assert str(proxy_port) not in finding.text  # a value may hold a password
    scene.recovers(name)
