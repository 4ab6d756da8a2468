"""Creating, changing and deleting objects in the store, one write at a time.

Source: Kubernetes API concepts, "Resource URIs", "Patch and apply", "Resource deletion".
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from tinypool_nb.lab.cluster.labels import Selection
from tinypool_nb.lab.cluster.objects import Object, Writer, check_body, check_place, created, is_name, merge, updated
from tinypool_nb.lab.cluster.schema import Cause
from tinypool_nb.lab.cluster.statuses import ApiStatusError, already_exists, bad_request, conflict, invalid, not_found, success
from tinypool_nb.lab.cluster.store import Key, Store, Stored, encode
from tinypool_nb.lab.cluster.tinymodule import GROUP, PLURAL

MERGE_PATCH = "application/merge-patch+json"


class Changes:
    """What clients do to the objects of one store.

    Args:
        store: where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: Key) -> Stored:
        """One object.

        Raises:
            ApiStatusError: 404.
        """
        try:
            return self._store.objects[key]
        except KeyError:
            raise not_found(key[1]) from None

    def create(self, namespace: str, body: Object, writer: Writer) -> Stored:
        """A new object.

        Raises:
            ApiStatusError: 400, 404 (there is no such namespace), 409 or 422.
        """
        given = check_body(body).get("metadata") or {}
        name = given.get("name") or (given["generateName"] + uuid.uuid4().hex[:5] if given.get("generateName") else "")
        with self._store.changed:
            if namespace not in self._store.namespaces:
                raise not_found(namespace, group="", plural="namespaces")
            new = created(body, namespace=namespace, name=name, uid=str(uuid.uuid4()), writer=writer)
            if (namespace, name) in self._store.objects:
                raise already_exists(name)
            return self._store.write((namespace, name), new)

    def put(self, key: Key, body: Object, subresource: str, writer: Writer) -> Stored:
        """Replace an object, or its status.

        Raises:
            ApiStatusError: 400, 404, 409 or 422.
        """
        with self._store.changed:
            self.get(key)
            check_place(check_body(body), key)
            if not (body.get("metadata") or {}).get("resourceVersion"):
                raise invalid(key[1], [Cause.invalid("metadata.resourceVersion", "0x0", "must be specified for an update")])
            return self._update(key, body, subresource, writer)

    def patch(self, key: Key, patch: object, media_type: str, subresource: str, writer: Writer) -> Stored:
        """Change an object, or its status, by a merge patch. One that changes nothing makes no event.

        Raises:
            ApiStatusError: 400, 404, 409, 415 (another kind of patch) or 422.
        """
        if media_type.partition(";")[0].strip() != MERGE_PATCH:
            message = f"the body of the request was in an unknown format - accepted media types include: {MERGE_PATCH}"
            raise ApiStatusError(415, "UnsupportedMediaType", message)
        if not isinstance(patch, dict):
            raise invalid("", [Cause.invalid("patch", json.dumps(json.dumps(patch)), "a merge patch is an object")])
        with self._store.changed:
            wanted = check_body(merge(self.get(key).body, patch))
            check_place(wanted, key)
            uid = (patch.get("metadata") or {}).get("uid")
            if uid not in {None, self._store.objects[key].body["metadata"]["uid"]}:
                raise invalid(key[1], [Cause.invalid("metadata.uid", f'"{uid}"', "field is immutable")])
            return self._update(key, wanted, subresource, writer)

    def _update(self, key: Key, wanted: Object, subresource: str, writer: Writer) -> Stored:
        stored = self.get(key)
        old = stored.body
        new = updated(old, wanted, subresource=subresource, writer=writer)
        if new is old:
            return stored
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            return self._store.write(key, None)
        return self._store.write(key, new)

    def delete(self, key: Key, options: object) -> bytes:
        """Take an object away; one with finalizers is only marked until they are gone. The body of the answer.

        Raises:
            ApiStatusError: 404, or 409 if a precondition does not hold.
        """
        with self._store.changed:
            stored = self.get(key)
            old = stored.body
            _check_preconditions(old, options)
            if old["metadata"].get("finalizers"):
                if "deletionTimestamp" not in old["metadata"]:
                    old["metadata"] |= {"deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": 0}
                    old["metadata"]["generation"] += 1
                    stored = self._store.write(key, old)
                return stored.encoded
            self._store.write(key, None)
        return encode(success(name=key[1], group=GROUP, kind=PLURAL, uid=old["metadata"]["uid"]))

    def delete_all(self, selection: Selection) -> list[Stored]:
        """Take all away that are picked; as they were."""
        with self._store.changed:
            gone = [stored for stored in self._store.ordered() if selection.picks(stored.identity)]
            for stored in gone:
                self.delete((stored.identity.namespace, stored.identity.name), {})
        return gone

    def create_namespace(self, body: Any) -> dict[str, Any]:
        """A new namespace.

        Raises:
            ApiStatusError: 409 or 422.
        """
        name = (body.get("metadata") or {}).get("name")
        if not is_name(name):
            raise ApiStatusError(422, "Invalid", f'Namespace "{name}" is invalid: metadata.name')
        with self._store.changed:
            if name in self._store.namespaces:
                raise already_exists(name, group="", plural="namespaces")
            self._store.add_namespace(name)
            return self.namespace(name)

    def namespace(self, name: str) -> dict[str, Any]:
        """One namespace.

        Raises:
            ApiStatusError: 404.
        """
        if name not in self._store.namespaces:
            raise not_found(name, group="", plural="namespaces")
        metadata = {"name": name, "resourceVersion": self._store.namespaces[name], "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name))}
        return {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata, "spec": {}, "status": {"phase": "Active"}}

    def list_namespaces(self) -> dict[str, Any]:
        """All namespaces."""
        with self._store.changed:
            items = [self.namespace(name) for name in sorted(self._store.namespaces)]
            return {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": str(self._store.revision)}, "items": items}


def _check_preconditions(old: Object, options: object) -> None:
    asked = options.get("preconditions") if isinstance(options, dict) else None
    for key, value in (asked or {}).items():
        has = old["metadata"].get(key)
        if value != has:
            named = "UID" if key == "uid" else "ResourceVersion"
            raise conflict(old["metadata"]["name"], f"Precondition failed: {named} in precondition: {value}, {named} in object meta: {has}")


def timestamp() -> str:
    """Now, as Kubernetes writes times: UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decode(body: bytes) -> Any:
    """The JSON in a request's body; {} for none.

    Raises:
        ApiStatusError: 400, it is no JSON.
    """
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from None
