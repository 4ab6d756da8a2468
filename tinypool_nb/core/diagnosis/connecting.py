"""Why a module cannot be connected to: runs of failed attempts, each with what it says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from tinypool_nb.core.diagnosis.case import Case, of_attempt, of_observation, of_transition, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding, Reference
from tinypool_nb.core.diagnosis.reasons import cause_of
from tinypool_nb.core.diagnosis.wording import attempts_text, host_of, seconds_text
from tinypool_nb.core.events import Attempt, Evidence, Outcome, Subject, Transition
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.states import State
from tinypool_nb.core.tls import Transport

AT_MOST = 3
"""Runs that are over and are still told, the last ones."""


class Run(NamedTuple):
    """Attempts that failed for one cause, without a success in between."""

    case: Case
    cause: Cause
    attempts: tuple[Attempt, ...]
    until: int | None
    """When it was over; None if it goes on."""

    @property
    def since(self) -> int:
        """When the first of them failed."""
        return self.attempts[0].end

    @property
    def last(self) -> Attempt:
        """The last of them, whose reason is the freshest."""
        return self.attempts[-1]

    @property
    def peer(self) -> str:
        """Who was tried last."""
        return self.last.peer


def findings(case: Case) -> Iterator[Finding]:
    """Why attempts fail, and why they did. One that is so now means that the module, or one of its endpoints, cannot be reached."""
    now, past = _runs(case)
    for run in [*past[-AT_MOST:], *now]:
        yield _finding(run)


def _runs(case: Case) -> tuple[list[Run], list[Run]]:
    """Those that go on, one a cause, and those that are over."""
    now: list[Run] = []
    past: list[Run] = []
    stretches = [list(rows) for _, rows in groupby(case.failed, key=lambda row: (_success(case, row), row.channel.address))]
    for rows in stretches:
        until = _over(case, rows)
        by_cause: dict[Cause, list[Attempt]] = {}
        for row in rows:
            by_cause.setdefault(cause_of(row.reason), []).append(row)
        runs = [Run(case, cause, tuple(those), until) for cause, those in by_cause.items()]
        if until is not None:
            past += runs
            continue
        # Of several causes in one failing stretch those count as of now that the last attempts of the present addresses gave.
        present = {cause_of(row.reason) for row in {(row.peer): row for row in rows}.values()}
        latest = max(run.last.end for run in runs if run.cause in present)
        now += [run for run in runs if run.cause in present]
        past += [run._replace(until=max(run.last.end, min(latest, case.now))) for run in runs if run.cause not in present]
    return now, past


def _success(case: Case, failed: Attempt) -> int | None:
    """When what had failed succeeded: with round_robin each endpoint for itself, else any of them."""
    if not _each_for_itself(case, failed):
        return case.ready_after(failed.end)
    return next(
        (row.end for row in case.attempts if row.outcome is Outcome.READY and row.peer == failed.peer and row.end >= failed.end), None
    )


def _each_for_itself(case: Case, failed: Attempt) -> bool:
    return case.options.load_balancing == "round_robin" and bool(failed.peer)


def _over(case: Case, rows: Sequence[Attempt]) -> int | None:
    """When a stretch of failures ended: by success, by another address, or since nobody tries any more."""
    last = rows[-1]
    ready = _success(case, last)
    if ready is not None:
        return ready
    if case.channel is None or last.channel.key != case.key:
        return last.end
    if last.channel.address != case.address or case.state is State.SHUTDOWN:
        began = next((row.time for row in case.transitions if row.channel.number > last.channel.number), None)
        return began if began is not None else case.opening.time if case.opening is not None else last.end
    if case.state is State.READY and not _each_for_itself(
        case, last
    ):  # and the row that says so has gone, or another address of the name is connected
        return case.opening.time if case.opening is not None and case.opening.time >= last.end else last.end
    return None


def _finding(run: Run) -> Finding:
    told = _TELL.get(run.cause, _fails)(run)
    references = [*told.more, *spread([of_attempt(row) for row in run.attempts], 3)]
    return Finding(
        run.case.key,
        told.cause,
        told.text,
        tuple(sorted(references, key=lambda row: row.time)),
        told.advice,
        run.since if told.since is None else told.since,
        run.until,
        told.known,
        partly=run.until is None and run.case.state is State.READY,
    )


class _Told(NamedTuple):
    cause: Cause
    text: str
    advice: str
    known: Evidence = Evidence.SEEN
    more: tuple[Reference, ...] = ()
    since: int | None = None


def _whom(run: Run) -> str:
    return run.peer or run.last.channel.address


def _lost_before(run: Run) -> Transition | None:
    """The row in which the connection was lost that this run failed to get back; None if there was none before."""
    first = run.attempts[0]
    before = [row for row in run.case.own if row.time <= first.end and row.channel == first.channel]
    return next((row for row in reversed(before) if row.previous is State.READY and row.state is not State.SHUTDOWN), None)


def _refused(run: Run) -> _Told:
    lost, many = _lost_before(run), attempts_text(len(run.attempts))
    if lost is not None:
        ended = f"was connected to {_whom(run)} until the connection was lost, and since then the port refuses ({many})"
        return _Told(
            Cause.KILLED,
            f"{run.case.key} {ended}: its process has ended.",
            "Start the module again. gRPC tries by itself; pool.reconnect(name) tries at once.",
            Evidence.INFERRED,
            (of_transition(lost),),
            lost.time,
        )
    text = f"{_whom(run)} refuses: the machine answers, but nothing listens at that port ({many})."
    return _Told(Cause.REFUSED, text, "Is the module started, and does it listen at this port and address (not only at its own 127.0.0.1)?")


def _unresolved(run: Run) -> _Told:
    host = host_of(run.last.channel.address)
    name = f"The name {host}" if host else f"The address {run.last.channel.address}"
    advice = "Check the spelling. A bare service name resolves only inside its cluster and namespace; from elsewhere write the full name."
    return _Told(Cause.UNRESOLVED, f"{name} does not resolve: {_last_words(run.last.reason)}.", advice)


def _last_words(reason: str) -> str:
    """What the resolver said itself, behind what gRPC core put before it."""
    return shown_reason(reason.rstrip("]. ").rpartition(": ")[2] or reason, 200)


def _unreachable(run: Run) -> _Told:
    words = run.last.reason
    if "route" in words or "unreachable" in words:
        how, advice = (
            "there is no way to it from here",
            "Check the network: a route, a VPN, a pod's address that is used from outside its cluster.",
        )
    else:
        how = f"nothing answers, not even to refuse (given up after {_took(run)})"
        advice = "A firewall or network policy drops the packets, or the machine is down or its address wrong."
    return _Told(Cause.UNREACHABLE, f"{_whom(run)} is unreachable: {how}, {attempts_text(len(run.attempts))}.", advice)


def _took(run: Run) -> str:
    start = run.last.start
    return seconds_text(run.case.options.backoff.min_connect_timeout if start is None else (run.last.end - start) / 1e9)


def _hangs(run: Run) -> _Told:
    lost = _lost_before(run)
    if lost is not None:
        text = (
            f"{_whom(run)} is frozen: it was connected and stopped to answer; "
            f"its machine still accepts connections, but its process says nothing ({attempts_text(len(run.attempts))})."
        )
        advice = (
            "The process hangs, is stopped (SIGSTOP, a debugger) or gets no processor. Look at it on its machine; gRPC tries by itself."
        )
        return _Told(Cause.FROZEN, text, advice, Evidence.INFERRED, (of_transition(lost),), lost.time)
    tls = run.last.channel.transport != Transport.PLAINTEXT
    what = "a TLS handshake" if tls else "HTTP/2 SETTINGS"
    text = f"{_whom(run)} accepts the connection and then says nothing: {what} did not come within {_took(run)}."
    advice = "The process hangs, or the port belongs to a proxy or a server that speaks another protocol and waits for the client."
    return _Told(Cause.HANDSHAKE_HANGS, text, advice)


def _not_http2(run: Run) -> _Told:
    http1 = "http1.x" in run.last.reason or "frame type 80" in run.last.reason
    what = "HTTP/1.1" if http1 else "another protocol than HTTP/2"
    advice = "It is another port of the module (its web page, its metrics), or a proxy that does not speak HTTP/2 to the module."
    return _Told(Cause.NOT_HTTP2, f"{_whom(run)} answers in {what}, so it is no gRPC server: {shown_reason(run.last.reason, 200)}", advice)


def _authority(run: Run) -> _Told:
    text = f"The certificate of {_whom(run)} comes from an authority that is not trusted here (unable to get local issuer certificate)."
    return _Told(Cause.CERTIFICATE_AUTHORITY, text, "Trust its authority: tp.Tls(roots=...) with the CA's PEM file.")


def _name(run: Run) -> _Told:
    asked = "" if run.case.options.tls is None else run.case.options.tls.server_name or ""
    expected = asked or host_of(run.last.channel.address) or "the host of the address"
    text = f"The certificate of {_whom(run)} is valid, but for another name than {expected}."
    return _Told(
        Cause.CERTIFICATE_NAME, text, "Say the name that stands in the certificate: tp.Tls(server_name=...), or address the module by it."
    )


def _expired(run: Run) -> _Told:
    text = f"The certificate of {_whom(run)} has expired."
    if "not yet valid" in run.last.reason:
        text = f"The certificate of {_whom(run)} is not valid yet."
    return _Told(Cause.CERTIFICATE_EXPIRED, text, "Renew the module's certificate, and check the clocks of both machines.")


def _tls_not_expected(run: Run) -> _Told:
    text = f"{_whom(run)} is not TLS: it answered the TLS hello in plaintext (WRONG_VERSION_NUMBER)."
    return _Told(Cause.TLS_NOT_EXPECTED, text, "Register the module without tls, or have it serve TLS at this port.")


def _client_certificate(run: Run) -> _Told:
    text = f"{_whom(run)} hangs up in the TLS handshake: {shown_reason(run.last.reason, 200)}"
    advice = "Mostly it asks its clients for a certificate: tp.Tls(certificate=..., key=...); the module's log says why it hung up."
    return _Told(Cause.CLIENT_CERTIFICATE, text, advice, Evidence.INFERRED)


def _hangs_up(run: Run) -> _Told:
    if run.last.channel.transport != Transport.PLAINTEXT:
        return _client_certificate(run)
    probe = next(iter(run.case.observed(Subject.TLS)), None) if run.until is None else None
    if probe is not None and probe.text:
        text = f"{_whom(run)} speaks {probe.text}, and this connection is plaintext: it hangs up."
        advice = "Register the module with tls=tp.Tls(...)."
        return _Told(Cause.TLS_EXPECTED, text, advice, Evidence.SEEN, (of_observation(probe),))
    seen = () if probe is None else (of_observation(probe),)
    text = f"{_whom(run)} accepts the connection and ends it before it has said anything ({shown_reason(run.last.reason, 160)})."
    first = "If the module serves TLS, register it with tls=tp.Tls(...). Else" if probe is None else "It does not speak TLS either:"
    advice = f"{first} a proxy in front of it has nobody behind it, or the module refuses at its limit; see its log."
    return _Told(Cause.HANGS_UP, text, advice, Evidence.SEEN, seen)


def _no_socket(run: Run) -> _Told:
    text = f"{_whom(run)} is not there: no such file, so nothing listens on that Unix socket."
    return _Told(
        Cause.NO_SOCKET, text, "Is the module started on this machine, and is its socket at this path (and visible in this container)?"
    )


def _fails(run: Run) -> _Told:
    text = f"{_whom(run)} cannot be connected to: {shown_reason(run.last.reason, 300)}"
    return _Told(Cause.FAILS, text, "Look the reason up, and see the module's own log.")


_TELL: Mapping[Cause, Callable[[Run], _Told]] = {
    Cause.UNRESOLVED: _unresolved,
    Cause.REFUSED: _refused,
    Cause.NO_SOCKET: _no_socket,
    Cause.UNREACHABLE: _unreachable,
    Cause.HANDSHAKE_HANGS: _hangs,
    Cause.NOT_HTTP2: _not_http2,
    Cause.TLS_NOT_EXPECTED: _tls_not_expected,
    Cause.CERTIFICATE_AUTHORITY: _authority,
    Cause.CERTIFICATE_NAME: _name,
    Cause.CERTIFICATE_EXPIRED: _expired,
    Cause.CLIENT_CERTIFICATE: _client_certificate,
    Cause.HANGS_UP: _hangs_up,
    Cause.FAILS: _fails,
}
