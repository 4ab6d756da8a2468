"""Recorded evidence, written down in short: what grpcio 1.85.1 said when each thing happened to real servers."""

from collections.abc import Sequence
from typing import Any

from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.diagnose import Diagnosis, diagnose
from tinypool_nb.core.diagnosis.findings import Finding, RowOf
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Mark, MarkKind, Observation, Outcome, Subject, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.core.states import State

SECOND = 1_000_000_000
KEY = ModuleKey(None, "http-module-v1")
PEER = "ipv4:127.0.0.1:21500"
FAST = PoolOptions(keepalive=Keepalive(time=1.0, timeout=0.5), backoff=Backoff(initial=0.3, maximum=1.0, min_connect_timeout=1.0))

IDLE, C, R, T, S = State.IDLE, State.CONNECTING, State.READY, State.TRANSIENT_FAILURE, State.SHUTDOWN


def at(seconds: float) -> int:
    return 1_000 * SECOND + round(seconds * SECOND)


class Recorded:
    """Puts a case together: times in seconds, states by their letters in `walk`."""

    def __init__(self, *, address: str = "127.0.0.1:21500", transport: str = "plaintext", options: PoolOptions = FAST) -> None:
        self.channel = ChannelIdentity(1, KEY, address, 1, transport)
        self.options = options
        self.transitions: list[Transition] = []
        self.attempts: list[Attempt] = []
        self.calls: list[Call] = []
        self.outlasting: list[Call] = []
        self.marks: list[Mark] = []
        self.observations: list[Observation] = []
        self.neighbours: tuple[ModuleKey, ...] = ()

    def walk(self, *steps: tuple[float, State | None, str] | tuple[float, State | None]) -> "Recorded":
        """Transitions one after the other: when, to which state, why; None is a gap."""
        for time, state, *why in steps:
            previous = self.transitions[-1].state if self.transitions else None
            evidence = Evidence.GAP if state is None else Evidence.SEEN
            self.transitions.append(Transition(at(time), self.channel, previous, state, why[0] if why else "", evidence))
        return self

    def failed(self, start: float | None, end: float, reason: str, *, peer: str = PEER) -> "Recorded":
        began = None if start is None else at(start)
        number = 0 if not peer else 3
        self.attempts.append(Attempt(self.channel, number, peer, began, at(end), Outcome.FAILED, reason, Evidence.SEEN))
        return self

    def connected(self, start: float, end: float, *, peer: str = PEER) -> "Recorded":
        self.attempts.append(Attempt(self.channel, 3, peer, at(start), at(end), Outcome.READY, "", Evidence.SEEN))
        return self

    def call(self, start: float, end: float, code: Code, reason: str) -> "Recorded":
        self.calls.append(Call(self.channel, "module.ModuleService/Message", at(start), at(end), code, 10, 0, reason))
        return self

    def outlasted(self, start: float, end: float) -> "Recorded":
        """A call that ended well, and was under way when a connection was lost."""
        self.outlasting.append(Call(self.channel, "module.ModuleService/Message", at(start), at(end), Code.OK, 10, 10, ""))
        return self

    def marked(self, time: float, text: str, kind: MarkKind = MarkKind.ACTION) -> "Recorded":
        self.marks.append(Mark(at(time), kind, text, KEY))
        return self

    def looked(self, time: float, subject: Subject, text: str, value: int = 0) -> "Recorded":
        self.observations.append(Observation(at(time), KEY, subject, text, value))
        return self

    def replaced(self, *, address: str | None = None) -> "Recorded":
        """A channel of the next generation takes over."""
        old = self.channel
        self.channel = old._replace(number=old.number + 1, generation=old.generation + 1, address=address or old.address)
        return self

    def case(self, now: float) -> Case:
        opening = None
        for row in self.transitions:
            if row.channel == self.channel and (opening is None or row.state is not opening.state or row.channel != opening.channel):
                opening = row
        return Case(
            KEY,
            self.channel,
            at(now),
            self.options,
            opening,
            tuple(self.transitions),
            tuple(self.attempts),
            tuple(self.calls),
            tuple(self.outlasting),
            len(self.calls) + len(self.outlasting),
            tuple(self.marks),
            tuple(self.observations),
            self.neighbours,
        )

    def diagnosis(self, now: float) -> Diagnosis:
        diagnosis = diagnose(self.case(now))
        for finding in diagnosis.findings:
            self._has_its_evidence(finding)
        return diagnosis

    def _has_its_evidence(self, finding: Finding) -> None:
        """Every finding refers to rows that are there, and speaks in whole sentences."""
        rows: dict[RowOf, Sequence[Any]] = {
            RowOf.TRANSITIONS: [row.time for row in self.transitions],
            RowOf.ATTEMPTS: [row.end for row in self.attempts],
            RowOf.CALLS: [row.end for row in (*self.calls, *self.outlasting)],
            RowOf.MARKS: [row.time for row in self.marks],
            RowOf.OBSERVATIONS: [row.time for row in self.observations],
        }
        assert finding.evidence, finding
        assert all(row.time in rows[row.table] for row in finding.evidence), finding
        assert finding.evidence == tuple(sorted(finding.evidence, key=lambda row: row.time))
        assert finding.text[-1] in ".)" or ": " in finding.text, finding.text
        assert finding.until is None or finding.until >= finding.since, finding
