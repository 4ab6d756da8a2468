"""Addresses as channelz has them, in gRPC's form."""

from base64 import b64encode
from typing import Any

import pytest

from tinypool_nb.core.subchannels import address_of


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ({"tcpipAddress": {"ipAddress": b64encode(bytes([10, 0, 0, 1])).decode(), "port": 50051}}, "ipv4:10.0.0.1:50051"),
        ({"tcpipAddress": {"ipAddress": b64encode(bytes([0xFE, 0x80, *[0] * 13, 1])).decode(), "port": 1}}, "ipv6:[fe80::1]:1"),
        ({"tcpipAddress": {"ipAddress": "fwAAAQ=="}}, "ipv4:127.0.0.1:0"),  # JSON leaves zeros out
        ({"udsAddress": {"filename": "/run/a b.sock"}}, "unix:/run/a b.sock"),
        ({"udsAddress": {}}, "unix:"),
        ({"otherAddress": {"name": "vsock:1:2"}}, "vsock:1:2"),
        ({}, ""),
        (None, ""),
    ],
)
def test_an_address_is_told_in_grpc_s_form(address: dict[str, Any] | None, text: str) -> None:
    assert address_of(address) == text
