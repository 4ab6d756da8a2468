"""Refuses settings of the lab at the door."""

import sys
from ipaddress import ip_address

from tinypool_nb.errors import OptionsError


def check_int(option: str, value: object, least: int, most: int | None = None) -> None:
    """Let through an int in these bounds, and nothing else.

    >>> check_int("port", 70_000, 1, 65_535)
    Traceback (most recent call last):
    tinypool_nb.errors.OptionsError: port=70000 was refused: an int from 1 to 65535

    Raises:
        OptionsError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        raise OptionsError(option, value, f"an int, {least} or more" if most is None else f"an int from {least} to {most}")


def check_seconds(option: str, value: object, *, zero: bool = True, most: float = sys.float_info.max) -> None:
    """Let through a finite number of seconds, and nothing else.

    Args:
        option: what the setting is called.
        value: what a person said.
        zero: whether 0 is welcome.
        most: the largest that is.

    Raises:
        OptionsError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or (value == 0 and not zero):
        bound = "" if most == sys.float_info.max else f" and at most {most:g}"
        raise OptionsError(option, value, f"a number of seconds, {'0 or more' if zero else 'more than 0'}{bound}")


def check_loopback(option: str, value: object) -> None:
    """Let through an address of the loopback, and nothing else: what the lab serves is nobody else's business.

    Raises:
        OptionsError: it is none.
    """
    try:
        if isinstance(value, str) and ip_address(value).is_loopback:
            return
    except ValueError:
        pass
    raise OptionsError(option, value, "an address of the loopback, such as 127.0.0.2")
