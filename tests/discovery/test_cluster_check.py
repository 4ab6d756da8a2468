"""`tinypool-nb doctor --cluster`: what it finds of a cluster, in words and as an exit code; never a secret."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import tinypool_nb as tp
from tests.contract.conftest import Server, real_server
from tests.contract.http.conftest import Http, Space, new_namespace
from tests.discovery.conftest import Between, Operator, kubeconfig, leave, refuse
from tinypool_nb.cli import main
from tinypool_nb.core.rights import role

__all__ = ["real_server"]

Doctor = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=True) as lab:
        lab.resources.create("http-module-v1", addr="127.0.0.1:1")
        lab.resources.create("waits")
        lab.resources.create("nats", addr="nats://tinymodule.nats.msg")
        lab.resources.create("bad", namespace="other", addr="no\x1b[31mport")
        yield lab


@pytest.fixture
def doctor(lab: tp.Lab, capsys: pytest.CaptureFixture[str]) -> Iterator[Doctor]:
    token = json.loads(Path(lab.kubeconfig).read_text())["users"][0]["user"]["token"]

    def doctor(*words: str, config: str = lab.kubeconfig) -> tuple[int, list[str]]:
        code = main(["doctor", "--cluster", f"--kubeconfig={config}", *words])
        out, err = capsys.readouterr()
        assert token not in out + err
        assert "\x1b" not in out + err
        return code, [*out.splitlines(), *err.splitlines()]

    yield doctor
    lab.api.heal()


def test_a_cluster_that_is_well(lab: tp.Lab, doctor: Doctor) -> None:
    code, lines = doctor()
    assert code == 0
    assert lines[:2] == [f"cluster {lab.api.url}, namespace tinysystems", f"  by context 'tinypool-lab' of kubeconfig='{lab.kubeconfig}'"]
    assert lines[2].startswith("✓ it answers: Kubernetes v1.")
    version = lab.resources.ask("GET", "/apis/operator.tinysystems.io/v1alpha1/tinymodules")["metadata"]["resourceVersion"]
    assert lines[3:] == [
        "✓ tinymodules.operator.tinysystems.io is defined there",
        "✓ you may list and watch tinymodules in namespace tinysystems",
        f"✓ all was read, up to resource version {version}, and may be watched from there: a discovery would be synced now",
        "✓ 3 modules: 1 quarantined, 1 waiting, 1 registered, once it is discovered",
        "    tinysystems/nats            quarantined  not gRPC: it is reached by NATS messages at nats://tinymodule.nats.msg",
        "    tinysystems/waits           waiting      it has no address yet",
        "    tinysystems/http-module-v1  registered   at 127.0.0.1:1",
        "TinyModules can be discovered",
    ]


def test_a_malformed_module_is_to_be_mended_and_the_own_one_is_told(doctor: Doctor) -> None:
    code, lines = doctor("--all-namespaces", "--own-module", "HTTP module v1")
    assert code == 1
    assert lines[0].endswith(", all namespaces")
    assert [line.split()[:2] for line in lines if line.startswith("    ")] == [
        ["other/bad", "quarantined"],
        ["tinysystems/nats", "quarantined"],
        ["tinysystems/waits", "waiting"],
        ["tinysystems/http-module-v1", "own"],
    ]
    assert lines[-1] == "1 thing to be mended"


def test_where_there_is_nothing_it_says_where_to_look(doctor: Doctor) -> None:
    code, lines = doctor("--namespace", "nobody")
    assert (code, lines[-2]) == (0, "· there are no TinyModules there; --all-namespaces looks everywhere")


@pytest.mark.parametrize(
    ("fault", "words", "told"),
    [
        (lambda api: api.grant(["get"]), (), "✗ you may not list or watch tinymodules in namespace tinysystems"),
        (lambda api: api.grant(["get"]), ("--all-namespaces",), "apply this ClusterRole and bind it to you:"),
        (lambda api: api.grant(["list"]), (), "✗ you may not watch tinymodules in namespace tinysystems"),
        (lambda api: api.revoke_token(), (), "✗ the API server does not know who this is (401: Unauthorized)"),
        (lambda api: api.refuse(404), (), "✗ tinymodules.operator.tinysystems.io is not defined there"),
        (lambda api: api.refuse(503), (), "a discovery that is under way is stale until it comes"),
    ],
)
def test_each_thing_that_is_wrong_is_told_with_what_mends_it(
    lab: tp.Lab, doctor: Doctor, fault: Callable[[tp.lab.Api], object], words: tuple[str, ...], told: str
) -> None:
    fault(lab.api)
    code, lines = doctor(*words)
    assert code == 1
    assert [line for line in lines if told in line], lines
    assert lines[-1].endswith("to be mended")


@pytest.mark.parametrize(
    ("verbs", "words", "grants"),
    [
        (["get"], (), role("tinysystems")),
        (["get"], ("--namespace", "other"), role("other")),
        (["get"], ("--all-namespaces",), role(None)),
        (["list"], (), role("tinysystems")),
    ],
)
def test_a_right_that_is_missing_comes_with_its_role_to_be_applied(
    lab: tp.Lab, doctor: Doctor, verbs: list[str], words: tuple[str, ...], grants: str
) -> None:
    lab.api.grant(verbs)
    _, lines = doctor(*words)
    began = next(number for number, line in enumerate(lines) if line.endswith("and bind it to you:")) + 1
    printed = lines[began : began + len(grants.splitlines())]
    assert yaml.safe_load("\n".join(printed)) == yaml.safe_load(grants), "also as it is copied, with its indent"


def test_a_refusal_that_nobody_foretold_comes_with_its_role_too(lab: tp.Lab, doctor: Doctor) -> None:
    lab.api.refuse(403, message="not you")
    code, lines = doctor()
    assert code == 1
    refused = "✗ the API server does not let it list tinymodules.operator.tinysystems.io in namespace tinysystems (403: not you)"
    assert lines[lines.index(refused) + 2] == "    apiVersion: rbac.authorization.k8s.io/v1"


def test_an_expired_token_comes_with_no_role(lab: tp.Lab, doctor: Doctor) -> None:
    lab.api.revoke_token()
    assert not [line for line in doctor()[1] if "kind:" in line or "apply" in line]


def test_what_can_be_read_but_not_watched_says_how_a_discovery_would_stand(lab: tp.Lab, doctor: Doctor) -> None:
    lab.api.grant(["list"])
    code, lines = doctor()
    assert code == 1
    assert [line for line in lines if line.endswith(": a discovery would be synced by lists alone, some seconds late")]
    assert lines[-1] == "1 thing to be mended"


def test_a_watch_that_breaks_off_is_told(operator: Operator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    between = Between(operator.api.port)
    try:
        between.answers = [leave, leave, leave, refuse(503, "ServiceUnavailable", "not now")]
        config = kubeconfig(tmp_path / "config", between.url, token=operator.token)
        assert main(["doctor", "--cluster", f"--kubeconfig={config}"]) == 1
    finally:
        between.close()
    assert ", but a watch from there broke off: not now; a discovery would soon be stale" in capsys.readouterr().out


def test_a_server_that_is_not_there_and_one_that_is_no_api_server(lab: tp.Lab, doctor: Doctor, tmp_path: Path) -> None:
    code, lines = doctor(config=str(kubeconfig(tmp_path / "nobody", "http://127.0.0.1:1")))
    assert (code, lines[2]) == (1, "✗ it does not answer: Connection refused")
    code, lines = doctor(config=str(kubeconfig(tmp_path / "other", lab.api.url)))  # whose authority is not trusted
    assert code == 1
    assert "certificate" in lines[2].lower()


def test_what_cannot_be_resolved_is_told(doctor: Doctor) -> None:
    assert doctor("--context", "nope")[0] == 1
    assert "own_module='!' was refused" in doctor("--own-module", "!")[1][0]
    assert "namespace='a/b' was refused" in doctor("--namespace", "a/b")[1][0]
    code, lines = doctor(config="/nowhere")
    assert (code, lines) == (1, ["tinypool-nb: kubeconfig='/nowhere': no such file"])


def test_proxies_are_mentioned_without_their_passwords(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:pass-word@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    code, lines = doctor()
    assert code == 0
    said = "· HTTPS_PROXY=http://127.0.0.1:1: the API server is reached without it; modules are dialled without it in any case"
    assert said in lines
    monkeypatch.delenv("no_proxy")
    code, lines = doctor()
    assert [line for line in lines if line.startswith("· HTTPS_PROXY=http://127.0.0.1:1: the API server is reached through it")]
    assert "pass-word" not in "".join(lines)


@pytest.mark.parametrize(
    "words", [["--print-crd", "--context", "a"], ["--cluster", "--print-crd"], ["--cluster", "--namespace", "a", "--all-namespaces"]]
)
def test_words_that_do_not_go_together_are_not_understood(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    assert ended.value.code == 2
    assert "--help` tells what it understands" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_cluster(real_server: Server, doctor: Doctor) -> None:
    http = Http(real_server.kubeconfig)
    try:
        space = Space(real_server, http, new_namespace(http))
        space.create("http-module-v1")
        space.set_status("http-module-v1")
        code, lines = doctor("--namespace", space.namespace, config=real_server.kubeconfig)
    finally:
        http.close()
    assert (code, lines[-2]) == (0, f"    {space.namespace}/http-module-v1  registered   at 127.0.0.1:50051")
