"""`tinypool-nb metrics`: a pool for Prometheus alone, in a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tinypool_nb.cli import main
from tinypool_nb.lab import Lab

HTTP = "http-module-v1"
SECONDS = 20
"""Each step gets so many at the most."""


@contextmanager
def metrics(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The command under way; killed at the end if it is still there."""
    command = [sys.executable, "-m", "tinypool_nb.cli", "metrics", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def url_of(process: "subprocess.Popen[str]") -> str:
    """What it prints first."""
    assert process.stdout is not None
    return process.stdout.readline().split()[0]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_it_connects_serves_and_ends_well(ending: signal.Signals) -> None:
    with Lab() as lab, metrics(f"tinysystems/{HTTP}={lab.start(HTTP).address}", "--health-checks", "0.05") as process:
        url, ready = url_of(process), f'module="tinysystems/{HTTP}",state="READY"'
        while f"tinysystems_client_pool_connections{{{ready}}} 1.0" not in urlopen(url, timeout=SECONDS).read().decode():
            assert process.poll() is None
        process.send_signal(ending)
        process.send_signal(ending)  # who is impatient harms nobody
        assert process.wait(SECONDS) == 0


def test_it_connects_by_mutual_tls_from_files(tmp_path: Path) -> None:
    with Lab() as lab:
        module = lab.start(HTTP, tls="mutual")
        words = [f"{HTTP}={module.address}"]
        assert module.tls is not None
        for option, pem in (("--ca", module.tls.roots), ("--certificate", module.tls.certificate), ("--key", module.tls.key)):
            assert isinstance(pem, bytes)
            (tmp_path / option).write_bytes(pem)
            words += [option, str(tmp_path / option)]
        with metrics(*words) as process:
            url = url_of(process)
            while f'module="{HTTP}",state="READY"}} 1.0' not in urlopen(url, timeout=SECONDS).read().decode():
                assert process.poll() is None
            process.terminate()
            assert process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["api-module-v1=nowhere"], "address 'nowhere' was refused: it has no port"),
        (["=127.0.0.1:1"], "module name '' was refused"),
        (["a=127.0.0.1:1", "a=127.0.0.1:2"], "module name 'a' was refused: each module is given once"),
        (["a=127.0.0.1:1", "--port", "65536"], "port=65536 was refused"),
        (["a=127.0.0.1:1", "--port", "0", "--address", "a..b"], "address='a..b' was refused"),
        (["a=127.0.0.1:1", "--ca", "no-such-file.pem"], "Tls.roots='no-such-file.pem' was refused: the file cannot be read"),
        (["a=127.0.0.1:1", "--certificate", "a.pem"], "Tls.key=None was refused: it is given together with Tls.certificate"),
        (["a=127.0.0.1:1", "--health-checks", "0"], "--health-checks=0.0 was refused: a number of seconds"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["metrics", *arguments]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"tinypool-nb: {said}")
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert signal.getsignal(signal.SIGTERM) is before


def test_words_that_are_no_module_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["metrics", "127.0.0.1:50051"])
    assert left.value.code == 2
    assert "write NAME=ADDRESS" in capsys.readouterr().err


WITHOUT_A_NOTEBOOK = """
import os, signal, sys
from tinypool_nb.cli import main

class Out:
    def write(self, text): os.kill(os.getpid(), signal.SIGTERM)  # once it has told where it serves
    def flush(self): pass

real, sys.stdout = sys.stdout, Out()
code = main(["metrics", "http-module-v1=127.0.0.1:1", "--port", "0"])
print(code, sorted({"IPython", "ipykernel", "nbconvert", "pandas", "plotly", "pyarrow"} & set(sys.modules)), file=real)
"""


def test_it_loads_nothing_of_a_notebook() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_A_NOTEBOOK], capture_output=True, text=True, check=True, timeout=SECONDS)
    assert done.stdout == "0 []\n"
