"""The settings of a pool: the page's defaults, and nothing that gRPC could not honour."""

import dataclasses
import json
import math
from typing import Any

import pytest

from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.errors import OptionsError


def test_the_page_s_defaults() -> None:
    assert PoolOptions().as_dict() == {
        "keepalive": {"time": 10.0, "timeout": 3.0, "without_calls": True},
        "backoff": {"initial": 1.0, "maximum": 120.0, "min_connect_timeout": 20.0},
        "load_balancing": "pick_first",
        "tls": None,
        "proxy": None,
        "drain": 30.0,
        "history": 5_000_000,
        "record_calls": True,
        "observer_share": 0.01,
        "eager_reconnect": False,
    }


NO_SECONDS = (-1, math.nan, math.inf, True, "10", None, 10**9)


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        *((Keepalive, setting, value) for setting in ("time", "timeout") for value in (*NO_SECONDS, 0, 0.01)),
        *((Keepalive, "without_calls", value) for value in (1, 0, "yes", None)),
        *((Backoff, setting, value) for setting in ("initial", "maximum", "min_connect_timeout") for value in (*NO_SECONDS, 0, 0.01)),
        *((PoolOptions, "drain", value) for value in NO_SECONDS),
        *((PoolOptions, "keepalive", value) for value in (None, 10.0, {"time": 10.0}, Backoff())),
        *((PoolOptions, "backoff", value) for value in (None, 1.0, {"initial": 1.0}, Keepalive())),
        *((PoolOptions, "load_balancing", value) for value in ("", "ROUND_ROBIN", "random", None, ["round_robin"])),
        *((PoolOptions, "history", value) for value in (0, 999, 10**9 + 1, 1e6, True, "many", None)),
        *((PoolOptions, "observer_share", value) for value in (0, -1, 1.1, math.nan, True, "1 %", None)),
        *((PoolOptions, "eager_reconnect", value) for value in (1, 0, "yes", None)),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_setting_value_and_rule(kind: Any, setting: str, value: object) -> None:
    with pytest.raises(OptionsError) as refused:
        kind(**{setting: value})
    assert refused.value.option.rpartition(".")[2] == setting
    assert refused.value.value is value
    assert repr(value)[:20] in str(refused.value)
    assert refused.value.rule in str(refused.value)


def test_the_greatest_wait_is_no_less_than_the_first() -> None:
    assert Backoff(initial=2.0, maximum=2.0).maximum == 2.0
    with pytest.raises(OptionsError, match=r"Backoff.maximum=1.0 was refused: at least Backoff.initial, which is 2 s"):
        Backoff(initial=2.0, maximum=1.0)


@pytest.mark.parametrize("kind", [Keepalive, Backoff, PoolOptions])
def test_settings_are_named_frozen_and_unknown_ones_are_refused(kind: Any) -> None:
    settings = kind()
    first = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, first, getattr(settings, first))
    with pytest.raises(TypeError):
        kind(getattr(settings, first))
    with pytest.raises(TypeError, match="keepalife"):
        kind(keepalife=1)
    assert kind() == settings
    assert hash(kind()) == hash(settings)


def test_a_recording_can_hold_them() -> None:
    stored = json.loads(json.dumps(PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.5)).as_dict()))
    again = PoolOptions(**{**stored, "keepalive": Keepalive(**stored["keepalive"]), "backoff": Backoff(**stored["backoff"])})
    assert again == PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.5))
