"""Run the fault suite and print its table: a row a fault, with what was seen. `make faults` does it.

    python tests/faults/fault_table.py                 # all
    python tests/faults/fault_table.py -m "not slow"   # arguments are pytest's

The exit code is 0 if each of the forty has a test and all of them passed.
"""

import sys
from collections import defaultdict
from pathlib import Path
from textwrap import fill

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.faults.fault_rows import FAULTS  # noqa: E402  # the line above lets Python find it

WIDTH = 140


class Seen:
    """Collects what the tests saw; a plugin of pytest."""

    def __init__(self) -> None:
        self.outcomes: dict[int, list[str]] = defaultdict(list)
        self.words: dict[int, list[str]] = defaultdict(list)
        self.seconds: dict[int, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take up a phase of a test."""
        told = dict(report.user_properties)
        number = told.get("fault")
        if not isinstance(number, int):
            return
        self.seconds[number] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[number].append(report.outcome)
        if report.when == "teardown":
            self.words[number] += [str(word) for name, word in report.user_properties if name == "seen"]

    def verdict(self, number: int) -> str:
        """ok, FAILED, skipped, or - if there is no test."""
        outcomes = self.outcomes.get(number, [])
        if "failed" in outcomes:
            return "FAILED"
        return "ok" if "passed" in outcomes else "skipped" if outcomes else "-"

    def table(self) -> str:
        """A row a fault."""
        rows = []
        for number, (fault, expected) in FAULTS.items():
            took = f"{self.seconds[number]:.1f} s" if number in self.seconds else ""
            rows.append(f"{number:2} {self.verdict(number):7} {fault}  {took}")
            rows.append(fill(expected, WIDTH, initial_indent="           should: ", subsequent_indent=" " * 19))
            rows += [
                fill(word, WIDTH, initial_indent="             seen: ", subsequent_indent=" " * 19) for word in self.words.get(number, [])
            ]
        return "\n".join(rows)


def main(arguments: list[str]) -> int:
    """Run the suite and print the table."""
    seen = Seen()
    code = pytest.main(["-q", str(HERE), *arguments], plugins=[seen])
    print(seen.table())
    verdicts = [seen.verdict(number) for number in FAULTS]
    print(
        f"\n{verdicts.count('ok')} of {len(FAULTS)} seen, {verdicts.count('FAILED')} failed, {verdicts.count('-')} without a test that ran"
    )
    return int(code) or int(any(verdict in {"FAILED", "-"} for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
