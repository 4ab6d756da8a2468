"""Following one module: what its connection is doing, and when gRPC's own next attempt can come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinypool_nb.core.forecast import Forecast, forecast
from tinypool_nb.journal.journal import START
from tinypool_nb.journal.kinds import attempt_events, transition_events

if TYPE_CHECKING:
    from tinypool_nb.channels.pool import ClientPool
    from tinypool_nb.core.events import Attempt, ChannelIdentity, Transition
    from tinypool_nb.core.keys import ModuleKey
    from tinypool_nb.journal.journal import Batch


class Following:
    """Reads the record of one module as it grows. It displays itself as a sentence.

    Args:
        pool: whose module it is.
        key: the module.
    """

    def __init__(self, pool: ClientPool, key: ModuleKey) -> None:
        self.key = key
        self._pool = pool
        self._position = START
        self._channel: ChannelIdentity | None = None
        self._opening: Transition | None = None
        self._attempts: list[Attempt] = []

    def now(self, *, catch_up: bool = True) -> Forecast:
        """What the module's connection is doing at this moment.

        Args:
            catch_up: first read what may have happened; False takes the record as it is, and never waits.
        """
        if catch_up:
            self._pool.catch_up()
        self._read(self._pool.journal.since(self._position))
        state, since = (None, None) if self._opening is None else (self._opening.state, self._opening.time)
        backoff = self._pool.options_of(self.key).backoff
        return forecast(state, since, self._attempts, backoff, self._pool.journal.clock.now(), held=str(self.key) in self._pool.held)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Those that the module's current channel had made when it was last read, the oldest first."""
        return tuple(self._attempts)

    def __str__(self) -> str:
        from tinypool_nb.views import forecasts

        return forecasts.forecast_text(str(self.key), self.now(), self._pool.journal.clock.now())

    def __repr__(self) -> str:
        return f"<Following {self}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from tinypool_nb.views import forecasts

        told = forecasts.forecast_html(str(self.key), self.now(), self._pool.journal.clock.now())
        return {"text/plain": str(self), "text/html": told}

    def _read(self, batch: Batch) -> None:
        self._position = batch.position
        for row in transition_events(batch.transitions):
            if row.channel.key != self.key or (self._channel is not None and row.channel.number < self._channel.number):
                continue
            if row.channel != self._channel:
                self._channel, self._attempts = row.channel, []
            if self._opening is None or self._opening.channel != row.channel or row.state is not self._opening.state:
                self._opening = row
        self._attempts += [row for row in attempt_events(batch.attempts) if row.channel == self._channel]
