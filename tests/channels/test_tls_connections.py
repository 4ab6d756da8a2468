"""TLS against real servers: what is good connects, and each thing that is bad fails with its own reason, in gRPC core's words."""

import dataclasses
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinypool_nb as tp
from tinypool_nb.channels.credentials import ROOTS, channel_credentials
from tinypool_nb.lab import Lab, Module, TlsMode
from tinypool_nb.lab.certificates import OTHER_NAME, Certificates
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

HTTP = "http-module-v1"
CUT = r"(Socket closed|Connection reset by peer|Broken pipe)"
"""How core tells that the peer hung up: which of them is a matter of timing."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        for mode in TlsMode:
            lab.start(mode, tls=mode)
        lab.start("plaintext")
        yield lab


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.1, maximum=0.1))) as pool:
        yield pool


def tls_of(module: Module) -> tp.Tls:
    assert module.tls is not None
    return module.tls


def roots_of(module: Module) -> bytes:
    roots = tls_of(module).roots
    assert isinstance(roots, bytes)
    return roots


def contents(tls: tp.Tls) -> tuple[bytes, bytes, bytes]:
    assert isinstance(tls.roots, bytes)
    assert isinstance(tls.certificate, bytes)
    assert isinstance(tls.key, bytes)
    return tls.roots, tls.certificate, tls.key


def register(pool: tp.Pool, address: str, tls: tp.Tls | None, name: str = HTTP) -> None:
    pool.register(name, address, options=dataclasses.replace(pool.options, tls=tls))


def connects(pool: tp.Pool, name: str = HTTP) -> bool:
    pool.wait(name, timeout=10)
    assert ModuleServiceStub(pool[name]).Message(MessageRequest(), timeout=5).Data
    return True


def reason_of_failure(pool: tp.Pool, name: str = HTTP) -> str:
    """Why it cannot connect, the same in the error of a wait and in the record."""
    pool.health_check()  # which asks it to connect
    pool.wait(name, tp.State.TRANSIENT_FAILURE, timeout=10)
    with pytest.raises(tp.WaitTimeoutError) as late:
        pool.wait(name, timeout=0.05)
    assert late.value.state == tp.State.TRANSIENT_FAILURE
    assert late.value.reason in str(late.value)
    recorded = pool.transitions()
    recorded = recorded[(recorded["module"] == name) & (recorded["state"] == tp.State.TRANSIENT_FAILURE)]
    assert late.value.reason in set(recorded["reason"])
    assert (pool.transitions()["state"] != tp.State.READY).all(), "a channel that cannot be trusted is never READY, not for a moment"
    return late.value.reason


# What is good


def test_an_own_authority_from_bytes_and_from_a_file(pool: tp.Pool, lab: Lab, tmp_path: Path) -> None:
    module = lab["server"]
    roots = roots_of(module)
    (tmp_path / "ca.pem").write_bytes(b"# Our authority, \xc3\xa4ltere Ausgabe\n" + roots)
    for name, tls in {
        "bytes": tp.Tls(roots=roots),
        "path": tp.Tls(roots=tmp_path / "ca.pem"),
        "str": tp.Tls(roots=str(tmp_path / "ca.pem")),
    }.items():
        register(pool, module.address, tls, name)
        assert connects(pool, name)
    assert set(pool.connections()["transport"]) == {"TLS"}


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "localhost:{}", "dns:///localhost:{}", "ipv4:127.0.0.1:{}"])
def test_the_tag_in_the_target_is_no_part_of_the_name(pool: tp.Pool, lab: Lab, form: str) -> None:
    register(pool, form.format(lab["server"].port), lab["server"].tls)
    assert connects(pool)


def test_mutual_tls_from_bytes_and_from_files(pool: tp.Pool, lab: Lab, tmp_path: Path) -> None:
    module = lab["mutual"]
    paths = [tmp_path / name for name in ("ca.pem", "client.pem", "key.pem")]
    for path, content in zip(paths, contents(tls_of(module)), strict=True):
        path.write_bytes(content)
    register(pool, module.address, module.tls, "bytes")
    register(pool, module.address, tp.Tls(roots=paths[0], certificate=paths[1], key=paths[2]), "files")
    assert connects(pool, "bytes")
    assert connects(pool, "files")
    assert set(pool.connections()["transport"]) == {"mutual TLS"}


def test_a_server_name_makes_a_certificate_for_another_name_good(pool: tp.Pool, lab: Lab) -> None:
    module = lab["other name"]
    register(pool, module.address, dataclasses.replace(tls_of(module), server_name=OTHER_NAME))
    assert connects(pool)


def test_several_endpoints_have_one_name(pool: tp.Pool, lab: Lab) -> None:
    module = lab.start("replicated", replicas=2, tls=True)
    pool.register(HTTP, module.address, options=tp.PoolOptions(tls=module.tls, load_balancing="round_robin"))
    assert connects(pool)
    answers = [ModuleServiceStub(pool[HTTP]).Message(MessageRequest(), timeout=5).Data for _ in range(4)]
    assert {json.loads(answer)["replica"] for answer in answers} == {0, 1}
    with pytest.raises(tp.OptionsError, match=r"Tls.server_name=None .* lists several endpoints"):
        register(pool, module.address, tp.Tls(), "without a name")
    assert list(pool) == [HTTP]


def test_options_by_module_and_of_the_pool(lab: Lab) -> None:
    with tp.Pool(tp.PoolOptions(tls=lab["server"].tls)) as pool:
        pool.register("secure", lab["server"].address)
        pool.register("open", lab["plaintext"].address, options=tp.PoolOptions())
        assert connects(pool, "secure")
        assert connects(pool, "open")
        transports = pool.connections().set_index("module")["transport"]
        assert transports.to_dict() == {"secure": "TLS", "open": "plaintext"}
        intervals = pool.intervals()
        assert set(zip(intervals["module"], intervals["transport"], strict=True)) == {("secure", "TLS"), ("open", "plaintext")}


# What is bad: FAULTS 10, 11 and 12


BAD = {
    "expired": "CERTIFICATE_VERIFY_FAILED: certificate has expired",
    "other CA": "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
    "other name": "Hostname Verification Check failed",
}


@pytest.mark.parametrize("mode", BAD)
def test_bad_certificates_fail_for_three_different_reasons(pool: tp.Pool, lab: Lab, mode: str) -> None:
    register(pool, lab[mode].address, lab[mode].tls)
    reason = reason_of_failure(pool)
    assert [bad for bad, words in BAD.items() if words in reason] == [mode]


def test_the_system_s_roots_do_not_know_the_lab_s_authority(pool: tp.Pool, lab: Lab) -> None:
    register(pool, lab["server"].address, tp.Tls())
    assert "unable to get local issuer certificate" in reason_of_failure(pool)


@pytest.mark.parametrize("client", ["none", "of another authority"])
def test_a_server_that_asks_for_a_certificate_hangs_up(pool: tp.Pool, lab: Lab, client: str) -> None:
    """By TLS 1.3 the client is done before the server has judged it: all that core learns is that the peer hung up."""
    roots, *_ = contents(tls_of(lab["mutual"]))
    stranger = Certificates().client(TlsMode.MUTUAL, server_name=None)
    tls = tp.Tls(roots=roots) if client == "none" else dataclasses.replace(stranger, roots=roots)
    register(pool, lab["mutual"].address, tls)
    assert re.search(CUT, reason_of_failure(pool))


def test_a_tls_client_at_a_plaintext_server(pool: tp.Pool, lab: Lab) -> None:
    register(pool, lab["plaintext"].address, lab["server"].tls)
    assert "WRONG_VERSION_NUMBER" in reason_of_failure(pool)


def test_a_plaintext_client_at_a_tls_server(pool: tp.Pool, lab: Lab) -> None:
    register(pool, lab["server"].address, None)
    assert re.search(CUT, reason_of_failure(pool))


def test_a_key_of_another_certificate(pool: tp.Pool, lab: Lab) -> None:
    """Nobody but core compares them, and this is all that it says."""
    stranger = Certificates().client(TlsMode.MUTUAL, server_name=None)
    register(pool, lab["mutual"].address, dataclasses.replace(tls_of(lab["mutual"]), key=stranger.key))
    assert "Failed to create security handshaker" in reason_of_failure(pool)


# Files


def test_a_renewed_file_is_taken_at_the_next_reconnect(pool: tp.Pool, lab: Lab, tmp_path: Path) -> None:
    with Lab() as other_lab:
        stranger = other_lab.start("stranger", tls=True)
        file = tmp_path / "ca.pem"
        file.write_bytes(roots_of(lab["server"]))
        register(pool, stranger.address, tp.Tls(roots=file))
        assert "local issuer" in reason_of_failure(pool)
        file.write_bytes(roots_of(stranger))
        pool.reconnect(HTTP)
        assert connects(pool)


UNUSABLE: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "No such file or directory"),
    "empty": (b"", "PEM with"),
    "no PEM": (b"\x30\x82secret", "PEM with"),
}


@pytest.mark.parametrize("setting", ["roots", "certificate", "key"])
@pytest.mark.parametrize("what", UNUSABLE)
def test_a_file_that_cannot_be_used_is_told_and_nothing_is_half_done(
    pool: tp.Pool, lab: Lab, tmp_path: Path, setting: str, what: str
) -> None:
    module = lab["mutual"]
    paths = {name: tmp_path / f"{name}.pem" for name in ("roots", "certificate", "key")}
    for path, held in zip(paths.values(), contents(tls_of(module)), strict=True):
        path.write_bytes(held)
    tls = tp.Tls(roots=paths["roots"], certificate=paths["certificate"], key=paths["key"])
    register(pool, module.address, tls)
    assert connects(pool)
    content, words = UNUSABLE[what]
    bad = paths[setting]
    bad.unlink()
    if content is not None:
        bad.write_bytes(content)
    before = pool.transitions()
    told = rf"^Tls.{setting}='.*{setting}.pem' was refused: .*{words}"
    for use in (
        lambda: tp.Pool(tp.PoolOptions(tls=tls)),
        lambda: register(pool, module.address, tls, "new"),
        lambda: register(pool, lab["server"].address, tls),
        lambda: pool.reconnect(HTTP),
    ):
        with pytest.raises(tp.OptionsError, match=told) as refused:
            use()
        assert "secret" not in str(refused.value)
    assert list(pool) == [HTTP]
    assert pool.transitions().equals(before)
    assert pool.options_of(tp.ModuleKey(None, HTTP)).tls == tls
    assert connects(pool), "over the old channel"
    assert len(pool.marks()) == 1


def test_certificates_that_are_damaged_are_told(lab: Lab, tmp_path: Path) -> None:
    roots, certificate, key = contents(tls_of(lab["mutual"]))
    with pytest.raises(tp.OptionsError, match=r"^Tls.roots=<300 bytes, not shown> was refused: .*damaged$"):
        tp.Pool(tp.PoolOptions(tls=tp.Tls(roots=roots[:300])))
    (tmp_path / "client.pem").write_bytes(certificate.replace(b"MII", b"!!!"))
    with pytest.raises(tp.OptionsError, match=r"^Tls.certificate='.*client.pem' was refused: .*damaged$"):
        channel_credentials(tp.Tls(certificate=tmp_path / "client.pem", key=key))


# The system's roots

SYSTEM = """
import sys
import tinypool_nb as tp
with tp.Pool(tp.PoolOptions(tls=tp.Tls())) as pool:
    pool.register("m", sys.argv[1])
    try:
        pool.wait("m", timeout=3)
        print("READY")
    except tp.WaitTimeoutError as late:
        print(late.reason)
"""


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SSL_CERT_FILE": "ca.pem"}, "READY"),
        ({ROOTS: "ca.pem"}, "READY"),
        ({ROOTS: "ca.pem", "SSL_CERT_FILE": "other.pem"}, "READY"),
        pytest.param({ROOTS: "other.pem", "SSL_CERT_FILE": "ca.pem"}, "unable to get local issuer", marks=pytest.mark.slow),
        pytest.param({"SSL_CERT_FILE": "nowhere.pem"}, "unable to get local issuer", marks=pytest.mark.slow),
        ({}, "unable to get local issuer"),
    ],
)
def test_the_system_s_roots_are_those_of_the_environment(lab: Lab, tmp_path: Path, variables: dict[str, str], words: str) -> None:
    (tmp_path / "ca.pem").write_bytes(roots_of(lab["server"]))
    (tmp_path / "other.pem").write_bytes(contents(Certificates().client(TlsMode.MUTUAL, server_name=None))[0])
    environment = {name: value for name, value in os.environ.items() if name not in {ROOTS, "SSL_CERT_FILE", "SSL_CERT_DIR"}}
    environment |= {name: str(tmp_path / file) for name, file in variables.items()}
    done = subprocess.run(
        [sys.executable, "-c", SYSTEM, lab["server"].address], env=environment, capture_output=True, text=True, check=True
    )
    assert words in done.stdout


# Nothing secret is told


def test_no_view_no_log_and_no_recording_holds_a_secret(lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    module = lab["mutual"]
    roots, certificate, key = contents(tls_of(module))
    with tp.Pool(tp.PoolOptions(tls=module.tls)) as pool:
        pool.register("good", module.address)
        pool.register("own", module.address, options=tp.PoolOptions(tls=module.tls, drain=1.0))
        pool.register("bad", lab["other CA"].address)
        assert connects(pool, "good")
        assert connects(pool, "own")
        pool.health_check()
        pool.wait("bad", "TRANSIENT_FAILURE", timeout=10)
        pool.debug()
        pool.save(tmp_path / "incident.parquet")
        told = [
            repr(pool),
            str(pool),
            repr(pool.options),
            json.dumps(pool.describe()),
            str(pool._repr_mimebundle_()),
            pool.transitions().to_csv(),
            pool.marks().to_csv(),
            pool.timeline().to_json() or "",
            repr(pool["good"]),
            caplog.text,
            str([record.__dict__ for record in caplog.records]),
        ]
    details = tp.open_recording(tmp_path / "incident.parquet").details
    own = {"roots": "bytes", "certificate": "bytes", "key": "bytes", "server_name": None}
    assert details["options"]["tls"] == own == details["module_options"]["own"]["tls"]
    stored = (tmp_path / "incident.parquet").read_bytes()
    for pem in (roots, certificate, key):
        middle = pem.splitlines()[2][:30]
        assert middle not in stored
        assert not any(middle.decode() in text for text in told)
    assert b"PRIVATE" not in stored
    assert not any("PRIVATE" in text or "BEGIN" in text for text in told)


def test_a_recording_tells_the_transport(lab: Lab, tmp_path: Path) -> None:
    with tp.Pool() as pool:
        register(pool, lab["server"].address, lab["server"].tls, "secure")
        register(pool, lab["plaintext"].address, None, "open")
        pool.save(tmp_path / "r.parquet")
    record = tp.open_recording(tmp_path / "r.parquet")
    assert record.connections().set_index("module")["transport"].to_dict() == {"secure": "TLS", "open": "plaintext"}
