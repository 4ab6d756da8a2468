"""TinyModule resources, as the operator writes them: what one says, whatever JSON it is made of.

Custom resource `operator.tinysystems.io/v1alpha1`, plural `tinymodules`. Its CRD calls the address `status.addr`, the operator's
documentation `status.address`: the first counts, the second stands in where the first is absent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.keys import ModuleKey, parse_key
from tinypool_nb.errors import AddressError, ModuleNameError, shown

GROUP = "operator.tinysystems.io"
VERSION = "v1alpha1"
PLURAL = "tinymodules"

LONGEST_TEXT = 200
"""Characters kept of a version, a label or a component's name."""
MOST_PARTS = 100
"""Labels and components that are kept of one resource."""
NOT_GRPC = "not gRPC"
"""How the reason begins of a module that is well, but nothing that gRPC could dial."""
LONGEST_OWN_NAME = 48
"""Characters that the operator keeps of a module's name, the last ones."""


class Verdict(StrEnum):
    """What its address is good for."""

    USABLE = "usable"
    WAITING = "waiting"
    """It has none yet: the module has not told the operator where it is."""
    QUARANTINED = "quarantined"
    """It has one that gRPC must not dial, or no name that it could be registered under."""


@dataclass(frozen=True, slots=True)
class TinyModule:
    """One resource. Texts are foreign, and cut to what a table can show."""

    namespace: str
    """"" if it says none."""
    name: str
    """"" if it says none."""
    uid: str
    """Another one under the same name is another resource."""
    resource_version: str
    """Of its last change; only good to be compared for equality."""
    address: str | None
    """Where it is reached; None unless the verdict is USABLE."""
    version: str
    sdk_version: str
    components: tuple[str, ...]
    """Their names."""
    labels: tuple[tuple[str, str], ...]
    """(label, value), sorted."""
    verdict: Verdict
    reason: str
    """Why it waits or is quarantined; "" if its address is usable."""

    @property
    def is_malformed(self) -> bool:
        """Whether somebody has to correct it; a module that is reached by other means than gRPC is well."""
        return self.verdict is Verdict.QUARANTINED and not self.reason.startswith(NOT_GRPC)

    @property
    def key(self) -> ModuleKey:
        """What the pool calls it."""
        return ModuleKey(self.namespace, self.name)


def decode(resource: object) -> TinyModule:
    """What a resource says. Any JSON will do: what is malformed is quarantined, with the reason, and never raises.

    Args:
        resource: as `json.loads` gives it.

    >>> metadata = {"namespace": "tinysystems", "name": "http-module-v1", "uid": "7c9e", "resourceVersion": "41"}
    >>> module = decode({"metadata": metadata, "status": {"addr": "http-module-v1:50051", "version": "1.4.2"}})
    >>> str(module.key), module.address, module.verdict
    ('tinysystems/http-module-v1', 'http-module-v1:50051', <Verdict.USABLE: 'usable'>)
    >>> decode({"metadata": metadata, "status": {"addr": "nats://tinymodule.http-module-v1.msg"}}).reason
    'not gRPC: it is reached by NATS messages at nats://tinymodule.http-module-v1.msg'
    """
    whole = _mapping(resource)
    metadata, status = _mapping(whole.get("metadata")), _mapping(whole.get("status"))
    address, verdict, reason = _judged(metadata, status)
    return TinyModule(
        _text(metadata.get("namespace")),
        _text(metadata.get("name")),
        _text(metadata.get("uid")),
        _text(metadata.get("resourceVersion")),
        address,
        _short(status.get("version")),
        _short(status.get("sdkVersion")),
        _components(status.get("components")),
        _labels(metadata.get("labels")),
        verdict,
        reason,
    )


def named(resource: object) -> ModuleKey:
    """The key of a resource, as `decode` finds it.

    >>> named({"metadata": {"name": "api-module-v1"}})
    ModuleKey(namespace='', name='api-module-v1')
    """
    metadata = _mapping(_mapping(resource).get("metadata"))
    return ModuleKey(_text(metadata.get("namespace")), _text(metadata.get("name")))


def own_resource_name(name: str) -> str:
    """The resource name of the module that is called `name`: the one that it must not connect to.

    Lower-cased, each run of other characters than letters and digits made one "-", the last 48 characters kept, hyphens stripped.

    >>> own_resource_name("TinySystems/HTTP_Module.v1")
    'tinysystems-http-module-v1'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[-LONGEST_OWN_NAME:].strip("-")


def _judged(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str | None, Verdict, str]:
    """(address, verdict, reason). What is no str is never shown: the repr of a list may be nested deeper than Python can follow."""
    address = status.get("address") if status.get("addr") is None else status.get("addr")
    fault = _fault_of_name(metadata.get("namespace"), metadata.get("name"))
    if not fault and (address is None or address == ""):
        return None, Verdict.WAITING, "it has no address yet"
    fault = fault or _fault_of_address(address)
    if fault:
        return None, Verdict.QUARANTINED, fault
    return str(address), Verdict.USABLE, ""


def _fault_of_name(namespace: object, name: object) -> str:
    if not isinstance(namespace, str) or not isinstance(name, str):
        return "a TinyModule has a namespace and a name, and this one lacks them"
    try:
        parse_key(name, namespace)
    except ModuleNameError as error:
        return f"{shown(error.name)}: {error.rule}"
    return ""


def _fault_of_address(address: object) -> str:
    if not isinstance(address, str):
        return f"an address is a str such as 'host:port', not {type(address).__name__}"
    if address.strip().lower().startswith("nats://"):
        return f"{NOT_GRPC}: it is reached by NATS messages at {_short(address)}"
    try:
        parse_address(address)
    except AddressError as error:
        return f"address {shown(error.address)}: {error.rule}"
    return ""


def _components(value: object) -> tuple[str, ...]:
    parts = value[:MOST_PARTS] if isinstance(value, list) else []
    return tuple(_short(_mapping(part).get("name")) for part in parts)


def _labels(value: object) -> tuple[tuple[str, str], ...]:
    pairs = sorted((_short(label), _short(said)) for label, said in _mapping(value).items())
    return tuple(pairs[:MOST_PARTS])


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    # A lone surrogate, which JSON may hold, can stand neither in a frame nor in a file.
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _short(value: object) -> str:
    """What stands in the place of a short text, as one."""
    text = _text(value) or (repr(value) if isinstance(value, (int, float)) else "")
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
