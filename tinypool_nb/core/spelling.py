"""The line of Python that does what a button does, to be copied into a cell."""

from dataclasses import fields, is_dataclass

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.proxies import Proxy
from tinypool_nb.core.registration import Registration
from tinypool_nb.core.tls import Tls


def register_line(registration: Registration, pool: PoolOptions | None = None) -> str:
    """The call of `pool.register`; only what differs from the defaults is spelled out.

    Args:
        registration: what is to be registered.
        pool: the settings of the pool. Its Tls and its proxy are spelled `pool.options.tls` and
            `pool.options.proxy`, since they may hold secrets, which no line shows.

    >>> register_line(Registration("http-module-v1", "127.0.0.1:50051", options=PoolOptions(load_balancing="round_robin")))
    'pool.register("http-module-v1", "127.0.0.1:50051", options=tp.PoolOptions(load_balancing="round_robin"))'
    """
    parts = [quoted(registration.name), quoted(registration.address)]
    if registration.namespace is not None:
        parts.append(f"namespace={quoted(registration.namespace)}")
    if registration.options is not None:
        parts.append(f"options={_spelled(registration.options, pool)}")
    return f"pool.register({', '.join(parts)})"


def verb_line(verb: str, key: ModuleKey) -> str:
    """The call of a verb that takes a module.

    >>> verb_line("reconnect", ModuleKey("tinysystems", "http-module-v1"))
    'pool.reconnect("tinysystems/http-module-v1")'
    """
    return f"pool.{verb}({quoted(str(key))})"


def quoted(text: str) -> str:
    r"""The text as a literal of Python, in double quotes where that needs no backslash.

    >>> print(quoted("http-module-v1"), quoted("it's"), quoted('say "ready"'))
    "http-module-v1" "it's" 'say "ready"'
    """
    return repr(text) if '"' in text else f'"{repr(chr(39) + text)[2:]}'  # an apostrophe makes repr choose double quotes


def _spelled(value: object, pool: PoolOptions | None) -> str:
    """A setting as Python, without what is the default anyway."""
    match value:
        case str() | Proxy():
            return quoted(value) if isinstance(value, str) else _spelled_proxy(value, None if pool is None else pool.proxy)
        case Tls() if pool is not None and value == pool.tls:
            return "pool.options.tls"
        case Tls():
            given = {field.name: getattr(value, field.name) for field in fields(value)}
            return f"tp.Tls({', '.join(f'{name}={_spelled(each, pool)}' for name, each in given.items() if each is not None)})"
        case bytes():
            return "..."  # the content of a PEM file may be secret
        case _ if is_dataclass(value) and not isinstance(value, type):
            default = type(value)()
            changed = [name for field in fields(value) if getattr(value, name := field.name) != getattr(default, name)]
            return f"tp.{type(value).__name__}({', '.join(f'{name}={_spelled(getattr(value, name), pool)}' for name in changed)})"
        case _:
            return repr(value)


def _spelled_proxy(proxy: Proxy, pool: Proxy | str | None) -> str:
    if not proxy.authorization:
        return quoted(str(proxy))
    return "pool.options.proxy" if proxy == pool else f'"http://...@{proxy}"'  # who it lets in is a secret
