"""Waiting in a notebook for something that only asking can tell."""

import asyncio
from collections.abc import Callable

from tinypool_nb.errors import ExerciseError

_PERIOD = 0.02
"""Seconds."""


async def until(holds: Callable[[], object], timeout: float = 15.0) -> None:
    """Wait until `holds()` is true, while the kernel goes on with everything else.

    For states of a connection there is `pool.until`, which need not ask again and again.

    Args:
        holds: asked 50 times a second.
        timeout: seconds.

    Raises:
        ExerciseError: it was not true in time.

    Example:
        >>> asyncio.run(until(lambda: True))
    """
    try:
        async with asyncio.timeout(timeout):
            while not holds():  # noqa: ASYNC110 - what is asked about may be in another process, which sends no event
                await asyncio.sleep(_PERIOD)
    except TimeoutError:
        raise ExerciseError(f"what was waited for did not come true within {timeout:g} s; run the cells from the top once more") from None
