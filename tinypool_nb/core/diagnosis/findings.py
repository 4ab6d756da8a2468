"""What an explanation is made of: a cause, what it means here, the rows it is told from, and what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tinypool_nb.core.diagnosis.causes import CAUSES, Cause, Gravity, Source
from tinypool_nb.core.events import Evidence
from tinypool_nb.core.keys import ModuleKey


class RowOf(StrEnum):
    """The frame in which a row stands that a finding refers to."""

    TRANSITIONS = "transitions"
    ATTEMPTS = "attempts"
    CALLS = "calls"
    MARKS = "marks"
    OBSERVATIONS = "observations"


class Reference(NamedTuple):
    """One row of the record: where it stands and what it says."""

    table: RowOf
    time: int
    """Nanoseconds since 1970-01-01 UTC, as in the frame: the row's `time`, of an attempt or call its `end`."""
    text: str
    """What it says, foreign text included."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is, or was, the matter with a module. Times are nanoseconds since 1970-01-01 UTC."""

    key: ModuleKey
    cause: Cause
    text: str
    """A sentence, with the values in it. Foreign text is in it as it is: who shows it escapes it."""
    evidence: tuple[Reference, ...]
    """The rows that it is told from, at least one, the oldest first."""
    advice: str
    """What to do; "" if nothing needs doing."""
    since: int
    """When it began, as far as the record tells."""
    until: int | None
    """When it was over; None if it is so now."""
    known: Evidence = Evidence.SEEN
    """SEEN if somebody said it, gRPC core, the peer or a look at the address; INFERRED if it follows from what was seen."""
    partly: bool = False
    """Whether it is about one of the module's endpoints while another one serves."""

    @property
    def now(self) -> bool:
        """Whether it is so now."""
        return self.until is None

    @property
    def gravity(self) -> Gravity:
        """How bad it is, or was."""
        gravity = CAUSES[self.cause].gravity
        return Gravity.TROUBLE if self.partly and gravity is Gravity.BROKEN else gravity

    @property
    def see(self) -> Source:
        """What to read about it."""
        return CAUSES[self.cause].see
