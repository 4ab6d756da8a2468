"""The colours, patterns and words of the states as the browser gets them: all from `core`, nothing is written twice."""

from dataclasses import asdict
from typing import Any

from tinypool_nb.core.palette import PALETTES, SEVERITY, TILE, UNKNOWN_LABEL, UNKNOWN_MEANING
from tinypool_nb.core.states import STATES, UNKNOWN, State

SHOWN_ORDER = (State.READY, State.CONNECTING, State.TRANSIENT_FAILURE, State.IDLE, State.SHUTDOWN)
"""The states as a legend lists them."""


def look() -> dict[str, Any]:
    """What the scripts need to know of the states, as JSON.

    >>> look()["themes"]["light"]["looks"]["2"]["colour"], look()["states"]["2"]["label"]
    ('#0072b2', 'READY')
    """
    words = {str(state.code): {"label": str(state), "meaning": state.meaning} for state in STATES}
    words[str(UNKNOWN)] = {"label": UNKNOWN_LABEL, "meaning": UNKNOWN_MEANING}
    return {
        "tile": TILE,
        "severity": {str(code): bad for code, bad in SEVERITY.items()},
        "order": [*(state.code for state in SHOWN_ORDER), UNKNOWN],
        "states": words,
        "themes": {
            name: {
                "page": palette.page,
                "ink": palette.ink,
                "grid": palette.grid,
                "looks": {str(code): asdict(drawn) for code, drawn in palette.looks.items()},
            }
            for name, palette in PALETTES.items()
        },
    }
