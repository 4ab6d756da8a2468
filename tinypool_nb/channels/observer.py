"""One thread that watches any number of channels and misses no transition.

A sweep peeks at every state (0.3 us each) and so finds what to read; the trace that is then read says what happened,
when and why. The order loses nothing: peek at all, read the channel's trace, then its subchannels', remember the state in
which *the trace* ended, and if that is not the one peeked at, peek again and keep the channel due. READY -> IDLE ->
READY between two sweeps looks like nothing: audits find it.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush

from tinypool_nb.channels.channelz import Channelz
from tinypool_nb.channels.current import CurrentStates
from tinypool_nb.channels.watched import ARRIVED, HOT_FOR, Row, Watched
from tinypool_nb.core.events import ChannelIdentity, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.errors import TinypoolError
from tinypool_nb.journal.journal import Journal

log = logging.getLogger(__name__)

QUICK = 0.02
"""Seconds between two sweeps at rest at the least."""
HURRIED = 0.01
"""The same while something goes on, if the channels are few enough for `HURRY_SHARE` of a core."""
HURRY_SHARE = 0.05
LEAST = 0.005
"""Seconds between two sweeps at the least, so that a thousand modules registered in a row do not make a thousand sweeps."""
BREATH = 0.001
"""Seconds between two slices of reading while there is more to read."""
SLOW = 0.5
"""Seconds between two sweeps at the most."""
HURRY_FOR = 3.0
"""Seconds of quick sweeps after a change or an action of a person."""
SLICE = 0.02
"""Seconds that one sweep may read before it looks around again."""
AUDIT_LEAST, AUDIT_MOST = 1.0, 60.0
"""Seconds between two audits of a channel that looks quiet: as often as the share allows, within these bounds."""
WHILE_FAILING = 5
"""Times its share that the observer may use to follow the attempts of channels that fail."""
READ_COST = 150e-6
"""Seconds of processor time that an audit takes, as measured."""
TRACE_LAG = 1.0
"""Seconds that core's trace may lag behind its state before we write down what we see ourselves."""

Watcher = Callable[[Transition], None]
"""Told of each transition once it is recorded, in the observer's thread: it must return at once. If it raises it is dropped."""


class Observer:
    """Watches channels, appends what happened to the journal, keeps the current states, closes retired channels."""

    def __init__(self, journal: Journal, current: CurrentStates, *, share: float) -> None:
        """Start the thread. `share`: of one core that it may take at rest."""
        self._journal = journal
        self._current = current
        self._share = share
        self._channelz = Channelz(journal.clock.epoch)
        self._lock = threading.Lock()
        self._arriving: deque[Watched] = deque()
        self._leaving: deque[Watched] = deque()
        self._watched: dict[int, Watched] = {}
        self._newest: dict[ModuleKey, Watched] = {}
        self._row: list[Watched] = []
        self._peeks: list[Callable[[bool], int]] = []
        self._codes: list[int] = []
        self._unsettled = 0
        self._due: dict[int, Watched] = {}
        self._audits: list[tuple[float, int, Watched]] = []
        self._watchers: tuple[Watcher, ...] = ()
        self._failures: deque[Exception] = deque()
        self._last_failure = ""
        self._hurry_until = 0.0
        self._cost = 0.0
        self._stop = False
        self._drain = 0.0
        # A SimpleQueue, since the garbage collector may call `abandon` in the midst of anything, this thread's own waiting included.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tinypool-observer", daemon=True)
        self._thread.start()

    def watch(self, watched: Watched) -> None:
        """Begin to watch a channel; never waits. What its module's channel before it did until now is told first."""
        self._arriving.append(watched)
        self.hurry()

    def retire(self, watched: Watched) -> None:
        """Close the channel when nobody holds it and its calls have ended, at the latest after its `drain` seconds; never waits."""
        watched.left_at = time.monotonic()
        watched.close_by = watched.left_at + watched.options.drain
        self._leaving.append(watched)
        self.hurry()

    def hurry(self) -> None:
        """Sweep now, and quickly for some seconds: somebody has just done something."""
        self._hurry_until = time.monotonic() + HURRY_FOR
        self._wake.put(None)

    def add_watcher(self, watcher: Watcher) -> None:
        """Tell `watcher` of each transition from now on."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)

    def remove_watcher(self, watcher: Watcher) -> None:
        """Tell `watcher` no more."""
        with self._lock:
            self._watchers = tuple(other for other in self._watchers if other != watcher)  # a method is another object each time

    def catch_up(self) -> None:
        """Read every channel now: when this returns, all that happened before the call is in the journal."""
        with self._lock:
            self._take_arrivals()
            for watched in list(self._watched.values()):
                self._read(watched, time.monotonic())

    def catch_up_with(self, watched: Watched) -> None:
        """As `catch_up`, for one channel."""
        with self._lock:
            self._take_arrivals()
            if watched.identity.number in self._watched:
                self._read(watched, time.monotonic())

    def open_channels(self) -> dict[ChannelIdentity, int]:
        """The channelz id of each channel that is open, retired ones that still drain too.

        It holds the lock only as long as it takes to number what has just arrived: 0.2 ms a channel.
        """
        with self._lock:
            self._take_arrivals()
            numbers = {watched.identity: watched.find() for watched in self._watched.values() if watched.closed_at is None}
        return {channel: number for channel, number in numbers.items() if number is not None}

    @property
    def draining(self) -> int:
        """How many retired channels still wait for the end of their calls; takes no lock."""
        watched = list(self._watched.values())
        return sum(one.close_by is not None and one.closed_at is None for one in watched)

    def close(self, drain: float = 0.0) -> None:
        """Close every channel when its calls have ended, at the latest after `drain` seconds, and end the thread.

        When it returns each SHUTDOWN is recorded.
        """
        self._drain = drain
        self.abandon()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended: nothing will be recorded any more."""
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """As `close()`, but without waiting for it; takes no lock, so that a finalizer may call it."""
        self._stop = True
        self._wake.put(None)

    def _run(self) -> None:
        while not self._stop:
            used = time.thread_time()
            try:
                with self._lock:
                    self._sweep(time.monotonic())
            except Exception as failure:  # noqa: BLE001 whatever it is, the other channels are watched on
                self._failures.append(failure)
            self._tell_failures()
            self._cost += (time.thread_time() - used - self._cost) / 16
            self._rest(self._period())
        self._close_all()
        self._tell_failures()

    def _tell_failures(self) -> None:
        """Say in the log and the record that something went wrong in it, once for each thing; a later read finds what was left."""
        while self._failures:
            failure = self._failures.popleft()
            if repr(failure) != self._last_failure:
                self._last_failure = repr(failure)
                log.error("the observer failed and goes on", exc_info=failure)
                self._journal.mark(f"the observer failed and goes on: {failure!r}", kind=MarkKind.RECORD)

    def _rest(self, seconds: float) -> None:
        at_once = min(LEAST, seconds)
        time.sleep(at_once)
        with suppress(queue.Empty):
            self._wake.get(timeout=seconds - at_once)
            while True:
                self._wake.get_nowait()

    def _close_all(self) -> None:
        by = time.monotonic() + self._drain
        with self._lock:
            self._take_arrivals()
            self._leaving = deque(self._watched.values())
            for watched in self._leaving:
                if watched.close_by is None:  # the pool was forgotten, but who got a channel from it may still call
                    with suppress(TinypoolError):
                        watched.face.retire("its pool was forgotten, and so closed itself")
                watched.close_by = by if watched.close_by is None else min(by, watched.close_by)
        while self._watched:
            with self._lock:
                self._let_go(time.monotonic())
            time.sleep(0.002)  # core tells nobody that a call has ended or a trace was written
        self._audits.clear()

    def _period(self) -> float:
        if self._due:
            return BREATH
        if self._leaving or time.monotonic() < self._hurry_until:
            return max(HURRIED, min(QUICK, self._cost / HURRY_SHARE))
        return min(SLOW, max(QUICK, self._cost / (self._share / 2)))

    def _audit_period(self, channels: int, share: float) -> float:
        return min(AUDIT_MOST, max(AUDIT_LEAST, channels * READ_COST / share))

    def _sweep(self, now: float) -> None:
        self._take_arrivals()
        self._peek(now)
        until = now + SLICE
        for number in list(self._due):
            if time.monotonic() > until:
                return
            self._read(self._due.pop(number), now)
        while self._audits and self._audits[0][0] <= now and time.monotonic() < until:
            at, _, watched = heappop(self._audits)
            if at == watched.audit_at and watched.closed_at is None:
                self._read(watched, now, audit=True)
        if self._leaving:
            self._let_go(now)

    def _take_arrivals(self) -> None:
        if not self._arriving:
            return
        while self._arriving:
            watched = self._arriving.popleft()
            before = self._newest.get(watched.identity.key)
            if before is not None:
                self._read(before, time.monotonic())
            self._newest[watched.identity.key] = watched
            self._watched[watched.identity.number] = watched
            self._append([watched.begin()])
            self._audit_at(watched, time.monotonic() + ARRIVED)
        self._line_up()

    def _line_up(self) -> None:
        self._row = [watched for watched in self._watched.values() if watched.closed_at is None]
        self._peeks = [watched.peek for watched in self._row]
        self._codes = []

    def _peek(self, now: float) -> None:
        try:
            codes = [peek(False) for peek in self._peeks]
        except ValueError:  # a channel was closed behind our back
            codes = [watched.look().code for watched in self._row]
        if codes == self._codes:
            return
        self._codes = codes
        self._unsettled = codes.count(State.CONNECTING.code) + codes.count(State.TRANSIENT_FAILURE.code)
        for watched, code in zip(self._row, codes, strict=True):
            if code != watched.seen:
                self._see(watched, code)
                self._due[watched.identity.number] = watched
                self._hurry_until = now + HURRY_FOR

    def _see(self, watched: Watched, code: int) -> None:
        watched.seen = code
        self._current.update(watched.shown, watched.identity.number, State.from_code(code))

    def _read(self, watched: Watched, now: float, *, audit: bool = False) -> None:
        """Read the traces into the journal; a failure costs neither the other channels nor this one's next read."""
        rows: list[Row] = []
        try:
            self._find(watched, now, rows)
        except Exception as failure:  # noqa: BLE001 told once the lock is free, since a log may lead anywhere
            self._failures.append(failure)
        self._append(rows)
        if audit and rows and watched.state in {State.READY, State.IDLE}:
            watched.hot_until = now + HOT_FOR
        self._schedule(watched, now)

    def _find(self, watched: Watched, now: float, rows: list[Row]) -> None:
        """Add to `rows` what is new in the traces; if they end in another state than the one seen, look again."""
        stamp = self._journal.clock.now()
        watched.read(self._channelz, stamp, rows)
        if watched.state is not None and watched.state.code != watched.seen and watched.closed_at is None:
            self._codes = []  # the states are no longer those of the last sweep
            self._see(watched, watched.look().code)
        if watched.state is None or watched.state.code == watched.seen or watched.closed_at is not None:
            watched.due_since = None
        elif watched.due_since is None or now - watched.due_since < TRACE_LAG:
            watched.due_since = watched.due_since or now
            self._due[watched.identity.number] = watched
        else:
            watched.due_since = None
            rows += watched.infer(stamp)

    def _append(self, rows: list[Row]) -> None:
        for row in rows:
            self._journal.append(row)
            if isinstance(row, Transition):
                for watcher in self._watchers:
                    self._tell(watcher, row)

    def _tell(self, watcher: Watcher, row: Transition) -> None:
        try:
            watcher(row)
        except Exception as failure:  # who looks on never breaks the record
            self._watchers = tuple(other for other in self._watchers if other is not watcher)
            log.exception("a watcher of the observer raised and was dropped")
            self._journal.mark(f"a watcher was dropped: {failure!r}", kind=MarkKind.RECORD)

    def _schedule(self, watched: Watched, now: float) -> None:
        at_rest = self._audit_period(len(self._watched), self._share / 4)
        unsettled = self._audit_period(self._unsettled, self._share * WHILE_FAILING)
        at = now + watched.audit_in(now, at_rest, unsettled)
        if watched.audit_at <= now or at < watched.audit_at:
            self._audit_at(watched, at)

    def _audit_at(self, watched: Watched, at: float) -> None:
        watched.audit_at = at
        heappush(self._audits, (at, watched.identity.number, watched))

    def _let_go(self, now: float) -> None:
        """Take each leaving channel one step on: drain, close, SHUTDOWN seen, forgotten."""
        for _ in range(len(self._leaving)):
            watched = self._leaving.popleft()
            if watched.identity.number not in self._watched:
                self._leaving.append(watched)  # it has not arrived yet
                continue
            close_by = watched.close_by or 0.0
            if watched.closed_at is None and now < min(watched.ask_at, close_by):
                self._leaving.append(watched)
                continue
            watched.ask_at = now + (now - watched.left_at) / 10  # the longer the calls last, the more seldom: a read is not free
            # Asked before the counters are read: a call that is held now would not be counted yet.
            held = watched.face.is_held(watched.channel)
            self._read(watched, now)
            if watched.closed_at is None and ((watched.is_drained and not held) or now >= close_by):
                watched.channel.close()
                watched.closed_at = now
                self._line_up()
            if watched.closed_at is not None and (watched.state is State.SHUTDOWN or now - watched.closed_at > TRACE_LAG):
                self._append(watched.infer(self._journal.clock.now(), State.SHUTDOWN, "closed by the pool"))
                self._watched.pop(watched.identity.number)
                if self._newest.get(watched.identity.key) is watched:
                    del self._newest[watched.identity.key]
                self._due.pop(watched.identity.number, None)
            else:
                self._leaving.append(watched)
