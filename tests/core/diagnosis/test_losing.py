"""Why connections were lost, from real stories of grpcio 1.85.1: times and words as recorded."""

import random

import pytest

from tests.core.diagnosis.conftest import IDLE, C, R, Recorded, S, T, at
from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.causes import Cause, Gravity
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions

ROUND_ROBIN = PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.3, maximum=1.0))


def connected() -> Recorded:
    return Recorded().walk((0, IDLE), (0.001, C), (0.002, R)).connected(0.001, 0.002)


def test_a_ping_timeout_is_a_frozen_peer() -> None:
    record = connected().walk((1.605, IDLE)).call(0.003, 1.606, Code.UNAVAILABLE, "Stream removed (ping timeout)")
    frozen, idle = record.diagnosis(3).findings
    assert (frozen.cause, frozen.now, frozen.known, frozen.gravity) == (Cause.FROZEN, True, Evidence.SEEN, Gravity.BROKEN)
    assert frozen.text == ("http-module-v1 is frozen, connected for 1.6 s: no answer to keepalive (sent after 1 s, lost after 0.5 s more).")
    assert idle.cause is Cause.IDLE
    back = record.walk((5, C), (5.1, R)).diagnosis(6).findings
    assert [(finding.cause, finding.until) for finding in back] == [(Cause.FROZEN, at(5.1))]
    assert back[0].text.endswith("; it was back after 3.5 s.")


def test_a_process_that_ended_under_a_call() -> None:
    record = connected().walk((0.507, IDLE)).call(0.003, 0.506, Code.UNAVAILABLE, "Stream removed (Socket closed)")
    lost, _ = record.diagnosis(2).findings
    assert (lost.cause, lost.known, lost.now) == (Cause.LOST, Evidence.SEEN, True)
    assert "socket error (Stream removed (Socket closed))" in lost.text


def test_a_loss_that_no_call_told_of() -> None:
    lost, idle = connected().walk((0.507, IDLE)).diagnosis(2).findings
    assert (lost.cause, lost.known, idle.cause) == (Cause.LOST, Evidence.INFERRED, Cause.IDLE)
    assert "nobody told why" in lost.text


def test_a_graceful_stop_that_cut_a_call_off_is_drained() -> None:
    record = connected().walk((0.204, IDLE)).call(0.004, 0.506, Code.UNAVAILABLE, "Cancelling all calls")
    drained = next(finding for finding in record.diagnosis(2).findings if finding.cause is Cause.DRAINED)
    assert (drained.gravity, drained.until) == (Gravity.NOTE, at(0.204))
    assert "once a call outlived its grace" in drained.text


def test_a_goaway_that_a_call_told_of() -> None:
    reason = "Stream removed (GOAWAY received; Error code: 0; Debug Text: graceful_stop)"
    record = connected().walk((0.204, IDLE)).call(0.004, 0.21, Code.UNAVAILABLE, reason)
    assert Cause.DRAINED in [finding.cause for finding in record.diagnosis(2).findings]


def test_a_call_that_ended_well_after_the_loss_was_drained() -> None:
    idle, drained = connected().walk((0.204, IDLE)).outlasted(0.1, 1.1).diagnosis(2).findings
    assert idle.cause is Cause.IDLE
    assert (drained.cause, drained.known, drained.gravity, drained.until) == (Cause.DRAINED, Evidence.INFERRED, Gravity.NOTE, at(0.204))
    assert "1 call under way on it ended well after it" in drained.text
    again = connected().walk((0.204, IDLE), (0.3, C), (0.4, R)).outlasted(0.1, 1.1).diagnosis(2)
    assert [finding.cause for finding in again.findings] == [Cause.LOST]  # it may have been sent again, on the new connection


AGES = (0.702, 0.755, 0.707, 0.717)
"""Lives of connections to a server with a max connection age of 0.7 s, as recorded."""


def aging(record: Recorded, *, away: float = 0.002) -> tuple[Recorded, float]:
    time = 0.0
    for age in AGES:
        record.walk((time, C), (time + 0.001, R)).connected(time, time + 0.001)
        record.walk((time + age, IDLE))
        time += age + away
    record.walk((time, C), (time + 0.001, R)).connected(time, time + 0.001)
    return record, time


def test_connections_of_one_age_are_recycled_and_not_flapping() -> None:
    record, end = aging(Recorded())
    (recycled,) = record.diagnosis(end + 0.5).findings
    assert (recycled.cause, recycled.known, recycled.gravity, recycled.now) == (Cause.RECYCLED, Evidence.INFERRED, Gravity.NOTE, True)
    assert "after about 0.71 s (4 times)" in recycled.text
    assert "no call failed by it" in recycled.text
    assert record.diagnosis(end + 0.5).verdict == "nothing wrong"


def test_a_call_that_outlived_the_age_says_so() -> None:
    record, end = aging(Recorded())
    record.call(end - AGES[-1], end + 0.3, Code.UNAVAILABLE, "max connection age")
    (recycled,) = (finding for finding in record.diagnosis(end + 0.5).findings if finding.cause is Cause.RECYCLED)
    assert recycled.known is Evidence.SEEN
    assert "1 call that outlived the grace ended with it" in recycled.text


def test_what_was_recycled_long_ago_is_past() -> None:
    record, end = aging(Recorded())
    (recycled,) = record.diagnosis(end + 60).findings
    assert not recycled.now


def test_lives_of_all_lengths_are_flapping_with_rate_and_period() -> None:
    record = Recorded()
    for start, end in ((0, 3), (5, 6), (10, 14), (15, 15.5), (20, 24)):
        record.walk((start, C), (start + 0.1, R), (end, IDLE)).connected(start, start + 0.1)
    record.walk((25, C), (25.1, R))
    (flapping,) = record.diagnosis(27).findings
    assert (flapping.cause, flapping.gravity, flapping.now) == (Cause.FLAPPING, Gravity.TROUBLE, True)
    assert "5 connections were lost within 21 s, one each 5.5 s, 11 a minute" in flapping.text
    assert not record.diagnosis(200).findings[0].now


def test_too_many_pings_by_the_words_of_a_call() -> None:
    reason = "Stream removed (GOAWAY received; Error code: 11; Debug Text: too_many_pings)"
    record = connected().walk((2.0, IDLE)).call(0.1, 2.0, Code.UNAVAILABLE, reason)
    pings = next(finding for finding in record.diagnosis(3).findings if finding.cause is Cause.TOO_MANY_PINGS)
    assert (pings.known, pings.gravity) == (Evidence.SEEN, Gravity.TROUBLE)
    assert "PermitWithoutStream" in pings.advice


def test_too_many_pings_by_lives_that_double() -> None:
    """gRPC's own server lets calls end well, so nobody tells; but core pings half as often after each complaint."""
    options = PoolOptions(load_balancing="round_robin", keepalive=Keepalive(time=1.0, timeout=1.0))
    record = Recorded(options=options).walk((0, IDLE), (0.001, C), (0.002, R), (3.006, C), (3.006, R), (9.01, C), (9.011, R))
    (pings,) = record.diagnosis(12).findings
    assert (pings.cause, pings.known) == (Cause.TOO_MANY_PINGS, Evidence.INFERRED)
    assert "3 s, 6 s: twice as long each time" in pings.text
    late = Recorded(options=options).walk((0, IDLE), (0.001, C), (0.002, R), (4.3, C), (4.33, R), (12.45, C), (12.46, R))  # under load
    assert [finding.cause for finding in late.diagnosis(13).findings] == [Cause.TOO_MANY_PINGS]
    other = Recorded(options=options).walk((0, IDLE), (0.001, C), (0.002, R), (3.5, C), (3.51, R), (10.5, C), (10.51, R))  # no whole pings
    assert Cause.TOO_MANY_PINGS not in [finding.cause for finding in other.diagnosis(11).findings]


def test_failed_attempts_after_a_loss_tell_more_than_the_loss() -> None:
    reason = "UNKNOWN: ipv4:127.0.0.1:21500: Failed to connect to remote host: Connection refused"
    record = connected().walk((5, IDLE), (5.1, C), (5.2, T, reason)).failed(5.1, 5.2, reason)
    assert [finding.cause for finding in record.diagnosis(5.3).findings] == [Cause.KILLED, Cause.BACKOFF]


def test_closing_the_pool_is_no_loss() -> None:
    (taken,) = connected().walk((5, S)).marked(4.9, "unregister").diagnosis(6).findings
    assert (taken.cause, taken.evidence[0].text) == (Cause.TAKEN_AWAY, "unregister")


def test_what_was_done_in_the_lab_is_no_recycling() -> None:
    record = Recorded()
    for start in (0, 10, 20):
        record.walk((start, C), (start + 0.1, R), (start + 5, IDLE)).connected(start, start + 0.1).marked(start + 4.9, "lab: kill")
    found = record.diagnosis(26).findings
    assert Cause.RECYCLED not in [finding.cause for finding in found]
    assert "lab: kill" in [row.text for finding in found for row in finding.evidence]


@pytest.mark.parametrize(
    ("marks", "act"),
    [
        ({0.4: "lab: kill"}, "kill"),
        ({0.2: "lab: restart", 0.4: "lab: kill"}, "kill"),
        ({-0.5: "lab: latency 0.1", 0.3: "lab: latency 0.1 healed", 0.4: "lab: start"}, "latency 0.1"),
        ({0.3: "lab: thaw"}, None),
    ],
)
def test_who_did_it_in_the_lab_is_told_so_and_not_to_look_for_a_firewall(marks: dict[float, str], act: str | None) -> None:
    record = connected().walk((0.507, IDLE), (0.6, C), (0.7, R))
    for time, text in marks.items():
        record.marked(time, text)
    killed = record.diagnosis(2).findings[0]
    done = killed.advice == f"Nothing, by all likelihood: shortly before, this was done in the lab: {act}."
    assert (killed.cause, done) == (Cause.LOST, act is not None)


@pytest.mark.parametrize(
    ("marks", "act"),
    [
        ({0.1: "lab: freeze"}, "freeze"),
        ({0.1: "lab: blackhole api"}, "blackhole api"),
        ({-3.0: "lab: freeze"}, None),
        ({0.1: "lab: freeze", 0.2: "lab: thaw"}, None),
        ({0.1: "lab: silent", 0.2: "lab: silent healed"}, None),
        ({1.5: "lab: restart"}, None),
    ],
)
def test_a_freeze_in_the_lab_shows_once_keepalive_has_noticed(marks: dict[float, str], act: str | None) -> None:
    record = connected().walk((1.605, IDLE)).call(0.003, 1.606, Code.UNAVAILABLE, "Stream removed (ping timeout)")
    for time, text in marks.items():
        record.marked(time, text)
    frozen = record.diagnosis(3).findings[0]
    assert frozen.cause is Cause.FROZEN
    assert frozen.advice.endswith(f"done in the lab: {act}." if act else "Look at it on its machine.")
    assert (f"lab: {act}" in [row.text for row in frozen.evidence]) == (act is not None)


def test_a_connection_that_could_not_be_made_again_at_once_was_not_recycled() -> None:
    reason = "UNKNOWN: ipv4:127.0.0.1:21500: Failed to connect to remote host: Connection refused"
    record = Recorded()
    for start in (0, 10):
        record.walk((start, C), (start + 0.1, R), (start + 5, IDLE), (start + 5.1, C), (start + 5.2, T, reason))
        record.connected(start, start + 0.1).failed(start + 5.1, start + 5.2, reason)
    record.walk((20, R)).connected(19.9, 20)
    assert Cause.RECYCLED not in [finding.cause for finding in record.diagnosis(21).findings]


REFUSED = "UNKNOWN: ipv4:127.0.0.1:21500: Failed to connect to remote host: Connection refused"


def living(*lives: float, away: float, options: PoolOptions | None = None) -> tuple[Recorded, float]:
    """Connections of such lives in seconds, each lost in silence and followed by the next so long after; and when the last began."""
    record = Recorded() if options is None else Recorded(options=options)
    time = 0.0
    for life in (*lives, 0.0):
        record.walk((time, C), (time + 0.01, R)).connected(time, time + 0.01)
        if life:
            record.walk((time + life, IDLE))
            time += life + away
    return record, time


@pytest.mark.parametrize("away", [1.5, 3.0, 15.0])
def test_a_process_that_crashes_and_is_started_again_is_not_recycled(away: float) -> None:
    """As recorded of one that was killed three times after 2 s each, and was back when its supervisor had started it and it was called."""
    record, end = living(2.02, 2.01, 2.05, away=away)
    (flapping,) = record.diagnosis(end + 1).findings
    assert (flapping.cause, flapping.now) == (Cause.FLAPPING, True)
    assert "max connection age" in flapping.advice, "what else looks like that"
    assert record.diagnosis(end + 1).verdict == "in trouble: flapping"


def test_two_lives_of_one_length_are_chance() -> None:
    record, end = living(3_000, 3_600, away=0.01)
    assert {finding.cause for finding in record.diagnosis(end + 1).findings} == {Cause.LOST}
    record, end = living(3_000, 3_600, away=100)
    assert {finding.cause for finding in record.diagnosis(end + 1).findings} == {Cause.LOST}
    assert "max connection age" in record.diagnosis(end + 1).findings[0].advice


def test_recycling_that_nobody_said_names_what_looks_the_same() -> None:
    record, end = aging(Recorded())
    (recycled,) = record.diagnosis(end + 0.5).findings
    assert "its restarts tell" in recycled.advice
    record.call(end - AGES[-1], end + 0.3, Code.UNAVAILABLE, "max connection age")
    assert "its restarts tell" not in record.diagnosis(end + 0.5).findings[0].advice


EACH_SECOND = PoolOptions(keepalive=Keepalive(time=1.0, timeout=0.5))
WITH_CALLS_ONLY = PoolOptions(keepalive=Keepalive(time=1.0, timeout=0.5, without_calls=False))


def test_kills_after_lives_that_double_are_no_pings() -> None:
    record, end = living(2.0, 4.0, away=1.0, options=EACH_SECOND)
    assert Cause.TOO_MANY_PINGS in {finding.cause for finding in record.diagnosis(end + 1).findings}
    record.marked(1.99, "lab: kill").marked(6.99, "lab: kill")
    assert {finding.cause for finding in record.diagnosis(end + 1).findings} == {Cause.LOST}
    record, end = living(2.0, 4.0, away=1.0, options=EACH_SECOND)
    record.failed(2.5, 2.6, REFUSED).failed(7.5, 7.6, REFUSED)
    assert {finding.cause for finding in record.diagnosis(end + 1).findings} == {Cause.LOST, Cause.KILLED}


def test_without_a_call_no_ping_went_out_where_the_settings_say_so() -> None:
    record, end = living(2.0, 4.0, away=0.01, options=WITH_CALLS_ONLY)
    assert Cause.TOO_MANY_PINGS not in {finding.cause for finding in record.diagnosis(end + 1).findings}
    record.outlasted(0.5, 1.0)
    assert Cause.TOO_MANY_PINGS in {finding.cause for finding in record.diagnosis(end + 1).findings}


def test_pings_that_grpc_core_counted() -> None:
    record, end = living(3.0, 6.0, away=0.01, options=EACH_SECOND)
    record.looked(end + 9, Subject.KEEPALIVES, "ipv4:127.0.0.1:21500", 2)
    pings = next(finding for finding in record.diagnosis(end + 9).findings if finding.cause is Cause.TOO_MANY_PINGS)
    assert "2 pings went out on the present connection" in pings.text
    assert pings.evidence[-1].text == "keepalives: ipv4:127.0.0.1:21500 2"


def test_who_sent_no_ping_though_one_was_due_sends_not_too_many() -> None:
    record, end = living(3.0, 6.0, away=0.01, options=EACH_SECOND)
    record.looked(end + 9, Subject.KEEPALIVES, "ipv4:127.0.0.1:21500", 0)
    assert Cause.TOO_MANY_PINGS not in {finding.cause for finding in record.diagnosis(end + 9).findings}
    early, end = living(3.0, 6.0, away=0.01, options=EACH_SECOND)
    early.looked(end + 2, Subject.KEEPALIVES, "ipv4:127.0.0.1:21500", 0)
    assert Cause.TOO_MANY_PINGS in {finding.cause for finding in early.diagnosis(end + 2).findings}, "none is due yet"


def test_losses_by_chance_are_no_pings() -> None:
    chance = random.Random(1)
    found = 0
    for _ in range(500):
        record, end = living(*(chance.expovariate(1 / 600) + 20 for _ in range(3)), away=5, options=PoolOptions())
        found += Cause.TOO_MANY_PINGS in {finding.cause for finding in record.diagnosis(end + 10).findings}
    assert found <= 2
