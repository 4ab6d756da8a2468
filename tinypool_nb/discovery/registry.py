"""What discoveries saw -> the pool: it is asked to change exactly when the address that a module should have has changed.

Several discoveries may know one module; the first that was opened is obeyed (`core/discovering.py`). What a closed discovery had
registered stays, until one that covers as much has read the cluster: a cell that is run again replaces a discovery, and nothing flickers.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from tinypool_nb.core.discovering import Known, Scope, Standing, observe, refused, removed, taken, wanted
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.tinymodules import decode, named
from tinypool_nb.discovery.forwards import Forwards
from tinypool_nb.errors import ForwardError, PoolClosedError, TinypoolError
from tinypool_nb.journal.journal import Journal

log = logging.getLogger("tinypool_nb.discovery")

Place = Callable[[ModuleKey, str | None], object]
"""Makes the pool have a module at an address; None takes it away."""
Lead = Callable[[ModuleKey, str, str], object]
"""Makes the pool have a module at a local address that leads to it; then comes its own."""


class Book:
    """What one discovery knows. Changed by its registry alone."""

    def __init__(self, scope: Scope, own: ModuleKey | None = None, forwards: Forwards | None = None) -> None:
        self.scope = scope
        self.forwards = forwards
        """By which its modules are reached; None: by their addresses."""
        self.own = own
        """The resource of the own module; None for none."""
        self.known: dict[ModuleKey, Known] = {}
        self.is_open = True

    def __repr__(self) -> str:
        return f"<Book {self.scope}: {len(self.known)} resources{'' if self.is_open else ', closed'}>"


class Placed(NamedTuple):
    """Where a module is."""

    address: str
    """As its resource says it."""
    local: str | None
    """What leads to it, if it is forwarded."""


class Told(NamedTuple):
    """What is to be told, and of whom; None for all."""

    key: ModuleKey | None
    text: str


class Registry:
    """The books of all discoveries of one pool. Thread-safe; reading takes no lock.

    Args:
        journal: where it tells what happened.
        place: performs a change; if it raises, the module is REFUSED and asked for again at the next list.
        lead: the same for a module that is forwarded; `place` with the local address by default.

    >>> placed = {}
    >>> books = Registry(Journal(), placed.__setitem__)
    >>> book = books.open(Scope("https://10.0.0.1", "tinysystems"))
    >>> metadata = {"namespace": "tinysystems", "name": "api-module-v1", "uid": "7c9e", "resourceVersion": "41"}
    >>> books.seen(book, {"metadata": metadata, "status": {"addr": "10.0.0.2:50051"}})
    >>> placed
    {ModuleKey(namespace='tinysystems', name='api-module-v1'): '10.0.0.2:50051'}
    """

    def __init__(self, journal: Journal, place: Place, lead: Lead | None = None) -> None:
        self._journal = journal
        self._place = place
        self._lead = lead or (lambda key, local, _address: place(key, local))
        self._books: tuple[Book, ...] = ()
        self._placed: dict[ModuleKey, Placed] = {}
        # Reentrant, and not held while marks are made and logged: a handler of the log may ask the pool for anything.
        self._lock = threading.RLock()

    def open(self, scope: Scope, own: ModuleKey | None = None, forwards: Forwards | None = None) -> Book:
        """A book for one more discovery."""
        with self._lock:
            book = Book(scope, own, forwards)
            self._books = (*self._books, book)
            return book

    def close(self, book: Book) -> None:
        """Its discovery ends. Its modules stay as they are, and from now on any other discovery's word counts before."""
        with self._lock:
            book.is_open = False
            told = [told for key in tuple(book.known) for told in self._settle(book, key)]
        self._tell(told)

    def cut_off(self, forwards: Forwards) -> None:
        """The port-forward of a discovery ends, so nothing leads to its modules any more: they leave the pool."""
        with self._lock:
            books = [book for book in self._books if book.forwards is forwards]
            self._books = tuple(book for book in self._books if book not in books)
            told = []
            for book in books:
                for key, known in tuple(book.known.items()):
                    text = removed(known)
                    told += [Told(key, f"{text}: its port-forward was closed")] if text and forwards.get(key) else []
                    told += self._settle(book, key)
        self._tell(told)

    def seen(self, book: Book, resource: object) -> None:
        """A resource is there, as it is now."""
        module, now = decode(resource), self._journal.clock.now()
        key = module.key
        with self._lock:
            before = book.known.get(key)
            if before is None:
                before = next((other.known[key] for other in self._left_to(book) if key in other.known), None)
            known, text = observe(before, module, own=book.own, now=now)
            if before is not None and before.standing is Standing.REFUSED and before.module == module:
                known, text = replace(before, seen=now), ""
            book.known[key] = known
            told = [*([Told(key, text)] if text else []), *self._settle(book, key)]
        self._tell(told)

    def gone(self, book: Book, resource: object) -> None:
        """A resource was deleted, or left the selection."""
        with self._lock:
            told = self._forget(book, named(resource))
        self._tell(told)

    def complete(self, book: Book, keys: set[ModuleKey]) -> None:
        """A list is complete: what it has not is gone, also of closed discoveries that were about no more than this one."""
        with self._lock:
            left = self._left_to(book)
            self._books = tuple(each for each in self._books if each not in left)
            told = [told for key in tuple(book.known) if key not in keys for told in self._forget(book, key)]
            for other in left:
                for key, known in other.known.items():
                    told += [*([] if key in book.known else [Told(key, removed(known))]), *self._settle(book, key)]
        self._tell([each for each in told if each.text])

    def tell(self, text: str, key: ModuleKey | None = None) -> None:
        """Tell something about a module, or about all."""
        self._tell([Told(key, text)])

    def rows(self) -> Iterator[Known]:
        """All resources, those of the first discovery first; one that several know, once."""
        shown: set[tuple[ModuleKey, str]] = set()
        at: Counter[str | None] = Counter(placed.address for placed in self._placed.copy().values())
        for book in self._in_order():
            for key, known in tuple(book.known.items()):
                if (key, known.module.uid) in shown:
                    continue
                shown.add((key, known.module.uid))
                placed = self._placed.get(key)
                there = None if placed is None else placed.address
                if known.standing is Standing.REGISTERED and there == known.address and at[known.address] > 1:
                    yield replace(known, reason="; ".join([f"shared address: {at[known.address]} modules name it", *_ways(book, key)]))
                elif book.forwards is not None and known.standing is Standing.REGISTERED and there == known.address:
                    yield replace(known, reason="; ".join(_ways(book, key)))
                elif known.address is None or known.standing is Standing.REFUSED or there in {None, known.address}:
                    yield known
                else:
                    yield replace(known, standing=Standing.SHADOWED, reason=f"another discovery has it at {there}")

    def counts(self, book: Book) -> dict[Standing, int]:
        """How many of a discovery's resources stand how; none that there are none of."""
        standings = [known.standing for known in tuple(book.known.values())]
        return {standing: standings.count(standing) for standing in Standing if standing in standings}

    def _in_order(self) -> tuple[Book, ...]:
        """Whose word counts before whose."""
        return tuple(sorted(self._books, key=lambda book: not book.is_open))

    def _left_to(self, book: Book) -> list[Book]:
        """Closed discoveries whose modules are that one's to take over."""
        return [other for other in self._books if not other.is_open and book.scope.covers(other.scope)]

    def _forget(self, book: Book, key: ModuleKey) -> list[Told]:
        known = book.known.pop(key, None)
        if known is None:
            return []
        for other in self._left_to(book):
            other.known.pop(key, None)
        text = removed(known)
        told = [*([Told(key, text)] if text else []), *self._settle(book, key)]
        if book.forwards is not None:  # there may be room now
            refusals = [other for other, each in book.known.items() if each.standing is Standing.REFUSED]
            told += [told for other in refusals for told in self._settle(book, other)]
        return told

    def _settle(self, book: Book, key: ModuleKey) -> list[Told]:
        """Let the pool have a module where it should be, if it is not there."""
        address = wanted(key, (each.known for each in self._in_order()))
        known = book.known.get(key)
        told: list[Told] = []
        try:
            placed = None if address is None else Placed(address, self._led_to(key, address))
            if placed != self._placed.get(key):
                self._put(key, placed)
                if placed is not None and placed.local is not None:
                    told = [Told(key, f"forwarded from {placed.local} to {placed.address}")]
        except PoolClosedError:
            return []
        except Exception as error:
            if not isinstance(error, TinypoolError):
                log.exception("the pool did not take %s", one_line(key))
            why = str(error) if isinstance(error, ForwardError) else f"the pool did not take it: {error}"
            if known is None:
                return [Told(key, why)]
            book.known[key] = refused(known, why)
            return [Told(key, why)] if known.reason != why else []
        if known is not None and known.standing is Standing.REFUSED:
            book.known[key] = taken(known)
        if placed is None:
            self._placed.pop(key, None)
        else:
            self._placed[key] = placed
        return told

    def _led_to(self, key: ModuleKey, address: str) -> str | None:
        """The local address that leads to the module, if the discovery that is obeyed forwards it.

        Raises:
            ForwardError: nothing leads to it.
        """
        obeyed = next(book for book in self._in_order() if key in book.known and book.known[key].address is not None)
        return None if obeyed.forwards is None else obeyed.forwards.open(key, address)

    def _put(self, key: ModuleKey, placed: Placed | None) -> None:
        """Let the pool have it there, and let ports go that lead to it no more."""
        there = self._placed.get(key)  # where it stays if the pool does not take it
        try:
            if placed is None or placed.local is None:
                self._place(key, None if placed is None else placed.address)
            else:
                self._lead(key, placed.local, placed.address)
            there = placed
        finally:
            for forwards in {book.forwards for book in self._books}:
                forward = None if forwards is None else forwards.get(key)
                if forwards is not None and forward is not None and (there is None or forward.local != there.local):
                    forwards.close(key)

    def _tell(self, told: list[Told]) -> None:
        for key, text in told:
            self._journal.mark(text, kind=MarkKind.DISCOVERY, key=key)
            fields = {"module": None if key is None else str(key)}
            log.info("%s", one_line(text if key is None else f"{key}: {text}"), extra={"tinypool": fields})

    def __repr__(self) -> str:
        return f"<Registry of {len(self._books)} discoveries: {len(self._placed)} modules in the pool>"


def _ways(book: Book, key: ModuleKey) -> list[str]:
    """How a module is reached, if it is forwarded."""
    forward = None if book.forwards is None else book.forwards.get(key)
    return [] if forward is None else [forward.note]
