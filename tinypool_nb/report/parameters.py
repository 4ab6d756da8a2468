"""The parameters of a run: read from the command line, put into the notebook, and kept out of the report where they are secret."""

import ast
import difflib
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tinypool_nb.errors import ReportError, shown

HIDDEN = "(hidden)"
_TAG, _INJECTED = "parameters", "injected-parameters"
_SECRET = re.compile(r"token|password|passwd|secret|credential|api_?key|private_?key", re.IGNORECASE)
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None, "none": None}
_SHORTEST_SECRET = 4
"""Characters: what is shorter stands in a page by chance."""


def parse(argument: str) -> tuple[str, object]:
    """A parameter as the command line gives it. A value that reads as Python's or JSON's literal is one; anything else is text.

    Raises:
        ReportError: it is not name=value, or the name is no Python name.

    >>> [parse(each) for each in ("count=3", "share=0.5", "names=['a', 'b']", "live=true", "path=a=b", "version='3'", "code=007")]
    [('count', 3), ('share', 0.5), ('names', ['a', 'b']), ('live', True), ('path', 'a=b'), ('version', '3'), ('code', '007')]
    """
    name, equals, text = argument.partition("=")
    if not equals:
        raise ReportError(f"parameter {shown(argument)} was refused: write it as name=value")
    _check_name(name)
    if text.lower() in _WORDS:
        return name, _WORDS[text.lower()]
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, text
    return name, value


def insert(node: NotebookNode, parameters: Mapping[str, object]) -> None:
    """Put a cell that assigns the parameters behind the cell tagged `parameters`, or in front of all.

    Raises:
        ReportError: a name is no Python name, a value no plain value, or the tagged cell does not know the name.
    """
    lines = [f"{name} = {_value(name, value)}" for name, value in parameters.items()]
    tagged = next((place for place, cell in enumerate(node.cells) if _TAG in cell.metadata.get("tags", ())), None)
    if tagged is not None:
        _check_known(parameters, node.cells[tagged].source)
    cell = new_code_cell("\n".join(("# parameters of this run", *lines)), metadata={"tags": [_INJECTED]})
    node.cells.insert(0 if tagged is None else tagged + 1, cell)


def conceal(node: NotebookNode, parameters: Mapping[str, object]) -> None:
    """Take the values of parameters that are named like secrets out of an executed notebook: its cells and what they said."""
    found = [*_secrets(parameters)]
    if not found:
        return
    for cell in node.cells:
        if _INJECTED in cell.metadata.get("tags", ()):
            lines = [f"{name} = {HIDDEN!r}" if _SECRET.search(name) else f"{name} = {value!r}" for name, value in parameters.items()]
            cell.source = "\n".join(("# parameters of this run", *lines))
        if "outputs" in cell:
            cell.outputs = [_replaced(output, found) for output in cell.outputs]


def without_secrets(text: str, parameters: Mapping[str, object]) -> str:
    """The text without the values of parameters that are named like secrets.

    >>> without_secrets("401 for abcd1234", {"token": "abcd1234"})
    '401 for (hidden)'
    """
    for secret in _secrets(parameters):
        text = text.replace(secret, HIDDEN)
    return text


def _secrets(parameters: Mapping[str, object]) -> Iterator[str]:
    for name, value in parameters.items():
        if _SECRET.search(name):
            texts = [value] if isinstance(value, str) else [str(value)]
            yield from (each for text in texts for each in (text, repr(text)[1:-1]) if len(each) >= _SHORTEST_SECRET)


def _replaced(value: Any, secrets: list[str]) -> Any:
    """JSON with the secrets in its texts replaced."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, dict):
        return NotebookNode({key: _replaced(item, secrets) for key, item in value.items()})
    if isinstance(value, list):
        return [_replaced(item, secrets) for item in value]
    return value


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ReportError(f"parameter {shown(name)} was refused: its name is no Python name")


def _check_known(parameters: Mapping[str, object], source: str) -> None:
    """Whether the tagged cell assigns each of the names; a name with a slip would be ignored without a word."""
    try:
        body = ast.parse(source)
    except SyntaxError:
        return  # a magic stands in it
    assigned = [node.id for node in ast.walk(body) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    for name in parameters:
        if name not in assigned:
            near = difflib.get_close_matches(name, assigned, 1)
            advice = f"did you mean {near[0]}?" if near else f"it takes {', '.join(dict.fromkeys(assigned)) or 'none'}"
            raise ReportError(f"parameter {shown(name)} was refused: the notebook's cell of parameters does not know it; {advice}")


def _value(name: str, value: object) -> str:
    _check_name(name)
    text = repr(value)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError):
        pass
    raise ReportError(f"parameter {name}={shown(value)} was refused: a plain value such as a number, a text, a list or a dict is needed")
