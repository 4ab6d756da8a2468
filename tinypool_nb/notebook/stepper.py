"""A lesson against the lab, driven from Python: `stepper.next()`, `stepper.play()`, `stepper.reset()`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tinypool_nb.core.stepping import Acted, Happening, LookAgain, Next, Order, Pause, Perform, Play, Progress, Reset, Saw, Script, advance
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.kinds import attempt_events, transition_events
from tinypool_nb.notebook.performing import Performer

if TYPE_CHECKING:
    from tinypool_nb.channels.pool import ClientPool
    from tinypool_nb.core.expectations import Sight
    from tinypool_nb.journal.journal import Batch

log = logging.getLogger(__name__)

SECOND = 1_000_000_000
LOOK = 0.2
"""Seconds after which the record is completed at the latest while a step waits: failed attempts ring no bell."""


class Stepper:
    """Walks through one lesson. It displays itself as a table, and as text where there is no HTML.

    A step is done in a thread of its own, which ends with it, so a notebook's buttons may drive it as well as a cell. The servers
    are a lab of its own, and end with `reset`, `close` and the stepper itself.

    Args:
        pool: where the lesson's module is registered, under a name that is free; the lesson leaves all other modules alone.
        script: what is done and expected.

    Example:
        with pool.stepper("first look") as stepper:
            stepper.next()     # one step
            stepper.play()     # the others, for as long as all comes as expected
    """

    def __init__(self, pool: ClientPool, script: Script) -> None:
        self.script = script
        """What will be done, and what is expected of it."""
        self._pool = pool
        self._performer = Performer(pool, script)
        self._progress = Progress(script)
        self._position = pool.journal.position()
        self._lock = threading.RLock()  # around progress and position; never held while something is done
        self._driving = threading.Lock()  # around the thread's beginning and end
        self._thread: threading.Thread | None = None
        self._news = threading.Event()
        self._listeners: tuple[Callable[[], object], ...] = ()

    @property
    def progress(self) -> Progress:
        """How far it has come: a frozen value."""
        return self._progress

    @property
    def module(self) -> str:
        """The name that the lesson's module has in the pool."""
        return self._performer.name

    def next(self, *, wait: bool = True) -> Self:
        """Do the next step; after the last there is none, and nothing happens.

        Args:
            wait: until it has come as expected or not, some seconds at the most; False returns at once.
        """
        self._look()
        return self._go(Next(self._now()), wait=wait)

    def play(self, *, wait: bool = True) -> Self:
        """Do all steps that are left, and stop at the first that does not come as expected. `wait` as for `next`."""
        self._look()
        return self._go(Play(self._now()), wait=wait)

    def pause(self) -> None:
        """Begin no further step; the one under way comes to its end."""
        self._happen(Pause())

    def reset(self) -> Self:
        """Back to the beginning: the lesson's module and servers go."""
        orders = self._happen(Reset())
        with self._driving:
            self._join()
            if orders:
                self._performer.undo()
        return self

    def close(self) -> None:
        """End the lesson's servers and take its module away; what was seen stays. May be called twice."""
        self.pause()
        with self._driving:
            self._join()
            self._performer.undo()

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` after each change of `progress`, in whichever thread made it: it must return at once."""
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        """Call it no more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        done = len(self.progress.results) - (self.progress.current is not None)
        how = "" if not done else ", all as expected" if self.progress.as_expected else ", not all as expected"
        return f"<Stepper {self.script.name!r}: {done} of {len(self.script.steps)} steps{how}>"

    def __str__(self) -> str:
        from tinypool_nb.views import steps

        return steps.progress_text(self.progress)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from tinypool_nb.views import steps

        return {"text/plain": str(self), "text/html": steps.progress_html(self.progress)}

    def _now(self) -> int:
        return self._pool.journal.clock.now()

    def _go(self, happening: Next | Play, *, wait: bool) -> Self:
        with self._driving:
            orders = self._happen(happening)
            if orders:
                self._join()  # it has nothing left to do
                self._thread = threading.Thread(target=self._drive, args=(orders,), name="tinypool-stepper", daemon=True)
                self._thread.start()
            thread = self._thread
        if wait and thread is not None:
            try:
                thread.join()
            except KeyboardInterrupt:
                self.pause()
                raise
        return self

    def _join(self) -> None:
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _happen(self, happening: Happening) -> tuple[Order, ...]:
        with self._lock:
            before = self._progress
            self._progress, orders = advance(before, happening)
            changed = self._progress is not before
        self._tell(changed=changed)
        return orders

    def _tell(self, *, changed: bool) -> None:
        for listener in self._listeners if changed else ():
            try:
                listener()
            except Exception:
                self.unlisten(listener)
                log.exception("a listener of the stepper raised and was dropped")

    def _drive(self, orders: tuple[Order, ...]) -> None:
        """Perform orders, and say what was seen, until no step is under way."""
        follower = self._pool.follower
        try:
            follower.add(self._hear)
        except RuntimeError:
            log.debug("the pool is closed; the step will say so")
        try:
            while self._progress.current is not None:
                due = min((order.at for order in orders if isinstance(order, LookAgain)), default=None)
                if any(isinstance(order, Perform) for order in orders):
                    orders = self._perform(self._progress.current)
                else:
                    self._rest(due)
                    orders = self._look()
        except ReferenceError:  # a widget holds its pool weakly: without it there is no lesson
            self._happen(Reset())
        finally:
            follower.remove(self._hear)

    def _perform(self, step: int) -> tuple[Order, ...]:
        note, error = "", ""
        try:
            note = self._performer.perform(self.script.steps[step].act)
        except TinypoolError as failure:
            error = str(failure)
        except Exception as failure:  # whatever it is, the step has an end
            log.exception("a step of the lesson failed")
            error = f"{type(failure).__name__}: {failure}"
        acted = self._happen(Acted(self._now(), note, error))
        return (*acted, *(() if any(isinstance(order, Perform) for order in acted) else self._look()))

    def _rest(self, due: int | None) -> None:
        left = LOOK if due is None else min(LOOK, max(0.0, (due - self._now()) / SECOND))
        self._news.wait(left)
        self._news.clear()

    def _hear(self, _: Batch) -> None:
        self._news.set()

    def _look(self) -> tuple[Order, ...]:
        """Say what was seen until now; the record is completed first."""
        now = self._now()
        self._pool.catch_up()
        with self._lock:  # so that two threads that look hand the rows on in their order
            batch = self._pool.journal.since(self._position)
            self._position = batch.position
            events: tuple[Sight, ...] = (*transition_events(batch.transitions), *attempt_events(batch.attempts))
            before = self._progress
            self._progress, orders = advance(before, Saw(now, self._own(events)))
            changed = self._progress is not before
        self._tell(changed=changed)
        return orders

    def _own(self, sights: tuple[Sight, ...]) -> tuple[Sight, ...]:
        return tuple(sight for sight in sights if sight.channel.key == (None, self._performer.name))
