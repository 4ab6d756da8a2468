"""The lab: starts modules to break, and leaves nothing behind."""

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.hints import hinting
from tinypool_nb.core.keys import parse_key
from tinypool_nb.errors import AddressError, LabError, OptionsError, shown
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.certificates import HOSTS, Certificates, TlsMode
from tinypool_nb.lab.checks import check_int, check_loopback, check_seconds
from tinypool_nb.lab.cluster.settings import Kubernetes
from tinypool_nb.lab.dns import Dns
from tinypool_nb.lab.modules import Module
from tinypool_nb.lab.ports import PORTS, Ports
from tinypool_nb.lab.processes import Processes
from tinypool_nb.lab.proxies import Proxy, Relay
from tinypool_nb.lab.servers import Server, ServerKind, ServerSettings, started

if TYPE_CHECKING:
    from tinypool_nb.lab.cluster.api import Api
    from tinypool_nb.lab.cluster.cluster import Cluster
    from tinypool_nb.lab.cluster.resources import Resources
    from tinypool_nb.lab.connecting import ConnectProxy


@hinting()
class Lab:
    """Real gRPC servers on 127.0.0.1, each in a process of its own, to kill, freeze and restart.

    Closing the lab, collecting it and the death of this process, even by SIGKILL, end all servers, frozen ones too. Any thread may use
    it. As a mapping it gives its modules by their names.

        with tp.Lab() as lab:
            module = lab.start("http-module-v1")
            pool.register(module.name, module.address)
            module.freeze()

    With `kubernetes=True` it has an API server, too, which serves its modules as TinyModule resources:

        with tp.Lab(kubernetes=True) as lab:
            module = lab.start("http-module-v1")
            pool.discover(kubeconfig=lab.kubeconfig)
            module.move()
            lab.api.kill()

    Args:
        kubernetes: whether it has an API server; a `tinypool_nb.lab.Kubernetes` says how it is to be.
        ports: where to start servers whose port is not given; below 32768, since a module that restarts must find its port free.

    Raises:
        OptionsError: `ports` is no range of ports, or `kubernetes` is neither a bool nor a `Kubernetes`.
        LabError: the API server did not start.
    """

    def __init__(self, *, kubernetes: bool | Kubernetes = False, ports: range = PORTS) -> None:
        if not isinstance(ports, range) or not ports or not 1 <= min(ports) <= max(ports) <= 65_535:
            raise OptionsError("ports", ports, "a range of ports from 1 to 65535, such as range(20_000, 32_768)")
        self._ports = Ports(ports)
        self._modules: dict[str, Module] = {}
        if not isinstance(kubernetes, bool | Kubernetes):
            raise OptionsError("kubernetes", kubernetes, "True, False or a tinypool_nb.lab.Kubernetes")
        self._processes = Processes()
        self._relay = Relay(self._processes, self._ports)
        self._starting = threading.Lock()
        self._cluster: Cluster | None = None
        if kubernetes is not False:
            self._cluster = self._start_cluster(kubernetes)

    def _start_cluster(self, kubernetes: Literal[True] | Kubernetes) -> "Cluster":
        from tinypool_nb.lab.cluster.cluster import Cluster

        options = Kubernetes() if kubernetes is True else kubernetes
        try:
            return Cluster(self._processes, self._ports, options, self._certificates if options.tls else None)
        except BaseException:
            self._processes.close()
            raise

    @property
    def api(self) -> "Api":
        """The API server, to break.

        Raises:
            LabError: this lab has none.
        """
        return self._with_cluster().api

    @property
    def resources(self) -> "Resources":
        """The resources in the API server, to be made, changed and deleted by hand.

        Raises:
            LabError: this lab has no API server.
        """
        return self._with_cluster().resources

    @property
    def kubeconfig(self) -> str:
        """The path of a file by which the official client, kubectl and `pool.discover` reach the API server; removed with the lab.

        Raises:
            LabError: this lab has no API server.
        """
        return str(self._with_cluster().kubeconfig)

    def _with_cluster(self) -> "Cluster":
        if self._cluster is None:
            raise LabError("this lab has no API server; tp.Lab(kubernetes=True) has one")
        return self._cluster

    def start(
        self,
        name: str,
        *,
        port: int | None = None,
        replicas: int = 1,
        min_ping_interval: float = 5.0,
        tls: TlsMode | str | bool | None = None,
        namespace: str | None = None,
        proxied: bool = False,
        host: str = "127.0.0.1",
        kind: ServerKind | str = ServerKind.GRPC,
        max_connection_age: float | None = None,
        max_message_bytes: int | None = None,
    ) -> Module:
        """Start a module and wait until it serves; with `kubernetes=True` there is a resource that tells its address then.

        Args:
            name: what it is called here and in its answers.
            port: where; None takes a free one. With replicas, the first of as many consecutive ports.
            replicas: how many servers stand behind its address.
            min_ping_interval: seconds between two keepalive pings that it permits; the modules in the field permit 5. Who pings more
                often gets GOAWAY `too_many_pings`.
            tls: None or False serves plaintext; True or "server" serves TLS, "mutual" asks clients for a certificate too. Bad on
                purpose: "expired", "other name" and "other CA" (see `TlsMode`). `module.tls` is what connects.
            namespace: of its resource; None is the lab's, which is tinysystems unless told otherwise.
            proxied: whether a proxy stands in front of it, so that `module.faults` can break what is on the way. Its address is the
                proxy's then.
            host: the address of the loopback to listen at, for example 127.0.0.2 (which macOS does not have by itself).
            kind: "grpc", or "http/1.1" for a server that knows no HTTP/2 and answers every request 400.
            max_connection_age: seconds after which each connection gets GOAWAY, as of a server that recycles them; None: never.
            max_message_bytes: the longest message that it takes; None: gRPC's own limit, 4 MiB.

        Raises:
            ModuleNameError: the name is refused; with `kubernetes=True` it must be a resource's name.
            OptionsError: a setting is.
            LabError: it did not start, for example since another process has the port, or a module of this name is there already.
        """
        with self._starting:
            settings = _settings(min_ping_interval, host, kind, max_connection_age, max_message_bytes)
            return self._start([name], settings, port, replicas, tls=tls, namespace=namespace, proxied=proxied)[0]

    def start_all(
        self,
        names: Iterable[str],
        *,
        replicas: int = 1,
        min_ping_interval: float = 5.0,
        tls: TlsMode | str | bool | None = None,
        namespace: str | None = None,
        proxied: bool = False,
        host: str = "127.0.0.1",
        kind: ServerKind | str = ServerKind.GRPC,
        max_connection_age: float | None = None,
        max_message_bytes: int | None = None,
    ) -> tuple[Module, ...]:
        """Start several modules at the same time and wait until all serve; see `start`."""
        with self._starting:
            settings = _settings(min_ping_interval, host, kind, max_connection_age, max_message_bytes)
            return self._start(list(names), settings, None, replicas, tls=tls, namespace=namespace, proxied=proxied)

    def proxy(self, address: str, *, host: str = "127.0.0.1", port: int | None = None) -> Proxy:
        """Put a proxy in front of any address, so that `proxy.faults` can break what is on the way.

            proxy = lab.proxy("10.0.0.7:50051")
            pool.register("http-module-v1", proxy.address)

        Args:
            address: where its connections lead: one host and port.
            host: the address of the loopback that it listens at.
            port: where; None takes a free one.

        Raises:
            AddressError: the address is refused, or is several.
            OptionsError: a setting is refused.
            LabError: the port is not to be had.
        """
        target = parse_address(address)
        if len(target.endpoints) != 1 or target.name_server is not None:
            raise AddressError(address, "a proxy leads to one host and port, such as '127.0.0.1:50051'")
        check_loopback("host", host)
        if port is not None:
            check_int("port", port, 1, 65_535)
        return self._relay.open(target.endpoints[0], host, port)

    def dns(self, *, port: int | None = None) -> Dns:
        """Start a DNS server, whose records can be changed while it runs.

            dns = lab.dns()
            dns.set("modules.test", ["127.0.0.1", "127.0.0.2"])
            pool.register("http-module-v1", dns.target("modules.test", 50051))

        Args:
            port: where; None takes a free one.

        Raises:
            OptionsError: `port` is refused.
            LabError: it did not start.
        """
        if port is not None:
            check_int("port", port, 1, 65_535)
        return Dns(self._processes, self._ports, port)

    def connect_proxy(
        self, *, port: int | None = None, names: Mapping[str, str] | None = None, user: str | None = None, password: str | None = None
    ) -> "ConnectProxy":
        """Start an HTTP CONNECT proxy, by which modules are reached as through one in a cluster: `tp.PoolOptions(proxy=proxy.url)`.

        In a lab with an API server it knows the names of the modules' services, too, as one that runs in a cluster does.

        Args:
            port: where; None takes a free one.
            names: where each `host:port` that nobody else knows leads, as `{"http-module-v1.tinysystems.svc:50051": module.address}`.
            user: whom it lets in; None is everybody.
            password: given together with `user`.

        Raises:
            OptionsError: a setting is refused.
            LabError: it did not start.
        """
        from tinypool_nb.lab import connecting

        if port is not None:
            check_int("port", port, 1, 65_535)
        known = connecting.check_names(names or {})
        secret = connecting.secret_of(user, password)
        with self._starting:
            settings = connecting.ConnectSettings(
                name=connecting.NAME,
                names=known,
                names_file="" if self._cluster is None else str(self._cluster.names.path),
                ports=self._ports.draw() if port is None else (port,),
            )
            server = connecting.ConnectServer(self._processes, settings, secret)
            started([server])
            self._ports.taken.add(server.port)
        return connecting.ConnectProxy(server, self._ports)

    @cached_property
    def _certificates(self) -> Certificates:
        return Certificates()

    def _start(
        self,
        names: list[str],
        common: ServerSettings,
        port: int | None,
        replicas: int,
        *,
        tls: TlsMode | str | bool | None,
        namespace: str | None,
        proxied: bool,
    ) -> tuple[Module, ...]:
        self._check_names(names, namespace)
        check_int("replicas", replicas, 1, 100)
        if not isinstance(proxied, bool):
            raise OptionsError("proxied", proxied, "True or False")
        if port is not None:
            check_int("port", port, 1, 65_536 - replicas)
        mode = TlsMode.parse(tls)
        if mode is not None and common.kind is not ServerKind.GRPC:
            raise OptionsError("tls", tls, f"None: a server of the kind {common.kind} serves plaintext alone")
        identity = None if mode is None else self._certificates.server(mode)
        if proxied:
            self._relay.launch()
        launched = [
            Server(
                self._processes,
                replace(common, name=name, replica=replica, ports=self._ports.draw() if port is None else (port + replica,)),
                identity,
                relay=self._relay if proxied else None,
            )
            for name in names
            for replica in range(replicas)
        ]
        started(launched)
        # Of several endpoints gRPC looks for one name in all their certificates.
        named = replicas == 1 and common.host in HOSTS
        client = None if mode is None else self._certificates.client(mode, server_name=None if named else "localhost")
        modules = []
        for nth, name in enumerate(names):
            servers = launched[nth * replicas : (nth + 1) * replicas]
            resource = None if self._cluster is None else self._cluster.publication(name, namespace)
            module = Module(name, servers, self._ports, tls=client, resource=resource, forget=weakref.WeakMethod(self._forget))
            self._modules[name] = module
            self._ports.taken.update(*(server.ports for server in servers))
            announce(Action("start", name, module.address))
            modules.append((module, resource))
        for module, resource in modules:  # all of them run and are known by now, whatever becomes of this
            if resource is not None:
                resource.publish(module.address)
        return tuple(module for module, _ in modules)

    def _check_names(self, names: list[str], namespace: str | None) -> None:
        for name in names:
            parse_key(name, namespace)
            if self._cluster is not None:
                self._cluster.check(name, namespace)
            elif namespace is not None:
                raise OptionsError("namespace", namespace, "a lab without an API server knows none; tp.Lab(kubernetes=True) does")
            if name in self._modules:
                raise LabError(f"{shown(name)} is in this lab already; lab[{shown(name)}].restart() starts it anew")
        if len(set(names)) < len(names):
            raise LabError(f"{shown(names)} holds a name twice")

    def _forget(self, name: str) -> None:
        self._ports.taken.difference_update(self._modules.pop(name).ports)  # a proxy that is closed gives its port back by itself

    @property
    def modules(self) -> Mapping[str, Module]:
        """The modules by name, in the order of their start; read-only."""
        return MappingProxyType(self._modules)

    def __getitem__(self, name: str) -> Module:
        try:
            return self._modules[name]
        except KeyError:
            there = ", ".join(map(repr, self._modules)) or "none yet"
            raise LabError(f"no module {shown(name)} is in this lab; there is {there}; lab.start({shown(name)}) starts it") from None

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._modules)

    def close(self) -> None:
        """End all servers; a second time nothing happens."""
        self._processes.close()
        if self._cluster is not None:
            self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "closed; " if self._processes.closed else ""
        closed += "" if self._cluster is None else f"{self._cluster.api}; "
        return f"<Lab {closed}{' | '.join(str(module) for module in self._modules.values()) or 'no module yet'}>"


def _settings(
    min_ping_interval: float, host: str, kind: ServerKind | str, max_connection_age: float | None, max_message_bytes: int | None
) -> ServerSettings:
    """What all servers that are started at a time have in common.

    Raises:
        OptionsError: a setting is refused.
    """
    check_seconds("min_ping_interval", min_ping_interval, zero=False, most=86_400)
    check_loopback("host", host)
    if max_connection_age is not None:
        check_seconds("max_connection_age", max_connection_age, zero=False)
    if max_message_bytes is not None:
        check_int("max_message_bytes", max_message_bytes, 0, 2**31 - 1)
    return ServerSettings(
        name="",
        host=host,
        kind=ServerKind.parse(kind),
        min_ping_interval=min_ping_interval,
        max_connection_age=max_connection_age,
        max_message_bytes=max_message_bytes,
    )
