"""The timeline of a record for the player of recordings: one snapshot, as `widgets/packing.py` sends it, that stands in the page."""

import base64
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tinypool_nb.core.events import Evidence
from tinypool_nb.core.states import State
from tinypool_nb.views.swimlanes import Swimlanes, swimlanes
from tinypool_nb.views.wording import cut, one_line
from tinypool_nb.widgets.look import look
from tinypool_nb.widgets.packing import MOST_MARKS, RECORD, VERSION

EXACT = 100_000
"""Intervals that are kept as they are, at 18 bytes each; more are merged to what so many segments can show."""
PIXELS = 8_000
"""Columns to which more are merged: several screens, so that one can zoom in a little."""

_SECOND = 1_000_000_000
_REASON_LENGTH = 400


def canvas_data(intervals: pd.DataFrame, marks: pd.DataFrame, *, now: int) -> tuple[dict[str, Any], str]:
    """What the scripts need, as JSON, and what was merged, in words; "" if nothing was.

    Args:
        intervals: as `tinypool_nb.views.frames` makes it.
        marks: the same.
        now: where open intervals end, nanoseconds since 1970 UTC.
    """
    seen = swimlanes(intervals, marks, now=now, pixels=PIXELS, most=EXACT, exact=EXACT)
    epoch = seen.start // _SECOND
    records, texts = _records(seen, intervals.iloc[seen.segments.shown], epoch)
    placed = [
        (
            mark.time - epoch * _SECOND,
            -1 if mark.lane is None else mark.lane,
            mark.kind,
            cut(one_line(mark.text), _REASON_LENGTH, keep_end=False),
        )
        for mark in seen.marks[-MOST_MARKS:]
    ]
    head = {
        "version": VERSION,
        "type": "snapshot",
        "epoch": epoch,
        "now": now - epoch * _SECOND,
        "lanes": [one_line(label) for label in seen.labels],
        "closed": True,
        "marks": placed,
        **texts,
    }
    data = {
        "head": head,
        "records": base64.b64encode(records.tobytes()).decode(),
        "span": (max(now, seen.end) - seen.start) / _SECOND,
        "look": look(),
    }
    return data, seen.note


def _records(seen: Swimlanes, shown: pd.DataFrame, epoch: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """The segments in order of time, a last record where a lane ends, and the texts that they name by number.

    `shown` has the interval of each segment that stands for it.
    """
    segments = seen.segments
    reasons = {"": 0}
    channels: dict[tuple[int, str, str, int], int] = {}
    identities = zip(segments.lane.tolist(), shown["address"].astype(str), seen.transports, shown["generation"].tolist(), strict=True)
    rows = np.zeros(len(segments.lane), RECORD)
    rows["time"] = segments.start - epoch * _SECOND
    rows["state"] = segments.state
    rows["reason"] = [reasons.setdefault(reason, len(reasons)) for reason in seen.reasons]
    rows["channel"] = [channels.setdefault(identity, len(channels)) for identity in identities]
    rows["inferred"] = shown["evidence"] == Evidence.INFERRED
    ended = np.flatnonzero(_ends(seen))
    ends = rows[ended]
    ends["time"] = segments.end[ended] - epoch * _SECOND
    ends["state"], ends["reason"] = State.SHUTDOWN.code, 0
    rows = np.concatenate([ends, rows])  # of one moment, an end comes first
    texts = {
        "channels": [(lane, one_line(address), transport, generation) for lane, address, transport, generation in channels],
        "reasons": [cut(one_line(reason), _REASON_LENGTH, keep_end=False) for reason in list(reasons)[1:]],
    }
    return rows[np.argsort(rows["time"], kind="stable")], texts


def _ends(seen: Swimlanes) -> NDArray[np.bool_]:
    """Whether nothing follows at once on each segment: its lane ends, or stands empty for a while."""
    segments = seen.segments
    if not len(segments.lane):
        return np.zeros(0, np.bool_)
    same_lane = segments.lane[1:] == segments.lane[:-1]
    followed = np.r_[same_lane & (segments.start[1:] <= segments.end[:-1]), False]
    ends: NDArray[np.bool_] = ~followed & ~(seen.is_open & np.r_[~same_lane, True])
    return ends
