"""The verdict of a report: what was wrong, since when, which modules; the findings of all modules, brought together by their cause."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tinypool_nb.core.palette import PALETTES, SEVERITY
from tinypool_nb.core.states import State
from tinypool_nb.report.recording.seen import Module
from tinypool_nb.report.tables import NEVER


class Outcome(StrEnum):
    """How the record ends."""

    EMPTY = "empty"
    WELL = "well"
    RECOVERED = "recovered"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one cause, over all modules that it was found of."""

    cause: str
    now: bool
    """Whether it held at the end."""
    since: int
    """Since when, of the first module; nanoseconds since 1970 UTC; NEVER if unknown."""
    modules: tuple[Module, ...]
    example: Any
    """The finding of the first of them: a row of `findings`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report says first."""

    outcome: Outcome
    headline: str
    """One sentence."""
    states: str
    """How the modules were at the end, for example `2 READY, 1 IDLE`."""
    causes: tuple[Cause, ...]
    """What held at the end first, then by how many modules it was found of."""


def verdict(modules: Sequence[Module]) -> Verdict:
    """Judge a record by the findings of its modules, which are all that it has."""
    if not modules:
        return Verdict(Outcome.EMPTY, "Nothing was recorded: no module was registered.", "", ())
    causes = tuple(sorted(_causes(modules), key=lambda each: (not each.now, -len(each.modules), each.since)))
    wrong = sum(module.is_wrong_now for module in modules)
    once = sum(bool(module.findings) for module in modules)
    many = _counted(len(modules))
    if wrong:
        outcome = Outcome.WRONG
        headline = f"Something was wrong with {'the only module' if len(modules) == 1 else f'{wrong:,} of {many}'} at the end."
    elif once:
        outcome = Outcome.RECOVERED
        headline = f"Nothing was wrong at the end; earlier there was trouble with {'the only module' if len(modules) == 1 else f'{once:,} of {many}'}."
    else:
        outcome = Outcome.WELL
        headline = "Nothing was wrong with the only module." if len(modules) == 1 else f"Nothing was wrong with any of {many}."
    return Verdict(outcome, headline, _states(modules), causes)


def _causes(modules: Iterable[Module]) -> Iterable[Cause]:
    grouped: dict[tuple[bool, str], list[tuple[Module, Any]]] = {}
    for module in modules:
        for found in module.findings:
            grouped.setdefault((bool(found.now), str(found.cause)), []).append((module, found))
    for (now, cause), members in grouped.items():
        since = min((each.since.value for _, each in members if each.since == each.since), default=NEVER)  # noqa: PLR0124 - NaT differs from itself
        yield Cause(cause, now, since, tuple(dict.fromkeys(module for module, _ in members)), members[0][1])


def _states(modules: Sequence[Module]) -> str:
    counts: dict[int, int] = {}
    for module in modules:
        counts[module.code] = counts.get(module.code, 0) + 1
    looks = PALETTES["light"].looks
    closed = State.SHUTDOWN.code
    return ", ".join(
        f"{counts[code]:,} {'closed' if code == closed else looks[code].label}" for code in sorted(counts, key=lambda code: -SEVERITY[code])
    )


def _counted(number: int) -> str:
    return f"{number:,} module{'' if number == 1 else 's'}"
