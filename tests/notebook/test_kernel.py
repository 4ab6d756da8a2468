"""In a real kernel: running the creating cell again and again leaves one pool, one lab, and nothing else."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tinypool_nb.report.execute import execute

CREATE = """
lab = tp.Lab()
pool = tp.Pool(health_checks=60)
module = lab.start("http-module-v1")
pool.register(module.name, module.address)
pool.wait("http-module-v1", "READY", timeout=10)
"""
COUNT = """
import os, threading, time, psutil

def count():
    this = psutil.Process()
    return {
        "pools": len(tp.pools()),
        "threads": sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("tinypool")),
        "processes": len(this.children(recursive=True)),
        "descriptors": this.num_fds(),
        "connections": sum(c.status == "ESTABLISHED" and c.raddr.port == module.port for c in this.net_connections("tcp")),
    }

def settled(wanted, seconds=10):
    deadline = time.monotonic() + seconds
    while count() != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return count()
"""


def test_running_the_creating_cell_ten_times_leaves_one_of_each(tmp_path: Path) -> None:
    cells = [
        "import tinypool_nb as tp",
        CREATE,
        COUNT,
        "first = count()",
        *[CREATE] * 10,
        "last = settled(first)\nprint(first)\nprint(last)",
    ]
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), tmp_path / "again.ipynb")
    executed = execute(tmp_path / "again.ipynb", tmp_path / "executed.ipynb", timeout=60)
    first, last = "".join(output.text for output in executed.cells[-1].outputs).splitlines()
    assert first == last
    assert "'pools': 1" in first
    assert "'connections': 1" in first
    assert "['tinypool-follower', 'tinypool-health-checks', 'tinypool-lab', 'tinypool-observer']" in first
