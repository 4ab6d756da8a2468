"""Finding a module by whatever a person may call it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from tinypool_nb.core.keys import ModuleKey, find_key

Named = TypeVar("Named")


class Naming(Generic[Named]):
    """Things by their module's key, by `namespace/name`, and by the bare name where only one module has it.

    >>> naming = Naming[int]()
    >>> naming.add(ModuleKey("a", "http"), 1)
    >>> naming.by_name["http"], naming.by_name["a/http"]
    (1, 1)
    >>> naming.add(ModuleKey("b", "http"), 2)
    >>> "http" in naming.by_name
    False
    """

    def __init__(self) -> None:
        self._by_name: dict[object, Named] = {}
        self._same: dict[str, dict[ModuleKey, Named]] = {}
        self.by_name: Mapping[object, Named] = MappingProxyType(self._by_name)
        """What each unambiguous name stands for, now and later."""

    def add(self, key: ModuleKey, thing: Named) -> None:
        """`key` stands for `thing`."""
        self._same.setdefault(key.name, {})[key] = thing
        self._by_name[key] = self._by_name[str(key)] = thing
        self._settle(key.name)

    def remove(self, key: ModuleKey) -> None:
        """`key` stands for nothing any more."""
        del self._same[key.name][key]
        del self._by_name[key]
        self._by_name.pop(str(key), None)
        self._settle(key.name)

    def find(self, asked: object) -> ModuleKey | None:
        """The key that `asked` means, or None.

        Raises:
            AmbiguousModuleError: a bare name that several modules have.
        """
        name = asked.name if isinstance(asked, ModuleKey) else str(asked).rpartition("/")[2]
        return find_key(tuple(self._same.get(name, ())), asked)  # a copy: another thread may add or remove one meanwhile

    def _settle(self, name: str) -> None:
        same = self._same[name]
        if len(same) == 1:
            self._by_name[name] = next(iter(same.values()))
        else:
            self._by_name.pop(name, None)
        if not same:
            del self._same[name]
