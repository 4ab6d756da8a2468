"""A list, whole or in pages that all show one and the same moment.

Source: Kubernetes API concepts, "Retrieving large results sets in chunks" and "Semantics for get and list".
"""

import base64
import binascii
import json
from collections.abc import Callable
from typing import NamedTuple

from tinypool_nb.lab.cluster.labels import Selection
from tinypool_nb.lab.cluster.query import Query
from tinypool_nb.lab.cluster.statuses import ApiStatusError, bad_request, expired
from tinypool_nb.lab.cluster.store import Key, Store, Stored, encode
from tinypool_nb.lab.cluster.tinymodule import API_VERSION, KIND

INCONSISTENT = -1
"""The revision in the token that goes with an expired page: go on with what is there now."""
OVER = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token "
    "results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and "
    "now may show up in the list."
)


class Continuation(NamedTuple):
    """Where the next page begins: after the last object of this one. A client gets it as an opaque token.

    >>> Continuation.parse(Continuation(1001, ("tinysystems", "a")).token())
    Continuation(revision=1001, after=('tinysystems', 'a'))
    """

    revision: int
    after: Key

    def token(self) -> str:
        """What a client sends back as `continue`."""
        told = json.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": "/".join(self.after)}).encode()
        return base64.urlsafe_b64encode(told).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> "Continuation":
        """The continuation in a token.

        Raises:
            ApiStatusError: 400, it is none.
        """
        try:
            told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            namespace, _, name = told["start"].partition("/")
            return cls(int(told["rv"]), (namespace, name))
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise bad_request("invalid continue token: continue key is not valid: illegal base64 data or no JSON in it") from None


Encode = Callable[[list[Stored], dict[str, object]], bytes]


def list_objects(store: Store, selection: Selection, query: Query, encode_page: Encode | None = None) -> bytes:
    """The body of the answer to a list.

    Args:
        store: of the objects.
        selection: which of them.
        query: page, version and so on.
        encode_page: how the body is written; as `encode_list` by default.

    Raises:
        ApiStatusError: 400; 410, the moment is forgotten; 504, it is in the future.
    """
    query.integer("timeoutSeconds")  # which a list has no use for, but checks
    limit, token, asked = query.integer("limit"), query.text("continue"), query.version()
    if token and asked not in {None, 0}:
        raise bad_request("specifying resource version is not allowed when using continue")
    match = query.text("resourceVersionMatch")
    if match:
        _check_match(match, asked)
    with store.changed:
        revision, after = _moment(store, token, asked, exact=match == "Exact")
        then = None if revision == store.revision else revision
        picked = [
            stored
            for stored in store.ordered(then)
            if (after is None or (stored.identity.namespace, stored.identity.name) > after) and selection.picks(stored.identity)
        ]
    page = picked[:limit] if limit > 0 and (asked != 0 or token) else picked
    left = picked[len(page) :]
    metadata: dict[str, object] = {"resourceVersion": str(revision), "continue": ""}
    if left:
        metadata["continue"] = Continuation(revision, (page[-1].identity.namespace, page[-1].identity.name)).token()
        if not selection.labels and not selection.fields:
            metadata["remainingItemCount"] = len(left)
    return (encode_page or encode_list)(page, metadata)


def _moment(store: Store, token: str, asked: int | None, *, exact: bool) -> tuple[int, Key | None]:
    """The revision that is to be shown, and after which object."""
    if token:
        revision, after = Continuation.parse(token)
        if revision == INCONSISTENT:
            return store.revision, after
        if not store.compacted <= revision <= store.revision:
            raise expired(OVER, Continuation(INCONSISTENT, after).token())
        return revision, after
    if asked is not None and asked > store.revision:
        raise too_large(asked, store.revision)
    if exact and asked:
        if asked < store.compacted:
            raise expired(f"The resourceVersion for the provided list is too old: {asked} ({store.compacted})")
        return asked, None
    return store.revision, None


def _check_match(match: str, asked: int | None) -> None:
    told = ""
    if asked is None:
        told = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif match not in {"Exact", "NotOlderThan"}:
        told = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
    if told:
        message = f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {told}'
        raise ApiStatusError(422, "Invalid", message, details={"group": "meta.k8s.io", "kind": "ListOptions"})


def too_large(asked: int, current: int) -> ApiStatusError:
    """504: the version is one of the future, of which an old copy of the data knows nothing."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiStatusError(504, "Timeout", message, details={"causes": causes}, retry_after=1)


def encode_list(page: list[Stored], metadata: dict[str, object]) -> bytes:
    """The body of a list, of objects that are encoded already."""
    items = b",".join(stored.encoded for stored in page)
    return b'{"apiVersion":"%s","items":[%s],"kind":"%sList","metadata":%s}\n' % (
        API_VERSION.encode(),
        items,
        KIND.encode(),
        encode(metadata),
    )
