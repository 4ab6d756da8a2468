"""Nothing of the lab outlives its kernel, and nothing that hits the kernel hits the lab. Kernels are processes of their own here."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tinypool_nb.errors import LabError
from tinypool_nb.lab import FlappingServer, Lab, ServerState

SCENE = """
import json, os, sys
from tinypool_nb.errors import LabError
from tinypool_nb.lab import Lab

lab = Lab()
serving, frozen = lab.start_all(["serving", "frozen"])
frozen.freeze()
def tell(**facts):
    print(json.dumps(facts), flush=True)
tell(guard=lab._processes._guard.pid, servers=[serving.pid, frozen.pid])
"""

Gone = Callable[..., bool]


@contextmanager
def kernel(script: str = "") -> Iterator[tuple["subprocess.Popen[str]", Callable[[], dict[str, Any]]]]:
    """A process that runs SCENE and `script`, then waits for a line; and what it tells, line by line."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{SCENE}{script}\nsys.stdin.readline()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, lambda: json.loads(process.stdout.readline())  # type: ignore[union-attr]
        finally:
            process.kill()


def test_a_killed_kernel_takes_all_along_the_frozen_too(gone: Gone) -> None:
    with kernel() as (process, told):
        pids = told()
        assert psutil.Process(pids["servers"][1]).status() == psutil.STATUS_STOPPED
        process.kill()
        process.wait()
        assert gone([pids["guard"], *pids["servers"]])


def test_a_killed_kernel_takes_all_along_even_if_a_fork_of_it_lives_on(gone: Gone) -> None:
    script = """
import signal
child = os.fork()
if not child:
    signal.pause()
tell(child=child)
"""
    with kernel(script) as (process, told):
        pids, child = told(), told()["child"]
        process.kill()
        process.wait()
        try:
            assert gone([pids["guard"], *pids["servers"]])
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_kernel_that_just_ends_closes_its_lab(gone: Gone) -> None:
    with kernel() as (process, told):
        pids = told()
        process.communicate("\n", timeout=20)
        assert process.returncode == 0
        assert gone([pids["guard"], *pids["servers"]])


def test_a_killed_guard_takes_its_servers_along_and_the_kernel_says_so(gone: Gone) -> None:
    with Lab() as lab:
        serving, frozen = lab.start_all(["serving", "frozen"])
        frozen.freeze()
        lab._processes._guard.kill()
        assert gone([serving.pid, frozen.pid])
        assert lab._processes.wait(lambda: serving.state is ServerState.KILLED, 5)
        with pytest.raises(LabError, match="guard process is gone"):
            serving.restart()


def test_an_interrupt_of_the_kernel_is_none_of_the_servers_business() -> None:
    script = """
try:
    tell(ready=True)
    sys.stdin.readline()
except KeyboardInterrupt:
    frozen.thaw()
    tell(states=[module.state for module in lab.modules.values()])
"""
    with kernel(script) as (process, told):
        told(), told()
        os.killpg(process.pid, signal.SIGINT)
        assert told()["states"] == ["serving", "serving"]


def test_a_fork_neither_uses_nor_ends_its_parent_s_lab() -> None:
    script = """
child = os.fork()
if not child:
    try:
        serving.kill()
    except LabError as error:
        tell(error=str(error))
    del lab, serving, frozen
    sys.exit()
os.waitpid(child, 0)
frozen.thaw()
tell(states=[module.state for module in lab.modules.values()])
"""
    with kernel(script) as (_, told):
        told()
        assert "is used in its fork" in told()["error"]
        assert told()["states"] == ["serving", "serving"]


def test_close_does_not_wait_for_a_fork_that_lives_on() -> None:
    script = """
import signal, time
child = os.fork()
if not child:
    signal.pause()
begin = time.monotonic()
lab.close()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
tell(took=time.monotonic() - begin)
"""
    with kernel(script) as (_, told):
        told()
        assert told()["took"] < 5  # the patience with a guard that does not end is 10


def test_a_lab_that_nobody_holds_is_closed() -> None:
    lab = Lab()
    module = lab.start("http-module-v1")
    del lab
    assert module.state is ServerState.SERVING  # a module holds what it needs
    guard = module._servers[0]._processes._guard
    del module
    assert guard.returncode is not None  # without a collection: nothing of it is a cycle


def test_ten_labs_one_after_the_other_leave_one() -> None:
    this = psutil.Process()
    gc.collect()
    files, children = this.num_fds(), len(this.children())
    lab = None
    for _ in range(10):
        lab = Lab()
        lab.start("http-module-v1")
    assert lab is not None
    assert len(this.children()) == children + 1
    lab.close()
    del lab
    assert this.num_fds() <= files


def test_a_flapping_server_is_guarded_too(gone: Gone) -> None:
    server = FlappingServer()
    pid = server.pid
    assert pid is not None
    del server
    assert gone([pid])


def test_what_a_failing_server_said_is_kept() -> None:
    with Lab() as lab:
        process = lab._processes.start("-c", "import sys; sys.stderr.write('first\\nsecond'); sys.exit(3)")
        assert lab._processes.wait(lambda: process.exit is not None, 10)
        assert (process.exit, process.last_words) == (3, "first\nsecond")
        silent = lab._processes.start("-c", "import time; time.sleep(60)")
        with pytest.raises(LabError, match=r"it did not start within 0\.1 s and was killed"):
            lab._processes.next_line(silent, "it did not start", 0.1)
        assert lab._processes.wait(lambda: silent.exit == -signal.SIGKILL, 10)
