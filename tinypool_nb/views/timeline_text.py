"""The timeline for a terminal: a line a module, a character a column."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import PALETTES, SEVERITY
from tinypool_nb.views import calls_picture
from tinypool_nb.views.shown_calls import calls_of
from tinypool_nb.views.swimlanes import PLAINTEXT_MARK, Swimlanes, swimlanes
from tinypool_nb.views.wording import duration_text, one_line, padded, span_text, times_text

MOST_TEXT_LANES = 40
"""Lines of a terminal."""

_LABEL_LENGTH = 28
_SECOND = 1_000_000_000


def timeline_text(
    intervals: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    calls: pd.DataFrame | None = None,
    *,
    now: int,
    modules: Iterable[str | ModuleKey] | None = None,
    width: int = 100,
) -> str:
    """The timeline for a terminal: a line a module, a character a column, the worst state of each column.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it; open intervals end at `now`.
        marks: the same; None for none. The ten newest are listed below.
        calls: the same; None for none. One line says in which columns calls ended.
        now: nanoseconds since 1970-01-01 UTC.
        modules: which modules to show, from the top, by their shown keys; all by default. Forty lines at most.
        width: characters of a line.
    """
    modules = None if modules is None else tuple(modules)
    name_length = name_width = min(_LABEL_LENGTH, width // 3)
    columns = max(width - name_width - 1, 10)
    called = calls_of(calls, modules)
    lay_out = partial(swimlanes, intervals, marks, now=now, modules=modules, most=len(intervals) + 1, reach=called.span)
    seen = lay_out(pixels=columns)
    if not len(seen.segments.lane):
        return "nothing recorded yet"
    if seen.marks_plaintext:  # which takes room
        name_width += len(PLAINTEXT_MARK)
        columns = max(width - name_width - 1, 10)
        seen = lay_out(pixels=columns)
    looks = PALETTES["light"].looks
    lines = subtitle(seen).replace(f" · {seen.note}", f"\n{seen.note}").splitlines() if seen.note else [subtitle(seen)]
    worst = _worst_by_column(seen, columns)
    code_of = {severity: code for code, severity in SEVERITY.items()}
    for lane, severities in enumerate(worst[:MOST_TEXT_LANES].tolist()):
        letters = "".join(looks[code_of[severity]].letter if severity >= 0 else " " for severity in severities)
        lines.append(f"{padded(seen.lane_text(lane, name_length), name_width)} {letters.rstrip()}")
    if len(seen.labels) > MOST_TEXT_LANES:
        lines.append(f"… and {len(seen.labels) - MOST_TEXT_LANES:,} more modules")
    if called:
        lines.append(f"{padded('calls', name_width)} {calls_picture.text_line(called, seen.start, seen.end, columns)}")
    present = [drawn for code, drawn in looks.items() if (seen.segments.state == code).any()]
    lines.append(f"{' ' * name_width} {'   '.join(f'{drawn.letter} {drawn.label}' for drawn in present)}")
    if called:
        lines.append(
            f"{' ' * name_width} {'   '.join(f'{letter} calls {name}' for name, letter in calls_picture.LETTERS.items())}   ({called.gist})"
        )
    for mark in seen.marks[-10:]:
        whose = "" if mark.lane is None else f"{one_line(seen.labels[mark.lane])}: "
        lines.append(f"{times_text(np.array([mark.time]))[0]} UTC  {whose}{one_line(mark.text)}")
    return "\n".join(lines)


def _worst_by_column(seen: Swimlanes, columns: int) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Severity of the worst state in each column of each lane, -1 where there is nothing; shape (lanes, columns)."""
    worst = np.full((len(seen.labels), columns), -1, dtype=np.int8)
    column = -(-(seen.end - seen.start) // columns)
    segments = seen.segments
    from_column = (segments.start - seen.start) // column
    to_column = (segments.end - 1 - seen.start) // column
    for lane, left, right, code in zip(
        segments.lane.tolist(), from_column.tolist(), to_column.tolist(), segments.state.tolist(), strict=True
    ):
        cells = worst[lane, left : right + 1]
        np.maximum(cells, SEVERITY[code], out=cells)
    return worst


def subtitle(seen: Swimlanes) -> str:
    """What the picture spans, how its modules are connected, and what was merged."""
    if not len(seen.segments.lane):
        return "nothing recorded yet"
    parts = [span_text(seen.start, seen.end), duration_text((seen.end - seen.start) / _SECOND), seen.transport, seen.note]
    return " · ".join(part for part in parts if part)
