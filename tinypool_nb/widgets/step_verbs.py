"""What the stepper may do: a bundle of callables, so that it knows neither pool nor lab."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from tinypool_nb.core.events import Attempt
from tinypool_nb.core.forecast import Forecast
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.phases import AttemptReport
from tinypool_nb.core.stepping import Progress, Script


class Drive(Protocol):
    """A lesson that is under way."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""

    def next(self, *, wait: bool = True) -> object:
        """Do the next step."""

    def play(self, *, wait: bool = True) -> object:
        """Do all steps that are left."""

    def reset(self) -> object:
        """Take all back."""

    def close(self) -> None:
        """End the lesson's servers."""

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` after each change."""

    def unlisten(self, listener: Callable[[], object]) -> None:
        """Call it no more."""


class Follow(Protocol):
    """A module that is followed."""

    def now(self, *, catch_up: bool = True) -> Forecast:
        """What it is doing."""

    @property
    def attempts(self) -> Sequence[Attempt]:
        """Those of its current channel."""


class Held(Protocol):
    """A module that is held."""

    def attempt(self) -> AttemptReport:
        """Make one attempt, and wait for its end."""

    def release(self) -> None:
        """Give it its normal channel back."""


@dataclass(frozen=True, slots=True)
class StepVerbs:
    """What the widget may ask for. Each may be called from any thread, and raises what the pool's own verb does.

    None of them should keep the pool alive: a widget stays in ipywidgets' registry until it is closed.
    """

    scripts: tuple[Script, ...]
    """The lessons, at least one."""
    open_lesson: Callable[[str], Drive]
    """Begin a lesson, by its name; nothing is done yet."""
    modules: Callable[[], Collection[ModuleKey]]
    """What is registered now; nothing when the pool is closed or gone."""
    follow: Callable[[ModuleKey], Follow]
    hold: Callable[[ModuleKey], Held]
    backoff_of: Callable[[ModuleKey], Backoff]
    catch_up: Callable[[], object]
    """Make the journal complete up to now; quiet when the pool is closed or gone."""
