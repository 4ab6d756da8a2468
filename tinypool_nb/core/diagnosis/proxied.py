"""What attempts say that go through an HTTP proxy (`PoolOptions(proxy=)`): how far they came, to it or to the module behind it."""

import re

from tinypool_nb.core.diagnosis.case import of_transition
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.runs import Run, Told
from tinypool_nb.core.diagnosis.wording import attempts_text
from tinypool_nb.core.events import Evidence
from tinypool_nb.core.failures import shown_reason

_STATUS = re.compile(r"HTTP proxy returned response code (\d+)")
_NOT_THERE = frozenset({502, 503, 504})
"""By these statuses a proxy says that it does not get to whom it was asked for (RFC 9110, sections 15.6.3 to 15.6.5)."""
_CORRECT = "correct tp.PoolOptions(proxy=...)"
_UNTOLD = "Whether the module itself is up, this does not tell."


def in_the_way(run: Run) -> Told:
    """The attempts did not come past the proxy, or the proxy did not come to the module."""
    told = _STATUS.search(run.last.reason)
    if told is None:
        happened, advice = _unanswered(run)
    elif int(told[1]) in _NOT_THERE:
        return _not_reached(run, int(told[1]))
    else:
        happened, advice = _refused(run, int(told[1]))
    return _told(run, Cause.PROXY_FAILS, f"the proxy {run.proxy}", happened, f"{advice} {_UNTOLD}")


def _told(run: Run, cause: Cause, who: str, happened: str, advice: str) -> Told:
    many = attempts_text(len(run.attempts))
    if run.lost is None:
        return Told(cause, f"{run.case.key} is reached through a proxy: {who} {happened} ({many}).", advice)
    text = f"{run.case.key} was connected through a proxy until the connection was lost; since then {who} {happened} ({many})."
    return Told(cause, text, advice, more=(of_transition(run.lost),), since=run.lost.time)


def _not_reached(run: Run, code: int) -> Told:
    happened = f"says that it does not get to {run.last.channel.address} (status {code})"
    advice = "Is the module started, does its name resolve where the proxy runs, and is there a way from there? The proxy's log says more."
    return _told(run, Cause.UNREACHABLE, run.proxy, happened, advice)


def _refused(run: Run, code: int) -> tuple[str, str]:
    """The proxy lets nobody through, or not this pool."""
    address = run.last.channel.address
    if code == 407:
        return (
            "asks who you are (status 407): credentials are missing or wrong",
            "Show them: tp.PoolOptions(proxy='http://user:password@host:port').",
        )
    if code in {401, 403, 405}:
        return f"lets nobody through to {address} (status {code})", "Allow that host and port there, and the method CONNECT."
    return (
        f"answered CONNECT {address} with status {code}",
        f"Does it understand CONNECT, and for that port? Its log says more; if it is no proxy, {_CORRECT}.",
    )


def _unanswered(run: Run) -> tuple[str, str]:
    """The proxy was not reached, or its answer was none."""
    if not run.peer:
        return f"has a name that does not resolve ({run.last_words})", f"Check its spelling: {_CORRECT}."
    no_way = ("is unreachable: there is no way to it from here", f"Check the network (a route, a VPN), or {_CORRECT}.")
    hangs = f"It hangs, or waits for the module itself; or its port belongs to another server: {_CORRECT}."
    other = f"Its port belongs to another server: {_CORRECT}."
    said = {
        "Connection refused": ("refuses: its machine answers, but nothing listens at that port", f"Start the proxy, or {_CORRECT}."),
        "Expected '": (f"does not answer as an HTTP proxy does ({run.last_words})", other),
        "Endpoint closing": (f"accepts the connection and does not answer CONNECT within {run.took}", hangs),
        "route": no_way,
        "unreachable": no_way,
    }
    silent = (
        f"is unreachable: nothing answers, not even to refuse (given up after {run.took})",
        f"A firewall drops the packets, its machine is down, or its address is wrong: {_CORRECT}.",
    )
    return next((told for words, told in said.items() if words in run.last.reason), silent)


def hangs_up(run: Run) -> Told:
    """Somebody ended the connection: the proxy before it answered, or the module behind it before it said anything."""
    tls = not run.last.channel.is_plaintext
    text = (
        f"{run.proxy}, the proxy on the way, or {run.last.channel.address} behind it ends the connection "
        f"before the module has said anything ({shown_reason(run.last.reason, 160)}): gRPC core does not say which of them."
    )
    module = (
        "it is the module: mostly it asks its clients for a certificate, tp.Tls(certificate=..., key=...)"
        if tls
        else "it is the module: it may serve TLS, options=tp.PoolOptions(tls=tp.Tls(...), proxy=...), or refuse at its limit"
    )
    advice = f"Does {run.proxy} lead to other modules? If not, it is no HTTP proxy with CONNECT: {_CORRECT}. If it does, {module}."
    return Told(Cause.CLIENT_CERTIFICATE if tls else Cause.HANGS_UP, text, advice, Evidence.INFERRED)
