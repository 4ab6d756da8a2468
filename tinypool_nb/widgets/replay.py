"""A recording that is played: the live timeline's own picture, at any speed and from any moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, cast

import traitlets

from tinypool_nb.errors import OptionsError
from tinypool_nb.views.overview import overview
from tinypool_nb.widgets.joining import REPLAY, joined
from tinypool_nb.widgets.live import HISTORY, LiveTimeline
from tinypool_nb.widgets.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinypool_nb.journal.journal import Journal
    from tinypool_nb.widgets.publisher import Publisher

_SECOND = 1_000_000_000
SIGHT = 60.0
"""Seconds of a person's time that are in sight while it plays."""


class Replay(LiveTimeline):
    """Plays a recording. What a button does can be done from here too: set `playing`, `speed` and `position`.

    A view has a slider for the position, goes to the marks, and plays at any speed; Space plays and pauses. Each view gets the newest
    changes of the recording when it opens, then plays by itself: the kernel has nothing to do. A picture stands in its place where no
    browser draws it.

    Args:
        journal: what was recorded.
        speed: so many times as quickly as it was.
        playing: whether it plays from its beginning as soon as it is displayed; else all of it is in sight.

    Raises:
        OptionsError: `speed` is no such number.

    >>> from tinypool_nb.journal.journal import Journal
    >>> replay = Replay(Journal(), speed=10.0)
    >>> replay
    <Replay of <Journal of 0 modules: 0 transitions, 0 attempts, 0 marks and 0 calls> at 10×>
    >>> replay.close()
    """

    _esm: ClassVar[str] = joined(REPLAY)
    speed = traitlets.Float(1.0, help="How many times as quickly as it was.").tag(sync=True)
    playing = traitlets.Bool(default_value=False, help="Whether it plays.").tag(sync=True)
    position = traitlets.Float(0.0, help="Seconds since the beginning; as of when a person last did something.").tag(sync=True)

    def __init__(self, journal: Journal, *, speed: float = 1.0, playing: bool = False) -> None:
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < math.inf:
            raise OptionsError("speed", speed, "a number above 0: how many times as quickly as it was")
        seconds = max(10.0, (journal.clock.now() - _begin(journal)) / _SECOND)
        window = min(seconds * 1.02, SIGHT * speed) if playing else seconds * 1.02
        super().__init__(journal, cast("Publisher", _Over()), window=max(1.0, window), history=HISTORY)
        self.speed, self.playing, self.position = float(speed), playing, 0.0 if playing else seconds
        self.add_class("tinypool-whole")
        self._places = Places(super()._repr_mimebundle_()[0], self._static, lambda: None)  # type: ignore[index]

    @traitlets.validate("speed")
    def _check_speed(self, proposal: Any) -> float:
        if not 0 < proposal.value < math.inf:
            raise OptionsError("speed", proposal.value, "a number above 0: how many times as quickly as it was")
        return float(proposal.value)

    def close(self) -> None:
        """Leave a picture where it is displayed, and end. May be called twice."""
        if "_places" in self.__dict__:
            self._places.freeze()
        super().close()

    def __repr__(self) -> str:
        return f"<Replay of {self._journal!r} at {self.speed:g}×>"

    def _static(self) -> dict[str, str]:
        return overview(self._journal, self._journal.keys())

    def _ipython_display_(self) -> None:
        self._places.display()

    def _repr_mimebundle_(self, **_: Any) -> Any:
        return self._places.bundle()


class _Over:
    """In the publisher's place: a recording has nothing to tell any more."""

    def add(self, *_: object, **__: object) -> None:
        raise RuntimeError("a recording does not grow")

    def remove(self, _: object) -> None:
        """There is nothing to remove."""

    def post(self, write: Callable[[], object]) -> None:
        write()


def _begin(journal: Journal) -> int:
    batch = journal.since()
    times = [int(rows.columns["time"].min()) for rows in (batch.transitions, batch.marks) if len(rows)]
    return min(times, default=journal.clock.now())
