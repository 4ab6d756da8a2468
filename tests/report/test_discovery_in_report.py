"""A notebook that discovers in the lab's cluster, executed: its report tells how discovery stood, and no secret is in any file."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tinypool_nb.report.execute import execute
from tinypool_nb.report.html import write_report

CELLS = [
    """\
import json, logging, pathlib
import tinypool_nb as tp

logging.basicConfig(level=logging.DEBUG)
lab = tp.Lab(kubernetes=True)
lab.start("http-module-v1")
secrets = json.loads(pathlib.Path(lab.kubeconfig).read_text())
pathlib.Path("secrets.json").write_text(json.dumps(secrets["users"][0]["user"]))
pool = tp.Pool()
pool.panel()""",
    "discovery = pool.discover(kubeconfig=lab.kubeconfig); discovery.wait(); discovery",
    "lab, lab.api, lab.resources, lab.api.requests[-1], vars(discovery)",
    """\
import time

token = secrets["users"][0]["user"]["token"]
lab.api.refuse(401, message=f"Bearer {token} is none of mine")
lab.api.drop_watches(ending="error", message=f"Bearer {token} is none of mine")
while not discovery.status.missing: time.sleep(0.01)
print(discovery.status)
pool.modules(), pool.marks(), discovery.report()""",
    "try:\n    discovery.wait(0)\nexcept tp.NotSyncedError as error:\n    import traceback; traceback.print_exc()",
    'pool.save("incident.parquet")\npool.timeline()',
    "pool.close()\nlab.close()",
]


@pytest.mark.slow
def test_the_report_tells_how_discovery_stood_and_no_file_holds_a_secret(tmp_path: Path) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS]), tmp_path / "notebook.ipynb")
    node = execute(tmp_path / "notebook.ipynb", tmp_path / "executed.ipynb", timeout=60)
    write_report(node, tmp_path / "report.html")
    secret = json.loads((tmp_path / "secrets.json").read_text())["token"]
    (tmp_path / "secrets.json").unlink()
    page = (tmp_path / "report.html").read_text()
    assert "Discovery refused, stale since" in page
    assert "Log in to the cluster again" in page
    assert "is none of mine" in page
    for file in ("executed.ipynb", "report.html", "incident.parquet"):
        assert secret.encode() not in (tmp_path / file).read_bytes(), file
    assert "BEGIN PRIVATE KEY" not in page
