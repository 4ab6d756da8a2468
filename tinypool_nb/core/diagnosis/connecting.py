"""Why a module cannot be connected to: runs of failed attempts, each with what it says."""

from collections.abc import Callable, Iterator, Mapping

from tinypool_nb.core.diagnosis import proxied
from tinypool_nb.core.diagnosis.case import Case, of_attempt, of_observation, of_transition, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.diagnosis.runs import Run, Told, runs
from tinypool_nb.core.diagnosis.wording import attempts_text, host_of
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.states import State

AT_MOST = 3
"""Runs that are over and are still told, the last ones."""
_WITH_TLS = "options=tp.PoolOptions(tls=tp.Tls(...)); in a shell, --tls or --ca FILE"


def findings(case: Case) -> Iterator[Finding]:
    """Why attempts fail, and why they did. One that is so now means that the module, or one of its endpoints, cannot be reached."""
    now, past = runs(case)
    for run in [*past[-AT_MOST:], *now]:
        yield _finding(run)


def _finding(run: Run) -> Finding:
    told = _TELL.get(run.cause, _fails)(run)
    references = [*told.more, *map(of_attempt, spread(run.attempts, 3))]
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


def _refused(run: Run) -> Told:
    lost, many = run.lost, attempts_text(len(run.attempts))
    socket = run.peer.startswith("unix:")
    if lost is not None:
        what = "socket" if socket else "port"
        ended = f"was connected to {run.whom} until the connection was lost, and since then the {what} refuses ({many})"
        return Told(
            Cause.KILLED,
            f"{run.case.key} {ended}: its process has ended.",
            "Start the module again. gRPC tries by itself; pool.reconnect(name) tries at once.",
            Evidence.INFERRED,
            (of_transition(lost),),
            lost.time,
        )
    if socket:
        text = f"{run.whom} refuses: the file is there, but nothing listens on it ({many})."
        return Told(Cause.REFUSED, text, "Is the module started? One that ended may have left the file behind; and is it a socket?")
    text = f"{run.whom} refuses: the machine answers, but nothing listens at that port ({many})."
    return Told(Cause.REFUSED, text, "Is the module started, and does it listen at this port and address (not only at its own 127.0.0.1)?")


def _unresolved(run: Run) -> Told:
    host = host_of(run.last.channel.address)
    name = f"The name {host}" if host else f"The address {run.last.channel.address}"
    advice = "Check the spelling. A bare service name resolves only inside its cluster and namespace; from elsewhere write the full name."
    return Told(Cause.UNRESOLVED, f"{name} does not resolve: {run.last_words}.", advice)


def _unreachable(run: Run) -> Told:
    words = run.last.reason
    if "route" in words or "unreachable" in words:
        how, advice = (
            "there is no way to it from here",
            "Check the network: a route, a VPN, a pod's address that is used from outside its cluster.",
        )
    else:
        how = f"nothing answers, not even to refuse (given up after {run.took})"
        advice = "A firewall or network policy drops the packets, or the machine is down or its address wrong."
    return Told(Cause.UNREACHABLE, f"{run.whom} is unreachable: {how}, {attempts_text(len(run.attempts))}.", advice)


def _hangs(run: Run) -> Told:
    lost = run.lost
    if lost is not None:
        accepts = "the proxy still leads to it" if run.proxy else "its machine still accepts connections"
        text = (
            f"{run.whom} is frozen: it was connected and stopped to answer; "
            f"{accepts}, but its process says nothing ({attempts_text(len(run.attempts))})."
        )
        advice = "The process hangs, is stopped (SIGSTOP, a debugger) or gets no processor. Look at it on its machine"
        advice += ", and whether the proxy passes anything on; gRPC tries by itself." if run.proxy else "; gRPC tries by itself."
        return Told(Cause.FROZEN, text, advice, Evidence.INFERRED, (of_transition(lost),), lost.time)
    tls = not run.last.channel.is_plaintext
    what = "a TLS handshake" if tls else "HTTP/2 SETTINGS"
    text = f"{run.whom} accepts the connection and then says nothing: {what} did not come within {run.took}."
    advice = "The process hangs, or the port belongs to a proxy or a server that speaks another protocol and waits for the client."
    if run.proxy:
        advice = f"The process hangs, or the port belongs to another server, or {run.proxy} passes nothing on, though it said that it does."
    return Told(Cause.HANDSHAKE_HANGS, text, advice)


def _not_http2(run: Run) -> Told:
    if "ALPN" in run.last.reason:
        text = f"{run.whom} speaks TLS, but no HTTP/2 in it (it did not choose h2 by ALPN), so it is no gRPC server."
        advice = (
            "It is another port of the module (its web page), or a proxy or load balancer that ends TLS there: "
            "let it offer h2 by ALPN, which gRPC requires."
        )
        return Told(Cause.NOT_HTTP2, text, advice)
    http1 = "http1.x" in run.last.reason or "frame type 80" in run.last.reason
    what = "HTTP/1.1" if http1 else "another protocol than HTTP/2"
    advice = "It is another port of the module (its web page, its metrics), or a proxy that does not speak HTTP/2 to the module."
    return Told(Cause.NOT_HTTP2, f"{run.whom} answers in {what}, so it is no gRPC server: {shown_reason(run.last.reason, 200)}", advice)


def _authority(run: Run) -> Told:
    text = f"The certificate of {run.whom} comes from an authority that is not trusted here (unable to get local issuer certificate)."
    return Told(Cause.CERTIFICATE_AUTHORITY, text, "Trust its authority: tp.Tls(roots=...) with the CA's PEM file.")


def _name(run: Run) -> Told:
    tls = run.case.options.tls
    if tls is None or run.last.channel != run.case.channel:
        expected = "the one that was asked for"  # its settings are not known any more
    else:
        expected = tls.server_name or host_of(run.last.channel.address) or "the host of the address"
    text = f"The certificate of {run.whom} is valid, but for another name than {expected}."
    return Told(
        Cause.CERTIFICATE_NAME, text, "Say the name that stands in the certificate: tp.Tls(server_name=...), or address the module by it."
    )


def _expired(run: Run) -> Told:
    text = f"The certificate of {run.whom} has expired."
    if "not yet valid" in run.last.reason:
        text = f"The certificate of {run.whom} is not valid yet."
    return Told(Cause.CERTIFICATE_EXPIRED, text, "Renew the module's certificate, and check the clocks of both machines.")


def _tls_not_expected(run: Run) -> Told:
    text = f"{run.whom} is not TLS: it answered the TLS hello in plaintext (WRONG_VERSION_NUMBER)."
    return Told(Cause.TLS_NOT_EXPECTED, text, "Register the module without tls, or have it serve TLS at this port.")


def _client_certificate(run: Run) -> Told:
    text = f"{run.whom} hangs up in the TLS handshake: {shown_reason(run.last.reason, 200)}"
    advice = "Mostly it asks its clients for a certificate: tp.Tls(certificate=..., key=...); the module's log says why it hung up."
    return Told(Cause.CLIENT_CERTIFICATE, text, advice, Evidence.INFERRED)


def _hangs_up(run: Run) -> Told:
    if run.proxy:
        return proxied.hangs_up(run)
    if not run.last.channel.is_plaintext:
        return _client_certificate(run)
    probe = next(iter(run.case.observed(Subject.TLS)), None) if run.until is None else None
    if probe is not None and probe.text:
        text = f"{run.whom} speaks {probe.text}, and this connection is plaintext: it hangs up."
        advice = f"Register the module with {_WITH_TLS}."
        return Told(Cause.TLS_EXPECTED, text, advice, Evidence.SEEN, (of_observation(probe),))
    seen = () if probe is None else (of_observation(probe),)
    text = f"{run.whom} accepts the connection and ends it before it has said anything ({shown_reason(run.last.reason, 160)})."
    first = f"If the module serves TLS, register it with {_WITH_TLS}. If not," if probe is None else "It does not speak TLS either:"
    advice = f"{first} a proxy in front of it has nobody behind it, or the module refuses at its limit; see its log."
    return Told(Cause.HANGS_UP, text, advice, Evidence.SEEN, seen)


def _no_socket(run: Run) -> Told:
    text = f"{run.whom} is not there: no such file, so nothing listens on that Unix socket."
    return Told(
        Cause.NO_SOCKET, text, "Is the module started on this machine, and is its socket at this path (and visible in this container)?"
    )


def _fails(run: Run) -> Told:
    text = f"{run.whom} cannot be connected to: {shown_reason(run.last.reason, 300)}"
    logs = "the module's own log and the proxy's" if run.proxy else "the module's own log"
    return Told(Cause.FAILS, text, f"Look the reason up, and see {logs}.")


_TELL: Mapping[Cause, Callable[[Run], Told]] = {
    Cause.PROXY_FAILS: proxied.in_the_way,
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
