"""From a status code to the error that a sender can act on: the one place that knows which code means what to do.

Source: the page's Error Handling; grpc/grpc `doc/statuscodes.md`.
"""

import re
from collections.abc import Callable
from typing import Literal

from tinypool_nb.core.codes import Code
from tinypool_nb.core.states import State
from tinypool_nb.errors import (
    AccessError,
    CallCancelledError,
    Failure,
    MessageRefusedError,
    MessageTooLargeError,
    ModuleBusyError,
    ModuleFailedError,
    NotReadyError,
    SendError,
    SendTimeoutError,
    UnavailableError,
    WireFormError,
    said,
    shown,
)

Wire = Literal["message", "send"]
"""The form of a module's wire: `Message` as modules in the field serve it, or `Send` as the docs describe it."""

_TOO_LARGE = re.compile(r"message (is )?larger than|larger than max|exceeds.*(size|limit)|too large", re.IGNORECASE)
_NO_TRUST = re.compile(r"tls handshake failed|verification check failed", re.IGNORECASE)
"""How core says that two do not agree on their transport security: waiting helps nobody then."""
_PROXY = re.compile(r"HTTP proxy returned response code (\d+)")
_BY_PROXY = {
    403: "the proxy lets nobody through to this address: allow it there",
    407: "the proxy asks who you are: tp.PoolOptions(proxy='http://user:password@host:port')",
}
_PROXY_CANNOT = "the proxy does not get there: does the name resolve where it runs, and is the module up?"
_CODE = re.compile(r"^[A-Z_]+: ")


def other_wire(wire: Wire) -> Wire:
    """The form that this one is not."""
    return "send" if wire == "message" else "message"


def not_ready(failure: Failure) -> NotReadyError:
    """The error for a connection that is neither READY nor IDLE, before anything was sent."""
    return NotReadyError(
        f"{_whom(failure)} is not ready: its connection is {failure.state}, so nothing was sent{_last(failure)}; "
        "wait_for_ready=True waits for it instead",
        failure,
    )


def send_error(failure: Failure, *, wire: Wire, timeout: float | None) -> SendError:
    """The error for a call that ended with another code than OK.

    Args:
        failure: what was known at that moment.
        wire: the form in which the message was sent.
        timeout: seconds that the call had; None for no end.

    >>> failure = Failure("http-module-v1", "127.0.0.1:50051", "READY", "NOT_FOUND", "no such port", "")
    >>> send_error(failure, wire="message", timeout=10.0)
    MessageRefusedError("module 'http-module-v1' at 127.0.0.1:50051 refused the message: NOT_FOUND, no such port; correct the message")
    """
    code = Code(failure.code)
    kind, what, advice = _RULES[code](failure, wire, timeout)
    told = f"{_whom(failure)} {what}: {code}{f', {shown_reason(failure.reason)}' if failure.reason else ''}"
    if kind in _OF_CONNECTIONS:
        told += f"; its connection is {failure.state}{_last(failure)}"
        if failure.state == State.SHUTDOWN:
            advice = _GONE
    return kind(f"{told}; {advice}", failure)


def answered_error(failure: Failure) -> ModuleFailedError:
    """The error for a module that answered, with a text in the answer's field `error`."""
    return ModuleFailedError(f"{_whom(failure)} answered with an error: {shown_reason(failure.reason)}; see the module's own log", failure)


shown_reason = said
"""A foreign reason on one line, cut, for a message."""


def _whom(failure: Failure) -> str:
    return f"module {shown(failure.module)} at {failure.address}"


def _last(failure: Failure) -> str:
    """The last failure of the connection, where it says more than the reason does."""
    said = _CODE.sub("", failure.last_failure)  # a connection's reason begins with its code, a call's does not
    new = said and said not in failure.reason
    return f"; it last failed with: {shown_reason(failure.last_failure)}" if new else ""


Ruling = tuple[type[SendError], str, str]
"""The class, what the module did, what to do."""
Rule = Callable[[Failure, Wire, float | None], Ruling]


def _always(kind: type[SendError], what: str, advice: str) -> Rule:
    return lambda _failure, _wire, _timeout: (kind, what, advice)


def _exhausted(failure: Failure, _wire: Wire, _timeout: float | None) -> Ruling:
    if _TOO_LARGE.search(failure.reason):
        return MessageTooLargeError, "did not get or give a message of that size", "send less; the connection is sound"
    return ModuleBusyError, "is out of something it needs", "send more slowly, or give it more"


def _unimplemented(_failure: Failure, wire: Wire, _timeout: float | None) -> Ruling:
    return WireFormError, f"does not serve wire={wire!r}", f"try the other form: wire={other_wire(wire)!r}"


def _timed_out(failure: Failure, _wire: Wire, timeout: float | None) -> Ruling:
    within = "in time" if timeout is None else f"within {timeout:g} s"
    advice = "give it longer with timeout=" if failure.state == "READY" else "it had no connection: pool.health_check() asks it to connect"
    return SendTimeoutError, f"did not answer {within}", advice


def _unavailable(failure: Failure, _wire: Wire, _timeout: float | None) -> Ruling:
    if _NO_TRUST.search(failure.reason):
        return UnavailableError, "cannot be connected to securely", "the module is there: see roots= and server_name= of tp.Tls"
    if refusal := _PROXY.search(failure.reason):
        return UnavailableError, "cannot be reached through the proxy", _BY_PROXY.get(int(refusal[1]), _PROXY_CANNOT)
    return UnavailableError, "is not available", "wait_for_ready=True waits until it is back, pool.reconnect(name) tries at once"


_CANCELLED = _always(CallCancelledError, "was not waited for", "send again")
_REFUSED = _always(MessageRefusedError, "refused the message", "correct the message")
_NO_ACCESS = _always(AccessError, "does not let this caller in", "show who you are, for example with tp.Tls(certificate=..., key=...)")
_FAILED = _always(ModuleFailedError, "failed", "see the module's own log")

_RULES: dict[Code, Rule] = {
    Code.CANCELLED: _CANCELLED,
    Code.UNKNOWN: _FAILED,
    Code.INVALID_ARGUMENT: _REFUSED,
    Code.DEADLINE_EXCEEDED: _timed_out,
    Code.NOT_FOUND: _REFUSED,
    Code.ALREADY_EXISTS: _REFUSED,
    Code.PERMISSION_DENIED: _NO_ACCESS,
    Code.RESOURCE_EXHAUSTED: _exhausted,
    Code.FAILED_PRECONDITION: _REFUSED,
    Code.ABORTED: _FAILED,
    Code.OUT_OF_RANGE: _REFUSED,
    Code.UNIMPLEMENTED: _unimplemented,
    Code.INTERNAL: _FAILED,
    Code.UNAVAILABLE: _unavailable,
    Code.DATA_LOSS: _FAILED,
    Code.UNAUTHENTICATED: _NO_ACCESS,
}
_GONE = "the module was unregistered or the pool closed meanwhile: register it again"
_OF_CONNECTIONS = frozenset({UnavailableError, SendTimeoutError, CallCancelledError})
"""Errors in which the state of the connection may be the cause."""
