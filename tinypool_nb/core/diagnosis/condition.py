"""What a module is doing now, where that looks like a fault to somebody who does not know gRPC: it waits, it is idle, it is held."""

from collections.abc import Iterator
from itertools import zip_longest

from tinypool_nb.core.diagnosis.case import Case, of_attempt, of_mark, of_observation, of_transition
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding, Reference
from tinypool_nb.core.diagnosis.wording import clock_text, seconds_text
from tinypool_nb.core.events import NOT_RECORDED, Evidence, MarkKind, Subject
from tinypool_nb.core.forecast import Doing, Forecast, forecast
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.spelling import verb_line
from tinypool_nb.core.states import State
from tinypool_nb.core.telling import counted

SECOND = 1_000_000_000
SLOW = 2 * SECOND
"""Nanoseconds from which on a connection that is being made is worth a look."""
MANY_TIMES = 20
"""How many times what a TCP connection takes a handshake may take: a few for its round trips, the rest for a machine that is slow."""


def findings(case: Case) -> Iterator[Finding]:
    """What it does now, and where the record has gaps."""
    unknown = tuple(_gaps(case))
    yield from unknown or _gaps_of_attempts(case)
    if case.opening is None:
        return
    if case.neighbours and case.state is not State.SHUTDOWN:
        yield _shared(case)
    doing = _forecast(case)
    match doing.doing:
        case Doing.HELD:
            yield _held(case)
        case Doing.WAITING:
            yield _waiting(case, doing)
        case Doing.TRYING:
            yield from _handshake(case)
            yield _trying(case, doing)
        case Doing.ASLEEP:
            yield _idle(case)
        case Doing.CLOSED:
            yield _taken_away(case)


def _forecast(case: Case) -> Forecast:
    assert case.opening is not None
    attempts = [row for row in case.attempts if row.channel == case.channel]
    held = any(row.value for row in case.observed(Subject.HELD))
    return forecast(case.opening.state, case.opening.time, attempts, case.options.backoff, case.now, held=held)


def _present(case: Case, cause: Cause, text: str, advice: str, *more: Reference) -> Finding:
    assert case.opening is not None
    rows = (of_transition(case.opening), *more)
    return Finding(case.key, cause, text, tuple(sorted(set(rows), key=lambda row: row.time)), advice, case.opening.time, None)


def _waiting(case: Case, doing: Forecast) -> Finding:
    assert case.opening is not None
    if doing.next is None:
        text, known = f"{case.key} waits out gRPC's backoff; the attempt that it follows has left the record.", Evidence.INFERRED
    else:
        first, last = ((at - case.now) / SECOND for at in doing.next)
        window = f"between {clock_text(doing.next.earliest)} and {clock_text(doing.next.latest)} UTC"
        soon = f"in at most {seconds_text(last)}" if first <= 0 else f"in {seconds_text(first)} to {seconds_text(last)}"
        text = f"{case.key} waits out gRPC's backoff after attempt {doing.attempt}: the next one starts {window}, {soon}."
        known = Evidence.INFERRED
    advice = f"Nothing, or {verb_line('reconnect', case.key)}, which tries at once: a call does not cut the wait short."
    rows = tuple(_last_failure(case)) or (of_transition(case.opening),)
    return Finding(case.key, Cause.BACKOFF, text, rows, advice, case.opening.time, None, known)


def _trying(case: Case, doing: Forecast) -> Finding:
    since = case.now if doing.since is None else doing.since
    number = f"attempt {doing.attempt}" if doing.attempt else "an attempt"
    text = f"{case.key} is connecting: {number} has been under way for {seconds_text(max(0, case.now - since) / SECOND)}"
    if doing.next is not None:
        text += f" and is given up at {clock_text(doing.next.latest)} UTC at the latest"
    return _present(case, Cause.CONNECTING, f"{text}.", "Wait for it: pool.wait(name), or await pool.until(name).", *_last_failure(case))


def _handshake(case: Case) -> Iterator[Finding]:
    """TCP is answered at once, and the connection is not made: what is waited for is the handshake, though nobody says so yet."""
    rows = case.observed(Subject.TCP)
    if not rows or case.opening is None or case.state is not State.CONNECTING:
        return
    waited = rows[0].time - case.opening.time
    if waited < max(SLOW, MANY_TIMES * rows[0].value * 1_000_000):
        return
    what = "HTTP/2 SETTINGS" if case.channel is None or case.channel.is_plaintext else "a TLS handshake or HTTP/2 SETTINGS"
    text = (
        f"{case.key} waits for a handshake, by all likelihood: {rows[0].text} accepts TCP connections ({rows[0].value} ms just now), and "
        f"{what} has not come for {seconds_text((case.now - case.opening.time) / SECOND)}."
    )
    advice = "The process hangs or is slow, or the port belongs to a server that speaks another protocol. The attempt goes on meanwhile."
    evidence = (of_transition(case.opening), of_observation(rows[0]))
    yield Finding(case.key, Cause.HANDSHAKE, text, evidence, advice, case.opening.time, None, Evidence.INFERRED)


def _last_failure(case: Case) -> list[Reference]:
    failed = [row for row in case.failed if row.channel == case.channel]
    return [of_attempt(failed[-1])] if failed else []


def _held(case: Case) -> Finding:
    rows = [of_observation(row) for row in case.observed(Subject.HELD)]
    marks = [of_mark(row) for row in case.marks if row.kind is MarkKind.ACTION and row.text.startswith("hold")]
    text = f"{case.key} is held: it connects only when an attempt is asked for, one at a time."
    return _present(
        case, Cause.HELD, text, "hold.attempt() tries once, hold.release() lets gRPC connect by itself again.", *rows, *marks[-1:]
    )


def _idle(case: Case) -> Finding:
    never = not case.readies and not case.attempts
    if never:
        text = f"{case.key} is IDLE on purpose: nobody has called it yet, and gRPC connects at the first call."
    else:
        text = f"{case.key} is IDLE: its connection ended, and with pick_first gRPC connects again only at the next call."
    advice = "Nothing: its next call connects it. pool.health_check() asks whatever is not READY to connect."
    return _present(case, Cause.IDLE, text, advice)


def _taken_away(case: Case) -> Finding:
    marks = [row for row in case.marks if row.kind is not MarkKind.NOTE and row.text.startswith(("unregister", "removed", "close"))]
    text = f"{case.key} is not in the pool any more: it was unregistered, or the pool was closed."
    return _present(case, Cause.TAKEN_AWAY, text, "Register it again to use it.", *map(of_mark, marks[-1:]))


def _gaps(case: Case) -> Iterator[Finding]:
    gaps = [(row, after) for row, after in zip_longest(case.own, case.own[1:]) if row.evidence is Evidence.GAP]
    if not gaps:
        return
    _, last = gaps[-1]
    seconds = sum((case.now if after is None else after.time) - row.time for row, after in gaps) / SECOND
    overwritten = any(row.reason != NOT_RECORDED for row, _ in gaps)
    between = any(row.reason == NOT_RECORDED for row, _ in gaps)
    why = ["nothing was recorded between one recording and the next"] if between else []
    why += ["its events came so fast that gRPC core overwrote them before they could be read"] if overwritten else []
    text = (
        f"Nobody knows what {case.key} did for {seconds_text(max(seconds, 0.0))} in all ({counted(len(gaps), 'gap')}): "
        f"{', and '.join(why)}, so what is said here may lack something."
    )
    advice = (
        "PoolOptions(observer_share=...) lets the observer read more often."
        if overwritten
        else "A recording of that time would tell; open it together with these."
    )
    references = tuple(of_transition(row) for row, _ in gaps[-3:])
    yield Finding(case.key, Cause.GAP, text, references, advice, gaps[0][0].time, None if last is None else last.time, Evidence.GAP)


def _gaps_of_attempts(case: Case) -> Iterator[Finding]:
    """Where the trace of a subchannel was overwritten; what channels did stands in traces of their own."""
    gaps = sorted((row for row in case.attempts if row.evidence is Evidence.GAP), key=lambda row: row.end)
    if not gaps:
        return
    seconds, until = 0.0, 0
    for began, end in sorted((row.end if row.start is None else row.start, row.end) for row in gaps):  # of several endpoints at a time
        seconds += max(0, end - max(began, until)) / SECOND
        until = max(until, end)
    text = (
        f"Not every attempt of {case.key} is known, for {seconds_text(seconds)} in all ({counted(len(gaps), 'gap')}): gRPC core overwrote "
        "some before they could be read, so a failed one may be missing here. Its changes of state are recorded apart from them."
    )
    first = min(row.end if row.start is None else row.start for row in gaps)
    advice = "PoolOptions(observer_share=...) lets the observer read more often."
    yield Finding(case.key, Cause.GAP, text, tuple(map(of_attempt, gaps[-3:])), advice, first, until, Evidence.GAP)


def _shared(case: Case) -> Finding:
    assert case.opening is not None
    others = ", ".join(map(str, case.neighbours[:3])) + (", …" if len(case.neighbours) > 3 else "")
    they = "both" if len(case.neighbours) == 1 else "all"
    text = f"{case.key} shares its address {case.address} with {others}: {they} reach the same server, by connections of their own."
    born = next((row for row in case.own if row.channel == case.channel), None)
    marks = [row for row in case.marks if row.kind in {MarkKind.ACTION, MarkKind.DISCOVERY} and case.address in row.text]
    row = of_mark(marks[-1]) if marks else of_transition(case.opening if born is None else born)
    advice = "Is it meant? Two names for one server are fine; an address that was copied by mistake is not."
    return Finding(case.key, Cause.SHARED_ADDRESS, text, (row,), advice, row.time, None)


def neighbours(addresses: dict[ModuleKey, frozenset[tuple[str, int]]]) -> dict[ModuleKey, tuple[ModuleKey, ...]]:
    """Of each module the others that lead to one of its endpoints.

    >>> one, two = ModuleKey(None, "one"), ModuleKey(None, "two")
    >>> neighbours({one: frozenset({("localhost", 1)}), two: frozenset({("localhost", 1), ("b", 2)})})[one]
    (ModuleKey(namespace=None, name='two'),)
    """
    at: dict[tuple[str, int], list[ModuleKey]] = {}
    for key, places in addresses.items():
        for place in places:
            at.setdefault(place, []).append(key)
    return {
        key: tuple(dict.fromkeys(other for place in sorted(places) for other in at[place] if other != key))
        for key, places in addresses.items()
    }
