"""What several losses are together, by the lengths of their lives and what came between them: recycled, too many pings, flapping."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tinypool_nb.core.diagnosis.case import Case, of_observation, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.diagnosis.losses import AGED, SECOND, Loss
from tinypool_nb.core.diagnosis.wording import seconds_text, times_text
from tinypool_nb.core.disconnections import UNKNOWN_ERROR
from tinypool_nb.core.events import Evidence, Subject
from tinypool_nb.core.states import State
from tinypool_nb.core.telling import counted

FEW = 3
"""Losses from which on a module flaps, or is recycled though nobody said so: two lives of one length are chance."""
FLAPPING_WITHIN = 600_000_000_000
"""Nanoseconds in which they must have come."""
ALIKE = 1.35
"""How much longer the longest of several lives may be than the shortest, to be of one length: servers jitter a connection's age by 10 % up
and down (gRFC A9), and a machine under load adds to it."""
AT_ONCE = 1.0
"""Seconds at most until a recycled connection is followed by the next; a process takes longer to start."""
SHARE_AWAY = 0.25
"""Of its life it is away for less than that, at the median."""
LATE = 0.4
"""Seconds by which a machine under load may let a connection end after the ping that was one too many."""


def recycled(found: Sequence[Loss]) -> list[Loss]:
    """Connections that the server ended for their age: it said so, or they lived equally long, went in silence and came back at once.

    One that was not back at once may have been ended for its age too, where nobody called; but so comes back a process that crashed.
    """
    said = [loss for loss in found if loss.says(*AGED)]
    quiet = [loss for loss in found if loss in said or loss.in_silence]
    regular = _of_one_length(quiet) and len(quiet) == len(found)
    if said:
        longest = ALIKE * max((loss.life or 0.0 for loss in said), default=0.0)
        return [loss for loss in quiet if loss.life and (regular or loss in said or longest / ALIKE**2 <= loss.life <= longest)]
    away = [loss.away for loss in quiet if loss.away is not None]
    if not regular or len(quiet) < FEW or len(away) < len(quiet) - 1:
        return []
    lives = [loss.life for loss in quiet if loss.life]
    at_once = max(away) <= AT_ONCE and median(away) <= SHARE_AWAY * median(lives)
    return list(quiet) if at_once and min(lives) >= 0.2 else []


def _of_one_length(found: Sequence[Loss]) -> bool:
    lives = [loss.life for loss in found if loss.life]
    return len(lives) >= 2 and max(lives) <= ALIKE * min(lives)


def throttled(case: Case, found: Sequence[Loss]) -> list[Loss]:
    """Connections that ended in silence after a whole number of pings, each after twice as long as the one before.

    So it looks where gRPC core's own server complains of pings: calls under way end well and tell nothing, and the client's core
    then pings half as often. Seen: 3.004, 6.004, 12.004 s with a ping each second.
    """
    every = case.options.keepalive.time
    chain: list[Loss] = []
    for loss in found:
        if not loss.in_silence or loss.error != UNKNOWN_ERROR or not loss.life:
            continue
        if chain and 1.85 <= loss.life / (chain[-1].life or loss.life) <= 2.2:
            chain.append(loss)
        elif len(chain) < 2:
            chain = [loss] if loss.life >= 1.9 * every else []
    return chain if len(chain) >= 2 and _by_pings(chain, every) and _pinged(case, len(chain)) else []


def _by_pings(chain: Sequence[Loss], every: float) -> bool:
    """Whether each ended with one and the same ping of its own."""
    # A machine under load lets one of them live longer by a part of a second, which the others make up for.
    pings = sum((loss.life or 0.0) / (every * 2**place) for place, loss in enumerate(chain)) / len(chain)
    whole = round(pings)
    late = [(loss.life or 0.0) - whole * every * 2**place for place, loss in enumerate(chain)]
    return abs(pings - whole) <= 0.2 and all(-0.1 <= each <= LATE for each in late)


def _pinged(case: Case, complaints: int) -> bool:
    """Whether pings can have been sent: without calls if the settings say so, and by gRPC core's own count of the present connection."""
    if not case.options.keepalive.without_calls and not case.calls_seen:
        return False
    counted_pings = case.observed(Subject.KEEPALIVES)
    if not counted_pings or case.opening is None or case.state is not State.READY:
        return True
    due = case.options.keepalive.time * 2**complaints + LATE
    return any(row.value for row in counted_pings) or (counted_pings[0].time - case.opening.time) / SECOND <= due


def too_many_pings(case: Case, found: Sequence[Loss], *, inferred: bool) -> Finding:
    """The module ended connections, or is taken to have, since it is pinged too often."""
    every = case.options.keepalive.time
    if inferred:
        lives = ", ".join(seconds_text(loss.life or 0.0) for loss in found)
        how = f"its connections ended in silence after {lives}: twice as long each time, as core pings half as often after each complaint"
    else:
        how = f"it ended the connection {times_text(len(found))} with GOAWAY ENHANCE_YOUR_CALM, too_many_pings"
    idle = ", also without calls" if case.options.keepalive.without_calls else ""
    sent = [row for row in case.observed(Subject.KEEPALIVES) if row.value]
    now = f"; {counted(sum(row.value for row in sent), 'ping')} went out on the present connection" if sent else ""
    text = f"{case.key} is pinged more often than it permits (each {seconds_text(every)}{idle}): {how}{now}."
    advice = (
        "Ping less: tp.Keepalive(time=...). gRPC servers permit one ping in 5 min, and none without calls, unless their own policy says "
        "more: min_ping_interval_without_data, PermitWithoutStream; modules in the field permit one each 5 s."
    )
    finding = _of_many(case, Cause.TOO_MANY_PINGS, (text, advice), found, Evidence.INFERRED if inferred else Evidence.SEEN)
    rows = (*finding.evidence, *map(of_observation, sent[:2]))
    return replace(finding, evidence=tuple(sorted(rows, key=lambda row: row.time)))


def recycling(case: Case, found: Sequence[Loss]) -> Finding:
    """The server ends connections for their age."""
    lives = [loss.life for loss in found if loss.life]
    said = any(loss.says(*AGED) for loss in found)
    broken = sum(len(loss.told) for loss in found)
    calls = f"{counted(broken, 'call')} that outlived the grace ended with it" if broken else "no call failed by it"
    at_once = " at once" if all(loss.away is None or loss.away <= AT_ONCE for loss in found) else ""
    text = (
        f"{case.key} ends its connections after about {seconds_text(median(lives)) if lives else 'a while'} ({times_text(len(found))}), "
        f"and a new one follows{at_once}: recycled, not flapping; {calls}."
    )
    age = "it is the server's max connection age, which spreads clients over its replicas"
    if broken:
        advice = f"Nothing: {age}. Longer calls need a longer grace there."
    elif said:
        advice = f"Nothing: {age}."
    else:
        advice = (
            "Nothing, if it is the server's max connection age (or a proxy's), which spreads clients over its replicas. "
            "A process that ends as regularly, and is back within a second, looks the same: its restarts tell."
        )
    return _of_many(case, Cause.RECYCLED, (text, advice), found, Evidence.SEEN if said else Evidence.INFERRED)


def burst(found: Sequence[Loss]) -> list[Loss]:
    """The latest losses that came close upon each other; none if there are few."""
    close: list[Loss] = []
    for loss in reversed(found):
        if close and close[0].row.time - loss.row.time > FLAPPING_WITHIN:
            break
        close.insert(0, loss)
    return close if len(close) >= FEW else []


def flapping(case: Case, found: Sequence[Loss]) -> Finding:
    """The module loses its connection again and again."""
    times = [loss.row.time for loss in found]
    gaps = [(later - earlier) / SECOND for earlier, later in pairwise(times)]
    period = median(gaps)
    rate = 60 / (sum(gaps) / len(gaps)) if sum(gaps) else 0.0
    errors = sorted({loss.error for loss in found} - {UNKNOWN_ERROR})
    why = f" ({', '.join(errors)})" if errors else ""
    text = (
        f"{case.key} flaps: {len(found)} connections were lost within {seconds_text((times[-1] - times[0]) / SECOND)}, "
        f"one each {seconds_text(period)}, {rate:.2g} a minute{why}."
    )
    advice = (
        "Does the module crash and start again (see its restarts and its log), or does something between here and there cut connections?"
    )
    if all(loss.in_silence for loss in found) and _of_one_length(found):
        life = seconds_text(median(loss.life or 0.0 for loss in found))
        advice += (
            f" Each lived for about {life}, as under a max connection age too, which is nothing wrong; "
            "but that is followed by a new one as soon as somebody calls."
        )
    finding = _of_many(case, Cause.FLAPPING, (text, advice), found, Evidence.SEEN)
    goes_on = (
        (case.now - times[-1]) / SECOND <= 3 * max(gaps) and found[-1].row.channel == case.channel and case.state is not State.SHUTDOWN
    )
    return replace(finding, until=None if goes_on else found[-1].back or times[-1])


def _of_many(case: Case, cause: Cause, words: tuple[str, str], found: Sequence[Loss], known: Evidence) -> Finding:
    """`words`: the sentence and the advice."""
    # Each loss has a row at least, so those of the first and of the last few are all that can be shown.
    telling = spread(found)
    references = spread(sorted((reference for loss in telling for reference in loss.references), key=lambda row: row.time))
    last = found[-1]
    lives = [loss.life or 0.0 for loss in found]
    # It goes on as long as the next one is not overdue, and on the connection that it was about.
    overdue = (case.now - (last.back or last.row.time)) / SECOND > 3 * max(lives) + 1.0
    over = overdue or last.row.channel != case.channel or case.state is State.SHUTDOWN
    until = (last.back or last.row.time) if over else None
    return Finding(case.key, cause, words[0], references, words[1], found[0].row.time, until, known)
