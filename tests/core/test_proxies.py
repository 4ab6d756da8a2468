"""How a proxy is written, and that what is secret about it is told nowhere."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.proxies import Proxy, parse_proxy
from tinypool_nb.core.registration import Registration
from tinypool_nb.core.spelling import register_line
from tinypool_nb.errors import OptionsError

SECRET = "http://ada:s3cret@proxy.example:3128"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:3128", "127.0.0.1:3128"),
        ("http://127.0.0.1:3128", "127.0.0.1:3128"),
        ("HTTP://proxy.example:8080/", "proxy.example:8080"),
        ("[::1]:3128", "[::1]:3128"),
        (SECRET, "proxy.example:3128"),
        ("ada:s3cret@proxy.example:3128", "proxy.example:3128"),
    ],
)
def test_forms(text: str, place: str) -> None:
    assert str(parse_proxy(text)) == place
    assert parse_proxy(parse_proxy(text)) == parse_proxy(text)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "it is empty|host"),
        ("proxy.example", "it has no port"),
        ("proxy.example:0", "from 1 to 65535"),
        ("https://127.0.0.1:3128", "plain text"),
        ("socks5://127.0.0.1:1080", "plain text"),
        ("http://127.0.0.1:3128/path", "a host and a port"),
        ("http://ada@127.0.0.1:3128", "a user and a password"),
        ("http://:s3cret@127.0.0.1:3128", "a user and a password"),
        ("http://a%3Ada:s3cret@127.0.0.1:3128", "a user and a password"),
        ("http://ada:s3cret@127.0.0.1", "a host and a port"),
        ("http://ada:s3cret@\n127.0.0.1:1", "printable"),
        (7, "a str such as"),
        (b"127.0.0.1:3128", "a str such as"),
    ],
)
def test_refused_at_the_door_without_a_word_of_the_secret(value: object, rule: str) -> None:
    with pytest.raises(OptionsError, match=rule) as caught:
        PoolOptions(proxy=value)  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value.value)


@given(user=st.text(min_size=1), password=st.text(min_size=5))
def test_any_user_and_password_arrive_and_neither_is_shown(user: str, password: str) -> None:
    user, password = (text.encode(errors="replace").decode() for text in (user.replace(":", ""), password))
    escaped = ["".join(f"%{byte:02x}" for byte in text.encode()) for text in (user or "a", password)]
    proxy = parse_proxy(f"http://{':'.join(escaped)}@127.0.0.1:3128")
    assert base64.b64decode(proxy.authorization.removeprefix("Basic ")).decode() == f"{user or 'a'}:{password}"
    assert repr(proxy) == "Proxy('127.0.0.1:3128', with credentials)"


def test_settings_with_a_proxy_tell_where_it_is_and_no_more() -> None:
    options = PoolOptions(proxy=SECRET)
    assert isinstance(options.proxy, Proxy)
    assert replace(options, drain=1.0).proxy == options.proxy
    assert options != PoolOptions(proxy=SECRET.replace("s3cret", "another"))
    assert options.as_dict()["proxy"] == "proxy.example:3128"
    assert PoolOptions().as_dict()["proxy"] is None
    registration = Registration("http-module-v1", "http-module-v1:50051", options=options)
    assert register_line(registration, options).endswith("options=tp.PoolOptions(proxy=pool.options.proxy))")
    assert register_line(registration).endswith('options=tp.PoolOptions(proxy="http://...@proxy.example:3128"))')
    plain = Registration("http-module-v1", "http-module-v1:50051", options=PoolOptions(proxy="http://127.0.0.1:3128"))
    assert register_line(plain).endswith('options=tp.PoolOptions(proxy="127.0.0.1:3128"))')
    for told in (repr(options), str(options), str(options.as_dict()), options.transport_text):
        assert "s3cret" not in told
        assert "YWRh" not in told
