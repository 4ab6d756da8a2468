"""The five states and the ways between them, drawn from the table in `core.states`: as SVG, and as text.

Where a state stands on the paper is chosen here; which arrows there are is not: `TRANSITIONS` says so.
"""

from base64 import b64encode
from collections.abc import Mapping
from math import hypot
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from tinypool_nb.core.palette import TILE, Palette, Theme, palette_of
from tinypool_nb.core.states import STATES, TRANSITIONS, State
from tinypool_nb.views.wording import for_xml

Way = tuple[State, State]
"""From a state to one that may follow it."""

WORDS: Mapping[Way, str] = MappingProxyType(
    {
        (State.IDLE, State.CONNECTING): "somebody asks",
        (State.CONNECTING, State.READY): "connected",
        (State.CONNECTING, State.TRANSIENT_FAILURE): "the attempt failed",
        (State.CONNECTING, State.IDLE): "given up",
        (State.READY, State.IDLE): "connection lost (pick_first)",
        (State.READY, State.CONNECTING): "lost (round_robin)",
        (State.READY, State.TRANSIENT_FAILURE): "lost, refused",
        (State.TRANSIENT_FAILURE, State.CONNECTING): "next attempt",
        (State.TRANSIENT_FAILURE, State.READY): "an attempt succeeded",
        (State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE): "one more failed",
        (State.TRANSIENT_FAILURE, State.IDLE): "address gone",
    }
)
"""When each way is taken, in a few words; those to SHUTDOWN are all taken by closing."""
CLOSING = "the channel is closed"

WIDTH, HEIGHT = 880, 500
"""Pixels."""
_BOX = (196, 46)
_PLACES: Mapping[State, tuple[float, float]] = MappingProxyType(
    {
        State.IDLE: (160, 78),
        State.CONNECTING: (440, 222),
        State.READY: (720, 78),
        State.TRANSIENT_FAILURE: (440, 386),
        State.SHUTDOWN: (720, 450),
    }
)
"""The middle of each state's box. CONNECTING stands between the other three, so that no two arrows cross."""
_BOW = 34
"""Pixels that there and back bend apart, each to its side."""
_BOWS: Mapping[Way, float] = MappingProxyType(
    {
        (State.READY, State.TRANSIENT_FAILURE): -46,
        (State.TRANSIENT_FAILURE, State.READY): 128,
        (State.TRANSIENT_FAILURE, State.IDLE): -84,
    }
)
"""The same of the ways that go around CONNECTING."""
_CHARACTER = 5.9
"""Pixels: the width of one character of 11 pixels, on the average."""
_STYLE = (
    ".tinypool-states img{max-width:100%}.tinypool-states .dark{display:none}"
    'body[data-jp-theme-light="false"] .tinypool-states .light{display:none}'
    'body[data-jp-theme-light="false"] .tinypool-states .dark{display:inline}'
    "@media (prefers-color-scheme:dark){body:not([data-jp-theme-light]) .tinypool-states .light{display:none}"
    "body:not([data-jp-theme-light]) .tinypool-states .dark{display:inline}}"
)


class Curve(NamedTuple):
    """A quadratic curve from the edge of one box to that of another, and where its label goes."""

    start: tuple[float, float]
    bend: tuple[float, float]
    end: tuple[float, float]

    @property
    def side(self) -> tuple[float, float]:
        """The direction in which it bends, or (0, 0) if it is straight: its label stands there."""
        x, y = (b - (a + c) / 2 for a, b, c in zip(self.start, self.bend, self.end, strict=True))
        length = hypot(x, y)
        return (x / length, y / length) if length > 1 else (0.0, 0.0)

    @property
    def middle(self) -> tuple[float, float]:
        """The point half way."""
        x, y = ((a + 2 * b + c) / 4 for a, b, c in zip(self.start, self.bend, self.end, strict=True))
        return x, y


def walked(transitions: pd.DataFrame) -> dict[Way, int]:
    """How often each way was taken in a frame of transitions; what was inside a gap, and the first IDLE, is on no way.

    >>> frame = pd.DataFrame({"previous": [None, "IDLE"], "state": ["IDLE", "CONNECTING"]})
    >>> walked(frame)
    {(<State.IDLE: 'IDLE'>, <State.CONNECTING: 'CONNECTING'>): 1}
    """
    counts = transitions.groupby(["previous", "state"], observed=True).size().reset_index(name="count")
    rows = zip(counts["previous"], counts["state"], counts["count"], strict=True)
    return {(State(previous), State(state)): int(count) for previous, state, count in rows}


def state_diagram_svg(seen: Mapping[Way, int] | None = None, *, theme: Theme = "light") -> str:
    """The diagram as one self-contained SVG element, with a title and a description for whoever cannot see it.

    Parameters:
        seen: how often each way was taken: those are drawn strongly, with the number, and the others faintly. None: no difference.
        theme: "light" or "dark".
    """
    palette = palette_of(theme)
    ways = [(state, after) for state in STATES for after in sorted(TRANSITIONS[state], key=STATES.index)]
    between = [way for way in ways if way[1] is not State.SHUTDOWN]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>The states of a gRPC channel</title><desc>{for_xml(state_diagram_text(seen))}</desc>",
        _definitions(palette),
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{palette.page}"/>',
        f'<g font-family="system-ui, sans-serif" font-size="12" fill="{_ink(palette)}">',
        f'<rect x="34" y="24" width="{WIDTH - 68}" height="400" rx="14" fill="none" stroke="{palette.grid}" stroke-dasharray="5 4"/>',
        *(_arrow(way, palette, None if seen is None else seen.get(way, 0)) for way in between),
        _closing(palette, None if seen is None else sum(seen.get(way, 0) for way in ways if way[1] is State.SHUTDOWN)),
        *(_box(state, palette) for state in STATES),
        "</g></svg>",
    ]
    return "\n".join(lines)


def state_diagram_text(seen: Mapping[Way, int] | None = None) -> str:
    """The diagram for a terminal and for people who listen: a line a way, with how often it was taken if that is told.

    >>> print(state_diagram_text().splitlines()[0])
    IDLE -> CONNECTING: somebody asks
    """
    lines = []
    for state in STATES:
        for after in sorted(TRANSITIONS[state], key=STATES.index):
            count = "" if seen is None else f" (seen {seen.get((state, after), 0)} times)"
            lines.append(f"{state} -> {after}: {WORDS.get((state, after), CLOSING)}{count}")
    unexpected = sorted(set(seen or ()) - {(state, after) for state in STATES for after in TRANSITIONS[state]})
    lines += [f"{state} -> {after}: in no table (seen {(seen or {})[state, after]} times)" for state, after in unexpected]
    return "\n".join(lines)


def state_diagram_html(seen: Mapping[Way, int] | None = None, *, theme: Theme | None = None) -> str:
    """The diagram as an `img` that holds its SVG; with no `theme` it follows JupyterLab's, elsewhere the browser's."""
    themes: tuple[Theme, ...] = ("light", "dark") if theme is None else (theme,)
    alternative = for_xml(state_diagram_text(seen))
    images = [
        f'<img class="{"only" if theme else one}" alt="{alternative}" '
        f'src="data:image/svg+xml;base64,{b64encode(state_diagram_svg(seen, theme=one).encode()).decode()}">'
        for one in themes
    ]
    return f'<div class="tinypool-states"><style>{_STYLE}</style>{"".join(images)}</div>'


def curve(state: State, after: State) -> Curve:
    """The way from one box to another; there and back bend apart."""
    (x, y), (to_x, to_y) = _PLACES[state], _PLACES[after]
    if state is after:
        left, middle = x - _BOX[0] / 2, y
        return Curve((left, middle - 2), (left - 76, middle + 8), (left, middle + 18))
    away = hypot(to_x - x, to_y - y)
    bow = _BOWS.get((state, after), _BOW if state in TRANSITIONS[after] else 0)
    bend = ((x + to_x) / 2 - (to_y - y) / away * bow, (y + to_y) / 2 + (to_x - x) / away * bow)
    return Curve(_edge(state, bend), bend, _edge(after, bend))


def _edge(state: State, towards: tuple[float, float]) -> tuple[float, float]:
    """Where a line from the middle of the box towards a point leaves the box."""
    (x, y), (width, height) = _PLACES[state], _BOX
    dx, dy = towards[0] - x, towards[1] - y
    share = min(side / 2 / abs(way) for side, way in ((width + 4, dx), (height + 4, dy)) if way)
    return x + dx * share, y + dy * share


def _ink(palette: Palette) -> str:
    return "#333333" if palette.name == "light" else palette.ink  # the paper is the diagram's own


def _definitions(palette: Palette) -> str:
    looks = [(state, palette.looks[state.code]) for state in STATES]
    patterns = "".join(
        f'<pattern id="states-{palette.name}-{state.code}" width="{TILE}" height="{TILE}" patternUnits="userSpaceOnUse">'
        f'<rect width="{TILE}" height="{TILE}" fill="{look.colour}"/><path d="{look.path}" stroke="{look.hatch}"/></pattern>'
        for state, look in looks
        if look.path
    )
    head = "".join(
        f'<marker id="states-{palette.name}-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0L10,5L0,10z" fill="{colour}"/></marker>'
        for name, colour in (("strong", _ink(palette)), ("faint", palette.grid))
    )
    return f"<defs>{patterns}{head}</defs>"


def _box(state: State, palette: Palette) -> str:
    (x, y), (width, height), look = _PLACES[state], _BOX, palette.looks[state.code]
    left, top = x - width / 2, y - height / 2
    fill = f"url(#states-{palette.name}-{state.code})" if look.path else look.colour
    return (
        f'<g data-state="{state}"><rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8" fill="{palette.page}"/>'
        f'<rect x="{left}" y="{top}" width="26" height="{height}" rx="8" fill="{fill}"/>'
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8" fill="none" stroke="{look.colour}" stroke-width="2"/>'
        f'<text x="{x + 13}" y="{y + 4.5}" text-anchor="middle" font-weight="600" font-size="13">{state}</text></g>'
    )


def _arrow(way: Way, palette: Palette, count: int | None) -> str:
    line = curve(*way)
    tone, head = (_ink(palette), "strong") if count != 0 else (palette.grid, "faint")
    path = "M{:.1f},{:.1f}Q{:.1f},{:.1f} {:.1f},{:.1f}".format(*line.start, *line.bend, *line.end)
    (x, y), (aside, _) = line.middle, line.side
    upright = abs(aside) > 0.9
    anchor = "middle" if not upright else "start" if aside > 0 else "end"
    return (
        f'<g data-way="{way[0]}-{way[1]}"><path d="{path}" fill="none" stroke="{tone}" stroke-width="{2.4 if count else 1.4}" '
        f'marker-end="url(#states-{palette.name}-{head})"/>'
        f"{_label((x + aside * 7 * upright, y), WORDS[way], anchor, palette, count)}</g>"
    )


def _label(place: tuple[float, float], words: str, anchor: str, palette: Palette, count: int | None) -> str:
    """Words in the middle of `y`, on a piece of paper of their own where a line may run behind them."""
    words = f"{words} ×{count}" if count else words
    (x, y), width = place, _CHARACTER * len(words) + 6
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
    return (
        f'<rect x="{left:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" fill="{palette.page}"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}" font-size="11" opacity="{0.7 if count == 0 else 1}" '
        f'font-weight="{600 if count else 400}">{words}</text>'
    )


def _closing(palette: Palette, count: int | None) -> str:
    """One label for all ways that close: they come from the frame around the states that are not the end."""
    (x, y), (width, _) = _PLACES[State.SHUTDOWN], _BOX
    return _label((x - width / 2 - 12, y + 12), f"from each state in the frame: {CLOSING}", "end", palette, count)
