"""What of a notebook's parameters is secret, and texts without it, however it is spelled there."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "(hidden)"
SHORTEST = 4
"""Characters: what is shorter stands in a page by chance."""
RECOGNISED = 12
"""Characters by which a secret that was cut, as a wide column of a frame is, is still known."""

_ANYWHERE = re.compile(
    r"token|password|passwd|passphrase|passcode|pwd|secret|credential|(api|private|access|signing)_?key|cookie|bearer|authori[sz]ation"
)
_AS_A_WORD = re.compile(r"(?<![a-z])(o?auth|creds?|pass|pw|pat|jwt)(?![a-z])")
"""What is a part of harmless words, too: author, authority, path, compass."""
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SCHEME = re.compile(r"(?:bearer|basic|token)\s+(\S+)", re.IGNORECASE)
"""What a header says in front of what is secret."""


def is_secret(name: object) -> bool:
    """Whether a parameter, or a key of a dict, is named like a secret.

    >>> [is_secret(name) for name in ("api_token", "authHeader", "pwd", "X-Api-Key")]
    [True, True, True, True]
    >>> [is_secret(name) for name in ("author", "authority", "path", "pattern", 7)]
    [False, False, False, False, False]
    """
    if not isinstance(name, str):
        return False
    words = _NEW_WORD.sub("_", name).lower().replace("-", "_")
    return bool(_ANYWHERE.search(words) or _AS_A_WORD.search(words))


def masked(name: object, value: object) -> object:
    """A parameter as it may be shown: what is named like a secret, at any depth, is hidden.

    >>> masked("config", {"url": "http://127.0.0.1", "token": "abcd1234"})
    {'url': 'http://127.0.0.1', 'token': '(hidden)'}
    """
    if is_secret(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: masked(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked(None, item) for item in value)
    return value


class Secrets:
    """The secrets among parameters.

    >>> Secrets({"token": "p&ss<w0rd>"}).hidden("401 for <b>p&amp;ss&lt;w0rd&gt;</b>")
    '401 for <b>(hidden)</b>'
    """

    def __init__(self, parameters: Mapping[str, object]) -> None:
        found = {spelled for name, value in parameters.items() for text in _texts(name, value, secret=False) for spelled in _spelled(text)}
        self._spelled = sorted(found, key=len, reverse=True)  # a part of one would leave the rest of it

    def __bool__(self) -> bool:
        return bool(self._spelled)

    def hidden(self, text: str) -> str:
        """The text without them."""
        for secret in self._spelled:
            text = text.replace(secret, HIDDEN)
        for secret in self._spelled:
            text = _without_start(text, secret)
        return text

    def hidden_in(self, value: Any) -> Any:
        """JSON without them in its texts, keys among them, and numbers."""
        if isinstance(value, str):
            return self.hidden(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return HIDDEN if str(value) in self._spelled else value
        if isinstance(value, dict):
            return type(value)({self.hidden(key): self.hidden_in(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self.hidden_in(item) for item in value]
        return value


def _texts(name: object, value: object, *, secret: bool) -> Iterator[str]:
    """What is secret of a value, as text: all of it, at any depth, if its name, or that of what it is in, says so."""
    secret = secret or is_secret(name)
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key, item, secret=secret)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(None, item, secret=secret)
    elif secret and isinstance(value, bytes):
        yield value.decode("utf-8", "backslashreplace")
        yield repr(value)[2:-1]
    elif secret and value is not None and not isinstance(value, bool):
        yield str(value)
        if isinstance(value, str) and (found := _SCHEME.fullmatch(value.strip())):
            yield found[1]


def _spelled(secret: str) -> Iterator[str]:
    """As it may stand in what a cell says: itself, in Python, in JSON, in an address, and each of these in HTML."""
    plain = (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe=""))
    for text in plain:
        yield from (each for each in (text, html.escape(text), html.escape(text, quote=False)) if len(each) >= SHORTEST)


def _without_start(text: str, secret: str) -> str:
    """The text without the beginning of a secret that was cut, as far as it goes."""
    start = secret[:RECOGNISED]
    if len(secret) <= RECOGNISED:
        return text
    kept, place = [], 0
    while (found := text.find(start, place)) >= 0:
        length = next((at for at, letter in enumerate(secret) if text[found + at : found + at + 1] != letter), len(secret))
        kept += [text[place:found], HIDDEN]
        place = found + length
    return "".join((*kept, text[place:]))
