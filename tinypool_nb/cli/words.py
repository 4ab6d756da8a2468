"""How the command understands its words, tells what it understands, and says which it did not."""

import argparse
from typing import Any, NoReturn

from tinypool_nb.core.plain import one_line


class Words(argparse.ArgumentParser):
    """A parser that says in one line what it did not understand, instead of all that it would have.

    Example:
        >>> Words(prog="tinypool-nb").format_help().splitlines()[0]
        'usage: tinypool-nb [-h]'
    """

    def __init__(self, *, formatter_class: Any = None, **settings: Any) -> None:
        super().__init__(formatter_class=formatter_class or _Formatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Say it on stderr, and end with 2."""
        self.exit(2, f"{self.prog}: {one_line(message)}\n`{self.prog} --help` tells what it understands.\n")


class _Formatter(argparse.HelpFormatter):
    """Fills paragraphs, and leaves examples as they are to be typed: an example, a line."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)
