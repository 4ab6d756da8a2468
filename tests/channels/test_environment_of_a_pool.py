"""gRPC's own log from a notebook's first cell on, by the public names, in a fresh interpreter."""

import os
import subprocess
import sys

FIRST_CELL = 'tp.grpc_logging("info", trace=["connectivity_state"])'
CELLS = """
import tinypool_nb as tp
{first_cell}
with tp.Pool() as pool:
    pool.register("http-module-v1", "127.0.0.1:1")
    pool.health_check()
    pool.wait("http-module-v1", "TRANSIENT_FAILURE", timeout=10)
    print(pool.transitions().state.tolist()[1:3])
try:
    tp.grpc_logging("debug")
except tp.GrpcLoadedError as error:
    print("restart the kernel" in str(error))
"""


def run(first_cell: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    code = CELLS.format(first_cell=first_cell)
    return subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, timeout=60, check=True)


def test_what_grpc_says_of_a_pool_s_channel_is_logged_if_it_was_asked_for_in_time() -> None:
    done = run(FIRST_CELL)
    assert done.stdout == "['CONNECTING', 'TRANSIENT_FAILURE']\nTrue\n"
    assert "CONNECTING" in done.stderr
    assert "TRANSIENT_FAILURE" in done.stderr


def test_a_pool_prints_nothing_by_itself() -> None:
    done = run("")
    assert done.stdout == "['CONNECTING', 'TRANSIENT_FAILURE']\nTrue\n"
    assert done.stderr == ""
