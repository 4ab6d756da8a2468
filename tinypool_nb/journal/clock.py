"""The one place of the record that reads the machine's clocks."""

import time

from tinypool_nb.core.clock import Clock


def system_clock() -> Clock:
    """A clock that starts at the wall clock's time of now and from then on only adds what the monotonic clock measures.

    So two times of one record are a true duration apart, even if somebody sets the machine's clock meanwhile.

    >>> clock = system_clock()
    >>> clock.now() <= clock.now()
    True
    """
    return Clock(epoch=time.time_ns() - time.monotonic_ns(), monotonic=time.monotonic_ns)
