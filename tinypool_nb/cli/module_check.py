"""`tinypool-nb doctor ADDRESS`: connects to modules, and says what is the matter with those that cannot be reached."""

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tinypool_nb.cli.modules import add_tls, module, tls
from tinypool_nb.cli.telling import has_colours, tell_aside
from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.keys import ModuleKey, parse_key
from tinypool_nb.errors import AddressError, ModuleNameError, OptionsError

REACHED, NOT_REACHED, NOT_UNDERSTOOD = 0, 1, 2
"""The exit codes."""
PATIENCE = 2.0
"""Seconds beyond the attempt's own timeout until its outcome must be known."""
_COLOURS = {"broken": "1;31", "trouble": "1;33", "good": "1;32", "note": "36", "past": "2", "faint": "2", "bold": "1"}
_LONGEST_TIMEOUT = 3_600.0


def add(parser: Any, what: Any) -> None:
    """Add the words to those of the command; `what` is the group of which one must be given."""
    what.add_argument(
        "addresses",
        nargs="*",
        default=[],
        type=_asked,
        metavar="[NAME=]ADDRESS",
        help="modules to connect to, as 127.0.0.1:50051 or http-module-v1=127.0.0.1:50051",
    )
    parser.add_argument(
        "--timeout", type=_timeout, default=5.0, metavar="SECONDS", help="how long connecting may take (default: %(default)g)"
    )
    add_tls(parser)


def run(options: argparse.Namespace) -> int:
    """Connect to all, explain each; 0 if all were reached, 1 if one was not, 2 if a word was not understood."""
    from tinypool_nb.core.options import Backoff, PoolOptions
    from tinypool_nb.notebook.pool import Pool

    try:
        asked = _named(options.addresses)
    except ModuleNameError as error:
        options.not_understood(str(error))
    # One attempt an address, given up in time; its backoff is longer than we stay.
    backoff = Backoff(initial=max(options.timeout, 1.0), maximum=_LONGEST_TIMEOUT, min_connect_timeout=options.timeout)
    try:
        pool = Pool(PoolOptions(tls=tls(options), backoff=backoff))
    except OptionsError as error:
        tell_aside(f"tinypool-nb: {error}")
        return NOT_UNDERSTOOD
    with pool:
        for key, address in asked:
            pool.register(key.name, address, namespace=key.namespace)
        pool.health_check()
        reached = _await(pool, [key for key, _ in asked], options.timeout + PATIENCE)
        for place, (key, _) in enumerate(asked):
            explanation = _without_our_own(pool.explain(key, timeout=min(options.timeout, 2.0)))
            print(("\n" if place else "") + explanation.text(paint=paint(), width=_columns()))
    return REACHED if reached else NOT_REACHED


def _without_our_own(explanation: Any) -> Any:
    """Without the wait for the next attempt, which there will be none of."""
    from tinypool_nb.core.diagnosis.causes import Cause
    from tinypool_nb.notebook.explanation import Explanation

    told = tuple(finding for finding in explanation.findings if finding.cause is not Cause.BACKOFF)
    return Explanation(replace(explanation.diagnosis, findings=told))


def _await(pool: Any, keys: Sequence[ModuleKey], seconds: float) -> bool:
    """Wait until each is connected, or has failed to be; whether all are connected."""
    import asyncio

    from tinypool_nb.core.states import State
    from tinypool_nb.errors import WaitTimeoutError

    async def outcome(key: ModuleKey) -> bool:
        ways = [asyncio.ensure_future(pool.until(key, state, timeout=seconds)) for state in (State.READY, State.TRANSIENT_FAILURE)]
        done, waiting = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in waiting:
            way.cancel()
        for result in await asyncio.gather(*ways, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, WaitTimeoutError):
                raise result
        return ways[0] in done and ways[0].exception() is None

    async def outcomes() -> list[bool]:
        return await asyncio.gather(*map(outcome, keys))

    return all(asyncio.run(outcomes()))


def _asked(text: str) -> tuple[ModuleKey | None, str]:
    """A word of the command as a module, nameless if it is only an address."""
    try:
        key, address = (None, text) if "=" not in text else module(text)
        parse_address(address)
        if key is not None:
            parse_key(key.name, key.namespace)
    except (AddressError, ModuleNameError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return key, address


def _named(asked: Sequence[tuple[ModuleKey | None, str]]) -> list[tuple[ModuleKey, str]]:
    """Each with a name of its own: what was said, or its address from the last "/" on; where that is taken, the whole address.

    Raises:
        ModuleNameError: a name is said twice; a second address would only move the module from the first.
    """
    once = [each for place, each in enumerate(asked) if each[0] is not None or each not in asked[:place]]
    short = [address.rpartition("/")[2] if key is None else str(key) for key, address in once]
    named = [
        (key or ModuleKey(None, name if short.count(name) == 1 else _whole(address)), address)
        for (key, address), name in zip(once, short, strict=True)
    ]
    often = Counter(key for key, _ in named)
    twice = next((key for key in often if often[key] > 1), None)
    if twice is not None:
        raise ModuleNameError(str(twice), "each module is given once; give each address a name of its own, or none")
    return named


def _whole(address: str) -> str:
    """An address as a name, which holds no "/".

    >>> _whole("unix:/run/one/grpc.sock"), _whole("dns://127.0.0.1:53/api:50051")
    ('unix:run:one:grpc.sock', 'dns:127.0.0.1:53:api:50051')
    """
    return ":".join(part for part in address.replace(":/", "/").split("/") if part)


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= _LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.1 to {_LONGEST_TIMEOUT:g}")
    return seconds


def _columns() -> int:
    """As wide as the terminal, within what can be read; 100 where there is none."""
    return min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)


def paint() -> Callable[[str, str], str]:
    """Colours, where a person looks at a terminal that has some (https://no-color.org)."""
    if not has_colours(sys.stdout):
        return lambda words, _: words
    return lambda words, look: f"\x1b[{_COLOURS[look]}m{words}\x1b[0m"
