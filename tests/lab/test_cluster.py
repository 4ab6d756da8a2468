"""The lab's API server: what modules do to their resources, and what can be done to the server. Its semantics: `tests/contract`."""

import base64
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tinypool_nb import manifests
from tinypool_nb.errors import LabError, ModuleNameError, OptionsError
from tinypool_nb.lab import Kubernetes, Lab, ServerState, actions
from tinypool_nb.lab.actions import Action
from tinypool_nb.lab.cluster.server import tls_context
from tinypool_nb.lab.cluster.tinymodule import SCHEMA

MODULES = "/apis/operator.tinysystems.io/v1alpha1/namespaces/tinysystems/tinymodules"


@pytest.fixture
def cluster() -> Iterator[Lab]:
    with Lab(kubernetes=True) as lab:
        yield lab


def connected(lab: Lab, timeout: float = 10.0) -> HTTPConnection:
    """A connection as the kubeconfig says."""
    told = json.loads(Path(lab.kubeconfig).read_text())["clusters"][0]["cluster"]
    host = told["server"].split("://")[1]
    if "certificate-authority-data" not in told:
        return HTTPConnection(host, timeout=timeout)
    roots = base64.b64decode(told["certificate-authority-data"]).decode()
    return HTTPSConnection(host, timeout=timeout, context=ssl.create_default_context(cadata=roots))


def token(lab: Lab) -> str:
    return str(json.loads(Path(lab.kubeconfig).read_text())["users"][0]["user"]["token"])


def ask(lab: Lab, path: str = MODULES, *, method: str = "GET", timeout: float = 10.0) -> tuple[int, Any, Any]:
    """Code, body and headers of an answer to the kubeconfig's user."""
    with closing(connected(lab, timeout)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {token(lab)}", "User-Agent": "test/1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers


def watching(lab: Lab, connection: HTTPConnection) -> Any:
    """A watch that is under way."""
    connection.request("GET", f"{MODULES}?watch=true&resourceVersion={lab.api.revision}", headers={"Authorization": f"Bearer {token(lab)}"})
    return connection.getresponse()


def addresses(lab: Lab) -> dict[str, str]:
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["status"]["addr"] for item in lab.resources.list()}


def test_a_module_has_a_resource_that_follows_it(cluster: Lab) -> None:
    module = cluster.start("http-module-v1")
    replicated = cluster.start("api-module-v1", replicas=2, namespace="staging")
    assert (module.namespace, replicated.namespace) == ("tinysystems", "staging")
    start = {"tinysystems/http-module-v1": module.address, "staging/api-module-v1": replicated.address}
    assert addresses(cluster) == start
    module.kill()
    assert addresses(cluster) == start, "whose module is dead"
    module.restart()
    module.move()
    replicated.replicas[1].move()
    assert addresses(cluster) == {"tinysystems/http-module-v1": module.address, "staging/api-module-v1": replicated.address} != start
    status = cluster.resources.get("http-module-v1")["status"]
    assert (status["name"], status["version"], [component["name"] for component in status["components"]]) == (
        "http-module-v1",
        "1.0.0",
        ["echo"],
    )
    module.remove()
    assert list(addresses(cluster)) == ["staging/api-module-v1"]
    assert (list(cluster), module.state) == (["api-module-v1"], ServerState.STOPPED)
    assert cluster.start("http-module-v1").address, "a name that is free again"


def test_a_resource_that_somebody_took_away_stays_away(cluster: Lab) -> None:
    module = cluster.start("http-module-v1")
    cluster.resources.delete("http-module-v1")
    module.move()
    assert cluster.resources.list() == []
    module.freeze()
    module.remove()
    assert module.state is ServerState.KILLED


def test_a_resource_that_is_there_before_its_module_is_told_the_address(cluster: Lab) -> None:
    made = cluster.resources.create("http-module-v1", labels={"tier": "web"})
    module = cluster.start("http-module-v1")
    told = cluster.resources.get("http-module-v1")
    assert (told["metadata"]["uid"], told["metadata"]["labels"]) == (made["metadata"]["uid"], {"tier": "web"})
    assert told["status"]["addr"] == module.address


def test_several_modules_start_with_their_resources(cluster: Lab) -> None:
    modules = cluster.start_all(["a", "b", "c"], namespace="staging")
    assert addresses(cluster) == {f"staging/{module.name}": module.address for module in modules}


def test_remove_works_without_an_api_server_too(lab: Lab) -> None:
    class Diary:
        heard: list[Action]

        def lab_acted(self, action: Action) -> None:
            self.heard.append(action)

    diary = Diary()
    module = lab.start("http-module-v1")
    diary.heard = []
    actions.listeners.add(diary)
    module.remove()
    assert (list(lab), module.state, module.namespace) == ([], ServerState.STOPPED, None)
    assert diary.heard == [Action("remove", "http-module-v1", module.address)]


def test_resources_are_made_changed_and_deleted_by_hand(cluster: Lab) -> None:
    resources = cluster.resources
    bare = resources.create("bare", labels={"tier": "web"})
    assert (bare["metadata"]["labels"], "status" in bare) == ({"tier": "web"}, False)
    made = resources.create("a", namespace="other", addr="", image="x", status={"sdkVersion": "9"})
    assert (made["status"]["addr"], made["status"]["sdkVersion"], made["spec"]) == ("", "9", {"image": "x"})
    assert [item["metadata"]["name"] for item in resources.list(label_selector="tier=web")] == ["bare"]
    assert [item["metadata"]["name"] for item in resources.list(namespace="other")] == ["a"]
    assert resources.patch("bare", {"metadata": {"labels": {"tier": None, "zone": "b"}}})["metadata"]["labels"] == {"zone": "b"}
    with pytest.raises(LabError, match=r"422 Invalid .* status.addr: Invalid value"):
        resources.patch_status("a", {"addr": 5}, namespace="other")
    assert resources.patch_status("a", {"addr": 5}, namespace="other", checked=False)["status"]["addr"] == 5
    with pytest.raises(LabError, match="409 AlreadyExists"):
        resources.create("bare")
    resources.delete("bare")
    with pytest.raises(LabError, match=r'404 NotFound .* "bare" not found'):
        resources.get("bare")
    assert repr(resources) == f"<Resources at {cluster.api.address}>"


def test_many_threads_write_at_once(cluster: Lab) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: cluster.resources.create(f"m{n}", addr=f"127.0.0.1:{n + 1}"), range(200)))
    versions = [int(item["metadata"]["resourceVersion"]) for item in cluster.resources.list()]
    assert len(set(versions)) == 200


def test_refusals(cluster: Lab) -> None:
    cluster.api.refuse(503, times=2, retry_after=3)
    for _ in range(2):
        code, body, headers = ask(cluster)
        assert (code, body["reason"], headers["Retry-After"], body["details"]) == (503, "ServiceUnavailable", "3", {"retryAfterSeconds": 3})
        assert cluster.resources.list() == [], "the lab itself is not refused"
    assert ask(cluster)[0] == 200
    cluster.api.refuse(410)
    assert [ask(cluster)[0] for _ in range(3)] == [410] * 3
    cluster.api.heal()
    assert ask(cluster)[0] == 200


def test_an_expired_token_and_lacking_rights(cluster: Lab) -> None:
    cluster.api.revoke_token()
    assert ask(cluster)[0] == 401
    cluster.api.heal()
    cluster.api.grant(["get", "list"], namespaces=["other", "tinysystems"])
    assert ask(cluster)[0] == 200
    code, body, _ = ask(cluster, "/apis/operator.tinysystems.io/v1alpha1/tinymodules")
    assert (code, body["message"].rpartition(" at ")[2]) == (403, "the cluster scope")
    assert 'cannot watch resource "tinymodules"' in ask(cluster, f"{MODULES}?watch=true")[1]["message"]
    cluster.api.heal()
    assert ask(cluster, "/apis/operator.tinysystems.io/v1alpha1/tinymodules")[0] == 200


def test_silence(cluster: Lab) -> None:
    with closing(connected(cluster)) as watched, closing(connected(cluster)) as asking:
        watch = watching(cluster, watched)
        cluster.api.silence()
        cluster.resources.create("unheard")
        asking.request("GET", MODULES, headers={"Authorization": f"Bearer {token(cluster)}"})
        while not [request for request in cluster.api.requests if request.code == 0]:
            time.sleep(0.01)  # until it has been read
        for connection, answer in ((watched, watch.readline), (asking, asking.getresponse)):
            connection.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                answer()
            connection.sock.settimeout(10)
        cluster.api.heal()
        assert asking.sock.recv(1) == b"", "it is hung up"
    assert ask(cluster)[0] == 200


@pytest.mark.parametrize("ending", ["clean", "reset", "mid line"])
def test_watches_that_are_dropped(cluster: Lab, ending: str) -> None:
    with closing(connected(cluster)) as connection:
        watch = watching(cluster, connection)
        cluster.resources.create("a")
        assert json.loads(watch.readline())["object"]["metadata"]["name"] == "a"
        cluster.api.drop_watches(ending=ending)
        if ending == "clean":
            assert watch.read() == b"", "a whole answer"
        else:
            left = watch.fp.read().split(b"\r\n")[1:]  # past the end of the chunk before
            assert ending == ("mid line" if left[1:] else "reset")
            assert not left[1:] or (left[1].startswith(b'{"type":') and not left[1].endswith(b"\n"))
    assert ask(cluster)[0] == 200


def test_a_watch_may_end_in_an_error_or_in_garbage(cluster: Lab) -> None:
    with closing(connected(cluster)) as connection:
        watch = watching(cluster, connection)
        cluster.api.drop_watches(ending="error", message="the storage is gone")
        told = json.loads(watch.read())
    assert (told["type"], told["object"]["code"], told["object"]["message"]) == ("ERROR", 500, "the storage is gone")
    with closing(connected(cluster)) as connection:
        watch = watching(cluster, connection)
        cluster.api.drop_watches(ending="garbage")
        assert watch.read().startswith(b"<html>")


def test_a_refusal_says_what_it_was_told_to(cluster: Lab) -> None:
    cluster.api.refuse(403, times=1, message="not today")
    assert ask(cluster)[1]["message"] == "not today"
    assert ask(cluster)[0] == 200


def test_a_restart_forgets_nothing_and_a_restore_forgets_the_last_writes(cluster: Lab) -> None:
    kept = cluster.resources.create("kept", addr="127.0.0.1:1")
    changed = cluster.resources.patch_status("kept", {"addr": "127.0.0.1:2"})
    lost = cluster.resources.create("lost")
    revision = cluster.api.revision
    cluster.api.kill()
    assert cluster.api.state is ServerState.KILLED
    cluster.api.restart()
    assert cluster.resources.list() == [changed, lost]
    assert cluster.api.revision == revision
    cluster.api.restart(lost=2)
    assert cluster.resources.list() == [kept]
    assert cluster.api.revision == revision - 2
    again = cluster.resources.create("lost")
    assert again["metadata"]["uid"] != lost["metadata"]["uid"]
    assert int(again["metadata"]["resourceVersion"]) < int(lost["metadata"]["resourceVersion"])


def test_what_was_being_written_when_the_server_died_was_never_answered(cluster: Lab) -> None:
    made = cluster.resources.create("a")
    cluster.api.kill()
    with cluster.api._journal.open("ab") as journal:
        journal.write(b'{"key":["tinysystems","torn"],"obj')
    cluster.api.restart()
    assert cluster.resources.list() == [made]
    cluster.resources.create("b")
    cluster.api.restart()
    assert [item["metadata"]["name"] for item in cluster.resources.list()] == ["a", "b"]


def test_requests_are_counted_without_what_is_secret(cluster: Lab) -> None:
    ask(cluster)
    ask(cluster, "/version?x=1")
    seen = [request for request in cluster.api.requests if request.agent == "test/1"]
    assert [(request.method, request.path, request.code) for request in seen] == [("GET", MODULES, 200), ("GET", "/version?x=1", 200)]
    assert seen[0].time <= seen[1].time <= time.time()
    assert token(cluster) not in repr(cluster.api.requests)


def test_verbs_are_those_of_a_module_and_are_announced(cluster: Lab) -> None:
    class Diary:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def lab_acted(self, action: Action) -> None:
            assert (action.name, action.address) == ("lab-api", cluster.api.address)
            self.heard.append(action.verb)

    diary = Diary()
    actions.listeners.add(diary)
    assert repr(cluster.api) == f"<Api lab-api: serving at {cluster.api.address}, pid {cluster.api.pid}>"
    assert repr(cluster).startswith("<Lab lab-api: serving at")
    cluster.api.freeze()
    with pytest.raises(LabError, match=r"the lab's API server is frozen; thaw\(\) it first"):
        cluster.api.compact()
    with pytest.raises(LabError, match="so no resource can be made"):
        cluster.start("http-module-v1")
    cluster.api.thaw()
    cluster.api.compact()
    cluster.api.stop()
    assert cluster.api.state is ServerState.STOPPED
    with pytest.raises(LabError, match="which is stopped, does not answer"):
        cluster.resources.list()
    cluster.api.restart()
    cluster.api.drop_watches()
    assert diary.heard == ["freeze", "thaw", "compact", "stop", "restart", "drop"]


@pytest.mark.parametrize(
    "act",
    [
        lambda lab: lab.api.refuse(418),
        lambda lab: lab.api.refuse(times=0),
        lambda lab: lab.api.refuse(retry_after=0.5),
        lambda lab: lab.api.refuse(message=7),
        lambda lab: lab.api.drop_watches(ending="softly"),
        lambda lab: lab.api.drop_watches(message=7),
        lambda lab: lab.api.restart(lost=-1),
        lambda _: Lab(kubernetes="yes"),  # type: ignore[arg-type]
        lambda _: Kubernetes(bookmark_every=0),
        lambda _: Kubernetes(port=70_000),
        lambda _: Kubernetes(cluster_names="yes"),  # type: ignore[arg-type]
    ],
)
def test_bad_settings_are_refused_at_the_door(cluster: Lab, act: Callable[[Lab], object]) -> None:
    with pytest.raises(OptionsError):
        act(cluster)


@pytest.mark.parametrize("name", ["HTTP", "a_b", "<b>", "-"])
def test_a_name_that_no_resource_may_have_starts_nothing(cluster: Lab, name: str) -> None:
    with pytest.raises(ModuleNameError, match="resource's name"):
        cluster.start(name)
    with pytest.raises(ModuleNameError):
        cluster.start("a", namespace=name)
    assert not list(cluster)


def test_a_lab_without_an_api_server_says_so(lab: Lab) -> None:
    for thing in ("api", "resources", "kubeconfig"):
        with pytest.raises(LabError, match=r"no API server; tp.Lab\(kubernetes=True\) has one"):
            getattr(lab, thing)
    with pytest.raises(OptionsError, match="namespace='staging'"):
        lab.start("a", namespace="staging")


def test_it_can_serve_without_tls_at_a_port_of_ones_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"'lab-api' did not start: port {port} of 127.0.0.1"):
            Lab(kubernetes=Kubernetes(port=port))
    with Lab(kubernetes=Kubernetes(tls=False, namespace="own", port=port)) as lab:
        assert (lab.api.url, lab.api.tls) == (f"http://127.0.0.1:{port}", None)
        assert lab.start("a").namespace == "own"
        assert ask(lab, MODULES.replace("tinysystems/", "own/"))[0] == 200


def test_a_client_that_never_shakes_hands_holds_up_nobody(cluster: Lab) -> None:
    with (
        socket.create_connection(("127.0.0.1", cluster.api.port)) as rude,
        socket.create_connection(("127.0.0.1", cluster.api.port)) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert ask(cluster)[0] == 200
        rude.close()


def test_bookmarks_come_as_often_as_one_likes() -> None:
    with Lab(kubernetes=Kubernetes(bookmark_every=0.05)) as lab, closing(connected(lab)) as connection:
        path = f"{MODULES}?watch=true&allowWatchBookmarks=true&timeoutSeconds=20"
        connection.request("GET", path, headers={"Authorization": f"Bearer {token(lab)}"})
        answer = connection.getresponse()
        assert [json.loads(answer.readline())["type"] for _ in range(3)] == ["BOOKMARK"] * 3


def test_secrets_stand_in_the_kubeconfig_alone_and_only_its_owner_can_read_it(cluster: Lab) -> None:
    cluster.start("secure", tls="mutual")
    path = Path(cluster.kubeconfig)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "journal",
        "journal.pods",
        "journal.services",
        "kubeconfig",
        "names.json",
    ]
    operators = cluster.resources._token
    for process in psutil.Process().children(recursive=True):
        told = " ".join([*process.cmdline(), *process.environ().values()])
        for secret in (token(cluster), operators, "PRIVATE"):
            assert secret not in told
            for file in process.open_files():
                assert secret.encode() not in Path(file.path).read_bytes()
    for thing in (cluster, cluster.api, cluster.resources, cluster.api.tls, vars(cluster)):
        assert token(cluster) not in repr(thing)
        assert operators not in repr(thing)
    assert operators not in path.read_text()
    with pytest.raises(LabError) as raised:
        cluster.resources.get("nobody")
    assert operators not in str(raised.value)


def test_a_key_is_read_from_a_pipe_and_no_pipe_is_left(lab: Lab) -> None:
    from tinypool_nb.lab.certificates import TlsMode

    before = psutil.Process().num_fds()
    assert isinstance(tls_context(lab._certificates.server(TlsMode.SERVER)), ssl.SSLContext)
    assert psutil.Process().num_fds() == before


def test_files_go_with_the_lab(cluster: Lab) -> None:
    folder = Path(cluster.kubeconfig).parent
    cluster.close()
    assert not folder.exists()
    cluster.close()
    assert repr(cluster).startswith("<Lab closed; lab-api: killed")


def test_files_go_with_a_lab_that_nobody_holds() -> None:
    lab = Lab(kubernetes=True)
    lab.start("http-module-v1")
    folder = Path(lab.kubeconfig).parent
    del lab
    assert not folder.exists(), "without a collection: nothing of it is a cycle"


def test_files_and_processes_go_with_a_kernel_that_is_killed(gone: Callable[..., bool]) -> None:
    code = "from tinypool_nb.lab import Lab; lab = Lab(kubernetes=True); print(lab.kubeconfig, lab.api.pid, flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as kernel:
        assert kernel.stdout is not None
        path, pid = kernel.stdout.readline().split()
        assert Path(path).exists()
        guard = psutil.Process(int(pid)).ppid()
        kernel.kill()
    assert gone([int(pid), guard])
    assert not Path(path).parent.exists()


def test_a_fork_that_ends_leaves_the_files_alone() -> None:
    code = """
import os, sys
from pathlib import Path
from tinypool_nb.lab import Lab
with Lab(kubernetes=True) as lab:
    child = os.fork()
    if not child:
        del lab
        sys.exit()
    os.waitpid(child, 0)
    print(Path(lab.kubeconfig).exists(), lab.resources.list())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


def test_a_lab_without_an_api_server_loads_nothing_of_it() -> None:
    code = """
import sys
from tinypool_nb.lab import Lab
with Lab() as lab:
    lab.start("plain")
    print([name for name in sys.modules if name in {"ssl", "http.client", "http.server", "trustme"}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_schema_is_that_of_the_manifest() -> None:
    (version,) = yaml.safe_load(manifests.definition())["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"] == SCHEMA
    assert version["subresources"] == {"status": {}}
