"""An argument that there is not is refused with the one that was meant."""

import inspect
from typing import Any

import pytest

import tinypool_nb as tp


@pytest.mark.parametrize(
    ("make", "named", "told"),
    [
        (tp.Pool, {"keepalive": tp.Keepalive()}, "Pool has no argument 'keepalive'; it is a setting: Pool(PoolOptions(keepalive=...))"),
        (tp.ClientPool, {"healthchecks": 5}, "ClientPool has no argument 'healthchecks'; did you mean health_checks?"),
        (tp.PoolOptions, {"keep_alive": 3}, "PoolOptions has no argument 'keep_alive'; did you mean keepalive?"),
        (tp.Keepalive, {"interval": 3}, "Keepalive has no argument 'interval'; it takes time, timeout, without_calls"),
        (tp.Backoff, {"max": 3}, "Backoff has no argument 'max'; did you mean maximum?"),
        (tp.Tls, {"<img>": 3}, "Tls has no argument '<img>'; it takes "),
        (tp.Lab, {"port": 3}, "Lab has no argument 'port'; did you mean ports?"),
    ],
)
def test_it_says_which_was_meant(make: Any, named: dict[str, Any], told: str) -> None:
    with pytest.raises(tp.UnknownArgumentError) as caught:
        make(**named)
    assert str(caught.value).startswith(told)
    assert isinstance(caught.value, TypeError)  # as what Python itself raises


def test_what_an_editor_shows_is_as_it_was() -> None:
    assert list(inspect.signature(tp.Pool).parameters) == ["options", "health_checks"]
    assert "keepalive" in inspect.signature(tp.PoolOptions).parameters
