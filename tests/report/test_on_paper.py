"""A notebook's report on paper, as PDF and printed from the browser: all of it is there, and nothing stands beyond the edge."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.report.printed import text_of
from tinypool_nb.report import html
from tinypool_nb.report.html import TinypoolHTMLExporter, TinypoolPDFExporter

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.conftest import Browser
    from tests.report.conftest import MakeRecord

PAPER = 702
"""CSS pixels between the margins of an A4 page."""
LAST = ("evidence", "last_error", "reason", "column_39", "col29", "rightend", "LASTWORD", "right_side")
"""What stands furthest to the right in each of the outputs."""

RIGHT_EDGE = """() => {
    const right = [], walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), range = new Range();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (!node.data.trim() || ["STYLE", "SCRIPT"].includes(node.parentElement.tagName)) continue;
        range.selectNodeContents(node);
        right.push(...[...range.getClientRects()].map((rect) => rect.right));
    }
    return Math.max(...right) - document.querySelector("main").getBoundingClientRect().left;
}"""

LOOKS = "() => [...document.querySelectorAll('body, main *')].map((each) => [each.tagName, each.className, each.style.cssText].join())"

CODE = f"# the first line\nframe = made()  # {'of many words ' * 20} THATEND\nframe"


@pytest.fixture(scope="module")
def wide(make_record: "MakeRecord") -> NotebookNode:
    """A notebook whose outputs are all wider than paper."""
    record = make_record([f"http-module-v{number}" for number in range(1, 7)], calls=3)
    columns = [f"column_{number}" for number in range(40)]
    sides = pd.MultiIndex.from_product([["left_side", "right_side"], range(1_000_000, 1_000_020)])
    with pd.option_context("display.max_columns", None):
        frames = [
            record.attempts(),
            record.connections(),
            record.calls(),
            pd.DataFrame(np.arange(400).reshape(10, 40), columns=columns),
            pd.DataFrame(np.arange(40).reshape(1, 40), columns=sides),
        ]
        shown = [frame._repr_html_() for frame in frames]  # type: ignore[operator]  # as a notebook asks for it
    fixed = '<div style="width: 1500px">a box<span style="float: right">rightend</span></div>'
    quoted = f"<pre>{'y' * 300}LASTWORD</pre>"
    cells = [new_code_cell(CODE, outputs=[new_output("display_data", {"text/html": output})]) for output in (*shown, fixed, quoted)]
    row = " | ".join
    table = f"{row(f'col{number}' for number in range(30))}\n{row(['--'] * 30)}\n{row(f'v{number}' for number in range(30))}"
    node: NotebookNode = new_notebook(cells=[new_markdown_cell(f"# Wide\n\n{table}"), *cells])
    return node


def page_for_paper(node: NotebookNode, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """What Chromium is given to print."""
    printed: list[str] = []

    def keep(page: str) -> bytes:
        printed.append(page)
        return b""

    monkeypatch.setattr(html, "print_pdf", keep)
    TinypoolPDFExporter().from_notebook_node(node)
    path = folder / "paper.html"
    path.write_text(printed[0], encoding="utf-8")
    return path


def page_for_a_screen(node: NotebookNode, folder: Path) -> Path:
    path = folder / "screen.html"
    path.write_text(TinypoolHTMLExporter().from_notebook_node(node)[0], encoding="utf-8")
    return path


def as_printed(page: "Page") -> None:
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(media="print")


@pytest.mark.usefixtures("chromium_there")
def test_a_pdf_shows_the_last_column_of_every_table(wide: NotebookNode) -> None:
    printed: Any = TinypoolPDFExporter().from_notebook_node(wide)[0]
    told = text_of(printed)
    assert [word for word in LAST if word not in told] == []
    assert told.count("module.ModuleService/Message") == 18  # each row of calls, once
    assert told.count("#thefirstline") == told.count("THATEND") == 7  # paper cannot be unfolded: code stands there in full


@pytest.mark.browser
def test_nothing_stands_beyond_the_edge_of_a_pdf(
    wide: NotebookNode, browser: "Browser", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = browser.open(page_for_paper(wide, monkeypatch, tmp_path), width=794, height=1123)
    as_printed(page)
    assert 0 < page.evaluate(RIGHT_EDGE) <= PAPER + 1
    letters = page.eval_on_selector_all(".tinypool-block td", "all => all.map((cell) => parseFloat(getComputedStyle(cell).fontSize))")
    assert min(letters) >= 9  # columns go below the others before letters become too small to read


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_prints_whole_and_is_as_it_was_afterwards(scheme: str, wide: NotebookNode, browser: "Browser", tmp_path: Path) -> None:
    page = browser.open(page_for_a_screen(wide, tmp_path), color_scheme=scheme)  # type: ignore[arg-type]
    before = page.evaluate(LOOKS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    told = text_of(page.pdf(format="A4"))
    assert [word for word in LAST if word not in told] == []
    page.wait_for_function("() => !document.body.classList.contains('tinypool-paper')")
    assert page.evaluate(LOOKS) == before

    page.locator(".tinypool-code > summary").first.click()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    as_printed(page)
    assert 0 < page.evaluate(RIGHT_EDGE) <= PAPER + 1


@pytest.mark.browser
def test_a_wide_table_in_markdown_scrolls_on_a_screen(wide: NotebookNode, browser: "Browser", tmp_path: Path) -> None:
    page = browser.open(page_for_a_screen(wide, tmp_path), width=800)
    ways = page.locator(".jp-MarkdownCell *").evaluate_all(
        "all => all.filter((each) => each.scrollWidth > each.clientWidth + 1 && each.querySelector('th'))"
        ".map((each) => getComputedStyle(each).overflowX)"
    )
    assert ways
    assert {*ways} == {"auto"}
