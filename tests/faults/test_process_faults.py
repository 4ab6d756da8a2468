"""Faults of this process and its surroundings: interrupts, forks, collection, two pools, an environment with nothing."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.faults.conftest import OPTIONS, wait
from tinypool_nb import Pool, UnknownModuleError

if TYPE_CHECKING:
    from tests.faults.conftest import Scene


def run(program: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """A Python of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )


@pytest.mark.fault(29)
def test_an_interrupt_ends_a_wait_at_once(scene: "Scene") -> None:
    module = scene.lab.start("web", proxied=True)
    with module.faults.silent():
        name = scene.register(module)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            scene.pool.wait(name, "READY", timeout=60)
        took = time.monotonic() - begun
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert took < 5
    scene.saw(f"an interrupt ends pool.wait {took - 0.2:.2f} s later")
    scene.recovers(name)


@pytest.mark.fault(29)
def test_a_pool_that_is_collected_leaves_nothing(scene: "Scene") -> None:
    module = scene.lab.start("web")
    before = set(threading.enumerate())
    pool = Pool(OPTIONS)
    pool.register("web", module.address)
    assert pool.send("web", wait_for_ready=True)
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None
    wait(lambda: set(threading.enumerate()) <= before)
    scene.saw("a pool that is collected takes its threads with it")


KILLED = """
import tinypool_nb as tp
lab, pool = tp.Lab(), tp.Pool()
module = lab.start("web", proxied=True)
module.faults.blackhole().begin()
dns = lab.dns()
pool.register("web", module.address)
module.freeze()
print("there", flush=True)
input()
"""


@pytest.mark.fault(29)
def test_a_kernel_that_is_killed_leaves_no_process(scene: "Scene") -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert kernel.stdout is not None
    assert kernel.stdin is not None
    assert kernel.stdout.readline() == "there\n"
    left = psutil.Process(kernel.pid).children(recursive=True)
    assert len(left) == 4  # the guard, the module, the relay and the DNS server
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    kernel.stdin.close()
    wait(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left))
    scene.saw("kill -9 of the kernel: guard, frozen module, proxy and DNS server end")


FORKED = """
import os, sys, warnings
import tinypool_nb as tp
warnings.simplefilter("ignore")  # Python's own of a fork with threads
with tp.Pool() as pool:
    pool.register("web", sys.argv[1])
    pool.send("web", wait_for_ready=True, timeout=20)
    if not (child := os.fork()):
        try:
            pool.send("web")
        except tp.ForkedPoolError as error:
            print(error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    pool.send("web", timeout=20)
    print("the parent goes on", flush=True)
"""


@pytest.mark.fault(30)
def test_a_fork(scene: "Scene") -> None:
    module = scene.lab.start("web")
    parent = run(FORKED, module.address)
    told, wrong = parent.communicate(timeout=60)
    assert "the parent goes on" in told, wrong
    assert "is used in its fork" in told
    scene.saw(told.splitlines()[0])


@pytest.mark.fault(34)
def test_a_watch_that_ends_at_once(scene: "Scene") -> None:
    module = scene.lab.start("web")  # its Watch says SERVING once and ends, as in the field
    name = scene.connect(module)
    assert scene.pool.send(name)
    time.sleep(0.5)  # a storm would take milliseconds
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY"]
    started = int(scene.pool.sockets()["streams_started"].sum())
    assert started == 1
    scene.nothing_wrong(name)
    scene.saw("READY once; one stream was ever opened, the call's own: nobody watches")
    scene.recovers(name)


@pytest.mark.fault(38)
def test_two_pools(scene: "Scene") -> None:
    module = scene.lab.start("web")
    name = scene.connect(module)
    with Pool(OPTIONS) as other:
        other.register("theirs", module.address)
        assert other.send("theirs", wait_for_ready=True)
        assert list(other.connections()["module"]) == ["theirs"]
        assert set(other.transitions()["module"]) == {"theirs"}
        assert list(scene.pool.connections()["module"]) == ["web"]
        with pytest.raises(UnknownModuleError):
            scene.pool.explain("theirs")
        other.reconnect("theirs")
    assert scene.path(name) == ["IDLE", "CONNECTING", "READY"]
    scene.saw("each sees its own module; reconnecting one's leaves the other's alone")
    scene.recovers(name)


NOTHING = """
import errno, os, sys

def refuse(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        raise OSError(errno.EROFS, "read-only disk", arguments[0])
    if event in {"os.mkdir", "os.rename", "os.remove"}:
        raise OSError(errno.EROFS, "read-only disk", arguments[0])
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise OSError(errno.ENETUNREACH, "no network")

sys.addaudithook(refuse)
import tinypool_nb as tp

with tp.Pool() as pool:
    print(pool.register("web", "127.0.0.1:1"), len(pool))
    print(pool.explain("web").diagnosis.verdict)
"""


@pytest.mark.fault(39)
def test_import_with_nothing(scene: "Scene", tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", NOTHING], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == "None 1\nnothing wrong: idle\n"
    scene.saw(
        "where Python may neither open a file to write, make a folder, nor connect or look up: a pool is made and a module registered"
    )
