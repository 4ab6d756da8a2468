"""What it costs to draw: the figure of 100,000 intervals with its JSON, the panel of a million calls, lanes and SVG."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import pandas as pd
import plotly.express as px

from tinypool_nb.core.codes import Code
from tinypool_nb.core.lanes import OPEN, Viewport, merge
from tinypool_nb.core.states import STATES
from tinypool_nb.views.figures import timeline
from tinypool_nb.views.pictures import timeline_svg

START = 1_770_000_000_000_000_000
LENGTH = 3_600_000_000_000
NOW = START + LENGTH
REASONS = ["", "UNAVAILABLE: ipv4:127.0.0.1:33651: Failed to connect to remote host: connect: Connection refused (111)"]
CODES = [str(code) for code in Code]
ROUNDS = 7


def milliseconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken)


def record(modules: int, each: int) -> pd.DataFrame:
    """An hour of modules that change their state at random moments: the least that merging can do."""
    rng = np.random.default_rng(0)
    start = START + np.sort(rng.integers(0, LENGTH, (modules, each)), axis=1)
    end = np.concatenate([start[:, 1:], np.full((modules, 1), OPEN)], axis=1)
    state = np.tile(np.arange(each) % 4, modules).astype(np.int8)
    names = [f"http-module-v{module}" for module in range(modules)]
    return pd.DataFrame(
        {
            "start": pd.DatetimeIndex(start.ravel().view("datetime64[ns]"), tz="UTC"),
            "end": pd.DatetimeIndex(end.ravel().view("datetime64[ns]"), tz="UTC"),
            "namespace": pd.Categorical.from_codes(np.full(modules * each, -1, dtype=np.int8), categories=pd.Index([], dtype=object)),
            "module": pd.Categorical.from_codes(np.repeat(np.arange(modules, dtype=np.int16), each), categories=pd.Index(names)),
            "transport": pd.Categorical.from_codes(np.zeros(modules * each, dtype=np.int8), categories=pd.Index(["plaintext"])),
            "state": pd.Categorical.from_codes(state, categories=pd.Index([str(one) for one in STATES]), ordered=True),
            "reason": pd.Categorical.from_codes((state == 3).astype(np.int8), categories=pd.Index(REASONS)),
        }
    )


def called(calls: int) -> pd.DataFrame:
    """The same hour: calls of some milliseconds, of a hundred modules; one in a thousand fails."""
    rng = np.random.default_rng(0)
    end = START + np.sort(rng.integers(0, LENGTH, calls))
    start = end - rng.lognormal(np.log(3e6), 1, calls).astype(np.int64)
    failed = rng.random(calls) < 0.001
    names = [f"http-module-v{module}" for module in range(100)]
    return pd.DataFrame(
        {
            "start": pd.DatetimeIndex(start.view("datetime64[ns]"), tz="UTC"),
            "end": pd.DatetimeIndex(end.view("datetime64[ns]"), tz="UTC"),
            "namespace": pd.Categorical.from_codes(np.full(calls, -1, dtype=np.int8), categories=pd.Index([], dtype=object)),
            "module": pd.Categorical.from_codes(rng.integers(0, 100, calls).astype(np.int16), categories=pd.Index(names)),
            "method": pd.Categorical.from_codes(np.zeros(calls, dtype=np.int8), categories=pd.Index(["module.ModuleService/Message"])),
            "code": pd.Categorical.from_codes(failed * np.int8(CODES.index(Code.UNAVAILABLE)), categories=pd.Index(CODES)),
            "sent": rng.integers(10, 10_000, calls),
            "received": rng.integers(10, 10_000, calls),
            "reason": pd.Categorical.from_codes(failed.astype(np.int8), categories=pd.Index(REASONS)),
        }
    )


def figures() -> Iterator[tuple[str, float, str, float | None, str]]:
    for modules, each in ((100, 1_000), (1_000, 100)):
        frame = record(modules, each)
        sizes: list[int] = []

        def draw(frame: pd.DataFrame = frame, sizes: list[int] = sizes) -> None:
            sizes.append(len(timeline(frame, now=NOW).to_json(validate=False)))

        taken = milliseconds(draw)
        yield f"figure and JSON, {modules:,} x {each:,} intervals", taken, "ms", 150.0, f"{sizes[-1] / 1e6:.1f} MB"

    frame = record(100, 1_000)
    closed = frame.assign(end=frame["end"].fillna(pd.Timestamp(NOW, tz="UTC")))

    def express() -> None:
        px.timeline(closed, x_start="start", x_end="end", y="module", color="state", hover_data=["reason"]).to_json(validate=False)

    yield "the same by px.timeline, nothing merged", milliseconds(express), "ms", None, "plotly's own, 100 x 1,000"

    frame = record(100, 10)
    for count in (3_000, 1_000_000):
        calls = called(count)
        sizes = []

        def draw_calls(frame: pd.DataFrame = frame, calls: pd.DataFrame = calls, sizes: list[int] = sizes) -> None:
            sizes.append(len(timeline(frame, None, calls, now=NOW).to_json(validate=False)))

        taken = milliseconds(draw_calls)
        yield (
            f"figure and JSON with {count:,} calls, 100 x 10 intervals",
            taken,
            "ms",
            1_000.0 if count > 3_000 else None,
            f"{sizes[-1] / 1e6:.1f} MB",
        )

    for modules, each in ((100, 1_000), (1_000, 100)):
        frame = record(modules, each)
        lane = frame["module"].cat.codes.to_numpy().astype(np.int64)
        start, end = (frame[name].to_numpy(dtype="datetime64[ns]").view(np.int64) for name in ("start", "end"))
        state = frame["state"].cat.codes.to_numpy()
        viewport = Viewport(START, NOW, 900)

        def lanes(columns: tuple[np.ndarray, ...] = (lane, start, end, state), viewport: Viewport = viewport) -> None:
            merge(*columns, viewport=viewport, now=NOW)

        yield f"lanes, {modules:,} x {each:,} intervals on 900 pixels", milliseconds(lanes), "ms", None, ""

    frame = record(300, 60)
    yield "SVG of 300 modules, 18,000 intervals", milliseconds(lambda: timeline_svg(frame, now=NOW)), "ms", None, ""
