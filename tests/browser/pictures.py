"""`make pictures`: draws what the README and the documentation show, by the package itself; the panel in a real JupyterLab."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser.conftest import IDLE, JupyterLab, Notebook, serving
from tests.conftest import CHROMIUM_FLAGS
from tests.project.layers import PICTURE, layers_svg
from tinypool_nb.views.state_diagram import state_diagram_svg

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
DOCS = Path(__file__).parents[2] / "tinypool_nb" / "docs"
CELLS = [
    """\
import tinypool_nb as tp

lab = tp.Lab()
modules = lab.start_all(["http-module-v1", "common-module-v1", "api-module-v1", "mail-module-v1"])
pool = tp.Pool(tp.PoolOptions(backoff=tp.Backoff(initial=0.5, maximum=2)))
for module in modules:
    pool.register(module.name, module.address)
pool.health_check()
pool.panel()""",
    """\
import asyncio

await asyncio.sleep(12)
pool.mark("deployed v2")
modules[2].kill()
await pool.until("api-module-v1", "IDLE")
pool.health_check()
await pool.until("api-module-v1", "TRANSIENT_FAILURE")
await asyncio.sleep(6)
modules[2].restart()
await pool.until("api-module-v1", "READY")
await asyncio.sleep(9)
modules[3].kill()
await pool.until("mail-module-v1", "IDLE")
pool.health_check()
await asyncio.sleep(4)
"ready to be drawn" """,
    'pool.close()\nlab.close()\n"the end"',
]


def main() -> None:
    """Draw states and rooms into tinypool_nb/docs (states.svg, states-dark.svg, layers.svg), and the panel into notebooks/panel.png."""
    PICTURE.write_text(layers_svg())
    (DOCS / "states.svg").write_text(state_diagram_svg() + "\n")
    (DOCS / "states-dark.svg").write_text(state_diagram_svg(theme="dark") + "\n")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), Path(folder) / "home") as address, sync_playwright() as playwright:
        server = JupyterLab(address, Path(folder))
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*CHROMIUM_FLAGS])
        page = chromium.new_page(viewport={"width": 1180, "height": 1200})
        page.goto(server.write("panel", CELLS))
        page.set_default_timeout(60_000)
        page.wait_for_function(IDLE)
        notebook = Notebook(page)
        notebook.run()
        notebook.cell(0).locator(".tinypool-live").wait_for()
        notebook.run()
        notebook.cell(1).locator(".jp-OutputArea").get_by_text("ready to be drawn").wait_for()
        notebook.cell(0).locator(".tinypool-panel.tinypool-whole").screenshot(path=NOTEBOOKS / "panel.png")
        notebook.run()
        notebook.cell(2).locator(".jp-OutputArea").get_by_text("the end").wait_for()
        server.end_kernels()
        chromium.close()


if __name__ == "__main__":
    main()
