"""Why connections were lost: each loss with the words of the calls that broke with it, then what the losses are together.

gRPC core's trace does not say why a connection went. A call under way on it does (`tinypool_nb.core.disconnections`); where there was
none, the lengths of the connections' lives and what came after them tell, and that is said to be inferred.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from statistics import median

from tinypool_nb.core.diagnosis.case import Case, of_call, of_mark, of_transition, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding, Reference
from tinypool_nb.core.diagnosis.wording import seconds_text, times_text
from tinypool_nb.core.disconnections import NEAR, UNKNOWN_ERROR, disconnect_error
from tinypool_nb.core.events import Call, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.folding import DISCONNECTED
from tinypool_nb.core.states import State
from tinypool_nb.core.telling import counted

AGED = ("max connection age", "max_age")
"""What servers say to a call that outlives the grace of their connection's age: gRPC core, and grpc-go."""
STOPPED = ("Cancelling all calls", "Server shutdown", "server stopping", "graceful_stop")
"""What gRPC's servers say to calls that outlive the grace of a stop."""
OUTLIVED = "outlived"
"""What such a call tells: its connection was ended on purpose, some time before."""
FEW = 3
"""Losses from which on a module flaps."""
FLAPPING_WITHIN = 600_000_000_000
"""Nanoseconds in which they must have come."""
ALIKE = 1.35
"""How much longer the longest of several lives may be than the shortest, to be of one length: servers jitter a connection's age by 10 % up
and down (gRFC A9), and a machine under load adds to it."""
EXACT = 2_000_000
"""Nanoseconds to which core's stamps and those of calls agree."""
SECOND = 1_000_000_000
LAB = "lab: "
"""How the marks begin that the lab makes of what is done to its servers."""
JUST_BEFORE = 2 * SECOND
"""Nanoseconds before a loss within which an act in the lab is its cause, by all likelihood."""
TIMED_OUT = "connection timed out"
"""What gRFC A94 calls it where a keepalive was not answered."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """One connection that was lost."""

    row: Transition
    """READY to something else."""
    began: int | None
    """When it had become READY; None if that row is gone."""
    back: int | None
    """When the module was READY again."""
    told: tuple[Call, ...]
    """The calls that broke with it."""
    error: str
    """Why, in the words of gRFC A94; "unknown" if nothing told."""
    act: Mark | None
    """What somebody did to the module's server in the lab just before."""
    refused: bool
    """Whether an attempt failed before it was back."""
    outlasted: tuple[Call, ...]
    """Calls that ended well on it afterwards: it was drained."""

    @property
    def life(self) -> float | None:
        """How long it had lived, seconds."""
        return None if self.began is None else (self.row.time - self.began) / SECOND

    @property
    def references(self) -> tuple[Reference, ...]:
        """Its row, the calls that told, and what was done in the lab."""
        calls = (*self.told[:2], *self.outlasted[:2])
        rows = (of_transition(self.row), *map(of_call, calls), *(of_mark(mark) for mark in (self.act,) if mark))
        return tuple(sorted(rows, key=lambda row: row.time))

    def says(self, *words: str) -> bool:
        """Whether a call that broke with it, or its own reason, holds one of the words."""
        return any(word in reason for word in words for reason in (self.row.reason, *(call.reason for call in self.told)))


def losses(case: Case) -> tuple[Loss, ...]:
    """Each connection that was lost, the oldest first; those that were ended by the pool itself are none."""
    tellers = sorted((call for call in case.calls if _told_of(call.reason) != UNKNOWN_ERROR), key=lambda call: call.end)
    ends = [call.end for call in tellers]
    outlived = [call for call in tellers if _told_of(call.reason) == OUTLIVED]
    found: list[Loss] = []
    began: int | None = None
    for place, row in enumerate(case.own):  # in their order: several may have the same millisecond
        if row.state is State.READY:
            began = row.time
        elif row.previous is State.READY and row.state in DISCONNECTED:
            near = tellers[bisect_left(ends, row.time - NEAR) : bisect_right(ends, row.time + NEAR)]
            # A server that drains lets calls run on after it has said that the connection ends, and then cancels them.
            later = [call for call in outlived if call.start <= row.time < call.end - NEAR]
            told = tuple(call for call in (*near, *later) if call.channel == row.channel)
            back = next((after.time for after in case.own[place:] if after.state is State.READY), None)
            refused = any(row.time <= each.end <= (back or case.now) for each in case.failed)
            # Before it is connected again, a call can only have ended on the connection that it began on.
            until = case.now if back is None else back
            outlasted = (call for call in case.outlasting if call.start < row.time - EXACT and row.time + EXACT < call.end <= until)
            good = tuple(call for call in outlasted if call.channel == row.channel)
            found.append(Loss(row, began, back, told, _error(row, told), _act(case, row), refused, good))
            began = None
    return tuple(found)


def _act(case: Case, row: Transition) -> Mark | None:
    acts = (mark for mark in case.marks if mark.kind is MarkKind.ACTION and mark.text.startswith(LAB))
    return next((mark for mark in acts if -NEAR <= row.time - mark.time <= JUST_BEFORE), None)


def _error(row: Transition, told: Sequence[Call]) -> str:
    errors = (_told_of(reason) for reason in (row.reason, *(call.reason for call in told)))
    return next((error for error in errors if error not in {UNKNOWN_ERROR, OUTLIVED}), UNKNOWN_ERROR)


@lru_cache(maxsize=4096)
def _told_of(reason: str) -> str:
    """What a reason tells of a lost connection: one of gRFC A94's errors, or that the call outlived a grace."""
    return OUTLIVED if any(word in reason for word in (*AGED, *STOPPED)) else disconnect_error(reason)


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
    recycled = _recycled(found)
    rest = [loss for loss in found if loss not in pings and loss not in recycled]
    throttled = _throttled(case, rest)
    rest = [loss for loss in rest if loss not in throttled]
    if pings or throttled:
        yield _too_many_pings(case, pings or throttled, inferred=not pings)
    if recycled:
        yield _recycling(case, recycled)
    burst = _burst(rest)
    if burst:
        yield _flapping(case, burst)
    for loss in [loss for loss in rest if loss not in burst][-2:]:
        last = loss is found[-1] and loss.back is None
        if last and failing and loss.error != TIMED_OUT:
            continue  # the failed attempts tell more: killed, unreachable
        yield _one(case, loss)


def _recycled(found: Sequence[Loss]) -> list[Loss]:
    """Connections that the server ended for their age: it said so, or they lived equally long, no call failed and they came back."""
    said = [loss for loss in found if loss.says(*AGED)]
    quiet = [loss for loss in found if loss in said or _in_silence(loss)]
    lives = [loss.life for loss in quiet if loss.life]
    alike = len(lives) >= 2 and max(lives) <= ALIKE * min(lives) and len(quiet) == len(found)
    if said:
        longest = ALIKE * max((loss.life or 0.0 for loss in said), default=0.0)
        return [loss for loss in quiet if loss.life and (alike or loss in said or longest / ALIKE**2 <= loss.life <= longest)]
    came_back = [loss for loss in quiet if loss.back is not None]
    return list(quiet) if alike and len(came_back) >= len(quiet) - 1 and len(lives) >= 2 and min(lives) >= 0.2 else []


def _in_silence(loss: Loss) -> bool:
    """Whether it went as one that is ended on purpose goes: no call broke, nobody did it in the lab, and no attempt failed after it."""
    return loss.error in {UNKNOWN_ERROR, "GOAWAY NO_ERROR"} and not loss.told and loss.act is None and not loss.refused


def _throttled(case: Case, found: Sequence[Loss]) -> list[Loss]:
    """Connections that ended in silence after a whole number of pings, each after twice as long as the one before.

    So it looks where gRPC core's own server complains of pings: calls under way end well and tell nothing, and the client's core
    then pings half as often. Seen: 3.004, 6.004, 12.004 s with a ping each second.
    """
    every = case.options.keepalive.time
    chain: list[Loss] = []
    for loss in found:
        if loss.error != UNKNOWN_ERROR or not loss.life:
            continue
        if chain and 1.85 <= loss.life / (chain[-1].life or loss.life) <= 2.2:
            chain.append(loss)
        elif len(chain) < 2:
            chain = [loss] if loss.life >= 1.9 * every else []
    if len(chain) < 2:
        return []
    # A machine under load lets one of them live longer by a part of a second, which the others make up for.
    pings = sum((loss.life or 0.0) / (every * 2**place) for place, loss in enumerate(chain)) / len(chain)
    return chain if abs(pings - round(pings)) <= 0.2 else []


def _too_many_pings(case: Case, found: Sequence[Loss], *, inferred: bool) -> Finding:
    every = case.options.keepalive.time
    if inferred:
        lives = ", ".join(seconds_text(loss.life or 0.0) for loss in found)
        how = f"its connections ended in silence after {lives}: twice as long each time, as core pings half as often after each complaint"
    else:
        how = f"it ended the connection {times_text(len(found))} with GOAWAY ENHANCE_YOUR_CALM, too_many_pings"
    idle = ", also without calls" if case.options.keepalive.without_calls else ""
    text = f"{case.key} is pinged more often than it permits (each {seconds_text(every)}{idle}): {how}."
    advice = (
        "Ping less: tp.Keepalive(time=...). gRPC servers permit one ping in 5 min, and none without calls, unless their own policy says "
        "more: min_ping_interval_without_data, PermitWithoutStream; modules in the field permit one each 5 s."
    )
    return _of_many(case, Cause.TOO_MANY_PINGS, (text, advice), found, Evidence.INFERRED if inferred else Evidence.SEEN)


def _recycling(case: Case, found: Sequence[Loss]) -> Finding:
    lives = [loss.life for loss in found if loss.life]
    said = any(loss.says(*AGED) for loss in found)
    broken = sum(len(loss.told) for loss in found)
    calls = f"{counted(broken, 'call')} that outlived the grace ended with it" if broken else "no call failed by it"
    text = (
        f"{case.key} ends its connections after about {seconds_text(median(lives)) if lives else 'a while'} ({times_text(len(found))}), "
        f"and a new one follows at once: recycled, not flapping; {calls}."
    )
    advice = (
        "Nothing: it is the server's max connection age, which spreads clients over its replicas. Longer calls need a longer grace there."
        if broken
        else "Nothing: it is the server's max connection age (or a proxy's), which spreads clients over its replicas."
    )
    return _of_many(case, Cause.RECYCLED, (text, advice), found, Evidence.SEEN if said else Evidence.INFERRED)


def _burst(found: Sequence[Loss]) -> list[Loss]:
    """The latest losses that came close upon each other; none if there are few."""
    burst: list[Loss] = []
    for loss in reversed(found):
        if burst and burst[0].row.time - loss.row.time > FLAPPING_WITHIN:
            break
        burst.insert(0, loss)
    return burst if len(burst) >= FEW else []


def _flapping(case: Case, burst: Sequence[Loss]) -> Finding:
    times = [loss.row.time for loss in burst]
    gaps = [(later - earlier) / SECOND for earlier, later in pairwise(times)]
    period = median(gaps)
    rate = 60 / (sum(gaps) / len(gaps)) if sum(gaps) else 0.0
    errors = sorted({loss.error for loss in burst} - {UNKNOWN_ERROR})
    why = f" ({', '.join(errors)})" if errors else ""
    text = (
        f"{case.key} flaps: {len(burst)} connections were lost within {seconds_text((times[-1] - times[0]) / SECOND)}, "
        f"one each {seconds_text(period)}, {rate:.2g} a minute{why}."
    )
    advice = (
        "Does the module crash and start again (see its restarts and its log), or does something between here and there cut connections?"
    )
    finding = _of_many(case, Cause.FLAPPING, (text, advice), burst, Evidence.SEEN)
    goes_on = (
        (case.now - times[-1]) / SECOND <= 3 * max(gaps) and burst[-1].row.channel == case.channel and case.state is not State.SHUTDOWN
    )
    return replace(finding, until=None if goes_on else burst[-1].back or times[-1])


def _one(case: Case, loss: Loss) -> Finding:
    error, life = loss.error, "" if loss.life is None else f" after {seconds_text(loss.life)}"
    back = "" if loss.back is None else f"; it was back after {seconds_text((loss.back - loss.row.time) / SECOND)}"
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
        advice = "The process hangs, is stopped (SIGSTOP, a debugger), or packets to it are dropped in silence. Look at it on its machine."
        return _made(case, Cause.FROZEN, (text, advice), loss)
    if error == UNKNOWN_ERROR:
        why = "no call was under way, so nobody told why" if loss.act is None else f"just before, somebody did this to it: {loss.act.text}"
        text = f"{case.key} lost its connection{life}; {why}{back}."
        known = Evidence.INFERRED
    else:
        known = Evidence.SEEN
        words = shown_reason(next((call.reason for call in loss.told), loss.row.reason), 120)
        text = f"{case.key} lost its connection{life}: {error} ({words}){back}."
    advice = (
        "It is IDLE and nobody connects it: its next call does, or pool.health_check()."
        if case.state is State.IDLE and not back
        else ("A process that ends, or a proxy or firewall that cuts the connection; marks and the module's log tell more.")
    )
    return _made(case, Cause.LOST, (text, advice), loss, known)


def _made(case: Case, cause: Cause, words: tuple[str, str], loss: Loss, known: Evidence = Evidence.SEEN) -> Finding:
    """`words`: the sentence and the advice."""
    until = loss.back
    if until is None and (cause is Cause.DRAINED or loss.row.channel != case.channel or case.state is State.SHUTDOWN):
        until = loss.row.time
    return Finding(case.key, cause, words[0], loss.references, words[1], loss.row.time, until, known)


def _of_many(case: Case, cause: Cause, words: tuple[str, str], found: Sequence[Loss], known: Evidence) -> Finding:
    """`words`: the sentence and the advice."""
    references = spread(sorted((reference for loss in found for reference in loss.references), key=lambda row: row.time))
    last = found[-1]
    lives = [loss.life or 0.0 for loss in found]
    # It goes on as long as the next one is not overdue, and on the connection that it was about.
    overdue = (case.now - (last.back or last.row.time)) / SECOND > 3 * max(lives) + 1.0
    over = overdue or last.row.channel != case.channel or case.state is State.SHUTDOWN
    until = (last.back or last.row.time) if over else None
    return Finding(case.key, cause, words[0], references, words[1], found[0].row.time, until, known)
