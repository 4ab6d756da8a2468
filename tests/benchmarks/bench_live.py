"""The live views in a real JupyterLab and browser: bytes, kernel CPU, frames, and the time from gRPC core's stamp to the pixel."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # the fixtures of the tests are its tools

from playwright.sync_api import sync_playwright

from tests.browser.conftest import IDLE, JupyterLab, Notebook, serving
from tests.conftest import CHROMIUM_FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Page

Figure = tuple[str, float, str, float | None, str]

SECONDS = 15
"""Of each measurement."""
REST = 6.5
"""Seconds between two transitions that are alone: the observer has come to rest."""

# A pool of `modules`, of which `flapping` are let down every `hold` seconds; all but those are at rest.
POOL = """\
import json, threading, time
import psutil
import tinypool_nb as tp
from tinypool_nb.journal.kinds import transition_events
from tinypool_nb.lab.flapping import FlappingServer
from tinypool_nb.widgets.live import LiveTimeline

modules, flapping, hold = {modules}, {flapping}, {hold}
still, breaking = FlappingServer(hold=None), FlappingServer(hold=hold)
pool = tp.Pool()
for number in range(modules - flapping):
    pool.register(f"still-{{number}}", still.address)
pool.health_check()
for number in range(modules - flapping):
    pool.wait(f"still-{{number}}", "READY", timeout=60)
for number in range(flapping):
    pool.register(f"flapping-{{number}}", breaking.address)
    pool.reconnect(f"flapping-{{number}}")
    time.sleep(hold / flapping)
over = threading.Event()
def mend():  # what is lost stays lost until somebody asks: what is over between two sweeps is found later, by audits
    while not over.wait(0.2):
        if any(state != "READY" for state in pool.health().values()):
            pool.health_check()
threading.Thread(target=mend, daemon=True).start()
timeline = LiveTimeline(pool.journal, pool.publisher, window=15.0)
timeline"""

BEGIN = """\
names = ("tinypool-publisher", "IOPub")
own = [thread.native_id for thread in threading.enumerate() if thread.name in names]
def used():
    return sum(thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id in own)
begun, position, cpu = time.monotonic(), pool.journal.position(), used()
before = int(pool.journal.since().transitions.columns["counted"].sum())
print("begun")"""

END = """\
share = (used() - cpu) / (time.monotonic() - begun)
rows = pool.journal.since(position).transitions
counted = rows.columns["counted"]
left_ready = [row.previous == "READY" for row in transition_events(rows)]
print(json.dumps({"share": share, "before": before, "times": (rows.columns["time"][counted] / 1e6).tolist(),
                  "left_ready": [ready for ready, one in zip(left_ready, counted.tolist()) if one]}))"""

CLOSE = 'over.set()\npool.close()\nstill.close()\nbreaking.close()\nprint("closed")'

# Notes when so many changes are on the screen: the frame after the one that drew them.
WATCH = """() => {
  window.drawn = [];
  document.querySelector(".tinypool-live").addEventListener("tinypool-drawn", event =>
    requestAnimationFrame(() => window.drawn.push([event.detail.changes, Date.now()])));
}"""

FRAMES = """seconds => new Promise(done => {
  let frames = 0;
  const begun = performance.now();
  const count = () => {
    frames += 1;
    if (performance.now() - begun < seconds * 1000) requestAnimationFrame(count);
    else done(frames / (performance.now() - begun) * 1000);
  };
  requestAnimationFrame(count);
})"""

# A journal without a network: modules with a hundred intervals each in the last minute, and ten changes a second from now on.
JOURNAL = """\
import json, random, threading, time
import numpy as np
from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.widgets import streaming
from tinypool_nb.widgets.live import LiveTimeline
from tinypool_nb.widgets.publisher import Publisher

journal = Journal()
follower = Follower(journal)
publisher = Publisher(journal, follower)
channels = [ChannelIdentity(n + 1, ModuleKey(None, f"module-{{n}}"), f"10.0.0.1:{{n + 1}}", 1) for n in range({modules})]
now, states, rng = journal.clock.now(), list(State)[:4], np.random.default_rng(0)
for moment in (now - 60 * 10**9 + np.sort(rng.integers(0, 60 * 10**9, 100))).tolist():
    for n, channel in enumerate(channels):
        journal.append(Transition(moment + n, channel, None, states[rng.integers(4)], "", Evidence.SEEN))
stop = threading.Event()
def change():
    while not stop.wait(0.1):
        journal.append(Transition(journal.clock.now(), random.choice(channels), None, random.choice(states), "", Evidence.SEEN))
threading.Thread(target=change, daemon=True).start()
waits, was_drawn = [], streaming.StreamingTimeline._hear
def note(figure, change):
    was_under_way = figure._is_under_way
    was_drawn(figure, change)
    if was_under_way and not figure._is_under_way:
        waits.append(time.monotonic() - figure._applied_at)
streaming.StreamingTimeline._hear = note
view = {view}
view"""


def figures() -> Iterator[Figure]:
    """Each row: what, measured, unit, bar, compared to."""
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "notebooks").mkdir()
        with serving(folder / "notebooks", folder / "home") as address, sync_playwright() as playwright:
            executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            chromium = playwright.chromium.launch(executable_path=executable, args=[*CHROMIUM_FLAGS])
            bench = Bench(JupyterLab(address, folder / "notebooks"), chromium)
            for modules in (10, 100, 1000):
                yield from bench.following(modules)
            for modules, bar in ((10, 150), (1000, 700)):
                yield from bench.alone(modules, bar)
            yield from bench.many()
            yield from bench.plotly()
            chromium.close()
    finally:
        shutil.rmtree(folder)


class Bench:
    """Opens notebooks and measures in them."""

    def __init__(self, lab: JupyterLab, chromium: Any) -> None:
        self._lab = lab
        self._chromium = chromium
        self._received = 0

    @contextmanager
    def notebook(self, cells: list[str]) -> Iterator[Notebook]:
        """A notebook in a page of its own."""
        page = self._chromium.new_page(viewport={"width": 1400, "height": 1400})
        page.set_default_timeout(120_000)
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        page.goto(self._lab.write("bench", cells))
        page.wait_for_function(IDLE)
        yield Notebook(page)
        page.close()
        self._lab.end_kernels()

    def _count(self, payload: str | bytes) -> None:
        self._received += len(payload)

    def following(self, modules: int) -> Iterator[Figure]:
        """Ten transitions a second, or some more, in all."""
        flapping = min(10, modules)
        with self.notebook([POOL.format(modules=modules, flapping=flapping, hold=3.0), BEGIN, END, CLOSE]) as notebook:
            frames, received, said, lags = self._measure(notebook, SECONDS)
            rate = len(said["times"]) / SECONDS
        name = f"live, {modules} modules"
        yield f"{name}: stamp to pixel, p50", median(lags), "ms", 250 if modules == 100 else None, f"{rate:.0f} transitions a second"
        yield f"{name}: on the socket", received / SECONDS / 1e3, "kB a second", 20, "the envelopes of the messages included"
        yield f"{name}: kernel's CPU", said["share"] * 100, "% of a core", 3, "its publisher and its sending thread"
        yield f"{name}: frames", frames, "/s", 50 if modules == 1000 else None, "drawn anew each time"

    def alone(self, modules: int, bar: float) -> Iterator[Figure]:
        """A module is let down after the observer has come to rest."""
        with self.notebook([POOL.format(modules=modules, flapping=1, hold=REST), BEGIN, END, CLOSE]) as notebook:
            _, _, said, lags = self._measure(notebook, REST * 6)
        lags = [lag for lag, ready in zip(lags, said["left_ready"], strict=False) if ready]
        yield (
            f"live, one alone among {modules}: stamp to pixel, p50",
            median(lags),
            "ms",
            bar,
            f"{len(lags)} losses, each after {REST} s of rest",
        )

    def many(self) -> Iterator[Figure]:
        """As much as a view keeps."""
        with self.notebook([JOURNAL.format(modules=1000, view="LiveTimeline(journal, publisher, window=15.0)")]) as notebook:
            notebook.run()
            notebook.page.locator(".tinypool-live[data-status=live]").wait_for()
            frames = notebook.page.evaluate(FRAMES, SECONDS)
        yield "live, 1000 modules with 100,000 segments: frames", frames, "/s", 50, "following, drawn anew each time"

    def plotly(self) -> Iterator[Figure]:
        """A minute of the plotly timeline."""
        show = "print(json.dumps({'waits': waits, 'skipped': view.skipped, 'updates': view.updates}))"
        with self.notebook([JOURNAL.format(modules=100, view="streaming.StreamingTimeline(journal, publisher)"), show]) as notebook:
            notebook.run()
            notebook.page.locator(".js-plotly-plot .barlayer .point").first.wait_for(state="attached")
            frames = notebook.page.evaluate(FRAMES, 60)
            said = self._said(notebook, 1)
        first, last = said["waits"][:20] or [float("nan")], said["waits"][-20:] or [float("nan")]
        told = f"{said['updates']} updates, {said['skipped']} skipped; the first ones were drawn after {median(first) * 1e3:.0f} ms"
        yield "plotly, 100 modules for 60 s: frames", frames, "/s", 20, "at most 1,500 bars"
        yield "plotly, the last updates: until drawn, p50", median(last) * 1e3, "ms", None, told

    def _measure(self, notebook: Notebook, seconds: float) -> tuple[float, int, dict[str, Any], list[float]]:
        """Frames a second, bytes received, what the kernel says, and the milliseconds from each stamp to its pixel."""
        page: Page = notebook.page
        notebook.run()
        page.locator(".tinypool-live[data-status=live]").wait_for()
        page.evaluate(WATCH)
        notebook.run()
        notebook.cell(1).locator(".jp-OutputArea").get_by_text("begun").wait_for()
        before = self._received
        frames = page.evaluate(FRAMES, seconds)
        received = self._received - before
        said = self._said(notebook, 2)
        drawn = page.evaluate("window.drawn")
        notebook.run()
        notebook.cell(3).locator(".jp-OutputArea").get_by_text("closed").wait_for()
        lags = []
        for place, stamp in enumerate(said["times"]):
            at = next((at for changes, at in drawn if changes > said["before"] + place), None)
            if at is not None:
                lags.append(at - stamp)
        return frames, received, said, lags

    def _said(self, notebook: Notebook, number: int) -> dict[str, Any]:
        notebook.run()
        output = notebook.cell(number).locator(".jp-OutputArea-output")
        output.wait_for()
        said: dict[str, Any] = json.loads(output.inner_text())
        return said
