import pytest

from tinypool_nb.core.codes import Code
from tinypool_nb.core.failures import not_ready, send_error, shown_reason
from tinypool_nb.errors import Failure, MessageTooLargeError, ModuleBusyError, SendError, TinypoolError


def failure(code: str = "UNAVAILABLE", reason: str = "refused", *, state: str = "READY", last: str = "") -> Failure:
    return Failure("http-module-v1", "127.0.0.1:50051", state, code, reason, last)


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
@pytest.mark.parametrize("wire", ["message", "send"])
@pytest.mark.parametrize("timeout", [None, 1.5])
def test_each_code_has_an_error_whose_message_ends_with_what_to_do(code: Code, wire: str, timeout: float | None) -> None:
    error = send_error(failure(code), wire=wire, timeout=timeout)  # type: ignore[arg-type]
    assert isinstance(error, SendError)
    assert isinstance(error, TinypoolError)
    assert str(error).startswith("module 'http-module-v1' at 127.0.0.1:50051 ")
    assert code in str(error)
    assert "; " in str(error)
    assert error.failure == failure(code)


@pytest.mark.parametrize(
    "reason",
    [
        "Stream removed (CLIENT: Received message larger than max (5000005 vs. 4194304))",
        "SERVER: Sent message larger than max (5000005 vs. 4194304)",
        "grpc: received message larger than max (5 vs. 4)",
        "trying to send message larger than max (5 vs. 4)",
    ],
)
def test_what_exceeds_a_size_is_told_from_what_exceeds_a_quota(reason: str) -> None:
    assert type(send_error(failure("RESOURCE_EXHAUSTED", reason), wire="send", timeout=None)) is MessageTooLargeError
    assert type(send_error(failure("RESOURCE_EXHAUSTED", "quota"), wire="send", timeout=None)) is ModuleBusyError


def test_the_last_failure_of_the_connection_is_told_once() -> None:
    told = str(send_error(failure(reason="a", last="UNAVAILABLE: b"), wire="message", timeout=1))
    assert "it last failed with: UNAVAILABLE: b" in told
    assert "last failed" not in str(send_error(failure(reason="it is b, again", last="UNAVAILABLE: b"), wire="message", timeout=1))
    assert "it last failed with: b" in str(not_ready(failure("", "", state="CONNECTING", last="b")))


@pytest.mark.parametrize(
    "reason",
    [
        "last error: UNKNOWN: ipv4:127.0.0.1:1: Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL",
        "ipv4:127.0.0.1:1: Custom verification check failed with error: UNAUTHENTICATED: Hostname Verification Check failed.",
    ],
)
def test_who_is_not_trusted_is_not_waited_for(reason: str) -> None:
    told = str(send_error(failure(reason=reason, state="TRANSIENT_FAILURE"), wire="message", timeout=1))
    assert told.endswith("see roots= and server_name= of tp.Tls")


@pytest.mark.parametrize("hostile", ["a\nb", "\x1b[31mred", "\u202etxt", "x" * 10_000])
def test_a_foreign_reason_stays_on_one_line_and_short(hostile: str) -> None:
    told = shown_reason(hostile)
    assert told.isprintable()
    assert len(told) <= 400
