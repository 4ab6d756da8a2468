"""What goes wrong during a soak, by lot: servers die, freeze, stop and move, the ways to them break, modules come and go."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.errors import LabError
from tinypool_nb.lab import Lab
from tinypool_nb.lab.faults import Fault, Faults
from tinypool_nb.lab.modules import Module
from tinypool_nb.lab.proxies import Proxy

HOMES = 8
"""Server processes; many modules live in each, every one behind a proxy of its own."""
OPTIONS = PoolOptions(
    keepalive=Keepalive(time=1.0, timeout=1.0),
    backoff=Backoff(initial=0.1, maximum=2.0, min_connect_timeout=1.0),
    drain=5.0,
    history=4_000,  # so few that the record is full, and as large as it gets, before memory is looked at
)
LASTING = (0.3, 4.0)
"""Seconds that something stays broken."""
FAULTS: tuple[Callable[[Faults], Fault], ...] = (
    lambda faults: faults.latency(0.05, jitter=0.03),
    lambda faults: faults.bandwidth(20_000),
    lambda faults: faults.blackhole(),
    lambda faults: faults.silent(),
    lambda faults: faults.late_settings(0.5),
    lambda faults: faults.accept_and_close(),
    lambda faults: faults.refuse(),
    lambda faults: faults.reset(),
    lambda faults: faults.drop_after(3_000),
    lambda faults: faults.slow_close(0.5),
    lambda faults: faults.slicing(50, delay=0.001),
)


class Broken(NamedTuple):
    """Something that is to be mended."""

    due: float
    what: str
    mend: Callable[[], object]


class Chaos:
    """Breaks one thing at each `step`, and mends what is due. Only one thread at a time calls it."""

    def __init__(self, lab: Lab, pool: ClientPool, count: int, lot: random.Random) -> None:
        self.names = [f"module-{number:03}" for number in range(count)]
        self.done: Counter[str] = Counter()
        """How often what was done."""
        self._lab, self._pool, self._lot = lab, pool, lot
        self._homes = lab.start_all([f"home-{number}" for number in range(HOMES)], min_ping_interval=0.5)
        self._lives: dict[str, Module] = {}
        self._ways: dict[str, Proxy] = {}
        self._broken: list[Broken] = []
        for number, name in enumerate(self.names):
            self._settle(name, self._homes[number % HOMES])

    def options(self, name: str) -> PoolOptions:
        """Every fifth module is eager, every seventh of the others takes all its addresses in turn."""
        number = self.names.index(name)
        return replace(OPTIONS, load_balancing="round_robin" if number % 7 == 1 else "pick_first", eager_reconnect=number % 5 == 0)

    def step(self) -> None:
        """Break one thing, drawn by lot, and mend what is due."""
        self.mend(time.monotonic())
        servers = (self._kill, self._freeze, self._stop, self._move_home)
        modules = (self._fault, self._fault, self._fault, self._reconnect, self._unregister, self._move)
        name = self._lot.choice(self.names)
        if self._lot.random() < 0.15:
            self._lot.choice(servers)(self._lot.choice(self._homes))
        else:
            self._lot.choice(modules)(name)

    def mend(self, now: float) -> None:
        """Mend what was due before `now`."""
        for broken in [broken for broken in self._broken if broken.due <= now]:
            self._broken.remove(broken)
            broken.mend()

    def mend_all(self) -> None:
        """Mend everything."""
        self.mend(float("inf"))

    def _later(self, what: str, mend: Callable[[], object]) -> None:
        self._broken.append(Broken(time.monotonic() + self._lot.uniform(*LASTING), what, mend))

    def _is_broken(self, what: str) -> bool:
        return any(broken.what == what for broken in self._broken)

    def _settle(self, name: str, home: Module) -> None:
        """Let a module live there, at a new address."""
        before, way = self._ways.get(name), self._lab.proxy(home.address)
        self._lives[name], self._ways[name] = home, way
        self._pool.register(name, way.address, options=self.options(name))
        if before is not None:
            before.close()

    def _kill(self, home: Module) -> None:
        self._break_home(home, "kill", home.kill, lambda: self._revive(home))

    def _freeze(self, home: Module) -> None:
        self._break_home(home, "freeze", home.freeze, home.thaw)

    def _stop(self, home: Module) -> None:
        self._break_home(home, "graceful stop", lambda: home.stop(grace=0.5), lambda: self._revive(home))

    def _break_home(self, home: Module, verb: str, act: Callable[[], object], mend: Callable[[], object]) -> None:
        if not self._is_broken(home.name):
            act()
            self.done[verb] += 1
            self._later(home.name, mend)

    def _revive(self, home: Module) -> None:
        try:
            home.restart()
            self.done["restart"] += 1
        except LabError:  # another process of this machine took the port meanwhile
            self._move_away(home)

    def _move_home(self, home: Module) -> None:
        if not self._is_broken(home.name):
            self._move_away(home)

    def _move_away(self, home: Module) -> None:
        home.move(grace=0.5)
        for name, lives in self._lives.items():
            if lives is home:
                self._settle(name, home)
        self.done["server moved, with its modules"] += 1

    def _fault(self, name: str) -> None:
        fault = self._lot.choice(FAULTS)(self._ways[name].faults).begin()
        self.done[f"fault {str(fault).partition('(')[0]}"] += 1
        self._later(name, lambda: self._heal(name, fault))

    def _heal(self, name: str, fault: Fault) -> None:
        try:
            fault.end()
        except LabError:  # the port of a proxy that refused was taken by another process of this machine
            was_there = name in self._pool
            self._settle(name, self._lives[name])
            if not was_there:  # its other mending registers it
                self._pool.unregister(name)

    def _reconnect(self, name: str) -> None:
        if name in self._pool:
            self._pool.reconnect(name)
            self.done["reconnect"] += 1

    def _unregister(self, name: str) -> None:
        if self._pool.unregister(name):
            self.done["unregister, register"] += 1
            self._later(name, lambda: self._pool.register(name, self._ways[name].address, options=self.options(name)))

    def _move(self, name: str) -> None:
        if not self._is_broken(name):
            self._settle(name, self._lot.choice(self._homes))
            self.done["module moved"] += 1
