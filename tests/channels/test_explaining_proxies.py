"""A proxy in the way (`PoolOptions(proxy=)`): real ones that are gone, refuse or hang, and real modules behind one that does not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tinypool_nb as tp
from tests.channels.peers import Handler, answer, hang_up, say_nothing
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.events import Evidence
from tinypool_nb.lab import Lab
from tinypool_nb.notebook.pool import Pool

OPTIONS = tp.PoolOptions(backoff=tp.Backoff(initial=0.3, maximum=1.0, min_connect_timeout=1.0))
UNTOLD = "Whether the module itself is up, this does not tell"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.start("web")
        yield lab


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(OPTIONS) as pool:
        yield pool


def through(proxy: str) -> tp.PoolOptions:
    return replace(OPTIONS, proxy=proxy)


def now(pool: Pool, name: str) -> Finding:
    pool.wait(name, tp.State.TRANSIENT_FAILURE, timeout=10)
    return pool.explain(name).findings[0]


def test_a_proxy_in_the_way_is_not_taken_for_the_module(pool: Pool, lab: Lab, serve: Callable[[Handler], str]) -> None:
    module = lab["web"].address
    locked, shut = lab.connect_proxy(user="ada", password="secret"), lab.connect_proxy()
    shut.refuse(403)
    wanted = {
        "gone": ("127.0.0.1:1", "refuses: its machine answers, but nothing listens"),
        "nameless": ("nosuch.invalid:3128", "has a name that does not resolve (Domain name not found)"),
        "no way": ("255.255.255.255:3128", "is unreachable: there is no way"),
        "silent": (serve(say_nothing), "does not answer CONNECT within 1 s"),
        "other": (serve(answer(b"SSH-2.0-OpenSSH_9.2\r\n")), "does not answer as an HTTP proxy does (Expected 'H')"),
        "no CONNECT": (serve(answer(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "with status 400"),
        "locked": (locked.url, "asks who you are (status 407)"),
        "shut": (shut.url, f"lets nobody through to {module} (status 403)"),
    }
    for name, (proxy, _) in wanted.items():
        pool.register(name, module, options=through(proxy))
    pool.health_check()
    for name, (_, words) in wanted.items():
        found = now(pool, name)
        assert (found.cause, found.known) == (Cause.PROXY_FAILS, Evidence.SEEN), name
        assert words in found.text
        assert UNTOLD in found.advice
    assert pool.explain("gone").diagnosis.verdict == "cannot be reached: proxy in the way"
    locked.kill()
    shut.kill()


def test_a_proxy_that_ends_is_no_module_that_ended(pool: Pool, lab: Lab) -> None:
    proxy = lab.connect_proxy()
    pool.register("web", lab["web"].address, options=through(proxy.url))
    pool.wait("web", timeout=5)
    proxy.kill()
    pool.wait("web", tp.State.IDLE, timeout=5)
    pool.health_check()
    found = now(pool, "web")
    assert found.cause is Cause.PROXY_FAILS
    assert f"since then the proxy {proxy.address} refuses" in found.text
    assert "Start the proxy" in found.advice
    assert found.evidence[0].text == "READY to IDLE"


def test_a_module_that_the_proxy_does_not_get_to(pool: Pool, lab: Lab, tmp_path: Path) -> None:
    proxy, module = lab.connect_proxy(), lab.start("victim")
    pool.register("victim", module.address, options=through(proxy.url))
    pool.register("nobody", "no-such-module.invalid:50051", options=through(proxy.url))
    pool.wait("victim", timeout=5)
    module.kill()
    pool.wait("victim", tp.State.IDLE, timeout=5)
    pool.health_check()
    for name, address in {"victim": module.address, "nobody": "no-such-module.invalid:50051"}.items():
        found = now(pool, name)
        assert (found.cause, found.known) == (Cause.UNREACHABLE, Evidence.SEEN)
        assert f"{proxy.address} says that it does not get to {address} (status 502)" in found.text
    pool.save(tmp_path / "through.parquet")
    recorded = tp.open_recording(tmp_path / "through.parquet").explain("victim")
    assert "says that it does not get to" in recorded.findings[0].text
    proxy.kill()


def test_what_the_module_behind_the_proxy_does_is_told_of_the_module(pool: Pool, lab: Lab) -> None:
    proxy, old, secure = lab.connect_proxy(), lab.start("old", kind="http/1.1"), lab.start("secure", tls=True)
    assert secure.tls is not None
    cold = lab.start("cold")
    pool.register("old", old.address, options=through(proxy.url))
    pool.register("cold", cold.address, options=through(proxy.url))
    named = replace(secure.tls, server_name="api.example")
    pool.register("misnamed", secure.address, options=replace(through(proxy.url), tls=named))
    cold.freeze()
    pool.health_check()
    wanted = {
        "old": (Cause.NOT_HTTP2, old),
        "misnamed": (Cause.CERTIFICATE_NAME, secure),
        "cold": (Cause.HANDSHAKE_HANGS, cold),
    }
    for name, (cause, module) in wanted.items():
        found = now(pool, name)
        assert found.cause is cause
        assert f"{module.address}, behind the proxy {proxy.address}," in found.text
    cold.thaw()
    proxy.kill()


def test_who_of_the_two_hangs_up_nobody_says(pool: Pool, lab: Lab, serve: Callable[[Handler], str]) -> None:
    proxy = lab.connect_proxy()
    secure = lab["secure"] if "secure" in lab else lab.start("secure", tls=True)
    pool.register("grpc", lab["web"].address, options=through(lab["web"].address))  # a gRPC server is no proxy
    pool.register("shut", lab["web"].address, options=through(serve(hang_up)))
    pool.register("tls", secure.address, options=through(proxy.url))
    pool.health_check()
    for name in ("grpc", "shut", "tls"):
        found = now(pool, name)
        assert (found.cause, found.known) == (Cause.HANGS_UP, Evidence.INFERRED)
        assert "gRPC core does not say which of them" in found.text
        assert "CONNECT" in found.advice
    proxy.kill()
