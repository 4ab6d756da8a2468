"""How findings say numbers, stretches of time and addresses."""

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.errors import AddressError


def seconds_text(seconds: float) -> str:
    """A duration in the unit that matters.

    >>> [seconds_text(seconds) for seconds in (0.25, 1.0, 12.34, 90, 7300)]
    ['0.25 s', '1 s', '12 s', '1.5 min', '2 h']
    """
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    if seconds < 3_570:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3_600:.2g} h"


def attempts_text(number: int) -> str:
    """How often it was tried.

    >>> attempts_text(1), attempts_text(12)
    ('tried once', '12 attempts')
    """
    return "tried once" if number == 1 else f"{number:,} attempts"


def times_text(number: int) -> str:
    """How often.

    >>> times_text(1), times_text(2), times_text(7)
    ('once', 'twice', '7 times')
    """
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def host_of(address: str) -> str:
    """The host that an address names; "" if it names several or none.

    >>> host_of("dns:///http-module-v1:50051"), host_of("unix:/run/module.sock")
    ('http-module-v1', '')
    """
    try:
        hosts = set(parse_address(address).hosts)
    except AddressError:
        return ""
    return hosts.pop() if len(hosts) == 1 else ""


def clock_text(time: int) -> str:
    """The time of day of a moment, nanoseconds since 1970-01-01 UTC, in UTC, to a tenth of a second.

    >>> clock_text(1_500_000_000)
    '00:00:01.5'
    """
    tenths = round(time / 100_000_000)
    seconds, tenth = divmod(tenths, 10)
    minutes, second = divmod(seconds % 86_400, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{tenth}"
