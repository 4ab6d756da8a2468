"""What a person lets happen on the way to a module: delays, losses, ends. `module.faults` and `proxy.faults` give it."""

import threading
from collections.abc import Sequence
from itertools import count
from types import TracebackType
from typing import Protocol, Self

from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.checks import check_int, check_seconds
from tinypool_nb.lab.injected import FaultKind, FaultSettings

_numbers = count(1)


class Way(Protocol):
    """A proxy, as a fault sees it."""

    @property
    def closed(self) -> bool:
        """Whether it is there no more."""
        ...

    @property
    def active(self) -> "tuple[Fault, ...]":
        """What is injected now."""
        ...

    def inject(self, number: int, settings: FaultSettings, fault: "Fault") -> None:
        """Let a fault begin."""
        ...

    def heal(self, number: int, fault: "Fault") -> None:
        """Let it end."""
        ...


class Fault:
    """One thing that goes wrong, from `begin` to `end`; as a context manager from the top of its block to the bottom.

    Both are marks on the timeline of every pool of this process that has the address. It may be used again after its end.
    `Faults` makes it.
    """

    def __init__(self, name: str, address: str, ways: Sequence[Way], settings: FaultSettings, text: str) -> None:
        self._name = name
        self._address = address
        self._ways = ways
        self._settings = settings
        self._text = text
        self._changing = threading.Lock()
        self._number = 0
        self._active = False

    @property
    def active(self) -> bool:
        """Whether it has begun and is not over."""
        return self._active and not all(way.closed for way in self._ways)

    def begin(self) -> Self:
        """Let it begin; it is there when this returns.

        Returns:
            itself, so that `fault = module.faults.blackhole().begin()` can be ended later.

        Raises:
            LabError: it has begun already, or the lab is closed.
        """
        with self._changing:
            if self.active:
                raise LabError(f"{self} of {self._name} has begun already; end() it first, or make another one")
            if not any(way.closed for way in self._ways):  # else it will raise
                self._announce(str(self))
            self._number = next(_numbers)
            self._active = True
            try:
                for way in self._ways:
                    way.inject(self._number, self._settings, self)
            except BaseException:
                self._heal()
                raise
            return self

    def end(self) -> None:
        """Heal it: what was held goes on at once. Nothing happens if it has not begun, or if the lab is closed."""
        with self._changing:
            if self.active:
                self._announce(f"{self} healed")
            self._heal()

    def _heal(self) -> None:
        self._active = False
        for way in self._ways:
            way.heal(self._number, self)

    def _announce(self, verb: str) -> None:
        announce(Action(verb, self._name, self._address))

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Fault {self} of {self._name}: {'active' if self.active else 'not active'}>"


class Faults:
    """What can go wrong between a client and a module, or whatever a proxy stands in front of.

    Each gives a `Fault`, for a `with` block or for `begin()` and `end()`. Several at a time add up: latencies are summed, the
    narrowest bandwidth and the smallest slices win. They are about every connection, those that stand and those to come, unless a
    fault says otherwise; and TCP loses nothing, so that what a fault held back arrives when it is healed.

        with module.faults.latency(0.1, jitter=0.02), module.faults.bandwidth(100_000):
            pool.send("http-module-v1")
        hole = module.faults.blackhole().begin()
        module.faults.heal()
    """

    def __init__(self, name: str, address: str, ways: Sequence[Way]) -> None:
        self._name = name
        self._address = address
        self._ways = tuple(ways)

    @property
    def active(self) -> tuple[Fault, ...]:
        """What goes wrong now, in the order of its begin."""
        return tuple(dict.fromkeys(fault for way in self._ways for fault in way.active))

    def heal(self) -> None:
        """End them all."""
        for fault in self.active:
            fault.end()

    def latency(self, seconds: float, *, jitter: float = 0.0) -> Fault:
        """Everything arrives later, in both directions: a round trip takes twice that long. Connecting itself does not.

        Args:
            seconds: how much later.
            jitter: seconds by which that varies, up and down, at random; the order stays.

        Raises:
            OptionsError: a setting is refused.
        """
        check_seconds("seconds", seconds, zero=False)
        check_seconds("jitter", jitter)
        if jitter > seconds:
            raise OptionsError("jitter", jitter, f"at most the latency itself, {seconds:g} s, since nothing arrives before it is sent")
        text = f"latency({seconds:g} s, jitter={jitter:g} s)" if jitter else f"latency({seconds:g} s)"
        return self._fault(FaultKind.LATENCY, text, seconds=seconds, jitter=jitter)

    def bandwidth(self, bytes_per_second: int) -> Fault:
        """No more than so many bytes pass each second, in each direction; all connections share them.

        Raises:
            OptionsError: it is not an int, 1 or more.
        """
        check_int("bytes_per_second", bytes_per_second, 1)
        return self._fault(FaultKind.BANDWIDTH, f"bandwidth({bytes_per_second:,} B/s)", size=bytes_per_second)

    def blackhole(self) -> Fault:
        """Packets vanish in both directions: connections stay open and say nothing, not even their end; new ones time out.

        A client that is connecting when it is healed gets through at its kernel's next try: 1, 3, 7, ... s after its first. On
        macOS new connections are accepted, as with `silent`.
        """
        return self._fault(FaultKind.BLACKHOLE, "blackhole")

    def silent(self) -> Fault:
        """Connections are accepted and what clients say is taken, but nothing comes back: what a hung server looks like."""
        return self._fault(FaultKind.SILENT, "silent")

    def late_settings(self, seconds: float) -> Fault:
        """New connections are accepted at once, but the server's first word, for gRPC its SETTINGS, comes so much later.

        Raises:
            OptionsError: it is not a number of seconds.
        """
        check_seconds("seconds", seconds, zero=False)
        return self._fault(FaultKind.LATE_SETTINGS, f"late_settings({seconds:g} s)", seconds=seconds)

    def accept_and_close(self) -> Fault:
        """Connections that stand are closed at once, new ones as soon as they are accepted, both in good form (FIN)."""
        return self._fault(FaultKind.ACCEPT_AND_CLOSE, "accept_and_close")

    def refuse(self) -> Fault:
        """New connections are refused, as if nobody listened; those that stand go on."""
        return self._fault(FaultKind.REFUSE, "refuse")

    def reset(self, *, on_data: bool = False) -> Fault:
        """Connections that stand are reset at once (RST), new ones as soon as something passes.

        Args:
            on_data: whether those that stand, too, go on until something passes.

        Raises:
            OptionsError: `on_data` is neither True nor False.
        """
        if not isinstance(on_data, bool):
            raise OptionsError("on_data", on_data, "True or False")
        return self._fault(FaultKind.RESET, "reset(on_data)" if on_data else "reset", on_data=on_data)

    def drop_after(self, count: int, /) -> Fault:
        """Each connection is closed in good form (FIN) when so many bytes have passed, both directions together, from now on.

        Raises:
            OptionsError: it is not an int, 1 or more.
        """
        check_int("bytes", count, 1)
        return self._fault(FaultKind.DROP_AFTER, f"drop_after({count:,} B)", size=count)

    def slow_close(self, seconds: float) -> Fault:
        """The end of a connection, in good form or by a reset, reaches the other side so much later.

        Till then it is half-open: a client whose server is killed meanwhile goes on as with one that is frozen.

        Raises:
            OptionsError: it is not a number of seconds.
        """
        check_seconds("seconds", seconds, zero=False)
        return self._fault(FaultKind.SLOW_CLOSE, f"slow_close({seconds:g} s)", seconds=seconds)

    def slicing(self, count: int, /, *, delay: float = 0.0) -> Fault:
        """What is sent arrives in slices.

        Args:
            count: bytes of the largest slice.
            delay: seconds between two.

        Raises:
            OptionsError: a setting is refused.
        """
        check_int("bytes", count, 1)
        check_seconds("delay", delay)
        text = f"slicing({count:,} B, delay={delay:g} s)" if delay else f"slicing({count:,} B)"
        return self._fault(FaultKind.SLICING, text, size=count, seconds=delay)

    def _fault(
        self, kind: FaultKind, text: str, *, seconds: float = 0.0, jitter: float = 0.0, size: int = 0, on_data: bool = False
    ) -> Fault:
        settings = FaultSettings(kind=kind, seconds=seconds, jitter=jitter, size=size, on_data=on_data)
        return Fault(self._name, self._address, self._ways, settings, text)

    def __str__(self) -> str:
        return ", ".join(map(str, self.active)) or "no fault"

    def __repr__(self) -> str:
        return f"<Faults of {self._name}: {self}>"
