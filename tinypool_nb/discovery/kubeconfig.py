"""Which cluster, as whom, and which namespace: by the order in which kubectl looks, and without a word on stdout.

What goes wrong is told in words of ours: those of the client may quote a user's whole entry, token included.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tinypool_nb.errors import KubeconfigError, shown

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the cluster's certificate and its namespace."""
DEFAULT = Path("~/.kube/config")
SHORTEST_SECRET = 4
"""Characters; to blot out shorter ones would blot out words."""


class Cluster:
    """A way to one API server, by a client of its own. Its repr tells where to and from which file, never as whom.

    Args:
        api: nobody else's.
        namespace: the context's.
        source: where the configuration was found, in words.
        renew: makes another one from the same place.
        pod_namespace: that of the pod whose account this is; None for a kubeconfig's.
    """

    def __init__(
        self, api: "ApiClient", namespace: str, source: str, renew: Callable[[], "Cluster"], *, pod_namespace: str | None = None
    ) -> None:
        self.api = api
        self.namespace = namespace
        self.pod_namespace = pod_namespace
        self.source = source
        self.renew = renew
        """Reads the same context of the same files again: whoever logs in anew changes them."""
        self.server = without_user(api.configuration.host)
        """Its URL."""

    def conceal(self, text: str) -> str:
        """A foreign text without this client's secrets, should the server have sent them back."""
        for secret in self._secrets():
            text = text.replace(secret, "…")
        return text

    def close(self) -> None:
        """Close its connections."""
        self.api.rest_client.pool_manager.clear()
        self.api.close()

    def _secrets(self) -> list[str]:
        configuration = self.api.configuration
        urls = configuration.host, configuration.proxy
        values = [*configuration.api_key.values(), configuration.password, *(each for url in urls for each in _passwords(url or ""))]
        secrets = [part for value in values if isinstance(value, str) for part in value.split()]
        return sorted({each for each in secrets if len(each) >= SHORTEST_SECRET and each.lower() not in {"bearer", "basic"}}, key=len)[::-1]

    def __repr__(self) -> str:
        return f"<Cluster {self.server} by {self.source}>"


def find_cluster(
    kubeconfig: str | os.PathLike[str] | None = None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Cluster:
    """The cluster to discover in: of `kubeconfig`, else of KUBECONFIG as it is now, else of ~/.kube/config, else the one that this runs in.

    Args:
        kubeconfig: a file, or several as KUBECONFIG lists them.
        context: one of its contexts; None for the current one.
        environment: None for this process's own.
        service_account: the folder of the pod's own account.

    Raises:
        KubeconfigError: there is none, or it cannot be used; with what was tried.
    """
    told = dict(os.environ) if environment is None else environment  # a copy: it is read again when the token has expired
    if kubeconfig is not None:
        return _from_files(os.fspath(kubeconfig), context, "kubeconfig=")
    if told.get("KUBECONFIG"):
        return _from_files(told["KUBECONFIG"], context, "KUBECONFIG=")
    if DEFAULT.expanduser().exists():
        return _from_files(str(DEFAULT), context, "the default ")
    if told.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(told, service_account, context)
    raise KubeconfigError(
        "there is no configuration of a cluster: KUBECONFIG is not set, ~/.kube/config is not there, and this runs in no pod "
        "(KUBERNETES_SERVICE_HOST is not set); say pool.discover(kubeconfig=path)"
    )


def _from_anywhere(paths: str) -> str:
    """The same files wherever this process goes: they are read again when the token has expired."""
    home = map(os.path.expanduser, filter(None, paths.split(os.pathsep)))  # which, unlike Path's, lets stand whom it does not know
    return os.pathsep.join(str(Path(path).absolute()) for path in home)


def _from_files(paths: str, context: str | None, said: str) -> Cluster:
    from kubernetes import client

    from tinypool_nb.discovery.plugins import Loader

    paths = _from_anywhere(paths)
    source = f"{said}{shown(paths, most=200)}"
    if not any(Path(path).exists() for path in paths.split(os.pathsep) if path):
        raise KubeconfigError(f"{source}: no such file")
    merger, name, namespace = _context(paths, context, source)
    configuration = _patient(type.__call__(client.Configuration))  # else a process-wide default, token included, would be its beginning
    denied = f"{source}, context {shown(name)}, gives no access to a cluster"
    try:
        # A token that is refreshed goes back into its file, as with kubectl: the old one may be worth nothing any more.
        loader = Loader(config_dict=merger.config, active_context=name, config_base_path=None, config_persister=merger.save_changes)
        loader.load_and_set(configuration)
        _check_server(configuration.host)
        api = client.ApiClient(configuration)
    except KubeconfigError as error:
        raise KubeconfigError(f"{denied}: {error}") from None
    except Exception as error:  # noqa: BLE001 a file can be wrong in any way, and its error may quote it
        raise KubeconfigError(f"{denied}: {_harmless(error)}") from None
    return Cluster(api, namespace, f"context {shown(name)} of {source}", lambda: _from_files(paths, name, said))


def _context(paths: str, context: str | None, source: str) -> tuple[Any, str, str]:
    """The files as one, and the name and the namespace of the context that is meant."""
    from kubernetes.config.kube_config import KubeConfigMerger

    try:
        merger = KubeConfigMerger(paths)
        merged = merger.config.value
        namespaces = {str(each["name"]): each["context"].safe_get("namespace") for each in merged["contexts"]}
    except Exception as error:  # noqa: BLE001 as in `_from_files`
        raise KubeconfigError(f"{source} cannot be read: {_harmless(error)}") from None
    name = merged.get("current-context") if context is None else context
    if name in namespaces:
        return merger, name, str(namespaces[name] or "default")
    what = "names no current context" if not name else f"has no context {shown(name)}"
    raise KubeconfigError(f"{source} {what}; it has {', '.join(map(shown, namespaces)) or 'none'}")


def _in_cluster(told: Mapping[str, str], service_account: Path, context: str | None) -> Cluster:
    from kubernetes import client
    from kubernetes.config.incluster_config import InClusterConfigLoader

    source = "the pod's service account"
    if context is not None:
        raise KubeconfigError(f"{source} has no contexts, and context={shown(context)} was asked for")
    token, certificate = service_account / "token", service_account / "ca.crt"
    configuration = _patient(type.__call__(client.Configuration))
    try:
        InClusterConfigLoader(token_filename=str(token), cert_filename=str(certificate), environ=told).load_and_set(configuration)
        told_namespace = service_account / "namespace"
        namespace = told_namespace.read_text().strip() if told_namespace.exists() else "default"
        _check_server(configuration.host)
        api = client.ApiClient(configuration)
        return Cluster(api, namespace, source, lambda: _in_cluster(told, service_account, None), pod_namespace=namespace)
    except KubeconfigError as error:
        raise KubeconfigError(f"{source} cannot be used: {error}") from None
    except Exception as error:  # noqa: BLE001 as in `_from_files`
        missing = [path.name for path in (token, certificate) if not path.is_file()]
        why = f"{', '.join(missing)} missing in {service_account}" if missing else _harmless(error)
        raise KubeconfigError(f"{source} cannot be used: {why}") from None


def _patient(configuration: Any) -> Any:
    """The reflector alone decides when to try again: neither urllib3 nor the client may do so behind its back."""
    configuration.retries = False
    if hasattr(configuration, "client_go_retries"):
        configuration.client_go_retries = False
    return configuration


def _check_server(url: str) -> None:
    """Let through what the client can dial: its own error would quote all of it, a password too.

    Raises:
        KubeconfigError
    """
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
        behind = f"{parts.path}{parts.query}{parts.fragment}"
        is_url = parts.scheme in {"http", "https"} and urlsplit(url).hostname and "@" not in behind  # else a password reached into the path
    except ValueError:
        is_url = False
    if not is_url:
        server = "its server (not shown, since a password may stand in it)" if "@" in url else f"its server {shown(url)}"
        raise KubeconfigError(f"{server} is none: it is to be https:// or http://, a host, and perhaps a port up to 65535")


def _harmless(error: Exception) -> str:
    """What may be told of an error about a file that holds secrets: its kind, and where."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"no YAML, line {mark.line + 1}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"an entry is missing or malformed ({type(error).__name__})"


def without_user(url: str) -> str:
    """A URL without the name and the password that may stand in it.

    >>> without_user("http://ada:secret@127.0.0.1:3128")
    'http://127.0.0.1:3128'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _passwords(url: str) -> Iterator[str]:
    """What must not be told of the one who may be named in a URL, as it is written there and as it is meant.

    >>> list(_passwords("https://ada:s%2Fcret@127.0.0.1")), list(_passwords("https://t0ken@127.0.0.1")), list(_passwords("https://127.0.0.1"))
    (['ada:s%2Fcret', 's%2Fcret', 's/cret'], ['t0ken', 't0ken', 't0ken'], [])
    """
    user, _, _ = urlsplit(url).netloc.rpartition("@")
    if user:
        password = user.partition(":")[2] or user
        yield from (user, password, unquote(password))
