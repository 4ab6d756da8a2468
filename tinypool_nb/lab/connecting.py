"""An HTTP CONNECT proxy of the lab, to break: what leads from a laptop into a cluster, on loopback."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinypool_nb.core.proxies import parse_proxy
from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.modules import Breakable
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.servers import Server, ServerSettings, ServerState

NAME = "lab-proxy"
"""What the proxy is called in messages and actions."""
REFUSALS = (400, 403, 404, 407, 429, 500, 502, 503, 504)
"""How a proxy says no."""


class Connect(NamedTuple):
    """One request that the proxy got."""

    address: str
    """Whom it was asked for: `host:port`."""
    code: int
    """What it answered; 200 if it opened the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSettings(ServerSettings):
    """What stands on the command line; nothing secret."""

    names: dict[str, str] = field(default_factory=dict)
    """Where each `host:port` that nobody else knows leads."""
    names_file: str = ""
    """A file of more of them, as JSON, read at each request; "" for none."""


@dataclass(frozen=True, slots=True)
class ConnectSecret:
    """What goes to the process as a line on its stdin."""

    authorization: str = field(repr=False)
    """What the header Proxy-Authorization must say."""

    def as_line(self) -> str:
        """Itself as one line."""
        return self.authorization


class ConnectServer(Server):
    """The process of a proxy."""

    program = "tinypool_nb.lab.connect_server"


class ConnectProxy(Breakable):
    """An HTTP proxy that leads by CONNECT to what is on loopback. `lab.connect_proxy()` makes it; kill, freeze and restart are a module's.

        proxy = lab.connect_proxy(names={"http-module-v1.tinysystems.svc:50051": module.address})
        pool = tp.Pool(tp.PoolOptions(proxy=proxy.url))
        pool.register("http-module-v1", "http-module-v1.tinysystems.svc:50051")
        proxy.refuse(403)

    Args:
        server: its process.
        ports: the lab's.
    """

    def __init__(self, server: ConnectServer, ports: Ports) -> None:
        super().__init__(NAME, [server], range(1), ports, threading.Lock(), tls=None)

    @property
    def url(self) -> str:
        """Where it is, ready for `tp.PoolOptions(proxy=...)`; who must show himself writes his name and password into it."""
        return f"http://{self.address}"

    @property
    def requests(self) -> list[Connect]:
        """The last 10,000 requests it got since it started."""
        return [Connect(str(address), int(code)) for address, code in self._ask("requests")]

    def refuse(self, code: int = 502) -> None:
        """Answer each request with that status, until `heal`; ways that are open stay so.

        Args:
            code: 403 is forbidden, 407 asks who one is, 502 could not get there, ...

        Raises:
            OptionsError: a proxy does not say no so.
            LabError: it does not run.
        """
        if code not in REFUSALS:
            raise OptionsError("code", code, f"one of {', '.join(map(str, REFUSALS))}")
        announce(Action(f"refuse by {code}", self.name, self.address))
        self._ask("refuse", code=code)

    def heal(self) -> None:
        """Open the way to everybody again who shows himself, if that is asked for."""
        announce(Action("heal", self.name, self.address))
        self._ask("refuse", code=None)

    def _ask(self, verb: str, **arguments: object) -> Any:
        (server,) = self._servers
        if server.state is not ServerState.SERVING:
            remedy = "thaw" if server.state is ServerState.FROZEN else "restart"
            raise LabError(f"{verb}: the lab's proxy is {server.state}; {remedy}() it first")
        with self._changing:
            return server.ask(verb, **arguments)


def check_names(names: Mapping[str, str]) -> dict[str, str]:
    """The names as the proxy takes them.

    Raises:
        OptionsError: they are no str.
    """
    if not isinstance(names, Mapping) or not all(isinstance(each, str) for pair in names.items() for each in pair):
        raise OptionsError("names", names, "a dict such as {'http-module-v1.tinysystems.svc:50051': '127.0.0.1:20001'}")
    return dict(names)


def secret_of(user: str | None, password: str | None) -> ConnectSecret | None:
    """What a user and a password come to; None for a proxy that lets everybody in.

    Raises:
        OptionsError: one of them is missing.
    """
    if user is None and password is None:
        return None
    if not user or not password or ":" in user:
        raise OptionsError("user", user, "a str without ':', given together with password=")
    escaped = ["".join(f"%{byte:02X}" for byte in text.encode()) for text in (user, password)]
    return ConnectSecret(parse_proxy(f"http://{':'.join(escaped)}@127.0.0.1:1").authorization)
