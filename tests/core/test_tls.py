"""How a connection is secured: what is refused at the door, and that no content of a key or certificate is ever told."""

import copy
import json
import pprint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.lib.pretty import pretty

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.decisions import Register, Table, decide
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.tls import Tls, Transport
from tinypool_nb.errors import OptionsError

SECRET = "MHcCAQEEIsecretsecretsecretsecret"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----\n".encode()
KEY = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----\n".encode()
KEYS = [KEY, KEY.replace(b"EC ", b""), KEY.replace(b"EC", b"RSA")]
ENCRYPTED = [KEY.replace(b"EC ", b"ENCRYPTED "), KEY.replace(b"\n", b"\nProc-Type: 4,ENCRYPTED\n", 1)]


class PathOfBytes:
    def __fspath__(self) -> bytes:
        return SECRET.encode()


def test_what_it_takes_and_how_it_is_called() -> None:
    assert Tls().transport is Transport.TLS
    assert Tls(certificate=CERTIFICATE, key=KEY).transport is Transport.MUTUAL_TLS
    assert [str(options.transport) for options in (PoolOptions(), PoolOptions(tls=Tls()))] == ["plaintext", "TLS"]
    assert str(PoolOptions(tls=Tls(certificate="c.pem", key="k.pem")).transport) == "mutual TLS"


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_key_that_grpc_reads(key: bytes) -> None:
    assert Tls(certificate=CERTIFICATE, key=key).key == key
    assert Tls(certificate=key + CERTIFICATE, key=key + CERTIFICATE).transport is Transport.MUTUAL_TLS  # both in one file


def test_a_path_is_a_path_however_it_is_spelt(tmp_path: Path) -> None:
    assert Tls(roots=tmp_path / "ca.pem") == Tls(roots=str(tmp_path / "ca.pem"))
    assert hash(Tls(roots=Path("ca.pem"))) == hash(Tls(roots="ca.pem"))


def test_its_repr_names_paths_and_no_contents() -> None:
    assert repr(Tls()) == "Tls()"
    tls = Tls(roots=Path("ca.pem"), certificate=CERTIFICATE, key=KEY, server_name="other.example")
    assert repr(tls) == (
        f"Tls(roots='ca.pem', certificate=<{len(CERTIFICATE)} bytes, not shown>, key=<{len(KEY)} bytes, not shown>, "
        "server_name='other.example')"
    )


@pytest.mark.parametrize("tell", [repr, str, pprint.pformat, pretty, lambda value: f"{value}", lambda value: json.dumps(value.as_dict())])
@pytest.mark.parametrize("wrap", [lambda tls: tls, lambda tls: PoolOptions(tls=tls)])
def test_nothing_tells_a_content(tell: Any, wrap: Any) -> None:
    told = tell(wrap(Tls(roots=CERTIFICATE, certificate=CERTIFICATE, key=KEY)))
    assert "secret" not in told
    assert "BEGIN" not in told


def test_a_recording_holds_where_it_came_from() -> None:
    assert PoolOptions(tls=Tls(roots="/some/where/ca.pem", certificate=CERTIFICATE, key=KEY, server_name="x")).as_dict()["tls"] == {
        "roots": "file",
        "certificate": "bytes",
        "key": "bytes",
        "server_name": "x",
    }
    assert PoolOptions(tls=Tls()).as_dict()["tls"] == {"roots": "system", "certificate": None, "key": None, "server_name": None}


BAD: list[dict[str, Any]] = [
    *(
        {"roots": value}
        for value in (b"", b"\x30\x82secret", KEY, KEY.decode(), CERTIFICATE.decode(), "", "secret\nsecret", "secret\0", 1, [KEY], True)
    ),
    {"roots": bytearray(CERTIFICATE)},
    {"roots": PathOfBytes()},
    *({"certificate": value, "key": KEY} for value in (KEY, "-----BEGIN secret", {"pem": KEY})),
    *({"certificate": CERTIFICATE, "key": value} for value in (CERTIFICATE, b"secret", KEY.decode(), *ENCRYPTED)),
    {"certificate": CERTIFICATE},
    {"key": KEY},
    *({"server_name": value} for value in ("", "host:443", "a b", "*.example", "é.example", "a" * 254, "-a", 1, b"x", KEY.decode())),
]


@pytest.mark.parametrize("settings", BAD)
def test_what_cannot_be_honoured_is_refused_and_no_content_told(settings: dict[str, Any]) -> None:
    with pytest.raises(OptionsError) as refused:
        Tls(**settings)
    setting = refused.value.option.removeprefix("Tls.")
    assert refused.value.option.startswith("Tls.")
    assert setting in {"roots", "certificate", "key", "server_name"}
    assert refused.value.rule in str(refused.value)
    told = f"{refused.value} {refused.value!r} {refused.value.value!r} {refused.value.args}"
    assert "secret" not in told
    assert refused.value.__cause__ is refused.value.__context__ is None


@pytest.mark.parametrize("value", [KEY, KEY.decode(), [KEY], True, "ca.pem"])
def test_pool_options_take_a_tls_and_nothing_else(value: Any) -> None:
    with pytest.raises(OptionsError, match=r"^tls=.* was refused: a tp.Tls, or None for plaintext$") as refused:
        PoolOptions(tls=value)
    assert "secret" not in str(refused.value)


@given(st.text() | st.binary(), st.sampled_from(["roots", "certificate", "key"]))
def test_whatever_is_given_is_held_or_refused_in_words(value: str | bytes, setting: str) -> None:
    given: dict[str, Any] = {"certificate": CERTIFICATE, "key": KEY, setting: value}
    try:
        tls = Tls(**given)
    except OptionsError as refused:
        assert refused.option == f"Tls.{setting}"  # noqa: PT017 - either may happen
    else:
        assert getattr(tls, setting) == value


def test_changed_contents_are_a_change_of_options() -> None:
    key, address = ModuleKey(None, "http-module-v1"), parse_address("127.0.0.1:50051")
    options = PoolOptions(tls=Tls(roots=CERTIFICATE))
    table, _ = decide(Table(), Register(key, address, options))
    _, same = decide(table, Register(key, address, copy.deepcopy(options)))
    _, other = decide(table, Register(key, address, PoolOptions(tls=Tls(roots=CERTIFICATE + b"\n"))))
    _, plaintext = decide(table, Register(key, address, PoolOptions()))
    assert [[type(action).__name__ for action in actions] for actions in (same, other, plaintext)] == [
        ["Tell"],
        ["Open", "Tell"],
        ["Open", "Tell"],
    ]


def test_several_endpoints_need_a_name() -> None:
    """gRPC core takes the whole list for the name: no certificate could ever have it."""
    key, address = ModuleKey(None, "http-module-v1"), parse_address("ipv4:10.0.0.1:50051,10.0.0.2:50051")
    with pytest.raises(OptionsError, match=r"Tls.server_name=None was refused: 'ipv4:10.0.0.1:50051,10.0.0.2:50051' lists several"):
        decide(Table(), Register(key, address, PoolOptions(tls=Tls())))
    assert decide(Table(), Register(key, address, PoolOptions(tls=Tls(server_name="x"))))
