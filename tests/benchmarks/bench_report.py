"""What a report of a recording costs: to make, to keep, to open in a browser, and as PDF."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record, open_recording
from tinypool_nb.report.pdf import COMMANDS
from tinypool_nb.report.writing import write_recording_report

SECOND = 1_000_000_000
START = 1_770_000_000 * SECOND
LENGTH = 3_600 * SECOND
REASON = "UNAVAILABLE: ipv4:127.0.0.1:33651: Failed to connect to remote host: connect: Connection refused (111)"
CIRCLE = (State.CONNECTING, State.TRANSIENT_FAILURE, State.READY, State.IDLE)
ROUNDS = 5

DRAWN = """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
    const canvas = document.querySelector(".tinypool-live-canvas");
    resolve(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0));
})))"""


def record(modules: int, changes: int) -> Record:
    """An hour in which every module goes round and round: connecting, failing, ready, lost."""
    rng = np.random.default_rng(0)
    journal = Journal(history=10_000_000, clock=Clock(epoch=START + LENGTH, monotonic=lambda: 0))
    for number in range(modules):
        channel = ChannelIdentity(number + 1, ModuleKey(None, f"http-module-v{number}"), f"127.0.0.1:{20_000 + number}", 1)
        previous = None
        for turn, time_ in enumerate((START + np.sort(rng.integers(0, LENGTH, changes))).tolist()):
            state = State.IDLE if previous is None else CIRCLE[turn % 4]
            failed = state is State.TRANSIENT_FAILURE
            journal.append(Transition(time_, channel, previous, state, REASON if failed else "", Evidence.SEEN))
            if failed or state is State.READY:
                outcome = Outcome.FAILED if failed else Outcome.READY
                journal.append(
                    Attempt(channel, 7, "ipv4:127.0.0.1:1", time_ - 1_000_000, time_, outcome, REASON if failed else "", Evidence.SEEN)
                )
            previous = state
    return Record(journal)


def opening(page_file: Path) -> float | None:
    """Seconds from asking for the page until its timeline is painted; None without Chromium."""
    executable = next(filter(None, map(shutil.which, COMMANDS)), None)
    if executable is None:
        return None
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--no-proxy-server"])
        for _ in range(ROUNDS):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            begin = time.perf_counter()
            page.goto(page_file.as_uri(), wait_until="load")
            assert page.evaluate(DRAWN)
            taken.append(time.perf_counter() - begin)
            page.close()
        browser.close()
    return median(taken)


def figures() -> Iterator[tuple[str, float, str, float | None, str]]:
    with tempfile.TemporaryDirectory() as folder:
        for modules, changes in ((300, 334), (1_000, 100)):
            recording, out = Path(folder) / "recording.parquet", Path(folder) / "report.html"
            record(modules, changes).save(recording)
            begin = time.perf_counter()
            write_recording_report(open_recording(recording), out, title="recording")
            taken = time.perf_counter() - begin
            what = f"report of {modules:,} modules, {modules * changes:,} transitions"
            yield f"{what}: opened and written", taken, "s", 20.0, ""
            yield f"{what}: size", out.stat().st_size / 1e6, "MB", 8.0, "plotly.js alone would be 4.8 MB"
            shown = opening(out)
            if shown is not None:
                yield f"{what}: from asking for it to painted", shown, "s", 2.0, "Chromium without a GPU"
                begin = time.perf_counter()
                write_recording_report(open_recording(recording), out.with_suffix(".pdf"), title="recording")
                size = f"{out.with_suffix('.pdf').stat().st_size / 1e6:.1f} MB"
                yield f"{what}: as PDF", time.perf_counter() - begin, "s", None, size
