"""What was looked at around a module because a person asked: DNS, the spread of its calls, the environment, its discovery."""

from collections.abc import Iterator

from tinypool_nb.core.diagnosis.case import Case, of_mark, of_observation, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.discovering import Standing
from tinypool_nb.core.events import Evidence, MarkKind, Observation, Subject
from tinypool_nb.core.states import State

ENOUGH = 20
"""Calls an endpoint on the average from which on their spread says something."""
UNEVEN = 2.0
"""How many times its fair share an endpoint must have, or how small a part of it, to be told."""


def findings(case: Case) -> Iterator[Finding]:
    """What the observations say."""
    yield from _discovery(case)
    if case.state is not State.SHUTDOWN:
        yield from _dns(case)
        yield from _uneven(case)
    yield from _proxy(case)


def _finding(
    case: Case, cause: Cause, text: str, advice: str, *rows: Observation, since: int | None = None, known: Evidence = Evidence.SEEN
) -> Finding:
    return Finding(case.key, cause, text, tuple(map(of_observation, rows)), advice, rows[0].time if since is None else since, None, known)


def _dns(case: Case) -> Iterator[Finding]:
    resolved, dns = case.observed(Subject.RESOLVED), case.observed(Subject.DNS)
    if not resolved or not dns or not resolved[0].text:
        return
    had, says = set(resolved[0].text.split(", ")), set(dns[0].text.split(", "))
    if case.options.load_balancing == "pick_first" and had & says and len(had) < len(says):
        # A channel that is connected shows only the endpoints that it tried: those that it did not need are no difference.
        return
    gone, new = sorted(had - says), sorted(says - had)
    if not gone and not new:
        return
    parts = [
        f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} not there any more" if gone else "",
        f"{', '.join(new)} {'is' if len(new) == 1 else 'are'} new" if new else "",
    ]
    changed = "; ".join(filter(None, parts))
    text = f"The resolved set of {case.key} differs from what DNS says now: {changed}. gRPC asks DNS again only when a connection is lost."
    advice = "pool.reconnect(name) resolves anew. A max connection age on the servers makes clients do so by themselves."
    yield _finding(case, Cause.STALE_DNS, text, advice, resolved[0], dns[0])


def _uneven(case: Case) -> Iterator[Finding]:
    rows = [row for row in case.observed(Subject.CALLS) if row.text]
    total = sum(row.value for row in rows)
    if len(rows) < 2 or total < ENOUGH * len(rows):
        return
    fair = total / len(rows)
    most, least = max(rows, key=lambda row: row.value), min(rows, key=lambda row: row.value)
    if most.value < UNEVEN * fair and least.value > fair / UNEVEN:
        return
    text = (
        f"The endpoints of {case.key} are unevenly used: {most.text} had {most.value:,} of {total:,} calls, {least.text} {least.value:,} "
        f"({len(rows)} endpoints, {fair:,.0f} each would be even)."
    )
    if case.options.load_balancing == "pick_first":
        advice = 'pick_first uses one endpoint at a time: tp.PoolOptions(load_balancing="round_robin") spreads calls over all.'
    else:
        advice = (
            "An endpoint that came late, or was lost for a while, has fewer; so has one whose connection fails: see pool.subchannels()."
        )
    yield _finding(case, Cause.UNEVEN, text, advice, *rows[:8])


def _proxy(case: Case) -> Iterator[Finding]:
    for row in case.observed(Subject.ENVIRONMENT):
        text = f"The environment sets {row.text}. Modules are dialled directly all the same: this pool turns gRPC's HTTP proxies off."
        advice = "Nothing, unless the module can be reached only through that proxy. Other gRPC clients in this environment do use it."
        yield _finding(case, Cause.PROXY, text, advice, row)


_STANDINGS = {
    Standing.QUARANTINED: (
        Cause.QUARANTINED,
        "is quarantined by discovery, and not dialled",
        "Correct status.addr of its TinyModule resource; gRPC does not reach what NATS does.",
    ),
    Standing.REFUSED: (Cause.QUARANTINED, "was not taken by the pool", "See the reason; it is asked again at each relist."),
    Standing.WAITING: (
        Cause.WAITING_FOR_ADDRESS,
        "waits for its resource to name an address",
        "Is the module started? Its operator writes status.addr then.",
    ),
    Standing.KEPT: (
        Cause.KEPT_ADDRESS,
        "stays at its last good address: its resource names no usable one any more",
        "Correct status.addr of its TinyModule resource.",
    ),
}


def _discovery(case: Case) -> Iterator[Finding]:
    for row in case.observed(Subject.DISCOVERY):
        standing, _, reason = row.text.partition(": ")
        told = next((told for known, told in _STANDINGS.items() if known == standing), None)
        if told is None:
            return
        cause, what, advice = told
        marks = [mark for mark in case.marks if mark.kind is MarkKind.DISCOVERY]
        references = (*spread([of_mark(mark) for mark in marks[-2:]]), of_observation(row))
        text = f"{case.key} {what}{f': {reason}' if reason else ''}."
        yield Finding(case.key, cause, text, references, advice, marks[-1].time if marks else row.time, None)
