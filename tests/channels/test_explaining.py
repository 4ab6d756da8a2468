"""Each fault made to happen, with real sockets and servers, and explained from what the real grpcio said about it."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import trustme

import tinypool_nb as tp
from tests.channels.peers import Handler, answer, hang_up, reset, say_nothing, speak_tls
from tests.ports import bound
from tinypool_nb.channels.environment import prepare
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.lab import Lab, TlsMode
from tinypool_nb.notebook.pool import Pool
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

prepare()

import grpc  # noqa: E402

OPTIONS = tp.PoolOptions(
    backoff=tp.Backoff(initial=0.3, maximum=1.0, min_connect_timeout=1.0), keepalive=tp.Keepalive(time=1.0, timeout=0.5)
)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(OPTIONS) as pool:
        yield pool


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def now(pool: Pool, name: str) -> Finding:
    """The first thing that is wrong with it now, once it has failed."""
    pool.wait(name, tp.State.TRANSIENT_FAILURE, timeout=10)
    return pool.explain(name).findings[0]


def closed_port(listen: Callable[..., socket.socket]) -> str:
    listener = listen()
    port = listener.getsockname()[1]
    listener.close()
    return f"127.0.0.1:{port}"


def test_what_cannot_be_connected_to(
    pool: Pool, serve: Callable[[Handler], str], listen: Callable[..., socket.socket], tmp_path: Any
) -> None:
    full = listen()
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:  # they fill the queue, so that no answer comes to the next
        each.setblocking(False)
        each.connect_ex(full.getsockname())
    wanted = {
        "refused": (closed_port(listen), Cause.REFUSED),
        "unresolved": ("nosuch.invalid:50051", Cause.UNRESOLVED),
        "no way": ("ipv4:255.255.255.255:50051", Cause.UNREACHABLE),
        "no answer": (f"127.0.0.1:{full.getsockname()[1]}", Cause.UNREACHABLE),
        "silent": (serve(say_nothing), Cause.HANDSHAKE_HANGS),
        "web": (serve(answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")), Cause.NOT_HTTP2),
        "other": (serve(answer(b"SSH-2.0-OpenSSH_9.2\r\n")), Cause.NOT_HTTP2),
        "hangs up": (serve(hang_up), Cause.HANGS_UP),
        "resets": (serve(reset), Cause.HANGS_UP),
        "no socket": (f"unix:{tmp_path}/none.sock", Cause.NO_SOCKET),
    }
    for name, (address, _) in wanted.items():
        pool.register(name, address)
    pool.health_check()
    found = {name: now(pool, name) for name in wanted}
    assert {name: finding.cause for name, finding in found.items()} == {name: cause for name, (_, cause) in wanted.items()}
    assert all(finding.now and finding.evidence for finding in found.values())
    assert "HTTP/1.1" in found["web"].text
    assert "does not speak TLS either" in found["hangs up"].advice  # the address was said a TLS hello
    frame = pool.findings()
    assert set(frame[frame["now"] & (frame["gravity"] == "broken")]["module"]) == set(wanted)
    for each in waiting:
        each.close()


def test_what_is_wrong_with_transport_security(pool: Pool, lab: Lab) -> None:
    wanted = {
        TlsMode.EXPIRED: Cause.CERTIFICATE_EXPIRED,
        TlsMode.OTHER_NAME: Cause.CERTIFICATE_NAME,
        TlsMode.OTHER_CA: Cause.CERTIFICATE_AUTHORITY,
    }
    for mode in wanted:
        module = lab.start(mode, tls=mode)
        pool.register(mode, module.address, options=replace(OPTIONS, tls=module.tls))
    good, plain, mutual = lab.start("good", tls=True), lab.start("plain"), lab.start("mutual", tls=TlsMode.MUTUAL)
    pool.register("tls to plaintext", plain.address, options=replace(OPTIONS, tls=good.tls))
    pool.register("plaintext to tls", good.address)
    assert mutual.tls is not None
    pool.register("no certificate", mutual.address, options=replace(OPTIONS, tls=tp.Tls(roots=mutual.tls.roots)))
    pool.health_check()
    assert {mode: now(pool, mode).cause for mode in wanted} == wanted
    assert now(pool, "tls to plaintext").cause is Cause.TLS_NOT_EXPECTED
    expected = now(pool, "plaintext to tls")
    assert (expected.cause, expected.known) == (Cause.TLS_EXPECTED, Evidence.SEEN)
    assert "speaks TLSv1.3" in expected.text
    assert now(pool, "no certificate").cause is Cause.CLIENT_CERTIFICATE


def test_a_handshake_that_hangs_is_named_while_it_lasts(pool: Pool, serve: Callable[[Handler], str], tmp_path: Any) -> None:
    address = serve(say_nothing)
    pool.register("mute", address, options=tp.PoolOptions())  # as everybody's: an attempt gets 20 s, and a ping goes out after 10
    pool.health_check()
    pool.wait("mute", "CONNECTING", timeout=10)
    until = time.monotonic() + 10
    while Cause.HANDSHAKE not in (found := causes(pool, "mute")):
        assert Cause.CONNECTING in found
        assert time.monotonic() < until
        time.sleep(0.1)  # it is for a person to ask, and nothing tells when two seconds are over
    assert found[Cause.HANDSHAKE].known is Evidence.INFERRED
    assert f"ipv4:{address} accepts TCP connections" in found[Cause.HANDSHAKE].text
    pool.save(tmp_path / "mute.parquet")
    assert Cause.HANDSHAKE in [each.cause for each in tp.open_recording(tmp_path / "mute.parquet").explain("mute").findings]


def test_pick_first_leaves_endpoints_untried(pool: Pool, lab: Lab) -> None:
    module = lab.start("three", replicas=3)
    pool.register("three", module.address)
    for _ in range(60):
        pool.send("three", wait_for_ready=True)
    (found,) = pool.explain("three").findings
    assert found.cause is Cause.UNEVEN_BY_DESIGN
    assert "had 60 of 60 calls" in found.text
    assert "(3 endpoints, 20 each would be even)" in found.text


def test_a_name_that_is_gone_from_dns_is_told_before_the_connection_is_lost(pool: Pool, lab: Lab) -> None:
    dns, module = lab.dns(), lab["three"] if "three" in lab else lab.start("three", replicas=3)
    dns.set("module.test", ["127.0.0.1"])
    pool.register("named", dns.target("module.test", int(module.replicas[0].address.rpartition(":")[2])))
    pool.send("named", wait_for_ready=True)
    assert pool.explain("named").findings == ()
    dns.set("module.test", [])
    (found,) = pool.explain("named").findings
    assert (found.cause, pool.explain("named").diagnosis.verdict) == (Cause.DNS_FAILS, "nothing wrong")
    assert "the connection holds" in found.text
    dns.fail("module.test")
    assert Cause.DNS_FAILS in causes(pool, "named")
    dns.set("module.test", ["127.0.0.1"])
    assert pool.explain("named").findings == ()


@pytest.mark.parametrize("offered", [[], ["http/1.1"]])
def test_tls_without_http2_in_it_is_no_grpc_server(pool: Pool, serve: Callable[[Handler], str], offered: list[str]) -> None:
    authority = trustme.CA()
    address = serve(speak_tls(authority.issue_cert("127.0.0.1"), offered))
    pool.register("web", address, options=replace(OPTIONS, tls=tp.Tls(roots=authority.cert_pem.bytes())))
    pool.health_check()
    found = now(pool, "web")
    assert found.cause is Cause.NOT_HTTP2
    assert "did not choose h2 by ALPN" in found.text
    assert "offer h2" in found.advice


def test_a_recording_names_the_name_that_the_certificate_should_have(pool: Pool, lab: Lab, tmp_path: Any) -> None:
    module = lab["good"] if "good" in lab else lab.start("good", tls=True)
    assert module.tls is not None
    pool.register("named", module.address, options=replace(OPTIONS, tls=replace(module.tls, server_name="api.example")))
    pool.register("hosted", lab.start("hosted", tls=TlsMode.OTHER_NAME).address, options=replace(OPTIONS, tls=module.tls))
    pool.health_check()
    told = {name: now(pool, name).text for name in ("named", "hosted")}
    assert "for another name than api.example" in told["named"]
    assert "for another name than 127.0.0.1" in told["hosted"]
    pool.save(tmp_path / "names.parquet")
    recorded = tp.open_recording(tmp_path / "names.parquet")
    assert {name: recorded.explain(name).findings[0].text for name in told} == told
    assert recorded.options_of(tp.ModuleKey(None, "named")).tls == tp.Tls(server_name="api.example")


def test_what_a_path_is_called_is_no_reason(pool: Pool, tmp_path: Any) -> None:
    folder = tmp_path / "resolver"
    folder.mkdir()
    (folder / "ALPN").touch()
    pool.register("gone", f"unix:{folder}/none.sock")
    pool.register("left behind", f"unix:{folder}/ALPN")
    pool.health_check()
    assert now(pool, "gone").cause is Cause.NO_SOCKET
    left = now(pool, "left behind")
    assert left.cause is Cause.REFUSED
    assert "the file is there, but nothing listens on it" in left.text


def test_a_recording_explains_the_same(pool: Pool, listen: Callable[..., socket.socket], tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:1")
    pool.register("http-module-v1", f"localhost:{closed_port(listen).partition(':')[2]}")
    pool.health_check()
    now(pool, "http-module-v1")
    looked = pool.observations()
    assert set(looked["subject"]) >= {Subject.RESOLVED, Subject.DNS, Subject.ENVIRONMENT}
    assert "secret" not in looked.to_csv()
    pool.save(tmp_path / "incident.parquet")
    told = pool.explain("http-module-v1")
    recorded = tp.open_recording(tmp_path / "incident.parquet")
    assert list(recorded.observations()["text"]) == list(looked["text"])
    again = recorded.explain("http-module-v1")
    assert [finding.cause for finding in again.findings] == [finding.cause for finding in told.findings]
    assert Cause.PROXY in [finding.cause for finding in again.findings]
    assert recorded.options_of(tp.ModuleKey(None, "http-module-v1")) == OPTIONS
    with pytest.raises(tp.UnknownModuleError, match="http-module-v1"):
        recorded.explain("http-module-v2")


def test_a_closed_pool_explains_from_its_record(pool: Pool) -> None:
    pool.register("http-module-v1", "127.0.0.1:1")
    pool.close()
    assert [finding.cause for finding in pool.explain("http-module-v1").findings] == [Cause.TAKEN_AWAY]


def test_messages_and_deadlines(pool: Pool, lab: Lab, serve: Callable[[Handler], str]) -> None:
    module = lab["plain"] if "plain" in lab else lab.start("plain")
    pool.register("http-module-v1", module.address)
    with pytest.raises(tp.MessageTooLargeError):
        pool.send("http-module-v1", payload=b"x" * (5 << 20))
    explanation = pool.explain("http-module-v1")
    assert [finding.cause for finding in explanation.findings] == [Cause.MESSAGE_TOO_LARGE]
    assert "4,194,304" in explanation.findings[0].text
    pool.register("silent", serve(say_nothing))
    with pytest.raises(tp.SendTimeoutError):
        pool.send("silent", timeout=0.2, wait_for_ready=True)
    assert Cause.DEADLINE in [finding.cause for finding in pool.explain("silent").findings]


# What happens to connections; slow, since keepalives and ages take their time


def under_a_call(pool: Pool, name: str, act: Callable[[], object]) -> None:
    """Do something while a call is under way."""
    pool.wait(name, timeout=10)
    slow = MessageRequest(To=f"{name}.in", Payload=json.dumps({"delay": 5.0}).encode())
    call: Any = ModuleServiceStub(pool[name]).Message.future(slow, timeout=15)
    pool.send(name)  # answered on the same connection, so the server has the slow one, which came before
    act()
    with suppress(grpc.RpcError):
        call.result()


def causes(pool: Pool, name: str) -> dict[Cause, Finding]:
    return {finding.cause: finding for finding in pool.explain(name).findings}


@pytest.mark.slow
def test_a_killed_a_frozen_and_a_stopped_module(pool: Pool, lab: Lab) -> None:
    for name in ("victim", "cold", "leaving"):
        pool.register(name, lab.start(name).address)
    under_a_call(pool, "victim", lab["victim"].kill)
    assert causes(pool, "victim")[Cause.LOST].known is Evidence.SEEN
    pool.health_check()
    assert now(pool, "victim").cause is Cause.KILLED
    under_a_call(pool, "cold", lab["cold"].freeze)
    frozen = causes(pool, "cold")[Cause.FROZEN]
    assert (frozen.now, frozen.known) == (True, Evidence.SEEN)
    assert "no answer to keepalive (sent after 1 s, lost after 0.5 s more)" in frozen.text
    pool.health_check()
    pool.wait("cold", tp.State.TRANSIENT_FAILURE, timeout=10)
    assert Cause.FROZEN in causes(pool, "cold")
    lab["cold"].thaw()
    pool.wait("cold", timeout=10)
    (frozen,) = (finding for finding in pool.explain("cold").findings if finding.cause is Cause.FROZEN)
    assert (frozen.now, frozen.known) == (False, Evidence.SEEN)
    under_a_call(pool, "leaving", lambda: lab["leaving"].stop(grace=0.3))
    assert Cause.DRAINED in causes(pool, "leaving")


@contextmanager
def grpc_server(options: list[tuple[str, int]]) -> Iterator[str]:
    """The address of a server whose method waits for as many seconds as it is told."""

    def wait(request: bytes, _: object) -> bytes:
        time.sleep(float(request or b"0"))
        return b""

    handlers: dict[str, Any] = {"Wait": grpc.unary_unary_rpc_method_handler(wait)}
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=options)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
        address = f"127.0.0.1:{bound(server)}"
        server.start()
        try:
            yield address
        finally:
            server.stop(0).wait()


@pytest.mark.slow
@pytest.mark.parametrize("balancing", ["pick_first", "round_robin"])
def test_connections_that_reach_their_age_are_recycled(pool: Pool, balancing: Any) -> None:
    ages = [("grpc.max_connection_age_ms", 700), ("grpc.max_connection_age_grace_ms", 300)]
    with grpc_server(ages) as address:
        pool.register("http-module-v1", address, options=replace(OPTIONS, load_balancing=balancing))
        call = pool["http-module-v1"].unary_unary("/test/Wait")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            call(b"0.02", timeout=5)
        found = causes(pool, "http-module-v1")
        assert Cause.FLAPPING not in found
        assert found[Cause.RECYCLED].now
        with pytest.raises(grpc.RpcError, match="max connection age"):
            call(b"4", timeout=10)
        assert causes(pool, "http-module-v1")[Cause.RECYCLED].known is Evidence.SEEN


@pytest.mark.slow
def test_too_many_pings(pool: Pool) -> None:
    strict = [("grpc.http2.min_ping_interval_without_data_ms", 60_000), ("grpc.keepalive_permit_without_calls", 0)]
    with grpc_server([*strict, ("grpc.http2.max_ping_strikes", 1)]) as address:
        often = replace(OPTIONS, load_balancing="round_robin", keepalive=tp.Keepalive(time=1.0, timeout=1.0))
        pool.register("http-module-v1", address, options=often)
        pool.wait("http-module-v1", timeout=5)
        until = time.monotonic() + 12
        while Cause.TOO_MANY_PINGS not in causes(pool, "http-module-v1") and time.monotonic() < until:
            time.sleep(0.2)
        assert causes(pool, "http-module-v1")[Cause.TOO_MANY_PINGS].known is Evidence.INFERRED
