"""The reconciler's rules: what a discovery knows of each module, and what an event about one changes. Pure.

A module is registered at the address that its resource names, and unregistered with its resource. Where a resource stops to name one
that can be dialled, its module keeps the last that could. A resource of the same name with another uid is another resource: the old
one was deleted and nobody saw it; where both name the same address nothing changes for the pool, so a connection never flickers.

Source: the page's Integration with Discovery.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import TinyModule, Verdict
from tinypool_nb.errors import shown


class Standing(StrEnum):
    """What became of a resource: the state of its discovery."""

    REGISTERED = "registered"
    """Its module is in the pool, at the address that it names."""
    KEPT = "kept"
    """It names no usable address any more; its module stays in the pool at the last one."""
    WAITING = "waiting"
    """It has named no address yet."""
    QUARANTINED = "quarantined"
    """What it names must not be dialled."""
    REFUSED = "refused"
    """The pool did not take it, and is asked again at each relist; or a person unregistered it, and it stays out at that address."""
    SHADOWED = "shadowed"
    """Another discovery of this pool registered the same namespace and name, at another address, and was there first."""
    OWN = "own"
    """It is the own module, to which nobody connects."""


class Owner(StrEnum):
    """Who has put a module where it is."""

    DISCOVERY = "discovery"
    PERSON = "person"
    NOBODY = "nobody"
    """The pool has none of that name."""


LEFT_OUT = "it was unregistered by hand, and stays out while it names this address; discovered anew it comes back"
"""What is said of a module that a person took away."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a discovery knows of one resource."""

    module: TinyModule
    """As it was last seen."""
    address: str | None
    """Where the pool is to have its module: the last good address; None if it is not to have it."""
    standing: Standing
    reason: str
    """Why it stands so; "" where all is well."""
    seen: int
    """When it was last seen, nanoseconds since 1970 UTC."""


class Observed(NamedTuple):
    """What an event comes to."""

    known: Known
    tell: str
    """What is to be told of it; "" for nothing."""


def observe(known: Known | None, module: TinyModule, *, own: ModuleKey | None = None, now: int) -> Observed:
    """What is known once `module` was seen, and what is to be told.

    Args:
        known: what was known under its key; None for nothing.
        module: the resource, as it is now.
        own: the resource of the own module; None for none.
        now: nanoseconds since 1970 UTC.

    >>> from tinypool_nb.core.tinymodules import decode
    >>> def resource(addr, uid="7c9e"):
    ...     return decode({"metadata": {"namespace": "tinysystems", "name": "api-module-v1", "uid": uid}, "status": {"addr": addr}})
    >>> known, tell = observe(None, resource("10.0.0.1:50051"), now=1)
    >>> known.standing, tell
    (<Standing.REGISTERED: 'registered'>, 'added at 10.0.0.1:50051')
    >>> known, tell = observe(known, resource("10.0.0.2:50051"), now=2)
    >>> tell
    'address changed from 10.0.0.1:50051 to 10.0.0.2:50051'
    >>> known, tell = observe(known, resource(""), now=3)
    >>> known.standing, known.address, tell
    (<Standing.KEPT: 'kept'>, '10.0.0.2:50051', 'it has no address yet; it keeps 10.0.0.2:50051')
    """
    if module.key == own:
        return Observed(Known(module, None, Standing.OWN, "the own module is never connected to", now), "")
    is_another = known is not None and known.module.uid != module.uid
    kept = None if known is None or is_another else known.address
    after = _standing(module, kept, now)
    return Observed(after, _told(known, after, is_another=is_another))


def refused(known: Known, reason: str) -> Known:
    """What is known once the pool did not take a module."""
    return replace(known, standing=Standing.REFUSED, reason=reason)


def taken(known: Known) -> Known:
    """What is known once the pool took a module that it had refused."""
    return _standing(known.module, known.address, known.seen)


def removed(known: Known) -> str:
    """What is to be told once a resource is gone; "" if nothing was to be done about it ever."""
    if known.address is not None:
        return f"removed, was at {known.address}"
    match known.standing:
        case Standing.WAITING:
            return "removed, had no address yet"
        case Standing.OWN:
            return ""
        case _:
            return f"removed, was {known.standing}"


def wanted(key: ModuleKey, books: Iterable[Mapping[ModuleKey, Known]]) -> str | None:
    """Where the pool is to have a module that several discoveries may know: the first of them that has an address is obeyed.

    So two discoveries of one pool never fight, and where one stops to know a module the next one's word counts.
    """
    found = (book[key].address for book in books if key in book)
    return next((address for address in found if address is not None), None)


def _standing(module: TinyModule, kept: str | None, now: int) -> Known:
    if module.verdict is Verdict.USABLE:
        return Known(module, module.address, Standing.REGISTERED, "", now)
    if kept is not None:
        return Known(module, kept, Standing.KEPT, f"{module.reason}; it keeps {kept}", now)
    standing = Standing.WAITING if module.verdict is Verdict.WAITING else Standing.QUARANTINED
    return Known(module, None, standing, module.reason, now)


def _told(before: Known | None, after: Known, *, is_another: bool) -> str:
    was = None if before is None else before.address
    if is_another and was is not None:
        return _told_of_another(was, after)
    if after.standing is Standing.REGISTERED:
        if was is None:
            return f"added at {after.address}"
        if was != after.address:
            return f"address changed from {was} to {after.address}"
        return f"names its address {was} again" if before is not None and before.standing is Standing.KEPT else ""
    is_new = before is None or is_another or before.reason != after.reason
    return _told_of_bad(after) if is_new else ""


def _told_of_another(was: str, after: Known) -> str:
    if after.address is None:
        return f"removed, was at {was}; created anew: {after.reason}"
    if after.address == was:
        return f"created anew at the same address {was}"
    return f"created anew: address changed from {was} to {after.address}"


def _told_of_bad(after: Known) -> str:
    if after.module.verdict is Verdict.QUARANTINED:
        return f"quarantined: {after.reason}"
    return after.reason if after.standing is Standing.KEPT else ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which resources a discovery is about."""

    server: str
    """The API server's URL."""
    namespace: str | None
    """None for all."""
    label_selector: str = ""
    """"" for all."""

    def covers(self, other: "Scope") -> bool:
        """Whether all that the other one is about is among this one's.

        >>> Scope("https://10.0.0.1", None).covers(Scope("https://10.0.0.1", "tinysystems", "tier=web"))
        True
        """
        return (
            self.server == other.server and self.namespace in {None, other.namespace} and self.label_selector in {"", other.label_selector}
        )

    def __str__(self) -> str:
        where = "all namespaces" if self.namespace is None else f"namespace {shown(self.namespace)}"
        return f"{where}{f' where {self.label_selector}' if self.label_selector else ''} at {self.server}"
