"""Run a notebook from the top in a fresh kernel of this very interpreter, and keep what it said."""

import atexit
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

import nbformat
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from tinypool_nb.errors import ReportError
from tinypool_nb.report.parameters import conceal, insert
from tinypool_nb.report.provenance import NOTED, versions
from tinypool_nb.report.reading import read_notebook
from tinypool_nb.report.secrets import Secrets

OnCell = Callable[[int, int, str], None]
"""Called before each code cell with its number (from 1), how many there are, and its source."""

_LAST_LINES = 12
_COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


def execute(
    notebook: Path,
    out: Path,
    *,
    parameters: Mapping[str, object] | None = None,
    timeout: float = 120.0,
    folder: Path | None = None,
    on_cell: OnCell | None = None,
) -> NotebookNode:
    """Run `notebook` from the top and write it, with what it said, to `out`; also when a cell fails, as far as it came.

    The kernel is this interpreter, whatever kernels are installed. It is gone when this returns.

    Args:
        notebook: the file to run; it is only read.
        out: the file to write; its folder is made if needed.
        parameters: names and plain values (numbers, text, None, lists, dicts ...), assigned in a cell of their own after the
            cell tagged `parameters`, or first of all. Of what is named like a secret (`token`, `password` ...), a parameter or a
            key within one, neither the value nor an output that repeats it is kept.
        timeout: seconds that one cell may take.
        folder: the kernel's working directory; the notebook's by default.
        on_cell: told before each code cell; for progress.

    Raises:
        ReportError: the file is no notebook; a parameter is no plain value, or not one that the notebook takes; or a cell
            failed, with its number, its source and the last lines of what it said.
    """
    node = read_notebook(notebook)
    if parameters:
        insert(node, parameters)
    node.metadata[NOTED] = [*versions()]
    run = _Run(node, notebook, on_cell)
    secrets = Secrets(parameters or {})
    with TemporaryDirectory(prefix="tinypool-") as private, TemporaryFile() as aside:
        client = NotebookClient(
            node,
            km=_kernel(Path(private)),
            timeout=math.ceil(timeout),
            resources={"metadata": {"path": str((folder or notebook.parent).resolve())}},
            on_cell_execute=run.begin,
        )
        try:
            # A kernel whose cell is given up complains, while it ends, of what it can no longer send: that is no news to anybody.
            client.execute(cleanup_kc=True, stderr=aside)
        except CellExecutionError as error:
            conceal(node, parameters or {})
            raise run.failed(secrets.hidden(f"{error.ename}: {error.evalue}"), run.traceback()) from None
        except CellTimeoutError:
            conceal(node, parameters or {})
            raise run.failed(f"it did not end within {timeout:g} s") from None
        except RuntimeError as error:  # a DeadKernelError, or no kernel came up
            atexit.unregister(client._cleanup_kernel)  # noqa: SLF001 - of one that never came up nbclient 0.11 forgets to
            conceal(node, parameters or {})
            raise run.failed(secrets.hidden(str(error)), secrets.hidden(_all_of(aside))) from error
        finally:
            conceal(node, parameters or {})
            out.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(node, out)
    return node


class _Run:
    """Which cell is running: what progress and failures name."""

    def __init__(self, node: NotebookNode, notebook: Path, on_cell: OnCell | None) -> None:
        self._cells = [cell for cell in node.cells if cell.cell_type == "code" and cell.source.strip()]
        self._notebook = notebook
        self._on_cell = on_cell
        self._number = 0

    def begin(self, cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG002 - nbclient calls it by these names
        self._number = next(number for number, each in enumerate(self._cells, start=1) if each is cell)
        if self._on_cell is not None:
            self._on_cell(self._number, len(self._cells), cell.source)

    def traceback(self) -> str:
        errors = [output for output in self._cells[self._number - 1].outputs if output.output_type == "error"]
        return _COLOUR_CODES.sub("", "\n".join(errors[-1].traceback)) if errors else ""

    def failed(self, what: str, said: str = "") -> ReportError:
        last = _indented(said.splitlines()[-_LAST_LINES:])
        words = f"\nit said:\n{last}" if last else ""
        if not self._number:
            return ReportError(f"{self._notebook.name}: {what}, before its first cell{words}")
        where = f"code cell {self._number} of {len(self._cells)} of {self._notebook.name}"
        source = _indented(self._cells[self._number - 1].source.splitlines()[:_LAST_LINES])
        return ReportError(f"{where} failed: {what}\n{source}{words}")


class _ThisInterpreter(KernelSpecManager):
    """Whatever kernel is asked for: this interpreter, so that a report needs no kernel installed under a name."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        # Below ERROR a kernel only remarks that it talks over loopback TCP, as every notebook's does.
        argv = [*make_ipkernel_cmd(executable=sys.executable), "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def _kernel(private: Path) -> AsyncKernelManager:
    """A kernel, not yet started, whose connection file, which holds its key, stands in the folder `private`."""
    # About 6 in 100 kernels take 4 s to end (ipykernel 7.4.0, tcp and ipc alike): while it shuts down, its control thread flushes to
    # an output thread that has gone, until jupyter_client terminates it.
    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisInterpreter(), connection_file=str(private / "kernel.json"))


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
