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

from tinypool_nb.core.discovering import LEFT_OUT, Known, Owner, Scope, Standing, observe, refused, removed, taken, wanted
from tinypool_nb.core.events import MarkKind
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.tinymodules import decode, named
from tinypool_nb.discovery.book import Book
from tinypool_nb.discovery.forwards import Forwards
from tinypool_nb.errors import ForwardError, PoolClosedError, TinypoolError
from tinypool_nb.journal.journal import Journal

log = logging.getLogger("tinypool_nb.discovery")

Place = Callable[[ModuleKey, str | None], object]
"""Makes the pool have a module at an address; None takes it away."""
Lead = Callable[[ModuleKey, str, str], object]
"""Makes the pool have a module at a local address that leads to it; then comes its own."""


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
        self._left_out: dict[ModuleKey, str] = {}
        """What a person unregistered, with the address that it had then: there it is not registered again."""
        # Reentrant, and not held while marks are made and logged: a handler of the log may ask the pool for anything.
        self._lock = threading.RLock()

    def open(self, scope: Scope, own: ModuleKey | None = None, forwards: Forwards | None = None) -> Book:
        """A book for one more discovery. It was asked for after what a person unregistered, so that comes back."""
        with self._lock:
            self._left_out = {key: there for key, there in self._left_out.items() if scope.namespace not in {None, key.namespace}}
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

    def by_hand(self, key: ModuleKey, owner: Callable[[ModuleKey], Owner]) -> None:
        """A person registered a module, or unregistered it. What is no discovery's any more is a person's to place, or to leave out.

        Args:
            key: the module.
            owner: tells whose it is now: it may have moved on since.
        """
        with self._lock:
            now = owner(key)
            if now is Owner.DISCOVERY:
                return
            placed = self._placed.pop(key, None)
            if placed is not None:
                self._leave(key, None)
            if placed is not None and now is Owner.NOBODY:
                self._left_out[key] = placed.address
            else:
                self._left_out.pop(key, None)  # what a person had registered follows the cluster again
            told = [told for book in self._in_order() if key in book.known for told in self._settle(book, key)]
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
            if before is not None and before.standing is Standing.REFUSED and before.address == known.address:
                known = refused(known, before.reason)  # until the pool takes it; why it did not was told
                text = "" if before.module.uid == module.uid else text
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
                match self._standing(key, known, placed):
                    case Standing.REFUSED if known.standing is not Standing.REFUSED:
                        yield replace(known, standing=Standing.REFUSED, reason=LEFT_OUT)
                    case Standing.SHADOWED if placed is not None:
                        yield replace(known, standing=Standing.SHADOWED, reason=f"another discovery has it at {placed.address}")
                    case Standing.REGISTERED if placed is not None:
                        shared = [f"shared address: {at[placed.address]} modules name it"] if at[placed.address] > 1 else []
                        yield replace(known, reason="; ".join([*shared, *_ways(book, key)]))
                    case _:
                        yield known

    def counts(self, book: Book) -> dict[Standing, int]:
        """How many of a discovery's resources stand how; none that there are none of."""
        counted = Counter(self._standing(key, known, self._placed.get(key)) for key, known in tuple(book.known.items()))
        return {standing: counted[standing] for standing in Standing if standing in counted}

    def _standing(self, key: ModuleKey, known: Known, placed: Placed | None) -> Standing:
        """How a resource stands, in view of what a person and other discoveries did."""
        if known.address is None or known.standing is Standing.REFUSED:
            return known.standing
        if key in self._left_out:
            return Standing.REFUSED
        return known.standing if placed is None or placed.address == known.address else Standing.SHADOWED

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
        if self._is_left_out(key, address):
            return []
        known = book.known.get(key)
        try:
            placed = None if address is None else Placed(address, self._led_to(key, address))
            told = self._moved(key, placed)
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
            told = told or [Told(key, f"the pool has it now, at {address}")]
        return told

    def _is_left_out(self, key: ModuleKey, address: str | None) -> bool:
        """Whether a person unregistered the module at this address. Once it names another one, that is over."""
        if self._left_out.get(key) not in {None, address}:
            del self._left_out[key]
        return key in self._left_out

    def _moved(self, key: ModuleKey, placed: Placed | None) -> list[Told]:
        """Let the pool have it there, if it has not."""
        if placed == self._placed.get(key):
            return []
        self._put(key, placed)
        if placed is None:
            del self._placed[key]
            return []
        self._placed[key] = placed
        return [] if placed.local is None else [Told(key, f"forwarded from {placed.local} to {placed.address}")]

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
            self._leave(key, None if there is None else there.local)

    def _leave(self, key: ModuleKey, local: str | None) -> None:
        """Let ports go that led to a module, but for this one."""
        for forwards in {book.forwards for book in self._books}:
            forward = None if forwards is None else forwards.get(key)
            if forwards is not None and forward is not None and forward.local != local:
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
