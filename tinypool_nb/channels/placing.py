"""Where modules are put: by a person's commands, or by a discovery, which moves only what it has put there itself."""

import threading

from tinypool_nb.channels.modules import Modules
from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.decisions import Command, Operation, Register, Tell, Unregister
from tinypool_nb.core.discovering import Owner
from tinypool_nb.core.forwarding import forwarded_options
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import TinypoolError
from tinypool_nb.metrics.operations import Operations


class Placing:
    """Carries out what both ask for, and knows who has put a module where it is.

    Args:
        modules: what is changed.
        operations: what a discovery does is counted there.
        defaults: the settings of a module that has none of its own.
    """

    def __init__(self, modules: Modules, operations: Operations, defaults: PoolOptions) -> None:
        self._modules = modules
        self._operations = operations
        self._defaults = defaults
        self._placed: dict[ModuleKey, str] = {}
        """Where a discovery has put what nobody has moved since by hand; of what is forwarded, the local port."""
        self._forwarded: dict[ModuleKey, tuple[PoolOptions, PoolOptions]] = {}
        """The settings of modules that were reached by port-forward, and what they would be without it."""
        self._lock = threading.Lock()  # around what is placed, with the change itself; no foreign code runs in it

    def by_hand(self, command: Command) -> Tell:
        """A person's command: what it moves is a person's from now on."""
        with self._lock:
            tell = self._modules.change(command)
            match command:
                case Register(key, address) if self._placed.get(key) == address.text:
                    pass  # only its options may be others from now on
                case Register(key) | Unregister(key):
                    self._placed.pop(key, None)
                case _:
                    pass
        return tell

    def owner(self, key: ModuleKey) -> Owner:
        """Who has put the module where it is now."""
        with self._lock:
            if key in self._placed:
                return Owner.DISCOVERY
            return Owner.NOBODY if self._modules.channel(key) is None else Owner.PERSON

    def place(self, key: ModuleKey, address: str | None) -> None:
        """What a discovery asks for: the module at this address, or no more. The discovery tells of it itself.

        Raises:
            TinypoolError: a person registered it, and it is left alone.
        """
        self._change(Unregister(key) if address is None else Register(key, parse_address(address), self._unforwarded(key)))

    def lead(self, key: ModuleKey, local: str, address: str) -> None:
        """The same for a module that a local port leads to."""
        own = self._unforwarded(key)
        options = forwarded_options(own, address)
        self._change(Register(key, parse_address(local), options))
        self._forwarded[key] = options, own

    def _unforwarded(self, key: ModuleKey) -> PoolOptions:
        """The module's settings, without what port-forward changed about them."""
        options = self._modules.options.get(key, self._defaults)
        changed, own = self._forwarded.get(key, (None, options))
        return own if options == changed else options

    def _change(self, command: Register | Unregister) -> None:
        operation: Operation = "unregister" if isinstance(command, Unregister) else "register"
        try:
            tell = self._moved(command)
        except Exception:
            self._operations.add(operation, "error")
            raise
        if tell is not None:
            self._operations.add(tell.operation, tell.status)

    def _moved(self, command: Register | Unregister) -> Tell | None:
        """The command, carried out; None if there was nothing to be done since the module is a person's."""
        key = command.key
        with self._lock:
            if key not in self._placed and self._modules.channel(key) is not None:
                if isinstance(command, Unregister):
                    return None
                raise TinypoolError("it was registered by hand, and is left alone; once it is unregistered it follows the cluster")
            tell = self._modules.change(command)
            self._placed.pop(key, None)
            if isinstance(command, Register):
                self._placed[key] = command.address.text
        return tell
