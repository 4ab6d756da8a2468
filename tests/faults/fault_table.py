"""Run the fault suite and print its table: a row a fault, with what was seen and how it was explained. `make faults` does it.

    python tests/faults/fault_table.py                 # all
    python tests/faults/fault_table.py -k handshake    # arguments are pytest's

The exit code is 0 if each of the forty has a test and all of them passed.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.faults.fault_rows import FAULTS  # noqa: E402  # the line above lets Python find it

WIDTH = 140
LEFT, TOOK = 44, 7
"""Columns of the fault, and of the time its tests took."""
RIGHT = WIDTH - 6 - LEFT - 2 - TOOK
"""Columns of what was seen."""
HEADS = ("what goes wrong, and what a person should see", "what was seen; ▸ what pool.explain said")
SIGNS = {"ok": "✔", "FAILED": "✘", "skipped": "○", "-": " "}
LOOKS = {"ok": "32", "FAILED": "1;31", "skipped": "33", "-": "33", "bold": "1", "faint": "2", "explained": "36"}


class Seen:
    """Collects what the tests saw; a plugin of pytest."""

    def __init__(self) -> None:
        self.outcomes: dict[int, list[str]] = defaultdict(list)
        self.words: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self.seconds: dict[int, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take up a phase of a test."""
        number = dict(report.user_properties).get("fault")
        if not isinstance(number, int):
            return
        self.seconds[number] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[number].append(report.outcome)
        if report.when == "teardown":
            for kind in ("seen", "explained"):  # of each test first what was seen
                self.words[number] += [(kind, str(word)) for name, word in report.user_properties if name == kind]

    def verdict(self, number: int) -> str:
        """ok, FAILED, skipped, or - if there is no test."""
        outcomes = self.outcomes.get(number, [])
        if "failed" in outcomes:
            return "FAILED"
        return "ok" if "passed" in outcomes else "skipped" if outcomes else "-"

    def table(self) -> Iterator[str]:
        """The table's lines."""
        yield paint(f"{'':6}{HEADS[0]:{LEFT + 2}}{HEADS[1]}", "bold")
        for number in FAULTS:
            yield paint("─" * WIDTH, "faint")
            yield from self._row(number)
        yield paint("─" * WIDTH, "faint")

    def _row(self, number: int) -> Iterator[str]:
        fault, should, *_ = FAULTS[number]
        verdict = self.verdict(number)
        left = [(line, "bold") for line in wrap(fault, LEFT)] + [(line, "faint") for line in wrap(should, LEFT)]
        right = [line for kind, words in dict.fromkeys(self.words.get(number, [])) for line in _told(kind, words)]
        if verdict != "ok":
            right.insert(0, ({"-": "no test ran"}.get(verdict, verdict), verdict))
        took = f"{self.seconds[number]:.1f} s" if number in self.seconds else ""
        for place, ((words, look), (told, how)) in enumerate(zip_longest(left, right, fillvalue=("", ""))):
            head = paint(f"{number:3} {SIGNS[verdict]} ", verdict) if not place else " " * 6
            end = paint(f"{took:>{TOOK}}", "faint") if not place else ""
            yield f"{head}{paint(f'{words:{LEFT}}', look)}  {paint(f'{told:{RIGHT}}' if not place else told, how)}{end}".rstrip()

    def summary(self) -> str:
        """How many of the forty were seen."""
        verdicts = [self.verdict(number) for number in FAULTS]
        parts = [f"{verdicts.count('ok')} of {len(FAULTS)} seen"]
        parts += [f"{verdicts.count(verdict)} {words}" for verdict, words in _REST.items() if verdict in verdicts]
        return f"{', '.join(parts)}, in {sum(self.seconds.values()):.0f} s"


_REST = {"FAILED": "failed", "skipped": "skipped", "-": "without a test that ran"}


def _told(kind: str, words: str) -> Iterable[tuple[str, str]]:
    if kind == "seen":
        return [(line, "") for line in wrap(words, RIGHT, subsequent_indent="  ")]
    return [(line, "explained") for line in wrap(words, RIGHT, initial_indent="▸ ", subsequent_indent="  ")]


def paint(words: str, look: str) -> str:
    """In colours, where a person looks at a terminal that has some (https://no-color.org)."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return words if plain or not look or not words.strip() else f"\x1b[{LOOKS[look]}m{words}\x1b[0m"


def main(arguments: list[str]) -> int:
    """Run the suite and print the table."""
    seen = Seen()
    code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", str(HERE), *arguments], plugins=[seen])
    print(*seen.table(), seen.summary(), sep="\n")
    return int(code) or int(any(seen.verdict(number) in {"FAILED", "-"} for number in FAULTS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
