"""Which resource a path is about."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from tinypool_nb.lab.cluster.tinymodule import API_VERSION, GROUP, PLURAL

_MODULES = re.compile(
    rf"/apis/{API_VERSION}(?:/namespaces/(?P<namespace>[^/]+))?/{PLURAL}(?:/(?P<name>[^/]+)(?:/(?P<subresource>status))?)?"
)
_NAMESPACES = re.compile(r"/api/v1/namespaces(?:/(?P<name>[^/]+))?")
_WORKLOADS = {
    "pods": re.compile(r"/api/v1(?:/namespaces/(?P<namespace>[^/]+))?/pods(?:/(?P<name>[^/]+)(?:/(?P<subresource>portforward))?)?"),
    "services": re.compile(r"/api/v1(?:/namespaces/(?P<namespace>[^/]+))?/services(?:/(?P<name>[^/]+))?"),
}
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Route(NamedTuple):
    """A resource, or one object of it."""

    group: str
    resource: str
    namespace: str = ""
    """"" for all of them."""
    name: str = ""
    """"" for the whole collection."""
    subresource: str = ""


def parse_route(path: str) -> Route | None:
    """The resource; None if there is none at this path.

    >>> parse_route("/apis/operator.tinysystems.io/v1alpha1/namespaces/a/tinymodules/b/status")
    Route(group='operator.tinysystems.io', resource='tinymodules', namespace='a', name='b', subresource='status')
    """
    path = path.rstrip("/")
    if path == _REVIEWS:
        return Route("authorization.k8s.io", "selfsubjectaccessreviews")
    workloads = ((pattern, "", plural) for plural, pattern in _WORKLOADS.items())
    for pattern, group, resource in ((_MODULES, GROUP, PLURAL), (_NAMESPACES, "", "namespaces"), *workloads):
        if found := pattern.fullmatch(path):
            parts = {name: unquote(value) for name, value in found.groupdict(default="").items()}
            if parts.get("name") and resource != "namespaces" and not parts["namespace"]:
                return None
            return Route(group, resource, **parts)
    return None
