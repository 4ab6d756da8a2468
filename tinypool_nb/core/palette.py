"""The look of each state: a colour that colour-blind people can tell apart, a pattern, a symbol and a letter, light and dark.

The colours are those of Okabe and Ito ("Color Universal Design", 2008) with greys for the two states in which nothing
is wanted; tests hold every pair apart as people with protanopia and deuteranopia see them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tinypool_nb.core.states import STATES, UNKNOWN, WORST_FIRST, State
from tinypool_nb.errors import OptionsError

Theme = Literal["light", "dark"]

UNKNOWN_LABEL = "unknown"
"""What legends call the time inside a gap of the record."""
UNKNOWN_MEANING = "nobody knows: what happened was overwritten before it could be read"

# A gap stands just below TRANSIENT_FAILURE: it may hide one, so it must stay visible, but never hide one that was seen.
SEVERITY: Mapping[int, int] = MappingProxyType(
    {code: severity for severity, code in enumerate(reversed([WORST_FIRST[0].code, UNKNOWN, *(state.code for state in WORST_FIRST[1:])]))}
)
"""Code of a state (or UNKNOWN) -> how bad it is, from 0: who wins where several share a pixel."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one state is drawn in one theme."""

    label: str
    colour: str
    """`#rrggbb`."""
    ink: str
    """`#rrggbb` of text on the colour: the better of black and white, with a contrast of at least 4.5."""
    hatch: str
    """`#rrggbb` of the lines of the pattern on the colour."""
    shape: str
    """The pattern in plotly's words (`marker.pattern.shape`): "" is plain."""
    path: str
    """The pattern as an SVG path in a tile of TILE x TILE pixels, to be stroked with `hatch`; "" is plain."""
    symbol: str
    """One character for tables and chips."""
    letter: str
    """One character that fills a column of a timeline in a terminal."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a drawing in one theme. Papers are transparent: `page` is what the drawing expects behind it."""

    name: Theme
    page: str
    ink: str
    """Text; readable (4.5) on `page`."""
    grid: str
    looks: Mapping[int, Look]
    """Code of a state, or UNKNOWN -> its look."""


TILE = 8
"""Width and height of a pattern's tile, pixels."""

# code: (shape, path, symbol, letter). Diagonals run on over the tile's edge so that neighbouring tiles join.
_FORMS: Mapping[int, tuple[str, str, str, str]] = MappingProxyType(
    {
        State.IDLE.code: (".", "M3,4h2", "○", "·"),
        State.CONNECTING.code: ("/", "M-2,2L2,-2M0,8L8,0M6,10L10,6", "◐", "▒"),
        State.READY.code: ("", "", "●", "█"),
        State.TRANSIENT_FAILURE.code: ("x", "M0,8L8,0M0,0L8,8", "✖", "×"),
        State.SHUTDOWN.code: ("-", "M0,4H8", "■", "_"),
        UNKNOWN: ("|", "M4,0V8", "?", "?"),
    }
)
_COLOURS: Mapping[Theme, Mapping[int, str]] = MappingProxyType(
    {
        "light": MappingProxyType(
            {
                State.IDLE.code: "#c3c8cd",
                State.CONNECTING.code: "#e69f00",
                State.READY.code: "#0072b2",
                State.TRANSIENT_FAILURE.code: "#d55e00",
                State.SHUTDOWN.code: "#4a4a4a",
                UNKNOWN: "#cc79a7",
            }
        ),
        "dark": MappingProxyType(
            {
                State.IDLE.code: "#565e66",
                State.CONNECTING.code: "#f0c000",
                State.READY.code: "#3b9ad9",
                State.TRANSIENT_FAILURE.code: "#e8590c",
                State.SHUTDOWN.code: "#c9ced3",
                UNKNOWN: "#cc79a7",
            }
        ),
    }
)


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, from 0 (black) to 1 (white): WCAG 2.2."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours `#rrggbb`, from 1 to 21: WCAG 2.2. Text wants at least 4.5.

    >>> contrast("#ffffff", "#000000")
    21.0
    """
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on `colour`; one of them always has a contrast of at least 4.5.

    >>> ink_on("#0072b2"), ink_on("#e69f00")
    ('#ffffff', '#000000')
    """
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, colour))


def _mixed(colour: str, other: str, share: float) -> str:
    """`colour` with a share of `other` in it."""
    pairs = ((int(colour[place : place + 2], 16), int(other[place : place + 2], 16)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(one * (1 - share) + two * share):02x}" for one, two in pairs)


def _look(theme: Theme, code: int) -> Look:
    colour = _COLOURS[theme][code]
    shape, path, symbol, letter = _FORMS[code]
    label = UNKNOWN_LABEL if code == UNKNOWN else STATES[code].value
    ink = ink_on(colour)
    # A hatch of full contrast flickers; half of the way to the ink is seen and stays quiet.
    return Look(label, colour, ink, _mixed(colour, ink, 0.5), shape, path, symbol, letter)


def _palette(name: Theme, page: str, ink: str, grid: str) -> Palette:
    return Palette(name, page, ink, grid, MappingProxyType({code: _look(name, code) for code in (*range(len(STATES)), UNKNOWN)}))


PALETTES: Mapping[Theme, Palette] = MappingProxyType(
    {
        # A grey ink rather than a black one: on a transparent paper it can be read in a dark notebook too.
        "light": _palette("light", page="#ffffff", ink="#707070", grid="#d9dce0"),
        "dark": _palette("dark", page="#111111", ink="#c9ced3", grid="#3a3f45"),
    }
)
"""By theme."""


def palette_of(theme: str) -> Palette:
    """The colours of that theme.

    Raises:
        OptionsError: it is not one of "light" and "dark".
    """
    for known, palette in PALETTES.items():
        if theme == known:
            return palette
    raise OptionsError("theme", theme, f"one of {', '.join(PALETTES)}")
