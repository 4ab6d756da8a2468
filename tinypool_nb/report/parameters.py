"""The parameters of a run: read from the command line, put into the notebook, and kept out of the report where they are secret."""

import ast
import difflib
import keyword
from collections.abc import Mapping

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tinypool_nb.errors import ReportError, shown
from tinypool_nb.report.secrets import Secrets, masked

_TAG, _INJECTED = "parameters", "injected-parameters"
_SAID = frozenset({"text", "metadata", "ename", "evalue", "traceback"})
"""The parts of an output that a cell chose, beside `data`, whose keys are MIME types."""
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None, "none": None}
_SHORTEST_SAID = frozenset({"text", "metadata", "ename", "evalue", "traceback"})
"""The parts of an output that a cell chose, beside `data`, whose keys are MIME types."""
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
    """Take what is secret of the parameters out of an executed notebook: its cells, what they said, and the state of its widgets."""
    secrets = Secrets(parameters)
    if not secrets:
        return
    for cell in node.cells:
        if _INJECTED in cell.metadata.get("tags", ()):
            cell.source = _assigned(parameters)
        cell.source = secrets.hidden(cell.source)
        for output in cell.get("outputs", ()):
            for part in _SAID & output.keys():
                output[part] = secrets.hidden_in(output[part])
            if "data" in output:
                output.data = NotebookNode({kind: secrets.hidden_in(shown) for kind, shown in output.data.items()})
    if "widgets" in node.metadata:
        node.metadata.widgets = secrets.hidden_in(node.metadata.widgets)


def _assigned(parameters: Mapping[str, object]) -> str:
    """The injected cell as it may be shown."""
    return "\n".join(("# parameters of this run", *(f"{name} = {masked(name, value)!r}" for name, value in parameters.items())))


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
