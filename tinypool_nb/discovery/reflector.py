"""Keeps a target equal to the cluster: list, then watch, for ever, in one thread. What comes next is `core/reflecting.py`'s to say."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.reflecting import Came, Chance, Course, advanced, due_for, is_relist_due, listed, next_step, opened
from tinypool_nb.core.tinymodules import named
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.resources import Resources, Trouble, came_of
from tinypool_nb.errors import KubeconfigError

log = logging.getLogger("tinypool_nb.discovery")

PAGE = 500
"""Resources that are asked for at once."""


class Target(Protocol):
    """What is kept equal. Called in the reflector's thread; an error of it is logged, and the reflector goes on."""

    def seen(self, resource: object) -> object:
        """It is there, as it is now."""

    def gone(self, resource: object) -> object:
        """It was deleted, or has left the selection."""

    def complete(self, keys: set[ModuleKey]) -> object:
        """A list is complete, and these are all that there are. Others that were seen before are gone."""

    def well(self, version: str, *, by_list: bool, due_for: str = "") -> object:
        """The target is what the server says; by a list, and what that was due for, or because it may watch on from where it was."""

    def heard(self, version: str) -> object:
        """The server said something, which was applied."""

    def troubled(self, trouble: Trouble, verb: str) -> object:
        """A request did not end well; another one follows by itself."""

    def ended(self) -> object:
        """The line was cut, and nothing comes any more."""


class Reflector:
    """One thread's work, for `run`.

    Args:
        connect: makes the way to the cluster anew, with what may have changed: a token is read again.
        target: what is kept equal.
        line: ends it.
        clock: monotonic seconds.
        chance: for waits, as `random.random`.
    """

    def __init__(
        self,
        connect: Callable[[], Resources],
        target: Target,
        line: Lifeline,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Chance = random.random,
        page: int = PAGE,
    ) -> None:
        self._connect = connect
        self._target = target
        self._line = line
        self._clock = clock
        self._chance = chance
        self._page = page
        self._course = Course()
        self._resources: Resources | None = None
        self.requests = 0
        """How many were sent, up to now."""

    def run(self) -> None:
        """List and watch until the line is cut."""
        came, heard, lasted = None, 0, 0.0
        try:
            while not self._line.is_cut:
                self._course, step = next_step(self._course, came, now=self._clock(), chance=self._chance, heard=heard, lasted=lasted)
                if step.wait and self._line.wait(step.wait):
                    break
                began, heard = self._clock(), 0
                verb = "list" if step.version is None else "watch"
                try:
                    if step.version is None:
                        self._list(hurried=came is Came.SILENT)
                        came = Came.LISTED
                    else:
                        heard = self._watch(step.version, step.watch_for)
                        came = Came.ENDED
                except Trouble as trouble:
                    came = trouble.came
                    self._tell(trouble, verb)
                except Exception as error:  # noqa: BLE001 its text may hold a secret, so only its kind is told
                    came = Came.WRONG
                    self._tell(Trouble(came, f"an error of this program: {type(error).__name__}"), verb)
                lasted = self._clock() - began
        finally:
            self._disconnect()
            self._guarded(self._target.ended)

    def _list(self, *, hurried: bool) -> None:
        resources = self._connected()
        due = due_for(self._course, self._clock())
        found: set[ModuleKey] = set()
        limit, following = self._page, ""
        while True:
            self.requests += 1
            try:
                page = resources.page(limit, following, hurried=hurried)
            except Trouble as trouble:
                if trouble.came is not Came.GONE:
                    raise
                if trouble.status == 504 or not following:  # it asked for no version that could be gone: so answers a gateway
                    raise Trouble(Came.BUSY, trouble.reason, status=trouble.status) from None
                limit, following, found = 0, "", set()  # the list became too old while it was read: once more, in one piece
                continue
            for resource in page.get("items") or ():
                found.add(named(resource))
                self._guarded(self._target.seen, resource)
            following = page["metadata"].get("continue") or ""
            if self._line.is_cut:
                return
            if not following:
                break
        version = _version(page)
        self._guarded(self._target.complete, found)
        self._course = listed(self._course, version, now=self._clock(), chance=self._chance)
        self._guarded(self._target.well, version, by_list=True, due_for=due)

    def _watch(self, version: str, seconds: int) -> int:
        """Apply the events of one watch; how many of them moved the version on."""
        heard = 0

        def begun() -> None:
            self._course = opened(self._course, now=self._clock())
            self._guarded(self._target.well, version, by_list=False)

        self.requests += 1
        for event in self._connected().watch(version, seconds, begun):
            before = self._course.version
            self._apply(event)
            heard += self._course.version != before
            if self._line.is_cut or is_relist_due(self._course, self._clock()):
                break
        return heard

    def _apply(self, event: dict[str, Any]) -> None:
        said: dict[str, Any] = event["object"]
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self._guarded(self._target.seen, said)
            case "DELETED":
                self._guarded(self._target.gone, said)
            case "BOOKMARK":
                pass
            case "ERROR":
                raise _error(said)
            case _:
                raise Trouble(Came.WRONG, "a watch had an event of an unknown type")
        version = _version(said)
        self._course = advanced(self._course, version)  # only now, so that what failed on the way is sent again
        self._guarded(self._target.heard, version)

    def _connected(self) -> Resources:
        if self._resources is None:
            try:
                self._resources = self._connect()
            except KubeconfigError as error:
                raise Trouble(Came.WRONG, str(error)) from None
        return self._resources

    def _disconnect(self) -> None:
        if self._resources is not None:
            self._resources.close()
            self._resources = None

    def _tell(self, trouble: Trouble, verb: str) -> None:
        if self._line.is_cut:
            return
        if self._resources is not None:
            trouble = self._resources.trouble(trouble, watching=verb == "watch")  # a server may say a secret within a watch too
        if trouble.status in {401, 403}:
            self._disconnect()  # whoever logs in again, or as somebody else, changes what the kubeconfig gives
        self._guarded(self._target.troubled, trouble, verb)

    def _guarded(self, call: Callable[..., object], *arguments: Any, **options: Any) -> None:
        try:
            call(*arguments, **options)
        except Exception:
            log.exception("a resource could not be taken up; the reflector goes on")


def _error(status: dict[str, Any]) -> Trouble:
    """What an ERROR event within a watch means."""
    code, reason, message = status.get("code"), status.get("reason"), str(status.get("message") or "")
    if code == 410 or reason in {"Expired", "Gone"}:
        return Trouble(Came.GONE, message or "too old resource version", status=410)
    told = code if isinstance(code, int) else 0
    came = came_of(told) if came_of(told) in {Came.GONE, Came.REFUSED} else Came.WRONG
    return Trouble(came, ": ".join(filter(None, (str(reason or ""), message))) or "an error without a word", status=told)


def _version(said: dict[str, Any]) -> str:
    metadata = said.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(version, str) or not version:
        raise Trouble(Came.WRONG, "there is no resource version in what the server said")
    return version
