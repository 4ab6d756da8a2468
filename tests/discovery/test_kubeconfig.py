"""Which cluster is found, and what is told of one that is not; never a secret, and nothing on stdout."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import tinypool_nb as tp
from tests.discovery.conftest import NAMESPACE, TOKEN, kubeconfig
from tinypool_nb.discovery.kubeconfig import find_cluster
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.resources import Resources, Trouble
from tinypool_nb.errors import KubeconfigError


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def test_an_argument_counts_before_the_environment_and_that_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "home" / ".kube").mkdir(parents=True)
    by_default = kubeconfig(tmp_path / "home" / ".kube" / "config", "http://127.0.0.1:1")
    by_environment = kubeconfig(tmp_path / "env", "http://127.0.0.1:2", namespace="env")
    by_argument = kubeconfig(tmp_path / "argument", "http://127.0.0.1:3")
    assert by_default.exists()
    assert find_cluster().server == "http://127.0.0.1:1"
    cluster = find_cluster(environment={"KUBECONFIG": str(by_environment)})
    assert (cluster.server, cluster.namespace) == ("http://127.0.0.1:2", "env")
    assert find_cluster(by_argument, environment={"KUBECONFIG": str(by_environment)}).server == "http://127.0.0.1:3"
    assert find_cluster(str(by_argument)).namespace == NAMESPACE


def test_kubeconfig_of_the_environment_is_read_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / str(number), f"http://127.0.0.1:{number}")))
        assert find_cluster().server == f"http://127.0.0.1:{number}"


def test_several_files_are_one_configuration(tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", "http://127.0.0.1:1", context="one")
    two = kubeconfig(tmp_path / "two", "http://127.0.0.1:2", context="two", namespace="second")
    both = os.pathsep.join(map(str, (one, tmp_path / "missing", two)))
    assert find_cluster(environment={"KUBECONFIG": both}, context="one").server == "http://127.0.0.1:1"
    cluster = find_cluster(both, "two")
    assert (cluster.server, cluster.namespace) == ("http://127.0.0.1:2", "second")


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    assert find_cluster(kubeconfig(tmp_path / "config", "http://127.0.0.1:1", namespace="")).namespace == "default"


def test_clusters_share_nothing_and_hide_who_they_are(tmp_path: Path) -> None:
    one = find_cluster(kubeconfig(tmp_path / "one", "http://ada:pass-word@127.0.0.1:1"))
    other = find_cluster(kubeconfig(tmp_path / "other", "http://127.0.0.1:2", token="another"))
    assert one.api.configuration is not other.api.configuration
    assert one.api.rest_client.pool_manager is not other.api.rest_client.pool_manager
    for shown in (repr(one), one.server, one.source):
        assert TOKEN not in shown
        assert "pass-word" not in shown
    assert one.conceal(f"Bearer {TOKEN} is unknown") == "Bearer … is unknown"
    assert one.conceal("no way to http://ada:pass-word@127.0.0.1:1") == "no way to http://…@127.0.0.1:1"


def test_a_password_before_the_host_is_hidden_as_it_is_written_and_as_it_is_meant(tmp_path: Path) -> None:
    cluster = find_cluster(kubeconfig(tmp_path / "config", "http://ada:pass%2Fword@127.0.0.1:1"))
    assert cluster.conceal("pass%2Fword or pass/word of ada") == "… or … of ada"


@pytest.mark.parametrize(
    "server",
    [
        "https://ada:pass-word@127.0.0.1:99999",
        "https://ada:pass-word/1@127.0.0.1:6443",
        "https://ada:7/pass-word@127.0.0.1:6443",
        "https://ada:7?pass-word@127.0.0.1:6443",
        "https://ada:7#pass-word@127.0.0.1:6443",
        "ada:pass-word@127.0.0.1:6443",
        "https://ada:pass-word@",
    ],
)
def test_a_server_that_is_none_is_told_before_it_is_dialled_and_without_a_password(tmp_path: Path, server: str) -> None:
    with pytest.raises(KubeconfigError, match=r"its server .* is none: it is to be https:// or http://, a host") as caught:
        find_cluster(kubeconfig(tmp_path / "config", server))
    assert "pass-word" not in str(caught.value)


def test_a_server_that_is_none_and_holds_no_password_is_shown(tmp_path: Path) -> None:
    for server in ("https://127.0.0.1:99999", "127.0.0.1:6443", "ftp://127.0.0.1"):
        with pytest.raises(KubeconfigError, match=f"its server '{server}' is none"):
            find_cluster(kubeconfig(tmp_path / "config", server))


def test_a_file_is_found_again_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    for cluster in (find_cluster("config"), find_cluster(environment={"KUBECONFIG": f"missing{os.pathsep}config"})):
        assert str(tmp_path / "config") in cluster.source
        monkeypatch.chdir("/")
        assert cluster.renew().server == "http://127.0.0.1:1"
        monkeypatch.chdir(tmp_path)


def test_nothing_is_found_and_it_says_what_was_tried() -> None:
    with pytest.raises(KubeconfigError, match=r"KUBECONFIG is not set, ~/.kube/config is not there, and this runs in no pod"):
        find_cluster(environment={})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"users: [{{token: {TOKEN}}}\n  ]: {TOKEN}", "no YAML, line"),
        ("", "missing or malformed"),
        ("[]", "missing or malformed"),
        ("users: 7", "missing or malformed"),
        (
            f'{{"contexts": [], "users": [{{"name": "u", "user": {{"token": "{TOKEN}"}}}}], "clusters": []}}',
            "names no current context; it has none",
        ),
        (f'{{"current-context": "x", "users": [{{"token": "{TOKEN}"}}], "contexts": []}}', "has no context 'x'; it has none"),
        ("\x00\x01", "no YAML|missing or malformed"),
    ],
)
def test_a_file_that_is_none_is_told_without_quoting_it(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match=why) as caught:
        find_cluster(path)
    assert str(path) in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_user_without_a_cluster_is_told_without_quoting_it(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    path.write_text(path.read_text().replace('"cluster": "lab"', '"cluster": "other"'))
    with pytest.raises(KubeconfigError, match=r"context 'lab', gives no access to a cluster") as caught:
        find_cluster(path)
    assert TOKEN not in str(caught.value)


def test_no_such_file_and_no_such_context(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="no such file"):
        find_cluster(tmp_path / "missing")
    with pytest.raises(KubeconfigError, match="has no context 'prod'; it has 'lab'"):
        find_cluster(kubeconfig(tmp_path / "config", "http://127.0.0.1:1"), "prod")


def test_a_context_is_said_or_current(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    path.write_text(path.read_text().replace("current-context", "other"))
    assert find_cluster(path, "lab").namespace == NAMESPACE
    with pytest.raises(KubeconfigError, match="names no current context; it has 'lab'"):
        find_cluster(path)


def test_renewing_keeps_the_context_and_reads_a_new_token(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", token="first-token")
    cluster = find_cluster(path)
    kubeconfig(path, "http://127.0.0.1:1", token="second-token")
    assert cluster.renew().conceal("first-token second-token") == "first-token …"


# In the cluster.


@pytest.fixture(scope="module")
def _lab() -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=True) as lab:
        lab.resources.create("http")
        yield lab


Pod = tuple[tp.lab.Api, Path, dict[str, str]]


@pytest.fixture
def pod(_lab: tp.Lab, tmp_path: Path) -> Pod:
    """(API server with TLS, the folder of the service account, the pod's environment)."""
    told = json.loads(Path(_lab.kubeconfig).read_text())
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(base64.b64decode(told["clusters"][0]["cluster"]["certificate-authority-data"]))
    (folder / "token").write_text(told["users"][0]["user"]["token"])
    (folder / "namespace").write_text(NAMESPACE)
    return _lab.api, folder, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(_lab.api.port)}


def test_in_the_cluster_the_pods_own_account_lets_in(pod: Pod) -> None:
    server, folder, environment = pod
    cluster = find_cluster(environment=environment, service_account=folder)
    assert (cluster.server, cluster.namespace, cluster.source) == (server.url, NAMESPACE, "the pod's service account")
    resources = Resources(cluster, cluster.namespace, "", Lifeline())
    assert [each["metadata"]["name"] for each in resources.page(500)["items"]] == ["http"]
    resources.close()
    (folder / "token").write_text("rotated")
    renewed = cluster.renew()
    assert renewed.conceal("rotated") == "…"
    resources = Resources(renewed, NAMESPACE, "", Lifeline())
    with pytest.raises(Trouble) as caught:
        resources.page(500)
    assert caught.value.status == 401
    resources.close()


def test_a_certificate_of_somebody_else_is_told(pod: Pod) -> None:
    _, folder, environment = pod
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.crt"))
    resources = Resources(find_cluster(environment=environment, service_account=folder), NAMESPACE, "", Lifeline())
    with pytest.raises(Trouble, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        resources.page(500)
    resources.close()


def test_closing_cuts_a_watch_through_tls(pod: Pod) -> None:
    server, folder, environment = pod
    line = Lifeline()
    resources = Resources(find_cluster(environment=environment, service_account=folder), NAMESPACE, "", line)
    version = resources.page(500)["metadata"]["resourceVersion"]
    with pytest.raises(Trouble):
        for _ in resources.watch(version, 300, line.cut):
            pass
    resources.close()
    assert sum("watch=" in request.path for request in server.requests) == 1


def test_what_a_pod_lacks_is_told(pod: Pod) -> None:
    _, folder, environment = pod
    with pytest.raises(KubeconfigError, match="has no contexts, and context='lab'"):
        find_cluster(None, "lab", environment=environment, service_account=folder)
    with pytest.raises(KubeconfigError, match=r"cannot be used: its server 'https://127.0.0.1:99999' is none"):
        find_cluster(environment={**environment, "KUBERNETES_SERVICE_PORT": "99999"}, service_account=folder)
    (folder / "token").unlink()
    with pytest.raises(KubeconfigError, match="token missing in"):
        find_cluster(environment=environment, service_account=folder)


def test_the_errors_are_public() -> None:
    assert tp.KubeconfigError is KubeconfigError
    assert issubclass(tp.NotSyncedError, TimeoutError)
