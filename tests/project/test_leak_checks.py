"""The fixtures of conftest.py do find what a test leaves behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LEAKY = """
import socket, subprocess, sys, threading

def test_tidy():
    with socket.create_server(("127.0.0.1", 0)):
        pass

def test_leaky():
    global left
    event = threading.Event()
    threading.Thread(target=event.wait, args=(60,), daemon=True, name="polling").start()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    left = event, process, socket.create_server(("127.0.0.1", 0))

def test_mends():
    event, process, server = left
    event.set()
    process.communicate()
    server.close()
"""


@pytest.mark.slow
def test_thread_process_and_socket_left_behind_are_named(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed, 1 error" in done.stdout
    failure = next(line for line in done.stdout.splitlines() if "Failed: left behind" in line)
    assert "polling" in failure
    assert "psutil.Process" in failure
    assert "listens" in failure
