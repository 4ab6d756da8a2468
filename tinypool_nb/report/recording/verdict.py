"""The verdict of a report: what was wrong, since when, which modules; the findings of all modules, brought together by their cause."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tinypool_nb.core.diagnosis.causes import Gravity
from tinypool_nb.core.palette import PALETTES, SEVERITY
from tinypool_nb.core.states import State
from tinypool_nb.report.recording.seen import GRAVITIES, Module, moment_of
from tinypool_nb.report.tables import NEVER

MOST_NAMED = 3
"""Modules that the headline names."""


class Outcome(StrEnum):
    """How the record ends."""

    EMPTY = "empty"
    WELL = "well"
    RECOVERED = "recovered"
    TROUBLE = "trouble"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """Findings of one cause, over all modules that it was found of."""

    cause: str
    gravity: str
    now: bool
    """Whether it held at the end."""
    since: int
    """Since when, of the first module; nanoseconds since 1970 UTC; NEVER if unknown."""
    until: int
    """Until when, of the last module; NEVER if it held at the end."""
    modules: tuple[Module, ...]
    example: Any
    """The finding of the first of them: a row of `findings`."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a report says first."""

    outcome: Outcome
    headline: str
    """One sentence, or two, without the stop."""
    named: tuple[Module, ...]
    """The modules that it is about, if they are few."""
    more: str
    """A further sentence; "" if there is none."""
    states: str
    """How the modules were at the end, for example `2 READY, 1 IDLE`."""
    causes: tuple[Cause, ...]
    """What was wrong: what held at the end first, then how bad it was, then of how many modules."""
    notes: tuple[Cause, ...]
    """What is only worth knowing."""


def verdict(modules: Sequence[Module]) -> Verdict:
    """Judge a record by the findings of its modules, which are all that it has."""
    if not modules:
        return Verdict(Outcome.EMPTY, "Nothing was recorded: no module was registered", (), "", "", (), ())
    found = sorted(
        _causes(modules), key=lambda each: (not each.now, GRAVITIES.index(Gravity(each.gravity)), -len(each.modules), each.since)
    )
    outcome, headline, about, more = _judged(modules)
    named = tuple(about) if len(about) <= MOST_NAMED and len(modules) > 1 else ()
    causes, notes = (tuple(each for each in found if (each.gravity == Gravity.NOTE) is is_note) for is_note in (False, True))
    return Verdict(outcome, headline, named, more, _states(modules), causes, notes)


def _judged(modules: Sequence[Module]) -> tuple[Outcome, str, list[Module], str]:
    """Outcome, headline, whom it is about, and what is to be added."""
    broken = [module for module in modules if module.gravity_now == Gravity.BROKEN]
    troubled = [module for module in modules if module.gravity_now == Gravity.TROUBLE]
    once = [module for module in modules if module.was_wrong]
    if broken:
        more = f" {len(troubled):,} more had trouble." if troubled else ""
        return Outcome.BROKEN, f"{_of(broken, modules, 'The module')} could not be reached at the end", broken, more
    if troubled:
        said = f"No module was out of reach at the end, but {_of(troubled, modules, 'the module')} had trouble"
        return Outcome.TROUBLE, said, troubled, ""
    if once:
        return Outcome.RECOVERED, f"Nothing was wrong at the end. Earlier {_of(once, modules, 'the module')} had trouble", once, ""
    return Outcome.WELL, "Nothing was wrong", [], ""


def _of(some: Sequence[Module], modules: Sequence[Module], alone: str) -> str:
    """How many of the modules, in words."""
    return alone if len(modules) == 1 else f"{len(some):,} of {len(modules):,} modules"


def _causes(modules: Iterable[Module]) -> Iterator[Cause]:
    grouped: dict[tuple[bool, str, str], list[tuple[Module, Any]]] = {}
    for module in modules:
        for found in module.findings:
            grouped.setdefault((bool(found.now), str(found.gravity), str(found.cause)), []).append((module, found))
    for (now, gravity, cause), members in grouped.items():
        since = min((time for _, row in members if (time := moment_of(row.since)) != NEVER), default=NEVER)
        until = NEVER if now else max(moment_of(row.until) for _, row in members)
        named = {module.name: module for module, _ in members}
        yield Cause(cause, gravity, now, since, until, tuple(named.values()), members[0][1])


def _states(modules: Sequence[Module]) -> str:
    counts: dict[int, int] = {}
    for module in modules:
        counts[module.code] = counts.get(module.code, 0) + 1
    looks = PALETTES["light"].looks
    return ", ".join(
        f"{counts[code]:,} {'closed' if code == State.SHUTDOWN.code else looks[code].label}"
        for code in sorted(counts, key=lambda code: -SEVERITY[code])
    )
