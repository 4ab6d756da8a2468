"""From settings to channel arguments, and channels that are made without dialling. That gRPC honours them: test_canary_options."""

import json
import os
import select
import socket
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.channels.opening import TRACE_BYTES, arguments, is_trace_cap, open_channel, tag
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.channels.conftest import EchoServer

NUMBERS = count(600_000)


def test_the_page_s_settings() -> None:
    assert dict(arguments(PoolOptions())) == {
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 3_000,
        "grpc.http2.ping_timeout_ms": 3_000,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.max_pings_without_data": 0,
        "grpc.initial_reconnect_backoff_ms": 1_000,
        "grpc.max_reconnect_backoff_ms": 120_000,
        "grpc.min_reconnect_backoff_ms": 20_000,
        "grpc.use_local_subchannel_pool": 1,
        "grpc.client_idle_timeout_ms": 2_147_483_647,
        "grpc.enable_http_proxy": 0,
        "grpc.enable_channelz": 1,
        "grpc.max_channel_trace_event_memory_per_node": 27_136,
    }


def test_round_robin_is_a_service_config() -> None:
    config = dict(arguments(PoolOptions(load_balancing="round_robin")))["grpc.service_config"]
    assert json.loads(str(config)) == {"loadBalancingConfig": [{"round_robin": {}}]}


SECONDS = st.floats(0.1, 86_400)


KEEPALIVES = st.builds(Keepalive, time=SECONDS, timeout=SECONDS, without_calls=st.booleans())
BACKOFFS = st.tuples(SECONDS, SECONDS, SECONDS).map(
    lambda three: Backoff(initial=min(three[:2]), maximum=max(three[:2]), min_connect_timeout=three[2])
)


@given(keepalive=KEEPALIVES, backoff=BACKOFFS)
def test_every_setting_that_is_accepted_fits_what_grpc_takes(keepalive: Keepalive, backoff: Backoff) -> None:
    options = PoolOptions(keepalive=keepalive, backoff=backoff)
    pairs = arguments(options)
    values = dict(pairs)
    assert len(values) == len(pairs), "no argument twice"
    assert all(isinstance(value, str) or (type(value) is int and 0 <= value < 2**31) for value in values.values())
    assert abs(int(values["grpc.keepalive_time_ms"]) - keepalive.time * 1000) <= 0.5
    assert values["grpc.http2.ping_timeout_ms"] == values["grpc.keepalive_timeout_ms"] == round(keepalive.timeout * 1000)
    assert values["grpc.keepalive_permit_without_calls"] == keepalive.without_calls
    assert int(values["grpc.initial_reconnect_backoff_ms"]) <= int(values["grpc.max_reconnect_backoff_ms"])


@pytest.mark.parametrize("cap", [0, -53, 1, 52, 54, 4096, 53 * 3, 53 * 2**9 + 1])
def test_a_cap_that_would_lose_the_trace_is_refused(cap: int) -> None:
    assert not is_trace_cap(cap)
    with pytest.raises(OptionsError, match=rf"trace_bytes={cap} was refused: 53 \* 2\*\*k bytes"):
        arguments(PoolOptions(), trace_bytes=cap)


def test_caps_that_keep_it() -> None:
    caps = [53 * 2**k for k in range(12)]
    assert TRACE_BYTES in caps
    assert [dict(arguments(PoolOptions(), trace_bytes=cap))["grpc.max_channel_trace_event_memory_per_node"] for cap in caps] == caps


def test_opening_dials_nothing(listen: "Callable[[], socket.socket]") -> None:
    listener = listen()
    channel: Any = open_channel(f"ipv4:127.0.0.1:{listener.getsockname()[1]}", next(NUMBERS), PoolOptions())
    assert select.select([listener], [], [], 0.1)[0] == []
    assert channel._channel.check_connectivity_state(False) == 0, "IDLE"
    channel._channel.check_connectivity_state(True)
    assert select.select([listener], [], [], 5)[0] == [listener], "it dials when it is asked to"
    channel.close()


@pytest.mark.parametrize("form", ["ipv4:127.0.0.1:{}", "dns:///127.0.0.1:{}", "dns:///localhost:{}", "127.0.0.1:{}"])
def test_a_call_goes_through_a_tagged_target(start_server: "Callable[[], EchoServer]", form: str) -> None:
    server, number = start_server(), next(NUMBERS)
    channel: Any = open_channel(form.format(server.port), number, PoolOptions())
    assert channel.unary_unary("/echo/Unary")(b"x", timeout=5) == server.name + b":x"
    assert channel._target == f"{form.format(server.port)}#{tag(number)}"
    assert tag(number) == f"tp{os.getpid()}-{number}"
    channel.close()
