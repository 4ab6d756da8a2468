"""Faults of the clock: somebody sets it while connections live."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Scene

SHIFTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static volatile long shift;

void shift_wall_clock(long seconds) { shift = seconds; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""
"""The wall clock of a process, of Python and of gRPC core alike, moved as if somebody had set it; the monotonic clock goes on."""

PROGRAM = """
import ctypes, json, sys, time
import tinypool_nb as tp

set_clock = ctypes.CDLL(None).shift_wall_clock
begun, wall = time.monotonic(), time.time()
with tp.Lab() as lab, tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.2, maximum=0.5, min_connect_timeout=0.5))) as pool:
    module = lab.start("web")
    pool.register("web", module.address)
    pool.send("web", wait_for_ready=True, timeout=20)
    jumped = []
    for shift in (3600, -86_400, 0):
        set_clock(shift)
        jumped.append(round(time.time() - wall - shift - (time.monotonic() - begun), 1))
        module.kill()
        pool.wait("web", "IDLE", timeout=20)
        pool.health_check()
        pool.wait("web", "TRANSIENT_FAILURE", timeout=20)
        module.restart()
        pool.send("web", wait_for_ready=True, timeout=20)
    now = time.time()
    transitions, intervals, calls = pool.transitions(), pool.intervals(), pool.calls()
    took = time.monotonic() - begun
    steps = transitions["time"].diff().dropna().dt.total_seconds()
    print(json.dumps({
        "jumped": jumped,
        "took": took,
        "states": [state for state, before in zip(transitions["state"], transitions["previous"]) if state != before],
        "rows": len(transitions),
        "least step": steps.min(),
        "span": float((transitions["time"].iloc[-1] - transitions["time"].iloc[0]).total_seconds()),
        "away": float(abs(transitions["time"].iloc[-1].timestamp() - now)),
        "intervals": [intervals["duration"].min(), intervals["duration"].max()],
        "attempts": [pool.attempts()["duration"].min(), pool.attempts()["duration"].max()],
        "calls": float((calls["end"] - calls["start"]).dt.total_seconds().max()),
        "explained": pool.explain("web").diagnosis.verdict,
        "evidence": sorted(set(transitions["evidence"])),
    }))
"""


@pytest.mark.fault(32)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is Linux's")
def test_the_wall_clock_is_set(scene: "Scene", tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler, with which the clock of a process is moved")
    source, library = tmp_path / "shifted.c", tmp_path / "shifted.so"
    source.write_text(SHIFTED)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True, timeout=60)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LD_PRELOAD": str(library)},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(abs(seconds) < 1 for seconds in found["jumped"])  # the clock was really set
    assert found["states"] == ["IDLE", "CONNECTING", "READY", *["IDLE", "CONNECTING", "TRANSIENT_FAILURE", "READY"] * 3]
    assert found["least step"] >= 0
    assert found["span"] <= found["took"]
    assert found["away"] < 5
    for kind in ("intervals", "attempts"):
        least, most = found[kind]
        assert 0 <= least <= most <= found["took"]
    assert found["calls"] <= found["took"]
    assert found["explained"] == "nothing wrong" or "flapping" in found["explained"]
    scene.saw(
        f"set 1 h ahead, 1 day back, and right again, by a process whose clock_gettime is ours: {found['rows']} rows in order over "
        f"{found['span']:.1f} s, durations of 0 to {found['intervals'][1]:.1f} s, evidence {', '.join(found['evidence'])}"
    )
