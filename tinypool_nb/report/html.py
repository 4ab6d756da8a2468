"""The nbconvert exporter `tinypool-html`: a notebook as one HTML file that shows all it has with the network off."""

from pathlib import Path
from typing import Any

from nbconvert.exporters.html import HTMLExporter
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from traitlets import default

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.report.offline import Offline
from tinypool_nb.report.plots import script_json
from tinypool_nb.report.reading import read_notebook

TEMPLATES = Path(__file__).parent / "templates"


class TinypoolHTMLExporter(HTMLExporter):
    """One self-contained file: plots are drawn by plotly.js inside it, code is folded away, nothing is asked from outside.

    A content security policy in the page holds the last of these, whatever the notebook's own HTML says. `theme` is `auto`
    (as the reader's system is, light or dark), `light` or `dark`.

        jupyter nbconvert --to tinypool-html notebook.ipynb

    Source: nbconvert's documentation, "Customizing exporters".
    """

    export_from_notebook = "tinypool report (HTML, offline)"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "tinypool"

    @default("extra_template_basedirs")
    def _extra_template_basedirs_default(self) -> list[str]:
        return [str(TEMPLATES)]

    @default("theme")
    def _theme_default(self) -> str:
        return "auto"

    @default("embed_images")
    def _embed_images_default(self) -> bool:
        return True

    def _init_preprocessors(self) -> None:
        super()._init_preprocessors()
        self.register_preprocessor(Offline, enabled=True)

    def _init_resources(self, resources: Any) -> Any:
        resources = super()._init_resources(resources)
        resources["include_plotly"] = get_plotlyjs
        resources["colours"] = script_json(colour_pairs())
        return resources


def write_report(notebook: NotebookNode | Path, out: Path) -> None:
    """Write `notebook`, a file or what `execute` returned, as a report to `out`; its folder is made if needed.

    Raises:
        ReportError: the file is no notebook.
    """
    node = read_notebook(notebook) if isinstance(notebook, Path) else notebook
    name = notebook.stem if isinstance(notebook, Path) else out.stem
    text, _ = TinypoolHTMLExporter().from_notebook_node(node, {"metadata": {"name": name}})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


def colour_pairs() -> list[tuple[str, str]]:
    """Each colour of our light figures with its dark counterpart, so that a plot can follow the page."""
    light, dark = PALETTES["light"], PALETTES["dark"]
    pairs = {light.page: dark.page, light.ink: dark.ink, light.grid: dark.grid}
    for code, look in light.looks.items():
        pairs |= {look.colour: dark.looks[code].colour, look.hatch: dark.looks[code].hatch}
    return list(pairs.items())
