"""What gRPC core reads from the environment while it loads, and hence must stand there before the first `import grpc`.

This module never imports grpc itself. Source: grpc/grpc `doc/environment_variables.md` and `doc/trace_flags.md`.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args

from tinypool_nb.errors import GrpcLoadedError, OptionsError

Verbosity = Literal["debug", "info", "error", "none"]

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        # Core forgets a closed channel, SHUTDOWN stamp and all, unless it keeps the node. So many did for 1000 channels with subchannels.
        "GRPC_CHANNELZ_MAX_ORPHANED_NODES": "8192",
        # Core writes to the process's standard error, which a kernel shows under whichever cell is running.
        "GRPC_VERBOSITY": "ERROR",
    }
)
"""What `prepare` sets where the user has set nothing."""

CORE = "grpc._cython.cygrpc"
"""The extension module with gRPC core in it: the environment is read when this is loaded."""

TRACER = re.compile(r"-?[a-z0-9_*?]+")
"""A tracer's name, or a pattern of names; a leading `-` leaves it out."""


@cache
def prepare() -> bool:
    """Set what gRPC core must find in the environment, and tell whether that came too late.

    The rooms that import grpc call it first. It is idempotent and never overrides what the user has set.

    Returns:
        Whether gRPC core was loaded before the first call. Then the `DEFAULTS` have no effect in this process, and the
        SHUTDOWN of a channel may lack core's own time stamp: it is recorded as inferred.
    """
    late = is_loaded()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    return late


def grpc_logging(verbosity: Verbosity = "info", trace: str | Iterable[str] = ()) -> None:
    """Turn on gRPC core's own log, the counterpart of the page's `GRPC_GO_LOG_SEVERITY_LEVEL`.

    gRPC writes it to the process's standard error; a Jupyter kernel shows that under the running cell. Call it
    before anything imports grpc: in a notebook's first cell, right after `import tinypool_nb as tp`.

    Args:
        verbosity: the least severe message shown. Tracers write at "info"; some say more at "debug".
        trace: the tracers to turn on, as names or one comma-separated str: "connectivity_state", "client_channel",
            "subchannel", "pick_first", "round_robin", "dns_resolver", "http", "http_keepalive", "tcp", ... A name may
            hold `*` and `?`, and a leading `-` leaves it out. "list_tracers" makes gRPC print all names.

    Raises:
        OptionsError: a value that gRPC would not understand, with the rule.
        GrpcLoadedError: gRPC core is loaded already and would not look again.

    Example:
        >>> import tinypool_nb as tp
        >>> tp.grpc_logging("debug", trace=["connectivity_state", "http_keepalive"])  # doctest: +SKIP

    Source: the page's "Log Connection Events"; grpc/grpc `doc/environment_variables.md`, `doc/trace_flags.md`.
    """
    if verbosity not in get_args(Verbosity):
        raise OptionsError("verbosity", verbosity, f"one of {', '.join(get_args(Verbosity))}")
    tracers = [name.strip() for name in trace.split(",")] if isinstance(trace, str) and trace else list(trace)
    for tracer in tracers:
        if not isinstance(tracer, str) or not TRACER.fullmatch(tracer):
            raise OptionsError(
                "trace", tracer, "the name of a tracer, such as 'connectivity_state'; it may hold '*' and '?', and begin with '-'"
            )
    if is_loaded():
        raise GrpcLoadedError(
            "grpc_logging came too late: gRPC reads its verbosity only while it loads, and it is loaded already; "
            "restart the kernel and call tp.grpc_logging(...) in the first cell, before any pool is made and before anything imports grpc"
        )
    os.environ["GRPC_VERBOSITY"] = verbosity.upper()
    os.environ["GRPC_TRACE"] = ",".join(tracers)


def is_loaded() -> bool:
    """Whether gRPC core is loaded in this process, and hence has read the environment."""
    return CORE in sys.modules
