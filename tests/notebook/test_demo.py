"""The main job: the notebook against a lab, a report that shows its plots with the network off, a recording."""

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

import tinypool_nb as tp
from tinypool_nb.cli import main

if TYPE_CHECKING:
    from tests.conftest import Browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tinypool-nb demo` writes."""
    out = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--out", str(out)]) == 0
    return out


def test_it_writes_an_executed_notebook_without_an_error(demo: Path) -> None:
    notebook = nbformat.read(demo / "01_first_look.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]


def test_it_records_all_that_happened(demo: Path) -> None:
    record = tp.open_recording(demo / "first_look.parquet")
    summary = record.summary().set_index("module")
    assert set(summary.index) == {"http-module-v1", "api-module-v1", "common-module-v1"}
    assert summary.disconnections["api-module-v1"] == 1  # killed
    assert summary.failures["api-module-v1"] >= 3
    assert summary.disconnections["http-module-v1"] == 1  # frozen
    assert set(record.transitions().query("module == 'common-module-v1'").generation) == {1, 2}  # moved
    told = set(record.marks().text)
    assert {"lab: kill", "lab: restart", "lab: freeze", "lab: thaw", "lab: move", "unregister"} <= told


@pytest.mark.browser
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_its_report_draws_every_plot_with_the_network_off(demo: Path, browser: "Browser", color_scheme: str) -> None:
    page = browser.open(demo / "first_look.html", color_scheme=color_scheme)  # type: ignore[arg-type]
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot .main-svg').length > 0")
    drawn = page.eval_on_selector_all(".js-plotly-plot", "plots => plots.map(plot => plot.querySelectorAll('.main-svg').length > 0)")
    assert drawn == [True, True]
    assert page.locator('[data-state="READY"]').count() >= 2
    assert "http-module-v1 freezes" in page.content()


def test_what_the_shell_does_not_understand_it_explains(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["dmeo"])
    assert left.value.code == 2
    assert "demo" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
