"""Who may do what, and what a client can find out about the API. The same for every API server."""

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tinypool_nb import manifests

if TYPE_CHECKING:
    from tests.contract.http.conftest import Space

NOBODY = {"Impersonate-User": "nobody"}
GROUP = "operator.tinysystems.io"


def test_a_token_that_is_nobodys_is_unauthorized(space: "Space") -> None:
    answer = space.http.send("GET", space.path, headers={"Authorization": "Bearer nobodys"})
    assert answer.code == 401
    expected = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
    }
    assert answer.body == {**expected, "code": 401}


@pytest.mark.parametrize(("headers", "user"), [({"Authorization": None}, "system:anonymous"), (NOBODY, "nobody")])
def test_who_has_no_right_is_told_which_one(space: "Space", headers: dict[str, Any], user: str) -> None:
    for path, where in ((space.path, f'in the namespace "{space.namespace}"'), (space.everywhere, "at the cluster scope")):
        for query, verb in (({}, "list"), ({"watch": "true"}, "watch")):
            answer = space.http.send("GET", path, headers=headers, **query)
            assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
            message = f'tinymodules.{GROUP} is forbidden: User "{user}" cannot {verb} resource "tinymodules" in API group "{GROUP}" {where}'
            assert answer.body["message"] == message
            assert answer.body["details"] == {"group": GROUP, "kind": "tinymodules"}
    answer = space.http.send("PATCH", f"{space.path}/a/status", {}, headers=headers)
    assert answer.body["message"].startswith(
        f'tinymodules.{GROUP} "a" is forbidden: User "{user}" cannot patch resource "tinymodules/status"'
    )


def test_anybody_may_ask_for_the_version_and_the_health(space: "Space") -> None:
    nobody = {"Authorization": None}
    assert {"major", "minor", "gitVersion", "platform"} <= set(space.http.send("GET", "/version", headers=nobody).body)
    for path in ("/healthz", "/livez", "/readyz"):
        assert space.http.send("GET", path, headers=nobody)[::2] == (200, "ok")
    answer = space.http.send("GET", "/apis", headers=nobody)
    assert (answer.code, answer.body["message"]) == (403, 'forbidden: User "system:anonymous" cannot get path "/apis"')


@pytest.mark.parametrize(("headers", "allowed"), [({}, True), (NOBODY, False)])
def test_a_user_can_ask_what_is_allowed(space: "Space", headers: dict[str, str], allowed: bool) -> None:
    wish = {"group": GROUP, "resource": "tinymodules", "verb": "watch", "namespace": space.namespace}
    review = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"resourceAttributes": wish}}
    rights = {**headers, "Impersonate-Group": "system:authenticated"} if headers else {}
    answer = space.http.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, headers=rights)
    assert (answer.code, answer.body["kind"], answer.body["spec"]) == (201, "SelfSubjectAccessReview", {"resourceAttributes": wish})
    assert answer.body["status"]["allowed"] is allowed


def test_the_discovery_documents_name_the_resource(space: "Space") -> None:
    assert space.http.send("GET", "/api").body["versions"] == ["v1"]
    groups = {group["name"]: group for group in space.http.send("GET", "/apis").body["groups"]}
    version = {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
    assert groups[GROUP] == {"name": GROUP, "versions": [version], "preferredVersion": version}
    assert "authorization.k8s.io" in groups
    assert space.http.send("GET", f"/apis/{GROUP}").body["preferredVersion"] == version
    listed = space.http.send("GET", f"/apis/{GROUP}/v1alpha1").body
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", f"{GROUP}/v1alpha1")
    resources = {resource["name"]: resource for resource in listed["resources"]}
    assert set(resources) == {"tinymodules", "tinymodules/status"}
    module = resources["tinymodules"]
    assert (module["singularName"], module["kind"], module["namespaced"]) == ("tinymodule", "TinyModule", True)
    assert set(module["verbs"]) == {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"}
    assert set(resources["tinymodules/status"]["verbs"]) == {"get", "patch", "update"}


@pytest.mark.slow
@pytest.mark.parametrize("server", ["real"], indirect=True)
@pytest.mark.parametrize("all_namespaces", [False, True])
def test_the_printed_rights_are_those_that_discovery_needs(space: "Space", all_namespaces: bool) -> None:
    """Only a real server reads them; the account's rights are what we ask for, and no more."""
    places = {
        "ServiceAccount": f"/api/v1/namespaces/{space.namespace}/serviceaccounts",
        "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.namespace}/roles",
        "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.namespace}/rolebindings",
        "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    }
    account = {"Impersonate-User": f"system:serviceaccount:{space.namespace}:tinypool-nb"}
    assert space.http.send("GET", space.path, headers=account).code == 403
    applied = list(yaml.safe_load_all(manifests.rbac(space.namespace, all_namespaces=all_namespaces)))
    try:
        for document in applied:
            assert space.http.send("POST", places[document["kind"]], document).code == 201
        space.create("a")
        wanted = 200 if all_namespaces else 403
        for _ in range(100):  # the authorizer hears of a new right a moment later
            if space.http.send("GET", space.everywhere if all_namespaces else space.path, headers=account).code == 200:
                break
        assert space.http.send("GET", space.path, headers=account).code == 200
        assert space.http.send("GET", f"{space.path}/a", headers=account).code == 200
        assert space.http.send("GET", space.path, headers=account, watch="true", timeoutSeconds=1).code == 200
        assert space.http.send("GET", space.everywhere, headers=account).code == wanted
        assert space.http.send("DELETE", f"{space.path}/a", headers=account).code == 403
        assert space.http.send("PATCH", f"{space.path}/a/status", {}, headers=account).code == 403
    finally:
        for document in applied:
            space.http.send("DELETE", f"{places[document['kind']]}/{document['metadata']['name']}")
