"""`tinypool-nb course`: the notebooks of the course, copied to a folder of one's own, opened, or executed."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinypool_nb.cli.telling import show_progress, size, tell
from tinypool_nb.course.files import notebooks
from tinypool_nb.errors import ExerciseError

FOLDER = Path("tinypool-course")


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "course",
        help="copy the onboarding course to a folder, and say how to open it",
        description="Copies the notebooks of the onboarding course to a folder of your own. What is in that folder already stays as it is.",
        epilog="examples:\n  tinypool-nb course --list\n  tinypool-nb course\n  tinypool-nb course 3 --open",
    )
    parser.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="only this notebook, such as 3; all by default")
    parser.add_argument("-l", "--list", action="store_true", help="tell what there is, and copy nothing")
    parser.add_argument("-o", "--out", type=Path, default=FOLDER, help="the folder to write to (default: %(default)s)")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--open", action="store_true", help="open the first notebook that was copied in JupyterLab")
    does.add_argument("--executed", action="store_true", help="execute the copies from the top; takes about two minutes for all")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Copy, and what else was asked for."""
    chosen = _chosen(options.number)
    if options.list:
        for notebook in chosen:
            print(f"{_number(notebook):3}  {_title(notebook)}")
        return 0
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    if options.executed:
        return _execute(chosen, out)
    for notebook in chosen:
        tell(f"  {_copied(notebook, out)}")
    first = out / chosen[0].name
    if options.open:
        return _open(first)
    tell(f"open the first one: jupyter lab {first}")
    if find_spec("jupyterlab") is None:
        print('there is no JupyterLab here yet: pip install "jupyterlab>=4.4"')
    return 0


def _chosen(number: int | None) -> Sequence[Path]:
    there = notebooks()
    if number is None:
        return there
    for notebook in there:
        if _number(notebook) == number:
            return (notebook,)
    raise ExerciseError(f"there is no notebook {number}; there are {', '.join(str(_number(each)) for each in there)}")


def _number(notebook: Path) -> int:
    return int(notebook.name.partition("_")[0])


def _title(notebook: Path) -> str:
    return str(json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["title"])


def _code(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _copied(notebook: Path, out: Path) -> str:
    target = out / notebook.name
    if target.exists():
        return f"{target}  is there already, and was left as it is"
    shutil.copyfile(notebook, target)
    return f"{target}  {_title(notebook)}"


def _open(notebook: Path) -> int:
    if find_spec("jupyterlab") is None:
        raise ExerciseError('there is no JupyterLab in this environment; install it: pip install "jupyterlab>=4.4"')
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(notebook)], check=False).returncode


def _execute(chosen: Sequence[Path], out: Path) -> int:
    from tinypool_nb.report.execute import execute

    began = time.monotonic()
    for notebook in chosen:
        print(f"running {notebook.name}")
        target = out / notebook.name
        if target.exists() and _code(target) != _code(notebook):
            raise ExerciseError(f"{target} holds what somebody has written; name another folder: --out FOLDER")
        execute(notebook, target, folder=out, on_cell=show_progress)
        tell(f"  {target}  ({size(target)})")
    print(f"done in {time.monotonic() - began:.0f} s")
    return 0
