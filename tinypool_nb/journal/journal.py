"""The journal: everything that was seen, as bounded columns, with totals that stay right when old rows go."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, Event, Mark, MarkKind, Observation, Transition
from tinypool_nb.core.folding import Folding, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.latency import Distribution
from tinypool_nb.errors import shown
from tinypool_nb.journal.bell import Bell
from tinypool_nb.journal.clock import system_clock
from tinypool_nb.journal.kinds import Attempts, Calls, Kind, Marks, Observations, Transitions
from tinypool_nb.journal.tables import Rows, Table

STAGED = 1024
"""Events after which `append` itself writes them into the columns, if no reader has asked for them before."""


class Position(NamedTuple):
    """How far somebody has read: a cursor over all tables, which only ever grows."""

    transitions: int = 0
    attempts: int = 0
    marks: int = 0
    calls: int = 0
    observations: int = 0


START = Position()
"""The position before everything."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows that came after a position. They never change, whatever the journal does later."""

    transitions: Rows
    attempts: Rows
    marks: Rows
    calls: Rows
    observations: Rows
    position: Position
    """Where to read on."""
    dropped: int
    """How many rows went before they could be read."""

    def __len__(self) -> int:
        return len(self.transitions) + len(self.attempts) + len(self.marks) + len(self.calls) + len(self.observations)


class Journal:
    """The record of a pool: transitions, attempts, marks, calls and observations, appended by any thread, read by any thread.

    `append` only puts the event on a list, which costs about 0.1 us and takes no lock. Whoever reads next first writes what
    waits there into the columns, many rows at once, and folds it into the modules' totals; so that list stays short
    without readers too, each 1024th append does it.

    Parameters:
        history: rows of each kind to keep; beyond, the oldest eighth goes at once, and marks say so. Totals stay right.
        clock: what time it is for marks and open intervals.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence
    >>> from tinypool_nb.core.states import State
    >>> journal = Journal()
    >>> channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    >>> journal.append(Transition(journal.clock.now(), channel, None, State.IDLE, "", Evidence.SEEN))
    >>> batch = journal.since(START)
    >>> list(batch.transitions.values("module")), len(journal.since(batch.position))
    (['http-module-v1'], 0)
    """

    def __init__(self, *, history: int = 5_000_000, clock: Clock | None = None) -> None:
        self.clock = clock or system_clock()
        self.history = history
        self.origin = uuid.uuid4().hex
        """Tells the records of different pools apart, wherever they are; it says nothing else."""
        self.changed = Bell()
        """Rung by each append; for the one follower to wait for."""
        self.folding = Folding()
        self.transitions = Transitions(self.folding, history=history)
        self.attempts = Attempts(self.folding, history=history)
        self.marks = Marks(history=history)
        self.calls = Calls(self.folding, history=history)
        self.observations = Observations(history=history)
        self._kinds: tuple[Kind, ...] = (self.transitions, self.attempts, self.marks, self.calls, self.observations)
        self._staged: dict[type[Event], list[Event]] = {Transition: [], Attempt: [], Mark: [], Call: [], Observation: []}
        self._told_of: dict[str, int] = {}
        self._lock = threading.Lock()  # around everything but the staged lists, whose own steps are atomic

    def append(self, event: Event) -> None:
        """Record one event. Never waits for a reader, and runs no foreign code.

        Raises:
            TypeError: it is no Transition, Attempt, Mark, Call or Observation.
        """
        try:
            staged = self._staged[type(event)]
        except KeyError:
            raise TypeError(f"a journal records Transition, Attempt, Mark, Call and Observation, not {shown(event)}") from None
        staged.append(event)
        self.changed.ring()
        # A reader that holds the lock is about to write these too, or will have let go at one of the next appends.
        if len(staged) >= STAGED and self._lock.acquire(blocking=False):
            try:
                self._write()
            finally:
                self._lock.release()

    def mark(self, text: str, *, kind: MarkKind = MarkKind.NOTE, key: ModuleKey | None = None) -> Mark:
        """Record a labelled moment, now, about one module or about all."""
        mark = Mark(self.clock.now(), kind, text, key)
        self.append(mark)
        return mark

    def position(self) -> Position:
        """The position behind everything that was appended up to now."""
        with self._lock:
            self._write()
            return self._position()

    def since(self, position: Position = START) -> Batch:
        """The rows after `position` that are still there, without copying them."""
        with self._lock:
            self._write()
            return self._batch(position)

    def keys(self) -> tuple[ModuleKey, ...]:
        """The modules ever seen, in the order in which they were."""
        with self._lock:
            self._write()
            return tuple(ledger.key for ledger in self.folding)

    def tables(self) -> Mapping[str, Table]:
        """The tables by name, as they are now: `len(table)` rows, `table.dropped` gone."""
        with self._lock:
            self._write()
        return {type(kind).__name__.lower(): kind.table for kind in self._kinds}

    def totals(self) -> Totals:
        """A copy of each module's current channel, open interval and totals."""
        with self._lock:
            self._write()
            return self.folding.totals()

    def snapshot(self, position: Position = START) -> tuple[Batch, Totals]:
        """The rows after `position` that are still there, and the totals at the same moment."""
        with self._lock:
            self._write()
            return self._batch(position), self.folding.totals()

    def disconnections(self) -> dict[ModuleKey, dict[str, int]]:
        """How often each module's connection was lost, by gRFC A94's `grpc.disconnect_error`."""
        with self._lock:
            self._write()
            now = self.clock.now()
            return {ledger.key: ledger.disconnections.counts(now) for ledger in self.folding}

    def latencies(self) -> dict[ModuleKey, dict[tuple[str, Code], Distribution]]:
        """How long each module's calls took, by method and code, of all calls ever recorded."""
        with self._lock:
            self._write()
            return {ledger.key: {which: h.read() for which, h in ledger.latencies.items()} for ledger in self.folding}

    def __repr__(self) -> str:
        position, modules = self.position(), len(self.folding)
        dropped = sum(kind.table.dropped for kind in self._kinds)
        counts = f"{position.transitions} transitions, {position.attempts} attempts, {position.marks} marks and {position.calls} calls"
        return f"<Journal of {modules} modules: {counts}{f', {dropped} of them dropped' if dropped else ''}>"

    def _batch(self, position: Position) -> Batch:
        transitions, attempts, marks, calls, observations = (
            kind.table.rows(start) for kind, start in zip(self._kinds, position, strict=True)
        )
        dropped = sum(max(0, kind.table.dropped - start) for kind, start in zip(self._kinds, position, strict=True))
        return Batch(transitions, attempts, marks, calls, observations, self._position(), dropped)

    def _position(self) -> Position:
        return Position(*(kind.table.end for kind in self._kinds))

    def _write(self) -> None:
        """Write what waits into the tables. The caller holds the lock."""
        for kind, staged in zip(self._kinds, self._staged.values(), strict=True):
            if not staged:
                continue
            rows = staged[:]
            del staged[: len(rows)]  # not clear(): another thread may have appended meanwhile
            dropped = 0
            for first in range(0, len(rows), kind.table.block):
                dropped += kind.append(rows[first : first + kind.table.block])
            if dropped:
                self._tell_of_dropped(kind)

    def _tell_of_dropped(self, kind: Kind) -> None:
        """Mark that old rows went: the first time, and whenever as many have gone again, else such marks would push out all others."""
        name, gone = type(kind).__name__.lower(), kind.table.dropped
        if gone >= 2 * self._told_of.get(name, 0):
            self._told_of[name] = gone
            self._staged[Mark].append(Mark(self.clock.now(), MarkKind.RECORD, f"the oldest {gone} {name} have gone", None))
