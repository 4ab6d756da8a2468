"""`make bench`: one aligned table of every benchmark, and a crash is not passed over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"

MEASURED = """
def figures():
    yield "a quick thing", 0.0123456, "us", 1.0, "a slow thing: 5 us"
    yield "a full thing", 2_000_000.0, "rows/s", 3_000_000.0, ""
    yield "just so", 12.0, "MB", None, ""
"""
EXPECTED = """\
what                     measured               bar         compared to
good
  a quick thing         0.0123 us              1 us  ok     a slow thing: 5 us
  a full thing   2,000,000 rows/s  3,000,000 rows/s  short
  just so                   12 MB
"""


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    shutil.copy(RUN, tmp_path)
    (tmp_path / "bench_good.py").write_text(MEASURED)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "run.py", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_figures_stand_in_one_table(benchmarks: Path) -> None:
    done = run(benchmarks)
    assert done.stdout == EXPECTED
    assert done.returncode == 0


def test_a_benchmark_that_crashes_is_told_after_the_others(benchmarks: Path) -> None:
    (benchmarks / "bench_bad.py").write_text("def figures():\n    yield 'first', 1.0, 's', None, ''\n    raise OSError('broken')\n")
    done = run(benchmarks)
    assert done.returncode == 1
    assert "first" in done.stdout
    assert "a quick thing" in done.stdout
    assert "broken" in done.stderr
    assert "crashed: bench_bad.py" in done.stderr


def test_one_benchmark_can_be_chosen_and_an_unknown_one_is_told(benchmarks: Path) -> None:
    assert run(benchmarks, "good").returncode == 0
    unknown = run(benchmarks, "goood")
    assert unknown.returncode == 2
    assert "goood" in unknown.stderr
    assert "good" in unknown.stderr
