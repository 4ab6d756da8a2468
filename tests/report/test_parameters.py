"""Parameters: from the shell into the notebook, and what is secret of them not into the report."""

import html
import json
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tinypool_nb.errors import ReportError
from tinypool_nb.report.parameters import conceal, insert, parse
from tinypool_nb.report.secrets import HIDDEN, Secrets, is_secret, masked
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


MARKED = "p&ss<w0rd>'X\"Y\\é"


@pytest.mark.parametrize(
    "parameters",
    [
        {"token": MARKED},
        {"credentials": {"user": "bob", "pw": MARKED}},
        {"config": {"url": "http://127.0.0.1", "token": MARKED}},
        {"hosts": [{"name": "a", "auth": ["basic", MARKED]}]},
        {"headers": {"Authorization": f"Bearer {MARKED}"}},
        {"pwd": MARKED},
        {"auth": MARKED},
        {"bearer": MARKED},
        {"passphrase": MARKED},
    ],
    ids=str,
)
def test_wherever_a_secret_stands_among_the_parameters_no_spelling_of_it_is_left(parameters: dict[str, object], tmp_path: Path) -> None:
    spelled = [MARKED, repr(MARKED)[1:-1], json.dumps(MARKED)[1:-1], json.dumps(MARKED, ensure_ascii=False)[1:-1], quote(MARKED, safe="")]
    spelled += [html.escape(each) for each in spelled] + [html.escape(MARKED, quote=False)]
    node = new_notebook(cells=[])
    insert(node, parameters)
    says = [new_output("stream", text=f"<{each}>") for each in spelled]
    says += [
        new_output("display_data", {"text/html": f"<p>{html.escape(MARKED)}</p>", "application/json": {MARKED: [MARKED]}}),
        new_output("error", ename="ValueError", evalue=MARKED, traceback=[f"ValueError: {MARKED}"]),
    ]
    node.cells.append(new_code_cell(f"known = {MARKED!r}", outputs=says))
    node.metadata["widgets"] = {"state": {"title": MARKED}}
    conceal(node, parameters)
    nbformat.validate(node)
    write_notebook_report(node, tmp_path / "out.html", name="out")
    for text in (json.dumps(node, ensure_ascii=False), (tmp_path / "out.html").read_text(encoding="utf-8")):
        assert "w0rd" not in text
        assert text.count(HIDDEN) > len(spelled)
    assert "http://127.0.0.1" in node.cells[0].source or "url" not in str(parameters)


def test_a_secret_that_was_cut_is_known_by_its_beginning_and_a_number_by_its_value() -> None:
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.abcdef"
    assert Secrets({"token": token}).hidden(f"<td>{token[:25]}...</td>") == f"<td>{HIDDEN}...</td>"
    assert Secrets({"pin_token": 123456}).hidden_in({"x": [123456, 7, True]}) == {"x": [HIDDEN, 7, True]}


@pytest.mark.parametrize(
    "name", ["author", "authority", "authors", "path", "pattern", "compass", "passing", "module", "keepalive", "key", ""]
)
def test_harmless_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)
    assert masked(name, "shown") == "shown"
    assert not Secrets({name: "shown"})


def test_what_a_secret_is_in_is_shown_without_it() -> None:
    given = {"modules": [{"name": "a", "apiKey": "abcd1234"}], "count": 3}
    assert masked("config", given) == {"modules": [{"name": "a", "apiKey": HIDDEN}], "count": 3}
