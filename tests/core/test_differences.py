"""What settings say that the defaults do not, also of recordings that other people and other versions wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.differences import differences
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (PoolOptions(), ""),
        (PoolOptions(load_balancing="round_robin"), "round_robin"),
        (PoolOptions(keepalive=Keepalive(time=1)), "keepalive 1 s/3 s"),
        (PoolOptions(keepalive=Keepalive(without_calls=False)), "keepalive 10 s/3 s only during calls"),
        (PoolOptions(backoff=Backoff(initial=0.2, maximum=0.5)), "backoff 0.2 s to 0.5 s"),
        (PoolOptions(backoff=Backoff(min_connect_timeout=5)), "backoff 1 s to 120 s with attempts of 5 s"),
        (PoolOptions(drain=0), "drain 0 s"),
        (PoolOptions(history=10_000, observer_share=0.05), "history 10,000, observer_share 0.05"),
        (PoolOptions(load_balancing="round_robin", keepalive=Keepalive(time=1, timeout=1)), "round_robin, keepalive 1 s/1 s"),
    ],
)
def test_only_what_differs_is_told(options: PoolOptions, told: str) -> None:
    assert differences(options.as_dict()) == told
    assert differences(json.loads(json.dumps(options.as_dict()))) == told


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({}, ""),
        ({"tls": None}, ""),
        ({"tls": {"roots": "system", "key": None}}, "tls (roots system)"),
        ({"compression": {"level": 1_000, "on": True}}, "compression (level 1,000, on True)"),
        ({"proxy": "http://<b>"}, "proxy http://<b>"),
        ({"proxy": "a\nb"}, r"proxy 'a\nb'"),
        ({"keepalive": "often"}, "keepalive often"),
        ({"keepalive": {"time": "1"}}, "keepalive (time 1)"),
        ({"backoff": None, "drain": "long"}, "backoff None, drain long"),
    ],
)
def test_what_is_not_known_here_is_told_as_it_is(stored: dict[str, object], told: str) -> None:
    assert differences(stored) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*PoolOptions().as_dict(), "tls"]) | st.text(), JSON))
def test_whatever_a_recording_holds_it_is_one_line(stored: dict[str, object]) -> None:
    assert differences(stored).isprintable()
