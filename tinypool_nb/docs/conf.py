"""How Sphinx builds the documentation: `make docs`. Everything it needs is in the repository and the dependency group docs."""

from importlib.metadata import version as installed
from typing import Any

project = "tinypool_nb"
author = "the tinypool_nb contributors"
version = release = installed("tinypool-nb")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # docstrings write `code`, as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "tinypool_nb"
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"sidebar_hide_name": False}


def _frames() -> str:
    """The columns of every frame, as `tinypool_nb.views.frames.SCHEMAS` has them."""
    from tinypool_nb.views.frames import SCHEMAS

    lines = []
    for name, columns in SCHEMAS.items():
        lines += [f"## {name}", "", "| column | dtype | unit | meaning |", "|:--|:--|:--|:--|"]
        lines += [f"| `{column.name}` | {column.dtype} | {column.unit} | {column.meaning.replace('|', '/')} |" for column in columns]
        lines.append("")
    return "\n".join(lines)


def _shell() -> str:
    """What `tinypool-nb` and each of its commands say of themselves."""
    from tinypool_nb.cli import help_texts

    return "\n".join(f"## {words}\n\n```text\n{said}```\n" for words, said in help_texts(width=88).items())


def _fill(app: object, page: str, source: list[str]) -> None:
    """Put what is made from the code in the places of `@frames@` and `@shell@`."""
    for place, make in (("@frames@", _frames), ("@shell@", _shell)):
        if place in source[0]:
            source[0] = source[0].replace(place, make())


def _prepare(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make a docstring of ours one that napoleon understands: it calls this before it looks itself."""
    lines[:] = _with_code(lines)
    if what in {"property", "attribute", "data"}:
        lines[:0] = ["..", ""]  # an empty comment: else napoleon takes what stands before the first colon for a type


def _with_code(lines: list[str]) -> list[str]:
    """Indented code is told apart from a quotation: examples that are no doctest, and what stands indented below a paragraph."""
    out: list[str] = []
    last = ""
    for line in lines:
        begins = line.startswith("    ") and not line.lstrip().startswith(">>>")
        if begins and out and out[-1] == "Example:":
            out[-1:] = ["**Example**", "", ".. code-block:: python", ""]
        elif begins and out and not out[-1] and last and not last.startswith(" "):
            out += [".. code-block:: python", ""]
        out.append(line)
        last = line or last
    return out


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    app.connect("source-read", _fill)
    app.connect("autodoc-process-docstring", _prepare, priority=400)  # napoleon has 500
