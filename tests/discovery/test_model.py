"""Random histories with every fault in between, on the lab's API server and on a real one: afterwards the pool equals the cluster.

Names are created, changed, deleted and created anew while the server is killed, frozen, compacted and worse. After each round the pool
equals a fresh list, within seconds of the server's answering again; it was asked to change exactly when an address had changed, and
what nobody touched kept its channel. The seeds are printed in the end, a failure names its seed and the round; `-k 'seed3'` runs it again.

How much of this is shown where: 200 rounds on the lab's server have waits of 1 s at the most and 5 s to be right again, so that many faults
come in a short time; 16 more, and the 18 on the real server, have the waits that users have, and 15 s.
"""

import json
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

import tinypool_nb as tp
from tests.conftest import TOLD_AT_THE_END
from tests.contract.conftest import ForeignServer, LabServer, Server, real_server
from tests.contract.http.conftest import Http, Space, full_status, new_namespace
from tinypool_nb.core import reflecting
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import Verdict, decode
from tinypool_nb.lab import Kubernetes
from tinypool_nb.lab.proxies import Proxy

__all__ = ["real_server"]

NAMES = [f"module-{number}" for number in range(8)]
USABLE = [f"127.0.0.1:{port}" for port in (1, 2, 3)]
NONE_YET = None
"""A resource without a status."""
STRICT: list[object] = [*USABLE, NONE_YET, "nats://x", "no-port"]
"""What every API server lets through."""
LOOSE: list[object] = [*STRICT, "", 7]
"""What an older definition of the resource lets through too."""
Object = Mapping[str, Any]
Act = Callable[[], object]


class Watched(tp.ClientPool):
    """Writes down what a discovery asks for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__()

    def _place(self, key: ModuleKey, address: str | None) -> None:
        self.asked.append((key.name, address))
        super()._place(key, address)

    def there(self) -> dict[str, str]:
        return {key.name: entry.address.text for key, entry in self._modules._table.entries.items()}


class Writer(Protocol):
    """Who changes the resources of one namespace, whatever befalls other clients."""

    addresses: list[object]

    def create(self, name: str) -> None: ...
    def set_status(self, name: str, status: dict[str, object]) -> None: ...
    def label(self, name: str, value: str) -> None: ...
    def delete(self, name: str) -> None: ...
    def list(self) -> list[Object]: ...


class LabWriter:
    """By the lab's operator, whom no fault meets while the server runs."""

    addresses = LOOSE

    def __init__(self, lab: tp.Lab, namespace: str) -> None:
        self._resources = lab.resources
        self._namespace = namespace

    def create(self, name: str) -> None:
        self._resources.create(name, namespace=self._namespace)

    def set_status(self, name: str, status: dict[str, object]) -> None:
        self._resources.patch_status(name, status, namespace=self._namespace, checked=False)

    def label(self, name: str, value: str) -> None:
        self._resources.patch(name, {"metadata": {"labels": {"tier": value}}}, namespace=self._namespace)

    def delete(self, name: str) -> None:
        self._resources.delete(name, namespace=self._namespace)

    def list(self) -> list[Object]:
        return [*self._resources.list(namespace=self._namespace)]


class RawWriter:
    """By requests to any API server."""

    addresses = STRICT

    def __init__(self, space: Space) -> None:
        self._space = space
        self.create = space.create
        self.delete = space.delete

    def set_status(self, name: str, status: dict[str, object]) -> None:
        made = self._space.http.send("PATCH", f"{self._space.path}/{name}/status", {"status": status})
        assert made.code == 200, made.body

    def label(self, name: str, value: str) -> None:
        self._space.patch(name, {"metadata": {"labels": {"tier": value}}})

    def list(self) -> list[Object]:
        return [*self._space.listed().body["items"]]


class Fault(NamedTuple):
    """One way to break the server."""

    name: str
    happen: Act
    mend: Act
    writable: bool
    """Whether resources can be changed while it lasts."""
    refusals: int = 0
    """Requests that are refused though it is mended: only after these the server answers again."""


def faults_of_any(server: Server) -> list[Fault]:
    def nothing() -> None:
        pass

    if isinstance(server, ForeignServer):
        return [Fault("nothing", nothing, nothing, writable=True)]  # it is not ours to break
    return [
        Fault("nothing", nothing, nothing, writable=True),
        Fault("kill -9", server.kill9, server.restart, writable=False),
        Fault("graceful stop", server.stop, server.restart, writable=False),
        Fault("restart", server.restart, nothing, writable=True),
        Fault("compaction", server.compact, nothing, writable=True),
        Fault("freeze", server.freeze, server.thaw, writable=False),
    ]


def faults_of_lab(lab: tp.Lab) -> list[Fault]:
    """Those that only ours can be told to have. A new request is refused, so watches are ended with it."""
    api = lab.api

    def refuse(code: int, times: int | None, retry_after: int | None = None) -> Act:
        def act() -> None:
            api.refuse(code, times=times, retry_after=retry_after)
            api.drop_watches(ending="reset")

        return act

    def revoke() -> None:
        api.revoke_token()
        api.drop_watches(ending="clean")

    def forbid() -> None:
        api.grant(verbs=["get"])
        api.drop_watches(ending="clean")

    def missed() -> None:
        """What a person calls an outage: nobody is let in, and what happened meanwhile is forgotten."""
        api.compact()
        api.heal()

    return [
        *(Fault(f"watches end: {ending}", partial(api.drop_watches, ending=ending), api.heal, writable=True) for ending in ENDINGS),
        Fault("503", refuse(503, None), api.heal, writable=True),
        *(Fault(f"{code}, once", refuse(code, 1, 1), lambda: None, writable=True, refusals=1) for code in (404, 410, 500, 503)),
        Fault("429, twice", refuse(429, 2, 1), lambda: None, writable=True, refusals=2),
        Fault("outage and compaction", refuse(503, None), missed, writable=True),
        Fault("401", revoke, api.heal, writable=True),
        Fault("403", forbid, api.heal, writable=True),
        Fault("silence", api.silence, api.heal, writable=True),
    ]


def faults_of_the_way(proxy: Proxy) -> list[Fault]:
    """What can happen between a client and any server, while that goes on: no more, since what is said there is encrypted."""
    faults = proxy.faults

    def cut() -> None:
        with faults.reset():
            pass

    def refuse() -> None:
        faults.refuse().begin()
        cut()

    def blackhole() -> None:
        faults.blackhole().begin()

    return [
        Fault("cut connections", cut, lambda: None, writable=True),
        Fault("refused connections", refuse, faults.heal, writable=True),
        Fault("silent connections", blackhole, faults.heal, writable=True),
    ]


ENDINGS = ("clean", "reset", "mid line", "error", "garbage")


@dataclass
class History:
    """What somebody does to the resources, by lot, and what of it anybody could have seen."""

    writer: Writer
    dice: random.Random
    named: dict[str, object] = field(default_factory=dict)
    """Each resource that is there, and the address that it names."""
    ever: dict[str, set[object]] = field(default_factory=dict)
    """The addresses that each of these resources has named since it was created: any of them may have been seen."""
    touched: set[str] = field(default_factory=set)
    """What was deleted, or changed its address, since the round began."""

    def write(self) -> None:
        """One thing."""
        name = self.dice.choice(NAMES)
        if name not in self.named:
            self._create(name, self._any())
            return
        match self.dice.randrange(6):
            case 0:
                self._delete(name)
            case 1:  # the same name anew, perhaps at the same address
                before = self.named[name]
                self._delete(name)
                self._create(name, self.dice.choice([before, self._any()]))
            case 2 if self.named[name] is not NONE_YET:  # something that is none of an address
                self._set(name, self.named[name])
            case 3 if self.named[name] != 7:  # which the server would refuse to write once more
                self.writer.label(name, str(self.dice.randrange(10_000)))
            case _:
                self.touched.add(name)
                self._set(name, self.dice.choice([each for each in self.writer.addresses if each is not NONE_YET]))

    def _any(self) -> object:
        return self.dice.choice(self.writer.addresses)

    def _create(self, name: str, address: object) -> None:
        self.touched.add(name)
        self.writer.create(name)
        self.named[name], self.ever[name] = NONE_YET, set()
        if address is not NONE_YET:
            self._set(name, address)

    def _delete(self, name: str) -> None:
        self.touched.add(name)
        self.writer.delete(name)
        del self.named[name]

    def _set(self, name: str, address: object) -> None:
        self.writer.set_status(name, full_status(name, addr=address, version=f"1.0.{self.dice.randrange(10_000)}"))
        self.named[name] = address
        self.ever[name].add(address)


class Scene:
    """A pool that discovers, a history, and the faults of one server."""

    def __init__(self, pool: Watched, kubeconfig: str, namespace: str, history: History, faults: list[Fault]) -> None:
        self.pool, self.history, self.faults = pool, history, faults
        self.namespace = namespace
        self.discovery = pool.discover(kubeconfig=kubeconfig, namespace=namespace)
        self.discovery.wait(30)

    def round(self, recovery: float, about: str) -> str:
        """Break, write and mend; then the pool must be right within `recovery` seconds. The fault's name."""
        pool, history, dice = self.pool, self.history, self.history.dice
        before, asked, history.touched = pool.there(), len(pool.asked), set()
        channels = {name: (pool[ModuleKey(self.namespace, name)], self._generation(name)) for name in before}
        fault = dice.choice(self.faults)
        about = f"{about}, {fault.name}"
        for _ in range(dice.randrange(4)):
            history.write()
        fault.happen()
        try:
            for _ in range(dice.randrange(8) if fault.writable else 0):
                history.write()
        finally:
            fault.mend()
        began, recovery = time.monotonic(), recovery + fault.refusals * reflecting.LONGEST_WAIT
        for _ in range(dice.randrange(3)):
            history.write()
        items = history.writer.list()
        while wrong := self._differs(items):
            assert time.monotonic() - began < recovery, f"{about}: after {recovery:g} s {wrong}; {self.discovery.status}"
            time.sleep(0.01)
        for name, (channel, generation) in channels.items():
            if name not in history.touched:
                assert pool[ModuleKey(self.namespace, name)] is channel, f"{about}: {name} lost its channel"
                assert self._generation(name) == generation, f"{about}: {name} flickered"
                assert name not in [each for each, _ in pool.asked[asked:]], f"{about}: {name} was asked for"
        for name, address in pool.asked[asked:]:
            assert before.get(name) != address, f"{about}: {name} was asked for at {address} once more"
            before[name] = address  # type: ignore[assignment]
        return fault.name

    def _generation(self, name: str) -> int:
        watched = self.pool._modules.channel(ModuleKey(self.namespace, name))
        assert watched is not None
        return watched.identity.generation

    def _differs(self, items: list[Object]) -> str:
        """In what the pool is not what a list says; "" if it is."""
        modules = {module.name: module for module in map(decode, items)}
        known = {each.module.name: each.module.resource_version for each in self.pool._discoveries.known()}
        versions = {name: module.resource_version for name, module in modules.items()}
        if known != versions:
            return f"it knows {known}, a list says {versions}"
        there = self.pool.there()
        for name, module in modules.items():
            if module.verdict is Verdict.USABLE and there.get(name) != module.address:
                return f"{name} is at {there.get(name)}, not {module.address}"
            if module.verdict is not Verdict.USABLE and name in there and there[name] not in self.history.ever[name]:
                return f"{name} is at {there[name]}, which it never named"
        return f"{there.keys() - modules.keys()} are left" if there.keys() - modules.keys() else ""


@pytest.fixture
def pool() -> Iterator[Watched]:
    with Watched() as pool:
        yield pool


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=Kubernetes(bookmark_every=1.0)) as lab:
        yield lab


Note = Callable[[str, object], None]


def play(scene: Scene, seed: int, rounds: int, recovery: float, note: Note) -> None:
    began = time.monotonic()
    told = [scene.round(recovery, f"seed {seed}, round {number}") for number in range(rounds)]
    note(TOLD_AT_THE_END, f"seed {seed}: {rounds} rounds in {time.monotonic() - began:.0f} s: {', '.join(told)}")


def play_in_lab(pool: Watched, lab: tp.Lab, seed: int, *, rounds: int, recovery: float, note: Note) -> None:
    namespace = f"model-{secrets.token_hex(4)}"
    writer = LabWriter(lab, namespace)
    writer.create("first")
    writer.delete("first")
    faults = [*faults_of_any(LabServer(lab)), *faults_of_lab(lab)]
    play(Scene(pool, lab.kubeconfig, namespace, History(writer, random.Random(seed)), faults), seed, rounds, recovery, note)


@pytest.fixture
def way(tmp_path: Path, real_server: Server) -> Iterator[tuple[str, list[Fault]]]:
    """A kubeconfig that leads to the real server, and what can go wrong on the way there; to another's cluster nothing does."""
    if isinstance(real_server, ForeignServer):
        yield real_server.kubeconfig, []
        return
    said = json.loads(Path(real_server.kubeconfig).read_text())
    cluster = said["clusters"][0]["cluster"]
    with tp.Lab() as lab:
        proxy = lab.proxy(cluster["server"].removeprefix("https://"))
        cluster["server"] = f"https://{proxy.address}"
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(said))
        yield str(path), faults_of_the_way(proxy)


@pytest.mark.parametrize("seed", [pytest.param(100, id="seed100")])
def test_a_short_history_on_the_labs_server(
    pool: Watched, lab: tp.Lab, seed: int, monkeypatch: pytest.MonkeyPatch, record_property: Note
) -> None:
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 0.2)
    play_in_lab(pool, lab, seed, rounds=10, recovery=5.0, note=record_property)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8), ids=lambda seed: f"seed{seed}")
def test_any_history_on_the_labs_server(
    pool: Watched, lab: tp.Lab, seed: int, monkeypatch: pytest.MonkeyPatch, record_property: Note
) -> None:
    """Waits are a tenth of what they are, and so is the time to be right again: faults come one upon the other here."""
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 1.0)
    play_in_lab(pool, lab, seed, rounds=25, recovery=5.0, note=record_property)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 9], ids=lambda seed: f"seed{seed}")
def test_the_pool_is_right_within_fifteen_seconds_though_waits_have_grown(
    pool: Watched, lab: tp.Lab, seed: int, record_property: Note
) -> None:
    play_in_lab(pool, lab, seed, rounds=8, recovery=15.0, note=record_property)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(10, 13), ids=lambda seed: f"seed{seed}")
def test_any_history_on_a_real_server(
    pool: Watched, real_server: Server, way: tuple[str, list[Fault]], seed: int, record_property: Note
) -> None:
    http = Http(real_server.kubeconfig)
    namespace = new_namespace(http)
    kubeconfig, faults = way
    try:
        writer = RawWriter(Space(real_server, http, namespace))
        history = History(writer, random.Random(seed))
        scene = Scene(pool, kubeconfig, namespace, history, [*faults_of_any(real_server), *faults])
        play(scene, seed, 6, 15.0, record_property)
    finally:
        http.send("DELETE", f"/api/v1/namespaces/{namespace}")
        http.close()
