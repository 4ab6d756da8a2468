"""What the course shows, in a real JupyterLab: the diagram follows the theme, and a check says what it says in words and in colour."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import tinypool_nb as tp\ntp.state_diagram()",
    'tp.course.check("02.3", 10)',
    'tp.course.check("02.1", "IDLE")',
    'tp.course.hint("02.1")',
]


def test_the_diagram_and_the_checks(open_notebook: "OpenNotebook") -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(CELLS)
    notebook.command("notebook:run-all-cells")
    light, dark = notebook.cell(0).locator("img.light"), notebook.cell(0).locator("img.dark")
    expect(light).to_be_visible()
    expect(dark).to_be_hidden()
    assert light.evaluate("image => image.complete && image.naturalWidth") == 880
    assert (light.get_attribute("alt") or "").startswith("IDLE -> CONNECTING: somebody asks")
    said = [notebook.cell(number).get_by_role("status") for number in (1, 2, 3)]
    expect(said[0]).to_have_attribute("data-standing", "Look again")
    expect(said[0].locator("code")).to_have_text("streams_started")
    expect(said[1]).to_contain_text("02.1 Right: nothing is dialled")
    expect(said[2]).to_contain_text("Hint 1 of 2")
    notebook.set_theme("dark")
    expect(dark).to_be_visible()
    expect(light).to_be_hidden()
