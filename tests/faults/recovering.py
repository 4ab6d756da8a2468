"""Whether a module came back when gRPC's own ladder says so: each attempt after a fault is held to the window that the record forecast."""

from collections.abc import Iterator, Sequence

from tinypool_nb.core.events import Attempt, Outcome
from tinypool_nb.core.forecast import RESOLVER, Numbered, numbered
from tinypool_nb.core.options import Backoff

SECOND = 1_000_000_000
EXACT = 2_000_000
"""Nanoseconds to which core's stamps and our clock agree."""
SLACK = 200_000_000
"""Nanoseconds by which a timer of core's may be late on a machine that others use too; both moments are core's own stamps."""


def unlike_forecast(attempts: Sequence[Attempt], backoff: Backoff, over: int) -> Iterator[str]:
    """What was not as it must be once a fault is over: who came late, who failed all the same, that nobody came.

    Args:
        attempts: all of the module's current channel, the oldest first.
        backoff: the channel's settings.
        over: since when nothing is wrong any more and somebody asks, nanoseconds since 1970-01-01 UTC.

    >>> from tinypool_nb.core.events import ChannelIdentity, Evidence
    >>> from tinypool_nb.core.keys import ModuleKey
    >>> channel = ChannelIdentity(1, ModuleKey(None, "web"), "127.0.0.1:50051", 1)
    >>> failed = Attempt(channel, 3, "", 0, 1, Outcome.FAILED, "refused", Evidence.SEEN)
    >>> good = failed._replace(start=1_300_000_000, end=1_310_000_000, outcome=Outcome.READY, reason="")
    >>> list(unlike_forecast([failed, good], Backoff(initial=1.0), over=500_000_000))
    []
    >>> list(unlike_forecast([failed, good], Backoff(initial=0.5), over=500_000_000))
    ['attempt 2 began 0.700 s after its window had ended']
    """
    rows = numbered(attempts)
    if not rows or rows[-1].attempt.outcome is not Outcome.READY:
        yield "the last attempt did not end well"
    for each, due in zip(rows, _due(rows, backoff, over), strict=True):
        if each.start <= over + EXACT:
            continue
        if each.start > due + SLACK:
            yield f"attempt {each.number} began {(each.start - due) / SECOND:.3f} s after its window had ended"
        if each.attempt.outcome is Outcome.FAILED:
            yield f"attempt {each.number} failed after the fault: {each.attempt.reason}"


def _due(rows: Sequence[Numbered], backoff: Backoff, over: int) -> Iterator[int]:
    """By when each attempt had to begin: at the end of the window after the one before it, or as soon as somebody asked."""
    resolved = over
    for each in rows:
        if each.before is None:
            yield resolved
        else:
            yield each._replace(attempt=each.before, number=each.number - 1).following(backoff).latest
        if not each.attempt.subchannel and each.attempt.outcome is Outcome.FAILED:
            resolved = max(over, each.following(RESOLVER).latest)
