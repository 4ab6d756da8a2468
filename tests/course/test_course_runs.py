"""The course from top to bottom, answered as by a person who has understood, in an environment made from exactly what binder gets."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import nbformat
import pytest

import tinypool_nb as tp
from tests.course.solutions import SOLUTIONS
from tinypool_nb.course.desk import LESSONS

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
NAMES = [path.name for path in tp.course.notebooks()]
REPLAY = "08_replay.ipynb"

EXECUTE = """
import sys
from pathlib import Path
from tinypool_nb.report.execute import execute
notebook, out = map(Path, sys.argv[1:])
execute(notebook, out, folder=out.parent)
"""

# A finder that comes before all others, in this process and in the kernel that it starts: these packages are not there.
NO_GRPC = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"grpc", "grpc_channelz", "grpc_health", "grpc_reflection", "google", "kubernetes"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def outside(**more: str) -> dict[str, str]:
    """This process's environment, without what points a Python or a kernel to this very checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER", "JPY", "IPYTHON", "VIRTUAL"))}
    return {**kept, **more}


def run(*words: str | Path, cwd: Path, **more: str) -> str:
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=outside(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4_000:]
    return done.stdout


def python_of_binder() -> str:
    """An interpreter of the version that binder/runtime.txt names if this machine has one with venv, else this one."""
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    managed = Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}")
    for candidate in (shutil.which(f"python{version}"), *managed):  # the one on the path may be a mere pointer to those
        if (
            candidate is not None
            and subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0
        ):
            return str(candidate)
    return sys.executable


@pytest.fixture(scope="module")
def binder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a fresh environment, made as repo2docker makes it, and with nothing else."""
    folder = tmp_path_factory.mktemp("binder")
    run(python_of_binder(), "-m", "venv", folder / "venv", cwd=folder)
    commands = folder / "venv" / "bin"
    run(commands / "python", "-m", "pip", "install", "--quiet", "--requirement", BINDER / "requirements.txt", cwd=ROOT)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    run(BINDER / "postBuild", cwd=folder, PATH=path, HOME=str(folder))
    return commands


@pytest.fixture(scope="module")
def course(binder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebooks as the installed package gives them, with the answers written in."""
    folder = tmp_path_factory.mktemp("course")
    run(binder / "tinypool-nb", "course", "--out", folder, cwd=folder)
    for path in folder.glob("*.ipynb"):
        node = nbformat.read(path, as_version=4)
        for cell in node.cells:
            if asked := re.match(r"# exercise (\d\d\.\d):", cell.source):
                head, dots, tail = cell.source.rpartition("...")
                assert (dots, tail) == ("...", "")
                cell.source = head + SOLUTIONS[asked[1]]
        nbformat.write(node, path)
    return folder


def outputs(path: Path) -> list[dict[str, Any]]:
    node = nbformat.read(path, as_version=4)
    return [output for cell in node.cells for output in cell.get("outputs", ())]


def test_binder_has_no_more_files_than_are_checked_here() -> None:
    assert sorted(path.name for path in BINDER.iterdir()) == ["postBuild", "requirements.txt", "runtime.txt"]
    assert (BINDER / "requirements.txt").read_text().splitlines()[-1] == ".[lab]"
    assert (BINDER / "postBuild").stat().st_mode & 0o111, "it can be run"


@pytest.mark.slow
@pytest.mark.timeout(600)  # the first one makes the environment
def test_binder_opens_jupyterlab_on_the_first_notebook(binder: Path, tmp_path: Path) -> None:
    for port in random.sample(range(20_000, 32_768), 5):  # one that somebody else has already is left to them
        options = [
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
        ]
        server = subprocess.Popen(
            [binder / "jupyter", "lab", *options],
            cwd=ROOT,
            env=outside(HOME=str(tmp_path), PATH=f"{binder}{os.pathsep}{os.environ['PATH']}"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            landed = landing(port, server)
        finally:
            server.terminate()
            server.wait(timeout=30)
        if landed:
            break
    assert landed == f"/lab/tree/notebooks/{NAMES[0]}"


def landing(port: int, server: subprocess.Popen[bytes]) -> str:
    """Where it sends whoever asks for nothing in particular; "" if it ended. It is asked until it answers."""
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            found = (answer.getheader("Location") or "").partition("?")[0]
            return found if server.poll() is None else ""  # else it was somebody else who answered
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return ""


@pytest.mark.slow
@pytest.mark.timeout(600)  # the first one makes the environment
@pytest.mark.parametrize("name", NAMES)
def test_answered_rightly_it_runs_to_its_end(binder: Path, course: Path, name: str) -> None:
    out = course / "executed" / name
    out.parent.mkdir(exist_ok=True)
    run(binder / "python", "-c", EXECUTE, course / name, out, cwd=course)
    shown = [output["data"] for output in outputs(out) if "data" in output]
    said = [str(data["text/plain"]) for data in shown if "text/plain" in data]
    number = name[:2]
    asked = [each for each in SOLUTIONS if each.startswith(number)]
    judged = [text for text in said if re.match(rf"{number}\.\d ", text)]
    assert [text for text in judged if " Right: " not in text] == []
    assert len(judged) == len(asked)
    if number in LESSONS:
        assert said[-1] == f"{number} {len(asked)} of {len(asked)} exercises: all of them are right."
    complaints = "".join(str(output["text"]) for output in outputs(out) if output.get("name") == "stderr")
    assert [line for line in complaints.splitlines() if line.strip() and "too_many_pings" not in line] == []


def test_the_replay_needs_no_grpc(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_GRPC)
    notebook = next(path for path in tp.course.notebooks() if path.name == REPLAY)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with pytest.raises(AssertionError, match="No module named 'grpc'"):
        run(sys.executable, "-c", "import tinypool_nb as tp; tp.Pool()", cwd=tmp_path, PYTHONPATH=path)
    run(sys.executable, "-c", EXECUTE, notebook, tmp_path / REPLAY, cwd=tmp_path, PYTHONPATH=path)
    shown = [output["data"] for output in outputs(tmp_path / REPLAY) if "data" in output]
    assert sum("application/vnd.plotly.v1+json" in data for data in shown) == 2
    assert any("orders-v1" in str(data) and "killed" in str(data) for data in shown)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_replay_runs_in_an_installation_without_grpc(tmp_path: Path) -> None:
    """Made by the commands of the how-to, but for JupyterLab, which only shows it."""
    howto = (ROOT / "tinypool_nb/docs/howto/record-and-replay.md").read_text().partition("## Where gRPC cannot be installed")[2]
    (ours,), (others,) = (
        re.findall(pattern, howto) for pattern in (r"(?m)^pip (install --no-deps \.)$", r"(?m)^pip (install anywidget .*)$")
    )
    run(python_of_binder(), "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    for words in (ours, others.replace("jupyterlab", "ipykernel")):
        run(python, "-m", "pip", "--quiet", *words.split(), cwd=ROOT)
    notebook = next(path for path in tp.course.notebooks() if path.name == REPLAY)
    code = "\n".join(cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code")
    run(python, "-W", "error", "-c", f'{code}\nrecord.report("incident.html")', cwd=tmp_path)
    assert "orders-v1" in (tmp_path / "incident.html").read_text()
    for absent in ("grpc", "kubernetes", "google.protobuf"):
        with pytest.raises(AssertionError, match="No module named"):
            run(python, "-c", f"import {absent}", cwd=tmp_path)


def test_the_recording_of_the_replay_holds_what_the_notebook_tells() -> None:
    """`python tests/course/record_incident.py` makes it anew, where the format of recordings has changed."""
    record = tp.open_recording(tp.course.recording())
    causes = {str(row.module): str(row.cause) for row in record.findings().itertuples() if str(row.gravity) == "broken"}
    assert causes == {
        "orders-v1": "killed",
        "stock-v1": "frozen",
        "users-v1": "TLS expected",
        "search-v1": "not HTTP/2",
        "cart-v1": "does not resolve",
    }
    assert tp.course.recording().stat().st_size < 100_000
