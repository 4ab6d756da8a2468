"""Run every benchmark of this folder and print one table: what was measured, its bar, and what it compares to.

A benchmark is a file `bench_<room>.py` with a function `figures()` that yields (what, measured, unit, bar or None, compared to). Less is
better, unless the unit is a rate ("/s"). Each file runs in a process of its own, so that none inherits threads, memory or warm caches.

    python tests/benchmarks/run.py             # all
    python tests/benchmarks/run.py journal     # bench_journal.py only

The exit code is 0, however slow this machine is, unless a benchmark crashed.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
MARK = "figure: "


class Figure(NamedTuple):
    """One measured figure."""

    what: str
    measured: float
    unit: str
    bar: float | None
    compared_to: str

    @property
    def verdict(self) -> str:
        """`ok` or `short`; nothing where there is no bar."""
        if self.bar is None:
            return ""
        is_rate = "/s" in self.unit
        return "ok" if (self.measured >= self.bar if is_rate else self.measured <= self.bar) else "short"

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        bar = "" if self.bar is None else f"{number(self.bar)} {self.unit}"
        return f"  {self.what}", f"{number(self.measured)} {self.unit}", bar, self.verdict, self.compared_to


def number(value: float) -> str:
    """The value with three significant digits and no exponent.

    >>> number(1234567.0), number(0.012345), number(99.96)
    ('1,234,567', '0.0123', '100')
    """
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):,.6g}"


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all, and print the table."""
    present = {file.stem.removeprefix("bench_"): file for file in sorted(HERE.glob("bench_*.py"))}
    if unknown := set(chosen) - set(present):
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(present) or 'none'}", file=sys.stderr)
        return 2
    rows: list[tuple[str, ...]] = [("what", "measured", "bar", "", "compared to")]
    crashed: list[str] = []
    for name in chosen or present:
        file = present[name]
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        process = subprocess.run([sys.executable, __file__, "--file", str(file)], stdout=subprocess.PIPE, text=True, check=False)
        lines = [line.removeprefix(MARK) for line in process.stdout.splitlines() if line.startswith(MARK)]
        rows += [(name, "", "", "", ""), *(Figure(*json.loads(line)).cells() for line in lines)]
        if process.returncode:
            crashed.append(file.name)
            rows.append((f"  crashed with exit code {process.returncode}", "", "", "", ""))
    print("\n".join(table(rows)))
    if crashed:
        print(f"\ncrashed: {', '.join(crashed)}", file=sys.stderr)
    return 1 if crashed else 0


def table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The rows with their columns aligned; measured and bar to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) if n in (1, 2) else cell.ljust(width) for n, (cell, width) in enumerate(zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()


def measure(file: Path) -> None:
    """Run one benchmark file in this process and print its figures, a JSON line each."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # as an import would, so that dataclasses and pickles of the file work
    spec.loader.exec_module(module)
    for figure in module.figures():
        print(MARK + json.dumps(figure), flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--file", file]:
            measure(Path(file))
        case chosen:
            sys.exit(main(chosen))
