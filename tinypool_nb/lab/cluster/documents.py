"""What a client can find out about the API: the discovery documents.

Source: Kubernetes, "The Kubernetes API", section "Discovery API".
"""

from typing import Any

from tinypool_nb.lab.cluster.tinymodule import API_VERSION, GROUP, KIND, PLURAL, SINGULAR, VERSION

VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
RELEASE = {
    "major": "1",
    "minor": "20",
    "gitVersion": "v1.20.2-tinypool-lab",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "python",
}


def _group(name: str, version: str) -> dict[str, Any]:
    preferred = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [preferred], "preferredVersion": preferred}


def _resources(group_version: str, *resources: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list(resources)}


_MODULES = {
    "name": PLURAL,
    "singularName": SINGULAR,
    "namespaced": True,
    "kind": KIND,
    "verbs": VERBS,
    "storageVersionHash": "",
}
_STATUS = {"name": f"{PLURAL}/status", "singularName": "", "namespaced": True, "kind": KIND, "verbs": ["get", "patch", "update"]}
_NAMESPACES = {"name": "namespaces", "singularName": "", "namespaced": False, "kind": "Namespace", "verbs": ["create", "get", "list"]}
_VERBS_OF_WORKLOADS = ["create", "delete", "get", "list", "patch", "update"]
_PODS = {"name": "pods", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": _VERBS_OF_WORKLOADS, "shortNames": ["po"]}
_FORWARDS = {
    "name": "pods/portforward",
    "singularName": "",
    "namespaced": True,
    "kind": "PodPortForwardOptions",
    "verbs": ["create", "get"],
}
_SERVICES = {
    "name": "services",
    "singularName": "",
    "namespaced": True,
    "kind": "Service",
    "verbs": _VERBS_OF_WORKLOADS,
    "shortNames": ["svc"],
}
_REVIEWS = {
    "name": "selfsubjectaccessreviews",
    "singularName": "",
    "namespaced": False,
    "kind": "SelfSubjectAccessReview",
    "verbs": ["create"],
}

DOCUMENTS: dict[str, Any] = {
    "/version": RELEASE,
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/api/v1": _resources("v1", _NAMESPACES, _PODS, _FORWARDS, _SERVICES),
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group("authorization.k8s.io", "v1"), _group(GROUP, VERSION)],
    },
    "/apis/authorization.k8s.io": {"kind": "APIGroup", "apiVersion": "v1", **_group("authorization.k8s.io", "v1")},
    "/apis/authorization.k8s.io/v1": _resources("authorization.k8s.io/v1", _REVIEWS),
    f"/apis/{GROUP}": {"kind": "APIGroup", "apiVersion": "v1", **_group(GROUP, VERSION)},
    f"/apis/{API_VERSION}": _resources(API_VERSION, _MODULES, _STATUS),
}
"""By their paths."""
HEALTH = ("/healthz", "/livez", "/readyz")
"""These answer "ok"."""
