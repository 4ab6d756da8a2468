"""What a person says of a discovery: checked before anything is done about it, and what it means."""

import os

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import own_resource_name
from tinypool_nb.discovery.kubeconfig import Cluster
from tinypool_nb.errors import OptionsError
from tinypool_nb.manifests import check_namespace


def check_arguments(
    *,
    kubeconfig: object,
    context: object,
    namespace: object,
    all_namespaces: object,
    label_selector: object,
    own_module: object,
    port_forward: object,
) -> None:
    """Let through what `pool.discover` can honour.

    Raises:
        OptionsError
    """
    if kubeconfig is not None and not isinstance(kubeconfig, str) and not _is_path(kubeconfig):
        raise OptionsError("kubeconfig", kubeconfig, "a path as text or a Path, or several as KUBECONFIG lists them")
    for option, text, rule in (
        ("context", context, "the name of one of the kubeconfig's contexts"),
        ("label_selector", label_selector, "text as 'tier=web,env!=test'"),
    ):
        if text is not None and not isinstance(text, str):
            raise OptionsError(option, text, rule)
    for option, flag in (("all_namespaces", all_namespaces), ("port_forward", port_forward)):
        if not isinstance(flag, bool):
            raise OptionsError(option, flag, "True or False")
    if all_namespaces and namespace is not None:
        raise OptionsError("namespace", namespace, "left out where all_namespaces=True")
    if namespace is not None and namespace != "":
        check_namespace(namespace)
    check_own_module(own_module)


def check_own_module(own_module: object) -> None:
    """Let through what names a module, or None.

    Raises:
        OptionsError
    """
    if own_module is not None and (not isinstance(own_module, str) or not own_resource_name(own_module)):
        raise OptionsError("own_module", own_module, "the name of the module that this runs in, with a letter or a digit; None for none")


def own_key(cluster: Cluster, namespace: str | None, own_module: str | None) -> ModuleKey | None:
    """The resource of the module that this runs in: in the pod's namespace; without one, in that which is meant.

    Args:
        cluster: where it is discovered.
        namespace: the one that was asked for, if one was.
        own_module: its name; None for none.
    """
    if own_module is None:
        return None
    return ModuleKey(cluster.pod_namespace or namespace or cluster.namespace, own_resource_name(own_module))


def _is_path(value: object) -> bool:
    return isinstance(value, os.PathLike) and isinstance(value.__fspath__(), str)
