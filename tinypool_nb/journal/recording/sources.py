"""Where recordings are: a file, the parts of one that was not closed, or all that a pattern finds."""

import fcntl
import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tinypool_nb.errors import RecordingError

PARTIAL = ".partial"
"""How the name of the folder ends in which the parts of a recording stand until it is closed."""
LOCK = "lock"
"""The file in it that is locked while the recording goes on."""
_PART = re.compile(r"part-(\d{8})-(\d{8})\.parquet")

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Source(NamedTuple):
    """One recording on disk."""

    path: Path
    """As it was asked for."""
    files: tuple[Path, ...]
    """The file itself; or the parts, in their order."""
    is_partial: bool
    """Whether it is in parts."""

    @property
    def place(self) -> Path:
        """Where it really is, however it was asked for."""
        return (self.files[0].parent if self.is_partial else self.path).resolve()

    @property
    def label(self) -> str:
        """What tells it apart from others: the file's name without its endings."""
        return self.path.name.removesuffix(PARTIAL).removesuffix(".parquet")


def find_sources(paths: Paths) -> list[Source]:
    """The recordings that a path, a pattern or several of both name, each once.

    Raises:
        RecordingError: there is none of that name.
    """
    asked = [paths] if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable) else list(paths)
    found = {source.place: source for path in asked for source in _found(path)}
    if not found:
        raise RecordingError(paths, "an empty list names none")
    return list(found.values())


def parts_folder(path: Path) -> Path:
    """Where the parts of the recording `path` stand until it is closed."""
    return path.with_name(path.name + PARTIAL)


def goes_on(folder: Path) -> bool:
    """Whether some process, perhaps this one, records into the folder."""
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who ask do not take each other for a recorder
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def part_name(first: int, last: int) -> str:
    """The name of the file that holds the parts `first` to `last`.

    >>> part_name(16, 31)
    'part-00000016-00000031.parquet'
    """
    return f"part-{first:08}-{last:08}.parquet"


def parts_in(folder: Path) -> tuple[Path, ...]:
    """The parts in a folder, in their order, without those that stand in another one already: their merging was interrupted.

    Raises:
        FileNotFoundError: one is missing; perhaps it is just merged, and another one has its rows the next time.
    """
    known = sorted((int(match[1]), -int(match[2]), path) for path in folder.iterdir() if (match := _PART.fullmatch(path.name)))
    kept: list[Path] = []
    reached = -1
    for first, negative, path in known:
        if first > reached + 1:
            raise FileNotFoundError(f"part {reached + 1} is missing in {folder.name}")
        if -negative > reached:
            kept.append(path)
            reached = -negative
    return tuple(kept)


def _found(asked: str | os.PathLike[str]) -> list[Source]:
    if not isinstance(asked, str | os.PathLike) or not os.fspath(asked):
        raise RecordingError(asked, "a path is asked for, as 'incident.parquet'")
    path = Path(asked)
    if path.is_file():
        return [Source(path, (path,), is_partial=False)]
    if not path.name:  # "." or "/"
        raise RecordingError(asked, f"it is a folder; of the recordings in it say {str(path / '*.parquet')!r}")
    for folder in (path, parts_folder(path)):
        if folder.is_dir() and (parts := parts_in(folder)):
            return [Source(path, parts, is_partial=True)]
    if path.is_file():  # it was closed meanwhile
        return _found(path)
    if parts_folder(path).is_dir() or path.name.endswith(PARTIAL):
        raise RecordingError(asked, "its recording ended before anything was written")
    if path.is_dir():
        raise RecordingError(asked, f"it is a folder; of the recordings in it say {str(path / '*.parquet')!r}")
    if not glob.has_magic(str(asked)):
        raise RecordingError(asked, "there is no such file")
    return _matching(asked)


def _matching(pattern: str | os.PathLike[str]) -> list[Source]:
    """All that a pattern finds, each once."""
    matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]  # noqa: PTH207 a pattern may begin with "/"
    matches += [Path(match.removesuffix(PARTIAL)) for match in sorted(glob.glob(f"{pattern}{PARTIAL}", recursive=True))]  # noqa: PTH207
    sources = [
        source
        for match in matches
        if match.is_file() or match.name.endswith(PARTIAL) or parts_folder(match).is_dir()
        for source in _found(match)
    ]
    if not sources:
        raise RecordingError(pattern, "no recording is found by that pattern")
    return sources
