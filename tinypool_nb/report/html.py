"""The nbconvert exporter `tinypool-html`: a notebook as one HTML file that shows all it has with the network off."""

import hashlib
import json
from pathlib import Path
from typing import Any

from nbconvert.exporters.html import HTMLExporter
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from traitlets import default

from tinypool_nb.report.cleaning import cleaned
from tinypool_nb.report.colours import colour_pairs
from tinypool_nb.report.contents import with_contents
from tinypool_nb.report.offline import Offline
from tinypool_nb.report.pages import asset
from tinypool_nb.report.pdf import print_pdf
from tinypool_nb.report.plots import script_json
from tinypool_nb.report.reading import read_notebook

TEMPLATES = Path(__file__).parent / "templates"


class TinypoolHTMLExporter(HTMLExporter):
    """One self-contained file: plots are drawn by plotly.js inside it, code is folded away, nothing is asked from outside.

    What the notebook's own HTML would run is taken out, and a content security policy in the page lets nothing but the report's own
    scripts run and nothing be fetched. `theme` is `auto` (as the reader's system is, light or dark), `light` or `dark`.

        jupyter nbconvert --to tinypool-html notebook.ipynb

    Source: nbconvert's documentation, "Customizing exporters".
    """

    export_from_notebook = "tinypool report (HTML, offline)"
    paper = False
    """Whether it is for a printer: as wide as the paper, without what can only be used on a screen."""

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
        resources["asset"] = asset
        resources["paper"] = self.paper
        return resources

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> tuple[Any, Any]:
        """Convert a notebook: the page, and what nbconvert knows of it."""
        # What the notebook holds cannot hold its own hash: so nothing in it can pass for a script of ours.
        nonce = hashlib.sha256(json.dumps(nb, sort_keys=True, default=str).encode()).hexdigest()[:32]
        page, resources = super().from_notebook_node(nb, {**(resources or {}), "nonce": nonce}, **options)
        return with_contents(cleaned(page, nonce)), resources


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


class TinypoolPDFExporter(TinypoolHTMLExporter):
    """The same as PDF, printed by the Chromium on the PATH: always light, plots and timelines as vectors.

    jupyter nbconvert --to tinypool-pdf notebook.ipynb
    """

    export_from_notebook = "tinypool report (PDF)"
    paper = True

    @default("theme")
    def _theme_default(self) -> str:
        return "light"

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".pdf"

    @default("template_extension")
    def _template_extension_default(self) -> str:
        return ".html.j2"  # else it would be made of `file_extension`

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> tuple[Any, Any]:
        """Convert a notebook: the PDF, and what nbconvert knows of it.

        Raises:
            ReportError: there is no Chromium, or it failed.
        """
        page, resources = super().from_notebook_node(nb, resources, **options)
        resources["output_extension"] = ".pdf"
        return print_pdf(page), resources
