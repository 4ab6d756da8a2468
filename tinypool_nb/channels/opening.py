"""From the settings of a pool to a gRPC channel: the one place that knows how gRPC core spells them."""

import json
import os

import grpc

from tinypool_nb.channels.credentials import channel_credentials
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.proxies import Proxy
from tinypool_nb.errors import OptionsError

TRACE_BYTES = 53 * 2**9
"""Bytes of trace that gRPC core keeps of each channel and of each subchannel: 27,136.

Room for 447 events of a channel, and for 106 to 168 of a subchannel (they are longer): 26 reconnections or 42 failed
attempts. The memory is taken as events come. Twice the bytes hold twice the events.
"""

NEVER_IDLE = 2**31 - 1
"""Milliseconds: the greatest idle timeout, which gRPC core takes for "never"."""

AN_HOUR = 3_600_000
"""Milliseconds: the backoff of a held channel, long enough for nothing to come after its one attempt."""

Arguments = tuple[tuple[str, int | str], ...]


HELD: Arguments = (
    ("grpc.initial_reconnect_backoff_ms", AN_HOUR),
    ("grpc.max_reconnect_backoff_ms", AN_HOUR),
    # After a failure core asks for the name anew, and an address that is new then would be attempted.
    ("grpc.dns_min_time_between_resolutions_ms", AN_HOUR),
    # A call that is lost with its connection is tried again in silence, and would make an IDLE channel connect.
    ("grpc.enable_retries", 0),
)
"""How a held channel differs. An attempt's own deadline is its backoff too, so somebody else must give it up (`holding.py`)."""


def arguments(options: PoolOptions, *, held: bool = False, trace_bytes: int = TRACE_BYTES) -> Arguments:
    """The channel arguments that make gRPC core behave as `options` say.

    Args:
        options: the pool's settings, in seconds.
        held: True for a channel that, once it is asked to connect, makes one attempt an address and no more.
        trace_bytes: the cap of each channel's and subchannel's trace, 53 * 2**k bytes. Other caps, powers of two
            and core's default of 4096 among them, empty a trace for good once it is full.

    Returns:
        (name, value) pairs, times in whole milliseconds.

    Raises:
        OptionsError: `trace_bytes` is not 53 * 2**k.

    Example:
        >>> dict(arguments(PoolOptions()))["grpc.keepalive_time_ms"]
        10000

    Source: grpc/grpc `include/grpc/impl/channel_arg_names.h`; the page's NewPool, Reconnection and Load Balancing; gRFC A8, A18.
    """
    if not is_trace_cap(trace_bytes):
        raise OptionsError(
            "trace_bytes", trace_bytes, "53 * 2**k bytes, such as 13568 or 27136: other caps empty the trace when it is full"
        )
    keepalive, backoff = options.keepalive, options.backoff
    pairs: list[tuple[str, int | str]] = [
        ("grpc.keepalive_time_ms", milliseconds(keepalive.time)),
        ("grpc.keepalive_timeout_ms", milliseconds(keepalive.timeout)),
        # Without this one a ping may go unanswered for a minute before the connection counts as lost, whatever the keepalive timeout.
        ("grpc.http2.ping_timeout_ms", milliseconds(keepalive.timeout)),
        ("grpc.keepalive_permit_without_calls", int(keepalive.without_calls)),
        # Else core stops to ping after two pings without a message between them.
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", milliseconds(backoff.initial)),
        ("grpc.max_reconnect_backoff_ms", milliseconds(backoff.maximum)),
        # The name misleads: it is the least time that an attempt gets, the page's MinConnectTimeout.
        ("grpc.min_reconnect_backoff_ms", milliseconds(backoff.min_connect_timeout)),
        # Else channels to one target share one connection and its backoff, and a fresh channel would have to wait the old one's out.
        ("grpc.use_local_subchannel_pool", 1),
        # Else READY turns to IDLE half an hour after the last call.
        ("grpc.client_idle_timeout_ms", NEVER_IDLE),
        # Else the environment's http_proxy takes every connection, loopback included.
        ("grpc.enable_http_proxy", 0),
        # The trace is the record. On by default, but said, since another default would mean no record.
        ("grpc.enable_channelz", 1),
        ("grpc.max_channel_trace_event_memory_per_node", trace_bytes),
    ]
    if held:
        own = dict(HELD)
        pairs = [*(pair for pair in pairs if pair[0] not in own), *HELD]
    elif options.load_balancing != "pick_first":  # which is gRPC's own default, and a held channel's: round_robin would connect by itself
        pairs.append(("grpc.service_config", json.dumps({"loadBalancingConfig": [{options.load_balancing: {}}]})))
    if options.tls is not None and options.tls.server_name is not None:
        pairs.append(("grpc.ssl_target_name_override", options.tls.server_name))
    return tuple(pairs)


def open_channel(target: str, number: int, options: PoolOptions, *, held: bool = False) -> grpc.Channel:
    """Make a channel to `target` that can be told apart in the trace. Nothing is dialled yet.

    Args:
        target: where to, in gRPC's form, checked before: `dns:///host:port`, `ipv4:127.0.0.1:50051`, `unix:/path`, ...
        number: the channel's number, unique in the process (`ChannelIdentity.number`).
        options: the pool's settings.
        held: as for `arguments`.

    Raises:
        OptionsError: a file of `options.tls` cannot be used.

    Source: the page's Register and Lazy Connection; grpc/grpc `doc/naming.md`.
    """
    given = arguments(options, held=held)
    if isinstance(options.proxy, Proxy):
        target, given = _through(options.proxy, target, options, given)
    tagged = f"{target}#{tag(number)}"
    if options.tls is None:
        return grpc.insecure_channel(tagged, given)
    return grpc.secure_channel(tagged, channel_credentials(options.tls), given)


def _through(proxy: Proxy, target: str, options: PoolOptions, given: Arguments) -> tuple[str, Arguments]:
    """The proxy as the target, and the arguments by which core asks it for the module.

    They are what core itself makes of its documented `grpc.http_proxy`. That one is of no use: whoever has `no_proxy=.svc`, as companies
    do, would find that core dials past the proxy without a word, as it would find its own proxy variables heeded.
    """
    module = target.rpartition("/")[2] if target.startswith("dns:") else target.partition(":")[2]  # one endpoint, as `check_through` says
    name = None if options.tls is None else options.tls.server_name
    more: list[tuple[str, int | str]] = [("grpc.http_connect_server", module), ("grpc.default_authority", name or module)]
    if proxy.authorization:
        more.append(("grpc.http_connect_headers", f"Proxy-Authorization:{proxy.authorization}"))
    return f"dns:///{proxy}", (*given, *more)


def tag(number: int) -> str:
    """What marks channel `number` of this process in channelz, as the fragment of its target.

    gRPC core ignores a fragment: neither the name resolved, nor the authority sent, nor the name that a certificate must have holds it.
    """
    return f"tp{os.getpid()}-{number}"


def is_trace_cap(value: int) -> bool:
    """Whether a trace of this many bytes survives being full: 53 * 2**k.

    >>> is_trace_cap(27136), is_trace_cap(4096)
    (True, False)
    """
    times, rest = divmod(value, 53)
    return rest == 0 and times > 0 and times & (times - 1) == 0


def milliseconds(seconds: float) -> int:
    """Seconds as the whole milliseconds that gRPC core takes."""
    return round(seconds * 1000)
