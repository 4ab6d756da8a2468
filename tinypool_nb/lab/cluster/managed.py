"""Who set which field: `metadata.managedFields`, as each write leaves it.

Source: Kubernetes, "Server-Side Apply", section "Field management". Lists count as one field here.
"""

from typing import Any

from tinypool_nb.lab.cluster.tinymodule import API_VERSION

Path = tuple[str, ...]
IN_METADATA = ("labels", "annotations", "finalizers")
"""What of the metadata is anybody's."""


def managed(old: dict[str, Any] | None, new: dict[str, Any], *, manager: str, now: str) -> list[dict[str, Any]]:
    """The entries after `manager` turned `old` into `new`.

    >>> entries = managed(None, {"metadata": {}, "spec": {"image": "a"}}, manager="me", now="2026-01-01T00:00:00Z")
    >>> entries[0]["fieldsV1"]
    {'f:spec': {'f:image': {}}}
    """
    before, after = dict(_leaves(old or {})), dict(_leaves(new))
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    entries = []
    mine: set[Path] = set()
    for entry in (old or {}).get("metadata", {}).get("managedFields", ()):
        left = {path for path in _paths(entry["fieldsV1"]) if path in after}
        if entry["manager"] == manager:
            mine |= left
        elif left - changed:
            entries.append({**entry, "fieldsV1": _tree(left - changed)})
    owned = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": API_VERSION,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(mine | changed),
    }
    return [*entries, owned] if mine | changed else entries


def _leaves(value: dict[str, Any], above: Path = ()) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = []
    for name, inner in value.items():
        path = (*above, name)
        if path in {("apiVersion",), ("kind",)} or (above == ("metadata",) and name not in IN_METADATA):
            continue
        found += _leaves(inner, path) if isinstance(inner, dict) and inner else [(path, inner)]
    return [leaf for leaf in found if leaf[0] != ("metadata",)]


def _paths(fields: dict[str, Any], above: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for name, inner in fields.items():
        path = (*above, name.removeprefix("f:"))
        found |= _paths(inner, path) if inner else {path}
    return found


def _tree(paths: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        branch = tree
        for name in path:
            branch = branch.setdefault(f"f:{name}", {})
    return tree
