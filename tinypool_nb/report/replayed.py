"""Live views in a report: their last picture, which scripts in the page turn into a player of what led to it."""

from collections.abc import Mapping
from typing import Any

from tinypool_nb.report.pages import asset
from tinypool_nb.report.plots import script_json
from tinypool_nb.widgets.joining import REPLAY as MAIN
from tinypool_nb.widgets.joining import joined, style
from tinypool_nb.widgets.look import look
from tinypool_nb.widgets.packing import VERSION


def replayed(picture: str, data: Mapping[str, Any]) -> str:
    """A picture, as HTML, with what plays it behind it. On paper, and where no script runs, the picture stays.

    Args:
        picture: HTML; what the player replaces in it has the class `tinypool-picture`.
        data: `head` and `records` of a snapshot as `widgets/packing.py` sends it, the records as base64.
    """
    return (
        f'<div class="tinypool-recorded">{picture}'
        f'<div class="tinypool-player"><script type="application/json">{script_json(data)}</script></div></div>'
    )


def is_replay(data: object) -> bool:
    """Whether something that a notebook holds can be played by these scripts."""
    if not isinstance(data, Mapping):
        return False
    head, records = data.get("head"), data.get("records")
    return isinstance(records, str) and isinstance(head, Mapping) and head.get("version") == VERSION and head.get("type") == "snapshot"


def replay_style() -> str:
    """The style sheet of players."""
    return f"{style()}\n{asset('replayed.css')}"


def replay_scripts(nonce: str) -> str:
    """The scripts that turn pictures into players, each when it comes into sight; they stand behind all else."""
    scripts = joined(MAIN).replace("export default ", "")
    return (
        f'<script type="application/json" class="tinypool-look">{script_json(look())}</script>'
        f'<script type="module" nonce="{nonce}">{scripts}\n{asset("replayed.js")}</script>'
    )
