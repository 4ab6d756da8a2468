"""What the faults on a link do to what passes it. Pure: no socket, no clock, no draw of lots.

A link is the way through one proxy. `tinypool_nb.lab.relay` asks this of every piece of data that it carries.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self


class FaultKind(StrEnum):
    """What can be wrong with a link; `tinypool_nb.lab.faults.Faults` describes each."""

    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    BLACKHOLE = "blackhole"
    DROP_AFTER = "drop_after"
    RESET = "reset"
    SLOW_CLOSE = "slow_close"
    SLICING = "slicing"
    SILENT = "silent"
    ACCEPT_AND_CLOSE = "accept_and_close"
    LATE_SETTINGS = "late_settings"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSettings:
    """One fault as the relay is told of it. What a kind does not know stays at its default."""

    kind: FaultKind
    seconds: float = 0.0
    """Of latency, slow_close and late_settings; of slicing the time between two slices."""
    jitter: float = 0.0
    """Seconds that a latency varies, up and down."""
    size: int = 0
    """Bytes: of drop_after and slicing; of bandwidth, each second."""
    on_data: bool = False
    """Of reset: whether connections that stand go on until something passes."""

    def as_json(self) -> dict[str, Any]:
        """Itself as JSON; `parse` reads it back.

        >>> settings = FaultSettings(kind=FaultKind.LATENCY, seconds=0.2)
        >>> FaultSettings.parse(settings.as_json()) == settings
        True
        """
        return asdict(self)

    @classmethod
    def parse(cls, told: dict[str, Any]) -> Self:
        """What `as_json` wrote."""
        return cls(**{**told, "kind": FaultKind(told["kind"])})


@dataclass(slots=True)
class Injected:
    """A fault on a link, and what it has let through."""

    number: int
    """Which one; no other of its link has it."""
    settings: FaultSettings
    begun: float
    """When it began; in seconds, as all times here, on the relay's clock."""
    free: dict[bool, float]
    """Of bandwidth: from when on the next byte fits, to the client (True) and to the server. All connections share it."""


class Piece(NamedTuple):
    """What was read in one go, on its way through a link."""

    data: bytes
    """Nothing stands for the end of what comes that way."""
    read: float
    """When it was read."""
    luck: float
    """Drawn by lot from -1 to 1: how far it uses a jitter."""
    reset: bool = False
    """Of an end: by RST, not by FIN."""


def delay(faults: Iterable[Injected], piece: Piece, now: float, *, to_client: bool, accepted: float) -> float:
    """Seconds that a piece must still wait; math.inf: until a fault ends.

    It is asked anew whenever the faults change, so that healing is at once.

    Args:
        faults: those on the link.
        piece: what waits.
        now: the time.
        to_client: whether it goes to the client, else to the server.
        accepted: when its connection was accepted.

    >>> slow = Injected(1, FaultSettings(kind=FaultKind.LATENCY, seconds=0.2, jitter=0.1), 0.0, {})
    >>> delay([slow], Piece(b"x", read=1.0, luck=0.5), 1.0, to_client=True, accepted=0.0)
    0.25
    """
    due, late = piece.read, 0.0
    for fault in faults:
        settings = fault.settings
        match settings.kind:
            case FaultKind.BLACKHOLE:
                return math.inf
            case FaultKind.SILENT if to_client:
                return math.inf
            case FaultKind.LATENCY:
                due += settings.seconds + piece.luck * settings.jitter
            case FaultKind.SLOW_CLOSE if not piece.data:
                due += settings.seconds
            case FaultKind.LATE_SETTINGS if to_client and accepted >= fault.begun:
                late = max(late, accepted + settings.seconds)
            case _:
                pass
    return max(0.0, round(max(due, late) - now, 9))


def pause(faults: Iterable[Injected], sent: float, now: float, *, to_client: bool) -> float:
    """Seconds until the next byte may follow what was sent at the time `sent` on the same connection.

    >>> sliced = Injected(1, FaultSettings(kind=FaultKind.SLICING, size=10, seconds=0.5), 0.0, {})
    >>> pause([sliced], sent=1.0, now=1.25, to_client=True)
    0.25
    """
    free = -math.inf
    for fault in faults:
        if fault.settings.kind is FaultKind.SLICING:
            free = max(free, sent + fault.settings.seconds)
        elif fault.settings.kind is FaultKind.BANDWIDTH:
            free = max(free, fault.free.get(to_client, -math.inf))
    return max(0.0, free - now)


SMOOTH = 0.02
"""Seconds that the largest piece takes that a bandwidth lets pass in one go."""


def largest(faults: Iterable[Injected], passed: dict[int, int]) -> int | None:
    """Bytes that may pass in one go; None: as many as there are; 0: the connection has had all that it gets.

    Args:
        faults: those on the link.
        passed: by the number of a fault, the bytes that the connection has passed during it.

    >>> faults = [Injected(7, FaultSettings(kind=FaultKind.DROP_AFTER, size=1000), 0.0, {})]
    >>> largest(faults, passed={7: 900})
    100
    """
    most: int | None = None
    for fault in faults:
        settings = fault.settings
        match settings.kind:
            case FaultKind.SLICING:
                bound = settings.size
            case FaultKind.BANDWIDTH:
                bound = max(1, int(settings.size * SMOOTH))
            case FaultKind.DROP_AFTER:
                bound = max(0, settings.size - passed.get(fault.number, 0))
            case _:
                continue
        most = bound if most is None else min(most, bound)
    return most


def note(faults: Iterable[Injected], passed: dict[int, int], size: int, now: float, *, to_client: bool) -> None:
    """Write down that `size` bytes passed: in the faults, which all connections share, and in the connection's `passed`."""
    for fault in faults:
        if fault.settings.kind is FaultKind.BANDWIDTH:
            fault.free[to_client] = max(now, fault.free.get(to_client, now)) + size / fault.settings.size
        elif fault.settings.kind is FaultKind.DROP_AFTER:
            passed[fault.number] = passed.get(fault.number, 0) + size
