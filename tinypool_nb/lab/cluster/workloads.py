"""Pods and services: what stands behind the modules' names in a cluster. Enough of them to find a module's pod; nobody can watch them.

Source: Kubernetes API reference, "Pod v1 core" and "Service v1 core".
"""

import json
import uuid
from typing import Any

from tinypool_nb.lab.cluster.changes import MERGE_PATCH, timestamp
from tinypool_nb.lab.cluster.objects import is_name, merge
from tinypool_nb.lab.cluster.statuses import ApiStatusError, already_exists, bad_request, not_found
from tinypool_nb.lab.cluster.store import Key, Store, Stored, encode

KINDS = {"pods": "Pod", "services": "Service"}
"""By their plurals."""
Object = dict[str, Any]


class Workloads:
    """The objects of one kind.

    Args:
        plural: of `KINDS`.
        store: where they are.
        cluster: the store that knows the namespaces.
    """

    def __init__(self, plural: str, store: Store, cluster: Store) -> None:
        self.plural = plural
        self.kind = KINDS[plural]
        self.store = store
        self._cluster = cluster

    def get(self, key: Key) -> Stored:
        """One object.

        Raises:
            ApiStatusError: 404.
        """
        try:
            return self.store.objects[key]
        except KeyError:
            raise not_found(key[1], group="", plural=self.plural) from None

    def create(self, namespace: str, body: Any) -> Stored:
        """A new object.

        Raises:
            ApiStatusError: 400, 404, 409 or 422.
        """
        given = self._checked(body)
        name = given["metadata"].get("name")
        if not is_name(name):
            raise ApiStatusError(
                422, "Invalid", f'{self.kind} "{name}" is invalid: metadata.name', details={"name": name, "kind": self.kind}
            )
        if namespace not in self._cluster.namespaces:
            raise not_found(namespace, group="", plural="namespaces")
        metadata = {**given["metadata"], "namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        with self.store.changed:
            if (namespace, name) in self.store.objects:
                raise already_exists(name, group="", plural=self.plural)
            return self.store.write((namespace, name), {**given, "metadata": metadata})

    def put(self, key: Key, body: Any) -> Stored:
        """Another object in the place of one.

        Raises:
            ApiStatusError: 400, 404 or 409.
        """
        given = self._checked(body)
        with self.store.changed:
            old = self.get(key).body
            version = given["metadata"].get("resourceVersion", old["metadata"]["resourceVersion"])
            if version != old["metadata"]["resourceVersion"]:
                message = f'Operation cannot be fulfilled on {self.plural} "{key[1]}": the object has been modified'
                raise ApiStatusError(409, "Conflict", message, details={"name": key[1], "kind": self.plural})
            kept = {name: old["metadata"][name] for name in ("name", "namespace", "uid", "creationTimestamp")}
            return self.store.write(key, {**given, "metadata": {**given["metadata"], **kept}})

    def patch(self, key: Key, patch: Any, media_type: str) -> Stored:
        """An object changed by a merge patch.

        Raises:
            ApiStatusError: 400, 404, 409 or 415.
        """
        if media_type.partition(";")[0].strip() != MERGE_PATCH:
            raise ApiStatusError(415, "UnsupportedMediaType", f"accepted media types include: {MERGE_PATCH}")
        with self.store.changed:
            return self.put(key, merge(self.get(key).body, patch))

    def delete(self, key: Key) -> bytes:
        """Take an object away; the body of the answer, which is the object as it was.

        Raises:
            ApiStatusError: 404.
        """
        with self.store.changed:
            self.get(key)
            return self.store.write(key, None).encoded + b"\n"

    def _checked(self, body: Any) -> Object:
        if not isinstance(body, dict) or body.get("kind", self.kind) != self.kind or body.get("apiVersion", "v1") != "v1":
            raise bad_request(f"the object provided is unrecognized (must be of type {self.kind}): {json.dumps(body)[:80]}")
        if not isinstance(body.get("metadata"), dict):
            raise bad_request("the object has no metadata")
        return {**body, "kind": self.kind, "apiVersion": "v1"}


def encode_listed(kind: str, page: list[Stored], metadata: dict[str, object]) -> bytes:
    """The body of a list of objects of the core group, which name neither their kind nor their version in a list."""
    items = [{name: value for name, value in stored.body.items() if name not in {"kind", "apiVersion"}} for stored in page]
    return encode({"apiVersion": "v1", "kind": f"{kind}List", "metadata": metadata, "items": items}) + b"\n"
