"""What a person typed into the register form, checked field by field, so that each error can stand beside the field that it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar, get_args

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.keys import ModuleKey, parse_key
from tinypool_nb.core.options import Backoff, Keepalive, LoadBalancing, PoolOptions
from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import AddressError, ModuleNameError, OptionsError, TinypoolError

Made = TypeVar("Made")


class Field(StrEnum):
    """A field of the form."""

    NAME = "name"
    ADDRESS = "address"
    NAMESPACE = "namespace"
    LOAD_BALANCING = "load_balancing"
    KEEPALIVE_TIME = "keepalive_time"
    KEEPALIVE_TIMEOUT = "keepalive_timeout"
    WITHOUT_CALLS = "without_calls"
    BACKOFF_INITIAL = "backoff_initial"
    BACKOFF_MAXIMUM = "backoff_maximum"
    MIN_CONNECT_TIMEOUT = "min_connect_timeout"
    SECURITY = "security"
    TLS_ROOTS = "tls_roots"
    TLS_CERTIFICATE = "tls_certificate"
    TLS_KEY = "tls_key"
    TLS_SERVER_NAME = "tls_server_name"


class Security(StrEnum):
    """How the connection is to be secured, as the form asks it."""

    POOL = "pool"
    """As the pool is."""
    PLAINTEXT = "plaintext"
    TLS = "tls"
    """By the files that are named below."""


_FIELD_OF: Mapping[str, Field] = {
    "Keepalive.time": Field.KEEPALIVE_TIME,
    "Keepalive.timeout": Field.KEEPALIVE_TIMEOUT,
    "Keepalive.without_calls": Field.WITHOUT_CALLS,
    "Backoff.initial": Field.BACKOFF_INITIAL,
    "Backoff.maximum": Field.BACKOFF_MAXIMUM,
    "Backoff.min_connect_timeout": Field.MIN_CONNECT_TIMEOUT,
    "load_balancing": Field.LOAD_BALANCING,
    "tls": Field.SECURITY,
    "Tls.roots": Field.TLS_ROOTS,
    "Tls.certificate": Field.TLS_CERTIFICATE,
    "Tls.key": Field.TLS_KEY,
    "Tls.server_name": Field.TLS_SERVER_NAME,
}
"""The setting that an OptionsError names -> where it was typed."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What `pool.register` is to be called with."""

    name: str
    address: str
    namespace: str | None = None
    options: PoolOptions | None = None
    """None for the pool's."""

    @property
    def key(self) -> ModuleKey:
        """The module's key."""
        return ModuleKey(self.namespace, self.name)


def check(typed: Mapping[str, object], pool: PoolOptions) -> tuple[Registration | None, dict[Field, str]]:
    """Make a registration of what was typed, or say for each field what is wrong with it.

    Args:
        typed: field -> text (of WITHOUT_CALLS a bool); a missing or blank one means the pool's setting. It comes from a browser,
            so nothing is taken for granted.
        pool: the settings of the pool.

    Returns:
        the registration, or None if there are errors; and the errors, in words.

    >>> check({"name": "http-module-v1", "address": "127.0.0.1"}, PoolOptions())
    (None, {<Field.ADDRESS: 'address'>: "it has no port (gRPC would have dialled 443); write '127.0.0.1:port'"})
    """
    errors: dict[Field, str] = {}

    def attempt(field: Field, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except TinypoolError as error:
            place = place_of(error) or field
            errors.setdefault(place, rule_of(error))
            return None

    name, address = _text(typed, Field.NAME), _text(typed, Field.ADDRESS)
    namespace = _text(typed, Field.NAMESPACE) or None
    attempt(Field.NAME, lambda: parse_key(name))
    if namespace is not None:
        attempt(Field.NAMESPACE, lambda: parse_key("any", namespace))
    attempt(Field.ADDRESS, lambda: parse_address(address))
    keepalive = attempt(Field.KEEPALIVE_TIME, lambda: _keepalive(typed, pool.keepalive))
    backoff = attempt(Field.BACKOFF_INITIAL, lambda: _backoff(typed, pool.backoff))
    load_balancing = attempt(Field.LOAD_BALANCING, lambda: _load_balancing(typed, pool))
    security = attempt(Field.SECURITY, lambda: _security(typed, pool.tls))
    if errors or keepalive is None or backoff is None or load_balancing is None or security is None:
        return None, errors
    options = replace(pool, keepalive=keepalive, backoff=backoff, load_balancing=load_balancing, tls=security[0])
    return Registration(name, address, namespace, None if options == pool else options), {}


def place_of(error: TinypoolError) -> Field | None:
    """The field that an error is about, or None if it is about none.

    >>> place_of(OptionsError("Tls.roots", "company-ca.pem", "a file that can be read"))
    <Field.TLS_ROOTS: 'tls_roots'>
    """
    match error:
        case ModuleNameError():
            return Field.NAMESPACE if error.rule.startswith("a namespace") else Field.NAME
        case AddressError():
            return Field.ADDRESS
        case OptionsError():
            return _FIELD_OF.get(error.option)
        case _:
            return None


def rule_of(error: TinypoolError) -> str:
    """What the error says about the value, without the value, which stands in the field already."""
    return error.rule if isinstance(error, ModuleNameError | AddressError | OptionsError) else str(error)


def texts_of(options: PoolOptions) -> dict[Field, str | bool]:
    """What stands in the fields of a form that nobody has touched: the pool's settings.

    >>> texts_of(PoolOptions())[Field.KEEPALIVE_TIME]
    '10'
    """
    return {
        Field.LOAD_BALANCING: options.load_balancing,
        Field.KEEPALIVE_TIME: f"{options.keepalive.time:g}",
        Field.KEEPALIVE_TIMEOUT: f"{options.keepalive.timeout:g}",
        Field.WITHOUT_CALLS: options.keepalive.without_calls,
        Field.BACKOFF_INITIAL: f"{options.backoff.initial:g}",
        Field.BACKOFF_MAXIMUM: f"{options.backoff.maximum:g}",
        Field.MIN_CONNECT_TIMEOUT: f"{options.backoff.min_connect_timeout:g}",
        Field.SECURITY: Security.POOL,
    }


def _text(typed: Mapping[str, object], field: Field) -> str:
    value = typed.get(field, "")
    return value if isinstance(value, str) else ""


def _seconds(typed: Mapping[str, object], field: Field, option: str, otherwise: float) -> float:
    text = _text(typed, field).strip()
    if not text or text == f"{otherwise:g}":
        return otherwise
    try:
        return float(text)
    except ValueError:
        raise OptionsError(option, text, "a number of seconds, such as 2.5") from None


def _keepalive(typed: Mapping[str, object], pool: Keepalive) -> Keepalive:
    without_calls: Any = typed.get(Field.WITHOUT_CALLS, pool.without_calls)
    return Keepalive(
        time=_seconds(typed, Field.KEEPALIVE_TIME, "Keepalive.time", pool.time),
        timeout=_seconds(typed, Field.KEEPALIVE_TIMEOUT, "Keepalive.timeout", pool.timeout),
        without_calls=without_calls,
    )


def _backoff(typed: Mapping[str, object], pool: Backoff) -> Backoff:
    return Backoff(
        initial=_seconds(typed, Field.BACKOFF_INITIAL, "Backoff.initial", pool.initial),
        maximum=_seconds(typed, Field.BACKOFF_MAXIMUM, "Backoff.maximum", pool.maximum),
        min_connect_timeout=_seconds(typed, Field.MIN_CONNECT_TIMEOUT, "Backoff.min_connect_timeout", pool.min_connect_timeout),
    )


def _load_balancing(typed: Mapping[str, object], pool: PoolOptions) -> LoadBalancing:
    text = _text(typed, Field.LOAD_BALANCING) or pool.load_balancing
    for policy in get_args(LoadBalancing):
        if text == policy:
            return policy  # type: ignore[no-any-return]  # get_args says Any
    raise OptionsError("load_balancing", text, f"one of {', '.join(get_args(LoadBalancing))}")


def _security(typed: Mapping[str, object], pool: Tls | None) -> tuple[Tls | None]:
    """In a tuple, since None is plaintext."""
    chosen = _text(typed, Field.SECURITY) or Security.POOL
    match chosen:
        case Security.POOL:
            return (pool,)
        case Security.PLAINTEXT:
            return (None,)
        case Security.TLS:
            names = {
                "roots": Field.TLS_ROOTS,
                "certificate": Field.TLS_CERTIFICATE,
                "key": Field.TLS_KEY,
                "server_name": Field.TLS_SERVER_NAME,
            }
            return (Tls(**{name: _text(typed, field).strip() or None for name, field in names.items()}),)
        case _:
            raise OptionsError("tls", chosen, f"one of {', '.join(Security)}")
