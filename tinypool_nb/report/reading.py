"""Read a notebook from a file, or say plainly why it is none."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tinypool_nb.errors import ReportError, shown


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in the file `path`, as of nbformat 4.

    Raises:
        ReportError: there is no such file, or it holds no valid notebook.
    """
    try:
        node: NotebookNode = nbformat.read(path, as_version=4)
        nbformat.validate(node)
    except FileNotFoundError:
        raise ReportError(f"there is no notebook {shown(path)}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise ReportError(f"{shown(path)} is no notebook: {shown(str(error), 200)}") from error
    return node
