"""A hundred modules under random faults, called, recorded, scraped and watched all along. `make soak` does it.

    python tests/soak/soak.py                       # ten minutes
    python tests/soak/soak.py --minutes 1 --seed 7  # what goes wrong is drawn as in an earlier run

Again and again everything is mended and the callers pause; then all who tell of a state must agree, every call must be accounted for,
and what the process takes is noted: nothing may leak. Ctrl-C ends it early, with what was seen till then.
The exit code is 0 if all held, 1 if not, 130 after Ctrl-C.
"""

import argparse
import logging
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tinypool_nb.channels.environment import prepare  # noqa: E402  the line above lets Python find it

prepare()

import pandas as pd  # noqa: E402  gRPC reads the environment while it loads, and so do all of these

import tinypool_nb as tp  # noqa: E402
from tests.soak import checks  # noqa: E402
from tests.soak.callers import Callers, Ends  # noqa: E402
from tests.soak.chaos import OPTIONS, Chaos  # noqa: E402
from tests.soak.onlookers import Scraper, a_browser  # noqa: E402
from tinypool_nb.core.states import State  # noqa: E402
from tinypool_nb.journal.journal import Journal  # noqa: E402
from tinypool_nb.journal.kinds import call_events  # noqa: E402
from tinypool_nb.journal.recording.recorder import RecorderStatus  # noqa: E402
from tinypool_nb.views import frames  # noqa: E402

MODULES = 100
CALLERS = 16
STEP = 0.15
"""Seconds between two things that go wrong."""
QUIET = 20.0
"""Seconds of chaos between two quiet moments."""
WARM = 0.5
"""The part of the soak after which memory counts: till then the record fills, and so do the pools of gRPC and of the allocator."""
BACK = 60.0
"""Seconds in which every module must be READY once all is mended."""
MOST_MEMORY = 60.0
"""MB an hour. Chance alone makes 30 of it. Some six channels are closed each second: kept for good, at 40 KiB each, they would be 900."""
JUDGED = 300.0
"""Seconds that a soak must have taken for its memory to be judged."""
MOST_DESCRIPTORS = 8
UNDER_WAY = 2
"""Threads that come and go: those that answer a scrape that is under way."""
MOST_THREADS = 12
"""By how many more than after the first minute, of what is gRPC core's own to open."""


class Soak:
    """One soak, and what was seen of it."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.seconds, self.seed = seconds, seed
        self.wrong: dict[str, list[str]] = {}
        """What did not hold, by what it is about."""
        self.figures: dict[str, str] = {}
        self.sizes: list[checks.Size] = []
        self.interrupted = False
        self._compared = 0
        self._begun = time.monotonic()

    def run(self) -> None:
        """Do it all."""
        warm_up()
        before = checks.size(self._begun)
        with tempfile.TemporaryDirectory() as folder, _errors_heard() as errors:
            path = Path(folder) / "soak.parquet"
            with ExitStack() as stack:
                browser, lab = stack.enter_context(a_browser()), stack.enter_context(tp.Lab())
                pool = stack.enter_context(tp.Pool(OPTIONS))
                recorder = pool.record(path)
                chaos = Chaos(lab, pool, MODULES, random.Random(self.seed))
                pool.start_health_checks(every=1.0)
                pool.panel()
                browser.hello()
                scraper = Scraper(pool.serve_metrics(0).url)
                stack.callback(scraper.stop)
                callers = Callers(CALLERS, pool, chaos.names, self.seed)
                stack.callback(callers.stop)
                try:
                    self._go_on(pool, chaos, callers)
                except KeyboardInterrupt:
                    self.interrupted = True
                    print("interrupted; it ends with a last look", flush=True)
                self._look(pool, chaos, callers, "at the end")
                callers.stop()
                scraper.stop()
                ends = callers.ends()
                self._note("callers and scraper", [*callers.failures(), *scraper.failures])
                self.figures["seed"] = str(self.seed)
                self.figures["time"] = f"{time.monotonic() - self._begun:.0f} s, {len(self.sizes)} quiet moments"
                self.figures["calls that were not sent"] = f"{callers.refused():,}: no connection, or not registered at the moment"
                self.figures["metrics"] = f"{scraper.scrapes:,} scrapes"
                self.figures["to the browser"] = f"{browser.messages:,} messages, {browser.size / 1e6:.1f} MB"
                self._tell(pool, chaos, ends)
                pool.close()
                self._note("a recording that opens and is the record", recording_differences(path, pool.journal, recorder.status, ends))
                self.figures["recording"] = f"{recorder.status.rows:,} rows, {recorder.status.size / 1e6:.1f} MB"
            self._note("errors in the log", errors)
        del pool, chaos, callers, scraper, recorder
        self._judge_sizes(before)

    def _go_on(self, pool: tp.Pool, chaos: Chaos, callers: Callers) -> None:
        """Chaos, then quiet, until it is over."""
        while time.monotonic() - self._begun < self.seconds:
            until = min(time.monotonic() + QUIET, self._begun + self.seconds)
            while time.monotonic() < until:
                chaos.step()
                time.sleep(STEP)
            self._look(pool, chaos, callers, f"{time.monotonic() - self._begun:.0f} s")

    def _look(self, pool: tp.Pool, chaos: Chaos, callers: Callers, when: str) -> None:
        """Let all be quiet, look, and let it go on."""
        callers.pause()
        self._note("states, while things are broken", checks.divergences(pool), when)
        chaos.mend_all()
        self._note("every module back", lagging(pool, chaos.names), when)
        self._note("states, when all is mended", checks.divergences(pool), when)
        self._note("every call accounted for", checks.unaccounted(pool, callers.ends()), when)
        compared, differing = checks.differences_from_core(pool)
        self._compared += compared
        self._note("transitions as in gRPC's own traces", differing, when)
        self._note("the record's own complaints", checks.complaints(pool), when)
        checks.settled(lambda: checks.size(self._begun).channels == MODULES)
        one = checks.size(self._begun)
        self.sizes.append(one)
        self._note("channels", [] if one.channels == MODULES else [f"gRPC core has {one.channels} of {MODULES}"], when)
        threads = f"{one.threads} threads, {one.system_threads} with gRPC's"
        remembered = f"{one.orphans} closed channels that gRPC remembers"
        print(f"{one.at:6.0f} s  {one.memory:6.1f} MB, {one.descriptors} descriptors, {threads}, {remembered}", flush=True)
        callers.resume()

    def _note(self, what: str, wrong: list[str], when: str = "") -> None:
        told = self.wrong.setdefault(what, [])
        told += [f"{when}: {each}" if when else each for each in wrong]
        for each in wrong[:5]:
            print(f"WRONG, {what} {when}: {each}", flush=True)

    def _tell(self, pool: tp.Pool, chaos: Chaos, ends: Ends) -> None:
        position, marks = pool.journal.position(), pool.marks()
        by_code: Counter[str] = Counter()
        for (_, code), count in ends.items():
            by_code[code] += count
        self.figures |= {
            "what went wrong": f"{sum(chaos.done.values()):,}: " + ", ".join(f"{count} {what}" for what, count in chaos.done.most_common()),
            "calls": f"{sum(ends.values()):,}: " + ", ".join(f"{count:,} {code}" for code, count in by_code.most_common()),
            "transitions, attempts": f"{position.transitions:,}, {position.attempts:,}",
            "transitions compared with core's": f"{self._compared:,}",
            "eager reconnections": f"{int(marks['text'].str.contains('reconnect: eager').sum()):,} among the last {len(marks):,} marks",
        }

    def _judge_sizes(self, before: checks.Size) -> None:
        def is_as_before() -> bool:
            return not more(checks.size(self._begun), before)

        checks.settled(is_as_before)
        after = checks.size(self._begun)
        leaks = more(after, before)
        warm = [one for one in self.sizes if one.at >= WARM * self.seconds] or self.sizes
        first, last = warm[0], warm[-1]
        if last.descriptors > first.descriptors + MOST_DESCRIPTORS:
            leaks.append(f"descriptors grew from {first.descriptors} to {last.descriptors}")
        if last.children > first.children:
            leaks.append(f"processes grew from {first.children} to {last.children}")
        if last.threads > first.threads + UNDER_WAY or last.system_threads > first.system_threads + MOST_THREADS:
            leaks.append(f"threads grew from {first.threads} ({first.system_threads}) to {last.threads} ({last.system_threads})")
        grows = checks.slope(warm) if len(warm) > 2 else 0.0
        is_judged = last.at >= JUDGED
        if is_judged and grows > MOST_MEMORY:
            leaks.append(f"memory grows by {grows} MB an hour, more than {MOST_MEMORY:g}")
        memory = [f"{of.memory:.0f} MB" for of in (self.sizes[0], first, last, after)]
        self.figures |= {
            "memory": "at first {}, when warm {}, at last {}, afterwards {}".format(*memory),
            "its slope when warm": f"{grows} MB/h, at most {MOST_MEMORY:g}" + ("" if is_judged else f", judged from {JUDGED:g} s on"),
            "descriptors": f"when warm {first.descriptors}, at last {last.descriptors}, then {after.descriptors} of {before.descriptors}",
            "processes": f"when warm {first.children}, at last {last.children}, then {after.children} of {before.children}",
            "threads": f"when warm {first.threads}, at last {last.threads}, afterwards {after.threads} of {before.threads}",
            "threads with gRPC's": f"when warm {first.system_threads}, at last {last.system_threads}, afterwards {after.system_threads}",
        }
        self._note("no leak", leaks)

    def table(self) -> str:
        """The figures, then a row for each thing that must hold."""
        width = max(map(len, (*self.figures, *self.wrong)))
        rows = [f"{what:{width}}  {told}" for what, told in self.figures.items()]
        rows += [f"{what:{width}}  {f'FAILED, {len(told)} times' if told else 'ok'}" for what, told in self.wrong.items()]
        return "\n".join(rows)


def more(after: checks.Size, before: checks.Size) -> list[str]:
    """Of what there is more afterwards than before, when nothing of the soak is left."""
    kinds = ("threads", "channels", "descriptors", "children")
    counts = [(kind, getattr(after, kind), getattr(before, kind)) for kind in kinds]
    return [f"{now} {kind} afterwards, {then} before" for kind, now, then in counts if now > then]


def warm_up() -> None:
    """What gRPC and this package open once and keep is open."""
    with tp.Lab() as lab, tp.Pool() as pool:
        pool.register("warm", lab.start("warm").address)
        pool.send("warm", wait_for_ready=True, timeout=20)
        pool.connections()


def lagging(pool: tp.Pool, names: list[str]) -> list[str]:
    """Modules that are not READY within `BACK` seconds of all being mended."""
    deadline, late = time.monotonic() + BACK, []
    for name in names:
        try:
            pool.wait(name, State.READY, timeout=max(0.1, deadline - time.monotonic()))
        except tp.TinypoolError as error:
            late.append(str(error))
    return late


def recording_differences(path: Path, journal: Journal, status: RecorderStatus, ends: Ends) -> list[str]:
    """Where the closed recording is not what the pool had: its rows, as far as it still has them, its totals, the callers' count."""
    wrong = [] if status.state == "closed" and not status.missed and not status.error else [f"the recorder: {status}"]
    recorded = tp.open_recording(path).journal
    calls = Counter((str(call.channel.key), str(call.code)) for call in call_events(recorded.since().calls))
    if calls != ends:
        wrong.append(f"the callers count {sum(ends.values())} calls, the recording has {sum(calls.values())}")
    if recorded.position() != journal.position():
        wrong.append(f"rows: {recorded.position()}, the journal {journal.position()}")
    comparisons: dict[str, Callable[[Journal], pd.DataFrame]] = {
        "transitions": frames.transitions,
        "attempts": frames.attempts,
        "calls": frames.calls,
        "marks": frames.marks,
        "summary": lambda of: frames.summary(of, now=journal.clock.now()),
    }
    for what, frame in comparisons.items():
        mine = frame(journal).reset_index(drop=True)
        theirs = frame(recorded).tail(len(mine)).reset_index(drop=True)
        try:
            pd.testing.assert_frame_equal(mine, theirs, check_categorical=False)
        except AssertionError as difference:
            wrong.append(f"{what}: {' '.join(str(difference).split())}")
    return wrong


@contextmanager
def _errors_heard() -> Iterator[list[str]]:
    """What the package logs as errors, and what ends a thread."""
    heard: list[str] = []

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or record.name != "tinypool_nb.pool":  # which tells of each call that failed
                heard.append(self.format(record))

    handler, logger, before = Hearing(logging.ERROR), logging.getLogger("tinypool_nb"), threading.excepthook
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)  # a warning of each module that is not ready, each second, is for others
    threading.excepthook = lambda ended: heard.append(f"a thread ended by {ended.exc_value!r}")
    try:
        yield heard
    finally:
        logger.removeHandler(handler)
        threading.excepthook = before


def main(arguments: list[str]) -> int:
    """Run it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=None, help="of what is drawn by lot (default: another one each time)")
    chosen = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if chosen.seed is None else chosen.seed
    print(f"soaking {MODULES} modules for {chosen.minutes:g} minutes, seed {seed}", flush=True)
    checks.use_one_arena()
    soak = Soak(chosen.minutes * 60, seed)
    soak.run()
    print(soak.table())
    held = not any(soak.wrong.values())
    print("all of it held" if held else "it did not hold")
    return 130 if soak.interrupted else int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
