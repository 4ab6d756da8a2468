"""Running notebooks: what comes back, and what a person reads when a cell fails."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tinypool_nb.errors import ReportError
from tinypool_nb.report.execute import execute


def notebook(folder: Path, *cells: str, tags: tuple[str, ...] = ()) -> Path:
    """A notebook of code cells; the first has the tags."""
    nodes = [new_markdown_cell("# Of a test"), *map(new_code_cell, cells)]
    nodes[1].metadata["tags"] = list(tags)
    path = folder / "of-a-test.ipynb"
    nbformat.write(new_notebook(cells=nodes), path)
    return path


def printed(node: nbformat.NotebookNode) -> str:
    return "".join(output.text for cell in node.cells for output in cell.get("outputs", ()) if output.output_type == "stream")


def test_runs_in_this_interpreter_in_the_notebooks_folder_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    source = notebook(tmp_path, "import os, sys; print(sys.executable); print(os.getcwd())")
    out = tmp_path / "made" / "out.ipynb"
    node = execute(source, out)
    assert printed(node).splitlines() == [sys.executable, os.fspath(tmp_path.resolve())]
    assert printed(nbformat.read(out, as_version=4)) == printed(node)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["made", "of-a-test.ipynb", "out.ipynb"]


def test_the_folder_parameters_and_progress(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    source = notebook(tmp_path, "count = 1\nname = ''", "import os; print(count, name, os.getcwd())", "", tags=("parameters",))
    told: list[tuple[int, int, str]] = []
    node = execute(
        source,
        tmp_path / "out.ipynb",
        parameters={"count": 3, "name": "it's </script>"},
        folder=work,
        on_cell=lambda number, cells, text: told.append((number, cells, text.splitlines()[0])),
    )
    assert printed(node) == f"3 it's </script> {work.resolve()}\n"
    assert told == [(1, 3, "count = 1"), (2, 3, "# parameters of this run"), (3, 3, "import os; print(count, name, os.getcwd())")]


@pytest.mark.slow
def test_parameters_come_first_where_no_cell_is_tagged(tmp_path: Path) -> None:
    source = notebook(tmp_path, "print(sorted(options), nothing)")
    node = execute(source, tmp_path / "out.ipynb", parameters={"options": {"b": [1.5], "a": (True,)}, "nothing": None})
    assert printed(node) == "['a', 'b'] None\n"


def test_a_cell_that_raises_is_named_with_its_source_and_its_last_lines(tmp_path: Path) -> None:
    source = notebook(tmp_path, "print('as far as this')", "x = 1\nx / 0", "print('never')")
    with pytest.raises(ReportError) as caught:
        execute(source, tmp_path / "out.ipynb")
    message = str(caught.value)
    assert message.startswith("code cell 2 of 3 of of-a-test.ipynb failed: ZeroDivisionError: division by zero\n    x = 1\n    x / 0\n")
    assert message.splitlines()[-1] == "    ZeroDivisionError: division by zero"
    assert "\x1b" not in message
    assert printed(nbformat.read(tmp_path / "out.ipynb", as_version=4)) == "as far as this\n"


def test_a_cell_that_does_not_end_is_named(tmp_path: Path) -> None:
    source = notebook(tmp_path, "import threading; threading.Event().wait()")
    with pytest.raises(ReportError, match=r"code cell 1 of 1 of of-a-test.ipynb failed: it did not end within 1 s"):
        execute(source, tmp_path / "out.ipynb", timeout=1)


def test_of_a_cell_that_does_not_end_the_shell_says_that_and_nothing_else(tmp_path: Path) -> None:
    source = notebook(tmp_path, "import time; time.sleep(2)")  # it ends while the kernel is being shut down, which then complains
    command = [sys.executable, "-m", "tinypool_nb.cli", "report", source.name, "--timeout", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "tinypool-nb: code cell 1 of 1 of of-a-test.ipynb failed: it did not end within 1 s",
        "    import time; time.sleep(2)",
    ]


@pytest.mark.slow
def test_a_kernel_that_dies_is_told(tmp_path: Path) -> None:
    source = notebook(tmp_path, "import os; os._exit(1)")
    with pytest.raises(ReportError, match=r"code cell 1 of 1 of of-a-test.ipynb failed: .*died"):
        execute(source, tmp_path / "out.ipynb")


def test_a_kernel_that_does_not_come_up_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tinypool_nb.report.execute.make_ipkernel_cmd", lambda executable: [executable, "-c", "raise SystemExit('no, not I')"]
    )
    with pytest.raises(ReportError, match=r"of-a-test.ipynb: .*died.*, before its first cell\nit said:\n    no, not I$"):
        execute(notebook(tmp_path, "1"), tmp_path / "out.ipynb")


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"not a name": 1}, "is no Python name"),
        ({"class": 1}, "is no Python name"),
        ({"x": object()}, "a plain value"),
        ({"x": float("nan")}, "a plain value"),
        ({"x": [print]}, "a plain value"),
    ],
)
def test_a_parameter_that_is_no_plain_value_is_refused_before_anything_runs(
    tmp_path: Path, parameters: dict[str, object], rule: str
) -> None:
    with pytest.raises(ReportError, match=rule):
        execute(notebook(tmp_path, "print()"), tmp_path / "out.ipynb", parameters=parameters)
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("content", ["", "no json", "[]", "{}", '{"cells": 1, "nbformat": 4, "nbformat_minor": 5}', "\x00\xff"])
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "foreign.ipynb"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ReportError, match=r"foreign.ipynb' is no notebook"):
        execute(path, tmp_path / "out.ipynb")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="there is no notebook"):
        execute(tmp_path / "missing.ipynb", tmp_path / "out.ipynb")
