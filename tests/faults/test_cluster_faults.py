"""Faults of the cluster: its API server, what it permits, what its resources say."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import OPTIONS, Scene, wait
from tinypool_nb import AmbiguousModuleError, Lab, Pool
from tinypool_nb.core import reflecting
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.discovery import resources
from tinypool_nb.discovery.resources import Timeouts

if TYPE_CHECKING:
    from tinypool_nb.discovery.discovery import Discovery


@pytest.fixture
def scene(record_property: Callable[[str, object], None]) -> Iterator[Scene]:
    with Lab(kubernetes=True) as lab, Pool(OPTIONS) as pool:
        yield Scene(lab, pool, record_property)


def discovered(scene: Scene) -> "Discovery":
    discovery = scene.pool.discover(kubeconfig=scene.lab.kubeconfig)
    discovery.wait(20)
    return discovery


def states(scene: Scene) -> dict[str, str]:
    frame = scene.pool.modules()
    return {str(name): str(state) for name, state in zip(frame["module"], frame["state"], strict=True)}


@pytest.mark.fault(22)
def test_api_server_down(scene: Scene) -> None:
    scene.lab.start("web")
    discovery = discovered(scene)
    scene.recovers("web")
    scene.lab.api.kill()
    wait(lambda: not discovery.status.synced)
    told = str(discovery.status)
    assert told.startswith("stale since ")
    assert scene.pool.send("web", wait_for_ready=True)
    scene.nothing_wrong("web")
    scene.lab.api.restart()
    wait(lambda: discovery.status.synced)
    scene.saw(f"{told.partition(' UTC')[0]} UTC, while calls go on; then: {discovery.status}")
    scene.recovers("web")


@pytest.mark.fault(23)
def test_deletions_that_were_missed(scene: Scene) -> None:
    scene.lab.start("web")
    scene.lab.start("gone")
    discovered(scene)
    scene.lab.api.refuse(503, times=1)
    scene.lab.api.drop_watches()  # the next one is refused, and meanwhile:
    scene.lab.resources.delete("gone")
    scene.lab.api.compact()  # so that a watch from before is answered 410
    wait(lambda: "gone" not in scene.pool)
    scene.saw("the watch broke, its successor was answered 410: listed anew, and the deletion meanwhile is carried out")
    scene.recovers("web")


@pytest.mark.fault(23)
def test_a_watch_that_falls_silent(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "Timeouts", lambda: Timeouts(silence=1.0))  # 80 s in the field: bookmarks come each minute
    scene.lab.start("web")
    scene.lab.start("gone")
    discovered(scene)
    wait(lambda: "watch" in scene.lab.api.requests[-1].path)
    scene.lab.api.silence()
    time.sleep(2)  # a second longer than a watch may say nothing: from here on it is not believed
    lists = len(_lists(scene))
    scene.lab.api.heal()
    scene.lab.resources.delete("gone")
    wait(lambda: "gone" not in scene.pool)
    assert len(_lists(scene)) > lists
    scene.saw("a watch that says nothing for as long as bookmarks never take is left for a list, which carries out what was missed")
    scene.recovers("web")


def _lists(scene: Scene) -> list[str]:
    """The lists that the API server was asked for."""
    return [each.path for each in scene.lab.api.requests if each.method == "GET" and "limit=" in each.path]


@pytest.mark.fault(23)
def test_etcd_was_restored(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflecting, "RELIST", 3.0)  # 15 min in the field
    monkeypatch.setattr(reflecting, "EARLIEST_RELIST", 2.7)
    scene.lab.start("web")
    discovered(scene)
    scene.lab.start("later")
    wait(lambda: "later" in scene.pool)
    scene.lab.api.restart(lost=2)  # the two writes of its creation and its address
    assert "later" not in {found["metadata"]["name"] for found in scene.lab.resources.list()}
    wait(lambda: "later" not in scene.pool)
    assert "web" in scene.pool
    scene.saw(
        "etcd restored from an older copy: versions went back, so a list is what finds out; what is not there any more is unregistered"
    )
    scene.recovers("web")


@pytest.mark.fault(24)
@pytest.mark.parametrize("code", [401, 403])
def test_no_right(scene: Scene, code: int) -> None:
    scene.lab.start("web")
    if code == 401:
        scene.lab.api.revoke_token()
    else:
        scene.lab.api.grant(["get"])
    discovery = scene.pool.discover(kubeconfig=scene.lab.kubeconfig)
    wait(lambda: discovery.status.missing is not None)
    token = json.loads(Path(scene.lab.kubeconfig).read_text())["users"][0]["user"]["token"]
    told = str(discovery.status)
    assert token not in told + repr(discovery) + scene.pool.marks().to_string()
    scene.saw(told)
    scene.lab.api.heal()
    discovery.wait(20)
    scene.recovers("web")


@pytest.mark.fault(25)
def test_malformed_addresses(scene: Scene) -> None:
    module = scene.lab.start("web")
    scene.lab.start("kept")
    discovered(scene)
    resources = scene.lab.resources
    resources.create("waits")
    for name, address in (("nats", "nats://tinymodule.nats.msg"), ("blank", "a b:1"), ("huge", "x" * 5000)):
        resources.create(name, addr=address)
    resources.patch_status("kept", {"addr": 7}, checked=False)
    wait(lambda: len(states(scene)) == 6 and states(scene)["kept"] != "registered")
    quarantined = dict.fromkeys(("nats", "blank", "huge"), "quarantined")
    assert states(scene) == {"web": "registered", "kept": "kept", "waits": "waiting", **quarantined}
    scene.saw(", ".join(f"{name}: {state}" for name, state in sorted(states(scene).items())))
    scene.explains("waits", Cause.WAITING_FOR_ADDRESS, "waits for its resource to name an address")
    scene.explains("kept", Cause.KEPT_ADDRESS, "stays at its last good address")
    scene.explains("nats", Cause.QUARANTINED, "is quarantined by discovery, and not dialled")
    assert "huge" in scene.pool.explain("huge").text()
    module.move()
    wait(lambda: scene.pool.connections().set_index("module")["address"]["web"] == module.address)
    scene.recovers("web")
    scene.recovers("kept")


@pytest.mark.fault(26)
def test_equal_names(scene: Scene) -> None:
    module = scene.lab.start("web")
    scene.lab.resources.create("web", addr=module.address, namespace="other")
    scene.pool.discover(kubeconfig=scene.lab.kubeconfig, all_namespaces=True).wait(20)
    wait(lambda: len(scene.pool) == 2)
    with pytest.raises(AmbiguousModuleError) as ambiguous:
        scene.pool.get("web")
    scene.saw(f"both rows: {', '.join(scene.pool)}; {ambiguous.value}")
    for name in tuple(scene.pool):
        assert scene.pool.send(name, wait_for_ready=True)
        scene.explains(name, Cause.SHARED_ADDRESS, "both reach the same server")
        scene.recovers(name)
