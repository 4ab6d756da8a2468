"""A lab of loopback modules to break: real gRPC servers in processes of their own, which die with the notebook's kernel.

Importing this loads no grpc and starts nothing.

    with tp.Lab() as lab:
        module = lab.start("http-module-v1", proxied=True)
        module.kill()
        module.restart()
        with module.faults.latency(0.2):
            ...
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinypool_nb.lab.certificates import TlsMode
    from tinypool_nb.lab.cluster.api import Api
    from tinypool_nb.lab.cluster.settings import Kubernetes
    from tinypool_nb.lab.connecting import ConnectProxy
    from tinypool_nb.lab.dns import Dns, DnsFailure, Query
    from tinypool_nb.lab.faults import Fault, Faults
    from tinypool_nb.lab.flapping import FlappingServer
    from tinypool_nb.lab.lab import Lab
    from tinypool_nb.lab.modules import Module, Replica
    from tinypool_nb.lab.proxies import Proxy, ProxyCounts
    from tinypool_nb.lab.servers import ServerKind, ServerState

__all__ = [
    "Api",
    "ConnectProxy",
    "Dns",
    "DnsFailure",
    "Fault",
    "Faults",
    "FlappingServer",
    "Kubernetes",
    "Lab",
    "Module",
    "Proxy",
    "ProxyCounts",
    "Query",
    "Replica",
    "ServerKind",
    "ServerState",
    "TlsMode",
]

_HOMES = {
    "Api": "cluster.api",
    "ConnectProxy": "connecting",
    "Dns": "dns",
    "DnsFailure": "dns",
    "Fault": "faults",
    "Faults": "faults",
    "FlappingServer": "flapping",
    "Kubernetes": "cluster.settings",
    "Lab": "lab",
    "Module": "modules",
    "Proxy": "proxies",
    "ProxyCounts": "proxies",
    "Query": "dns",
    "Replica": "modules",
    "ServerKind": "servers",
    "ServerState": "servers",
    "TlsMode": "certificates",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
