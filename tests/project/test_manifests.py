"""The yaml that the package carries, as `tinypool-nb doctor` prints it. A real API server applies it in `tests/contract`."""

from typing import Any

import pytest
import yaml

from tinypool_nb import manifests
from tinypool_nb.cli import main
from tinypool_nb.core.rights import role
from tinypool_nb.errors import OptionsError


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["doctor", *words]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def test_the_definition_names_the_resource(capsys: pytest.CaptureFixture[str]) -> None:
    (definition,) = printed(capsys, "--print-crd")
    names = definition["spec"]["names"]
    assert definition["metadata"]["name"] == f"{names['plural']}.{definition['spec']['group']}" == "tinymodules.operator.tinysystems.io"
    assert (definition["spec"]["scope"], [version["name"] for version in definition["spec"]["versions"]]) == ("Namespaced", ["v1alpha1"])


@pytest.mark.parametrize(("words", "namespace"), [((), "tinysystems"), (("--namespace", "staging"), "staging")])
def test_the_rights_in_one_namespace(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], namespace: str) -> None:
    account, role, binding = printed(capsys, "--print-rbac", *words)
    assert [document["kind"] for document in (account, role, binding)] == ["ServiceAccount", "Role", "RoleBinding"]
    assert {document["metadata"]["namespace"] for document in (account, role, binding)} == {namespace}
    assert role["rules"] == [{"apiGroups": ["operator.tinysystems.io"], "resources": ["tinymodules"], "verbs": ["get", "list", "watch"]}]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": namespace}]


def test_the_rights_in_all_namespaces(capsys: pytest.CaptureFixture[str]) -> None:
    account, role, binding = printed(capsys, "--print-rbac", "--all-namespaces")
    assert [document["kind"] for document in (account, role, binding)] == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"]
    assert role["rules"][0]["verbs"] == ["get", "list", "watch"]
    assert "namespace" not in role["metadata"]
    assert binding["roleRef"]["kind"] == "ClusterRole"


@pytest.mark.parametrize("where", [("--namespace", "staging"), ("--all-namespaces",)])
def test_the_rights_to_forward_ports_besides(capsys: pytest.CaptureFixture[str], where: tuple[str, ...]) -> None:
    _, before, _ = printed(capsys, "--print-rbac", *where)
    account, granted, binding = printed(capsys, "--print-rbac", "--port-forward", *where)
    assert [account["kind"], binding["roleRef"]["kind"]] == ["ServiceAccount", granted["kind"]]
    assert granted["rules"][:1] == before["rules"]
    assert {rule["resources"][0]: rule["verbs"] for rule in granted["rules"][1:]} == {
        "services": ["get"],
        "pods": ["list"],
        "pods/portforward": ["get", "create"],
    }
    assert yaml.safe_load(role("staging", port_forward=True))["rules"] == granted["rules"]  # what a status tells is what is printed


@pytest.mark.parametrize("namespace", ["", "A", "a b", "a\nkind: Secret", "-a", "a" * 64, "a.b"])
def test_what_is_no_namespace_is_printed_nowhere(capsys: pytest.CaptureFixture[str], namespace: str) -> None:
    with pytest.raises(OptionsError, match=r"^namespace="):
        manifests.rbac(namespace)
    assert main(["doctor", "--print-rbac", f"--namespace={namespace}"]) == 1
    assert capsys.readouterr().out == ""


def test_doctor_wants_to_know_what_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        [],
        ["--print-rbac", "--print-crd"],
        ["--print-rbac", "--namespace", "a", "--all-namespaces"],
        ["--cluster", "--port-forward"],
    ):
        with pytest.raises(SystemExit):
            main(["doctor", *words])
    assert "--help` tells what it understands" in capsys.readouterr().err
