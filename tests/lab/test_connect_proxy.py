"""A real CONNECT proxy in a process of its own, and a pool that reaches modules through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tinypool_nb as tp
from tinypool_nb.errors import AddressError, LabError, OptionsError, UnavailableError
from tinypool_nb.lab.connecting import ConnectProxy
from tinypool_nb.lab.modules import Module

NAME = "http-module-v1"
ADDRESS = f"{NAME}.tinysystems.svc.cluster.local:50051"
QUICK = tp.Backoff(initial=0.1, maximum=0.1)


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def module(lab: tp.Lab) -> Module:
    return lab.start(NAME)


@pytest.fixture
def proxy(lab: tp.Lab, module: Module) -> Iterator[ConnectProxy]:
    proxy = lab.connect_proxy(names={ADDRESS: module.address})
    yield proxy
    proxy.kill()


def reasons(pool: tp.Pool) -> set[str]:
    frame = pool.transitions()
    return set(frame.reason[frame.state == "TRANSIENT_FAILURE"])


@pytest.mark.usefixtures("module")
def test_a_name_that_only_a_cluster_knows_is_reached_and_every_view_tells_the_proxy(proxy: ConnectProxy, tmp_path: Path) -> None:
    with tp.Pool(tp.PoolOptions(proxy=proxy.url)) as pool:
        pool.register(NAME, ADDRESS)
        assert pool.send(NAME, to="node.port", payload=b"{}")
        assert proxy.requests == [(ADDRESS, 200)]
        told = f"plaintext through proxy {proxy.address}"
        assert list(pool.connections().transport) == [told]
        assert list(pool.connections().address) == [ADDRESS]
        assert told in pool._repr_mimebundle_()["text/html"]
        assert told in str(pool)
        assert told in str(pool.timeline().to_dict())
        assert set(pool.intervals().transport) == {told}
        pool.save(tmp_path / "through.parquet")
    recording = tp.open_recording(tmp_path / "through.parquet")
    assert set(recording.intervals().transport) == {told}


@pytest.mark.usefixtures("module")
def test_what_the_environment_names_is_not_heeded(proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", ".svc.cluster.local,127.0.0.1")  # gRPC core would dial past its own `grpc.http_proxy`
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with tp.Pool(tp.PoolOptions(proxy=proxy.url)) as pool:
        pool.register(NAME, ADDRESS)
        pool.wait(NAME, timeout=5)
    assert [request.address for request in proxy.requests] == [ADDRESS]


def test_a_module_of_its_own_way_beside_others(lab: tp.Lab, module: Module, proxy: ConnectProxy) -> None:
    with tp.Pool() as pool:
        pool.register("direct", module.address)
        pool.register(NAME, ADDRESS, options=tp.PoolOptions(proxy=proxy.address))
        pool.wait(NAME, timeout=5)
        pool.wait("direct", timeout=5)
        assert dict(zip(pool.connections().module, pool.connections().transport, strict=True)) == {
            "direct": "plaintext",
            NAME: f"plaintext through proxy {proxy.address}",
        }
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("code", "advice"), [(403, "lets nobody through"), (407, "asks who you are"), (502, "does not get there"), (503, "does not get there")]
)
def test_a_proxy_that_refuses_is_told_with_its_status(proxy: ConnectProxy, code: int, advice: str) -> None:
    proxy.refuse(code)
    with tp.Pool(tp.PoolOptions(proxy=proxy.url, backoff=QUICK)) as pool:
        pool.register(NAME, ADDRESS)
        with pytest.raises(UnavailableError, match=advice) as caught:
            pool.send(NAME)
        assert f"HTTP proxy returned response code {code}" in str(caught.value)
        assert any(f"{proxy.address}: HTTP proxy returned response code {code}" in reason for reason in reasons(pool))
        proxy.heal()
        pool.wait(NAME, timeout=5)
        marks = pool.marks()
        assert "lab: heal lab-proxy" in list(marks.text)


@pytest.mark.usefixtures("module")
def test_who_must_show_himself_does_and_nothing_tells_the_password(
    lab: tp.Lab, module: Module, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    proxy = lab.connect_proxy(names={ADDRESS: module.address}, user="ada", password="s3cr:et@x")
    url = f"http://ada:s3cr%3Aet%40x@{proxy.address}"
    with tp.Pool(tp.PoolOptions(proxy=url, backoff=QUICK)) as pool:
        pool.register(NAME, ADDRESS)
        assert pool.send(NAME)
        pool.register("locked-out", ADDRESS, options=tp.PoolOptions(proxy=proxy.url, backoff=QUICK))
        with pytest.raises(UnavailableError, match="asks who you are"):
            pool.send("locked-out")
        pool.register("mistaken", ADDRESS, options=tp.PoolOptions(proxy=url.replace("s3cr", "wrong"), backoff=QUICK))
        with pytest.raises(UnavailableError, match="407") as caught:
            pool.send("mistaken")
        pool.save(tmp_path / "secret.parquet")
        frames = (pool.connections(), pool.transitions(), pool.marks(), pool.calls(), pool.subchannels(), pool.sockets())
        shown = [frame.to_csv() for frame in frames]
        shown += [repr(pool), repr(pool.options), str(pool), str(pool._repr_mimebundle_()), str(caught.value), str(pool.describe())]
        shown += [caplog.text, *capfd.readouterr(), str(pool.timeline().to_dict())]
        for secret in ("s3cr", "YWRhOn", "ada:"):
            assert secret.encode() not in (tmp_path / "secret.parquet").read_bytes()
            assert not [text for text in shown if secret in text]
    proxy.kill()


@pytest.mark.usefixtures("module")
def test_a_proxy_that_goes_away_and_comes_back(proxy: ConnectProxy) -> None:
    with tp.Pool(tp.PoolOptions(proxy=proxy.url, backoff=QUICK)) as pool:
        pool.register(NAME, ADDRESS)
        pool.wait(NAME, timeout=5)
        proxy.kill()
        pool.wait(NAME, "IDLE", timeout=5)
        with pytest.raises(UnavailableError, match="refused"):
            pool.send(NAME)
        proxy.restart()
        assert pool.send(NAME, wait_for_ready=True)
        texts = list(pool.marks().text)
        assert texts[-2:] == ["lab: kill lab-proxy", "lab: restart lab-proxy"]


def test_another_address_through_the_proxy(lab: tp.Lab, module: Module) -> None:
    other = lab.start("other")
    there = "other.tinysystems.svc:50051"
    proxy = lab.connect_proxy(names={ADDRESS: module.address, there: other.address})
    with tp.Pool(tp.PoolOptions(proxy=proxy.url)) as pool:
        pool.register(NAME, ADDRESS)
        channel = pool[NAME]
        pool.wait(NAME, timeout=5)
        pool.register(NAME, there)
        pool.wait(NAME, timeout=5)
        assert pool[NAME] is channel
    assert [request.address for request in proxy.requests] == [ADDRESS, there]
    proxy.kill()
    other.remove()


def test_tls_looks_for_the_module_s_name_not_for_the_proxy_s(lab: tp.Lab) -> None:
    secure = lab.start("secure", tls=True)
    proxy = lab.connect_proxy(names={"localhost:50051": secure.address, "elsewhere:50051": secure.address})
    options = tp.PoolOptions(proxy=proxy.url, tls=secure.tls, backoff=QUICK)
    with tp.Pool(options) as pool:
        pool.register("secure", "localhost:50051")
        pool.wait("secure", timeout=5)
        assert list(pool.connections().transport) == [f"TLS through proxy {proxy.address}"]
        pool.register("misnamed", "elsewhere:50051")
        with pytest.raises(UnavailableError, match="securely"):
            pool.send("misnamed")
    proxy.kill()
    secure.remove()


@pytest.mark.usefixtures("module")
def test_what_no_proxy_leads_to_is_refused_at_the_door(proxy: ConnectProxy) -> None:
    with tp.Pool(tp.PoolOptions(proxy=proxy.url)) as pool:
        for address, rule in (
            ("unix:/run/module.sock", "no Unix socket"),
            ("ipv4:10.0.0.1:50051,10.0.0.2:50051", "one host and port"),
            ("dns://127.0.0.1:53/http-module-v1:50051", "the proxy looks names up"),
        ):
            with pytest.raises(AddressError, match=rule):
                pool.register(NAME, address)
        assert len(pool) == 0


def test_the_lab_s_proxy_itself(lab: tp.Lab, proxy: ConnectProxy) -> None:
    with pytest.raises(OptionsError, match="code"):
        proxy.refuse(200)
    with pytest.raises(OptionsError, match="names"):
        lab.connect_proxy(names={"a": 1})  # type: ignore[dict-item]
    with pytest.raises(OptionsError, match="user"):
        lab.connect_proxy(user="ada")
    proxy.freeze()
    with pytest.raises(LabError, match="thaw"):
        proxy.refuse()
    proxy.thaw()
    assert proxy.requests == []
    assert repr(proxy).startswith("<ConnectProxy lab-proxy: serving at 127.0.0.1:")
