"""What several commands say in the same words, and how: what came from elsewhere, a file's name among it, as plain text."""

import os
import re
import sys
from pathlib import Path
from typing import TextIO

from tinypool_nb.core.plain import one_line

_WORDS = re.compile("[^ ]+")


def tell(text: str) -> None:
    """Print one line at once.

    Example:
        >>> tell("  evil" + chr(27) + "[2J.html  (5 kB)")
          evil [2J.html  (5 kB)
    """
    print(_plain(text), flush=True)


def tell_aside(text: str) -> None:
    """Print to the standard error, at once; several lines stay several lines."""
    print("\n".join(map(_plain, text.split("\n"))), file=sys.stderr, flush=True)


def has_colours(stream: TextIO) -> bool:
    """Whether a person looks at it in a terminal that has colours, and wants them: the one place for that rule.

    Source: https://no-color.org.

    Example:
        >>> import io
        >>> has_colours(io.StringIO())
        False
    """
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _plain(line: str) -> str:
    """As `one_line`, but the blanks stay: they are our own layout, or a program's."""
    return _WORDS.sub(lambda word: one_line(word[0]), line)


def size(path: Path) -> str:
    """How large a file is, as people write it.

    Example:
        >>> size(Path(__file__)).endswith("kB")
        True
    """
    count = path.stat().st_size
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def show_progress(number: int, total: int, source: str) -> None:
    """Print which cell of a notebook is run: its first line."""
    tell(f"  {number:2}/{total}  {source.partition(chr(10))[0].lstrip('# ')}")


def show_step(step: str) -> None:
    """Print what is done next."""
    tell(f"  {step}")
