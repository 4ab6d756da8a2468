"""Looks at a cluster once, step by step, as discovery would use it: does it answer, is TinyModule defined there, may we, what is there."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from urllib3 import ProxyManager

from tinypool_nb.core.discovering import Known, observe
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.reflecting import Came
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.core.tinymodules import GROUP, PLURAL, VERSION, decode
from tinypool_nb.discovery.arguments import own_key
from tinypool_nb.discovery.kubeconfig import Cluster, without_user
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.resources import Resources, Timeouts, Trouble, refusal

VERBS = ("list", "watch")
"""What discovery does."""
PAGE = 500
PATIENCE = Timeouts(connect=5.0, answer=15.0, silence=15.0)
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
"""Of the environment, in small letters or capitals."""


class Finding(NamedTuple):
    """What one step found."""

    is_well: bool | None
    """None: it could not be found out, or is neither good nor bad."""
    text: str
    remedy: str = ""
    grant: str = ""
    """The Role that the remedy speaks of, as YAML."""


@dataclass(slots=True)
class Checked:
    """What was found, as far as it went."""

    server: str
    source: str
    """Where the configuration was found, in words."""
    namespace: str | None
    """None for all."""
    findings: list[Finding] = field(default_factory=list)
    modules: list[Known] = field(default_factory=list)
    """What would become of each resource, in the order of the list."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong with the way to the cluster."""
        return all(finding.is_well is not False for finding in self.findings)


def check(
    cluster: Cluster, namespace: str | None, *, own_module: str | None = None, clock: Callable[[], float] = time.monotonic
) -> Checked:
    """Look, and change nothing. It takes some seconds at the most where nobody answers.

    Args:
        cluster: taken over, and closed.
        namespace: None for all.
        own_module: the name of the module that this runs in; None for none.
        clock: seconds.
    """
    checked = Checked(cluster.server, cluster.source, namespace)
    steps = _Steps(cluster, checked, own_key(cluster, namespace, own_module), clock)
    try:
        for step in (steps.answers, steps.is_defined, steps.may, steps.look):
            if not step():
                break
    finally:
        steps.close()
    return checked


class _LetIn(Exception):  # noqa: N818 it ends a watch of which no more is asked
    """The API server lets it watch."""


class _Steps:
    """Each says whether there is a point in going on."""

    def __init__(self, cluster: Cluster, checked: Checked, own: ModuleKey | None, clock: Callable[[], float]) -> None:
        from kubernetes.client import CustomObjectsApi, VersionApi

        self._checked, self._own, self._clock = checked, own, clock
        self._may_watch: bool | None = None  # as it is told; None: not yet
        self._resources = Resources(cluster, checked.namespace, "", Lifeline(), timeouts=PATIENCE)
        self._objects, self._version = CustomObjectsApi(cluster.api), VersionApi(cluster.api)

    def close(self) -> None:
        self._resources.close()

    def answers(self) -> bool:
        began = self._clock()
        try:
            told = self._asked(self._version.get_code)
        except Trouble as trouble:
            if trouble.status:  # somebody is there, who tells strangers nothing
                return self._found(None, f"it answers, but does not tell its version ({trouble.status}: {trouble.reason})")
            return self._found(
                False,
                f"it does not answer: {trouble.reason}",
                "Is the cluster up, and are you in its network? kubectl cluster-info asks the same.",
                go_on=False,
            )
        return self._found(
            True, f"it answers: Kubernetes {told.get('gitVersion', 'of no version')}, in {(self._clock() - began) * 1e3:.0f} ms"
        )

    def is_defined(self) -> bool:
        try:
            told = self._asked(self._objects.get_api_resources, GROUP, VERSION)
        except Trouble as trouble:
            return self._is_not_defined() if trouble.status == 404 else self._not_known("whether TinyModule is defined there", trouble)
        names = {each.get("name") for each in told.get("resources") or () if isinstance(each, dict)}
        return self._found(True, f"{PLURAL}.{GROUP} is defined there") if PLURAL in names else self._is_not_defined()

    def _is_not_defined(self) -> bool:
        return self._found(
            False,
            f"{PLURAL}.{GROUP} is not defined there",
            "Install the operator, or its resource definition alone: tinypool-nb doctor --print-crd | kubectl apply -f -",
            go_on=False,
        )

    def may(self) -> bool:
        refused = []
        for verb in VERBS:
            wish = {"group": GROUP, "resource": PLURAL, "verb": verb, "namespace": self._checked.namespace or ""}
            review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wish}}
            try:
                told = self._asked(
                    self._objects.create_cluster_custom_object, "authorization.k8s.io", "v1", "selfsubjectaccessreviews", review
                )
            except Trouble as trouble:
                if trouble.status == 401:
                    return self._refused(trouble, verb)
                return self._not_known("what you may", trouble)
            if (told.get("status") or {}).get("allowed") is not True:
                refused.append(verb)
        where = self._where()
        self._may_watch = "watch" not in refused
        if refused:
            missing = MissingRight(403, refused[0], self._checked.namespace, "")
            return self._missing(missing, f"you may not {' or '.join(refused)} {PLURAL} {where}", go_on="list" not in refused)
        return self._found(True, f"you may {' and '.join(VERBS)} {PLURAL} {where}")

    def look(self) -> bool:
        now, following = time.time_ns(), ""
        try:
            while True:
                page = self._resources.page(PAGE, following)
                self._checked.modules += [observe(None, decode(each), own=self._own, now=now).known for each in page.get("items") or ()]
                following = page["metadata"].get("continue") or ""
                if not following:
                    return self._follow(str(page["metadata"].get("resourceVersion") or ""))
        except Trouble as trouble:
            if trouble.came is Came.REFUSED:
                return self._refused(trouble, "list")
            return self._found(False, f"the list broke off: {trouble.reason}; a discovery that is under way is stale until it comes")

    def _follow(self, version: str) -> bool:
        """Whether what was read can be kept equal, as a discovery would; how one under way stands only its own status tells."""
        read = f"all was read, up to resource version {version}"

        def let_in() -> None:
            raise _LetIn

        try:
            for _ in self._resources.watch(version, 1, let_in):
                pass
        except _LetIn:
            return self._found(True, f"{read}, and may be watched from there: a discovery would be synced now")
        except Trouble as trouble:
            if trouble.came is not Came.REFUSED:
                return self._found(False, f"{read}, but a watch from there broke off: {trouble.reason}; a discovery would soon be stale")
            if self._may_watch is not False:
                self._refused(trouble, "watch")
        return self._found(None, f"{read}: a discovery would be synced by lists alone, some seconds late")

    def _refused(self, trouble: Trouble, verb: str) -> bool:
        missing = MissingRight(trouble.status, verb, self._checked.namespace, trouble.reason)
        return self._missing(missing, missing.reason, go_on=False)

    def _missing(self, missing: MissingRight, text: str, *, go_on: bool) -> bool:
        remedy = f"Have somebody who may apply this {missing.kind} and bind it to you:" if missing.is_grantable else ""
        return self._found(False, text, remedy, grant=missing.role, go_on=go_on)

    def _not_known(self, what: str, trouble: Trouble) -> bool:
        status = f"{trouble.status}: " if trouble.status else ""
        return self._found(None, f"it does not tell {what} ({status}{trouble.reason})")

    def _where(self) -> str:
        return "in all namespaces" if self._checked.namespace is None else f"in namespace {self._checked.namespace}"

    def _found(self, is_well: bool | None, text: str, remedy: str = "", *, grant: str = "", go_on: bool = True) -> bool:  # noqa: FBT001  # as a Finding
        self._checked.findings.append(Finding(is_well, text, remedy, grant))
        return go_on

    def _asked(self, ask: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """The JSON of an answer.

        Raises:
            Trouble: anything else came.
        """
        try:
            return _json(ask(*arguments, _preload_content=False, _request_timeout=(PATIENCE.connect, PATIENCE.answer)))
        except Exception as error:  # noqa: BLE001 whatever it is, it becomes a Trouble without a secret
            raise self._resources.trouble(error, watching=False) from None


def _json(response: Any) -> dict[str, Any]:
    if not 200 <= response.status < 300:  # some versions of the client leave that to the caller
        raise refusal(response.status, response.data, response.reason or "")
    told = json.loads(response.data)
    if not isinstance(told, dict):
        raise Trouble(Came.WRONG, "its answer is none of Kubernetes'")
    return told


def proxies(cluster: Cluster, environment: Mapping[str, str]) -> list[Finding]:
    """What the environment's proxies mean for the API server and for modules; passwords are left out."""
    found = []
    for name in sorted(environment):
        if name.lower() in PROXIES and environment[name]:
            through = (
                isinstance(cluster.api.rest_client.pool_manager, ProxyManager) and cluster.api.configuration.proxy == environment[name]
            )
            api = f"the API server is reached {'through' if through else 'without'} it"
            found.append(Finding(None, f"{name}={without_user(environment[name])}: {api}; modules are dialled without it in any case"))
    return found
