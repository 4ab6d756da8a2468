"""TinyModules over HTTP, by the official client: pages of a list, lines of a watch. All that can go wrong becomes a `Trouble`.

The client's own `watch.Watch` is left aside: it retries at once and for ever, hangs on a silent server and parses each event three times.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import urllib3
from kubernetes.client import ApiException, CustomObjectsApi
from urllib3.exceptions import HTTPError, ReadTimeoutError

from tinypool_nb.core.reflecting import Came
from tinypool_nb.core.tinymodules import GROUP, PLURAL, VERSION
from tinypool_nb.discovery.kubeconfig import Cluster
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.tied import tie
from tinypool_nb.errors import KubeconfigError

PIECE = 65_536
"""Bytes that are read at once."""
LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of one event. An object in etcd has 1.5 MiB at the most, unless somebody raised that."""
LARGEST_PAGE = 256 * 1024 * 1024
"""Bytes of one page of a list."""
LONGEST_REASON = 300
"""Characters kept of what a server says."""


class Timeouts(NamedTuple):
    """Seconds."""

    connect: float = 5.0
    answer: float = 60.0
    """For a page of a list, all of it."""
    hurried: float = 10.0
    """For a page that is to tell whether a server that fell silent is there at all."""
    silence: float = 80.0
    """Of a watch. Bookmarks come every minute."""


class Trouble(Exception):  # noqa: N818 it is no error of the caller's, and is never raised to one
    """A request did not end well."""

    def __init__(self, came: Came, reason: str, *, status: int = 0) -> None:
        super().__init__(reason)
        self.came = came
        self.reason = reason
        self.status = status
        """HTTP's, or that of an ERROR event; 0 where the server said none."""


class Resources:
    """Lists and watches the TinyModules of a namespace, in one thread, until its lifeline is cut.

    Args:
        cluster: taken over; `close` closes it.
        namespace: None for all.
        label_selector: "" for all.
        line: ends whatever it reads.
    """

    def __init__(
        self, cluster: Cluster, namespace: str | None, label_selector: str, line: Lifeline, *, timeouts: Timeouts | None = None
    ) -> None:
        self.cluster = cluster
        self._timeouts = timeouts or Timeouts()
        tie(cluster.api, line)
        objects = CustomObjectsApi(cluster.api)
        self._common: dict[str, Any] = {"label_selector": label_selector} if label_selector else {}
        self._ask: Callable[..., Any] = objects.list_cluster_custom_object
        self._where: tuple[str, ...] = (GROUP, VERSION, PLURAL)
        if namespace is not None:
            self._ask, self._where = objects.list_namespaced_custom_object, (GROUP, VERSION, namespace, PLURAL)

    def page(self, limit: int, following: str = "", *, hurried: bool = False) -> dict[str, Any]:
        """One page of the list; the first, or that of the `continue` token of the one before. A hurried one gets less time.

        Raises:
            Trouble
        """
        asked: dict[str, Any] = {"limit": limit} if limit else {}
        if following:
            asked["_continue"] = following
        patience = self._timeouts.hurried if hurried else self._timeouts.answer
        deadline = time.monotonic() + patience
        with self._troubles(watching=False):
            response = self._request(patience, **asked)
            try:
                page = json.loads(whole(response, deadline))
            except BaseException:
                response.close()  # what was read in part must not be used for another request
                raise
            response.release_conn()
        if not isinstance(page, dict) or not isinstance(page.get("metadata"), dict) or not isinstance(page.get("items", []), list | None):
            raise Trouble(Came.WRONG, "the list is none of Kubernetes'")
        return page

    def watch(self, version: str, seconds: int, opened: Callable[[], object]) -> Iterator[dict[str, Any]]:
        """The events after `version`, until the server ends the watch, after `seconds` at the most.

        Args:
            version: as a list or an event gave it.
            seconds: after which the server is to end it.
            opened: called once the server lets it watch.

        Raises:
            Trouble
        """
        with self._troubles(watching=False):
            response = self._request(
                self._timeouts.silence, watch=True, resource_version=version, allow_watch_bookmarks=True, timeout_seconds=seconds
            )
        try:
            opened()
            with self._troubles(watching=True):
                for line in _lines(response):
                    event = json.loads(line)
                    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
                        raise Trouble(Came.WRONG, "a watch had a line that is no event")
                    yield event
        finally:
            response.close()  # never back to the pool: what is unread would be taken for the next answer

    def close(self) -> None:
        """Close its connections."""
        self.cluster.close()

    def trouble(self, error: Exception, *, watching: bool) -> Trouble:
        """What an error of the client's means, without a secret."""
        return trouble_of(error, self.cluster, silence=self._timeouts.silence if watching else None)

    def _request(self, patience: float, **asked: Any) -> urllib3.HTTPResponse:
        timeouts = (self._timeouts.connect, patience)
        response = self._ask(*self._where, **self._common, **asked, _preload_content=False, _request_timeout=timeouts)
        assert isinstance(response, urllib3.HTTPResponse)
        if not 200 <= response.status < 300:  # some versions of the client leave that to the caller
            try:
                raise refusal(response.status, response.read(PIECE), response.reason or "")
            finally:
                response.close()
        return response

    def _troubles(self, *, watching: bool) -> "_Troubles":
        return _Troubles(self, watching=watching)


class _Troubles:
    """Lets only a `Trouble` out."""

    def __init__(self, resources: Resources, *, watching: bool) -> None:
        self._resources = resources
        self._watching = watching

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            raise self._resources.trouble(error, watching=self._watching) from None


def trouble_of(error: Exception, cluster: Cluster | None, *, silence: float | None) -> Trouble:
    """What an error of the client's means, without a secret.

    Args:
        error: anything that a request may raise.
        cluster: whose secrets are blotted out.
        silence: of a watch: seconds after which nothing having been heard counts as an end of its own; None for other requests.
    """
    if isinstance(error, AttributeError) and isinstance(error.__context__, ApiException):
        error = error.__context__  # the client's 36.0.3 stumbles over an error of TLS
    match error:
        case Trouble():
            found = error
        case KubeconfigError():  # as where a credential has expired, and there is no other
            found = Trouble(Came.WRONG, str(error))
        case json.JSONDecodeError():
            found = Trouble(Came.WRONG, f"what it said is no JSON: {error}")
        case ApiException() if error.status:
            found = refusal(int(error.status), error.body, str(error.reason or ""))
        case ApiException():  # as the client tells a TLS error
            found = Trouble(Came.CUT, str(error.reason))
        case ReadTimeoutError() if silence is not None:
            found = Trouble(Came.SILENT, f"nothing was heard for {silence:g} s")
        case ReadTimeoutError():
            found = Trouble(Came.CUT, "no answer in time")
        case HTTPError() | OSError() | http.client.HTTPException():
            found = Trouble(Came.CUT, _root(error))
        case _:
            found = Trouble(Came.WRONG, f"{type(error).__name__}: {error}")
    reason = " ".join((found.reason if cluster is None else cluster.conceal(found.reason)).split())
    return Trouble(found.came, reason[:LONGEST_REASON], status=found.status)


def whole(response: urllib3.HTTPResponse, deadline: float) -> bytes:
    """The body, which must be there at `deadline`, monotonic seconds: a server that sends a byte now and then is no use."""
    body = bytearray()
    while piece := response.read1(PIECE):
        body += piece
        if len(body) > LARGEST_PAGE:
            raise Trouble(Came.WRONG, f"a page of a list has more than {LARGEST_PAGE:,} bytes")
        if time.monotonic() > deadline:
            raise Trouble(Came.CUT, "no complete answer in time")
    return bytes(body)


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = bytearray()
    while piece := response.read1(PIECE):
        rest += piece
        if b"\n" in piece:
            *lines, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            yield from filter(bytes.strip, lines)
        if len(rest) > LONGEST_LINE:
            raise Trouble(Came.WRONG, f"a watch had a line of more than {LONGEST_LINE:,} bytes")


def refusal(status: int, body: object, reason: str) -> Trouble:
    """What a status that is no success means."""
    try:
        told = json.loads(body) if isinstance(body, (str, bytes)) else None
    except ValueError:
        told = None
    message = told.get("message") if isinstance(told, dict) else None
    return Trouble(came_of(status), message if isinstance(message, str) and message else reason, status=status)


def came_of(status: int) -> Came:
    """How a request for what is after a version ended, if it was answered by this HTTP status.

    >>> came_of(410), came_of(403), came_of(503)
    (<Came.GONE: 'gone'>, <Came.REFUSED: 'refused'>, <Came.BUSY: 'busy'>)
    """
    # 504 is "too large resource version": the server's storage was set back, and the version is of another past.
    if status in {410, 504}:
        return Came.GONE
    if status in {401, 403, 404}:
        return Came.REFUSED
    return Came.BUSY if status == 429 or status >= 500 else Came.WRONG


def _root(error: BaseException) -> str:
    """The first cause of a failed connection, in few words: mostly what the system says, as "Connection refused"."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, http.client.IncompleteRead | http.client.RemoteDisconnected):
            return "the connection broke off"
        cause = cause.__cause__ or cause.__context__
    return f"{type(error).__name__}: {error}"
