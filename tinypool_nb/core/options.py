"""The settings of a pool, with the page's defaults. All times are seconds.

They are mapped to gRPC's channel arguments in one place, `tinypool_nb.channels.opening`.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Literal, get_args

from tinypool_nb.core.hints import hinting
from tinypool_nb.core.proxies import Proxy, parse_proxy
from tinypool_nb.core.tls import THROUGH, Tls, Transport, public
from tinypool_nb.errors import OptionsError

LoadBalancing = Literal["pick_first", "round_robin"]
DAY = 86_400.0


@hinting()
@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """When a connection is asked whether it still lives (HTTP/2 PING; gRFC A8).

    >>> Keepalive()
    Keepalive(time=10.0, timeout=3.0, without_calls=True)

    Raises:
        OptionsError: a time is not a number in its range.
    """

    time: float = 10.0
    """Seconds without a message from the peer before a ping goes out; at least 0.1. The peer must permit it: 5 s at most often."""
    timeout: float = 3.0
    """Seconds that the answer may take before the connection counts as lost."""
    without_calls: bool = True
    """Ping also while no call is under way (the page's PermitWithoutStream)."""

    def __post_init__(self) -> None:
        _between("Keepalive.time", self.time, 0.1, DAY)
        _between("Keepalive.timeout", self.timeout, 0.05, DAY)
        _flag("Keepalive.without_calls", self.without_calls)


@hinting()
@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long gRPC waits between two attempts (grpc/grpc `doc/connection-backoff.md`).

    The multiplier 1.6 and the jitter 0.2 are fixed in gRPC core and match the page.

    Raises:
        OptionsError: a time is not a number in its range, or `maximum` is less than `initial`.
    """

    initial: float = 1.0
    """Seconds from the start of the first attempt to the start of the second."""
    maximum: float = 120.0
    """Seconds at most between two starts, before the jitter."""
    min_connect_timeout: float = 20.0
    """Seconds that an attempt gets at the least before it is given up."""

    def __post_init__(self) -> None:
        _between("Backoff.initial", self.initial, 0.1, DAY)  # gRPC core raises smaller values to 0.1 s
        _between("Backoff.maximum", self.maximum, 0.1, DAY)
        _between("Backoff.min_connect_timeout", self.min_connect_timeout, 0.1, DAY)
        if self.maximum < self.initial:
            raise OptionsError("Backoff.maximum", self.maximum, f"at least Backoff.initial, which is {self.initial:g} s")


@hinting()
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """All settings of a pool.

    >>> PoolOptions(load_balancing="round_robin").keepalive.time
    10.0

    Raises:
        OptionsError: with the setting, the value and the rule.
    """

    keepalive: Keepalive = field(default_factory=Keepalive)
    backoff: Backoff = field(default_factory=Backoff)
    load_balancing: LoadBalancing = "pick_first"
    """`round_robin` spreads calls over all addresses that a name resolves to."""
    tls: Tls | None = None
    """How connections are secured; None is plaintext, the page's insecure credentials."""
    proxy: Proxy | str | None = None
    """An HTTP proxy that leads to the modules by CONNECT, as `http://host:port` or `http://user:password@host:port`; None dials directly.

    It looks the modules' names up, so those that only a cluster knows are reached unchanged. The credentials stay in memory: what tells
    of the proxy tells its host and port. Proxies that the environment names (`http_proxy`, `no_proxy`) are never heeded.
    """
    drain: float = 30.0
    """Seconds at most that a replaced channel stays open for the calls under way on it."""
    history: int = 5_000_000
    """Rows of each kind that the journal keeps; the oldest go in counted blocks, totals stay right."""
    record_calls: bool = True
    """Whether calls are rows of the record (`pool.calls()`): some microseconds a call."""
    observer_share: float = 0.01
    """Share of one core that the observer may use at rest; its sweep period follows from it."""
    eager_reconnect: bool = False
    """Whether a lost module is probed, for the first minute, and connected as soon as its peer listens again, without a backoff."""

    def __post_init__(self) -> None:
        if not isinstance(self.keepalive, Keepalive):
            raise OptionsError("keepalive", self.keepalive, "a tp.Keepalive")
        if not isinstance(self.backoff, Backoff):
            raise OptionsError("backoff", self.backoff, "a tp.Backoff")
        if self.load_balancing not in get_args(LoadBalancing):
            raise OptionsError("load_balancing", self.load_balancing, f"one of {', '.join(get_args(LoadBalancing))}")
        if self.tls is not None and not isinstance(self.tls, Tls):
            raise OptionsError("tls", public(self.tls), "a tp.Tls, or None for plaintext")
        if self.proxy is not None:
            object.__setattr__(self, "proxy", parse_proxy(self.proxy))  # a frozen value that is still being made
        _between("drain", self.drain, 0.0, DAY)
        if not isinstance(self.history, int) or isinstance(self.history, bool) or not 1_000 <= self.history <= 1_000_000_000:
            raise OptionsError("history", self.history, "an int from 1,000 to 1,000,000,000 rows")
        _flag("record_calls", self.record_calls)
        _between("observer_share", self.observer_share, 0.0001, 1.0)
        _flag("eager_reconnect", self.eager_reconnect)

    @property
    def transport(self) -> Transport:
        """How connections of these settings are secured."""
        return Transport.PLAINTEXT if self.tls is None else self.tls.transport

    @property
    def transport_text(self) -> str:
        """How connections are secured, and through which proxy they go, as every view says it.

        >>> PoolOptions(proxy="http://ada:s3cret@127.0.0.1:3128").transport_text
        'plaintext through proxy 127.0.0.1:3128'
        """
        return str(self.transport) if self.proxy is None else f"{self.transport}{THROUGH}{self.proxy}"

    def as_dict(self) -> dict[str, object]:
        """The settings as plain nested dicts, for a recording; no secret is among them."""
        told = {"tls": None if self.tls is None else self.tls.as_dict(), "proxy": None if self.proxy is None else str(self.proxy)}
        return {**asdict(replace(self, tls=None, proxy=None)), **told}


def check_period(option: str, seconds: object) -> None:
    """Refuse what is no period of something that repeats itself.

    Raises:
        OptionsError: it is not a number of seconds from 0.01 to a year.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.01 <= seconds <= 366 * DAY:
        raise OptionsError(option, seconds, "a number of seconds, from 0.01 to a year")


def _between(option: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise OptionsError(
            option, value, f"a number of seconds from {least:g} to {most:g}" if most == DAY else f"a number from {least:g} to {most:g}"
        )


def _flag(option: str, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionsError(option, value, "True or False")
