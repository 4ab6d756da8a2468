"""The scripts of the live timeline under node: their own tests, and that they are one valid module when they are joined."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tinypool_nb.widgets.joining import FOLDER, MAIN, REPLAY, in_order, joined

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node") or shutil.which("nodejs")
    if found is None:
        message = "there is no node on the PATH (apt install nodejs)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def test_the_scripts_own_tests(node: str) -> None:
    files = [str(file) for file in sorted(HERE.glob("*.test.mjs"))]
    assert files
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("main", [MAIN, REPLAY])
def test_joined_they_are_one_module(node: str, main: str) -> None:
    done = subprocess.run(
        [node, "--input-type=module", "--check"], input=joined(main), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_script_is_used() -> None:
    assert sorted({*in_order(MAIN), *in_order(REPLAY)}) == sorted(file.name for file in FOLDER.glob("*.js"))


def test_nothing_is_read_as_markup_and_nothing_is_fetched() -> None:
    script = joined() + joined(REPLAY)
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
        "http://",
        "https://",
        "import(",
    ):
        assert forbidden not in script
