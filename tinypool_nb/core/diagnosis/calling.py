"""What failed calls say of a module whose connection may be sound: messages too large, deadlines too short."""

import re
from collections.abc import Iterator, Sequence

from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.case import Case, of_call, of_transition, spread
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.diagnosis.wording import seconds_text, times_text
from tinypool_nb.core.events import Call, Evidence, Outcome, Transition
from tinypool_nb.core.states import State

_TOO_LARGE = re.compile(
    r"(?P<side>SERVER|CLIENT)?:? ?(?P<what>Sent|Received) message larger than max \((?P<size>\d+) vs\. (?P<limit>\d+)\)", re.IGNORECASE
)
"""gRPC core's words; other servers write the same without the side."""
RECENT = 60_000_000_000
"""Nanoseconds for which what happened to a call counts as of now: a call is over when it ends."""
SECOND = 1_000_000_000


def findings(case: Case) -> Iterator[Finding]:
    """What went wrong with calls and is no matter of the connection alone."""
    large = [call for call in case.calls if call.code is Code.RESOURCE_EXHAUSTED and _TOO_LARGE.search(call.reason)]
    if large:
        yield _too_large(case, large)
    late = [call for call in case.calls if call.code is Code.DEADLINE_EXCEEDED and _ready_share(case, call) < 0.5]
    if late:
        yield _deadline(case, late)


def _too_large(case: Case, calls: Sequence[Call]) -> Finding:
    last = calls[-1]
    words = _TOO_LARGE.search(last.reason)
    assert words is not None
    size, limit = int(words["size"]), int(words["limit"])
    ours = (words["side"] or "").upper() == "CLIENT"
    what = "A response" if ours else "A request"
    whose = "this client takes" if ours else "the module takes"
    often = f"{times_text(len(calls))}, last in {last.method}"
    text = f"{what} of {size:,} bytes is larger than the {limit:,} that {whose} ({often}); the connection stays up."
    advice = "Send less at once, page or stream it" + (
        ", or ask the module for less." if ours else ", or raise the module's limit (grpc.max_receive_message_length on its server)."
    )
    return _finding(case, Cause.MESSAGE_TOO_LARGE, text, advice, calls)


def _deadline(case: Case, calls: Sequence[Call]) -> Finding:
    last = calls[-1]
    waited = (last.end - last.start) / SECOND
    took = [(row.end - row.start) / SECOND for row in case.attempts if row.outcome is Outcome.READY and row.start is not None]
    needs = f"; connecting took up to {seconds_text(max(took))} here" if took else "; no connection has ever been made here"
    text = (
        f"{times_text(len(calls)).capitalize()} a deadline was over before there was a connection: "
        f"{last.method} waited {seconds_text(waited)} while the module was {_state_during(case, last)}{needs}."
    )
    timeout = case.options.backoff.min_connect_timeout
    advice = (
        "What stands in the way of the connection comes first. Then give calls longer than the connection needs "
        f"(an attempt gets {timeout:g} s), or connect beforehand: pool.wait(name)."
    )
    rows = [of_transition(row) for row in (_row_during(case, last),) if row is not None]
    finding = _finding(case, Cause.DEADLINE, text, advice, calls)
    return Finding(
        finding.key,
        finding.cause,
        text,
        tuple(sorted((*rows, *finding.evidence), key=lambda row: row.time)),
        advice,
        finding.since,
        finding.until,
    )


def _row_during(case: Case, call: Call) -> Transition | None:
    """The row that began the state in which the module was when the call ended."""
    return next((row for row in reversed(case.own) if row.time < call.end), None)


def _state_during(case: Case, call: Call) -> str:
    row = _row_during(case, call)
    return "not connected" if row is None or row.state is None or row.state is State.READY else str(row.state)


def _ready_share(case: Case, call: Call) -> float:
    """The share of the call's time in which the module was READY; 1 if nobody knows."""
    rows = [row for row in case.own if row.time < call.end]
    if not rows or call.end <= call.start:
        return 1.0
    ends = [*(row.time for row in rows[1:]), call.end]
    ready = 0
    known = False
    for row, end in zip(rows, ends, strict=True):
        inside = max(0, min(end, call.end) - max(row.time, call.start))
        known = known or inside > 0
        if row.state is State.READY or row.state is None:
            ready += inside
    before = max(0, min(rows[0].time, call.end) - call.start)  # whose rows have gone
    return (ready + before) / (call.end - call.start) if known else 1.0


def _finding(case: Case, cause: Cause, text: str, advice: str, calls: Sequence[Call]) -> Finding:
    last = calls[-1].end
    until = None if case.now - last <= RECENT else last
    rows = tuple(map(of_call, spread(calls)))
    return Finding(case.key, cause, text, rows, advice, calls[0].end, until, Evidence.SEEN)
