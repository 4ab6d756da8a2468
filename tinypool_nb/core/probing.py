"""Which lost module is probed when, so that it is connected as soon as its peer listens again.

gRPC waits out a backoff, and Python has no way to cut it short but a new channel. A probe is a bare TCP connect, which costs neither
side much: at most `BUDGET` of them a second over all modules, in turn, and for the first `LASTING` seconds of an outage. A peer that
accepts a probe and then fails as a gRPC server costs a rung of gRPC's own ladder for each try, so that it sees no storm.

Pure: what is to be done comes back as actions, and what time it is comes in. All times are nanoseconds on the record's clock.
Source: grpc/grpc `doc/connection-backoff.md` for the ladder; the rest is this project's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from tinypool_nb.core.addresses import Address, Scheme, parse_address
from tinypool_nb.core.backoff import rung
from tinypool_nb.core.events import ChannelIdentity, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.states import State
from tinypool_nb.errors import AddressError

SECOND = 1_000_000_000
BUDGET = 500
"""Probes a second at the most, over all modules of a pool."""
TICK = SECOND // 50
"""Nanoseconds between two rounds of probes, and so between two probes of one module: 20 ms."""
ROUND = BUDGET * TICK // SECOND
"""Probes in a round at the most. Rounds are at least a tick apart, so no second that begins anywhere holds more than the budget."""
LASTING = 60 * SECOND
"""Nanoseconds of an outage in which it is probed; later gRPC's own backoff is all there is."""
SETTLED = 1 * SECOND
"""Nanoseconds for which a connection must have stood for its loss to be a new outage; else it is the old one going on."""
NEVER = -1


class Place(NamedTuple):
    """Where a probe goes."""

    scheme: Scheme
    """IPV4, IPV6 or UNIX."""
    host: str
    """An IP address; of a Unix socket its path."""
    port: int
    """0 for a Unix socket."""


def places(address: Address, peers: Iterable[str]) -> tuple[Place, ...]:
    """Where a module can be probed: at the addresses that it was registered with, or at those that gRPC resolved its name to.

    So no probe waits for a name server. A name that was never resolved gives none, and its module is not probed.

    Args:
        address: as it was registered.
        peers: the resolved addresses that gRPC tried last, in its own form.

    >>> places(parse_address("127.0.0.1:50051"), [])
    (Place(scheme=<Scheme.IPV4: 'ipv4'>, host='127.0.0.1', port=50051),)
    >>> [place.host for place in places(parse_address("http-module-v1:50051"), ["ipv4:10.0.0.7:50051", "ipv6:[fd00::7]:50051"])]
    ['10.0.0.7', 'fd00::7']
    """
    if address.scheme is Scheme.UNIX:
        return (Place(Scheme.UNIX, address.target.removeprefix("unix:"), 0),)
    written = [_literal(host, port) for host, port in address.endpoints]
    if all(written):
        return tuple(place for place in written if place is not None)
    return tuple(dict.fromkeys(place for peer in peers for place in _resolved(peer)))


def _literal(host: str, port: int) -> Place | None:
    if ":" in host:
        return Place(Scheme.IPV6, host, port)
    return Place(Scheme.IPV4, host, port) if host.replace(".", "").isdigit() else None  # the address was checked before


def _resolved(peer: str) -> tuple[Place, ...]:
    try:
        address = parse_address(peer)
    except AddressError:  # such as a link-local one with its zone
        return ()
    return places(address, ())


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask `place` for a connection; what came of it goes to `Schedule.hear`."""

    channel: ChannelIdentity
    place: Place


@dataclass(frozen=True, slots=True)
class Connect:
    """The module's peer listens again: connect to it now."""

    channel: ChannelIdentity
    """The one that is lost; if another one stands there by now, nothing is to be done."""
    after: int
    """Nanoseconds since the module was lost."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The module has been lost for so long that it is probed no more."""

    channel: ChannelIdentity


class _Module:
    """What is known of one module."""

    __slots__ = (
        "address",
        "asked",
        "at",
        "backoff",
        "channel",
        "lost_at",
        "not_before",
        "over",
        "places",
        "ready_at",
        "tried",
        "turn",
        "waits",
    )

    def __init__(self, channel: ChannelIdentity, address: Address, backoff: Backoff) -> None:
        self.channel = channel
        self.address = address
        self.backoff = backoff
        self.places: tuple[Place, ...] = ()
        self.turn = 0
        """How often it was probed, which says whose turn it is among its places."""
        self.ready_at: int | None = None
        """Since when it is READY."""
        self.lost_at = NEVER
        """When the outage began; the last one's, while it is READY."""
        self.over = False
        """Whether this outage is probed no more."""
        self.tried = 0
        """How often it was connected to in this outage."""
        self.not_before = 0
        self.waits = False
        """Whether it is lost and nothing is under way for it: its turn comes."""
        self.asked = False
        """Whether a probe is under way."""
        self.at: int | None = None
        """When it is to be probed next; None if its turn was not set."""


class Schedule:
    """Which module is probed when. Told of channels and their transitions, it says what is due.

    Modules are probed in the order in which they became due, so the budget is shared evenly. A module is left alone while an
    attempt of gRPC's own is under way (CONNECTING), however long that takes.

    >>> from tinypool_nb.core.events import Evidence
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> schedule = Schedule()
    >>> schedule.follow(channel, parse_address(channel.address), Backoff())
    >>> schedule.see(Transition(0, channel, State.READY, State.IDLE, "", Evidence.SEEN), now=0)
    >>> [probe] = schedule.due(now=0)
    >>> schedule.hear(probe, answered=False, now=1_000), schedule.next
    (None, 20000000)
    >>> [probe] = schedule.due(now=20_000_000)
    >>> schedule.hear(probe, answered=True, now=20_001_000).after
    20001000
    """

    def __init__(self) -> None:
        self._modules: dict[ModuleKey, _Module] = {}
        self._line: list[tuple[int, int, ModuleKey]] = []
        """(when, the how manyth that was put here, whose): a heap. An entry whose time is not its module's any more is void."""
        self._put = 0
        self._not_before = 0

    @property
    def next(self) -> int | None:
        """When `due` is to be asked next; None if nothing is to come before something is told."""
        return max(self._line[0][0], self._not_before) if self._line else None

    def follow(self, channel: ChannelIdentity, address: Address, backoff: Backoff) -> None:
        """`channel` is its module's current one from now on. At the same address an outage goes on, at another one it is over."""
        module = _Module(channel, address, backoff)
        before = self._modules.get(channel.key)
        if before is not None and before.address == address:
            module.places = before.places
            if before.ready_at is None:
                module.lost_at, module.over = before.lost_at, before.over
                module.tried, module.not_before = before.tried, before.not_before
        self._modules[channel.key] = module

    def forget(self, key: ModuleKey) -> None:
        """The module is probed no more: it was unregistered or is held, or its settings say so. Quiet if it is not there."""
        self._modules.pop(key, None)

    def see(self, row: Transition, now: int, peers: Iterable[str] = ()) -> None:
        """Hear of one transition; of a channel that is not its module's current one it is of no interest.

        Args:
            row: the transition.
            now: the time.
            peers: the addresses that the channel's name was resolved to, if that is known.
        """
        module = self._modules.get(row.channel.key)
        if module is None or module.channel.number != row.channel.number:
            return
        match row.state:
            case State.READY:
                module.ready_at = row.time
                self._pause(module)
            case State.CONNECTING:
                if row.previous is State.READY:
                    _lose(module, row.time)
                self._pause(module)
            case State.TRANSIENT_FAILURE:
                self._wait(module, row.time, now, peers)
            case State.IDLE if row.previous is not None:  # else it has just been made, and nobody has asked for a connection
                self._wait(module, row.time, now, peers)
            case State.SHUTDOWN:
                self.forget(row.channel.key)

    def due(self, now: int) -> list[Probe | GiveUp]:
        """What is to be done now: a round of probes at most, each for another module. It counts as done."""
        actions: list[Probe | GiveUp] = []
        if now < self._not_before:
            return actions
        left = ROUND
        while left and self._line and self._line[0][0] <= now:
            at, _, key = heappop(self._line)
            module = self._modules.get(key)
            if module is None or module.at != at:
                continue
            module.at = None
            if now - module.lost_at >= LASTING:
                module.over, module.waits = True, False
                actions.append(GiveUp(module.channel))
            elif module.places:
                module.asked = True
                actions.append(Probe(module.channel, module.places[module.turn % len(module.places)]))
                module.turn += 1
                left -= 1
        if left < ROUND:
            self._not_before = now + TICK
        return actions

    def hear(self, probe: Probe, *, answered: bool, now: int) -> Connect | None:
        """What came of a probe, and what is to be done about it."""
        module = self._modules.get(probe.channel.key)
        if module is None or module.channel.number != probe.channel.number:
            return None
        module.asked = False
        if not module.waits:  # gRPC was quicker
            return None
        if not answered:
            self._set(module, max(now, self._not_before))
            return None
        module.tried += 1
        module.not_before = now + round(rung(module.tried, module.backoff).nominal * SECOND)
        # Unless something becomes of it before: core may miss being asked, right after a loss.
        self._set(module, min(module.not_before, now + SECOND))
        return Connect(module.channel, now - module.lost_at)

    def _wait(self, module: _Module, lost_at: int, now: int, peers: Iterable[str]) -> None:
        _lose(module, lost_at)
        module.places = places(module.address, peers) or module.places
        if not module.over:
            module.waits = True
            if module.at is None and not module.asked:
                self._set(module, max(now, module.not_before))

    def _pause(self, module: _Module) -> None:
        module.waits, module.at = False, None

    def _set(self, module: _Module, at: int) -> None:
        module.at = at
        self._put += 1
        heappush(self._line, (at, self._put, module.channel.key))


def _lose(module: _Module, at: int) -> None:
    """It is not READY, since `at`. What had not stood for long goes on with its outage, and with its place on the ladder."""
    has_settled = module.ready_at is not None and at - module.ready_at >= SETTLED
    if module.lost_at == NEVER or has_settled:
        module.lost_at, module.tried, module.not_before, module.over = at, 0, at, False
    module.ready_at = None
