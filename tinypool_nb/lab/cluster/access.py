"""Who is asking, and whether they may.

Source: Kubernetes, "Authenticating" (bearer tokens, impersonation) and "Using RBAC Authorization".
"""

import hmac
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinypool_nb.lab.cluster.statuses import ApiStatusError

USER = "lab"
"""The user of the lab's kubeconfig."""
OPERATOR = "lab:operator"
"""The lab itself, whom no fault meets."""
UNCHECKED = "X-Lab-Unchecked"
"""A header by which the lab itself writes what the schema forbids."""
ANONYMOUS = "system:anonymous"
PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
"""What anybody may see."""
SEEN_BY_ALL = ("/api", "/apis", "/openapi")
"""What everybody may see who is somebody."""


class Wish(NamedTuple):
    """What somebody wants to do."""

    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    group: str
    resource: str
    """`tinymodules`, or `tinymodules/status`."""
    namespace: str
    """"" for all of them, or for what has none."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the user of the kubeconfig may do; None is everything."""

    verbs: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None

    def covers(self, wish: Wish) -> bool:
        """Whether it allows that. A Role in a namespace never allows a look at all of them.

        >>> grant = Grant(verbs=frozenset({"list"}), namespaces=frozenset({"a"}))
        >>> grant.covers(Wish("list", "", "tinymodules", "a")), grant.covers(Wish("list", "", "tinymodules", ""))
        (True, False)
        """
        return (self.verbs is None or wish.verb in self.verbs) and (self.namespaces is None or wish.namespace in self.namespaces)


@dataclass(slots=True)
class Access:
    """The users and their rights."""

    token: str = field(repr=False)
    """Of the kubeconfig's user."""
    operator_token: str = field(repr=False)
    revoked: bool = False
    """The user's token is valid no more, as after its expiry."""
    grant: Grant = Grant()

    def user(self, authorization: str, impersonated: str = "") -> str:
        """Who is asking, by the header Authorization; the operator and the user may speak for others.

        Raises:
            ApiStatusError: 401, the token is nobody's.
        """
        scheme, _, token = authorization.partition(" ")
        if not token:
            return ANONYMOUS
        if scheme.lower() == "bearer":
            if hmac.compare_digest(token.encode(), self.operator_token.encode()):
                return impersonated or OPERATOR
            if not self.revoked and hmac.compare_digest(token.encode(), self.token.encode()):
                return impersonated or USER
        raise ApiStatusError(401, "Unauthorized", "Unauthorized")

    def allows(self, user: str, wish: Wish) -> bool:
        """Whether they may."""
        if wish.group == "authorization.k8s.io":
            return user != ANONYMOUS
        return user == OPERATOR or (user == USER and self.grant.covers(wish))

    def check(self, user: str, wish: Wish) -> None:
        """Let them pass, or not.

        Raises:
            ApiStatusError: 403.
        """
        if self.allows(user, wish):
            return
        resource = f"{wish.resource.partition('/')[0]}.{wish.group}" if wish.group else wish.resource
        about = f'{resource} "{wish.name}"' if wish.name else resource
        where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
        message = f'{about} is forbidden: User "{user}" cannot {wish.verb} resource "{wish.resource}" in API group "{wish.group}" {where}'
        plural = wish.resource.partition("/")[0]
        details = {**({"name": wish.name} if wish.name else {}), **({"group": wish.group} if wish.group else {}), "kind": plural}
        raise ApiStatusError(403, "Forbidden", message, details=details)

    def check_path(self, user: str, path: str) -> None:
        """The same for what is no resource.

        Raises:
            ApiStatusError: 403.
        """
        if path.startswith(PUBLIC) or (user != ANONYMOUS and path.startswith(SEEN_BY_ALL)) or user in {USER, OPERATOR}:
            return
        raise ApiStatusError(403, "Forbidden", f'forbidden: User "{user}" cannot get path "{path}"', details={})

    def review(self, user: str, review: Any) -> dict[str, Any]:
        """The answer to a SelfSubjectAccessReview: may I?"""
        spec = review.get("spec") or {}
        asked = spec.get("resourceAttributes") or {}
        resource = "/".join(filter(None, (asked.get("resource", ""), asked.get("subresource", ""))))
        wish = Wish(asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", ""))
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": spec,
            "status": {"allowed": self.allows(user, wish)},
        }
