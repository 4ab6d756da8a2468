"""SVG pictures that stand in a page: their colours follow its theme, and the patterns of each are its own."""

import itertools
import re
from collections.abc import Mapping

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.report.colours import colour_pairs
from tinypool_nb.report.recording.hatching import with_lines

_VARIABLES: Mapping[str, str] = {light: f"--c{light[1:]}" for light, _ in colour_pairs()}
_COLOUR = re.compile(r'="(#[0-9a-f]{6})"')
_IDS = re.compile(r'(id="|url\(#)tinypool-light-')


def colour_rules() -> str:
    """The colours of drawings and chips as CSS: light, and dark where the page is dark on a screen."""
    light = "".join(f"{name}:{colour};" for colour, name in _VARIABLES.items())
    dark = "".join(f"{_VARIABLES[colour]}:{other};" for colour, other in colour_pairs())
    chips = "".join(
        f'.chip[data-state="{look.label}"] rect{{fill:var({_VARIABLES[look.colour]})}}'
        f'.chip[data-state="{look.label}"] path{{stroke:var({_VARIABLES[look.hatch]});fill:none}}'
        for look in PALETTES["light"].looks.values()
    )
    return f":root{{{light}}}@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}{chips}"


class Drawings:
    """Numbers the drawings of one page.

    Args:
        paper: whether hatches are to be lines instead of patterns.

    >>> Drawings().placed('<svg><pattern id="tinypool-light-1"/><rect fill="#0072b2"/></svg>')
    '<svg><pattern id="d1-1"/><rect fill="var(--c0072b2)"/></svg>'
    """

    def __init__(self, *, paper: bool = False) -> None:
        self._numbers = itertools.count(1)
        self._paper = paper

    def placed(self, svg: str) -> str:
        """A drawing in light colours, to stand in the page. Foreign text in it is escaped, quotes too, so it is no attribute."""
        number = next(self._numbers)
        svg = with_lines(svg) if self._paper else svg
        coloured = _COLOUR.sub(lambda found: f'="var({_VARIABLES[found[1]]})"' if found[1] in _VARIABLES else found[0], svg)
        return _IDS.sub(rf"\1d{number}-", coloured)
