"""What is typed into the form: each rule stands beside its field, and the line of Python does the same as the form."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinypool_nb as tp
from tinypool_nb.core.keys import ModuleKey, parse_key
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.registration import Field, Registration, check, place_of, rule_of, texts_of
from tinypool_nb.core.spelling import quoted, register_line, verb_line
from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import OptionsError, PoolClosedError

POOL = PoolOptions()
GOOD: dict[str, object] = {"name": "http-module-v1", "address": "127.0.0.1:50051"}
PEM = b"-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----"


def untouched(pool: PoolOptions) -> dict[str, object]:
    return {str(field): text for field, text in texts_of(pool).items()}


def typed(**more: object) -> dict[str, object]:
    return {**GOOD, **untouched(POOL), **more}


def test_a_form_that_nobody_touched_means_the_pool_s_settings() -> None:
    assert check(typed(), POOL) == (Registration("http-module-v1", "127.0.0.1:50051"), {})
    assert check(GOOD, POOL) == check(typed(), POOL)
    odd = PoolOptions(keepalive=Keepalive(time=1 / 3), tls=Tls(roots=PEM))
    assert check({**GOOD, **untouched(odd)}, odd) == (Registration("http-module-v1", "127.0.0.1:50051"), {})


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        (Field.NAME, "", "at least one character"),
        (Field.NAME, " http", "no blank at its ends"),
        (Field.NAME, "a/b", "separates the namespace"),
        (Field.NAMESPACE, "a/b", "a namespace holds no '/'"),
        (Field.ADDRESS, "", "it is empty; write 'host:port'"),
        (Field.ADDRESS, "127.0.0.1", "it has no port"),
        (Field.ADDRESS, "127.0.0.1:99999", "from 1 to 65535"),
        (Field.ADDRESS, "nats://tinymodule.http.msg", "not gRPC"),
        (Field.KEEPALIVE_TIME, "soon", "a number of seconds, such as 2.5"),
        (Field.KEEPALIVE_TIME, "0", "from 0.1"),
        (Field.KEEPALIVE_TIMEOUT, "nan", "from 0.05"),
        (Field.WITHOUT_CALLS, "yes", "True or False"),
        (Field.BACKOFF_INITIAL, "-1", "from 0.1"),
        (Field.BACKOFF_MAXIMUM, "0.5", "at least Backoff.initial"),
        (Field.MIN_CONNECT_TIMEOUT, "inf", "from 0.1"),
        (Field.LOAD_BALANCING, "random", "one of pick_first, round_robin"),
        (Field.SECURITY, "none", "one of pool, plaintext, tls"),
    ],
)
def test_each_error_stands_at_its_field(field: Field, text: str, words: str) -> None:
    registration, errors = check(typed(**{field: text}), POOL)
    assert registration is None
    assert list(errors) == [field]
    assert words in errors[field]


def test_all_fields_are_judged_at_once() -> None:
    _, errors = check({"name": "", "address": "", Field.KEEPALIVE_TIME: "x", Field.BACKOFF_MAXIMUM: "y"}, POOL)
    assert set(errors) == {Field.NAME, Field.ADDRESS, Field.KEEPALIVE_TIME, Field.BACKOFF_MAXIMUM}


def test_tls_is_by_the_files_that_are_named() -> None:
    registration, _ = check(typed(security="tls", tls_roots="ca.pem", tls_server_name="http"), POOL)
    assert registration is not None
    assert registration.options == PoolOptions(tls=Tls(roots="ca.pem", server_name="http"))
    assert check(typed(security="tls", tls_certificate="a.pem"), POOL)[1] == {Field.TLS_KEY: "it is given together with Tls.certificate"}
    assert list(check(typed(security="tls", tls_server_name="a:1"), POOL)[1]) == [Field.TLS_SERVER_NAME]
    assert check(typed(tls_server_name="a:1"), POOL)[1] == {}  # of fields that are not shown nothing is asked
    secure = PoolOptions(tls=Tls())
    plain, _ = check(typed(security="plaintext"), secure)
    assert plain is not None
    assert plain.options == POOL


texts = st.text("a:/1.- '\"\\<\x00\u202e\ud800", max_size=20)


@given(st.dictionaries(st.sampled_from([*Field, "other"]), st.none() | st.booleans() | st.integers() | texts | st.lists(texts)))
def test_whatever_a_browser_sends_is_judged(sent: dict[str, object]) -> None:
    registration, errors = check(sent, POOL)
    assert (registration is None) == bool(errors)


def test_an_error_of_the_pool_has_its_place_too() -> None:
    assert place_of(OptionsError("Tls.key", "key.pem", "a file that can be read")) is Field.TLS_KEY
    assert place_of(OptionsError("history", 1, "more")) is None
    closed = PoolClosedError("register")
    assert place_of(closed) is None
    assert rule_of(closed) == str(closed)


def said_by(line: str, pool_options: PoolOptions = POOL) -> Registration:
    """What the line registers if it is run in a cell."""
    heard: list[Registration] = []

    def register(name: str, address: str, *, namespace: str | None = None, options: PoolOptions | None = None) -> None:
        heard.append(Registration(name, address, namespace, options))

    eval(line, {"tp": tp, "pool": SimpleNamespace(register=register, options=pool_options)})  # noqa: S307 a line of ours
    return heard[0]


seconds = st.floats(0.1, 1_000)


def _is_name(text: str) -> bool:
    try:
        parse_key(text)
    except tp.ModuleNameError:
        return False
    return True


names = st.text(min_size=1, max_size=40).filter(_is_name)


@st.composite
def registrations(draw: Any) -> Registration:
    path = st.none() | st.from_regex(r"[a-z '\"/\\]{1,20}\.pem", fullmatch=True)
    certificate = draw(path)
    tls = Tls(roots=draw(path), certificate=certificate, key=None if certificate is None else "key.pem")
    options = PoolOptions(
        keepalive=Keepalive(time=draw(seconds), timeout=draw(seconds), without_calls=draw(st.booleans())),
        backoff=Backoff(initial=draw(seconds), maximum=2_000, min_connect_timeout=draw(seconds)),
        load_balancing=draw(st.sampled_from(["pick_first", "round_robin"])),
        tls=draw(st.none() | st.just(tls)),
    )
    return Registration(draw(names), "127.0.0.1:50051", draw(st.none() | names), draw(st.none() | st.just(options)))


@given(registrations())
def test_the_line_does_what_the_form_does(registration: Registration) -> None:
    line = register_line(registration, POOL)
    assert said_by(line) == registration
    assert "\n" not in line


@given(st.text())
def test_a_literal_is_the_text(text: str) -> None:
    assert eval(quoted(text)) == text  # noqa: S307 a literal of ours


def test_only_what_differs_is_spelled() -> None:
    options = PoolOptions(keepalive=Keepalive(time=5), tls=Tls(roots="ca.pem"))
    assert register_line(Registration("a", "b:1", "ns", options)) == (
        'pool.register("a", "b:1", namespace="ns", options=tp.PoolOptions(keepalive=tp.Keepalive(time=5), tls=tp.Tls(roots="ca.pem")))'
    )
    assert verb_line("unregister", ModuleKey("ns", 'a"b')) == "pool.unregister('ns/a\"b')"


def test_no_line_shows_a_secret_and_the_pool_s_own_tls_is_still_meant() -> None:
    secure = PoolOptions(tls=Tls(roots=PEM))
    registration, _ = check({**GOOD, Field.LOAD_BALANCING: "round_robin"}, secure)
    assert registration is not None
    line = register_line(registration, secure)
    assert line.endswith('options=tp.PoolOptions(load_balancing="round_robin", tls=pool.options.tls))')
    assert said_by(line, secure) == registration
    assert "secret" not in register_line(registration)
