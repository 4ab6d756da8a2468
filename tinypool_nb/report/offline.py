"""Leave in each output of a notebook what a browser can show without a kernel and without a network."""

import html
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from tinypool_nb.report.plots import figure_of_widget, plot_html
from tinypool_nb.report.provenance import NOTED
from tinypool_nb.report.replayed import is_replay, replayed
from tinypool_nb.widgets.still import REPLAY

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
STATIC = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg")
"""What needs neither kernel nor network."""
SHOWN = frozenset({*STATIC, "text/latex", "text/plain"})
"""What a report shows at all; what only a script would show, or is one, is left out."""

Models = Mapping[str, Mapping[str, Any]]


class Shown(Enum):
    """What became of an output."""

    PLOT = auto()
    PLAYER = auto()
    """A live view's last picture, which can be played."""
    AS_IT_IS = auto()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the template says about the notebook as a whole."""

    title: str
    has_heading: bool
    """Whether the notebook itself begins with its title."""
    provenance: tuple[str, ...]
    """What was run, when and with what; short texts."""
    plots: int
    """How many plots are to be drawn; plotly.js is part of the report only if there is one."""
    players: int
    """How many live views can be played; what plays them is part of the report only if there is one."""


class Offline(Preprocessor):
    """Replaces live views by static ones, plotly's MIME type by places to draw in, and drops the state of the widgets.

    The facts for the template come to stand in `resources["tinypool"]`.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change `nb`, which nbconvert has copied for us."""
        models: Models = nb.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
        plots = players = 0
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                if "data" in output:
                    shown = settle(output.data, models, paper=resources.get("paper", False))
                    plots += shown is Shown.PLOT
                    players += shown is Shown.PLAYER
        heading = _heading(nb)
        title = heading or nb.metadata.get("title") or resources["metadata"]["name"]
        nb.metadata["title"] = title  # from where the template takes the page's
        resources["tinypool"] = Facts(
            title=title,
            has_heading=heading is not None,
            provenance=tuple(_provenance(nb, resources["metadata"]["name"])),
            plots=plots,
            players=players,
        )
        return nb, resources


def settle(data: MutableMapping[str, Any], models: Models, *, paper: bool = False) -> Shown:
    """Choose what of one output's MIME bundle the report shows, and drop the rest; what that is.

    A plot comes before static forms, they before a live view, and a live view alone becomes a note, as does what has
    only types that no report shows.

    Args:
        data: the bundle, which is changed.
        models: the saved state of the notebook's widgets.
        paper: whether nothing can be played.
    """
    given = tuple(data)
    view = data.pop(WIDGET_VIEW, None)
    figure = data.pop(PLOTLY, None)
    replay = data.pop(REPLAY, None)
    if figure is None and view is not None:
        figure = figure_of_widget(models.get(view.get("model_id"), {}))
    for kind in data.keys() - SHOWN:
        del data[kind]
    if figure is not None:
        static = data.get("text/html", "")
        data["text/html"] = plot_html(figure, fallback="" if "<script" in static.lower() else static)
        return Shown.PLOT
    if not paper and is_replay(replay) and "text/html" in data:
        data["text/html"] = replayed(data["text/html"], replay)
        return Shown.PLAYER
    if view is not None and not any(kind in data for kind in STATIC):
        text = html.escape(data.get("text/plain", "a widget"))
        data["text/html"] = f'<p class="tinypool-note">Interactive, with a running kernel only: <code>{text}</code></p>'
    elif not data:
        kinds = " or ".join(f"<code>{html.escape(kind)}</code>" for kind in given)
        what = f"An output of type {kinds}, which a report does not show." if given else "An output without content."
        data["text/html"] = f'<p class="tinypool-note">{what}</p>'
    return Shown.AS_IT_IS


def _heading(nb: NotebookNode) -> str | None:
    """The text of the heading with which the notebook begins."""
    if not nb.cells or nb.cells[0].cell_type != "markdown":
        return None
    first: str = nb.cells[0].source.lstrip().partition("\n")[0]
    return first.removeprefix("# ").strip() if first.startswith("# ") else None


def _provenance(nb: NotebookNode, name: str) -> Iterator[str]:
    yield f"{name}.ipynb"
    times = sorted(_times(nb))
    if times:
        yield f"run on {times[0].astimezone(UTC):%Y-%m-%d at %H:%M} UTC in {(times[-1] - times[0]).total_seconds():.0f} s"
    else:
        yield "when it was run is not recorded"
    noted = nb.metadata.get(NOTED)
    python = nb.metadata.get("language_info", {}).get("version")
    if isinstance(noted, list):
        yield from map(str, noted)
    elif python:
        yield f"Python {python}"


def _times(nb: NotebookNode) -> Iterator[datetime]:
    """When cells began and ended, as nbclient and JupyterLab note it."""
    for cell in nb.cells:
        for stamp in cell.metadata.get("execution", {}).values():
            try:
                time = datetime.fromisoformat(stamp)
            except (TypeError, ValueError):
                continue
            if time.tzinfo is not None:
                yield time
