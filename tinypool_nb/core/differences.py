"""The settings of a pool in a few words: only what differs from the defaults."""

from collections.abc import Callable, Mapping

from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import shown

Plain = Mapping[str, object]
"""Settings as `PoolOptions.as_dict` makes them, or as a recording gives them back: of any origin, and with settings that we do not know."""

_DEFAULTS: Plain = PoolOptions().as_dict()


def differences(options: Plain) -> str:
    """What the settings say that the page's defaults do not, in one line; "" if nothing.

    Settings that are not known here are told as they are, so that recordings of other versions can be read. No secret is
    told, since `as_dict` holds none.

    >>> from tinypool_nb.core.options import Keepalive
    >>> differences(PoolOptions(load_balancing="round_robin", keepalive=Keepalive(time=1.0, timeout=1.0)).as_dict())
    'round_robin, keepalive 1 s/1 s'
    >>> differences({"tls": {"roots": "system", "certificate": None, "server_name": "module.example"}})
    'tls (roots system, server_name module.example)'
    """
    return ", ".join(filter(None, (_told(name, options[name]) for name in _in_order(options))))


def _in_order(options: Plain) -> list[str]:
    """The names that are told, those of the words below first."""
    return [*(name for name in _WORDS if name in options), *(name for name in options if name not in _WORDS)]


def _told(name: str, value: object) -> str:
    default = _DEFAULTS.get(name)
    if value == default:
        return ""
    words = _WORDS.get(name, _plainly)
    try:
        return words(name, value)
    except (KeyError, TypeError, ValueError):  # a recording may hold anything
        return _plainly(name, value)


def _load_balancing(_: str, value: object) -> str:
    return _text(value)


def _keepalive(name: str, value: object) -> str:
    always = "" if _of(value, "without_calls") else " only during calls"
    return f"{name} {_seconds(_of(value, 'time'))}/{_seconds(_of(value, 'timeout'))}{always}"


def _backoff(name: str, value: object) -> str:
    least = _of(value, "min_connect_timeout")
    attempt = "" if least == _of(_DEFAULTS["backoff"], "min_connect_timeout") else f" with attempts of {_seconds(least)}"
    return f"{name} {_seconds(_of(value, 'initial'))} to {_seconds(_of(value, 'maximum'))}{attempt}"


def _drain(name: str, value: object) -> str:
    return f"{name} {_seconds(value)}"


def _plainly(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        parts = ", ".join(f"{_text(inner)} {_text(one)}" for inner, one in value.items() if one is not None)
        return f"{_text(name)} ({parts})" if parts else _text(name)
    return f"{_text(name)} {_text(value)}"


_WORDS: Mapping[str, Callable[[str, object], str]] = {
    "load_balancing": _load_balancing,
    "keepalive": _keepalive,
    "backoff": _backoff,
    "drain": _drain,
}


def _of(value: object, name: str) -> object:
    if not isinstance(value, Mapping):
        raise TypeError
    return value[name]


def _seconds(value: object) -> str:
    if not isinstance(value, int | float):
        raise TypeError
    return f"{value:g} s"


def _text(value: object) -> str:
    """A value on one line: numbers with thousands, foreign text cut and escaped."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 80 else shown(value)
