"""Leave in each output of a notebook what a browser can show without a kernel and without a network."""

import html
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from tinypool_nb.report.plots import figure_of_widget, plot_html
from tinypool_nb.report.provenance import NOTED

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
STATIC = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg")
"""What needs neither kernel nor network."""
SHOWN = frozenset({*STATIC, "text/latex", "text/plain"})
"""What a report shows at all; what only a script would show, or is one, is left out."""

Models = Mapping[str, Mapping[str, Any]]


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


class Offline(Preprocessor):
    """Replaces live views by static ones, plotly's MIME type by places to draw in, and drops the state of the widgets.

    The facts for the template come to stand in `resources["tinypool"]`.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change `nb`, which nbconvert has copied for us."""
        models: Models = nb.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
        plots = 0
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                if "data" in output:
                    plots += settle(output.data, models)
        heading = _heading(nb)
        title = heading or nb.metadata.get("title") or resources["metadata"]["name"]
        nb.metadata["title"] = title  # from where the template takes the page's
        resources["tinypool"] = Facts(
            title=title,
            has_heading=heading is not None,
            provenance=tuple(_provenance(nb, resources["metadata"]["name"])),
            plots=plots,
        )
        return nb, resources


def settle(data: MutableMapping[str, Any], models: Models) -> bool:
    """Choose what of one output's MIME bundle the report shows, and drop the rest; whether that is a plot.

    A plot comes before static forms, they before a live view, and a live view alone becomes a note.
    """
    view = data.pop(WIDGET_VIEW, None)
    figure = data.pop(PLOTLY, None)
    if figure is None and view is not None:
        figure = figure_of_widget(models.get(view.get("model_id"), {}))
    for kind in data.keys() - SHOWN:
        del data[kind]
    if figure is not None:
        static = data.get("text/html", "")
        data["text/html"] = plot_html(figure, fallback="" if "<script" in static.lower() else static)
        return True
    if view is not None and not any(kind in data for kind in STATIC):
        text = html.escape(data.get("text/plain", "a widget"))
        data["text/html"] = f'<p class="tinypool-note">Interactive, with a running kernel only: <code>{text}</code></p>'
    return False


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
