"""Creating, changing and deleting: what becomes of an object, and what is refused how. The same for every API server."""

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.http.conftest import Answer, Space

RESOURCE = "tinymodules.operator.tinysystems.io"


def refused(answer: "Answer", code: int, reason: str) -> Any:
    assert (answer.code, answer.body["kind"], answer.body["status"]) == (code, "Status", "Failure"), answer.body
    assert (answer.body["code"], answer.body["reason"]) == (code, reason), answer.body
    return answer.body


def metadata(body: Any, *without: str) -> dict[str, Any]:
    return {key: value for key, value in body["metadata"].items() if key not in {"managedFields", *without}}


def test_a_new_object_gets_what_the_server_gives(space: "Space") -> None:
    sent = space.body("a", metadata={"labels": {"tier": "web"}, "uid": "mine"}, spec={"image": "x"}, status={"addr": "y"})
    versioned = {**sent, "metadata": {**sent["metadata"], "resourceVersion": "5"}}
    assert space.http.send("POST", space.path, versioned).code in {400, 500}, "a version makes no sense for what is new"
    answer = space.http.send("POST", space.path, sent)
    assert answer.code == 201
    body = answer.body
    given = metadata(body)
    assert set(given) == {"creationTimestamp", "generation", "labels", "name", "namespace", "resourceVersion", "uid"}
    assert (given["name"], given["namespace"], given["labels"], given["generation"]) == ("a", space.namespace, {"tier": "web"}, 1)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", given["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given["creationTimestamp"])
    assert body["spec"] == {"image": "x"}
    assert "status" not in body, "which is a subresource"
    assert space.get("a").body == body


def test_who_wrote_what_is_written_down(space: "Space") -> None:
    made = space.create("a", spec={"image": "x"})
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("contract", "Update", "FieldsV1")
    assert entry["fieldsV1"]["f:spec"]["f:image"] == {}
    answer = space.http.send("PATCH", f"{space.path}/a", {"spec": {"image": "y"}}, headers={"User-Agent": "other/2"})
    owners = {
        entry["manager"]
        for entry in answer.body["metadata"]["managedFields"]
        if "f:spec" in entry["fieldsV1"] and "f:image" in entry["fieldsV1"]["f:spec"]
    }
    assert owners == {"other"}


def test_generation_counts_the_changes_of_what_is_wanted(space: "Space") -> None:
    made = space.create("a")
    labelled = space.patch("a", {"metadata": {"labels": {"tier": "web"}}})
    changed = space.patch("a", {"spec": {"image": "x"}})
    told = space.set_status("a")
    assert [body["metadata"]["generation"] for body in (made, labelled, changed, told)] == [1, 1, 2, 2]
    assert len({body["metadata"]["resourceVersion"] for body in (made, labelled, changed, told)}) == 4
    assert len({body["metadata"]["uid"] for body in (made, labelled, changed, told)}) == 1


def test_what_only_the_server_writes_stays(space: "Space") -> None:
    made = space.create("a")
    changed = space.patch("a", {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 99, "labels": {"a": "b"}}})
    assert metadata(changed, "resourceVersion", "labels") == metadata(made, "resourceVersion", "labels")
    other = {"uid": "11111111-1111-1111-1111-111111111111"}
    refused(space.http.send("PATCH", f"{space.path}/a", {"metadata": other}), 422, "Invalid")
    refused(space.http.send("PUT", f"{space.path}/a", {**changed, "metadata": {**changed["metadata"], **other}}), 409, "Conflict")


def test_status_and_the_rest_are_changed_apart(space: "Space") -> None:
    space.create("a", labels={"tier": "web"}, spec={"image": "x"})
    both = {
        "metadata": {"labels": {"tier": "api"}},
        "spec": {"image": "y"},
        "status": {"addr": "b:2", "name": "a", "version": "1", "components": []},
    }
    told = space.http.send("PATCH", f"{space.path}/a/status", both).body
    assert (told["metadata"]["labels"], told["spec"], told["status"]["addr"]) == ({"tier": "web"}, {"image": "x"}, "b:2")
    changed = space.patch("a", {**both, "status": {"addr": "c:3"}})
    assert (changed["metadata"]["labels"], changed["spec"], changed["status"]) == ({"tier": "api"}, {"image": "y"}, told["status"])
    assert space.http.send("GET", f"{space.path}/a/status").body == changed


def test_null_in_a_patch_takes_a_field_away(space: "Space") -> None:
    space.create("a", labels={"tier": "web", "old": "yes"}, spec={"image": "x"})
    changed = space.patch("a", {"metadata": {"labels": {"old": None, "never": None}}, "spec": {"image": None}})
    assert changed["metadata"]["labels"] == {"tier": "web"}
    assert changed["spec"] == {}
    assert "labels" not in space.patch("a", {"metadata": {"labels": None}})["metadata"]
    space.set_status("a")
    assert "status" not in space.http.send("PATCH", f"{space.path}/a/status", {"status": None}).body


def test_unknown_fields_are_dropped(space: "Space") -> None:
    made = space.create("a", spec={"image": "x", "colour": "red"}, extra={"a": 1})
    assert made["spec"] == {"image": "x"}
    assert "extra" not in made
    component = {"name": "n", "description": "d", "info": "i", "shape": "round", "ports": [{"any": ["thing"]}, 5]}
    told = space.set_status("a", components=[component])
    assert told["status"]["components"] == [{"name": "n", "description": "d", "info": "i", "ports": [{"any": ["thing"]}, 5]}]


def test_a_change_of_an_older_version_is_a_conflict(space: "Space") -> None:
    made = space.create("a")
    changed = space.patch("a", {"spec": {"image": "x"}, "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}})
    old = {"spec": {"image": "y"}, "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    for answer in (
        space.http.send("PATCH", f"{space.path}/a", old),
        space.http.send("PUT", f"{space.path}/a", made),
        space.http.send("PUT", f"{space.path}/a/status", made),
    ):
        body = refused(answer, 409, "Conflict")
        assert body["message"].startswith(f'Operation cannot be fulfilled on {RESOURCE} "a": the object has been modified')
        assert body["details"] == {"name": "a", "group": "operator.tinysystems.io", "kind": "tinymodules"}
    answer = space.http.send("PUT", f"{space.path}/a", {**changed, "spec": {"image": "z"}})
    assert (answer.code, answer.body["spec"], answer.body["metadata"]["generation"]) == (200, {"image": "z"}, 3)
    del changed["metadata"]["resourceVersion"]
    body = refused(space.http.send("PUT", f"{space.path}/a", changed), 422, "Invalid")
    assert "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update" in body["message"]


def test_a_status_can_be_put(space: "Space") -> None:
    made = space.create("a")
    wanted = {**made, "status": {"addr": "b:2", "name": "a", "version": "1", "components": []}, "spec": {"image": "ignored"}}
    answer = space.http.send("PUT", f"{space.path}/a/status", wanted)
    assert (answer.code, answer.body["status"], answer.body.get("spec")) == (200, wanted["status"], made.get("spec"))


def test_a_name_that_is_there_is_refused(space: "Space") -> None:
    space.create("a")
    body = refused(space.http.send("POST", space.path, space.body("a")), 409, "AlreadyExists")
    assert body["message"] == f'{RESOURCE} "a" already exists'
    assert body["details"] == {"name": "a", "group": "operator.tinysystems.io", "kind": "tinymodules"}


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a/b", "a b", "x" * 254, "☃"])
def test_a_name_that_breaks_the_rule_is_invalid(space: "Space", name: str) -> None:
    body = refused(space.http.send("POST", space.path, space.body(name)), 422, "Invalid")
    assert body["message"].startswith(f'TinyModule.operator.tinysystems.io "{name}" is invalid: ')
    assert body["details"]["causes"][0]["field"] == "metadata.name"


def test_a_missing_name_is_invalid_or_made(space: "Space") -> None:
    body = space.body("")
    del body["metadata"]["name"]
    assert "metadata.name" in refused(space.http.send("POST", space.path, body), 422, "Invalid")["message"]
    body["metadata"]["generateName"] = "made-"
    assert re.fullmatch(r"made-\w{5}", space.http.send("POST", space.path, body).body["metadata"]["name"])


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ({"addr": 5}, ["status.addr"]),
        ({"addr": True}, ["status.addr"]),
        ({"addr": ["a"]}, ["status.addr"]),
        ({"addr": None}, ["status.addr"]),
        ({"name": None, "version": None}, ["status.name", "status.version"]),
        ({"components": "none"}, ["status.components"]),
        ({"components": [{"name": "n"}]}, ["status.components.description", "status.components.info"]),
        ({"components": [{"name": "n", "description": "d", "info": "i", "tags": [1]}]}, ["status.components.tags"]),
    ],
)
def test_a_status_that_breaks_the_schema_is_invalid(space: "Space", status: dict[str, object], fields: list[str]) -> None:
    space.create("a")
    given = {"addr": "b:2", "name": "a", "version": "1", "components": [], **status}
    body = refused(space.http.send("PATCH", f"{space.path}/a/status", {"status": given}), 422, "Invalid")
    found = [re.sub(r"\[\d+\]", "", cause["field"]) for cause in body["details"]["causes"]]
    assert sorted(found) == fields, body


@pytest.mark.parametrize("labels", [{"a": "b c"}, {"a": "x" * 64}, {"a b": "c"}])
def test_bad_labels_are_invalid(space: "Space", labels: dict[str, str]) -> None:
    body = refused(space.http.send("POST", space.path, space.body("a", metadata={"labels": labels})), 422, "Invalid")
    assert body["details"]["causes"][0]["field"].startswith("metadata.labels")


def test_what_belongs_elsewhere_is_a_bad_request(space: "Space") -> None:
    space.create("a")
    for body in (
        {**space.body("b"), "apiVersion": "v1"},
        {**space.body("b"), "kind": ""},
        space.body("b", metadata={"namespace": "elsewhere"}),
        space.body("b", metadata={"labels": {"a": 5}}),
    ):
        refused(space.http.send("POST", space.path, body), 400, "BadRequest")
    refused(space.http.send("POST", space.path, {**space.body("b"), "kind": "Pod"}), 422, "Invalid")
    refused(space.http.send("PUT", f"{space.path}/a", space.get("a").body | {"metadata": {"name": "b"}}), 400, "BadRequest")


def test_other_kinds_of_patches_are_not_understood(space: "Space") -> None:
    space.create("a")
    answer = space.http.send("PATCH", f"{space.path}/a", {"spec": {}}, kind="application/strategic-merge-patch+json")
    refused(answer, 415, "UnsupportedMediaType")


def test_what_is_not_there_is_not_found(space: "Space") -> None:
    for method, path, body in (
        ("GET", f"{space.path}/a", None),
        ("DELETE", f"{space.path}/a", None),
        ("PATCH", f"{space.path}/a", {}),
        ("PATCH", f"{space.path}/a/status", {}),
    ):
        told = refused(space.http.send(method, path, body), 404, "NotFound")
        assert told["message"] == f'{RESOURCE} "a" not found'
        assert told["details"] == {"name": "a", "group": "operator.tinysystems.io", "kind": "tinymodules"}
    for path in ("/apis/nowhere.example/v1", "/apis/operator.tinysystems.io/v1alpha1/other"):
        answer = space.http.send("GET", path)
        assert (answer.code, str(answer.body).strip()) == (404, "404 page not found"), path
    assert "/version" in space.http.send("GET", "/nowhere").body["paths"]
    nowhere = "/apis/operator.tinysystems.io/v1alpha1/namespaces/no-such-namespace/tinymodules"
    told = refused(space.http.send("POST", nowhere, space.body("a")), 404, "NotFound")
    assert told["message"] == 'namespaces "no-such-namespace" not found'


def test_a_deletion_says_what_is_gone(space: "Space") -> None:
    made = space.create("a")
    other = {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}
    refused(space.http.send("DELETE", f"{space.path}/a", other), 409, "Conflict")
    body = space.delete("a")
    assert (body["kind"], body["status"]) == ("Status", "Success")
    assert body["details"] == {"name": "a", "group": "operator.tinysystems.io", "kind": "tinymodules", "uid": made["metadata"]["uid"]}
    assert space.names() == []


def test_an_object_with_finalizers_is_marked_and_goes_with_the_last_of_them(space: "Space") -> None:
    made = space.http.send("POST", space.path, space.body("a", metadata={"finalizers": ["example.org/wait"]})).body
    with space.watch(resourceVersion=made["metadata"]["resourceVersion"]) as watch:
        space.delete("a")
        kind, marked = watch.next()
        assert (kind, marked["metadata"]["deletionGracePeriodSeconds"], marked["metadata"]["generation"]) == ("MODIFIED", 0, 2)
        assert "deletionTimestamp" in marked["metadata"]
        space.delete("a")
        space.patch("a", {"metadata": {"finalizers": None}})
        assert watch.names(1) == [("DELETED", "a")]
    assert space.get("a").code == 404


def test_a_collection_is_deleted_by_its_selection(space: "Space") -> None:
    for name, tier in (("a", "web"), ("b", "web"), ("c", "api")):
        space.create(name, labels={"tier": tier})
    gone = space.http.send("DELETE", space.path, labelSelector="tier=web").body
    assert (gone["kind"], [item["metadata"]["name"] for item in gone["items"]]) == ("TinyModuleList", ["a", "b"])
    assert space.names() == ["c"]
