"""A journal on disk: saved as one Parquet file, and opened again. How its rows stand there: `tinypool_nb.journal.recording.arrays`."""

import json
import os
import uuid
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.folding import NO_TIME, Totals
from tinypool_nb.errors import RecordingError, shown
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.journal.recording import arrays
from tinypool_nb.journal.recording.loading import Recorded, restore
from tinypool_nb.journal.recording.saving import row_groups
from tinypool_nb.journal.tables import Dictionary

FORMAT = 2
"""What this version writes. It reads no other: format 1 came before the first release and knew no calls."""
HEADER = b"tinypool_nb"
"""The key of the file's metadata under which the header stands, as JSON."""
LATEST: int = np.iinfo(np.int64).max
PACKAGES = ("tinypool-nb", "grpcio", "numpy", "pandas", "pyarrow")


def save(journal: Journal, path: str | os.PathLike[str], *, details: Mapping[str, object] | None = None) -> None:
    """Write all rows and totals of the journal into one file. It is written beside `path` and takes its place when it is whole.

    Parameters:
        path: a file there before is replaced.
        details: what else the recording should say about itself, as JSON can hold it: the pool's options, for example.

    Raises:
        OSError: the file cannot be written; what was there before stays.
        TypeError: JSON cannot hold the details.
    """
    import pyarrow.parquet as pq

    target = Path(path)
    batch, totals = journal.snapshot()
    channels = Dictionary()
    header = json.dumps(_header(journal, batch, totals, channels, details or {}))
    unit = arrays.finest_unit(_all_times(batch, totals))
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            with pq.ParquetWriter(
                file,
                arrays.schema(unit[0]),
                compression="zstd",
                use_dictionary=["channel", *(name for name, kind in arrays.COLUMNS.items() if kind == "text")],
                column_encoding={name: "DELTA_BINARY_PACKED" for name, kind in arrays.COLUMNS.items() if kind == "time"},
                write_page_checksum=True,
            ) as writer:
                for rows in row_groups(batch, totals, channels, unit):
                    writer.write_table(rows)
                writer.add_key_value_metadata({HEADER: header.encode()})
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> tuple[Journal, dict[str, Any]]:
    """Read what `save` wrote: a journal with the same rows and totals, whose clock stands still when it was saved, and the details.

    Everything is checked before it is used: the format, the type of each column, each code, each member of a closed set,
    the checksum of each page. Nothing in a file is executed.

    Raises:
        RecordingError: there is no such file, or it is no recording, is damaged, or comes from a newer version.
    """
    import pyarrow as pa

    source = Path(path)
    if not source.is_file():
        raise RecordingError(path, "it is a folder" if source.is_dir() else "there is no such file")
    try:
        return _load(source)
    except RecordingError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError) as error:
        raise RecordingError(path, f"it is no recording, or it was cut off or damaged: {shown(str(error), most=200)}") from error


def _header(journal: Journal, batch: Batch, totals: Totals, channels: Dictionary, details: Mapping[str, object]) -> dict[str, object]:
    """All that is no row. The order of each dictionary is kept, so that categories come back in their order."""
    tables = {
        "transitions": batch.transitions,
        "attempts": batch.attempts,
        "marks": batch.marks,
        "calls": batch.calls,
        "observations": batch.observations,
    }
    dictionaries: dict[str, dict[str, list[Any]]] = {}
    for table, rows in tables.items():
        open_ones = {name: categories for name, categories in rows.categories.items() if not categories.dictionary.closed}
        dictionaries[table] = {name: categories.members for name, categories in open_ones.items()}
        if "channel" in open_ones:
            dictionaries[table]["channel"] = channels.encode(open_ones["channel"].members).tolist()
    channels.encode(totals.channels)
    return {
        "format": FORMAT,
        "versions": {package: _version(package) for package in PACKAGES},
        "saved_at": journal.clock.now(),
        "history": journal.history,
        "dropped": {table: rows.first for table, rows in tables.items()},
        "dictionaries": dictionaries,
        "details": dict(details),
    }


def _all_times(batch: Batch, totals: Totals) -> list[npt.NDArray[np.int64]]:
    """Those of which it is worth a byte a row to find the coarsest unit; the stamps of calls are ours, to the nanosecond."""
    kinds = (batch.transitions, batch.attempts, batch.marks, batch.calls, batch.observations)
    transitions, attempts, marks, calls, observations = (rows.columns for rows in kinds)
    modules = np.array([NO_TIME if row is None else row.time for row in totals.openings] + totals.losts, np.int64)
    ours = [marks["time"], calls["start"], calls["end"], observations["time"]]
    return [transitions["time"], attempts["start"], attempts["end"], *ours, modules]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _load(source: Path) -> tuple[Journal, dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        header = _checked_header(source, file.metadata.metadata or {})
        unit = getattr(file.schema_arrow.field("time").type, "unit", "")
        if unit not in {"ns", "us", "ms"} or not file.schema_arrow.remove_metadata().equals(arrays.schema(unit)):
            raise RecordingError(source, f"its columns are not those of format {FORMAT}")
        recorded = Recorded(file)
    rows = max(len(recorded.tables[kind]) for kind in ("transition", "attempt", "mark", "call", "observation"))
    frozen = Clock(epoch=header["saved_at"], monotonic=lambda: 0)
    journal = Journal(history=max(header["history"], rows), clock=frozen)
    restore(journal, recorded, header["dropped"], header["dictionaries"])
    return journal, header["details"]


def _checked_header(source: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The header, each of its entries of the right type.

    Raises:
        RecordingError: the file has none, or it was written in a newer format, or it lacks something.
    """
    if HEADER not in metadata:
        raise RecordingError(source, "it is a Parquet file, but not one that tinypool_nb saved")
    header: dict[str, Any] = json.loads(metadata[HEADER])
    written = header.get("format") if isinstance(header, dict) else None
    if type(written) is not int or written < 1:
        raise RecordingError(source, "its header is damaged")
    if written < FORMAT:
        raise RecordingError(source, f"it has format {written}, from before the first release; this version reads format {FORMAT}")
    if written > FORMAT:
        by = shown(header.get("versions"), most=200)
        raise RecordingError(source, f"it has format {written}, this version reads {FORMAT}; upgrade tinypool-nb (written by {by})")
    for name, kind in {"saved_at": int, "history": int, "dropped": dict, "dictionaries": dict, "details": dict}.items():
        if type(header.get(name)) is not kind:
            raise RecordingError(source, f"its header is damaged: {name} is {shown(header.get(name))}")
    if not 0 <= header["saved_at"] <= LATEST or not 1 <= header["history"] <= LATEST:
        raise RecordingError(source, "its header is damaged: saved_at or history is out of range")
    return header
