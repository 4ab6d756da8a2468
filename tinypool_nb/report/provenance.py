"""With what a report was made: versions and platform, no name of a machine or a person."""

import platform
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("tinypool-nb", "grpcio", "pandas", "plotly")
NOTED = "tinypool_nb"
"""The key of a notebook's metadata under which `execute` notes with what it was run: a list of short texts."""


def versions() -> Iterator[str]:
    """Short texts: Python, the packages that matter, the platform.

    >>> next(versions()).startswith("Python 3")
    True
    """
    yield f"Python {platform.python_version()}"
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"
    yield f"{platform.system()} {platform.machine()}"
