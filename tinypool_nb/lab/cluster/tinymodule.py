"""What a TinyModule is called, and its schema, as in `manifests/tinymodules.yaml`.

Source: the custom resource definition of the module operator.
"""

from typing import Any

GROUP = "operator.tinysystems.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
PLURAL = "tinymodules"
SINGULAR = "tinymodule"
KIND = "TinyModule"

_TEXT = {"type": "string"}
_COMPONENT = {
    "type": "object",
    "required": ["name", "description", "info"],
    "properties": {
        "name": _TEXT,
        "description": _TEXT,
        "info": _TEXT,
        "tags": {"type": "array", "items": _TEXT},
        "ports": {"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": {"type": "object"},
        "spec": {"type": "object", "properties": {"image": _TEXT}},
        "status": {
            "type": "object",
            "required": ["addr", "name", "version", "components"],
            "properties": {
                "addr": _TEXT,
                "name": _TEXT,
                "version": _TEXT,
                "sdkVersion": _TEXT,
                "components": {"type": "array", "items": _COMPONENT},
            },
        },
    },
}
"""A test holds it to the manifest."""
