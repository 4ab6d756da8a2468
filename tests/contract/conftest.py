"""One API server after the other, behind one small interface: the lab's, and a real kube-apiserver or anybody's cluster.

The real one is started here: etcd and kube-apiserver are looked for on the PATH and in the folder `TINYPOOL_TEST_APISERVER`. In place of
it `TINYPOOL_TEST_KUBECONFIG` names the kubeconfig of a cluster in which namespaces may be made; what would break that one is skipped.
"""

import json
import os
import random
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.request import urlopen

import pytest
import trustme
import urllib3
import yaml

from tinypool_nb import manifests
from tinypool_nb.lab import Kubernetes, Lab
from tinypool_nb.lab.cluster.cluster import kubeconfig
from tinypool_nb.lab.ports import PORTS
from tinypool_nb.lab.processes import Process, Processes

STARTING = 60.0
"""Seconds that the real server gets to be ready; it takes about five."""
ENDING = 90.0
"""Seconds that it gets to end: a graceful stop lets a request go on for a minute whose answer nobody takes."""
RUN = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
"""What the lab's guard runs, so that it becomes the parent of a program that is not ours, and ends it with the tests."""


class Server(Protocol):
    """What a test can do to an API server, whichever it is."""

    kubeconfig: str

    def kill9(self) -> None: ...
    def restart(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def compact(self) -> None:
        """Afterwards versions from before are answered 410; watches under way may end."""

    def stop(self) -> None: ...


class LabServer:
    """The lab's."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.kubeconfig = lab.kubeconfig
        self.kill9 = lab.api.kill
        self.restart = lab.api.restart
        self.freeze = lab.api.freeze
        self.thaw = lab.api.thaw
        self.compact = lab.api.compact
        self.stop = lab.api.stop


class ForeignServer:
    """A cluster that somebody named. Nobody breaks it."""

    def __init__(self, path: str) -> None:
        self.kubeconfig = path
        self.kill9 = self.restart = self.freeze = self.thaw = self.compact = self.stop = self._spare

    @staticmethod
    def _spare() -> None:
        pytest.skip("this cluster is not ours to break")


class RealServer:
    """A kube-apiserver and its etcd on loopback, with a token and a certificate of its own."""

    def __init__(self, folder: Path, api_server: str, etcd: str) -> None:
        self._processes = Processes()
        self._folder = folder
        self._api_server = api_server
        self._port, client, peer = random.sample(PORTS, 3)
        self._etcd_url = f"http://127.0.0.1:{client}"
        self._token = secrets.token_urlsafe(32)
        authority = trustme.CA()
        self._roots = authority.cert_pem.bytes().decode()
        for path, content in {
            "tls.pem": (issued := authority.issue_cert("127.0.0.1", "localhost")).cert_chain_pems[0].bytes(),
            "tls.key": issued.private_key_pem.bytes(),
            "accounts.key": authority.issue_cert("accounts.example").private_key_pem.bytes(),
            "tokens.csv": f"{self._token},admin,admin,system:masters\n".encode(),
            "kubeconfig": json.dumps(
                kubeconfig(f"https://127.0.0.1:{self._port}", token=self._token, roots=self._roots, namespace="default")
            ).encode(),
        }.items():
            (folder / path).write_bytes(content)
        self.kubeconfig = str(folder / "kubeconfig")
        peer_url = f"http://127.0.0.1:{peer}"
        self._run(
            etcd,
            data_dir=folder / "etcd",
            listen_client_urls=self._etcd_url,
            advertise_client_urls=self._etcd_url,
            listen_peer_urls=peer_url,
            initial_advertise_peer_urls=peer_url,
            initial_cluster=f"default={peer_url}",
        )
        self._process = self._start()
        self._define()

    def _run(self, program: str, **options: object) -> Process:
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        return self._processes.start("-c", RUN, program, *flags)

    def _start(self) -> Process:
        process = self._run(
            self._api_server,
            etcd_servers=self._etcd_url,
            bind_address="127.0.0.1",
            advertise_address="127.0.0.1",
            secure_port=self._port,
            tls_cert_file=self._folder / "tls.pem",
            tls_private_key_file=self._folder / "tls.key",
            service_cluster_ip_range="10.96.0.0/24",
            service_account_issuer="https://kubernetes.default.svc",
            service_account_key_file=self._folder / "accounts.key",
            service_account_signing_key_file=self._folder / "accounts.key",
            token_auth_file=self._folder / "tokens.csv",
            authorization_mode="RBAC",
            disable_admission_plugins="ServiceAccount",
            endpoint_reconciler_type="none",
        )
        deadline = time.monotonic() + STARTING
        while self._ask("GET", "/readyz") != 200:
            assert process.exit is None, process.last_words
            assert time.monotonic() < deadline, "kube-apiserver is not ready"
            time.sleep(0.1)
        return process

    def _ask(self, method: str, path: str, body: object = None) -> int:
        """The status; 0 if nobody answers."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            with urllib3.PoolManager(ca_cert_data=self._roots, retries=False, timeout=urllib3.Timeout(5)) as pool:
                answer = pool.request(
                    method, f"https://127.0.0.1:{self._port}{path}", headers=headers, body=None if body is None else json.dumps(body)
                )
                return int(answer.status)
        except urllib3.exceptions.HTTPError:
            return 0

    def _define(self) -> None:
        """Apply our own definition of the resource, and wait until it is served."""
        definition = yaml.safe_load(manifests.definition())
        assert self._ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition) == 201
        deadline = time.monotonic() + STARTING
        while self._ask("GET", "/apis/operator.tinysystems.io/v1alpha1/tinymodules") != 200:
            assert time.monotonic() < deadline, "TinyModules are not served"
            time.sleep(0.1)

    def _end(self, signal: Any) -> None:
        self._processes.signal(self._process, "SIGCONT")
        self._processes.signal(self._process, signal)
        assert self._processes.wait(lambda: self._process.exit is not None, ENDING)

    def kill9(self) -> None:
        self._end("SIGKILL")

    def stop(self) -> None:
        self._end("SIGTERM")

    def restart(self) -> None:
        if self._process.exit is None:
            self.kill9()
        self._process = self._start()

    def freeze(self) -> None:
        self._processes.signal(self._process, "SIGSTOP")
        assert self._processes.wait(lambda: self._process.frozen, STARTING)

    def thaw(self) -> None:
        self._processes.signal(self._process, "SIGCONT")
        assert self._processes.wait(lambda: not self._process.frozen, STARTING)

    def compact(self) -> None:
        """Compact etcd; and start the API server anew, whose watch cache would remember more than etcd."""
        revision = self._etcd("range", key="AA==")["header"]["revision"]
        self._etcd("compaction", revision=revision, physical=True)
        self.restart()

    def _etcd(self, verb: str, **request: object) -> Any:
        with urlopen(f"{self._etcd_url}/v3/kv/{verb}", json.dumps(request).encode(), timeout=10) as answer:
            return json.load(answer)

    def close(self) -> None:
        self._processes.close()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real API server; without one the test is skipped, but in CI it fails."""
    if foreign := os.environ.get("TINYPOOL_TEST_KUBECONFIG"):
        yield ForeignServer(foreign)
        return
    path = os.pathsep.join(filter(None, (os.environ.get("TINYPOOL_TEST_APISERVER"), os.environ.get("PATH"))))
    found = [shutil.which(program, path=path) for program in ("kube-apiserver", "etcd")]
    if not all(found):
        message = "there is no kube-apiserver or no etcd, and TINYPOOL_TEST_KUBECONFIG names no cluster"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    server = RealServer(tmp_path_factory.mktemp("apiserver"), *map(str, found))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session", params=["lab", pytest.param("real", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn; the tests on one of them come together."""
    if request.param == "lab":
        with Lab(kubernetes=Kubernetes()) as lab:
            yield LabServer(lab)
    else:
        yield request.getfixturevalue("real_server")
