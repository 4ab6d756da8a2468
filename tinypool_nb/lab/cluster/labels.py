"""Selectors: which objects a list or a watch is about.

Source: Kubernetes, "Labels and Selectors" (equality-based and set-based requirements) and "Field Selectors".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tinypool_nb.lab.cluster.statuses import bad_request

Labels = Mapping[str, str]
_KEY = r"[A-Za-z0-9](?:[-\w./]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)?"
_EQUALITY = re.compile(rf"({_KEY})\s*(=|==|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)")
_THERE = re.compile(rf"(!?)\s*({_KEY})")
_BETWEEN = re.compile(r",(?![^(]*\))")
LONGEST_VALUE = 63


def parse_labels(text: str) -> Callable[[Labels], bool]:
    """What a label selector picks; the empty one picks everything.

    >>> picks = parse_labels("tier in (web, api),!old,zone!=b")
    >>> picks({"tier": "web"}), picks({"tier": "web", "zone": "b"}), picks({"tier": "api", "old": ""})
    (True, False, False)

    Raises:
        ApiStatusError: 400, it cannot be read.
    """
    wanted = [_requirement(part.strip()) for part in _BETWEEN.split(text)] if text.strip() else []
    return lambda labels: all(is_met(labels) for is_met in wanted)


def _requirement(text: str) -> Callable[[Labels], bool]:
    if found := _EQUALITY.fullmatch(text):
        key, operator, value = found.groups()
        return _among(key, {value}, wanted=operator != "!=", text=text)
    if found := _SET.fullmatch(text):
        key, operator, values = found.groups()
        return _among(key, set(re.split(r"\s*,\s*", values)), wanted=operator == "in", text=text)
    if found := _THERE.fullmatch(text):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise bad_request(f"unable to parse requirement: {text!r}")


def _among(key: str, values: set[str], *, wanted: bool, text: str) -> Callable[[Labels], bool]:
    """`!=` and `notin` pick what lacks the label, too."""
    if any(len(value) > LONGEST_VALUE for value in values):
        raise bad_request(f"unable to parse requirement: {text!r}: a value has at most {LONGEST_VALUE} characters")
    return lambda labels: (key in labels and labels[key] in values) == wanted


class Identity(NamedTuple):
    """What selectors look at."""

    namespace: str
    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Selection:
    """What one list or watch is about.

    >>> Selection(namespace="a", labels="tier=web").picks(Identity("a", "x", {"tier": "web"}))
    True

    Raises:
        ApiStatusError: 400, a selector cannot be read.
    """

    namespace: str | None = None
    """None: all namespaces."""
    labels: str = ""
    fields: str = ""
    _picks: Callable[[Labels], bool] = field(init=False, repr=False)
    _fields: tuple[tuple[str, str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_picks", parse_labels(self.labels))
        object.__setattr__(self, "_fields", tuple(_field(part) for part in self.fields.split(",") if part))

    def picks(self, one: Identity) -> bool:
        """Whether the object is among what is asked for."""
        if self.namespace is not None and one.namespace != self.namespace:
            return False
        told = {"metadata.name": one.name, "metadata.namespace": one.namespace}
        return all((told[name] == value) == (operator != "!=") for name, operator, value in self._fields) and self._picks(one.labels)


def _field(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"\s*([\w.]+?)\s*(==|!=|=)\s*(.*?)\s*", text)
    if found is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    name, operator, value = found.groups()
    if name not in {"metadata.name", "metadata.namespace"}:
        raise bad_request(f"field label not supported: {name}")
    return name, operator, value
