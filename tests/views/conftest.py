"""Frames of made-up records, in the schema of `tinypool_nb.views.schemas`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity, MarkKind, Outcome
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import STATES
from tinypool_nb.journal.journal import Journal
from tinypool_nb.views import frames

START = 1_770_000_000_000_000_000
"""2026-02-02 02:40:00 UTC, nanoseconds since 1970."""
SECOND = 1_000_000_000

IntervalRow = tuple[str | None, str, float, float | None, int, str]
"""namespace, module, start, end (None: open), code of the state, reason; seconds since START."""
MarkRow = tuple[float, str, str | None, str | None, str]
"""time in seconds since START, kind, namespace, module, text."""
AttemptRow = tuple[float | None, float, int, int, str, str]
"""start, end in seconds since START, generation, subchannel, outcome, reason; of module `a`."""
CallRow = tuple[str | None, str, float, float, str, str]
"""namespace, module, start in seconds since START, duration in seconds, code, reason."""


def _times(seconds: Sequence[float | None]) -> pd.DatetimeIndex:
    stamps = [np.iinfo(np.int64).min if second is None else START + round(second * SECOND) for second in seconds]
    return pd.DatetimeIndex(np.array(stamps, dtype=np.int64).astype("datetime64[ns]"), tz="UTC")


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


@pytest.fixture(name="make_intervals", scope="session")
def _make_intervals() -> Callable[..., pd.DataFrame]:
    def make(rows: Sequence[IntervalRow], transports: Sequence[str] | None = None) -> pd.DataFrame:
        namespace, module, start, end, state, reason = _columns(rows, 6)
        return pd.DataFrame(
            {
                "start": _times(start),
                "end": _times(end),
                "namespace": pd.Categorical(namespace),
                "module": pd.Categorical(module),
                "transport": pd.Categorical(list(transports or ["plaintext"] * len(rows))),
                "state": pd.Categorical.from_codes(list(state), categories=pd.Index([str(one) for one in STATES]), ordered=True),
                "reason": pd.Categorical(reason),
            }
        )

    return make


@pytest.fixture(name="make_marks", scope="session")
def _make_marks() -> Callable[[Sequence[MarkRow]], pd.DataFrame]:
    def make(rows: Sequence[MarkRow]) -> pd.DataFrame:
        time, kind, namespace, module, text = _columns(rows, 5)
        return pd.DataFrame(
            {
                "time": _times(time),
                "kind": pd.Categorical(kind, categories=[str(one) for one in MarkKind]),
                "namespace": pd.Categorical(namespace),
                "module": pd.Categorical(module),
                "text": pd.Series(text, dtype="str"),
            }
        )

    return make


@pytest.fixture(name="make_attempts", scope="session")
def _make_attempts() -> Callable[[Sequence[AttemptRow]], pd.DataFrame]:
    def make(rows: Sequence[AttemptRow]) -> pd.DataFrame:
        start, end, generation, subchannel, outcome, reason = _columns(rows, 6)
        return pd.DataFrame(
            {
                "start": _times(start),
                "end": _times(end),
                "namespace": pd.Categorical([None] * len(rows)),
                "module": pd.Categorical(["a"] * len(rows)),
                "generation": np.array(generation, dtype=np.int32),
                "subchannel": np.array(subchannel, dtype=np.int64),
                "peer": pd.Categorical(["ipv4:127.0.0.1:20001"] * len(rows)),
                "outcome": pd.Categorical(outcome, categories=[str(one) for one in Outcome]),
                "reason": pd.Categorical(reason),
            }
        )

    return make


@pytest.fixture(name="make_calls", scope="session")
def _make_calls() -> Callable[[Sequence[CallRow]], pd.DataFrame]:
    def make(rows: Sequence[CallRow]) -> pd.DataFrame:
        journal = Journal()
        for number, (namespace, module, start, duration, code, reason) in enumerate(rows, 1):
            channel = ChannelIdentity(number, ModuleKey(namespace, module), "127.0.0.1:20001", 1)
            begin = START + round(start * SECOND)
            journal.append(
                Call(channel, "module.ModuleService/Message", begin, begin + round(duration * SECOND), Code(code), 1_000, 20, reason)
            )
        return frames.calls(journal)

    return make


@pytest.fixture(name="make_connections", scope="session")
def _make_connections() -> Callable[[Sequence[tuple[str | None, str, str, int, str]]], pd.DataFrame]:
    def make(rows: Sequence[tuple[str | None, str, str, int, str]]) -> pd.DataFrame:
        namespace, module, address, state, last_error = _columns(rows, 5)
        return pd.DataFrame(
            {
                "namespace": pd.Categorical(namespace),
                "module": pd.Categorical(module),
                "address": pd.Categorical(address),
                "transport": pd.Categorical(["plaintext"] * len(rows)),
                "state": pd.Categorical.from_codes(list(state), categories=pd.Index([str(one) for one in STATES]), ordered=True),
                "since": _times([0.0] * len(rows)),
                "generation": np.ones(len(rows), dtype=np.int32),
                "attempts": np.arange(len(rows), dtype=np.int64),
                "failures": np.arange(len(rows), dtype=np.int64),
                "last_error": pd.Categorical(last_error),
            }
        )

    return make
