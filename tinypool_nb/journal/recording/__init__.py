"""A journal on disk: saved as one Parquet file or recorded while it grows, and opened again.

How its rows stand there: `tinypool_nb.journal.recording.layout`. How a recording outlives a kill: `tinypool_nb.journal.recording.recorder`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.discovering import Known
from tinypool_nb.errors import RecordingError, shown
from tinypool_nb.journal.journal import Batch, Journal
from tinypool_nb.journal.recording.header import FORMAT, Header, header_of, read_header
from tinypool_nb.journal.recording.joining import Recording, join, mark_of_end
from tinypool_nb.journal.recording.layout import TABLES, TEXTS, schema
from tinypool_nb.journal.recording.reading import Recorded, Span, set_order
from tinypool_nb.journal.recording.sources import Paths, Source, find_sources, goes_on, parts_folder, parts_in
from tinypool_nb.journal.recording.writing import channel_group, resources_group, row_groups, totals_group, write_file
from tinypool_nb.journal.tables import Dictionary

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

PATIENCE = 5
"""Times that a recording is read which is being written."""

__all__ = ["FORMAT", "Opened", "Span", "load", "save"]


class Opened(NamedTuple):
    """What was read of one recording or several."""

    journal: Journal
    """The rows and totals; its clock stands still where the recording ends."""
    details: dict[str, Any]
    """What it says about itself. `partial` says what is not whole, and is there only if something is not."""
    resources: tuple[Known, ...]
    """Those that a discovery saw, as each was last known."""


def save(
    journal: Journal, path: str | os.PathLike[str], *, details: Mapping[str, object] | None = None, resources: Iterable[Known] = ()
) -> None:
    """Write all rows and totals of the journal into one file. It is written beside `path` and takes its place when it is whole.

    Parameters:
        path: a file there before is replaced.
        details: what else the recording should say about itself, as JSON can hold it: the pool's options, for example.
        resources: what a discovery knows.

    Raises:
        OSError: the file cannot be written; what was there before stays.
        TypeError: JSON cannot hold the details.
    """
    batch, totals = journal.snapshot()
    channels = Dictionary()
    dictionaries = _orders(batch, channels)
    channels.encode(totals.channels)
    header = header_of(journal, details or {}, {name: getattr(batch, name).first for name in TABLES}, dictionaries=dictionaries)

    def groups() -> "Iterator[pa.Table]":
        yield channel_group(channels.values)
        yield from row_groups(batch, channels)
        yield totals_group(totals, channels)
        yield resources_group(list(resources))

    write_file(Path(path), groups(), header)


def load(paths: Paths, *, span: Span | None = None) -> Opened:
    """Read what `save` or a recorder wrote: one recording, or several that are put together (see `joining`).

    Everything is checked before it is used: the format, the type of each column, each code, each member of a closed set,
    the checksum of each page, and the size before anything is unpacked. Nothing in a file is executed.

    Parameters:
        paths: a file, the folder of a recording that was not closed, a pattern as `runs/*.parquet`, or several of these.
        span: only this range of time; the rest is not read, and the totals are those of the range.

    Raises:
        RecordingError: there is no such file, or it is no recording, is damaged, or comes from a newer version; or it has
            nothing in that range.
    """
    import pyarrow as pa

    span = span or Span()
    path: object = paths
    try:
        for _ in range(PATIENCE):
            try:
                with ExitStack() as stack:
                    read: list[Recording] = []
                    for source in find_sources(paths):
                        path = source.path
                        read.append(_read(_latest(source), span, stack))
                    return _opened(_within(paths, read, span), span)
            except FileNotFoundError as error:  # parts of one that goes on may just be merged
                missing = error
    except RecordingError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError) as error:
        raise RecordingError(path, f"it is no recording, or it was cut off or damaged: {shown(str(error), most=200)}") from error
    raise RecordingError(path, f"its files go away while they are read, or are not all there: {shown(str(missing), most=200)}")


def _orders(batch: Batch, channels: Dictionary) -> dict[str, dict[str, list[Any]]]:
    """The order of each dictionary, so that categories come back in it; the channels' numbers are given in it too."""
    orders: dict[str, dict[str, list[Any]]] = {}
    for table in TABLES:
        open_ones = {name: categories for name, categories in getattr(batch, table).categories.items() if not categories.dictionary.closed}
        orders[table] = {name: categories.members for name, categories in open_ones.items()}
        if "channel" in open_ones:
            orders[table]["channel"] = channels.encode(open_ones["channel"].members).tolist()
    return orders


def _latest(source: Source) -> Source:
    """The parts beside a file instead of it, if they are later: a recording that was to replace it, and was not closed."""
    folder = parts_folder(source.path)
    if source.is_partial or not folder.is_dir():
        return source
    with suppress(FileNotFoundError):  # of a recording that was closed, whose parts go, or went in part
        parts = parts_in(folder)
        if parts and _header(parts[-1]).saved_at > _header(source.path).saved_at:
            return Source(source.path, parts, is_partial=True)
    return source


def _header(path: Path) -> Header:
    import pyarrow.parquet as pq

    return read_header(path, pq.read_metadata(path).metadata or {})


def _read(source: Source, span: Span, stack: ExitStack) -> Recording:
    import pyarrow.parquet as pq

    files: list[ParquetFile] = []
    headers: list[Header] = []
    for path in source.files:
        metadata = pq.read_metadata(path)
        headers.append(read_header(path, metadata.metadata or {}))
        if not set(TEXTS) <= set(metadata.schema.names):  # else pyarrow says no more than the name
            raise RecordingError(path, f"its columns are not those of format {FORMAT}")
        file = stack.enter_context(pq.ParquetFile(path, read_dictionary=list(TEXTS), page_checksum_verification=True))
        if not file.schema_arrow.remove_metadata().equals(schema()):
            raise RecordingError(path, f"its columns are not those of format {FORMAT}")
        files.append(file)
    if len({header.origin for header in headers}) > 1:
        raise RecordingError(source.path, "its parts are of several recordings")
    whole = headers[-1].whole and not source.is_partial
    return Recording(source.label, headers[-1]._replace(whole=whole), Recorded(files, span), not whole and goes_on(source.files[0].parent))


def _within(paths: Paths, read: list[Recording], span: Span) -> list[Recording]:
    """The recordings that have anything to say of the span.

    Raises:
        RecordingError: none has.
    """
    if span.is_all:
        return read
    kept = [one for one in read if one.header.saved_at >= span.start and one.rows.is_before(span.end)]
    if not kept:
        raise RecordingError(paths, "it has nothing between start and end; leave one of them out to see from when to when it speaks")
    return kept


def _opened(recordings: list[Recording], span: Span) -> Opened:
    one, header = recordings[0], recordings[0].header
    end = min(span.end, max(each.header.saved_at for each in recordings))
    rows = max(sum(each.rows.tables[layout.kind].num_rows for each in recordings) for layout in TABLES.values())
    totals = one.rows.totals() if len(recordings) == 1 and header.whole and span.is_all else None
    room = rows if totals is not None else rows + 1_000  # for gaps between recordings, and the mark where one was not closed
    journal = Journal(history=max(header.history, room), clock=Clock(epoch=end, monotonic=lambda: 0))
    if totals is None:
        join(journal, recordings)
    else:
        tables = journal.tables()
        set_order(tables, header.dictionaries, one.rows.channels)
        for name, table in tables.items():
            table.restore(header.dropped[name], one.rows.columns(table, name, one.rows.channels))
        journal.folding.restore(totals)
    if len(recordings) == 1:
        journal.origin = header.origin
    return Opened(journal, _details(recordings, journal), _resources(recordings))


def _details(recordings: list[Recording], journal: Journal) -> dict[str, Any]:
    """What they say about themselves: of several the settings of each module, since each pool may have had its own."""
    details = dict(recordings[0].header.details)
    if len(recordings) > 1:
        details["recordings"] = [one.label for one in recordings]
        own: dict[str, Any] = {}
        for one in recordings:
            common, particular = one.header.details.get("options"), one.header.details.get("module_options")
            if common != details.get("options"):
                own |= {str(channel.key): common for channel in one.rows.channels}
            own |= particular if isinstance(particular, dict) else {}
        details["module_options"] = own
    told = {str(before) for one in recordings if (before := one.header.details.get("partial"))}  # saved from one that was not closed
    partial = [one for one in recordings if not one.header.whole]
    if partial:
        missed = sum(one.header.missed for one in partial)
        states = {"not closed": [one for one in partial if not one.goes_on], "was still going on": [one for one in partial if one.goes_on]}
        ends = [f"{', '.join(one.label for one in which)}: {how}" for how, which in states.items() if which]
        told.add("; ".join(ends) + (f", {missed:,} rows were missed" if missed else ""))
    if told:
        details["partial"] = "; ".join(sorted(told))
    if partial:
        journal.append(mark_of_end(journal.clock.now(), missed, goes_on=all(one.goes_on for one in partial)))
    return details


def _resources(recordings: list[Recording]) -> tuple[Known, ...]:
    """Of each resource what was last known."""
    found: dict[tuple[object, str], Known] = {}
    for known in (known for one in recordings for known in one.rows.resources()):
        key = known.module.key, known.module.uid
        if key not in found or found[key].seen <= known.seen:
            found[key] = known
    return tuple(found.values())
