"""What calls, the present condition and what was looked at around a module say."""

import pytest

from tests.core.diagnosis.conftest import IDLE, KEY, PEER, C, R, Recorded, S, T, at
from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.causes import Cause, Gravity
from tinypool_nb.core.discovering import Standing
from tinypool_nb.core.events import NOT_RECORDED, Attempt, Evidence, MarkKind, Outcome, Subject
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions

REFUSED = "UNKNOWN: ipv4:127.0.0.1:21500: Failed to connect to remote host: Connection refused"
ONE, TWO, THREE = "ipv4:10.0.0.1:50051", "ipv4:10.0.0.2:50051", "ipv4:10.0.0.3:50051"


def ready() -> Recorded:
    return Recorded().walk((0, IDLE), (1, C), (1.1, R)).connected(1, 1.1)


def causes(record: Recorded, now: float) -> list[Cause]:
    return [finding.cause for finding in record.diagnosis(now).findings]


# Calls


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            "SERVER: Received message larger than max (5242885 vs. 4194304)",
            "A request of 5,242,885 bytes is larger than the 4,194,304 that the module",
        ),
        (
            "Stream removed (CLIENT: Received message larger than max (5242880 vs. 4194304))",
            "A response of 5,242,880 bytes is larger than the 4,194,304 that this client",
        ),
        (
            "Received message larger than max (5242885 vs. 4194304)",
            "A request of 5,242,885 bytes is larger than the 4,194,304 that the module",
        ),
    ],
)
def test_a_message_that_is_too_large_leaves_the_connection_sound(reason: str, words: str) -> None:
    record = ready().call(2, 2.1, Code.RESOURCE_EXHAUSTED, reason)
    (large,) = record.diagnosis(3).findings
    assert large.cause is Cause.MESSAGE_TOO_LARGE
    assert large.text.startswith(words)
    assert not record.diagnosis(100).findings[0].now


def test_a_module_that_is_out_of_something_is_no_message_too_large() -> None:
    assert causes(ready().call(2, 2.1, Code.RESOURCE_EXHAUSTED, "quota"), 3) == []


def test_a_deadline_shorter_than_the_connection_needs() -> None:
    record = Recorded().walk((0, IDLE), (1, C), (6, R)).connected(1, 6).call(1, 1.5, Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
    (deadline,) = record.diagnosis(7).findings
    assert deadline.cause is Cause.DEADLINE
    assert "waited 0.5 s while the module was CONNECTING; connecting took up to 5 s here" in deadline.text
    assert [row.table for row in deadline.evidence] == ["transitions", "calls"]


def test_a_deadline_on_a_connected_module_is_its_own_slowness() -> None:
    assert causes(ready().call(2, 3, Code.DEADLINE_EXCEEDED, "Deadline Exceeded"), 4) == []


# What it does now


def test_waiting_in_backoff_says_until_when() -> None:
    record = Recorded().walk((0, IDLE), (1, C), (1.1, T, REFUSED)).failed(1, 1.1, REFUSED)
    waiting = next(finding for finding in record.diagnosis(1.2).findings if finding.cause is Cause.BACKOFF)
    assert waiting.text.endswith("the next one starts between 00:16:41.2 and 00:16:41.4 UTC, in 0.04 s to 0.16 s.")
    assert (waiting.gravity, waiting.known) == (Gravity.NOTE, Evidence.INFERRED)
    assert Cause.CONNECTING in causes(record, 1.5), "an attempt must have begun by then"


def test_connecting_says_when_it_is_given_up() -> None:
    (connecting,) = Recorded().walk((0, IDLE), (1, C)).diagnosis(1.5).findings
    assert connecting.text == (
        "http-module-v1 is connecting: attempt 1 has been under way for 0.5 s and is given up at 00:16:42.0 UTC at the latest."
    )


def test_a_connection_that_waits_for_its_handshake_says_so() -> None:
    """FAULTS, row 6: it is CONNECTING until the connect deadline, and TCP is answered meanwhile."""
    record = Recorded(options=PoolOptions()).walk((0, IDLE), (1, C)).looked(4, Subject.TCP, PEER, 1)
    diagnosis = record.diagnosis(4)
    handshake, connecting = diagnosis.findings
    assert (handshake.cause, handshake.known, handshake.gravity) == (Cause.HANDSHAKE, Evidence.INFERRED, Gravity.TROUBLE)
    assert f"{PEER} accepts TCP connections (1 ms just now), and HTTP/2 SETTINGS has not come for 3 s" in handshake.text
    assert handshake.evidence[-1].text == f"tcp: {PEER} after 1 ms"
    assert (connecting.cause, diagnosis.verdict) == (Cause.CONNECTING, "in trouble: handshake")
    assert Cause.HANDSHAKE not in causes(record.walk((5, R)), 6)


@pytest.mark.parametrize(("looked", "took"), [(1.5, 1), (4.0, 200)])
def test_a_handshake_that_takes_its_time_is_no_alarm(looked: float, took: int) -> None:
    """After half a second it may still come, and on a link on which TCP takes 200 ms it takes a second or two."""
    assert causes(Recorded(options=PoolOptions()).walk((0, IDLE), (1, C)).looked(looked, Subject.TCP, PEER, took), looked) == [
        Cause.CONNECTING
    ]


def test_idle_on_purpose_is_nothing_wrong() -> None:
    diagnosis = Recorded().walk((0, IDLE)).diagnosis(60)
    assert [finding.cause for finding in diagnosis.findings] == [Cause.IDLE]
    assert diagnosis.verdict == "nothing wrong: idle"
    assert "nobody has called it yet" in diagnosis.findings[0].text


def test_a_held_module_waits_for_a_person() -> None:
    record = Recorded().walk((0, IDLE)).marked(0, "hold: connects only by attempt()").looked(5, Subject.HELD, "held", 1)
    (held,) = record.diagnosis(5).findings
    assert (held.cause, len(held.evidence)) == (Cause.HELD, 3)


def test_a_gap_says_how_much_nobody_knows() -> None:
    record = Recorded().walk((0, IDLE), (1, C), (2, None), (5, R))
    (gap,) = record.diagnosis(10).findings
    assert (gap.cause, gap.known, gap.now) == (Cause.GAP, Evidence.GAP, False)
    assert "for 3 s in all (1 gap)" in gap.text
    assert record.walk((6, None)).diagnosis(10).findings[0].now


def test_a_gap_of_attempts_alone_says_that_states_are_recorded_apart() -> None:
    record = ready()
    why = "trace overwritten before it could be read"
    for subchannel, start, end in ((3, 3, 4.5), (4, 3, 4.0), (5, 3, 4.2)):  # of endpoints that flap together
        record.attempts.append(Attempt(record.channel, subchannel, PEER, at(start), at(end), Outcome.UNKNOWN, why, Evidence.GAP))
    (gap,) = record.diagnosis(10).findings
    assert (gap.cause, gap.known, gap.since, gap.until) == (Cause.GAP, Evidence.GAP, at(3), at(4.5))
    assert "Not every attempt of http-module-v1 is known, for 1.5 s in all (3 gaps)" in gap.text


def test_a_module_that_was_taken_away() -> None:
    assert causes(ready().walk((5, S)), 6) == [Cause.TAKEN_AWAY]


def test_two_modules_on_one_address() -> None:
    record = ready().marked(0, "register 127.0.0.1:21500")
    record.neighbours = (ModuleKey("tinysystems", "copy"),)
    (shared,) = record.diagnosis(2).findings
    assert (shared.cause, shared.since, shared.gravity) == (Cause.SHARED_ADDRESS, at(0), Gravity.NOTE)
    assert "127.0.0.1:21500 with tinysystems/copy: both" in shared.text


def test_a_gap_between_two_recordings_is_none_that_grpc_made() -> None:
    record = Recorded().walk((0, IDLE), (1, C), (2, R), (5, None, NOT_RECORDED), (8, R))
    (gap,) = (finding for finding in record.diagnosis(9).findings if finding.cause is Cause.GAP)
    assert "nothing was recorded between" in gap.text
    assert "overwr" not in f"{gap.text} {gap.evidence}"
    assert "observer_share" not in gap.advice


# What was looked at


def test_a_stale_dns_set() -> None:
    record = ready().looked(5, Subject.RESOLVED, f"{ONE}, {TWO}").looked(5, Subject.DNS, f"{TWO}, {THREE}")
    (stale,) = record.diagnosis(5).findings
    assert stale.cause is Cause.STALE_DNS
    assert f"{ONE} is not there any more; {THREE} is new" in stale.text
    assert causes(ready().looked(5, Subject.RESOLVED, ONE).looked(5, Subject.DNS, ONE), 5) == []


def test_what_was_looked_at_before_a_change_says_nothing_any_more() -> None:
    record = ready().looked(5, Subject.RESOLVED, ONE).looked(5, Subject.DNS, TWO).looked(5, Subject.ENVIRONMENT, "http_proxy")
    record.walk((6, IDLE), (7, C), (7.1, R))
    assert Cause.STALE_DNS not in causes(record, 8)
    assert Cause.PROXY in causes(record, 8)


def test_pick_first_knows_only_the_endpoints_that_it_tried() -> None:
    record = ready().looked(5, Subject.RESOLVED, ONE).looked(5, Subject.DNS, f"{ONE}, {TWO}")
    assert causes(record, 5) == []
    record.options = PoolOptions(load_balancing="round_robin")
    assert causes(record, 5) == [Cause.STALE_DNS]


def test_endpoints_that_are_unevenly_used() -> None:
    def spread(one: int, two: int) -> Recorded:
        record = ready().looked(5, Subject.CALLS, ONE, one).looked(5, Subject.CALLS, TWO, two)
        record.options = PoolOptions(load_balancing="round_robin")
        return record

    (uneven,) = spread(95, 5).diagnosis(5).findings
    assert (uneven.cause, uneven.gravity) == (Cause.UNEVEN, Gravity.TROUBLE)
    assert f"{ONE} had 95 of 100 calls, {TWO} 5 (2 endpoints, 50 each would be even)" in uneven.text
    assert "pool.subchannels()" in uneven.advice
    assert causes(spread(55, 45), 5) == []
    assert causes(spread(9, 1), 5) == [], "too few to tell"


def test_pick_first_uses_one_endpoint_by_design() -> None:
    """Core lists only the endpoint that was tried: the others stand in the address, or in DNS."""
    record = Recorded(address="ipv4:127.0.0.1:21500,127.0.0.1:21501,127.0.0.1:21502").walk((0, IDLE), (1, C), (1.1, R)).connected(1, 1.1)
    record.looked(5, Subject.RESOLVED, PEER).looked(5, Subject.CALLS, PEER, 200)
    diagnosis = record.diagnosis(5)
    (uneven,) = diagnosis.findings
    assert (uneven.cause, uneven.gravity, diagnosis.verdict) == (Cause.UNEVEN_BY_DESIGN, Gravity.NOTE, "nothing wrong")
    assert f"{PEER} had 200 of 200 calls, ipv4:127.0.0.1:21501 0 (3 endpoints, 67 each would be even)" in uneven.text
    assert "That is how pick_first works" in uneven.text
    assert "round_robin" in uneven.advice
    named = ready().looked(5, Subject.CALLS, ONE, 60).looked(5, Subject.DNS, f"{ONE}, {TWO}, ipv6:[::1]:50051")
    (uneven,) = named.diagnosis(5).findings
    assert uneven.cause is Cause.UNEVEN_BY_DESIGN
    assert "(2 endpoints, 30 each" in uneven.text, "the other family of addresses leads to the same pods"
    assert [row.text for row in uneven.evidence] == [f"calls: {ONE} 60", f"dns: {ONE}, {TWO}, ipv6:[::1]:50051"]
    assert causes(ready().looked(5, Subject.CALLS, ONE, 60).looked(5, Subject.DNS, ONE), 5) == []


def test_a_name_that_is_gone_from_dns_is_a_warning() -> None:
    record = Recorded(address="api.example:50051").walk((0, IDLE), (1, C), (1.1, R)).connected(1, 1.1)
    record.looked(5, Subject.RESOLVED, ONE).looked(5, Subject.DNS_FAILED, "the name has no address")
    diagnosis = record.diagnosis(5)
    (gone,) = diagnosis.findings
    assert (gone.cause, gone.gravity, gone.now, diagnosis.verdict) == (Cause.DNS_FAILS, Gravity.NOTE, True, "nothing wrong")
    assert "DNS says no address for api.example now (the name has no address): the connection holds" in gone.text
    record.walk((6, IDLE))
    assert Cause.DNS_FAILS not in causes(record, 7), "nobody looked since"
    record.looked(8, Subject.DNS_FAILED, "the name has no address")
    assert "no connection can be made" in next(each for each in record.diagnosis(8).findings if each.cause is Cause.DNS_FAILS).text


def test_a_name_that_does_not_resolve_is_told_once() -> None:
    reason = "UNAVAILABLE: errors resolving api.example:50051: [field:hostname lookup error: Domain name not found]"
    record = Recorded(address="api.example:50051").walk((0, IDLE), (1, C), (1.1, T, reason)).failed(None, 1.1, reason, peer="")
    record.looked(2, Subject.DNS_FAILED, "Name or service not known")
    assert Cause.DNS_FAILS not in causes(record, 2)
    assert Cause.UNRESOLVED in causes(record, 2)


def test_a_proxy_in_the_environment_is_only_mentioned() -> None:
    diagnosis = ready().looked(5, Subject.ENVIRONMENT, "http_proxy, https_proxy").diagnosis(5)
    (proxy,) = diagnosis.findings
    assert (proxy.cause, proxy.gravity, diagnosis.verdict) == (Cause.PROXY, Gravity.NOTE, "nothing wrong")


def test_a_proxy_of_the_pool_s_own_looks_names_up_and_is_all_that_grpc_resolves() -> None:
    record = Recorded(transport="plaintext through proxy 127.0.0.1:3128").walk((0, IDLE), (1, C), (1.1, R))
    record.looked(5, Subject.RESOLVED, ONE).looked(5, Subject.DNS, TWO).looked(5, Subject.ENVIRONMENT, "http_proxy")
    diagnosis = record.diagnosis(5)
    assert [finding.cause for finding in diagnosis.findings] == [Cause.PROXY]
    assert "dialled directly" not in diagnosis.findings[0].text


@pytest.mark.parametrize(
    ("standing", "cause"),
    [
        (Standing.QUARANTINED, Cause.QUARANTINED),
        (Standing.REFUSED, Cause.QUARANTINED),
        (Standing.WAITING, Cause.WAITING_FOR_ADDRESS),
        (Standing.KEPT, Cause.KEPT_ADDRESS),
        (Standing.REGISTERED, None),
    ],
)
def test_what_discovery_made_of_a_module(standing: Standing, cause: Cause | None) -> None:
    record = (
        ready().marked(3, "quarantined: it has no port", MarkKind.DISCOVERY).looked(5, Subject.DISCOVERY, f"{standing}: it has no port")
    )
    assert causes(record, 5) == ([cause] if cause else [])
    if cause:
        assert "it has no port" in record.diagnosis(5).findings[0].text


def test_the_key_stands_as_it_is() -> None:
    assert str(KEY) in Recorded().walk((0, IDLE)).diagnosis(1).findings[0].text
