"""A kubeconfig whose user logs in by a command: what it gives lets in, and where it gives nothing that is told, without what it wrote."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

import tinypool_nb as tp
from tests.discovery.conftest import NAMESPACE, Operator, kubeconfig, until
from tinypool_nb.core import reflecting
from tinypool_nb.discovery.kubeconfig import find_cluster
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.resources import Resources, Trouble
from tinypool_nb.errors import KubeconfigError

WRITTEN = "wr1tten-t0ken"
VERSION = "client.authentication.k8s.io/v1"

Plugin = Callable[..., Path]


@pytest.fixture(autouse=True)
def _is_silent(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No test lets what a command wrote into a log or onto the screen."""
    caplog.set_level(logging.DEBUG)
    handlers = list(logging.getLogger().handlers)
    yield
    assert WRITTEN not in caplog.text
    assert WRITTEN not in "".join(capfd.readouterr())
    assert logging.getLogger().handlers == handlers


@pytest.fixture
def pool() -> Iterator[tp.Pool]:
    with tp.Pool() as pool:
        yield pool


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """Writes a kubeconfig whose user logs in by a command that does this."""

    def plugin(script: str, url: str = "http://127.0.0.1:1", **told: Any) -> Path:
        command = tmp_path / "login"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o700)
        path = kubeconfig(tmp_path / "config", url)
        config = json.loads(path.read_text())
        config["users"][0]["user"] = {"exec": {"apiVersion": VERSION, "command": str(command), **told}}
        path.write_text(json.dumps(config))
        return path

    return plugin


def giving(version: str = VERSION, **status: Any) -> str:
    """A script that gives a credential."""
    return f"cat <<'END'\n{json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status})}\nEND"


def test_what_it_gives_lets_in(plugin: Plugin, operator: Operator) -> None:
    operator.put("http", "127.0.0.1:1")
    resources = Resources(find_cluster(plugin(giving(token=operator.token), operator.api.url)), NAMESPACE, "", Lifeline())
    assert [each["metadata"]["name"] for each in resources.page(500)["items"]] == ["http"]
    resources.close()


def test_a_certificate_is_taken_too(plugin: Plugin) -> None:
    issued = trustme.CA().issue_cert("ada")
    certificate, key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
    cluster = find_cluster(plugin(giving(clientCertificateData=certificate, clientKeyData=key), "https://127.0.0.1:1"))
    assert Path(cluster.api.configuration.cert_file).read_text() == certificate
    assert Path(cluster.api.configuration.key_file).read_text() == key
    assert cluster.api.configuration.api_key == {}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo token={WRITTEN} >&2; exit 1", "it ended with code 1"),
        (f"echo {WRITTEN}; exit 7", "it ended with code 7"),
        ("kill -9 $$", "it ended with code -9"),
        (f"echo {WRITTEN}", "what it wrote is no ExecCredential"),
        ("", "what it wrote is no ExecCredential"),
        ("echo 7", "what it wrote is no ExecCredential"),
        (f'echo \'{{"apiVersion": "{VERSION}", "kind": "ExecCredential", "status": null}}\'', "what it wrote is no ExecCredential"),
        (giving("client.authentication.k8s.io/v1alpha1", token=WRITTEN), "what it wrote is no ExecCredential of the version"),
        (giving(), "it gave neither a token nor a certificate with its key"),
        (giving(token=""), "it gave neither a token nor a certificate with its key"),
        (giving(clientCertificateData=WRITTEN), "it gave neither a token nor a certificate with its key"),
    ],
)
def test_one_that_gives_nothing_is_told_and_nobody_goes_on_as_a_stranger(plugin: Plugin, script: str, why: str) -> None:
    path = plugin(script)
    with pytest.raises(
        KubeconfigError, match=rf"context 'lab', gives no .*: the command '.*login', .* gave no credential: {why}"
    ) as caught:
        find_cluster(path)
    assert WRITTEN not in str(caught.value)
    assert "run it in a shell to see more" in str(caught.value)


def test_one_that_is_not_there_or_not_said_is_told(plugin: Plugin, tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"the command '.*/none', .* it cannot be run: No such file or directory"):
        find_cluster(plugin("", command=str(tmp_path / "none"), args=[WRITTEN], env=[{"name": "A", "value": WRITTEN}]))
    path = plugin("")
    path.write_text(path.read_text().replace('"command"', '"other"'))
    with pytest.raises(KubeconfigError, match="the command that is not said, by which its user logs in"):
        find_cluster(path)


def test_a_login_in_the_midst_is_enough(
    pool: tp.Pool, plugin: Plugin, operator: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who was let in as nobody, or not at all any more, goes on after the login without a new discovery."""
    monkeypatch.setattr(reflecting, "LONGEST_WAIT", 0.3)
    operator.put("http", "127.0.0.1:1")
    (tmp_path / "token").write_text(operator.token)
    script = giving(token="$(cat token)").replace("'END'", "END")
    discovery = pool.discover(kubeconfig=plugin(f"test -s token || exit 1; {script}", operator.api.url))
    discovery.wait(10)
    for revoke in (operator.api.revoke_token, lambda: operator.api.grant(verbs=[])):
        (tmp_path / "token").write_text("")
        revoke()
        operator.api.drop_watches()
        until(lambda: "it ended with code 1" in str(discovery.status))
        assert discovery.status.missing is None, "no Role would help"
        operator.api.heal()
        (tmp_path / "token").write_text(operator.token)
        discovery.wait(10)


def test_a_credential_that_expires_is_asked_for_again_and_a_failure_is_told(plugin: Plugin, operator: Operator) -> None:
    operator.put("http", "127.0.0.1:1")
    soon = f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"  # which counts as over already
    path = plugin(giving(token=operator.token, expirationTimestamp=soon), operator.api.url)
    resources = Resources(find_cluster(path), NAMESPACE, "", Lifeline())
    assert len(resources.page(500)["items"]) == 1
    plugin(f"echo {WRITTEN} >&2; exit 3", operator.api.url)
    with pytest.raises(Trouble, match=r"the command '.*login', by which its user logs in, gave no credential: it ended with code 3"):
        resources.page(500)
    plugin(giving(token=operator.token), operator.api.url)
    assert len(resources.page(500)["items"]) == 1
    resources.close()
