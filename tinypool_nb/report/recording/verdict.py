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
    """One sentence, or two."""
    states: str
    """How the modules were at the end, for example `2 READY, 1 IDLE`."""
    causes: tuple[Cause, ...]
    """What was wrong: what held at the end first, then how bad it was, then of how many modules."""
    notes: tuple[Cause, ...]
    """What is only worth knowing."""


def verdict(modules: Sequence[Module]) -> Verdict:
    """Judge a record by the findings of its modules, which are all that it has."""
    if not modules:
        return Verdict(Outcome.EMPTY, "Nothing was recorded: no module was registered.", "", (), ())
    found = sorted(
        _causes(modules), key=lambda each: (not each.now, GRAVITIES.index(Gravity(each.gravity)), -len(each.modules), each.since)
    )
    outcome, headline = _headline(modules)
    causes, notes = (tuple(each for each in found if (each.gravity == Gravity.NOTE) is is_note) for is_note in (False, True))
    return Verdict(outcome, headline, _states(modules), causes, notes)


def _headline(modules: Sequence[Module]) -> tuple[Outcome, str]:
    broken = sum(module.gravity_now == Gravity.BROKEN for module in modules)
    troubled = sum(module.gravity_now not in {Gravity.BROKEN, Gravity.NOTE, ""} for module in modules)
    once = sum(module.was_wrong for module in modules)
    if broken:
        more = f" {troubled:,} more had trouble." if troubled else ""
        return Outcome.BROKEN, f"{_of(broken, modules)} could not be reached at the end.{more}"
    if troubled:
        return Outcome.TROUBLE, f"All could be reached at the end, but {_of(troubled, modules, inside=True)} had trouble."
    if once:
        return Outcome.RECOVERED, f"Nothing was wrong at the end. Earlier {_of(once, modules, inside=True)} had trouble."
    return Outcome.WELL, "Nothing was wrong."


def _of(number: int, modules: Sequence[Module], *, inside: bool = False) -> str:
    """How many of the modules, in words."""
    if len(modules) == 1:
        return "the module" if inside else "The module"
    return f"{number:,} of {len(modules):,} modules"


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
