"""From a journal to the row groups of a Parquet file, and from several files to one."""

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinypool_nb.core.discovering import Known
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.folding import NO_TIME, Totals
from tinypool_nb.journal.journal import Batch
from tinypool_nb.journal.recording.encoding import change_array, dictionary_array, group, text_array, time_arrays
from tinypool_nb.journal.recording.header import HEADER, Header
from tinypool_nb.journal.recording.layout import COLUMNS, GROUP, KINDS, TABLES, TEXTS, Layout, schema
from tinypool_nb.journal.tables import Column, Dictionary, Rows

if TYPE_CHECKING:
    import pyarrow as pa

UNFINISHED = ".unfinished"
"""How the name of a file ends that is being written."""


def write_file(target: Path, groups: Iterable["pa.Table"], header: Header, *, within: Path | None = None) -> int:
    """Write one whole Parquet file and put it in the place of `target` once it is on the disk; returns its bytes.

    Parameters:
        within: the folder in which it is written, of the same disk; by default that of `target`.

    Raises:
        OSError: it cannot be written; what was there before stays, and nothing is left behind.
        TypeError, ValueError: JSON cannot hold the header's details.
    """
    import pyarrow.parquet as pq

    unfinished = (within or target.parent) / f".{target.name}.{uuid.uuid4().hex}{UNFINISHED}"
    encoded = header.encoded()
    try:
        with unfinished.open("xb") as file:
            with pq.ParquetWriter(
                file,
                schema(),
                compression="zstd",
                use_dictionary=["channel", "time_ns", "start_ns", *TEXTS],
                column_encoding={name: "DELTA_BINARY_PACKED" for name, form in COLUMNS.items() if form == "time"},
                write_page_checksum=True,
                store_schema=False,
            ) as writer:
                for rows in groups:
                    if len(rows):
                        writer.write_table(rows)
                writer.add_key_value_metadata({HEADER: encoded})
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)
    return size


def sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive a loss of power, where the system can."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # pragma: no cover - a system that opens no folders
        return
    try:
        os.fsync(opened)
    except OSError:  # a file system that cannot: the file itself is safe
        pass
    finally:
        os.close(opened)


def row_groups(batch: Batch, channels: Dictionary) -> Iterator["pa.Table"]:
    """The row groups of the rows of a batch, a kind after the other.

    Parameters:
        channels: gives each channel its number in the file; learns those that are new.
    """
    file_schema = schema()
    for name, layout in TABLES.items():
        for rows in _pieces(getattr(batch, name)):
            yield group(layout.kind, _columns(layout, rows, channels), len(rows), file_schema)


def channel_group(identities: Sequence[ChannelIdentity]) -> "pa.Table":
    """The rows of channels, in the order of their numbers."""
    import pyarrow as pa

    columns = {
        "namespace": text_array([channel.key.namespace for channel in identities]),
        "module": text_array([channel.key.name for channel in identities]),
        "address": text_array([channel.address for channel in identities]),
        "generation": pa.array([channel.generation for channel in identities], pa.int32()),
        "number": pa.array([channel.number for channel in identities], pa.int64()),
        "transport": text_array([channel.transport for channel in identities]),
    }
    return group("channel", columns, len(identities), schema())


def totals_group(totals: Totals, channels: Dictionary) -> "pa.Table":
    """The rows of modules: how each stood at the end, and the totals of all that ended."""
    import pyarrow as pa

    openings = totals.openings
    columns = {
        **time_arrays("time", np.array([NO_TIME if row is None else row.time for row in openings], np.int64)),
        "channel": pa.array(channels.encode(totals.channels)),
        "change": text_array([None if row is None else f"{row.previous or ''}>{row.state or ''}" for row in openings]),
        "reason": text_array([row and row.reason for row in openings]),
        "evidence": text_array([row and row.evidence for row in openings]),
        "text": text_array(totals.last_reasons),
        **time_arrays("start", np.array(totals.losts, np.int64)),
        "totals": pa.array(totals.numbers.tolist(), pa.list_(pa.int64())),
    }
    return group("module", columns, len(openings), schema())


def resources_group(resources: Sequence[Known]) -> "pa.Table":
    """The rows of resources that a discovery saw, as each was last known."""
    import pyarrow as pa

    modules = [known.module for known in resources]
    columns = {
        **time_arrays("time", np.array([known.seen for known in resources], np.int64)),
        "namespace": text_array([module.namespace for module in modules]),
        "module": text_array([module.name for module in modules]),
        "address": text_array([known.address for known in resources]),
        "reason": text_array([known.reason for known in resources]),
        "uid": text_array([module.uid for module in modules]),
        "version": text_array([module.version for module in modules]),
        "sdk_version": text_array([module.sdk_version for module in modules]),
        "resource_version": text_array([module.resource_version for module in modules]),
        "standing": text_array([known.standing for known in resources]),
        "components": pa.array([_storable(module.components) for module in modules], pa.list_(pa.string())),
        "labels": pa.array([_storable(text for label in module.labels for text in label) for module in modules], pa.list_(pa.string())),
    }
    return group("resource", columns, len(resources), schema())


def merged_groups(files: Sequence[Path], *, kinds: Iterable[str] = KINDS) -> Iterator["pa.Table"]:
    """The row groups of several files of one recording as those of one, a kind after the other, with as few groups as may be.

    Of resources those of the last file that has any are taken, since each of these has them all. The memory it takes is that of a group.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    held: dict[Path, dict[str, list[int]]] = {}
    for path in files:
        with pq.ParquetFile(path) as file:
            numbers: dict[str, list[int]] = {}
            for number in range(file.num_row_groups):
                numbers.setdefault(file.read_row_group(number, columns=["kind"]).column("kind")[0].as_py(), []).append(number)
            held[path] = numbers
    for kind in kinds:
        having = [path for path in files if kind in held[path]]
        waiting: list[pa.Table] = []
        for path in having[-1:] if kind == "resource" else having:
            with pq.ParquetFile(path, read_dictionary=list(TEXTS), page_checksum_verification=True) as file:
                for number in held[path][kind]:
                    waiting.append(file.read_row_group(number))
                    if sum(map(len, waiting)) >= GROUP:
                        table = _one_table(waiting)
                        yield table.slice(0, GROUP)
                        waiting = [table.slice(GROUP)] if len(table) > GROUP else []
        if waiting:
            yield _one_table(waiting)


def _one_table(tables: "list[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _columns(layout: Layout, rows: Rows, channels: Dictionary) -> dict[str, "pa.Array"]:
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for field in layout.fields:
        column = rows.columns[field.name]
        if field.form == "time":
            columns |= time_arrays(field.stored, column)
        elif field.form == "change":
            columns[field.stored] = change_array(rows)
        elif field.form == "channel":
            columns[field.stored] = _channel_numbers(column, rows, channels)
        elif field.form == "text":
            columns[field.stored] = dictionary_array(column, rows.categories[field.name].members)
        else:
            columns[field.stored] = pa.array(column)
    return columns


def _channel_numbers(codes: Column, rows: Rows, channels: Dictionary) -> "pa.Array":
    """The numbers of the rows' channels; only of those that occur, since the journal's dictionary may know many that went."""
    import pyarrow as pa

    values = rows.categories["channel"].dictionary.values
    used = np.flatnonzero(np.bincount(codes))
    places = np.zeros(int(used.max()) + 1 if len(used) else 0, np.int32)
    places[used] = channels.encode([values[code] for code in used.tolist()])
    return pa.array(places[codes], pa.int32())


def _pieces(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), GROUP):
        here = slice(start, min(start + GROUP, len(rows)))
        yield Rows(rows.first + start, {name: column[here] for name, column in rows.columns.items()}, rows.categories)


def _storable(texts: Iterable[str]) -> list[str]:
    # A lone surrogate, as JSON may bring, can stand in no file.
    return [text.encode(errors="replace").decode() for text in texts]
