"""Nothing of a notebook's own runs in its report: it is taken out, and what would be left the page's policy stops."""

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from tinypool_nb.report.cleaning import cleaned
from tinypool_nb.report.contents import headings
from tinypool_nb.report.html import TinypoolHTMLExporter

if TYPE_CHECKING:
    from tests.conftest import Browser

PWN = "window.pwned = 1"
HOSTILE = (
    f"<script>{PWN}</script>",
    f"<img src=x onerror='{PWN}'>",
    f"<svg onload='{PWN}'><script>{PWN}</script></svg>",
    f"<a href='java&#115;cript:{PWN}' id=press>press</a>",
    f"<iframe srcdoc='<script>parent.{PWN}</script>'></iframe>",
    f"<details open ontoggle='{PWN}'>x</details>",
    f"<math><style><img src=x onerror='{PWN}'></style></math>",
    "<meta http-equiv=refresh content='0;url=https://spy.example'>",
    "<base href='https://spy.example'>",
    "<form action='https://spy.example'><button formaction='javascript:1'>x</button></form>",
    f"<div class='tinypool-plot'><script type='application/json'>{{\"data\": []}}</script><script nonce='guess'>{PWN}</script></div>",
    "<div class='tinypool-plot'></div><p id='tinypool-colours'>no JSON</p>",
)


def notebook() -> nbformat.NotebookNode:
    outputs = [new_output("display_data", {"text/html": each}) for each in HOSTILE]
    outputs.append(new_output("display_data", {"application/javascript": PWN, "text/plain": "the script's text"}))
    outputs.append(new_output("display_data", {"application/vnd.plotly.v1+json": {"data": [{"y": [1]}], "layout": {}}}))
    outputs.append(new_output("display_data", {"text/latex": f"$x$<script>{PWN}</script>"}))
    outputs.append(new_output("display_data", {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'><script>{PWN}</script></svg>"}))
    cells = [new_markdown_cell(each) for each in HOSTILE]
    raw = new_raw_cell(HOSTILE[0])
    tagged = new_code_cell("1", metadata={"tags": [f'"><script>{PWN}</script>']})
    made: nbformat.NotebookNode = new_notebook(
        cells=[new_markdown_cell("# One\n## Two\n## Three"), *cells, new_code_cell("x", outputs=outputs), raw, tagged]
    )
    return made


@pytest.mark.browser
def test_nothing_runs_and_nobody_complains_but_of_what_was_asked_for(browser: "Browser", tmp_path: Path) -> None:
    page, _ = TinypoolHTMLExporter().from_notebook_node(notebook())
    (tmp_path / "hostile.html").write_text(page, encoding="utf-8")
    opened = browser.open(tmp_path / "hostile.html")
    assert opened.evaluate("window.pwned") is None
    assert opened.evaluate("location.protocol") == "file:"
    opened.locator(".jp-RenderedHTML #press").click()
    assert opened.evaluate("window.pwned") is None
    assert opened.locator("iframe, base, main meta, [onerror], [onload], [ontoggle], [srcdoc]").count() == 0
    assert opened.get_by_text("the script's text").is_visible()
    assert opened.locator(".js-plotly-plot .main-svg").count() > 0
    assert opened.locator(".tinypool-contents a").count() == 3
    browser.errors.clear()  # pictures that are not there


@pytest.mark.browser
def test_the_policy_alone_stops_it_too(browser: "Browser", tmp_path: Path) -> None:
    page, _ = TinypoolHTMLExporter().from_notebook_node(new_notebook(cells=[new_markdown_cell("PLACE")]))
    (tmp_path / "smuggled.html").write_text(
        page.replace("PLACE", "".join(each for each in HOSTILE if "refresh" not in each)), encoding="utf-8"
    )
    opened = browser.open(tmp_path / "smuggled.html")
    opened.locator("#press").first.click()
    assert opened.evaluate("window.pwned") is None
    assert any("Content Security Policy" in error for error in browser.errors)
    browser.errors.clear()


def test_what_is_harmless_stays_as_it_is() -> None:
    page = (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"/></head><body><p title="a &amp; b">1 &lt; 2 &#8230;</p>'
        '<img src="data:image/png;base64,AA"/>'
        '<style>a > b {}</style><svg viewBox="0 0 1 1"><path d="M0"/></svg><script type="application/json">{"a": "<b>"}</script>'
        '<script nonce="n">a < b && c</script></body></html>'
    )
    assert cleaned(page, "n") == page


@given(st.lists(st.sampled_from([*HOSTILE, "<p>", "</script>", "<!--", "-->", "<![CDATA[", "]]>", "</style", "<svg>", "text"]), max_size=6))
def test_whatever_is_put_together_no_script_without_the_nonce_is_left(parts: list[str]) -> None:
    again = cleaned(cleaned(f"<body>{''.join(parts)}", "n"), "n")
    assert f"<script>{PWN}" not in again
    assert "<iframe" not in again


def test_headings_of_cells_are_listed_with_their_text_alone() -> None:
    assert [heading.text for heading in headings('<h1 id="a">A &amp; <em>b</em></h1><h2>no id</h2><h3 id="c"> c\n d</h3>')] == [
        "A & b",
        "c d",
    ]
