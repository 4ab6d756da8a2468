"""A report in a real browser with the network off: every plot draws, nothing is asked for, nobody complains."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tinypool_nb.core.palette import PALETTES
from tinypool_nb.report.execute import execute
from tinypool_nb.report.html import TinypoolHTMLExporter
from tinypool_nb.report.writing import write_notebook_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Browser

LIGHT, DARK = PALETTES["light"], PALETTES["dark"]
HOSTILE = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'> \"quotes\" 'more' ☃ \u202eevil"

CELLS = (
    f"""
import anywidget, ipywidgets
import numpy as np, pandas as pd
import plotly.graph_objects as go

hostile = {HOSTILE!r}
transparent = {{'paper_bgcolor': 'rgba(0,0,0,0)', 'plot_bgcolor': 'rgba(0,0,0,0)', 'height': 260}}
print(hostile)
""",
    "go.Figure([go.Bar(x=[hostile, 'b'], y=np.array([1.0, 2.0]), name=hostile)], {'title': {'text': hostile}})",
    f"go.Figure([go.Scatter(y=[1, 3, 2])], {{**transparent, 'template': {{}}, 'font': {{'color': {LIGHT.ink!r}}}}})",
    "go.Figure([go.Scatter(y=np.arange(5.0))], transparent)",
    """
widget = go.FigureWidget([go.Bar(x=np.linspace(0, 1, 20), y=np.linspace(3, 1, 20))], {'title': {'text': 'a widget'}})
widget.add_scatter(y=np.array([1.0, 2.0, 3.0]))
widget
""",
    "ipywidgets.IntSlider(description=hostile)",
    """
class Own(anywidget.AnyWidget):
    _esm = 'export default { render() {} }'

    def _repr_mimebundle_(self, **options):
        live, metadata = super()._repr_mimebundle_(**options)
        return {**live, 'text/html': '<p class="own-static">static form</p>'}, metadata

Own()
""",
    "pd.DataFrame({'module': [hostile], 'state': ['READY']})",
)


@pytest.fixture(scope="session")  # so that it is run before a browser is there: see conftest.chromium
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    folder = tmp_path_factory.mktemp("executed")
    cells = [new_markdown_cell("# A <b>bold</b> look & more\n\ntext"), *map(new_code_cell, CELLS)]
    nbformat.write(new_notebook(cells=cells), folder / "look.ipynb")
    return execute(folder / "look.ipynb", folder / "out.ipynb")


@pytest.fixture(scope="session")
def report(executed: nbformat.NotebookNode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "look.html"
    write_notebook_report(executed, out)
    return out


def plots(page: "Page") -> list[dict[str, object]]:
    found: list[dict[str, object]] = page.evaluate(
        """() => [...document.querySelectorAll(".tinypool-plot")].map((place) => ({
            drawn: place.classList.contains("js-plotly-plot") && place._fullLayout !== undefined && place.querySelector("svg") !== null,
            traces: place._fullData.length,
            points: Math.max(...place._fullData.map((trace) => trace._length)),
            ink: place._fullLayout.font.color,
            width: place._fullLayout.width,
            room: place.parentElement.clientWidth,
        }))"""
    )
    return found


@pytest.mark.browser
def test_every_plot_draws_with_the_network_off(browser: "Browser", report: Path) -> None:
    seen = plots(browser.open(report))
    assert [plot["drawn"] for plot in seen] == [True] * 4
    assert [plot["traces"] for plot in seen] == [1, 1, 1, 2]
    assert [plot["points"] for plot in seen] == [2, 3, 5, 20]
    assert {plot["width"] for plot in seen} == {seen[0]["room"]}


@pytest.mark.browser
def test_hostile_text_is_shown_as_text(browser: "Browser", report: Path) -> None:
    page = browser.open(report)
    assert page.evaluate("window.pwned") is None
    assert page.title() == "A <b>bold</b> look & more"
    assert HOSTILE in page.locator(".jp-RenderedText").first.inner_text()
    assert HOSTILE[:40] in page.locator("table.dataframe").inner_text()  # pandas cuts what is long
    assert "IntSlider" in page.locator(".tinypool-note").inner_text()
    assert page.locator(".own-static").inner_text() == "static form"


@pytest.mark.browser
def test_plots_follow_a_dark_page_and_go_light_on_paper(browser: "Browser", report: Path) -> None:
    page = browser.open(report, color_scheme="dark")
    before = plots(page)
    assert before[1]["ink"] == DARK.ink
    # a figure without an ink of its own takes that of the page
    assert before[2]["ink"] == page.evaluate("getComputedStyle(document.body).color")
    # and one with a paper of its own is left alone
    assert before[0]["ink"] not in {DARK.ink, before[2]["ink"]}

    page.set_viewport_size({"width": 700, "height": 900})
    page.emulate_media(media="print")  # in this order, as a printer does: a plot is fitted when the medium changes
    page.wait_for_function("[...document.querySelectorAll('.tinypool-plot')].every((plot) => plot._fullLayout.width <= 700)")
    page.wait_for_function("document.querySelectorAll('.tinypool-plot')[1]._fullLayout.font.color === '" + LIGHT.ink + "'")
    assert page.pdf(format="A4").startswith(b"%PDF")

    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(media="screen")
    page.wait_for_function(
        f"[...document.querySelectorAll('.tinypool-plot')].every((plot) => plot._fullLayout.width === {before[1]['width']})"
    )
    assert plots(page) == before


@pytest.mark.slow
@pytest.mark.browser
def test_a_plot_of_a_fixed_width_is_never_cut_and_its_see_through_colours_turn_dark_too(browser: "Browser", tmp_path: Path) -> None:
    layout = {"width": 1000, "height": 260, "paper_bgcolor": "rgba(0,0,0,0)"}
    trace = {"type": "scatter", "y": [1, 3], "fill": "tozeroy", "fillcolor": f"{LIGHT.page}38", "marker": {"color": "white"}}
    bundle = {"application/vnd.plotly.v1+json": {"data": [trace], "layout": layout}}
    cell = new_code_cell("# a plot", outputs=[new_output("display_data", bundle)])
    write_notebook_report(notebook_file(tmp_path, [cell]), tmp_path / "wide.html")
    page = browser.open(tmp_path / "wide.html", color_scheme="dark", width=700)
    drawn = "document.querySelector('.tinypool-plot')"
    assert page.evaluate(f"{drawn}._fullLayout.width <= {drawn}.clientWidth")
    assert page.evaluate(f"{drawn}._fullData[0].fillcolor") == f"{DARK.page}38"
    assert page.evaluate(f"{drawn}._fullData[0].marker.color") == "white"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function(f"{drawn}._fullLayout.width === 1000")


@pytest.mark.browser
def test_code_is_folded_away_and_can_be_unfolded(browser: "Browser", report: Path) -> None:
    page = browser.open(report)
    code = page.locator(".tinypool-code .highlight").first
    assert not code.is_visible()
    page.locator(".tinypool-code > summary").first.click()
    assert code.is_visible()
    assert "import numpy" in code.inner_text()


@pytest.mark.browser
def test_what_a_notebook_asks_from_the_network_is_not_fetched(browser: "Browser", tmp_path: Path) -> None:
    spy = "<script src='https://spy.example/a.js'></script><img src='https://spy.example/b.png'><iframe src='https://spy.example'></iframe>"
    cell = new_code_cell("", outputs=[new_output("display_data", {"text/html": spy}), new_output("stream", text="the end")])
    write_notebook_report(notebook_file(tmp_path, [new_markdown_cell("![](https://spy.example/c.png)"), cell]), tmp_path / "spied.html")
    page = browser.open(tmp_path / "spied.html")
    assert "the end" in page.locator("main").inner_text()
    refused = [error for error in browser.errors if "Content Security Policy" in error]
    assert refused == browser.errors != []
    browser.errors.clear()


def notebook_file(folder: Path, cells: list[nbformat.NotebookNode]) -> Path:
    path = folder / "some.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_the_file_is_small_and_holds_plotly_once(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert len(text.encode()) < 6_000_000
    assert len(re.findall(r"\* plotly\.js v", text)) == 1


def test_a_notebook_without_plots_makes_a_report_without_plotly(tmp_path: Path) -> None:
    write_notebook_report(
        notebook_file(tmp_path, [new_code_cell("1", outputs=[new_output("stream", text="hello")])]), tmp_path / "small.html"
    )
    text = (tmp_path / "small.html").read_text(encoding="utf-8")
    assert "hello" in text
    assert "Plotly" not in text
    assert len(text.encode()) < 700_000


def test_the_state_of_widgets_is_not_in_the_report(executed: nbformat.NotebookNode, report: Path) -> None:
    assert "widgets" in executed.metadata
    assert "widget-state" not in report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_nbconvert_finds_the_exporter_by_its_name(tmp_path: Path) -> None:
    notebook_file(tmp_path, [new_markdown_cell("# By name")])
    command = [sys.executable, "-m", "nbconvert", "--to", "tinypool-html", "some.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "By name" in (tmp_path / "some.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("theme", "scheme"), [("auto", "light dark"), ("light", "light"), ("dark", "dark")])
def test_a_theme_can_be_fixed(theme: str, scheme: str) -> None:
    text, _ = TinypoolHTMLExporter(theme=theme).from_notebook_node(new_notebook(cells=[]))
    assert f'<meta content="{scheme}" name="color-scheme"' in text


def test_the_notebook_that_was_given_is_not_changed(executed: nbformat.NotebookNode, tmp_path: Path) -> None:
    before = json.dumps(executed)
    write_notebook_report(executed, tmp_path / "again.html")
    assert json.dumps(executed) == before
