"""How discoveries stand in a saved notebook and a terminal: in words, nothing foreign as markup."""

from dataclasses import replace
from datetime import UTC, datetime

from tinypool_nb.core.discovering import Scope, Standing
from tinypool_nb.core.discovery_status import DiscoveryReport, DiscoveryStatus
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views.discoveries import discoveries_html, discoveries_text, shown_discovery
from tinypool_nb.views.overview import overview

WHEN = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
WELL = DiscoveryStatus(synced=True, stale_since=None, last_error="", missing=None, resource_version="41")
STALE = replace(WELL, synced=False, stale_since=WHEN, last_error="Connection refused")
HOSTILE = "<img src=x onerror=alert(1)>\u202e\n& 'more'"


def report(status: DiscoveryStatus, **standings: int) -> DiscoveryReport:
    return DiscoveryReport(
        Scope("https://10.0.0.1", "a"), "KUBECONFIG", status, {Standing(name): number for name, number in standings.items()}
    )


def test_a_line_says_how_it_stands_and_what_that_means() -> None:
    text = discoveries_text([report(WELL, registered=2, quarantined=1), report(STALE, registered=2)])
    assert text.splitlines() == [
        "✓ discovery of namespace 'a' at https://10.0.0.1: synced",
        "  3 modules: 2 registered, 1 quarantined; pool.modules() tells why",
        "▲ discovery of namespace 'a' at https://10.0.0.1: stale since 2026-01-05 12:00:00 UTC",
        "  2 modules: 2 registered",
        "  Connection refused. The pool keeps what it had.",
    ]


def test_an_error_that_is_over_is_told_as_such() -> None:
    assert "last error, now over: Connection refused" in discoveries_html([report(replace(WELL, last_error="Connection refused"))])


def test_a_missing_right_comes_with_its_role() -> None:
    refused = report(replace(STALE, missing=MissingRight(403, "list", "a", "no")))
    for told in (discoveries_html([refused]), discoveries_text([refused])):
        assert "refused, stale since 2026-01-05 12:00:00 UTC" in told
        assert "kind: Role" in told
        assert ".role" not in told


def test_foreign_text_is_text_on_one_line() -> None:
    hostile = DiscoveryReport(
        Scope(f"https://{HOSTILE}", HOSTILE, HOSTILE), HOSTILE, replace(STALE, missing=MissingRight(403, HOSTILE, HOSTILE, HOSTILE)), {}
    )
    assert "<img" not in discoveries_html([hostile])
    shown = shown_discovery(hostile)
    for text in (shown.where, shown.reason, shown.source, shown.modules):
        assert "\n" not in text
        assert "\u202e" not in text


def test_a_reason_of_any_length_is_cut() -> None:
    assert len(shown_discovery(report(replace(STALE, last_error="x" * 10_000))).reason) < 500


def test_without_a_discovery_nothing_is_said() -> None:
    assert (discoveries_html([]), discoveries_text([])) == ("", "")
    assert "iscover" not in overview(Journal(), ())["text/html"]
    bundle = overview(Journal(), (), [report(STALE)])
    assert "Discovery stale since" in bundle["text/html"]
    assert bundle["text/plain"].startswith("▲ discovery of namespace 'a'")
