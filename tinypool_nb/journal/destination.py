"""Where a file is to be written: looked at before anything is worked out, and named as it was given when something is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from os import PathLike
from pathlib import Path

from tinypool_nb.errors import DestinationError


def check_destination(path: str | PathLike[str]) -> Path:
    """The path, if a file can be put there as far as that can be seen; no folder is made, since a name with a slip would make one.

    Raises:
        DestinationError: it is a folder, or lies in none.

    >>> check_destination("incident.parquet").name
    'incident.parquet'
    """
    target = Path(path)
    if target.is_dir():
        raise DestinationError(path, "it is a folder", "name a file in it")
    if not target.parent.exists():
        raise DestinationError(path, f"there is no folder {str(target.parent)!r}", "make it first, or name another")
    if not target.parent.is_dir():
        raise DestinationError(path, f"{str(target.parent)!r} is no folder", "name another")
    return target


@contextmanager
def written_to(path: str | PathLike[str]) -> Iterator[Path]:
    """Write to it inside; what the system says against it becomes an error that names the path that was given.

    Raises:
        DestinationError: the file cannot be written.
    """
    target = check_destination(path)
    try:
        yield target
    except DestinationError:
        raise
    except OSError as error:
        advice = "make room, or name another path" if error.errno in {ENOSPC, EDQUOT} else "name another path"
        raise DestinationError(path, error.strerror or str(error), advice) from error
