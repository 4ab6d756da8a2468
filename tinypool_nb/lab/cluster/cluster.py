"""A lab's cluster as a whole: the API server, its data, its kubeconfig, and the resources of the lab's modules."""

import base64
import json
import os
import secrets
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import LabError, ModuleNameError
from tinypool_nb.lab.certificates import Certificates, TlsMode
from tinypool_nb.lab.cluster.access import USER
from tinypool_nb.lab.cluster.api import NAME, Api, ApiServer
from tinypool_nb.lab.cluster.behind import Behind, Names
from tinypool_nb.lab.cluster.objects import RULE_OF_NAMES, is_name
from tinypool_nb.lab.cluster.resources import NotFoundError, Resources, complete_status
from tinypool_nb.lab.cluster.settings import ApiSecrets, ApiSettings, Kubernetes
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.processes import Processes
from tinypool_nb.lab.servers import ServerState, started


class Cluster:
    """What `tp.Lab(kubernetes=True)` has beside modules.

    Its files lie in a temporary folder that only this user can read; the guard removes it when the lab or this process ends.

    Args:
        processes: the lab's.
        ports: the lab's.
        options: how it is to be.
        certificates: the lab's authority, for https.
    """

    def __init__(self, processes: Processes, ports: Ports, options: Kubernetes, certificates: Certificates | None) -> None:
        self.namespace = options.namespace
        self._cluster_names = options.cluster_names
        folder = Path(tempfile.mkdtemp(prefix="tinypool-lab-"))
        processes.remove_at_end(folder)
        self.names = Names(folder / "names.json")
        """Where each cluster-only address leads, for proxies of the lab."""
        identity, tls, roots = None, None, None
        if certificates is not None:
            identity, tls = certificates.server(TlsMode.SERVER), certificates.client(TlsMode.SERVER, server_name=None)
            roots = _text(tls)
        told = ApiSecrets(token=secrets.token_urlsafe(32), operator_token=secrets.token_urlsafe(32), identity=identity)
        settings = ApiSettings(
            name=NAME,
            journal=str(folder / "journal"),
            bookmark_every=options.bookmark_every,
            ports=ports.draw() if options.port is None else (options.port,),
        )
        server = ApiServer(processes, settings, told)
        started([server])
        self.api = Api(server, ports, journal=folder / "journal", tls=tls)
        ports.taken.add(self.api.port)
        self.resources = Resources(self.api, told.operator_token, roots, options.namespace)
        self.kubeconfig = folder / "kubeconfig"
        _write(self.kubeconfig, kubeconfig(self.api.url, token=told.token, roots=roots, namespace=options.namespace))
        self._close = weakref.finalize(self, _close, self.resources, folder, os.getpid())

    def check(self, name: str, namespace: str | None) -> None:
        """Let a module through that can have a resource now.

        Raises:
            ModuleNameError: its name, or that of the namespace, can be no resource's.
            LabError: the API server does not run.
        """
        for wanted in (name, namespace or self.namespace):
            if not is_name(wanted):
                raise ModuleNameError(wanted, f"in a lab with kubernetes=True it is a resource's name: {RULE_OF_NAMES}")
        if self.api.state is not ServerState.SERVING:
            raise LabError(f"the lab's API server is {self.api.state}, so no resource can be made; lab.api.restart() starts it anew")

    def publication(self, name: str, namespace: str | None) -> "Publication":
        """What makes and keeps the resource of a module."""
        namespace = namespace or self.namespace
        behind = Behind(self.resources, name, namespace, self.names)
        return Publication(self.resources, name, namespace, behind, cluster_names=self._cluster_names)

    def close(self) -> None:
        """Close the connection and remove the files; the processes end with the lab."""
        self._close()


class Publication:
    """The resource of one module of the lab, with the service and the pods behind it."""

    def __init__(self, resources: Resources, name: str, namespace: str, behind: Behind, *, cluster_names: bool) -> None:
        self._resources = resources
        self._name = name
        self.namespace = namespace
        self._behind = behind
        self._cluster_names = cluster_names

    def publish(self, address: str) -> None:
        """Say where the module is; make the resource, if nobody did yet."""
        self._resources.create_namespace(self.namespace)
        self._behind.put(address)
        if not self._tell(address):
            self._resources.create(self._name, namespace=self.namespace, addr=self._told(address))

    def move(self, address: str) -> None:
        """Say where it is now; a resource that somebody took away stays away."""
        self._behind.put(address)
        self._tell(address)

    def remove(self) -> None:
        """Take it away; quiet if somebody did already."""
        with suppress(NotFoundError):
            self._resources.delete(self._name, namespace=self.namespace)
        self._behind.remove()

    def _told(self, address: str) -> str:
        """What the resource says: where it is, or what a cluster calls it."""
        return self._behind.address if self._cluster_names else address

    def _tell(self, address: str) -> bool:
        """Whether there is a resource to tell."""
        try:
            self._resources.patch_status(self._name, complete_status(self._name, {"addr": self._told(address)}), namespace=self.namespace)
        except NotFoundError:
            return False
        return True


def kubeconfig(url: str, *, token: str, roots: str | None, namespace: str) -> dict[str, Any]:
    """What the official client and kubectl read; as JSON, which is YAML too.

    Source: Kubernetes, "Organizing Cluster Access Using kubeconfig Files".
    """
    trust = {} if roots is None else {"certificate-authority-data": base64.b64encode(roots.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tinypool-lab", "cluster": {"server": url, **trust}}],
        "users": [{"name": USER, "user": {"token": token}}],
        "contexts": [{"name": "tinypool-lab", "context": {"cluster": "tinypool-lab", "user": USER, "namespace": namespace}}],
        "current-context": "tinypool-lab",
    }


def _write(path: Path, content: object) -> None:
    """Write a file that nobody else can read, not even while it is being written."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)


def _text(tls: Tls) -> str:
    assert isinstance(tls.roots, bytes)
    return tls.roots.decode()


def _close(resources: Resources, folder: Path, made_in: int) -> None:
    if made_in == os.getpid():  # else in a fork: the files are the parent's
        resources.close()
        shutil.rmtree(folder, ignore_errors=True)
