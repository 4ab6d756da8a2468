"""What a report of a recording is made of: each frame of the record, asked for once, and its rows by module."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from tinypool_nb.core.diagnosis.causes import Gravity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.palette import SEVERITY
from tinypool_nb.report.tables import NEVER
from tinypool_nb.views.backoff_picture import Waits, waits_of
from tinypool_nb.views.swimlanes import nanoseconds, shown_keys

GRAVITIES = tuple(Gravity)
"""How bad a finding is, the worst first."""


class Recorded(Protocol):
    """What a report asks a record for; `tinypool_nb.Record` is one."""

    def transitions(self) -> pd.DataFrame:
        """As `Record.transitions`."""

    def attempts(self) -> pd.DataFrame:
        """As `Record.attempts`."""

    def intervals(self) -> pd.DataFrame:
        """As `Record.intervals`."""

    def summary(self) -> pd.DataFrame:
        """As `Record.summary`."""

    def connections(self) -> pd.DataFrame:
        """As `Record.connections`."""

    def calls(self) -> pd.DataFrame:
        """As `Record.calls`."""

    def latency(self) -> pd.DataFrame:
        """As `Record.latency`."""

    def marks(self) -> pd.DataFrame:
        """As `Record.marks`."""

    def findings(self) -> pd.DataFrame:
        """As `Record.findings`."""

    def backoff(self, key: ModuleKey) -> Backoff:
        """As `Record.backoff`."""

    def known(self) -> tuple[ModuleKey, ...]:
        """As `Record.known`."""

    def describe(self) -> Mapping[str, Any]:
        """As `Record.describe`."""

    def now(self) -> int:
        """As `Record.now`."""


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One module as the report tells of it."""

    name: str
    """Its shown key; foreign text."""
    key: ModuleKey
    code: int
    """Of its state at the end; UNKNOWN in a gap."""
    since: int
    """When that began, nanoseconds since 1970 UTC; NEVER if unknown."""
    row: Any
    """Its row of `summary`."""
    transport: str
    options: str
    findings: tuple[Any, ...]
    """Its rows of `findings`: those that hold at the end first, then the worst."""

    @property
    def gravity_now(self) -> str:
        """How bad it is at the end; "" if nothing was found."""
        return min((Gravity(each.gravity) for each in self.findings if each.now), key=GRAVITIES.index, default="")

    @property
    def was_wrong(self) -> bool:
        """Whether something was wrong with it, at the end or earlier."""
        return any(each.gravity != Gravity.NOTE for each in self.findings)

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The worst first."""
        now = GRAVITIES.index(Gravity(self.gravity_now or Gravity.NOTE))
        return now, -self.was_wrong, -SEVERITY[self.code], -int(self.row.failures)


class Seen:
    """All frames of a record, and the modules, the worst first."""

    def __init__(self, record: Recorded) -> None:
        self.record = record
        self.intervals = record.intervals()
        self.marks = record.marks()
        self.calls = record.calls()
        self.attempts = record.attempts()
        self.findings = record.findings()
        self.latency = record.latency()
        self.transitions = record.transitions()
        self.details: Mapping[str, Any] = record.describe()
        self.now = record.now()
        self._attempts = _by_module(self.attempts)
        self._intervals = _by_module(self.intervals)
        self._calls = _by_module(self.calls)
        self._marks = _by_module(self.marks[self.marks["module"].notna()])
        self._waits: dict[str, Waits] = {}
        self.modules = sorted(self._modules(), key=lambda module: module.rank)

    def attempts_of(self, module: Module) -> pd.DataFrame:
        """The module's rows of `attempts`."""
        return _rows(self.attempts, self._attempts, module.name)

    def intervals_of(self, module: Module) -> pd.DataFrame:
        """The module's rows of `intervals`."""
        return _rows(self.intervals, self._intervals, module.name)

    def calls_of(self, module: Module) -> pd.DataFrame:
        """The module's rows of `calls`."""
        return _rows(self.calls, self._calls, module.name)

    def marks_of(self, module: Module) -> pd.DataFrame:
        """The module's rows of `marks`."""
        return _rows(self.marks, self._marks, module.name)

    def waits_of(self, module: Module) -> Waits:
        """The waits between the module's attempts; worked out once."""
        if module.name not in self._waits:
            self._waits[module.name] = (
                waits_of(self.attempts_of(module), self.record.backoff(module.key)) if module.row.failures else Waits((), 0)
            )
        return self._waits[module.name]

    @property
    def start(self) -> int:
        """When the first thing was recorded, nanoseconds since 1970 UTC; NEVER if nothing was."""
        times = [nanoseconds(frame[name]) for frame, name in ((self.intervals, "start"), (self.transitions, "time"), (self.marks, "time"))]
        return min((int(column.min()) for column in times if len(column)), default=NEVER)

    def _modules(self) -> list[Module]:
        summary, connections = self.record.summary(), self.record.connections()
        known = {str(key): key for key in self.record.known()}
        settings = {
            str(name): (_told(transport), _told(options))
            for name, transport, options in zip(shown_keys(connections), connections["transport"], connections["options"], strict=True)
        }
        found: dict[str, list[Any]] = {}
        for name, row in zip(shown_keys(self.findings), rows_of(self.findings), strict=True):
            found.setdefault(str(name), []).append(row)
        columns = zip(
            shown_keys(summary),
            summary["state"].cat.codes.tolist(),
            nanoseconds(summary["since"]).tolist(),
            rows_of(summary),
            strict=True,
        )
        modules = []
        for name, code, since, row in columns:
            transport, options = settings.get(name, ("", ""))
            findings = sorted(found.get(name, ()), key=lambda each: (not each.now, GRAVITIES.index(Gravity(each.gravity))))
            modules.append(Module(name, known[name], code, since, row, transport, options, tuple(findings)))
        return modules


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows of a frame, each with its columns by name."""
    return list(frame.itertuples(index=False))


def moment_of(time: Any) -> int:
    """A time of a frame as nanoseconds since 1970 UTC; NEVER for NaT."""
    return NEVER if pd.isna(time) else int(time.as_unit("ns").value)


def _told(value: object) -> str:
    """A text of a frame; "" where it is missing."""
    return value if isinstance(value, str) else ""


def _by_module(frame: pd.DataFrame) -> Mapping[str, Any]:
    """The places of each module's rows."""
    keys = shown_keys(frame)
    return {str(name): places for name, places in keys.groupby(keys, sort=False).indices.items()} if len(frame) else {}


def _rows(frame: pd.DataFrame, places: Mapping[str, Any], name: str) -> pd.DataFrame:
    return frame.iloc[places[name]] if name in places else frame.iloc[:0]
