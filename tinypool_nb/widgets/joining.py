"""The scripts of the live timeline as the one ES module that anywidget loads: joined by the rules below, without a build step."""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "live"
MAIN = "widget.js"
REPLAY = "replay.js"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def joined(main: str = MAIN) -> str:
    """`main` and all that it needs: scripts in the order of need, each once, without the lines by which they import and export.

    So a script imports names from `./other.js` in one line each, and no two scripts define the same name (`node` refuses that).

    >>> "import {" in joined(), joined().count("export default")
    (False, 1)
    """
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", (FOLDER / name).read_text(encoding="utf-8"))) for name in in_order(main))


def in_order(name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The script of that name behind all that it needs, and those in `known` first."""
    for needed in _IMPORT.findall((FOLDER / name).read_text(encoding="utf-8")):
        if needed not in known:
            known = in_order(needed, known)
    return (*known, name)


def style() -> str:
    """The style sheet."""
    return (FOLDER / "live.css").read_text(encoding="utf-8")
