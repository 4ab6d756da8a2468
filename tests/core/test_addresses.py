"""Every form that is welcome, every one that is refused, and whatever else hypothesis writes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinypool_nb.core.addresses import Endpoint, Scheme, parse_address
from tinypool_nb.errors import AddressError

WELCOME = {
    "http-module-v1:50051": ("dns:///http-module-v1:50051", Scheme.DNS),
    "host.ns.svc.cluster.local:50051": ("dns:///host.ns.svc.cluster.local:50051", Scheme.DNS),
    "host.ns.svc.cluster.local.:50051": ("dns:///host.ns.svc.cluster.local.:50051", Scheme.DNS),
    "docker_compose_name:1": ("dns:///docker_compose_name:1", Scheme.DNS),
    "xn--bcher-kva.example:65535": ("dns:///xn--bcher-kva.example:65535", Scheme.DNS),
    "127.0.0.1:20001": ("dns:///127.0.0.1:20001", Scheme.DNS),
    "[::1]:50051": ("dns:///[::1]:50051", Scheme.DNS),
    "dns:///host:50051": ("dns:///host:50051", Scheme.DNS),
    "dns:host:50051": ("dns:///host:50051", Scheme.DNS),
    "DNS:///host:50051": ("dns:///host:50051", Scheme.DNS),
    "dns://127.0.0.1:5300/name:50051": ("dns://127.0.0.1:5300/name:50051", Scheme.DNS),
    "dns://[::1]:5300/name:50051": ("dns://[::1]:5300/name:50051", Scheme.DNS),
    "dns:50051": ("dns:///dns:50051", Scheme.DNS),
    "ipv4:127.0.0.1:1": ("ipv4:127.0.0.1:1", Scheme.IPV4),
    "ipv4:127.0.0.1:1,127.0.0.2:2": ("ipv4:127.0.0.1:1,127.0.0.2:2", Scheme.IPV4),
    "ipv6:[::1]:1": ("ipv6:[::1]:1", Scheme.IPV6),
    "ipv6:[::1]:1,[fe80::1]:2": ("ipv6:[::1]:1,[fe80::1]:2", Scheme.IPV6),
    "unix:/run/module.sock": ("unix:/run/module.sock", Scheme.UNIX),
    "unix:///run/module.sock": ("unix:/run/module.sock", Scheme.UNIX),
}

REFUSED = {
    "": "it is empty",
    " host:1": "no blanks",
    "host :1": "no blanks",
    "host:1\n": "no blanks",
    "ho\u00a0st:1": "no blanks",
    "ho\x00st:1": "no control characters",
    "ho\x7fst:1": "no control characters",
    "host": "it has no port (gRPC would have dialled 443); write 'host:port'",
    "host:": "no port after ':'",
    "dns:///host": "gRPC would have dialled 443",
    "[::1]": "write '[::1]:port'",
    "::1": "write '[::1]:port'",
    "host:0": "from 1 to 65535",
    "host:65536": "from 1 to 65535",
    "127.0.0.1:99999": "from 1 to 65535",
    "host:" + "9" * 900: "from 1 to 65535",
    "host:080": "without leading zeros",
    "host:+80": "a number",
    "host:-80": "a number",
    "host:8_0": "a number",
    "host:http": "a number",
    "host:٣": "is ASCII",
    "bücher.example:1": "xn--",
    "::1:50051": "[::1]:50051",
    "fe80::1:5005": "[fe80::1]:5005",
    "[::1]50051": "after ']' comes ':port'",
    "[host]:1": "in brackets stands an IPv6 address",
    "[::1:1": "in brackets stands an IPv6 address",
    ":50051": "the host before ':50051' is missing",
    "a" * 1001 + ":1": "at most 1,000 characters",
    "host:1#fragment": "no fragment",
    "http://host:1": "drop it and write 'host:1'",
    "https://host:1": "drop it",
    "http:host:1": "drop it",
    "nats://tinymodule.http-module-v1.msg": "not gRPC",
    "ftp://host:1": "the scheme 'ftp' is not one of",
    "xds:///host:1": "the scheme 'xds'",
    "vsock:1:2": "the scheme 'vsock'",
    "user@host:1": "no user information",
    "user:word@host:1": "no user information",
    "host:1/path": "drop '/path'",
    "host:1?query": "drop '?query'",
    "host:1,host:2": "ipv4:10.0.0.1:port,10.0.0.2:port",
    "ho%73t:1": "no percent-encoding",
    "[fe80::1%eth0]:1": "no IPv6 zone",
    "256.0.0.1:1": "from 0 to 255",
    "1.2.3:1": "four numbers",
    "127.0.0.01:1": "four numbers",
    "2130706433:1": "four numbers",
    "0x7f000001:1": "four numbers",
    "-host:1": "a host name is",
    "host..name:1": "a host name is",
    "a" * 64 + ":1": "a host name is",
    ".".join(["a" * 60] * 5) + ":1": "at most 253 characters",
    "a\\b:1": "a host name is",
    "<script>:1": "a host name is",
    "dns://127.0.0.1:53": "three slashes",
    "dns://127.0.0.1/name:1": "no port",
    "dns://server:53/name:1": "by its IP address",
    "dns://[::1]:53/": "no port",
    "ipv4:host:1": "'host' is none",
    "ipv4:127.0.0.1": "no port",
    "ipv4:127.0.0.1:1,": "no port",
    "ipv4:127.0.0.1:1;": "a number",
    "ipv4:[::1]:1": "'::1' is none",
    "ipv6:127.0.0.1:1": "'127.0.0.1' is none",
    "unix:run/module.sock": "is absolute",
    "unix://host/module.sock": "is absolute",
    "unix:/": "is absolute",
    "unix:/run/module.sock?a": "no query",
    "unix:/" + "a" * 107: "at most 107 bytes",
}


@pytest.mark.parametrize("text", WELCOME)
def test_is_welcome(text: str) -> None:
    address = parse_address(text)
    assert (address.target, address.scheme) == WELCOME[text]
    assert address.text == text == str(address)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:40]))
def test_is_refused_with_the_value_and_the_rule(text: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse_address(text)
    assert REFUSED[text] in refused.value.rule
    assert refused.value.address is text
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("value", [None, 50051, b"host:1", ["host:1"], object()])
def test_only_a_str_is_an_address(value: object) -> None:
    with pytest.raises(AddressError, match="is a str"):
        parse_address(value)


def test_endpoints_and_name_server() -> None:
    address = parse_address("dns://127.0.0.1:5300/name:50051")
    assert address.endpoints == (Endpoint("name", 50051),)
    assert address.name_server == Endpoint("127.0.0.1", 5300)
    several = parse_address("ipv6:[::1]:1,[::2]:2")
    assert (several.hosts, several.ports) == (("::1", "::2"), (1, 2))
    assert [str(endpoint) for endpoint in several.endpoints] == ["[::1]:1", "[::2]:2"]
    assert parse_address("unix:/run/module.sock").endpoints == ()


SCHEMES = ["dns:", "ipv4:", "ipv6:", "unix:", "http:"]
PIECES = st.sampled_from([*SCHEMES, *"/[]:,@#%?.-", "//", "::1", "127.0.0.1", "50051", "0", "65536", "host"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=9).map("".join)))
@example("\ud800:1")
@example("host:\u0663")
def test_any_text_parses_to_ports_in_range_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError as refused:
        assert refused.rule  # noqa: PT017 - both ends are fine; nothing else is
        return
    assert all(1 <= port <= 65_535 for port in address.ports)
    assert bool(address.endpoints) != (address.scheme is Scheme.UNIX)
    assert parse_address(address.target).target == address.target
    assert "#" not in address.target
