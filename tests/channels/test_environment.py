"""What must stand in the environment before gRPC is loaded. Each case in a fresh interpreter, since gRPC loads once."""

import os
import subprocess
import sys

import pytest

from tinypool_nb.channels.environment import grpc_logging
from tinypool_nb.errors import GrpcLoadedError, OptionsError

OURS = ("GRPC_CHANNELZ_MAX_ORPHANED_NODES", "GRPC_VERBOSITY", "GRPC_TRACE")


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run([sys.executable, "-c", program], env=clean | environment, capture_output=True, text=True, timeout=30, check=True)


PREPARE = """
import os, sys
from tinypool_nb.channels.environment import prepare
late, again = prepare(), prepare()
import grpc
print(late, again, prepare(), os.environ["GRPC_CHANNELZ_MAX_ORPHANED_NODES"], os.environ["GRPC_VERBOSITY"])
"""


def test_prepared_in_time() -> None:
    assert python(PREPARE).stdout.split() == ["False", "False", "False", "8192", "ERROR"]


def test_prepared_too_late_and_it_says_so_each_time() -> None:
    assert python("import grpc\n" + PREPARE).stdout.split()[:3] == ["True", "True", "True"]


def test_what_the_user_has_set_stays() -> None:
    said = python(PREPARE, GRPC_CHANNELZ_MAX_ORPHANED_NODES="99", GRPC_VERBOSITY="info").stdout.split()
    assert said[3:] == ["99", "info"]


def test_it_can_be_asked_for_without_loading_grpc() -> None:
    program = "import sys; from tinypool_nb.channels.environment import grpc_logging; grpc_logging(); print('grpc' in sys.modules)"
    assert python(program).stdout == "False\n"


LOG = """
from tinypool_nb.channels.environment import grpc_logging
grpc_logging("info", trace={trace})
from tinypool_nb.channels.opening import open_channel
from tinypool_nb.core.options import PoolOptions
open_channel("ipv4:127.0.0.1:20000", 1, PoolOptions()).close()
"""


@pytest.mark.parametrize("trace", ["'connectivity_state,channel'", "['connectivity_state', 'chan*']"])
def test_grpc_then_logs(trace: str) -> None:
    assert "ConnectivityStateTracker" in python(LOG.format(trace=trace)).stderr


def test_without_a_tracer_a_channel_logs_nothing_of_its_states() -> None:
    assert "ConnectivityStateTracker" not in python(LOG.format(trace="()")).stderr


def test_too_late_is_an_error_with_advice() -> None:
    with pytest.raises(GrpcLoadedError, match="restart the kernel"):
        grpc_logging("info")


@pytest.mark.parametrize("verbosity", ["loud", "INFO ", "", 3, None, ["info"]])
def test_a_verbosity_that_grpc_does_not_know_is_refused(verbosity: object) -> None:
    with pytest.raises(OptionsError, match="one of debug, info, error, none"):
        grpc_logging(verbosity)  # type: ignore[arg-type]


@pytest.mark.parametrize("trace", [["http", ""], ["HTTP"], "http;tcp", [b"http"], ["http,tcp"], ["--http"], ["-"]])
def test_a_tracer_that_could_be_none_is_refused(trace: object) -> None:
    with pytest.raises(OptionsError, match="connectivity_state"):
        grpc_logging("info", trace)  # type: ignore[arg-type]
