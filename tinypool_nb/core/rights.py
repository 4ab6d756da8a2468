"""What an API server refused, and what would grant it."""

import json
import re
from dataclasses import dataclass

from tinypool_nb.core.tinymodules import GROUP, PLURAL

ROLE_NAME = "tinypool-nb"
_PLAIN = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""A namespace that YAML reads as it is; any other is quoted, so that nobody's kubeconfig adds a line to what is applied."""


PORT_FORWARD = (
    '  - apiGroups: [""]',
    '    resources: ["services"]',
    '    verbs: ["get"]',
    '  - apiGroups: [""]',
    '    resources: ["pods"]',
    '    verbs: ["list"]',
    '  - apiGroups: [""]',
    '    resources: ["pods/portforward"]',
    '    verbs: ["get", "create"]',
)
"""What port-forward needs besides. A WebSocket begins as a GET, for which older servers ask for "get", newer ones for "create" as well."""


@dataclass(frozen=True, slots=True)
class MissingRight:
    """Why discovery is not let in. `str` of it says what to do.

    >>> print(MissingRight(403, "list", "tinysystems", "ada may not"))
    the API server does not let it list tinymodules.operator.tinysystems.io in namespace tinysystems (403: ada may not); its Role: .role
    """

    status: int
    """HTTP status: 401, 403 or 404."""
    verb: str
    """What was refused: "list" or "watch"."""
    namespace: str | None
    """Where; None for all namespaces."""
    said: str
    """In the words of the server."""
    resource: str = f"{PLURAL}.{GROUP}"
    """Of what; what is none of the operator's is needed for port-forward."""

    @property
    def role(self) -> str:
        """The Role, or for all namespaces the ClusterRole, that would grant it, as YAML; "" where none would.

        >>> MissingRight(401, "list", "tinysystems", "who is that?").role
        ''
        """
        return role(self.namespace, port_forward=not self.resource.endswith(GROUP)) if self.is_grantable else ""

    @property
    def kind(self) -> str:
        """Which of both that is."""
        return "ClusterRole" if self.namespace is None else "Role"

    @property
    def reason(self) -> str:
        """What is refused, and why."""
        where = "in all namespaces" if self.namespace is None else f"in namespace {self.namespace}"
        said = f"({self.status}{f': {self.said}' if self.said else ''})"
        match self.status:
            case 401:
                return f"the API server does not know who this is {said}: the token has expired or is none of this cluster's; log in again"
            case 404:
                return f"the API server has no {PLURAL}.{GROUP} {said}: the operator's resource definition is not installed"
            case _:
                return f"the API server does not let it {self.verb} {self.resource} {where} {said}"

    @property
    def is_grantable(self) -> bool:
        """Whether a Role would mend it."""
        return self.status not in {401, 404}

    def __str__(self) -> str:
        if not self.is_grantable:
            return self.reason
        return f"{self.reason}; its {self.kind}: .role"


def role(namespace: str | None, *, port_forward: bool = False) -> str:
    """The rights that discovery needs, as YAML: a Role, or a ClusterRole for all namespaces.

    Args:
        namespace: where; None for all.
        port_forward: with those that `port_forward=True` needs.

    >>> print(role("tinysystems"))
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: tinypool-nb
      namespace: tinysystems
    rules:
      - apiGroups: ["operator.tinysystems.io"]
        resources: ["tinymodules"]
        verbs: ["get", "list", "watch"]
    """
    return "\n".join(
        [
            "apiVersion: rbac.authorization.k8s.io/v1",
            f"kind: {'ClusterRole' if namespace is None else 'Role'}",
            "metadata:",
            f"  name: {ROLE_NAME}",
            *([] if namespace is None else [f"  namespace: {namespace if _PLAIN.fullmatch(namespace) else json.dumps(namespace)}"]),
            "rules:",
            f'  - apiGroups: ["{GROUP}"]',
            f'    resources: ["{PLURAL}"]',
            '    verbs: ["get", "list", "watch"]',
            *(PORT_FORWARD if port_forward else ()),
        ]
    )
