"""A soak of half a minute, and one that is ended early by Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_half_a_minute() -> None:
    done = subprocess.run([sys.executable, SOAK, "--minutes", "0.5"], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    table = done.stdout.splitlines()
    assert table[-1] == "all of it held"
    assert {re.split(r" {2,}", row)[0] for row in table if row.endswith("  ok")} == {
        "states, while things are broken",
        "every module back",
        "states, when all is mended",
        "every call accounted for",
        "transitions as in gRPC's own traces",
        "the record's own complaints",
        "channels",
        "callers and scraper",
        "a recording that opens and is the record",
        "errors in the log",
        "no leak",
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_ends_it_with_what_was_seen_till_then() -> None:
    # A group of its own, to which Ctrl-C goes as a whole: to the servers of the lab too.
    command = [sys.executable, str(SOAK), "--minutes", "10", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "soaking 100 modules for 10 minutes, seed 7\n"
        assert "descriptors" in process.stdout.readline(), "the first quiet moment is over"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=200)
    assert err == ""
    assert process.returncode == 130, out
    assert "interrupted" in out
    assert out.endswith("all of it held\n")
