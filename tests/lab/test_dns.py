"""The lab's DNS server: asked by plain sockets, then by gRPC's own resolver."""

import json
import socket
import struct
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb import Backoff, Pool, PoolOptions
from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab import Dns, Lab
from tinypool_nb.lab.dns_messages import parse_question

QUIET = 0.15
"""Seconds in which an answer that must not come would have come."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def standing(lab: Lab) -> Iterator[Dns]:
    """One for all tests that leave no name behind."""
    dns = lab.dns()
    yield dns
    dns.close()


@pytest.fixture
def dns(lab: Lab) -> Iterator[Dns]:
    dns = lab.dns()
    yield dns
    dns.close()


def question(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 42, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def ask(dns: Dns, name: str, kind: int = 1) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(QUIET if name.startswith("silent") else 5)
        client.sendto(question(name, kind), ("127.0.0.1", dns.port))
        return client.recv(4096)


def ask_by_tcp(dns: Dns, *names: str) -> list[bytes]:
    with socket.create_connection(("127.0.0.1", dns.port), timeout=5) as client:
        answers = []
        for name in names:
            asked = question(name)
            client.sendall(len(asked).to_bytes(2, "big") + asked)
            stream = client.makefile("rb")
            answers.append(stream.read(int.from_bytes(stream.read(2), "big")))
            stream.close()
        return answers


def rcode(answer: bytes) -> int:
    assert answer[:2] == b"\0\x2a"
    assert answer[2] & 0x80
    return answer[3] & 0x0F


def addresses(answer: bytes) -> list[str]:
    """The IPv4 addresses of an answer; each record is 16 bytes long, its address last."""
    assert rcode(answer) == 0
    (count,) = struct.unpack_from(">H", answer, 6)
    return [socket.inet_ntoa(answer[at - 4 : at]) for at in range(len(answer) - 16 * (count - 1), len(answer) + 1, 16)] if count else []


def test_records_can_be_changed_while_it_runs(dns: Dns) -> None:
    dns.set("Modules.Test", ["127.0.0.1", "127.0.0.2"], ttl=60)
    answer = ask(dns, "mODULES.tEST")
    assert addresses(answer) == ["127.0.0.1", "127.0.0.2"]
    assert struct.pack(">I", 60) in answer
    dns.set("modules.test", ["127.0.0.3", "::1"])
    assert addresses(ask(dns, "modules.test")) == ["127.0.0.3"]
    assert ask(dns, "modules.test", kind=28).endswith(socket.inet_pton(socket.AF_INET6, "::1"))
    assert addresses(ask(dns, "modules.test", kind=16)) == []
    assert repr(dns) == f"<Dns at 127.0.0.1:{dns.port}: modules.test = 127.0.0.3, ::1>"
    asked = [(query.name, query.kind, query.transport, query.answer) for query in dns.queries]
    assert asked == [
        ("modules.test", "A", "udp", "2 addresses"),
        ("modules.test", "A", "udp", "1 address"),
        ("modules.test", "AAAA", "udp", "1 address"),
        ("modules.test", "TXT", "udp", "0 addresses"),
    ]


def test_failures(dns: Dns) -> None:
    assert rcode(ask(dns, "unknown.test")) == 3
    dns.fail("broken.test", "SERVFAIL")
    assert rcode(ask(dns, "broken.test")) == 2
    dns.fail("silent.test", "silence")
    with pytest.raises(TimeoutError):
        ask(dns, "silent.test")
    dns.set("gone.test", ["127.0.0.1"])
    dns.fail("gone.test")
    assert rcode(ask(dns, "gone.test")) == 3
    dns.set("empty.test", [])
    assert addresses(ask(dns, "empty.test")) == []
    assert repr(dns).endswith("broken.test = SERVFAIL; silent.test = silence; gone.test = NXDOMAIN; empty.test = no address>")


def test_what_is_too_long_for_udp_comes_by_tcp(dns: Dns) -> None:
    many = [f"127.0.0.{number}" for number in range(1, 41)]
    dns.set("many.test", many)
    answer = ask(dns, "many.test")
    assert answer[2] & 0x02
    assert addresses(answer) == []
    unknown, whole = ask_by_tcp(dns, "unknown.test", "many.test")
    assert rcode(unknown) == 3
    assert addresses(whole) == many
    assert [query.answer for query in dns.queries] == ["truncated", "NXDOMAIN", "40 addresses"]
    assert repr(dns).endswith("many.test = 127.0.0.1, 127.0.0.2 and 38 more>")


def test_noise_is_not_answered(standing: Dns) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        for noise in (b"", b"x", bytes(12), question("a.test")[:-1], question("a.test")[:2] + b"\x81" + question("a.test")[3:]):
            client.sendto(noise, ("127.0.0.1", standing.port))
        client.sendto(question("b.test"), ("127.0.0.1", standing.port))
        assert b"\1b\4test" in client.recv(4096)


@given(st.binary(max_size=80))
def test_a_message_is_a_question_or_refused(message: bytes) -> None:
    try:
        asked = parse_question(message)
    except ValueError:
        return
    assert message[12:].startswith(asked.text)


def test_closed(lab: Lab, dns: Dns) -> None:
    dns.close()
    dns.close()
    assert repr(dns) == f"<Dns at 127.0.0.1:{dns.port}: closed; no name yet>"
    with pytest.raises(LabError, match=r"set: the DNS server at .* is closed; lab.dns\(\) starts another one"):
        dns.set("modules.test", [])
    with pytest.raises(ConnectionRefusedError):
        ask_by_tcp(dns, "modules.test")
    again = lab.dns(port=dns.port)
    assert again.port == dns.port
    with pytest.raises(LabError, match="the lab's DNS server could not open: port"):
        lab.dns(port=dns.port)
    again.close()


@pytest.mark.parametrize("name", ["", "a b.test", "127.0.0.1", "::1", "[::1]", "a.test:1", "x" * 300, None])
def test_names_are_checked(standing: Dns, name: str) -> None:
    for use in (lambda: standing.set(name, []), lambda: standing.fail(name), lambda: standing.target(name, 1)):
        with pytest.raises(OptionsError, match="name="):
            use()


def test_settings_are_checked(standing: Dns) -> None:
    with pytest.raises(OptionsError, match=r"addresses='127.0.0.1' was refused: a list of addresses, such as \['127.0.0.1'\]"):
        standing.set("a.test", "127.0.0.1")
    with pytest.raises(OptionsError, match="addresses='localhost' was refused: literal addresses"):
        standing.set("a.test", ["localhost"])
    with pytest.raises(OptionsError, match="at most 60"):
        standing.set("a.test", ["127.0.0.1"] * 61)
    with pytest.raises(OptionsError, match="ttl=-1"):
        standing.set("a.test", [], ttl=-1)
    with pytest.raises(OptionsError, match="how='REFUSED' was refused: one of NXDOMAIN, SERVFAIL, silence"):
        standing.fail("a.test", "REFUSED")
    with pytest.raises(OptionsError, match="port=0"):
        standing.target("a.test", 0)


# By gRPC.

OPTIONS = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.2, min_connect_timeout=1))


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(OPTIONS) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("NXDOMAIN", "Domain name not found"),
        ("SERVFAIL", "DNS server returned general failure"),
        (None, "DNS server returned answer with no data"),
    ],
)
def test_grpc_says_why_a_name_does_not_resolve(dns: Dns, pool: Pool, how: str | None, reason: str) -> None:
    if how is None:
        dns.set("modules.test", [])
    else:
        dns.fail("modules.test", how)
    pool.register("a", dns.target("modules.test", 50051))
    pool.health_check()
    pool.wait("a", "TRANSIENT_FAILURE", timeout=10)
    told = pool.transitions()["reason"].iloc[-1]
    assert f"modules.test:50051: {reason}" in told


@pytest.mark.slow  # c-ares gives a server 12 s
def test_grpc_waits_for_a_silent_server(dns: Dns, pool: Pool) -> None:
    dns.fail("modules.test", "silence")
    pool.register("a", dns.target("modules.test", 50051))
    pool.health_check()
    pool.wait("a", "TRANSIENT_FAILURE", timeout=30)
    assert "Timeout while contacting DNS servers" in pool.transitions()["reason"].iloc[-1]


@pytest.mark.slow
def test_grpc_follows_a_name_that_appears(lab: Lab, dns: Dns, pool: Pool) -> None:
    module = lab.start("appears")
    pool.register("a", dns.target("modules.test", module.port))
    pool.health_check()
    pool.wait("a", "TRANSIENT_FAILURE", timeout=10)
    dns.set("modules.test", [f"127.0.0.{number}" for number in (1, *range(100, 139))])  # and asks by TCP
    pool.wait("a", "READY", timeout=10)
    assert ("A", "tcp", "40 addresses") in {query[2:] for query in dns.queries}
    module.remove()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of the loopback by itself")
def test_round_robin_over_several_addresses_with_one_port(lab: Lab, dns: Dns) -> None:
    first = lab.start("first")
    second = lab.start("second", host="127.0.0.2", port=first.port)
    assert second.address == f"127.0.0.2:{first.port}"
    dns.set("modules.test", ["127.0.0.1", "127.0.0.2"])
    with Pool(PoolOptions(load_balancing="round_robin")) as pool:
        pool.register("a", dns.target("modules.test", first.port))
        pool.health_check()
        pool.wait("a", "READY", timeout=10)
        answered: set[str] = set()
        deadline = time.monotonic() + 10
        while answered != {"first", "second"}:  # it is READY with the first of them
            assert time.monotonic() < deadline
            answered.add(json.loads(pool.send("a"))["module"])
        dns.set("modules.test", ["127.0.0.2"])
        assert list(pool.marks()["text"].iloc[-1:]) == ["lab: dns modules.test: 127.0.0.2"]
    first.remove()
    second.remove()
