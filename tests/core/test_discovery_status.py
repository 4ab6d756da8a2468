"""What a discovery's status comes to, and what is to be done about it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from tinypool_nb.core.discovering import Scope, Standing
from tinypool_nb.core.discovery_status import DiscoveryReport, DiscoveryStatus, Health
from tinypool_nb.core.rights import MissingRight

WHEN = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
WELL = DiscoveryStatus(synced=True, stale_since=None, last_error="", missing=None, resource_version="41")
UNREAD = replace(WELL, synced=False, resource_version="")
STALE = replace(WELL, synced=False, stale_since=WHEN, last_error="Connection refused")
FORBIDDEN = MissingRight(403, "list", "tinysystems", "ada may not")


def report(status: DiscoveryStatus) -> DiscoveryReport:
    return DiscoveryReport(Scope("https://10.0.0.1", "tinysystems"), "KUBECONFIG", status, {Standing.REGISTERED: 1_000})


@pytest.mark.parametrize(
    ("status", "health", "told"),
    [
        (WELL, Health.SYNCED, "synced"),
        (replace(WELL, last_error="over"), Health.SYNCED, "synced"),
        (replace(WELL, missing=FORBIDDEN), Health.LIMITED, "synced by lists alone: the API server does not let it list"),
        (UNREAD, Health.UNREAD, "not read yet"),
        (replace(UNREAD, last_error="Connection refused"), Health.UNREAD, "not read yet: Connection refused"),
        (STALE, Health.STALE, "stale since 2026-01-05 12:00:00 UTC: Connection refused"),
        (replace(STALE, missing=FORBIDDEN), Health.REFUSED, "stale since 2026-01-05 12:00:00 UTC: the API server does not let it"),
    ],
)
def test_each_status_has_one_health_and_says_why(status: DiscoveryStatus, health: Health, told: str) -> None:
    assert status.health is health
    assert str(status).startswith(told)
    assert bool(status.reason) == (health is not Health.SYNCED and status != UNREAD)


@pytest.mark.parametrize(
    ("code", "namespace", "remedy", "kind"),
    [
        (401, "a", "Log in", None),
        (404, "a", "--print-crd", None),
        (403, "a", "apply this Role", "Role"),
        (403, None, "apply this ClusterRole", "ClusterRole"),
    ],
)
def test_what_is_missing_comes_with_what_mends_it(code: int, namespace: str | None, remedy: str, kind: str | None) -> None:
    made = report(replace(UNREAD, missing=MissingRight(code, "list", namespace, "no")))
    assert remedy in made.remedy
    assert (yaml.safe_load(made.grant) or {}).get("kind") == kind
    assert made.status.missing is not None
    assert made.status.missing.role == made.grant, "what mends nothing is never shown as if it would"


def test_port_forward_that_is_refused_leaves_discovery_well_and_comes_with_what_mends_it() -> None:
    forward = MissingRight(403, "create", "staging", "ada may not", "pods/portforward")
    status = replace(WELL, missing_forward=forward)
    assert status.health is Health.SYNCED
    assert str(status).startswith("synced; port-forward: the API server does not let it create pods/portforward in namespace staging")
    assert status.reason == f"port-forward: {forward.reason}"
    assert "port-forward goes on by itself" in report(status).remedy
    assert [rule["resources"][0] for rule in yaml.safe_load(report(status).grant)["rules"]][1:] == ["services", "pods", "pods/portforward"]
    both = replace(status, missing=FORBIDDEN)
    assert (both.reason, report(both).grant) == (f"{FORBIDDEN.reason}; port-forward: {forward.reason}", FORBIDDEN.role)


def test_where_nothing_is_missing_there_is_nothing_to_be_done() -> None:
    assert (report(STALE).remedy, report(STALE).grant, report(WELL).modules) == ("", "", "1,000 modules: 1,000 registered")


def test_no_namespace_adds_a_line_to_the_role() -> None:
    hostile = "a\nrules: [{verbs: ['*']}]"
    role = yaml.safe_load(MissingRight(403, "list", hostile, "no").role)
    assert role["metadata"]["namespace"] == hostile
    assert role["rules"][0]["verbs"] == ["get", "list", "watch"]
    assert yaml.safe_load(MissingRight(403, "list", "1e5", "no").role)["metadata"]["namespace"] == "1e5"
