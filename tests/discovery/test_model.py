"""Random histories with every fault in between: afterwards the pool equals the cluster, changed only where an address did."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tinypool_nb as tp
from tests.discovery.conftest import NAMESPACE, ApiServer, refuse, until
from tinypool_nb.core import reflecting
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import Verdict, decode

NAMES = [f"module-{number}" for number in range(8)]
ADDRESSES: list[object] = [*(f"127.0.0.1:{port}" for port in (1, 2, 3)), "", None, "nats://x", 7]
ROUNDS = 25
RECOVERY = 5.0
"""Seconds within which the pool is right after the server answers again; 15 where waits are as long as they are."""


class Watched(tp.ClientPool):
    """Writes down what a discovery asks for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__()

    def _place(self, key: ModuleKey, address: str | None) -> None:
        self.asked.append((key.name, address))
        super()._place(key, address)


@pytest.fixture
def pool() -> Iterator[Watched]:
    with Watched() as pool:
        yield pool


class Model:
    """What the pool must have: of each resource the last address that could be dialled, as far as anybody can have seen it."""

    def __init__(self, server: ApiServer, chance: random.Random) -> None:
        self.server = server
        self.chance = chance

    def change(self) -> None:
        name = self.chance.choice(NAMES)
        there = (NAMESPACE, name) in self.server.objects
        match self.chance.randrange(6):
            case 0 if there:
                self.server.delete(name)
            case 1 if there:  # deleted and created anew, perhaps at the same address
                addr = self.chance.choice([self.server.objects[NAMESPACE, name].get("status", {}).get("addr"), *ADDRESSES])
                self.server.delete(name)
                self.server.put(name, addr)
            case 2 if there:  # something that is none of an address
                self.server.put(name, self.server.objects[NAMESPACE, name].get("status", {}).get("addr"), version=str(self.chance.random()))
            case _:
                self.server.put(name, self.chance.choice(ADDRESSES))

    def fault(self) -> Callable[[], None]:
        """Break something; what it returns mends it."""
        server = self.server
        faults: list[Callable[[], object]] = [
            server.drop,
            server.compact,
            lambda: server.say(b"garbage\n"),
            lambda: server.say(b'{"type": "ERROR", "object": {"code": 500, "message": "leader changed"}}\n'),
            lambda: self.refuse(503, "ServiceUnavailable", "later"),
            lambda: self.refuse(410, "Expired", "too old"),
            lambda: None,
        ]
        if self.chance.random() < 0.25:
            server.kill()
            return server.start
        self.chance.choice(faults)()
        return lambda: None

    def answers_again(self) -> bool:
        if self.server.answers:
            self.server.drop()  # once more: the watch may have begun just after the first time
        return not self.server.answers

    def refuse(self, status: int, reason: str, message: str) -> None:
        self.server.answers.append(refuse(status, reason, message))
        self.server.drop()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_any_history_with_any_faults_ends_with_the_pool_equal_to_the_cluster(
    pool: Watched, server: ApiServer, config: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a resource that names no usable address now, the pool may have the last one, if a watch saw it."""
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 1.0)  # a tenth: faults come one upon the other here
    chance = random.Random(seed)
    model = Model(server, chance)
    discovery = pool.discover(kubeconfig=config)
    discovery.wait(10)
    for number in range(ROUNDS):
        before, asked = dict(server.objects), len(pool.asked)
        entries = dict(pool._modules._table.entries)
        channels = {key.name: pool[key] for key in entries}
        addresses: dict[str, str | None] = {key.name: entry.address.text for key, entry in entries.items()}
        mend = model.fault()
        with server.changed:
            for _ in range(chance.randrange(8)):
                model.change()
            if chance.random() < 0.3:
                server.compact()
        mend()
        until(model.answers_again, 30.0)
        until(lambda: equal(server, pool), RECOVERY)
        for key, resource in server.objects.items():
            if before.get(key) == resource and key[1] in channels:
                assert pool[ModuleKey(*key)] is channels[key[1]], f"round {number} of seed {seed}: {key} flickered"
                assert key[1] not in [changed for changed, _ in pool.asked[asked:]]
        for name, address in pool.asked[asked:]:
            assert addresses.get(name) != address, f"round {number} of seed {seed}: {name} was asked for at {address} once more"
            addresses[name] = address
    assert discovery.status.last_error


def equal(server: ApiServer, pool: Watched) -> bool:
    """Whether all usable addresses are in the pool, and nothing whose resource is gone."""
    with server.changed:
        modules = {key: decode(each) for key, each in server.objects.items()}
    there = {tuple(key): entry.address.text for key, entry in pool._modules._table.entries.items()}
    usable = {key: module.address for key, module in modules.items() if module.verdict is Verdict.USABLE}
    known = {tuple(known.module.key): known.module.resource_version for known in pool._discoveries.known()}
    return (
        known == {key: module.resource_version for key, module in modules.items()}
        and there.keys() <= modules.keys()
        and usable.items() <= there.items()
    )
