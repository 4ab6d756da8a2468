"""The yaml that a cluster needs: the TinyModule resource, the rights to read it, and a proxy that leads to modules from outside.

    tinypool-nb doctor --print-rbac --namespace staging | kubectl apply -f -

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" and "Using RBAC Authorization".
"""

import re
from importlib.resources import files

from tinypool_nb.errors import OptionsError

NAMESPACE = "tinysystems"
"""The namespace that stands in the files."""
_LAST_RULE = "    verbs: [get, list, watch]\n"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def definition() -> str:
    """The definition of the TinyModule resource.

    >>> print(definition().splitlines()[2])
    kind: CustomResourceDefinition
    """
    return _read("tinymodules")


def rbac(namespace: str = NAMESPACE, *, all_namespaces: bool = False, port_forward: bool = False) -> str:
    """The rights that discovery needs, with a service account that has them.

    >>> print(rbac("staging").splitlines()[5].strip())
    namespace: staging

    Args:
        namespace: of the service account, and of the role if it is one.
        all_namespaces: a ClusterRole, for discovery in all namespaces; else a Role.
        port_forward: with the rights that `pool.discover(port_forward=True)` needs besides.

    Raises:
        OptionsError: that is no namespace.
    """
    text = _named(_read("rbac-cluster" if all_namespaces else "rbac-namespace"), namespace)
    return text.replace(_LAST_RULE, f"{_LAST_RULE}{_read('rules-port-forward')}") if port_forward else text


def proxy(namespace: str = NAMESPACE) -> str:
    """An HTTP CONNECT proxy for the cluster, to be reached by `kubectl port-forward`.

    >>> print(proxy("staging").count("namespace: staging"))
    2

    Args:
        namespace: where it runs; it leads to all of them.

    Raises:
        OptionsError: that is no namespace.
    """
    return _named(_read("connect-proxy"), namespace)


def check_namespace(namespace: object) -> None:
    """Let a namespace through that a cluster can have.

    Raises:
        OptionsError: that is none.
    """
    if not isinstance(namespace, str) or not _LABEL.fullmatch(namespace):
        raise OptionsError("namespace", namespace, "at most 63 lower case letters, digits and hyphens, no hyphen at the ends")


def _named(text: str, namespace: str) -> str:
    check_namespace(namespace)
    return text.replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}").replace(
        f"--namespace {NAMESPACE}", f"--namespace {namespace}"
    )


def _read(name: str) -> str:
    return files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
