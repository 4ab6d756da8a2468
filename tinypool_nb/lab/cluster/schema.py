"""The two things that a structural schema does to an object: it drops unknown fields, and finds fault with known ones.

Source: Kubernetes, "Specifying a structural schema" and "Field pruning".
"""

from typing import Any, NamedTuple

from tinypool_nb.lab.cluster.tinymodule import SCHEMA


class Cause(NamedTuple):
    """What is wrong with one field of an object."""

    field: str
    reason: str
    message: str

    @classmethod
    def invalid(cls, field: str, value: str, rule: str) -> "Cause":
        """A value that breaks a rule; `value` is quoted as JSON quotes it."""
        return cls(field, "FieldValueInvalid", f"Invalid value: {value}: {rule}")


def prune(value: Any, schema: dict[str, Any] = SCHEMA) -> Any:
    """The value without the fields that the schema does not know; metadata is left alone.

    >>> prune({"spec": {"image": "x", "colour": "red"}})
    {'spec': {'image': 'x'}}
    """
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema == {"type": "object"}:
        return value
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return {name: prune(inner, known[name]) for name, inner in value.items() if name in known}
    if isinstance(value, list) and "items" in schema:
        return [prune(inner, schema["items"]) for inner in value]
    return value


def faults_of(value: Any, schema: dict[str, Any] = SCHEMA, path: str = "") -> list[Cause]:
    """What the schema finds wrong, each with its field.

    >>> [cause.field for cause in faults_of({"status": {"addr": 5, "name": "a", "version": "1"}})]
    ['status.addr', 'status.components']
    """
    wanted = schema.get("type")
    if wanted is not None and type_name(value) != wanted:
        found = type_name(value)
        return [Cause.invalid(path, f'"{found}"', f'{path} in body must be of type {wanted}: "{found}"')]
    found_wrong = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, inner in value.items():
            if name in properties:
                found_wrong += faults_of(inner, properties[name], f"{path}.{name}" if path else name)
        for name in schema.get("required", ()):
            if name not in value:
                found_wrong.append(Cause(f"{path}.{name}", "FieldValueRequired", "Required value"))
    elif isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            found_wrong += faults_of(inner, schema["items"], f"{path}[{index}]")
    return found_wrong


def type_name(value: object) -> str:
    """What JSON Schema calls the type.

    >>> [type_name(value) for value in ("a", 1, 1.5, True, None, [], {})]
    ['string', 'integer', 'number', 'boolean', 'null', 'array', 'object']
    """
    names: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array"}
    return names.get(type(value), "object")
