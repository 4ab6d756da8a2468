"""The page's client pool: one connection a module, reused, health-checked, reconnected, and every transition of it recorded."""

import logging
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self

from tinypool_nb.channels.calling import Message, Sender
from tinypool_nb.channels.calls import CallLog
from tinypool_nb.channels.counters import Counters
from tinypool_nb.channels.credentials import channel_credentials
from tinypool_nb.channels.current import CurrentStates
from tinypool_nb.channels.health import HealthChecks
from tinypool_nb.channels.holding import Hold
from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.observer import Observer
from tinypool_nb.channels.placing import Placing
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.channels.prober import Prober
from tinypool_nb.channels.recordings import Recordings
from tinypool_nb.channels.waiting import Waiting
from tinypool_nb.core import decisions
from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.decisions import Close, Command, Reconnect, ReconnectLost, Register, Tell, Unregister
from tinypool_nb.core.discovering import Known
from tinypool_nb.core.events import MarkKind, Observation
from tinypool_nb.core.failures import Wire
from tinypool_nb.core.folding import CALLS, FAILED_CALLS
from tinypool_nb.core.hints import hinting
from tinypool_nb.core.keys import ModuleKey, parse_key, unknown
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.plain import on_one_line, one_line
from tinypool_nb.core.probing import SECOND, Connect, GiveUp
from tinypool_nb.core.states import State
from tinypool_nb.core.subchannels import Found
from tinypool_nb.core.telling import told_pool
from tinypool_nb.discovery.discoveries import Discoveries
from tinypool_nb.errors import ForkedPoolError, OptionsError, PoolClosedError
from tinypool_nb.journal.cases import Doubt, doubt
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.logs import log_transitions
from tinypool_nb.metrics.exposing import Metrics
from tinypool_nb.metrics.operations import Operations, counts_errors

if TYPE_CHECKING:  # they load prometheus_client, or what is not always needed
    from tinypool_nb.discovery.discovery import Discovery
    from tinypool_nb.journal.recording.recorder import Recorder
    from tinypool_nb.metrics.collector import PoolCollector
    from tinypool_nb.metrics.server import MetricsServer

log = logging.getLogger("tinypool_nb.pool")

Asked = ParamSpec("Asked")

FEW = 32
"""Modules that `health` asks one by one, which takes 16 us."""


@hinting(settings=(field.name for field in fields(PoolOptions)))
class ClientPool:
    """One gRPC connection for each module, shared by all who call it. Thread-safe.

    Args:
        options: settings for all modules; a module may have its own.
        health_checks: seconds between periodic health checks; None leaves them off.

    Raises:
        OptionsError: a setting was refused, or a file of `options.tls` cannot be used.

    Example:
        >>> with ClientPool() as pool:
        ...     pool.register("http-module-v1", "127.0.0.1:50051")
        ...     pool.health()
        {'http-module-v1': <State.IDLE: 'IDLE'>}

    Source: the page's Pool, NewPool and Core Operations.
    """

    def __init__(self, options: PoolOptions | None = None, *, health_checks: float | None = None) -> None:
        self.options = PoolOptions() if options is None else options
        if not isinstance(self.options, PoolOptions):
            raise OptionsError("options", options, "a tp.PoolOptions")
        if self.options.tls is not None:
            channel_credentials(self.options.tls)  # a file that is missing is told here, not at the first module
        self.journal = Journal(history=self.options.history)
        self._pid = os.getpid()
        self._operations = Operations()
        self._current = CurrentStates()
        self._observer = Observer(self.journal, self._current, share=self.options.observer_share)
        self._calls = CallLog(self.journal.append, self.journal.clock, self._observer.hurry)
        self._prober = Prober(self._observer, self.journal, _weakly(self._reconnect_lost))
        self._modules = Modules(self._observer, self._current, self.journal.clock, self._calls, self._prober)
        self._faces = self._modules.faces
        self._waiting = Waiting(self._modules, self._observer, self._current, self.journal.clock)
        self._sender = Sender(self._modules, self._observer.catch_up_with, self._operations.add)
        self.follower = Follower(self.journal)
        self.follower.add(log_transitions)
        self._recordings = Recordings(self.journal, self.follower)
        self._metrics = Metrics(self.journal, self._current.copy, self._operations)
        self._checks = HealthChecks(self)
        self._placing = Placing(self._modules, self._operations, self.options)
        self._discoveries = Discoveries(self.journal, _weakly(self._place), _weakly(self._placing.lead))
        # Threads hold the parts, never the pool: one that nobody holds any more closes itself.
        self._finalizer = weakref.finalize(self, _abandon, self._observer, self._prober, self._checks, self._metrics, self._discoveries)
        self._finalizer.atexit = False
        if health_checks is not None:
            self.start_health_checks(every=health_checks)

    @counts_errors("register")
    def register(self, name: str, address: str, *, namespace: str | None = None, options: PoolOptions | None = None) -> None:
        """Make a module reachable. Nothing is dialled before its first call.

        The same address (and options) again changes nothing. Another one gets a new channel, and the old one is retired:
        calls under way on it end well, all later ones take the new channel.

        Args:
            name: what `get` and the record call it.
            address: `host:port`, `[::1]:port`, `dns:///host:port`, `ipv4:a:port,b:port`, ...
            namespace: where it comes from, if from Kubernetes.
            options: settings of its own, else the pool's.

        Raises:
            ModuleNameError, AddressError, OptionsError: the value was refused; nothing was dialled.
            PoolClosedError: after `close`.

        Source: the page's Register.
        """
        key = parse_key(name, namespace)
        parsed = parse_address(address)
        if options is not None and not isinstance(options, PoolOptions):
            raise OptionsError("options", options, "a tp.PoolOptions")
        self._carry_out(Register(key, parsed, self.options if options is None else options))

    def get(self, name: str | ModuleKey) -> PooledChannel | None:
        """The module's channel, or None if it is not registered. It stays valid for as long as the module is registered.

        A bare name does where only one namespace has it; else say `namespace/name`.

        Raises:
            AmbiguousModuleError: the bare name stands for several modules.

        Source: the page's Get.
        """
        face = self._faces.get(name)
        if face is None:
            self._modules.find(name)  # raises where the name is ambiguous
        return face

    def __getitem__(self, name: str | ModuleKey) -> PooledChannel:
        """As `get`, but an unknown name raises UnknownModuleError with the near names."""
        face = self.get(name)
        if face is None:
            if self.is_closed:
                raise PoolClosedError(f"pool[{name!r}]")
            raise unknown(self._modules.keys(), name)
        return face

    @counts_errors("unregister")
    def unregister(self, name: str | ModuleKey) -> bool:
        """Take a module away; its channel closes when the calls under way on it have ended (at most `drain` seconds).

        Returns:
            Whether it was registered.

        Source: the page's Unregister.
        """
        key = self._modules.find(name)
        if key is None:
            self._operations.add("unregister", "unchanged")
            return False
        return self._carry_out(Unregister(key)).status == "ok"

    @counts_errors("reconnect")
    def reconnect(self, name: str | ModuleKey) -> None:
        """Connect afresh, now: a new channel without the old one's backoff. Calls under way on the old one end well.

        Files of a Tls are read anew, so a renewed certificate is taken here.

        Raises:
            UnknownModuleError, AmbiguousModuleError, PoolClosedError
            OptionsError: such a file cannot be used; the old channel stays.
        """
        self._carry_out(Reconnect(name))

    @counts_errors("hold")
    def hold(self, name: str | ModuleKey) -> Hold:
        """Hold a module: from now on it connects only by `attempt()` of what is returned, one attempt at a time, until `release()`.

        Its channel is replaced by one that attempts nothing by itself; calls under way on the old one end well. One that is held
        already stays so. See `Hold` for what calls do meanwhile.

        Raises:
            UnknownModuleError, AmbiguousModuleError, PoolClosedError

        Example:
            with pool.hold("http-module-v1") as hold:
                print(hold.attempt())
        """
        tell = self._carry_out(decisions.Hold(name))
        assert tell.key is not None
        weak = weakref.WeakMethod(self._carry_out)  # as all parts, a hold keeps no pool alive

        def carry_out(command: Command) -> Tell:
            own = weak()
            if own is None:
                raise PoolClosedError("hold")
            return own(command)

        return Hold(tell.key, self._modules, self._observer, self.journal.clock, carry_out)

    @property
    def held(self) -> tuple[str, ...]:
        """The names of the modules that are held."""
        return tuple(watched.shown for watched in self._modules.channels() if watched.held)

    def send(
        self,
        name: str | ModuleKey,
        *,
        to: str = "",
        payload: bytes | str = b"",
        timeout: float | None = 10.0,
        wire: Wire = "message",
        wait_for_ready: bool = False,
        sender: str = "",
        edge: str = "",
        depth: int = 0,
    ) -> bytes:
        """Send one message to a module, wait for the answer, and return it.

        The page's check comes first: a connection that is neither READY nor IDLE gets nothing. With `wait_for_ready` the message waits
        for it instead, for as long as `timeout` lets it.

        Args:
            name: the module.
            to: the node and port that it is for, as `node.port`.
            payload: bytes, or a str that is sent as UTF-8.
            timeout: seconds until it is given up; None for never.
            wire: "message", as modules in the field serve it, or "send", as the docs describe it.
            wait_for_ready: wait for a connection instead of failing at once without one.
            sender: whom it is from.
            edge: the edge of the flow that it goes along; only wire="message" has it.
            depth: hops so far; sent as the metadata `x-message-depth`, if there are any.

        Raises:
            SendError: it was not answered. The subclass says what can be done: NotReadyError, UnavailableError, SendTimeoutError,
                MessageTooLargeError, ... Each carries module, address, code, reason, and state and last failure of the connection.
            ModuleGoneError: it was unregistered meanwhile, so nothing was sent.
            UnknownModuleError, AmbiguousModuleError, PoolClosedError, ForkedPoolError, OptionsError

        Example:
            >>> ClientPool().send("http-module-v1", to="node.port", payload=b"{}")
            Traceback (most recent call last):
            tinypool_nb.errors.UnknownModuleError: no module 'http-module-v1' is registered; register it first: ...

        Source: the page's Error Handling.
        """
        sent = Message(to, payload, timeout, wire, wait_for_ready, sender, edge, depth)
        return self._sender.send(name, sent)

    async def send_async(
        self,
        name: str | ModuleKey,
        *,
        to: str = "",
        payload: bytes | str = b"",
        timeout: float | None = 10.0,
        wire: Wire = "message",
        wait_for_ready: bool = False,
        sender: str = "",
        edge: str = "",
        depth: int = 0,
    ) -> bytes:
        """As `send`, for `await`: no thread waits, and a coroutine that is cancelled gives the call up."""
        sent = Message(to, payload, timeout, wire, wait_for_ready, sender, edge, depth)
        return await self._sender.send_async(name, sent)

    def health(self) -> dict[str, State]:
        """The state of each module's channel by the module's name.

        Up to 32 modules are asked at the call; of more it tells what the observer saw last, half a second ago at the most.

        Source: the page's GetHealth.
        """
        self._check_usable("health")
        if len(self._modules) > FEW:
            return self._current.copy()
        return {watched.shown: watched.look() for watched in self._modules.channels()}

    @counts_errors("health_check")
    def health_check(self) -> dict[str, State]:
        """Warn of each module that is not READY, ask it to connect, and return these modules with their states.

        Source: the page's HealthCheck.
        """
        self._check_usable("health_check")
        lagging: dict[str, State] = {}
        for watched in self._modules.channels():
            state = watched.look()
            if state is not State.READY:
                lagging[watched.shown] = state
                fields = {"module": watched.shown, "state": str(state)}
                log.warning("connection not ready: %(module)s is %(state)s", on_one_line(fields), extra={"tinypool": fields})
                watched.look(connect=True)
        self._observer.hurry()
        self._operations.add("health_check", "ok")
        return lagging

    def start_health_checks(self, every: float = 30.0) -> None:
        """Do a `health_check` every so many seconds, until `stop_health_checks` or `close`.

        Source: the page's Monitor Pool Health.
        """
        self._check_usable("start_health_checks")
        self._checks.start(every)

    def stop_health_checks(self) -> None:
        """End the periodic health checks."""
        self._checks.stop()

    def wait(self, name: str | ModuleKey, state: State | str = State.READY, timeout: float | None = None) -> None:
        """Block until the module is in `state`, or has been for a moment since the call began.

        To wait for READY asks an idle channel to connect. In a notebook prefer `await pool.until(...)`, which lets clicks through.

        Raises:
            WaitTimeoutError: not within `timeout` seconds; it carries the state and the last failure.
            UnknownModuleError: there is no such module, or it was unregistered meanwhile.
        """
        self._check_usable("wait")
        self._waiting.wait(name, state, timeout)

    async def until(self, name: str | ModuleKey, state: State | str = State.READY, timeout: float | None = None) -> None:
        """As `wait`, for `await`: the notebook's buttons and other coroutines go on meanwhile."""
        self._check_usable("until")
        await self._waiting.until(name, state, timeout)

    def serve_metrics(self, port: int = 9464, address: str = "127.0.0.1") -> "MetricsServer":
        """Let Prometheus scrape this pool over HTTP, until the server or the pool is closed. Each call opens one more server.

        Args:
            port: 0 takes a free one.
            address: where to listen; only this machine comes to the default, "0.0.0.0" lets in everybody who reaches it.

        Returns:
            The server, with its `url`, its `port` and `close()`.

        Raises:
            OptionsError: the port is taken, or the port or address is none.
            PoolClosedError: after `close`.

        Example:
            >>> with ClientPool() as pool:
            ...     pool.serve_metrics(port=0).url
            'http://127.0.0.1:.../metrics'

        Source: the page's Metrics; 9464 is where OpenTelemetry's exporters for Prometheus listen.
        """
        self._check_usable("serve_metrics")
        return self._metrics.serve(port, address)

    def collector(self) -> "PoolCollector":
        """This pool's metrics for a registry of your own, always the same object; one pool a registry.

        The registry keeps the record alive: unregister the collector when the pool is closed.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> with ClientPool() as pool:
            ...     CollectorRegistry().register(pool.collector())
        """
        return self._metrics.collector()

    def discover(
        self,
        *,
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
        label_selector: str | None = None,
        own_module: str | None = None,
        port_forward: bool = False,
    ) -> "Discovery":
        """Keep the pool equal to the TinyModule resources of a Kubernetes cluster, from now on, in the background.

        A module comes with its resource's address, moves when that changes and goes with the resource; one that names no usable address
        any more keeps the last. What was registered by hand is not touched, and what was unregistered by hand stays out until it names
        another address, or is discovered anew. The same discovery again replaces the one under way.

        Args:
            kubeconfig: a file; else KUBECONFIG, else ~/.kube/config, else the cluster that this runs in.
            context: one of its contexts; else the current one.
            namespace: only this one; else the context's.
            all_namespaces: take all of them.
            label_selector: only resources with such labels, as `tier=web,env!=test`.
            own_module: the name of the module that this runs in, to which it must not connect: the one in the pod's namespace; outside of
                a pod, in `namespace`, else in the context's. A namesake in another namespace is another module.
            port_forward: reach each module by a local port that leads through the API server to a pod of its service, as `kubectl
                port-forward` does; for a laptop, and for a handful: 16 modules at a time. More are reached by `PoolOptions(proxy=...)`.

        Returns:
            What is under way, with its `status`, `wait()` and `close()`.

        Raises:
            KubeconfigError: there is no cluster to be found; with what was tried. What the cluster says later stands in the status.
            OptionsError, PoolClosedError

        Example:
            >>> pool.discover(namespace="tinysystems").wait(timeout=10)  # doctest: +SKIP

        Source: the page's Integration with Discovery.
        """
        self._check_open("discover")
        return self._discoveries.begin(
            kubeconfig=kubeconfig,
            context=context,
            namespace=namespace,
            all_namespaces=all_namespaces,
            label_selector=label_selector,
            own_module=own_module,
            port_forward=port_forward,
        )

    def discoveries(self) -> "tuple[Discovery, ...]":
        """The discoveries under way, the oldest first; each has its `status`."""
        return self._discoveries.under_way()

    def resources(self) -> tuple[Known, ...]:
        """What the discoveries know of each resource that they saw."""
        return tuple(self._discoveries.known())

    def record(self, path: str | os.PathLike[str], *, replace: bool = False) -> "Recorder":
        """Record into a file from now on, until the pool is closed or what this returns is: a context manager, with `status` and `close`.

        All that the pool still knows is in it, and what comes is on the disk within seconds: also after a kill -9 or on a full disk
        `tp.open_recording(path)` opens what was written till then. A recorder that cannot go on stops and says so in a mark and in its
        status, and the pool goes on.

        Args:
            path: the Parquet file that it becomes; until it is closed its parts stand in the folder `<path>.partial`.
            replace: put it in the place of a file there, and of what an earlier recording left.

        Raises:
            RecordingPathError: there is such a file, or a recording that goes on or was not closed.
            OSError: it cannot be written there.
            PoolClosedError: after `close`; a notebook's pool can still `save`.

        Example:
            with pool.record("incident.parquet"):
                ...
        """
        self._check_open("record")
        return self._recordings.begin(self, path, replace=replace)

    def describe(self) -> dict[str, Any]:
        """What a recording says about the pool besides its rows; no secret is among it."""
        own = {str(key): options.as_dict() for key, options in self._modules.options.copy().items() if options != self.options}
        return {"options": self.options.as_dict(), "module_options": own}

    def debug(self) -> None:
        """Log each connection with its target and state, for a service that wants no frames.

        The target is what gRPC dials, as `dns:///127.0.0.1:50051`.

        Source: the page's Debug.
        """
        for watched in self._modules.channels():
            target = parse_address(watched.identity.address).target
            fields = {"module": watched.shown, "target": target, "state": str(watched.look())}
            log.info("pool connection: %(module)s at %(target)s is %(state)s", on_one_line(fields), extra={"tinypool": fields})

    def channelz(self) -> Found:
        """What gRPC core counts of every open channel at this moment: its subchannels, and their sockets.

        Retired channels that still drain are among them. A channel that goes away meanwhile is left out.

        It reads in the caller's thread and holds none of the pool's locks, so the record goes on meanwhile; 1000 connected
        modules take 0.7 s of it.

        Raises:
            ForkedPoolError: the pool is another process's.

        >>> with ClientPool() as pool:
        ...     pool.register("http-module-v1", "127.0.0.1:50051")
        ...     [(str(channel.key), subchannels) for channel, subchannels in pool.channelz().items()]
        [('http-module-v1', ())]

        Source: gRFC A14.
        """
        self._check_usable("channelz")
        counters = Counters(self.journal.clock)
        read = {channel: counters.subchannels(number) for channel, number in self._observer.open_channels().items()}
        return {channel: found for channel, found in read.items() if found is not None}

    def observe(self, key: ModuleKey, timeout: float = 2.0) -> tuple[Observation, ...]:
        """Look at everything around a module that the record does not have, and record it: counters, DNS now, environment, discovery.

        It looks in the caller's thread. One address that hangs up on a plaintext connection is said a TLS hello on a socket of its own;
        one that has been connecting for 2 s is dialled once, by TCP alone.

        Args:
            key: the module.
            timeout: seconds at most for each of DNS, the hello and the TCP connection.

        Raises:
            ForkedPoolError: the pool is another process's.
        """
        from tinypool_nb.channels import evidence  # which loads ssl

        self._check_usable("observe")
        watched = self._modules.channel(key)
        if watched is not None:
            self._observer.catch_up_with(watched)
        channel = None if watched is None else watched.identity
        number = None if channel is None else self._observer.open_channels().get(channel)
        subchannels = None if number is None else Counters(self.journal.clock).subchannels(number)
        resource = next((known for known in self._discoveries.known() if known.module.key == key), None)
        held = watched is not None and watched.held
        doubted = Doubt() if channel is None else doubt(self.journal, channel)
        seen = evidence.Seen(key, channel, subchannels or (), held, resource, *doubted)
        rows = evidence.observe(seen, self.journal.clock.now, timeout)
        for row in rows:
            self.journal.append(row)
        return rows

    def options_of(self, key: ModuleKey) -> PoolOptions:
        """The settings that a module has, or had when it was last registered."""
        return self._modules.options.get(key, self.options)

    def keys_at(self, address: str) -> list[ModuleKey]:
        """The modules registered at that address, or at one that shares an endpoint with it."""
        return self._modules.at(parse_address(address))

    def keys_through(self, address: str) -> list[ModuleKey]:
        """The modules whose proxy is at that address."""
        return self._modules.through(parse_address(address))

    def catch_up(self) -> None:
        """Read what may have happened, so that the journal is complete up to this moment."""
        self._check_usable("catch_up")
        self._observer.catch_up()
        self._calls.settle()

    def close(self, drain: float = 0.0) -> None:
        """Close every connection, with its SHUTDOWN recorded, and end all threads. What was recorded stays.

        Args:
            drain: seconds to wait at the most for calls under way.

        Source: the page's Close.
        """
        if os.getpid() != self._pid:
            return  # the threads and connections are the parent's
        self._discoveries.close()
        self._metrics.close()
        self._checks.stop()
        self._prober.abandon()
        self._carry_out(Close())  # first of what waits for the observer: it may be kept busy by channels that others go on to open
        self._prober.close()
        self._observer.close(drain)
        self.follower.close()
        self._recordings.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._modules.is_closed

    def __contains__(self, name: object) -> bool:
        return self._modules.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """The modules' names, as shown, in the order in which they came."""
        return iter([watched.shown for watched in self._modules.channels()])

    def __len__(self) -> int:
        return len(self._modules)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.is_closed:
            return f"<{type(self).__name__} closed>"
        if os.getpid() != self._pid:
            return f"<{type(self).__name__} of process {self._pid}>"
        calls, failed = self.journal.totals().numbers[:, [CALLS, FAILED_CALLS]].sum(axis=0).tolist()
        return told_pool(
            type(self).__name__,
            self.health(),
            checked_every=self._checks.every,
            draining=self._observer.draining,
            calls=calls,
            failed_calls=failed,
        )

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _carry_out(self, command: Command) -> Tell:
        self._check_usable(type(command).__name__.lower())
        tell = self._placing.by_hand(command)
        self._operations.add(tell.operation, tell.status)
        if tell.status != "unchanged":
            self.journal.mark(tell.text, kind=MarkKind.ACTION, key=tell.key)
            log.info("%s", one_line(tell.text if tell.key is None else f"{tell.key}: {tell.text}"))
            if isinstance(command, Register | Unregister):
                self._discoveries.by_hand(command.key, self._placing.owner)
        return tell

    def _place(self, key: ModuleKey, address: str | None) -> None:
        """What a discovery asks for."""
        self._placing.place(key, address)

    def _reconnect_lost(self, action: Connect | GiveUp) -> None:
        """What the prober asks for, in its thread."""
        channel = action.channel
        watched = self._modules.channel(channel.key)
        if watched is None or watched.identity != channel:
            return
        if isinstance(action, GiveUp):
            why = "eager reconnection ends, gRPC's own backoff goes on"
        else:
            why = f"eager, it listens again {action.after / SECOND:.2f} s after it was lost"
            match watched.look():
                case State.TRANSIENT_FAILURE:
                    self._carry_out(ReconnectLost(channel.key, channel.generation, why))
                    return
                case State.IDLE if not watched.held:  # which knows no backoff, so that its own channel is as quick as a fresh one
                    watched.look(connect=True)
                    self._observer.hurry()
                case _:  # gRPC was quicker
                    return
        text = f"reconnect: {why}"
        self.journal.mark(text, kind=MarkKind.ACTION, key=channel.key)
        log.info("%s", one_line(f"{channel.key}: {text}"))

    def _check_open(self, verb: str) -> None:
        self._check_usable(verb)
        if self.is_closed:
            raise PoolClosedError(verb)

    def _check_usable(self, verb: str) -> None:
        if os.getpid() != self._pid:
            raise ForkedPoolError(self._pid, os.getpid())
        if self.is_closed and verb in {"health_check", "start_health_checks"}:
            raise PoolClosedError(verb)


def _weakly(method: Callable[Asked, object]) -> Callable[Asked, None]:
    """As the method, which it does not keep its pool alive for."""
    weak = weakref.WeakMethod(method)

    def call(*asked: Asked.args, **named: Asked.kwargs) -> None:
        alive = weak()
        if alive is not None:
            alive(*asked, **named)

    return call


def _abandon(observer: Observer, prober: Prober, checks: HealthChecks, metrics: Metrics, discoveries: Discoveries) -> None:
    prober.abandon()
    discoveries.abandon()
    metrics.abandon()
    checks.abandon()
    observer.abandon()
