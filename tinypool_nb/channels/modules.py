"""The registered modules, each with its face and its current channel; changed by one command at a time."""

import threading
from collections.abc import Mapping

import grpc

from tinypool_nb.channels.calls import CallLog
from tinypool_nb.channels.current import CurrentStates
from tinypool_nb.channels.observer import Observer
from tinypool_nb.channels.opening import open_channel
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.channels.prober import Prober
from tinypool_nb.channels.watched import Watched, numbers
from tinypool_nb.core.addresses import Address, parse_address
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.decisions import Command, Open, Retire, Table, Tell, decide
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.keys import ModuleKey, need_key
from tinypool_nb.core.naming import Naming
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.tracing import MILLISECOND


class Modules:
    """Performs what `decide` says. Thread-safe; reading takes no lock."""

    def __init__(self, observer: Observer, current: CurrentStates, clock: Clock, calls: CallLog, prober: Prober) -> None:
        self._observer = observer
        self._current = current
        self._calls = calls
        self._prober = prober
        self._clock = clock
        self._lock = threading.Lock()
        self._table = Table()
        self._naming: Naming[PooledChannel] = Naming()
        self._watched: dict[ModuleKey, Watched] = {}
        self.faces: Mapping[object, PooledChannel] = self._naming.by_name
        """What `get` gives out, by every unambiguous name."""
        self.options: dict[ModuleKey, PoolOptions] = {}
        """The settings of each module, or what they were when it was last registered."""

    @property
    def is_closed(self) -> bool:
        """Whether all was taken away for good."""
        return self._table.closed

    def __len__(self) -> int:
        return len(self._watched)

    def keys(self) -> tuple[ModuleKey, ...]:
        """The modules, in the order in which they came."""
        return tuple(self._watched)

    def channels(self) -> tuple[Watched, ...]:
        """The current channel of each."""
        return tuple(self._watched.values())

    def channel(self, key: ModuleKey) -> Watched | None:
        """The current channel of one."""
        return self._watched.get(key)

    def find(self, asked: object) -> ModuleKey | None:
        """The module that `asked` means, or None; AmbiguousModuleError if it may mean several."""
        return self._naming.find(asked)

    def need(self, asked: object) -> ModuleKey:
        """The module that `asked` means; UnknownModuleError with the near names if there is none."""
        return need_key(self.keys(), asked)

    def at(self, address: Address) -> list[ModuleKey]:
        """The modules whose address shares an endpoint with that one."""
        return [key for key, entry in tuple(self._table.entries.items()) if entry.address.meets(address)]

    def through(self, address: Address) -> list[ModuleKey]:
        """The modules whose proxy is at that address."""
        entries = tuple(self._table.entries.items())
        return [key for key, entry in entries if entry.options.proxy and parse_address(str(entry.options.proxy)).meets(address)]

    def change(self, command: Command) -> Tell:
        """Decide and act; what is to be told, where other people's code may run, is left to the caller.

        Raises:
            PoolClosedError, UnknownModuleError, AmbiguousModuleError: as `decide`.
            OptionsError: as `decide`, or a file of a Tls cannot be used; then all is as before.
        """
        with self._lock:
            table, (*actions, tell) = decide(self._table, command)
            for action in actions:
                match action:
                    case Open():
                        self._open(action)
                    case Retire(key):
                        self._retire(key, "the pool was closed" if table.closed else "it was unregistered")
            self._table = table  # at the end: whoever interrupts a cell in the midst of this can do the same again
        assert isinstance(tell, Tell)
        return tell

    def _open(self, action: Open) -> None:
        """Opening a channel dials nothing and takes some 20 us, so it may happen under the lock: then no order can go wrong."""
        key, entry = action.key, action.entry
        born = self._clock.now() - MILLISECOND  # core's stamps are rounded down to milliseconds, and none is older than this one
        identity = ChannelIdentity(next(numbers), key, entry.address.text, entry.generation, entry.options.transport_text)
        channel = open_channel(entry.address.target, identity.number, entry.options, held=entry.held)
        old = self._watched.get(key)
        calls = self._calls if entry.options.record_calls else None
        face = self._face(identity, channel, calls) if old is None else old.face
        watched = Watched(identity, channel, face, entry.options, born=born, held=entry.held)
        self._current.enter(watched.shown, identity.number)
        self._prober.follow(watched, entry.address)
        self._observer.watch(watched)
        if old is not None:
            face.replace(channel, identity, calls, watched.gate())
            self._observer.retire(old)
        self._watched[key] = watched
        self.options[key] = entry.options
        if old is None:
            self._naming.add(key, face)
        if action.connect:
            watched.peek(True)

    def _face(self, identity: ChannelIdentity, channel: grpc.Channel, calls: CallLog | None) -> PooledChannel:
        current, shown = self._current, str(identity.key)
        return PooledChannel(identity, channel, calls=calls, state=lambda: current.get(shown))

    def _retire(self, key: ModuleKey, reason: str) -> None:
        watched = self._watched.pop(key, None)
        if watched is None:
            return  # an interrupt came between this and the table, the last time
        self._prober.forget(key)
        self._current.leave(watched.shown)
        self._naming.remove(key)
        watched.face.retire(reason)
        self._observer.retire(watched)
