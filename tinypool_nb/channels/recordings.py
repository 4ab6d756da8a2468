"""The recordings of one pool: begun by its `record`, ended with it."""

import os
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinypool_nb.core.discovering import Known
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal

if TYPE_CHECKING:
    from tinypool_nb.channels.pool import ClientPool
    from tinypool_nb.journal.recording.recorder import Recorder


class Recordings:
    """Holds the recorders of a pool, none of which holds the pool: one that nobody holds any more ends its recordings."""

    def __init__(self, journal: Journal, follower: Follower) -> None:
        self._journal = journal
        self._follower = follower
        self._begun: list[Recorder] = []

    def begin(self, pool: "ClientPool", path: str | os.PathLike[str], *, replace: bool) -> "Recorder":
        """Begin one more.

        Raises:
            RecordingPathError, OSError: as `Recorder`.
        """
        from tinypool_nb.journal.recording.recorder import Recorder

        asked = _Asked(pool)
        recorder = Recorder(self._journal, self._follower, path, details=asked.details, resources=asked.resources, replace=replace)
        recorder.end_with(pool)
        self._begun.append(recorder)
        return recorder

    def close(self) -> None:
        """End all, once everything is recorded."""
        for recorder in self._begun:
            recorder.close()


class _Asked:
    """What a pool says of itself; once it is gone, what it said last."""

    def __init__(self, pool: "ClientPool") -> None:
        self._pool = weakref.ref(pool)
        self._details: Mapping[str, Any] = {}
        self._resources: tuple[Known, ...] = ()

    def details(self) -> Mapping[str, Any]:
        pool = self._pool()
        if pool is not None:
            self._details = pool.describe()
        return self._details

    def resources(self) -> tuple[Known, ...]:
        pool = self._pool()
        if pool is not None:
            self._resources = pool.resources()
        return self._resources
