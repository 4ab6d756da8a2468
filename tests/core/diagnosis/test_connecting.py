"""Why a module cannot be connected to, from what gRPC core said when it could not."""

from dataclasses import replace

import pytest

from tests.core.diagnosis.conftest import IDLE, KEY, PEER, C, R, Recorded, T, at
from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import CAUSES, Cause, Gravity
from tinypool_nb.core.diagnosis.diagnose import diagnose
from tinypool_nb.core.diagnosis.reasons import cause_of
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.tls import Tls

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
    (f"UNAVAILABLE: {PEER}: Delayed close due to in-progress write (ping timeout) (goaway sent)", Cause.HANDSHAKE_HANGS),
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


def test_the_name_that_a_certificate_should_have() -> None:
    def told(tls: Tls | None) -> str:
        record = failing(REASONS[17][0], address="http-module.example:50051", transport="TLS")
        record.options = replace(record.options, tls=tls)
        return record.diagnosis(2).findings[0].text

    assert "than http-module.example." in told(Tls())
    assert "than api.example." in told(Tls(server_name="api.example"))
    assert "than the one that was asked for." in told(None), "a recording whose settings nobody knows"
    record = failing(REASONS[17][0], transport="TLS").replaced().walk((5, IDLE))
    record.options = replace(record.options, tls=Tls(server_name="corrected.example"))
    assert "than the one that was asked for." in record.diagnosis(6).findings[0].text


def test_tls_without_http2_says_so() -> None:
    (finding, *_) = failing(f"UNKNOWN: {PEER}: Cannot check peer: missing selected ALPN property.", transport="TLS").diagnosis(2).findings
    assert finding.cause is Cause.NOT_HTTP2
    assert "speaks TLS, but no HTTP/2 in it" in finding.text


SOCKET = "unix:/run/resolver/timed out/ALPN.sock"


@pytest.mark.parametrize(
    ("error", "cause"), [("No such file or directory", Cause.NO_SOCKET), ("Connection refused", Cause.REFUSED), ("odd", Cause.FAILS)]
)
def test_what_a_peer_is_called_is_no_reason(error: str, cause: Cause) -> None:
    reason = f"FAILED_PRECONDITION: {SOCKET}: connect failed: addr: {SOCKET} error: {error}"
    assert cause_of(reason, peer=SOCKET, address=SOCKET) is cause
    record = Recorded(address=SOCKET).walk((0, IDLE), (1, C), (1.1, T, reason)).failed(1, 1.1, reason, peer=SOCKET)
    assert record.diagnosis(2).findings[0].cause is cause
    assert "at that port" not in record.diagnosis(2).findings[0].text


def test_what_a_name_is_called_is_no_reason() -> None:
    address = "dns://127.0.0.1:53/HTTP_REQUEST:50051"
    reason = "UNAVAILABLE: errors resolving HTTP_REQUEST:50051: [field:hostname error: Domain name not found]"
    assert cause_of(reason, address=address) is Cause.UNRESOLVED
    assert cause_of(reason.replace("HTTP_REQUEST", "ALPN"), address="api:1", proxy="ALPN:50051") is Cause.PROXY_FAILS


PROXY = "127.0.0.1:3128"
AT_THE_PROXY = "ipv4:127.0.0.1:3128"

# As grpcio 1.85.1 said it of proxies in the way; tests/channels/test_explaining_proxies.py makes each happen.
THROUGH = [
    (f"UNKNOWN: {AT_THE_PROXY}: Failed to connect to remote host: Connection refused", Cause.PROXY_FAILS, "nothing listens at that port"),
    (f"UNAVAILABLE: {AT_THE_PROXY}: Endpoint closing", Cause.PROXY_FAILS, "does not answer CONNECT within 0.1 s"),
    (f"UNKNOWN: {AT_THE_PROXY}: Expected 'H'", Cause.PROXY_FAILS, "not answer as an HTTP proxy does (Expected 'H')"),
    (f"UNKNOWN: {AT_THE_PROXY}: HTTP proxy returned response code 407", Cause.PROXY_FAILS, "asks who you are"),
    (f"UNKNOWN: {AT_THE_PROXY}: HTTP proxy returned response code 400", Cause.PROXY_FAILS, "with status 400"),
    (f"UNKNOWN: {AT_THE_PROXY}: HTTP proxy returned response code 502", Cause.UNREACHABLE, "does not get to api:50051 (status 502)"),
    (f"UNKNOWN: {AT_THE_PROXY}: tcp handshaker shutdown", Cause.PROXY_FAILS, "not even to refuse"),
    (f"FAILED_PRECONDITION: {AT_THE_PROXY}: connect failed: error: Network is unreachable", Cause.PROXY_FAILS, "there is no way to it"),
    (f"UNAVAILABLE: {AT_THE_PROXY}: Socket closed", Cause.HANGS_UP, "does not say which of them"),
    (f"UNKNOWN: {AT_THE_PROXY}: connection attempt timed out before receiving SETTINGS frame", Cause.HANDSHAKE_HANGS, "api:50051, behind"),
    (f"UNAVAILABLE: {AT_THE_PROXY}: Failed parsing HTTP/2 (Expected SETTINGS frame)", Cause.NOT_HTTP2, "api:50051, behind the proxy"),
]


@pytest.mark.parametrize(("reason", "cause", "words"), THROUGH)
def test_a_proxy_in_the_way(reason: str, cause: Cause, words: str) -> None:
    record = Recorded(address="api:50051", transport=f"plaintext through proxy {PROXY}")
    record.walk((0, IDLE), (1, C), (1.1, T, reason)).failed(1, 1.1, reason, peer=AT_THE_PROXY)
    finding = record.diagnosis(2).findings[0]
    assert (finding.cause, finding.now, finding.gravity) == (cause, True, Gravity.BROKEN)
    assert words in finding.text
    assert PROXY in finding.text
    lost = Recorded(address="api:50051", transport=f"plaintext through proxy {PROXY}").walk((0, IDLE), (0.1, C), (0.2, R), (1, C))
    lost.walk((1.1, T, reason)).connected(0.1, 0.2, peer=AT_THE_PROXY).failed(1, 1.1, reason, peer=AT_THE_PROXY)
    assert lost.diagnosis(2).findings[0].cause is (Cause.FROZEN if cause is Cause.HANDSHAKE_HANGS else cause), "never killed"


def test_the_proxy_s_name_does_not_resolve() -> None:
    reason = "UNAVAILABLE: errors resolving proxy.example:3128: [field:hostname lookup error: Domain name not found]"
    record = Recorded(address="api:50051", transport="TLS through proxy proxy.example:3128").walk((0, IDLE), (1, C), (1.1, T, reason))
    (finding, *_) = record.failed(1, 1.1, reason, peer="").diagnosis(2).findings
    assert finding.cause is Cause.PROXY_FAILS
    assert "the proxy proxy.example:3128 has a name that does not resolve (Domain name not found)" in finding.text


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
    for transport in ("TLS", "mutual TLS through proxy 127.0.0.1:3128"):
        (finding, *_) = failing(CLOSED, transport=transport).diagnosis(2).findings
        assert (finding.cause, finding.known) == (Cause.CLIENT_CERTIFICATE, Evidence.INFERRED)
    (finding, *_) = failing(CLOSED, transport="plaintext through proxy 127.0.0.1:3128").diagnosis(2).findings
    assert finding.cause is Cause.HANGS_UP


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
