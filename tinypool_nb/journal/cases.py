"""From the journal to the evidence of its modules: of each the latest rows, few enough that a thousand modules are judged at once."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.case import Case
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.condition import neighbours
from tinypool_nb.core.diagnosis.reasons import cause_of
from tinypool_nb.core.events import ChannelIdentity, Observation, Outcome, Transition
from tinypool_nb.core.folding import CALLS
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.errors import AddressError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.kinds import attempt_events, call_events, mark_events, observation_events, transition_events
from tinypool_nb.journal.tables import Rows

LATEST = 100
"""Rows of each kind and module that are looked at, the latest ones."""

Row = TypeVar("Row")
Codes = npt.NDArray[np.int64]


def cases(
    journal: Journal, options: Callable[[ModuleKey], PoolOptions], *, now: int, keys: Collection[ModuleKey] | None = None
) -> dict[ModuleKey, Case]:
    """The evidence of the modules, in the order in which they were first seen.

    Args:
        journal: what was recorded.
        options: the settings of a module.
        now: up to when the record speaks, nanoseconds since 1970-01-01 UTC.
        keys: only of these; None for all that the journal has seen.
    """
    batch, totals = journal.snapshot()
    channels = {channel.key: channel for channel in totals.channels}
    wanted = tuple(keys if keys is not None else dict.fromkeys((*channels, *_looked_at(batch.observations))))
    places = {key: place for place, key in enumerate(wanted)}
    transitions = _of_channels(batch.transitions, places, transition_events)
    attempts = _of_channels(batch.attempts, places, attempt_events)
    good = batch.calls.columns["code"] == batch.calls.categories["code"].members.index(Code.OK)
    calls = _of_channels(batch.calls.take(np.flatnonzero(~good)), places, call_events)
    outlasting = _of_channels(batch.calls.take(np.flatnonzero(good & _spans(batch.calls, transitions))), places, call_events)
    marks = _of_keys(batch.marks, places, mark_events)
    observations = _of_keys(batch.observations, places, observation_events)
    openings = dict(zip(channels, totals.openings, strict=True))
    counts = dict(zip(channels, totals.numbers[:, CALLS].tolist(), strict=True))
    shared = neighbours({channel.key: _places(channel.address) for channel in totals.channels if _is_open(openings[channel.key])})
    return {
        key: Case(
            key,
            channels.get(key),
            now,
            options(key),
            openings.get(key),
            tuple(transitions[place]),
            tuple(attempts[place]),
            tuple(calls[place]),
            tuple(outlasting[place]),
            counts.get(key, 0),
            tuple(marks[place]),
            _latest(observations[place]),
            shared.get(key, ()),
        )
        for key, place in places.items()
    }


def observed(journal: Journal) -> tuple[ModuleKey, ...]:
    """The modules that somebody looked at; one that discovery did not register was never seen otherwise."""
    return _looked_at(journal.since().observations)


def _looked_at(rows: Rows) -> tuple[ModuleKey, ...]:
    return tuple(dict.fromkeys(map(ModuleKey, rows.values("namespace"), rows.values("module"))))


class Doubt(NamedTuple):
    """What of a channel's connecting a socket of one's own may tell more of."""

    hung_up: str = ""
    """The peer whose last attempt ended by its hanging up on this plaintext channel, which is not connected; "" if there is none."""
    connecting: int | None = None
    """Since when a connection is being made, for the first time or again; None if none is."""


def doubt(journal: Journal, channel: ChannelIdentity) -> Doubt:
    """What is in doubt of a channel. A proxy is asked nothing: what it would answer says nothing of the module behind it."""
    if channel.proxy:
        return Doubt()
    case = cases(journal, lambda _: PoolOptions(), now=0, keys=(channel.key,))[channel.key]
    connecting = case.opening.time if case.opening is not None and case.state is State.CONNECTING else None
    last = next((row for row in reversed(case.attempts) if row.channel == channel), None)
    if not channel.is_plaintext or last is None or case.state is State.READY or last.outcome is not Outcome.FAILED:
        return Doubt(connecting=connecting)
    hung_up = cause_of(last.reason, peer=last.peer, address=channel.address) is Cause.HANGS_UP
    return Doubt(last.peer if hung_up else "", connecting)


def _spans(calls: Rows, transitions: Iterable[list[Transition]]) -> npt.NDArray[np.bool_]:
    """Whether a connection, whosesoever, was lost between a call's start and its end."""
    lost = np.array(sorted(row.time for rows in transitions for row in rows if row.previous is State.READY), np.int64)
    before, after = np.searchsorted(lost, calls.columns["start"]), np.searchsorted(lost, calls.columns["end"])
    return np.not_equal(before, after)


def _is_open(opening: Transition | None) -> bool:
    return opening is None or opening.state is not State.SHUTDOWN


def _latest(rows: list[Observation]) -> tuple[Observation, ...]:
    """What was looked at together, the last time."""
    last = max((row.time for row in rows), default=0)
    return tuple(row for row in rows if row.time == last)


def _of_channels(rows: Rows, places: Mapping[ModuleKey, int], events: Callable[[Rows], Iterator[Row]]) -> list[list[Row]]:
    members: list[ChannelIdentity] = rows.categories["channel"].members
    place_of = np.array([*(places.get(channel.key, -1) for channel in members), -1], np.int64)
    return _divided(rows, place_of[rows.columns["channel"]], len(places), events)


def _of_keys(rows: Rows, places: Mapping[ModuleKey, int], events: Callable[[Rows], Iterator[Row]]) -> list[list[Row]]:
    """As `_of_channels`, of rows that name a module; a mark may name none."""
    namespaces, modules = rows.columns["namespace"].astype(np.int64), rows.columns["module"].astype(np.int64)
    width = len(rows.categories["namespace"].members) + 1
    pairs, inverse = np.unique(modules * width + namespaces + 1, return_inverse=True)
    place_of = np.array([_place(rows, int(pair), width, places) for pair in pairs], np.int64)
    return _divided(rows, place_of[inverse] if len(pairs) else inverse, len(places), events)


def _place(rows: Rows, pair: int, width: int, places: Mapping[ModuleKey, int]) -> int:
    module, namespace = divmod(pair, width)
    if module < 0:
        return -1
    names = [*rows.categories["namespace"].members, None]
    return places.get(ModuleKey(names[namespace - 1], rows.categories["module"].members[module]), -1)


def _divided(rows: Rows, place: Codes, size: int, events: Callable[[Rows], Iterator[Row]]) -> list[list[Row]]:
    """The latest rows of each module as events again."""
    index = np.flatnonzero(place >= 0)
    order = index[place[index].argsort(kind="stable")]
    ordered = place[order]
    ends = np.searchsorted(ordered, ordered, side="right")
    kept = np.sort(order[ends - np.arange(len(order)) <= LATEST])
    divided: list[list[Row]] = [[] for _ in range(size)]
    for at, event in zip(place[kept].tolist(), events(rows.take(kept)), strict=True):
        divided[at].append(event)
    return divided


@lru_cache(maxsize=4096)
def _places(address: str) -> frozenset[tuple[str, int]]:
    """The endpoints that an address leads to, as far as its text tells; none of one that a foreign recording has and we would refuse."""
    try:
        return parse_address(address).places
    except AddressError:
        return frozenset()
