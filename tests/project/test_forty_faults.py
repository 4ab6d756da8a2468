"""The table of the forty, and the page of the documentation that is made of it."""

import ast
from pathlib import Path

from tests.faults import fault_rows
from tests.faults.fault_rows import FAULTS, PAGE, page
from tinypool_nb.core.diagnosis.causes import Cause


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/faults/fault_rows.py writes it anew"


def test_each_of_the_forty_has_a_test() -> None:
    assert list(FAULTS) == list(range(1, 41))
    sources = (ast.parse(path.read_text(encoding="utf-8")) for path in Path(fault_rows.__file__).parent.glob("test_*.py"))
    numbers = {
        argument.value
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fault"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    assert numbers == set(FAULTS)


def test_each_explanation_begins_with_a_cause() -> None:
    known = (*map(str, Cause), "nothing wrong", "as of any other")
    assert [row.explained for row in FAULTS.values() if row.explained and not row.explained.startswith(known)] == []
