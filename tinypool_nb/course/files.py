"""Where the course's files are: the notebooks, and the recording that one of them replays."""

from pathlib import Path

from tinypool_nb.errors import ExerciseError

_PACKAGE = Path(__file__).parent.parent


def notebooks() -> tuple[Path, ...]:
    """The notebooks of the course in their order: inside an installed package, or beside it in the repository.

    Raises:
        ExerciseError: they are not part of this installation.

    >>> [path.name for path in notebooks()][0]
    '01_first_look.ipynb'
    """
    for folder in (_PACKAGE / "notebooks", _PACKAGE.parent / "notebooks"):
        found = tuple(sorted(folder.glob("[0-9][0-9]_*.ipynb")))
        if found:
            return found
    raise ExerciseError("the notebooks are not part of this installation; install tinypool-nb anew")


def recording() -> Path:
    """A recording of a bad quarter of a minute, for whoever has no gRPC: `tp.open_recording(tp.course.recording())`.

    >>> recording().name
    'incident.parquet'
    """
    return Path(__file__).parent / "incident.parquet"
