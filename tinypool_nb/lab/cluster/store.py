"""The objects, their one revision, and what happened: etcd and the API server's watch cache in one.

Every write is in the journal file before it is answered, so that a server that was killed finds all of it again. Source: Kubernetes API
concepts, "Efficient detection of changes".
"""

import json
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tinypool_nb.lab.cluster.labels import Identity

FIRST = 1_000
"""The revision of an empty cluster: others wrote before, as in a real one."""
REMEMBERED = 20_000
"""Writes that are remembered; older ones are compacted, as etcd's are after some minutes."""
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", "tinysystems")

Key = tuple[str, str]
"""Namespace and name."""


class Stored(NamedTuple):
    """An object as it was at one revision. Decoded anew for each use, so nobody can change it."""

    identity: Identity
    revision: int
    encoded: bytes

    @classmethod
    def of(cls, body: Mapping[str, Any], revision: int) -> "Stored":
        """The object `body`, with that resourceVersion."""
        metadata = {**body["metadata"], "resourceVersion": str(revision)}
        identity = Identity(metadata["namespace"], metadata["name"], metadata.get("labels") or {})
        return cls(identity, revision, encode({**body, "metadata": metadata}))

    @property
    def body(self) -> dict[str, Any]:
        """The object, to be changed at will."""
        decoded: dict[str, Any] = json.loads(self.encoded)
        return decoded


def encode(value: object) -> bytes:
    """JSON as a real server writes it: keys in order, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Event(NamedTuple):
    """One write: what was there before it, and after it."""

    revision: int
    key: Key
    was: Stored | None
    now: Stored | None
    last: Stored | None = None
    """Of a deletion: the object as it went, with the revision of the deletion."""


class Store:
    """What a cluster remembers. Take `changed` around whatever belongs together; it is notified of each write.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = Store(Path(folder.name) / "journal")
    >>> with store.changed:
    ...     store.write(("tinysystems", "a"), {"metadata": {"namespace": "tinysystems", "name": "a"}}).revision
    1001
    >>> store.close(); folder.cleanup()

    Args:
        journal: the file that holds every write; what is in it already is read first.
    """

    def __init__(self, journal: Path) -> None:
        self.changed = threading.Condition()
        self.revision = FIRST
        self.objects: dict[Key, Stored] = {}
        self.namespaces = dict.fromkeys(NAMESPACES, str(FIRST))
        self.compacted = FIRST
        """Before this revision nothing is known: pages of older lists are gone."""
        self._events: list[Event] = []
        self.cached = FIRST
        """From this revision on a watch can start: a server that starts has an empty watch cache, as a real one has."""
        self._read(journal)
        self.cached = self.revision
        self._journal = journal.open("ab", buffering=0)

    def _read(self, journal: Path) -> None:
        if not journal.exists():
            return
        whole, _, _ = journal.read_bytes().rpartition(b"\n")  # a line without its end was never answered
        for line in whole.splitlines():
            entry = json.loads(line)
            self.revision = entry["revision"]
            if "compacted" in entry:
                self._compact(entry["compacted"])
            elif "namespace" in entry:
                self.namespaces[entry["namespace"]] = str(self.revision)
            else:
                namespace, name = entry["key"]
                gone = entry["object"] is None
                self._apply((namespace, name), None if gone else Stored.of(entry["object"], self.revision))
        if whole:
            journal.write_bytes(whole + b"\n")

    def write(self, key: Key, body: Mapping[str, Any] | None) -> Stored:
        """Put an object, or with None take it away; what is stored, of a deletion the last state.

        Raises:
            KeyError: there is nothing to be taken away.
        """
        revision = self.revision + 1
        now = None if body is None else Stored.of(body, revision)
        stored = now or Stored.of(self.objects[key].body, revision)
        self._journal.write(b'{"key":%s,"object":%s,"revision":%d}\n' % (encode(key), now.encoded if now else b"null", revision))
        self.revision = revision
        self._apply(key, now, stored)
        if len(self._events) > 2 * REMEMBERED:
            self._compact(self._events[-REMEMBERED].revision)
        self.changed.notify_all()
        return stored

    def add_namespace(self, name: str) -> str:
        """Make a namespace; its resourceVersion."""
        self.revision += 1
        self._journal.write(encode({"namespace": name, "revision": self.revision}) + b"\n")
        self.namespaces[name] = str(self.revision)
        return self.namespaces[name]

    def compact(self) -> None:
        """Forget how it came to be: watches from older versions, and further pages of older lists, are expired."""
        with self.changed:
            self._journal.write(encode({"compacted": self.revision, "revision": self.revision}) + b"\n")
            self._compact(self.revision)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def since(self, revision: int) -> list[Event]:
        """The writes after that revision, the oldest first."""
        return self._events[bisect_right(self._events, revision, key=lambda event: event.revision) :]

    def at(self, revision: int) -> dict[Key, Stored]:
        """The objects as they were at that revision, which is not before `compacted`."""
        objects = dict(self.objects)
        for event in reversed(self.since(revision)):
            if event.was is None:
                del objects[event.key]
            else:
                objects[event.key] = event.was
        return objects

    def ordered(self, revision: int | None = None) -> Iterator[Stored]:
        """The objects, now or then, in etcd's order: by namespace and name."""
        objects = self.objects if revision is None else self.at(revision)
        return (objects[key] for key in sorted(objects))

    def _apply(self, key: Key, now: Stored | None, stored: Stored | None = None) -> None:
        was = self.objects.get(key)
        if now is None:
            assert was is not None
            last = stored or Stored.of(was.body, self.revision)
            del self.objects[key]
            self._events.append(Event(self.revision, key, was, None, last))
        else:
            self.objects[key] = now
            self._events.append(Event(self.revision, key, was, now))

    def _compact(self, revision: int) -> None:
        self.compacted = revision
        self.cached = max(self.cached, revision)
        self._events = self.since(revision)
