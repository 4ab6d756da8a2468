"""What becomes of an object when somebody creates, changes or deletes it. Pure: time, uid and manager are told.

Source: Kubernetes API conventions, "Metadata" and "Spec and Status"; RFC 7396 for merge patches.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeGuard

from tinypool_nb.lab.cluster.managed import managed
from tinypool_nb.lab.cluster.schema import Cause, faults_of, prune
from tinypool_nb.lab.cluster.statuses import MODIFIED, ApiStatusError, bad_request, conflict, invalid
from tinypool_nb.lab.cluster.tinymodule import API_VERSION, KIND

Object = dict[str, Any]
SERVERS_OWN = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "managedFields",
)
"""What of the metadata no client can write."""
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LONGEST_NAME = 253
RULE_OF_NAMES = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
RULE_OF_LABELS = "a label has at most 63 characters of A-Z, a-z, 0-9, '-', '_' and '.'; its name may have a DNS name and '/' before it"
LABEL = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, and when."""

    manager: str
    now: str
    """As in `creationTimestamp`: UTC, whole seconds."""
    checked: bool = True
    """Whether the schema's rules hold; a cluster with an older definition has looser ones."""


def is_name(name: object) -> TypeGuard[str]:
    """Whether an object may be called so.

    >>> is_name("http-module-v1"), is_name("HTTP"), is_name("a/b")
    (True, False, False)
    """
    return isinstance(name, str) and len(name) <= LONGEST_NAME and NAME.fullmatch(name) is not None


def created(body: Object, *, namespace: str, name: str, uid: str, writer: Writer) -> Object:
    """A new object; what it says of its status is left out, since status is a subresource.

    Raises:
        ApiStatusError: 400 or 422, it cannot be one.
    """
    given = dict(body.get("metadata") or {})
    if given.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not name:
        raise invalid("", [Cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")])
    metadata = {key: value for key, value in given.items() if key not in SERVERS_OWN and value not in (None, {}, [])}
    if given.get("resourceVersion"):
        raise ApiStatusError(500, "", "resourceVersion should not be set on objects to be created")
    metadata |= {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": writer.now, "generation": 1}
    new = {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}
    new = pruned(new)
    _check(new, writer)
    return _managed(None, new, writer)


def updated(old: Object, wanted: Object, *, subresource: str, writer: Writer) -> Object:
    """What `old` becomes when somebody puts `wanted`: all but the status, or with subresource "status" nothing else.

    The same object is returned if nothing changes by it.

    Raises:
        ApiStatusError: 400, 409 or 422.
    """
    was, given = old["metadata"], wanted.get("metadata") or {}
    if given.get("uid", was["uid"]) != was["uid"]:
        raise conflict(was["name"], f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {was['uid']}")
    if given.get("resourceVersion", was["resourceVersion"]) != was["resourceVersion"]:
        raise conflict(was["name"], MODIFIED)
    if subresource == "status":
        new = {**old, **({"status": wanted["status"]} if "status" in wanted else {})}
        if "status" not in wanted:
            new.pop("status", None)
        metadata = dict(was)
    else:
        new = {key: value for key, value in wanted.items() if key != "status"}
        if "status" in old:
            new["status"] = old["status"]
        metadata = {key: value for key, value in given.items() if key not in SERVERS_OWN and value not in (None, {}, [])}
        metadata |= {key: was[key] for key in ("name", "namespace", *SERVERS_OWN) if key in was}
    new = pruned({**new, "metadata": metadata})
    if new == old:
        return old
    _check(new, writer)
    if subresource != "status" and {**new, "metadata": None} != {**old, "metadata": None}:
        metadata["generation"] = was["generation"] + 1
    return _managed(old, new, writer)


def merge(target: Any, patch: Any) -> Any:
    """The target with a merge patch applied (RFC 7396, section 2).

    >>> merge({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def _managed(old: Object | None, new: Object, writer: Writer) -> Object:
    """The object with a note of who wrote which field, if it has any."""
    entries = managed(old, new, manager=writer.manager, now=writer.now)
    if entries:
        new["metadata"]["managedFields"] = entries
    return new


def pruned(value: Object) -> Object:
    """The object without fields that nobody knows."""
    left: Object = prune(value)
    return left


def check_body(body: object) -> Object:
    """What a client sent, if it can be an object of ours at all.

    Raises:
        ApiStatusError: 400 or 422.
    """
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type TinyModule)")
    if not body.get("kind"):
        raise bad_request(f"{KIND} in the body cannot be handled as a {KIND}: Object 'Kind' is missing")
    version = body.get("apiVersion")
    if version != API_VERSION:
        raise bad_request(f"the API version in the data ({version}) does not match the expected API version ({API_VERSION})")
    given = body.get("metadata") or {}
    if not isinstance(given, dict) or not all(isinstance(given.get(key) or {}, dict) for key in ("labels", "annotations")):
        raise bad_request("metadata, its labels and its annotations are objects")
    if not all(isinstance(value, str) for key in ("labels", "annotations") for value in (given.get(key) or {}).values()):
        raise bad_request("labels and annotations map strings to strings")
    if body["kind"] != KIND:
        raise invalid(str(given.get("name")), [Cause.invalid("kind", f'"{body["kind"]}"', f"must be {KIND}")])
    return body


def check_place(wanted: Object, key: tuple[str, str]) -> None:
    """Whether an object is sent to where it belongs.

    Raises:
        ApiStatusError: 400.
    """
    given = wanted.get("metadata") or {}
    for what, is_at, where in (("namespace", key[0], "request"), ("name", key[1], "URL")):
        if given.get(what, is_at) != is_at:
            raise bad_request(f"the {what} of the object ({given[what]}) does not match the {what} on the {where} ({is_at})")


def _check(new: Object, writer: Writer) -> None:
    name = new["metadata"]["name"]
    causes = []
    if not is_name(name):
        causes.append(Cause.invalid("metadata.name", f'"{name}"', RULE_OF_NAMES))
    labels = new["metadata"].get("labels") or {}
    causes += [Cause.invalid("metadata.labels", f'"{text}"', RULE_OF_LABELS) for text in _bad_labels(labels)]
    causes += faults_of(new) if writer.checked else []
    if causes:
        raise invalid(name, causes)


def _bad_labels(labels: dict[str, str]) -> list[str]:
    """The names and values that break the rule."""
    bad = []
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if (slash and not is_name(prefix)) or not name or not LABEL.fullmatch(name):
            bad.append(key)
        if not LABEL.fullmatch(value):
            bad.append(value)
    return bad
