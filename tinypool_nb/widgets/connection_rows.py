"""The rows of the list of connections: what a browser is told of each module, and which of them have changed."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tinypool_nb.core.events import ChannelIdentity, Transition
from tinypool_nb.core.folding import ATTEMPTS, FAILURES
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.palette import UNKNOWN_LABEL
from tinypool_nb.core.spelling import quoted
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views.wording import cut, one_line

_MILLISECOND = 1_000_000
_LONGEST = 1_000
"""Characters of a reason that are sent."""


class Connection(NamedTuple):
    """What is known of a module now. Two that are equal look the same."""

    channel: ChannelIdentity
    opening: Transition | None
    """The row that began its state; None if nobody knows the state."""
    attempts: int
    failures: int
    last_reason: str

    @property
    def state(self) -> str:
        """The state's name, or what a gap is called."""
        return UNKNOWN_LABEL if self.opening is None or self.opening.state is None else self.opening.state.value


def connections_now(journal: Journal, registered: Collection[ModuleKey]) -> dict[ModuleKey, Connection]:
    """Each registered module with what the journal knows of it, in the order in which they were first seen. 1000 take 0.5 ms."""
    totals = journal.totals()
    numbers = totals.numbers[:, (ATTEMPTS, FAILURES)].tolist()
    rows = zip(totals.channels, totals.openings, numbers, totals.last_reasons, strict=True)
    return {
        channel.key: Connection(channel, opening, attempts, failures, reason)
        for channel, opening, (attempts, failures), reason in rows
        if channel.key in registered and (opening is None or opening.state is not State.SHUTDOWN)
    }


def row_of(connection: Connection, options: PoolOptions, pool: PoolOptions) -> dict[str, Any]:
    """The row as it is sent: foreign text on one line, as text.

    `since` is milliseconds since 1970 UTC; `literal`, the key as Python, names the row.
    """
    channel, opening = connection.channel, connection.opening
    return {
        "key": list(channel.key),
        "shown": one_line(channel.key),
        "namespace": None if channel.key.namespace is None else one_line(channel.key.namespace),
        "name": one_line(channel.key.name),
        "literal": quoted(str(channel.key)),
        "state": connection.state,
        "since": None if opening is None else opening.time // _MILLISECOND,
        "address": one_line(channel.address),
        "transport": channel.transport,
        "attempts": connection.attempts,
        "failures": connection.failures,
        "error": cut(one_line(connection.last_reason), _LONGEST, keep_end=False),
        "options": "as the pool's" if options == pool else options_text(options),
    }


def changes(before: Mapping[ModuleKey, Connection], after: Mapping[ModuleKey, Connection]) -> tuple[list[Connection], list[str]]:
    """The connections that are new or look different, and the literals of the modules that are gone."""
    return [row for key, row in after.items() if before.get(key) != row], [quoted(str(key)) for key in before if key not in after]


def options_text(options: PoolOptions) -> str:
    """A module's settings in one line.

    >>> options_text(PoolOptions())
    'pick_first; keepalive after 10 s, lost after 3 s more; backoff 1 s to 120 s, an attempt gets 20 s; plaintext'
    """
    keepalive, backoff, tls = options.keepalive, options.backoff, options.tls
    only = "" if keepalive.without_calls else ", only during calls"
    name = "" if tls is None or tls.server_name is None else f" as {one_line(tls.server_name)}"
    eager = ", eager reconnection" if options.eager_reconnect else ""
    parts = (
        options.load_balancing,
        f"keepalive after {keepalive.time:g} s, lost after {keepalive.timeout:g} s more{only}",
        f"backoff {backoff.initial:g} s to {backoff.maximum:g} s, an attempt gets {backoff.min_connect_timeout:g} s{eager}",
        f"{options.transport}{name}{'' if options.proxy is None else f', through proxy {options.proxy}'}",
    )
    return "; ".join(parts)
