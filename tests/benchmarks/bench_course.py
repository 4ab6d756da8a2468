"""How long the course takes without a person: all notebooks from top to bottom, unanswered, one after the other."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tinypool_nb.course.files import notebooks
from tinypool_nb.report.execute import execute

Row = tuple[str, float, str, float | None, str]
BAR = 240.0
"""Seconds for all of them."""


def figures() -> Iterator[Row]:
    """Rows of (what, measured, unit, bar, compared to)."""
    whole = 0.0
    with TemporaryDirectory() as folder:
        for notebook in notebooks():
            begin = time.perf_counter()
            execute(notebook, Path(folder) / notebook.name, folder=Path(folder))
            took = time.perf_counter() - begin
            whole += took
            yield f"course: {notebook.stem}", took, "s", None, ""
    yield "course: all notebooks", whole, "s", BAR, ""
