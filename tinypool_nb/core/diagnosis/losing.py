"""Why connections were lost: what the losses are together, and what each is that has no pattern.

Where nobody told why, it is said to be inferred.
"""

from collections.abc import Iterator

from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.diagnosis.losses import AGED, LAB, STOPPED, TIMED_OUT, Loss, losses
from tinypool_nb.core.diagnosis.patterns import burst, flapping, recycled, recycling, throttled, too_many_pings
from tinypool_nb.core.diagnosis.wording import seconds_text, times_text
from tinypool_nb.core.disconnections import UNKNOWN_ERROR
from tinypool_nb.core.events import Evidence
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.states import State
from tinypool_nb.core.telling import counted


def findings(case: Case, *, failing: bool) -> Iterator[Finding]:
    """What the losses were.

    Args:
        case: the evidence.
        failing: whether attempts fail now, which then say why the last loss has no end.
    """
    found = losses(case)
    if not found:
        return
    pings = [loss for loss in found if loss.error == "GOAWAY ENHANCE_YOUR_CALM"]
    aged = recycled(found)
    rest = [loss for loss in found if loss not in pings and loss not in aged]
    slowed = throttled(case, rest)
    rest = [loss for loss in rest if loss not in slowed]
    if pings or slowed:
        yield too_many_pings(case, pings or slowed, inferred=not pings)
    if aged:
        yield recycling(case, aged)
    close = burst(rest)
    if close:
        yield flapping(case, close)
    for loss in [loss for loss in rest if loss not in close][-2:]:
        last = loss is found[-1] and loss.back is None
        if last and failing and loss.error != TIMED_OUT:
            continue  # the failed attempts tell more: killed, unreachable
        yield _one(case, loss)


def _one(case: Case, loss: Loss) -> Finding:
    error, life = loss.error, "" if loss.life is None else f" after {seconds_text(loss.life)}"
    back = "" if loss.away is None else f"; it was back after {seconds_text(loss.away)}"
    if error == "GOAWAY NO_ERROR" or loss.says(*STOPPED) or loss.says(*AGED):
        cut = len(loss.told)
        calls = f"; {times_text(cut)} a call outlived its grace and was broken off" if cut else ""
        text = f"{case.key} drained the connection{life}: it said GOAWAY, as a server does that stops or restarts{calls}{back}."
        advice = "Nothing: a graceful stop. Give calls a longer grace there if they were cut off."
        return _made(case, Cause.DRAINED, (text, advice), loss)
    if error == UNKNOWN_ERROR and loss.outlasted:
        well = counted(len(loss.outlasted), "call")
        how = f"{well} under way on it ended well after it, as where a server stops gracefully"
        text = f"{case.key} drained the connection{life}: {how}{back}."
        return _made(case, Cause.DRAINED, (text, "Nothing: a graceful stop or restart."), loss, Evidence.INFERRED)
    if error == TIMED_OUT:
        keepalive = case.options.keepalive
        asked = f"sent after {keepalive.time:g} s, lost after {keepalive.timeout:g} s more"
        lived = "" if loss.life is None else f", connected for {seconds_text(loss.life)}"
        text = f"{case.key} {'was' if back else 'is'} frozen{lived}: no answer to keepalive ({asked}){back}."
        way = f", or {loss.row.channel.proxy}, the proxy on the way, hangs" if loss.row.channel.proxy else ""
        hangs = f"The process hangs, is stopped (SIGSTOP, a debugger), or packets to it are dropped in silence{way}."
        advice = _done_in_the_lab(loss) or f"{hangs} Look at it on its machine."
        return _made(case, Cause.FROZEN, (text, advice), loss)
    if error == UNKNOWN_ERROR:
        why = "no call was under way, so nobody told why" if loss.act is None else f"just before, somebody did this to it: {loss.act.text}"
        text = f"{case.key} lost its connection{life}; {why}{back}."
        known = Evidence.INFERRED
    else:
        known = Evidence.SEEN
        words = shown_reason(next((call.reason for call in loss.told), loss.row.reason), 120)
        text = f"{case.key} lost its connection{life}: {error} ({words}){back}."
    ends = "A process that ends, " + ("a server's max connection age, " if loss.in_silence else "")
    advice = (
        "It is IDLE and nobody connects it: its next call does, or pool.health_check()."
        if case.state is State.IDLE and not back
        else _done_in_the_lab(loss) or f"{ends}or a proxy or firewall that cuts the connection; marks and the module's log tell more."
    )
    return _made(case, Cause.LOST, (text, advice), loss, known)


def _done_in_the_lab(loss: Loss) -> str:
    """The advice where somebody seems to have done it on purpose; "" if nobody has."""
    return (
        ""
        if loss.act is None
        else f"Nothing, by all likelihood: shortly before, this was done in the lab: {loss.act.text.removeprefix(LAB)}."
    )


def _made(case: Case, cause: Cause, words: tuple[str, str], loss: Loss, known: Evidence = Evidence.SEEN) -> Finding:
    """`words`: the sentence and the advice."""
    until = loss.back
    if until is None and (cause is Cause.DRAINED or loss.row.channel != case.channel or case.state is State.SHUTDOWN):
        until = loss.row.time
    return Finding(case.key, cause, words[0], loss.references, words[1], loss.row.time, until, known)
