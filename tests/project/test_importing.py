"""Importing the package is inert: nothing heavy is loaded, nothing is started, opened for writing or connected."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "IPython",
    "anywidget",
    "cryptography",
    "google.protobuf",
    "grpc",
    "ipywidgets",
    "kubernetes",
    "nbconvert",
    "numpy",
    "pandas",
    "plotly",
    "prometheus_client",
    "pyarrow",
    "ssl",
    "trustme",
)


WATCHED_IMPORT = """
import json, os, sys
did = []

def watch(event, arguments):
    writes = event == "open" and arguments[2] is not None and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(("socket.", "subprocess.", "os.fork", "os.posix_spawn", "os.putenv", "_thread.start")):
        did.append(f"{event} {arguments}")

sys.addaudithook(watch)
import tinypool_nb
import threading
print(json.dumps({"did": did, "threads": [t.name for t in threading.enumerate()], "modules": sorted(sys.modules)}))
"""


def run(code: str, **environment: str) -> str:
    # -B: no byte code is written, which would count as a file opened for writing
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True, env=environment or None)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def after_import() -> dict[str, list[str]]:
    seen: dict[str, list[str]] = json.loads(run(WATCHED_IMPORT))
    return seen


@pytest.mark.parametrize("package", HEAVY)
def test_import_loads_nothing_heavy(after_import: dict[str, list[str]], package: str) -> None:
    assert package not in after_import["modules"]


def test_import_starts_no_thread(after_import: dict[str, list[str]]) -> None:
    assert after_import["threads"] == ["MainThread"]


def test_import_writes_no_file_and_opens_no_socket_or_process(after_import: dict[str, list[str]]) -> None:
    assert after_import["did"] == []


def test_import_needs_no_home_and_no_writable_place() -> None:
    path = [entry for entry in sys.path if entry]
    assert run(f"import sys; sys.path[:] = {path!r}; import tinypool_nb; print(tinypool_nb.__name__)", PATH="") == "tinypool_nb\n"


def test_a_pool_loads_the_kubernetes_client_only_once_it_discovers() -> None:
    code = "import sys, tinypool_nb as tp; tp.Pool().close(); print([n for n in ('kubernetes', 'urllib3', 'yaml') if n in sys.modules])"
    assert run(code) == "[]\n"


def test_every_public_name_resolves_and_is_documented() -> None:
    names = "__import__('tinypool_nb').__all__"
    undocumented = f"import tinypool_nb as tp; print([name for name in {names} if not (getattr(tp, name).__doc__ or '').strip()])"
    assert run(undocumented) == "[]\n"


def test_public_names_show_up_in_completion() -> None:
    assert run("import tinypool_nb as tp; print(sorted(set(tp.__all__) - set(dir(tp))))") == "[]\n"
