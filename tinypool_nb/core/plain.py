r"""Foreign text as plain text: what a name, a peer or a recording says never moves a cursor, breaks a line or hides in one.

A peer chooses much of what is read here: a GOAWAY carries a text of its own into the reason of a failure, a status message any
characters. A terminal obeys escape sequences in it, and a line break in it would look like a line of the log.

The record keeps what was said; whatever shows it, or writes it as a line, does so through `one_line`.
Source: ECMA-48 (control sequences); Unicode UAX #9 (bidirectional controls) and UTR #36 (security considerations).
"""

import re
from collections.abc import Mapping

_BREAKING = re.compile(r"\s+|[\x00-\x1f\x7f-\x9f]+")
_DECEIVING = re.compile(
    "[\u00ad\u061c\u180e\u200b\u2060-\u2064\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What turns text around beyond itself, what is never seen, and halves of surrogate pairs, which no terminal or file can take.

Joiners (U+200C, U+200D) and the marks of direction (U+200E, U+200F) stay: Persian, Indic scripts and emoji are written with them.
"""


def one_line(text: object) -> str:
    r"""Foreign text on one line: line breaks, control characters and runs of blanks become one blank.

    Characters that would show it, and what stands after it, in another order, and those that nobody sees, are replaced by a mark
    that can be seen.

    >>> one_line("refused\n\x1b[2J\x1b]0;owned\x07 by \u202eevil")
    'refused [2J ]0;owned by \ufffdevil'
    """
    return _DECEIVING.sub("\ufffd", _BREAKING.sub(" ", str(text))).strip()


def on_one_line(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a line of the log, each text on one line; what is no text as it is.

    >>> on_one_line({"module": "a" + chr(10) + "b", "generation": 2})
    {'module': 'a b', 'generation': 2}
    """
    return {name: one_line(value) if isinstance(value, str) else value for name, value in fields.items()}
