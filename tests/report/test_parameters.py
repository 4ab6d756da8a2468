"""Parameters: from the shell into the notebook, and what is secret of them not into the report."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tinypool_nb.errors import ReportError
from tinypool_nb.report.parameters import HIDDEN, conceal, insert, parse
from tinypool_nb.report.writing import write_notebook_report


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("a=1", 1),
        ("a=1e3", 1000.0),
        ("a=-2", -2),
        ("a=True", True),
        ("a=FALSE", False),
        ("a=null", None),
        ("a=[1, 'b']", [1, "b"]),
        ("a={'b': 1}", {"b": 1}),
        ("a=", ""),
        ("a=2026-01-05", "2026-01-05"),
        ("a='7'", "7"),
        ("a=__import__('os')", "__import__('os')"),
        ("a= padded ", " padded "),
    ],
)
def test_values_are_typed_as_they_read(argument: str, value: object) -> None:
    name, found = parse(argument)
    assert (name, found, type(found)) == ("a", value, type(value))


@pytest.mark.parametrize("argument", ["a", "=1", "a-b=1", "class=1", "1a=2"])
def test_what_is_no_parameter_is_refused(argument: str) -> None:
    with pytest.raises(ReportError, match="was refused"):
        parse(argument)


def test_a_name_with_a_slip_is_refused() -> None:
    node = new_notebook(cells=[new_code_cell("recording = None\nmodules = []", metadata={"tags": ["parameters"]})])
    with pytest.raises(ReportError, match=r"did you mean recording\?"):
        insert(node, {"recordin": "a"})
    with pytest.raises(ReportError, match="it takes recording, modules"):
        insert(node, {"xyz": "a"})
    insert(node, {"modules": ["a"]})
    assert node.cells[1].source.endswith("modules = ['a']")


def test_a_secret_stands_neither_in_the_notebook_nor_in_the_report(tmp_path: Path) -> None:
    secret = "s3cr3t-t0ken"
    parameters = {"api_token": secret, "count": 3}
    node = new_notebook(cells=[])
    insert(node, parameters)
    said = new_output("stream", text=f"401 for {secret}")
    shown = new_output("display_data", {"text/html": f"<b>{secret}</b>"}, metadata={"note": secret})
    node.cells.append(new_code_cell("f()", outputs=[said, shown]))
    conceal(node, parameters)
    assert secret not in json.dumps(node)
    assert f"api_token = {HIDDEN!r}\ncount = 3" in node.cells[0].source
    nbformat.validate(node)
    write_notebook_report(node, tmp_path / "out.html", name="out")
    assert secret not in (tmp_path / "out.html").read_text()
