"""What a recording says about itself: all that is no row, as JSON in the file's metadata."""

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from tinypool_nb.errors import RecordingError, shown
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.recording.encoding import LATEST
from tinypool_nb.journal.recording.layout import TABLES

FORMAT = 3
"""What this version writes. It reads no other: the ones before were never released."""
HEADER = b"tinypool_nb"
"""The key of the file's metadata under which the header stands."""
PACKAGES = ("tinypool-nb", "grpcio", "numpy", "pandas", "pyarrow")


class Header(NamedTuple):
    """The header of one file, each entry of the right type. It names no host, no user and no path."""

    origin: str
    """Of the journal: recordings of the same origin are of the same pool."""
    saved_at: int
    """Up to when the record speaks, nanoseconds since 1970 UTC."""
    history: int
    dropped: Mapping[str, int]
    """Of each table, how many rows came before those of this file."""
    missed: int
    """Rows that left the journal before they could be written."""
    whole: bool
    """False for a part of a recording that was not closed, or of one in parts."""
    details: Mapping[str, Any]
    dictionaries: Mapping[str, Mapping[str, list[Any]]]
    """Of tables, the values of their text columns in the order of their codes; {} where they come in the order in which they occur."""

    def encoded(self) -> bytes:
        """As it stands in the file.

        Raises:
            TypeError, ValueError: JSON cannot hold the details.
        """
        written = {"format": FORMAT, "versions": {package: _version(package) for package in PACKAGES}}
        return json.dumps(written | self._asdict(), allow_nan=False).encode()


def header_of(journal: Journal, details: Mapping[str, object], dropped: Mapping[str, int], **more: Any) -> Header:
    """The header of what a journal holds; `more` are the entries of Header that are not as of a whole recording."""
    entries: dict[str, Any] = {"saved_at": journal.clock.now(), "missed": 0, "whole": True, "dictionaries": {}}
    return Header(origin=journal.origin, history=journal.history, dropped=dict(dropped), details=dict(details), **(entries | more))


def read_header(path: object, metadata: Mapping[bytes, bytes]) -> Header:
    """The header of a file, checked.

    Raises:
        RecordingError: the file has none, or it was written in another format, or it lacks something.
        ValueError: it is no JSON.
    """
    if HEADER not in metadata:
        raise RecordingError(path, "it is a Parquet file, but not one that tinypool_nb saved")
    header: dict[str, Any] = json.loads(metadata[HEADER])
    written = header.get("format") if isinstance(header, dict) else None
    if type(written) is not int or written < 1:
        raise RecordingError(path, "its header is damaged")
    if written < FORMAT:
        raise RecordingError(path, f"it has format {written}, from before the first release; this version reads format {FORMAT}")
    if written > FORMAT:
        by = shown(header.get("versions"), most=200)
        raise RecordingError(path, f"it has format {written}, this version reads {FORMAT}; upgrade tinypool-nb (written by {by})")
    kinds = {
        "origin": str,
        "saved_at": int,
        "history": int,
        "dropped": dict,
        "missed": int,
        "whole": bool,
        "details": dict,
        "dictionaries": dict,
    }
    for name, kind in kinds.items():
        if type(header.get(name)) is not kind:
            raise RecordingError(path, f"its header is damaged: {name} is {shown(header.get(name))}")
    if not 0 <= header["saved_at"] <= LATEST or not 1 <= header["history"] <= LATEST or not 0 <= header["missed"] <= LATEST:
        raise RecordingError(path, "its header is damaged: saved_at, history or missed is out of range")
    for table in TABLES:
        count = header["dropped"].get(table)
        if type(count) is not int or not 0 <= count <= LATEST:
            raise RecordingError(path, f"its header is damaged: dropped {table} is {shown(count)}")
    return Header(**{name: header[name] for name in kinds})


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
