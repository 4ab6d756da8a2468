"""What was looked at around a module because a person asked: DNS, the spread of its calls, the environment, its discovery."""

from collections.abc import Collection, Iterator

from tinypool_nb.core.addresses import Scheme, parse_address
from tinypool_nb.core.diagnosis.case import Case, of_mark, of_observation
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.diagnosis.wording import host_of
from tinypool_nb.core.discovering import Standing
from tinypool_nb.core.events import Evidence, MarkKind, Observation, Subject
from tinypool_nb.core.states import State
from tinypool_nb.errors import AddressError

ENOUGH = 20
"""Calls an endpoint on the average from which on their spread says something."""
UNEVEN = 2.0
"""How many times its fair share an endpoint must have, or how small a part of it, to be told."""


def findings(case: Case) -> Iterator[Finding]:
    """What the observations say."""
    yield from _discovery(case)
    if case.state is not State.SHUTDOWN:
        yield from _dns(case)
        yield from _dns_failed(case)
        yield from _uneven(case)
    yield from _proxy(case)


def _finding(
    case: Case, cause: Cause, text: str, advice: str, *rows: Observation, since: int | None = None, known: Evidence = Evidence.SEEN
) -> Finding:
    return Finding(case.key, cause, text, tuple(map(of_observation, rows)), advice, rows[0].time if since is None else since, None, known)


def _dns(case: Case) -> Iterator[Finding]:
    resolved, dns = case.observed(Subject.RESOLVED), case.observed(Subject.DNS)
    if not resolved or not dns or not resolved[0].text or (case.channel is not None and case.channel.proxy):
        return  # a proxy looks the name up itself, and is all that gRPC resolves
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


def _dns_failed(case: Case) -> Iterator[Finding]:
    """What is to come: gRPC asks DNS again once a connection is lost, and until then all is well."""
    rows = case.observed(Subject.DNS_FAILED)
    unresolved = case.state is not State.READY and bool(case.failed) and not case.failed[-1].peer
    if not rows or unresolved:  # which the failed attempts tell
        return
    host = host_of(case.address) or case.address
    text = f"DNS says no address for {host} now ({rows[0].text})"
    if case.state is State.READY:
        text += ": the connection holds, since gRPC asks DNS again only when it is lost, and then none can be made."
    else:
        text += ": gRPC asks it anew before it connects, so that no connection can be made as long as that is so."
    advice = "Put the name's record back, or register the address that is meant, before the connection is lost."
    yield _finding(case, Cause.DNS_FAILS, text, advice, rows[0])


def _uneven(case: Case) -> Iterator[Finding]:
    rows = [row for row in case.observed(Subject.CALLS) if row.text]
    calls = {row.text: row.value for row in rows}
    by_design = case.options.load_balancing == "pick_first"
    if by_design:
        calls = dict.fromkeys(_untried(case, calls), 0) | calls
    total = sum(calls.values())
    if len(calls) < 2 or total < ENOUGH * len(calls):
        return
    fair = total / len(calls)
    most, least = max(calls, key=lambda peer: calls[peer]), min(calls, key=lambda peer: calls[peer])
    if calls[most] < UNEVEN * fair and calls[least] > fair / UNEVEN:
        return
    text = (
        f"The endpoints of {case.key} are unevenly used: {most} had {calls[most]:,} of {total:,} calls, {least} {calls[least]:,} "
        f"({len(calls)} endpoints, {fair:,.0f} each would be even)"
    )
    if not by_design:
        advice = (
            "An endpoint that came late, or was lost for a while, has fewer; so has one whose connection fails: see pool.subchannels()."
        )
        yield _finding(case, Cause.UNEVEN, f"{text}.", advice, *rows[:8])
        return
    text += ". That is how pick_first works: it uses one endpoint at a time, and tries another only when that one is lost."
    advice = 'Nothing, or tp.PoolOptions(load_balancing="round_robin"), which spreads calls over all of them.'
    yield _finding(case, Cause.UNEVEN_BY_DESIGN, text, advice, *rows[:8], *case.observed(Subject.DNS)[:1])


def _untried(case: Case, tried: Collection[str]) -> Iterator[str]:
    """The endpoints that pick_first has, of the family that it uses: core lists only those that it tried."""
    try:
        address = parse_address(case.address)
    except AddressError:
        return
    known = [f"{address.scheme}:{endpoint}" for endpoint in address.endpoints] if address.scheme in {Scheme.IPV4, Scheme.IPV6} else []
    known += [peer for row in case.observed(Subject.DNS) for peer in row.text.split(", ")]
    families = {peer.partition(":")[0] for peer in tried}
    yield from (peer for peer in known if peer.partition(":")[0] in families and peer not in tried)


def _proxy(case: Case) -> Iterator[Finding]:
    for row in case.observed(Subject.ENVIRONMENT):
        own = "" if case.channel is None else case.channel.proxy
        way = f"{case.key} goes through {own}, the proxy of its options," if own else "Modules are dialled directly"
        text = f"The environment sets {row.text}. {way} all the same: this pool turns gRPC's HTTP proxies off."
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
        references = (*map(of_mark, marks[-2:]), of_observation(row))
        text = f"{case.key} {what}{f': {reason}' if reason else ''}."
        yield Finding(case.key, cause, text, references, advice, marks[-1].time if marks else row.time, None)
