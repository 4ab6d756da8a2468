"""From the evidence of a module to what is, or was, the matter with it. Pure: the same evidence always gives the same findings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tinypool_nb.core.diagnosis import calling, condition, connecting, losing, surroundings
from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import Cause, Gravity
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.events import Evidence
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.telling import counted

_GRAVITY = {gravity: place for place, gravity in enumerate(Gravity)}
_ORDER = {cause: place for place, cause in enumerate(Cause)}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is to be said of a module, and by what it was judged."""

    key: ModuleKey
    state: State | None
    """Of its present channel; None in a gap, and where it never had one."""
    address: str
    """As it was registered; "" if it never was."""
    now: int
    """Up to when the record spoke, nanoseconds since 1970-01-01 UTC."""
    findings: tuple[Finding, ...]
    """What is so now comes first, the worst before the rest; then what was, the latest first."""
    judged_by: str
    """How many rows of what were looked at."""

    @property
    def broken(self) -> bool:
        """Whether the module cannot be reached now."""
        return any(finding.now and finding.gravity is Gravity.BROKEN for finding in self.findings)

    @property
    def troubled(self) -> bool:
        """Whether something goes wrong now, though the module can be reached."""
        return any(finding.now and finding.gravity is Gravity.TROUBLE for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The answer in a few words."""
        worst = next((finding for finding in self.findings if finding.now and finding.gravity is not Gravity.NOTE), None)
        if worst is not None:
            return f"{'cannot be reached' if self.broken else 'in trouble'}: {worst.cause}"
        if self.state is State.READY:
            return "nothing wrong"
        notes = [finding.cause for finding in self.findings if finding.now and finding.cause in _DOING]
        return f"nothing wrong: {notes[0]}" if notes else "nothing wrong is known"


_DOING = frozenset({Cause.BACKOFF, Cause.CONNECTING, Cause.HELD, Cause.IDLE, Cause.TAKEN_AWAY})
"""Causes that say what the module does, where nothing is wrong."""


def diagnose(case: Case) -> Diagnosis:
    """Everything that the evidence says, each with the rows that it is told from.

    >>> diagnose(Case(ModuleKey(None, "http-module-v1"), None, now=0)).findings
    ()
    """
    unreached = tuple(connecting.findings(case))
    found = [
        *unreached,
        *losing.findings(case, failing=any(finding.now for finding in unreached)),
        *calling.findings(case),
        *condition.findings(case),
        *surroundings.findings(case),
    ]
    return Diagnosis(case.key, case.state, case.address, case.now, tuple(sorted(_merged(found), key=_rank)), judged_by(case))


def _merged(found: Iterable[Finding]) -> Iterator[Finding]:
    """Where two kinds of evidence tell of the same, one finding: in the words of who said it, with the evidence of both."""
    same: dict[tuple[Cause, int], list[Finding]] = {}
    for finding in found:
        same.setdefault((finding.cause, finding.since), []).append(finding)
    for findings in same.values():
        best = min(findings, key=lambda finding: finding.known is not Evidence.SEEN)
        rows = sorted({row for finding in findings for row in finding.evidence}, key=lambda row: (row.time, row.table, row.text))
        ends = [finding.until for finding in findings if finding.until is not None]
        yield replace(best, evidence=tuple(rows), until=max(ends) if len(ends) == len(findings) else None) if len(findings) > 1 else best


def judged_by(case: Case) -> str:
    """The evidence in numbers."""
    parts = [
        counted(len(case.transitions), "transition"),
        counted(len(case.attempts), "attempt"),
        counted(case.calls_seen, "call"),
        counted(len(case.marks), "mark"),
        counted(len(case.observations), "observation") if case.observations else "no observations",
    ]
    return ", ".join(parts)


def _rank(finding: Finding) -> tuple[bool, int, int, int]:
    if finding.now:
        return False, _GRAVITY[finding.gravity], _ORDER[finding.cause], -finding.since
    return True, -(finding.until or 0), _GRAVITY[finding.gravity], _ORDER[finding.cause]
