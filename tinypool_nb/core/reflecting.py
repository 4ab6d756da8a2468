"""What a reflector does next: list, or watch from where it was, and after how long a wait. Pure: time and chance come from outside.

The rules, each of which some Kubernetes client has learnt the hard way:

- A list gives a version, from which a watch goes on. The version advances with each event that was applied, and is only ever handed back.
- A connection that broke leaves the version good: watch again from it. A version that is gone (410), a watch that says something else, ends
  within a second without news, or falls silent for longer than bookmarks leave it, does not: list again.
- A watch that ends within a second is trouble, whatever it said: else a server that ends each of them is asked for one after the other.
- After trouble comes a wait that doubles from 0.8 to 10 s, by chance between half of it and all of it, and begins anew once all was
  well for two minutes. A version that is gone is no trouble of the server's and needs no wait, unless it was so half a minute ago: after
  an outage the wait for it was paid already. Nor does a watch that fell silent: an old server has no bookmarks for a resource that rests.
- A list comes every 15 minutes anyway. A watch from a version that the server has yet to reach (its storage was restored from a backup) is
  silent for ever, with nobody to tell. And API servers have had faults that lost events, around restarts and compactions of their storage:
  so one that was away, where more than a connection broke, is listed again within a minute, although it lets watch on.

Sources: Kubernetes' API concepts (efficient detection of changes); client-go's Reflector.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

FIRST_WAIT = 0.8
"""Seconds."""
LONGEST_WAIT = 10.0
HEALTH = 120.0
"""Seconds without trouble after which the waits begin anew."""
GONE_AGAIN = 30.0
"""Seconds within which a version that is gone once more is trouble."""
RELIST = 900.0
"""Seconds from one list to the next, a tenth more or less."""
EARLIEST_RELIST = 0.9 * RELIST
RECHECK = 60.0
"""Seconds at the most from an outage to the next list, though the version may have outlived it."""
WATCH = (300.0, 600.0)
"""Seconds that one watch lasts, at least and at most: the server ends it."""
SHORTEST_WATCH = 1.0
"""Seconds; after one that ends earlier comes a wait."""

Chance = Callable[[], float]
"""Gives a number from 0 up to 1, as `random.random`."""


class Came(StrEnum):
    """How a request ended."""

    LISTED = "listed"
    ENDED = "ended"
    """A watch, in order, by the server."""
    GONE = "gone"
    """410 or 504, as a status or within a watch: the version is too old, or of a future that the server has lost. Never of a list."""
    CUT = "cut"
    """The connection could not be made, or broke."""
    SILENT = "silent"
    """A watch from which nothing was heard for longer than bookmarks leave it."""
    REFUSED = "refused"
    """401, 403 or 404: a right, or the resource definition, is missing."""
    BUSY = "busy"
    """429 or a server's error: the request itself was good."""
    WRONG = "wrong"
    """Anything else that was not understood: an unknown error in a watch, garbage, an over-long line."""


@dataclass(frozen=True, slots=True)
class Course:
    """Where a reflector is."""

    version: str | None = None
    """To watch from; None if a list must come first."""
    listed: float | None = None
    """When the last list was complete, monotonic seconds; None before the first."""
    relist: float = 0.0
    """When the next one is due."""
    wait: float = FIRST_WAIT
    """The longest that the next trouble makes it wait, seconds."""
    gone: float | None = None
    """When the version last was gone; None if it never was, or a wait for other trouble came after it."""
    well_since: float | None = None
    """Since when there has been no trouble; None while there is."""


class Step(NamedTuple):
    """What to do next."""

    wait: float
    """Seconds to wait before it."""
    version: str | None
    """Watch from here; None: list."""
    watch_for: int
    """Seconds that the watch is to last; 0 for a list."""


def next_step(course: Course, came: Came | None, *, now: float, chance: Chance, heard: int = 0, lasted: float = 0.0) -> tuple[Course, Step]:
    """What to do after a request ended as `came` says; None before the first.

    Args:
        came: how the last request ended.
        course: where the reflector is; of a list that is complete, and of events applied, `listed` and `advanced` have told.
        now: monotonic seconds.
        chance: by which waits and lengths of watches vary.
        heard: events of a watch that moved the version on: what a server says again and again is no news.
        lasted: seconds that a watch lasted.

    >>> course, step = next_step(Course(), None, now=0.0, chance=lambda: 0.5)
    >>> step
    Step(wait=0.0, version=None, watch_for=0)
    >>> course, step = next_step(listed(course, "41", now=1.0, chance=lambda: 0.5), Came.LISTED, now=1.0, chance=lambda: 0.5)
    >>> step
    Step(wait=0.0, version='41', watch_for=450)
    >>> next_step(course, Came.CUT, now=2.0, chance=lambda: 0.5)[1].wait
    0.6000000000000001
    """
    wait = 0.0
    match came:
        case None | Came.LISTED:
            pass
        case Came.ENDED if lasted >= SHORTEST_WATCH:
            pass
        case Came.ENDED if heard:
            course, wait = _troubled(course, now, chance)
        case Came.SILENT:
            course = replace(course, version=None)
        case Came.GONE:
            again = course.gone is not None and now - course.gone < GONE_AGAIN
            if again:
                course, wait = _troubled(course, now, chance)
            course = replace(course, version=None, gone=now)
        case Came.CUT | Came.BUSY:
            is_outage = course.well_since is None  # it is the second trouble in a row; one alone may be a proxy's, which cuts what rests
            course, wait = _troubled(course, now, chance)
            if is_outage:
                course = replace(course, relist=min(course.relist, now + RECHECK * (0.5 + 0.5 * chance())))
        case _:
            course, wait = _troubled(replace(course, version=None), now, chance)
    if course.version is None or is_relist_due(course, now + wait):
        return replace(course, version=None), Step(wait, None, 0)
    shortest, longest = WATCH
    lasting = min(shortest + (longest - shortest) * chance(), course.relist - now - wait)
    return course, Step(wait, course.version, max(1, round(lasting)))


def listed(course: Course, version: str, *, now: float, chance: Chance) -> Course:
    """Where it is after a list that ended at `version`."""
    relist = now + EARLIEST_RELIST + 0.2 * RELIST * chance()
    return replace(course, version=version, listed=now, relist=relist, well_since=course.well_since or now)


def opened(course: Course, *, now: float) -> Course:
    """Where it is once the server has let it watch."""
    return replace(course, well_since=course.well_since or now)


def advanced(course: Course, version: str) -> Course:
    """Where it is after the event of that version was applied."""
    return replace(course, version=version)


def is_relist_due(course: Course, now: float) -> bool:
    """Whether a watch is to be left for a list."""
    return course.listed is None or now >= course.relist


def due_for(course: Course, now: float) -> str:
    """What a list is due for, to be told with it; "" if none is, or it is the first, or trouble brings it.

    >>> from dataclasses import replace
    >>> course = listed(Course(), "41", now=0.0, chance=lambda: 0.5)
    >>> due_for(course, 899.0), due_for(course, 900.0), due_for(replace(course, relist=60.0), 60.0)
    ('', 'as every 15 minutes', 'the API server was away')
    """
    if course.listed is None or now < course.relist:
        return ""
    return f"as every {RELIST / 60:.0f} minutes" if course.relist - course.listed >= EARLIEST_RELIST else "the API server was away"


def _troubled(course: Course, now: float, chance: Chance) -> tuple[Course, float]:
    is_well = course.well_since is not None and now - course.well_since >= HEALTH
    wait = FIRST_WAIT if is_well else course.wait
    # Of a version that was gone before this trouble nothing is remembered: should the next one be gone, the wait for it is paid by this.
    return replace(course, wait=min(LONGEST_WAIT, 2 * wait), well_since=None, gone=None), wait * (0.5 + 0.5 * chance())
