"""The official client finds nothing amiss. The same for every API server."""

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.watch import Watch

if TYPE_CHECKING:
    from tests.contract.conftest import Server

KIND = ("operator.tinysystems.io", "v1alpha1")
PLURAL = "tinymodules"


@pytest.fixture
def api_client(server: "Server") -> Iterator[Any]:
    made = config.new_client_from_config(config_file=server.kubeconfig)
    yield made
    made.rest_client.pool_manager.clear()


@pytest.fixture
def namespace(api_client: Any) -> Iterator[str]:
    name = f"contract-{secrets.token_hex(4)}"
    core = client.CoreV1Api(api_client)
    core.create_namespace({"metadata": {"name": name}})  # type: ignore[arg-type]
    yield name
    client.CustomObjectsApi(api_client).delete_collection_namespaced_custom_object(*KIND, name, PLURAL)


def module(name: str) -> dict[str, Any]:
    return {"apiVersion": "/".join(KIND), "kind": "TinyModule", "metadata": {"name": name, "labels": {"tier": "web"}}}


STATUS = {"status": {"addr": "127.0.0.1:50051", "name": "a", "version": "1.0.0", "components": []}}


def test_objects_are_made_listed_in_pages_changed_and_deleted(api_client: Any, namespace: str) -> None:
    api = client.CustomObjectsApi(api_client)
    for name in "abc":
        api.create_namespaced_custom_object(*KIND, namespace, PLURAL, module(name))
    told: Any = api.patch_namespaced_custom_object_status(*KIND, namespace, PLURAL, "a", STATUS)
    assert told["status"] == STATUS["status"]
    page: Any = api.list_namespaced_custom_object(*KIND, namespace, PLURAL, limit=2, label_selector="tier in (web)")
    rest: Any = api.list_namespaced_custom_object(*KIND, namespace, PLURAL, limit=2, _continue=page["metadata"]["continue"])
    assert [item["metadata"]["name"] for item in [*page["items"], *rest["items"]]] == ["a", "b", "c"]
    assert page["items"][0] == told
    api.delete_namespaced_custom_object(*KIND, namespace, PLURAL, "a")
    everywhere: Any = api.list_cluster_custom_object(*KIND, PLURAL)
    assert [item["metadata"]["name"] for item in everywhere["items"] if item["metadata"]["namespace"] == namespace] == ["b", "c"]


def test_refusals_are_its_exceptions(api_client: Any, namespace: str) -> None:
    api = client.CustomObjectsApi(api_client)
    api.create_namespaced_custom_object(*KIND, namespace, PLURAL, module("a"))
    for code, call in (
        (404, lambda: api.get_namespaced_custom_object(*KIND, namespace, PLURAL, "b")),
        (409, lambda: api.create_namespaced_custom_object(*KIND, namespace, PLURAL, module("a"))),
        (422, lambda: api.patch_namespaced_custom_object_status(*KIND, namespace, PLURAL, "a", {"status": {"addr": 5}})),
    ):
        with pytest.raises(ApiException) as raised:
            call()
        assert raised.value.status == code


def test_a_watch_tells_what_happens(api_client: Any, namespace: str) -> None:
    api = client.CustomObjectsApi(api_client)
    start = api.list_namespaced_custom_object(*KIND, namespace, PLURAL)["metadata"]["resourceVersion"]  # type: ignore[index]
    api.create_namespaced_custom_object(*KIND, namespace, PLURAL, module("a"))
    api.patch_namespaced_custom_object_status(*KIND, namespace, PLURAL, "a", STATUS)
    api.delete_namespaced_custom_object(*KIND, namespace, PLURAL, "a")
    watch = Watch()
    told = []
    for event in watch.stream(api.list_namespaced_custom_object, *KIND, namespace, PLURAL, resource_version=start, timeout_seconds=10):
        told.append((event["type"], event["object"]["metadata"]["name"]))
        if len(told) == 3:
            watch.stop()
    assert told == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_it_can_ask_what_is_allowed_and_what_there_is(api_client: Any, namespace: str) -> None:
    wish = {"group": KIND[0], "resource": PLURAL, "verb": "list", "namespace": namespace}
    review: Any = client.AuthorizationV1Api(api_client).create_self_subject_access_review(
        {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wish}}  # type: ignore[arg-type]
    )
    assert review.status.allowed is True
    assert client.VersionApi(api_client).get_code().major == "1"
    assert KIND[0] in {group.name for group in client.ApisApi(api_client).get_api_versions().groups}
