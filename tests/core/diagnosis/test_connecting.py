"""Why a module cannot be connected to, from what gRPC core said when it could not."""

import pytest

from tests.core.diagnosis.conftest import IDLE, KEY, PEER, C, R, Recorded, T, at
from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import CAUSES, Cause, Gravity
from tinypool_nb.core.diagnosis.diagnose import diagnose
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.core.options import PoolOptions

REFUSED = f"UNKNOWN: {PEER}: Failed to connect to remote host: Connection refused"
NO_SETTINGS = f"UNKNOWN: {PEER}: connection attempt timed out before receiving SETTINGS frame"
CLOSED = f"UNAVAILABLE: {PEER}: Socket closed"
SSL = "Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal"

# As grpcio 1.85.1 said it; tests/channels/test_reasons.py makes each happen and holds these words to what is said then.
REASONS = [
    (REFUSED, Cause.REFUSED),
    (
        (
            "UNAVAILABLE: errors resolving nosuch.invalid:50051: [field:hostname lookup error:"
            "address lookup failed for nosuch.invalid:50051: Domain name not found]"
        ),
        Cause.UNRESOLVED,
    ),
    (f"UNKNOWN: {PEER}: Failed to connect to remote host: getsockopt(SO_ERROR): No route to host", Cause.UNREACHABLE),
    (f"FAILED_PRECONDITION: {PEER}: connect failed: addr: {PEER} error: Network is unreachable", Cause.UNREACHABLE),
    (f"UNKNOWN: {PEER}: Failed to connect to remote host: connect() timed out", Cause.UNREACHABLE),
    (f"UNKNOWN: {PEER}: Failed to connect to remote host: getsockopt(SO_ERROR): Connection timed out", Cause.UNREACHABLE),
    (f"UNKNOWN: {PEER}: tcp handshaker shutdown", Cause.UNREACHABLE),
    (NO_SETTINGS, Cause.HANDSHAKE_HANGS),
    (f"UNAVAILABLE: {PEER}: Handshake read failed (Endpoint closing)", Cause.HANDSHAKE_HANGS),
    (
        (
            f"INTERNAL: {PEER}: Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 80) "
            "(Trying to connect an http1.x server (HTTP status 400))"
        ),
        Cause.NOT_HTTP2,
    ),
    (f"UNAVAILABLE: {PEER}: Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 45)", Cause.NOT_HTTP2),
    (CLOSED, Cause.HANGS_UP),
    (f"UNAVAILABLE: {PEER}: recvmsg:Connection reset by peer (104)", Cause.HANGS_UP),
    (f"UNKNOWN: {PEER}: Failed to connect to remote host: getsockopt(SO_ERROR): Connection reset by peer", Cause.HANGS_UP),
    (
        "FAILED_PRECONDITION: unix:/run/none.sock: connect failed: addr: unix:/run/none.sock error: No such file or directory",
        Cause.NO_SOCKET,
    ),
    (f"UNKNOWN: {PEER}: {SSL}:CERTIFICATE_VERIFY_FAILED: certificate has expired: OK", Cause.CERTIFICATE_EXPIRED),
    (f"UNKNOWN: {PEER}: {SSL}:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate: OK", Cause.CERTIFICATE_AUTHORITY),
    (
        f"UNKNOWN: {PEER}: Custom verification check failed with error: UNAUTHENTICATED: Hostname Verification Check failed.",
        Cause.CERTIFICATE_NAME,
    ),
    (f"UNKNOWN: {PEER}: {SSL}:WRONG_VERSION_NUMBER: Invalid certificate verification context: OK", Cause.TLS_NOT_EXPECTED),
    (f"INTERNAL: {PEER}: something that no version has said yet", Cause.FAILS),
]


def failing(reason: str, *, transport: str = "plaintext", address: str = "127.0.0.1:21500") -> Recorded:
    told = f"UNAVAILABLE: failed to connect to all addresses; last error: {reason}"
    return Recorded(transport=transport, address=address).walk((0, IDLE), (1, C), (1.1, T, told)).failed(1, 1.1, reason)


@pytest.mark.parametrize(("reason", "cause"), REASONS)
def test_each_reason_has_its_cause(reason: str, cause: Cause) -> None:
    diagnosis = failing(reason).diagnosis(2)
    first = diagnosis.findings[0]
    assert (first.cause, first.now, first.since, first.gravity) == (cause, True, at(1.1), Gravity.BROKEN)
    assert diagnosis.broken
    assert diagnosis.verdict == f"cannot be reached: {cause}"
    assert [finding.cause for finding in diagnosis.findings[1:]] in ([Cause.BACKOFF], [Cause.CONNECTING])


def test_the_values_stand_in_the_sentence() -> None:
    record = failing(REFUSED).failed(2, 2.1, REFUSED).failed(3, 3.1, REFUSED)
    assert record.diagnosis(4).findings[0].text == (f"{PEER} refuses: the machine answers, but nothing listens at that port (3 attempts).")
    assert "HTTP/1.1" in failing(REASONS[9][0]).diagnosis(2).findings[0].text
    assert (
        "http-module.example" in failing(REASONS[17][0], address="http-module.example:50051", transport="TLS").diagnosis(2).findings[0].text
    )


def test_what_is_over_is_told_as_past() -> None:
    record = failing(REFUSED).walk((5, R)).connected(4.9, 5)
    diagnosis = record.diagnosis(10)
    assert [(finding.cause, finding.since, finding.until) for finding in diagnosis.findings] == [(Cause.REFUSED, at(1.1), at(5))]
    assert diagnosis.verdict == "nothing wrong"
    assert not diagnosis.broken


def test_the_freshest_reason_counts() -> None:
    record = failing(REFUSED).failed(2, 2.1, CLOSED)
    now = [finding.cause for finding in record.diagnosis(3).findings if finding.now]
    assert now == [Cause.HANGS_UP, Cause.CONNECTING]
    past = [finding for finding in record.diagnosis(3).findings if not finding.now]
    assert [finding.cause for finding in past] == [Cause.REFUSED]


def test_another_address_ends_what_was_wrong_with_the_old_one() -> None:
    record = failing(REFUSED).replaced(address="127.0.0.1:21501").walk((5, IDLE))
    refused = record.diagnosis(6).findings[-1]
    assert (refused.cause, refused.until) == (Cause.REFUSED, at(5))


def test_a_killed_peer_was_ready_and_then_refuses() -> None:
    record = (
        Recorded().walk((0, IDLE), (1, C), (1.1, R), (5, IDLE), (5.1, C), (5.2, T, REFUSED)).connected(1, 1.1).failed(5.1, 5.2, REFUSED)
    )
    (killed, *_) = record.diagnosis(6).findings
    assert (killed.cause, killed.known, killed.since) == (Cause.KILLED, Evidence.INFERRED, at(5))
    assert killed.evidence[0].text == "READY to IDLE"


def test_a_frozen_peer_was_ready_and_then_says_nothing() -> None:
    record = Recorded().walk((0, IDLE), (1, C), (1.1, R), (5, C), (6, T, NO_SETTINGS)).connected(1, 1.1).failed(5, 6, NO_SETTINGS)
    (frozen, *_) = record.diagnosis(7).findings
    assert (frozen.cause, frozen.known, frozen.since) == (Cause.FROZEN, Evidence.INFERRED, at(5))


def test_tls_is_expected_if_the_address_speaks_it() -> None:
    assert "tls=tp.Tls" in failing(CLOSED).diagnosis(2).findings[0].advice
    spoken = failing(CLOSED).looked(2, Subject.TLS, "TLSv1.3").diagnosis(2)
    assert (spoken.findings[0].cause, spoken.findings[0].evidence[-1].text) == (Cause.TLS_EXPECTED, "tls: TLSv1.3")
    silent = failing(CLOSED).looked(2, Subject.TLS, "").diagnosis(2)
    assert silent.findings[0].cause is Cause.HANGS_UP
    assert "not speak TLS" in silent.findings[0].advice


def test_a_peer_that_hangs_up_on_tls_asks_for_a_certificate_mostly() -> None:
    (finding, *_) = failing(CLOSED, transport="TLS").diagnosis(2).findings
    assert (finding.cause, finding.known) == (Cause.CLIENT_CERTIFICATE, Evidence.INFERRED)


def test_with_round_robin_one_endpoint_may_fail_while_another_serves() -> None:
    other = "ipv4:127.0.0.1:21501"
    record = Recorded(options=PoolOptions(load_balancing="round_robin")).walk((0, IDLE), (1, C), (1.1, R))
    record.connected(1, 1.1, peer=other).failed(1, 1.2, REFUSED).failed(2, 2.2, REFUSED)
    (refused,) = record.diagnosis(3).findings
    assert (refused.cause, refused.now, refused.gravity) == (Cause.REFUSED, True, Gravity.TROUBLE)
    assert record.diagnosis(3).verdict == "in trouble: refused"
    assert not record.connected(3, 3.1).diagnosis(4).findings[0].now


def test_without_evidence_there_is_no_finding() -> None:
    assert diagnose(Case(KEY, None, at(0))).findings == ()
    healthy = Recorded().walk((0, IDLE), (1, C), (1.1, R)).connected(1, 1.1).diagnosis(100)
    assert healthy.findings == ()
    assert healthy.verdict == "nothing wrong"
    assert healthy.judged_by == "3 transitions, 1 attempt, 0 calls, 0 marks, no observations"


def test_every_cause_says_what_to_read() -> None:
    assert set(CAUSES) == set(Cause)
    assert all(about.see.url.startswith("https://") for about in CAUSES.values())
