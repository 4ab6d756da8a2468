"""Every rule of the pool in one place: `decide(table, command)` says what becomes of the table and what must be done.

It is pure: nothing is opened, closed, logged or timed here. `tinypool_nb.channels.pool` performs the actions, in order.
Source: the page's Register, Unregister and Close, with its reconciler's rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, TypeVar

from tinypool_nb.core.addresses import Address
from tinypool_nb.core.keys import ModuleKey, need_key
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.proxies import check_through
from tinypool_nb.errors import NotHeldError, OptionsError, PoolClosedError, shown

Kept = TypeVar("Kept")

Operation = Literal["register", "unregister", "reconnect", "health_check", "close", "send", "hold", "attempt", "release"]
Status = Literal["ok", "unchanged", "replaced", "error"]
"""How an operation went, as the page's metric names it: `error` is an exception, of which no `Tell` tells."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered module."""

    address: Address
    options: PoolOptions
    generation: int
    held: bool = False
    """Whether its channel attempts nothing until somebody asks for an attempt."""


@dataclass(frozen=True, slots=True)
class Table:
    """What is registered.

    `gone` remembers the last generation of each module that was unregistered, so that one that comes back goes on
    counting and no two of its channels are confused in the record.
    """

    entries: Mapping[ModuleKey, Entry] = field(default_factory=lambda: MappingProxyType({}))
    gone: Mapping[ModuleKey, int] = field(default_factory=lambda: MappingProxyType({}))
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Register:
    """Make `key` reachable at `address`."""

    key: ModuleKey
    address: Address
    options: PoolOptions


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take `key` away; quiet if it is not there."""

    key: ModuleKey


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Give the module that `asked` names a fresh channel now, without waiting out a backoff."""

    asked: object


@dataclass(frozen=True, slots=True)
class ReconnectLost:
    """As `Reconnect`, of a module whose peer answers again; quiet if it is held, or if another channel stands there by now."""

    key: ModuleKey
    generation: int
    """Of the channel that is lost."""
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Give the module that `asked` names a channel that attempts nothing by itself, until `Release`."""

    asked: object


@dataclass(frozen=True, slots=True)
class TryOnce:
    """Let a held module make one attempt, on a fresh channel."""

    asked: object


@dataclass(frozen=True, slots=True)
class PutAway:
    """Give a held module a fresh channel that has not been asked for an attempt, since the old one would go on by itself."""

    key: ModuleKey
    generation: int
    """Of the channel that is meant; one that was replaced already is left alone."""
    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give a held module a normal channel again, and ask it to connect; quiet if it is not held or not there."""

    key: ModuleKey


@dataclass(frozen=True, slots=True)
class Close:
    """Take everything away for good; quiet the second time."""


Command = Register | Unregister | Reconnect | ReconnectLost | Hold | TryOnce | PutAway | Release | Close


@dataclass(frozen=True, slots=True)
class Open:
    """Open a channel for `key` and let the module's face point to it; a channel that stood there before is retired.

    The new channel stands before the old one is retired, so `get` never comes up empty in between.
    """

    key: ModuleKey
    entry: Entry
    connect: bool
    """Ask it to connect at once; else it stays lazy until its first call."""


@dataclass(frozen=True, slots=True)
class Retire:
    """Take the module's face away; its channel closes when its calls have ended."""

    key: ModuleKey


@dataclass(frozen=True, slots=True)
class Tell:
    """Log what happened and mark it on the timelines."""

    key: ModuleKey | None
    text: str
    """The verb first."""
    operation: Operation
    status: Status


Action = Open | Retire | Tell


def decide(table: Table, command: Command) -> tuple[Table, tuple[Action, ...]]:
    """The table after `command`, and the actions to perform, in order; the last one is a `Tell`.

    >>> from tinypool_nb.core.addresses import parse_address
    >>> key, address = ModuleKey(None, "http-module-v1"), parse_address("127.0.0.1:50051")
    >>> table, actions = decide(Table(), Register(key, address, PoolOptions()))
    >>> [type(action).__name__ for action in actions]
    ['Open', 'Tell']
    >>> decide(table, Register(key, address, PoolOptions()))[1][0].status
    'unchanged'

    Raises:
        PoolClosedError: register, reconnect, hold or an attempt after close.
        NotHeldError: an attempt of a module that is not held.
        OptionsError: register of several endpoints with TLS, which need a `server_name`.
        AddressError: register of an address that the proxy of `options` cannot lead to.
        UnknownModuleError, AmbiguousModuleError: reconnect, hold or an attempt of a name that is not, or not only, one module.
    """
    match command:
        case Register(key, address, options):
            return _register(table, key, address, options)
        case Unregister(key):
            return _unregister(table, key)
        case Reconnect(asked):
            return _reconnect(table, asked)
        case ReconnectLost(key, generation, why):
            return _reconnect_lost(table, key, generation, why)
        case Close():
            return _close(table)
        case _:
            return _decide_of_hold(table, command)


def _register(table: Table, key: ModuleKey, address: Address, options: PoolOptions) -> tuple[Table, tuple[Action, ...]]:
    if table.closed:
        raise PoolClosedError("register")
    if options.tls is not None and options.tls.server_name is None and len(address.endpoints) > 1:
        # gRPC core looks for one name in the certificates of all endpoints, and takes the whole list for it.
        raise OptionsError("Tls.server_name", None, f"{shown(str(address))} lists several endpoints: say the name in their certificates")
    check_through(options.proxy, address)
    old = table.entries.get(key)
    if old is None:
        return _open(table, key, address, options, Tell(key, f"register {address}", "register", "ok"), connect=False)
    if old.address == address and old.options == options:
        return table, (Tell(key, f"register {address}: no change", "register", "unchanged"),)
    what = f"address changed from {old.address} to {address}" if old.address != address else "options changed"
    told = Tell(key, f"register: {what}", "register", "replaced")
    return _open(table, key, address, options, told, connect=False, held=old.held)  # what is held stays so at its new address


def _unregister(table: Table, key: ModuleKey) -> tuple[Table, tuple[Action, ...]]:
    old = table.entries.get(key)
    if old is None:
        return table, (Tell(key, "unregister: was not registered", "unregister", "unchanged"),)
    after = replace(table, entries=_without(table.entries, key), gone={**table.gone, key: old.generation})
    return after, (Retire(key), Tell(key, "unregister", "unregister", "ok"))


def _reconnect(table: Table, asked: object) -> tuple[Table, tuple[Action, ...]]:
    if table.closed:
        raise PoolClosedError("reconnect")
    key = need_key(table.entries, asked)
    old = table.entries[key]
    return _again(table, key, Tell(key, "reconnect", "reconnect", "ok"), connect=True, held=old.held)


def _reconnect_lost(table: Table, key: ModuleKey, generation: int, why: str) -> tuple[Table, tuple[Action, ...]]:
    old = table.entries.get(key)
    if old is None or old.held or old.generation != generation:
        return table, (Tell(key, f"reconnect: {why}: was replaced already", "reconnect", "unchanged"),)
    return _again(table, key, Tell(key, f"reconnect: {why}", "reconnect", "ok"), connect=True, held=False)


def _decide_of_hold(table: Table, command: Hold | TryOnce | PutAway | Release) -> tuple[Table, tuple[Action, ...]]:
    match command:
        case Hold(asked):
            return _hold(table, asked)
        case TryOnce(asked):
            return _try_once(table, asked)
        case PutAway(key, generation, why):
            return _put_away(table, key, generation, why)
        case Release(key):
            return _release(table, key)


def _hold(table: Table, asked: object) -> tuple[Table, tuple[Action, ...]]:
    if table.closed:
        raise PoolClosedError("hold")
    key = need_key(table.entries, asked)
    if table.entries[key].held:
        return table, (Tell(key, "hold: was held already", "hold", "unchanged"),)
    return _again(table, key, Tell(key, "hold", "hold", "ok"), connect=False, held=True)


def _try_once(table: Table, asked: object) -> tuple[Table, tuple[Action, ...]]:
    if table.closed:
        raise PoolClosedError("attempt")
    key = need_key(table.entries, asked)
    if not table.entries[key].held:
        raise NotHeldError(str(key))
    return _again(table, key, Tell(key, "hold: attempt", "attempt", "ok"), connect=True, held=True)


def _put_away(table: Table, key: ModuleKey, generation: int, why: str) -> tuple[Table, tuple[Action, ...]]:
    old = table.entries.get(key)
    if old is None or not old.held or old.generation != generation:
        return table, (Tell(key, f"hold: {why}: was replaced already", "hold", "unchanged"),)
    return _again(table, key, Tell(key, f"hold: {why}", "hold", "ok"), connect=False, held=True)


def _release(table: Table, key: ModuleKey) -> tuple[Table, tuple[Action, ...]]:
    old = table.entries.get(key)
    if old is None or not old.held:
        return table, (Tell(key, "hold: was released already", "release", "unchanged"),)
    return _again(table, key, Tell(key, "hold: released", "release", "ok"), connect=True, held=False)


def _close(table: Table) -> tuple[Table, tuple[Action, ...]]:
    if table.closed:
        return table, (Tell(None, "close: was closed already", "close", "unchanged"),)
    retirements = tuple(Retire(key) for key in table.entries)
    return replace(table, entries=MappingProxyType({}), closed=True), (*retirements, Tell(None, "close", "close", "ok"))


def _open(
    table: Table, key: ModuleKey, address: Address, options: PoolOptions, tell: Tell, *, connect: bool, held: bool = False
) -> tuple[Table, tuple[Action, ...]]:
    old = table.entries.get(key)
    entry = Entry(address, options, 1 + (table.gone.get(key, 0) if old is None else old.generation), held)
    gone = _without(table.gone, key) if key in table.gone else table.gone
    return replace(table, entries={**table.entries, key: entry}, gone=gone), (Open(key, entry, connect), tell)


def _again(table: Table, key: ModuleKey, tell: Tell, *, connect: bool, held: bool) -> tuple[Table, tuple[Action, ...]]:
    """A fresh channel to the same address, of the same settings."""
    old = table.entries[key]
    return _open(table, key, old.address, old.options, tell, connect=connect, held=held)


def _without(mapping: Mapping[ModuleKey, Kept], key: ModuleKey) -> Mapping[ModuleKey, Kept]:
    copy = dict(mapping)
    del copy[key]
    return copy
