"""Take out of a page whatever could run or lead elsewhere by itself, but for the scripts that are the report's own.

The page's security policy stops it already; this leaves nothing to be stopped, for who reads the file with something else.
"""

import re
from html import escape
from html.parser import HTMLParser

_GONE = frozenset({"script", "iframe", "frame", "frameset", "object", "embed", "applet", "link", "meta", "base", "portal", "fencedframe"})
"""Elements that are left out of the body, with what stands in them."""
_EMPTY = frozenset({"frame", "embed", "link", "meta", "base"})
"""Those among them that have no end tag."""
_ADDRESSES = frozenset({"href", "src", "xlink:href", "action", "formaction", "data", "poster", "from", "to", "values", "by"})
_RUNS = re.compile(r"(javascript|vbscript|data:(?!image/|font/|audio/|video/))", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9:._-]*")
"""Of elements; nobody needs others."""
_BLANKS = re.compile(r"[\x00-\x20]+")
_BAD_ATTRIBUTES = frozenset({"srcdoc", "formaction", "ping", "http-equiv", "nonce"})
_DATA = "application/json"

Attributes = list[tuple[str, str | None]]


def cleaned(page: str, nonce: str) -> str:
    r"""The page without active content of others.

    Args:
        page: a whole HTML document.
        nonce: what the report's own scripts carry. Scripts that hold JSON, which no browser runs, stay too.

    >>> cleaned('<body><p onclick="x()">a</p><script>x()</script><a href=" java\nscript:x()">b</a></body>', "n")
    '<body><p>a</p><a>b</a></body>'
    """
    cleaner = _Cleaner(nonce)
    cleaner.feed(page)
    cleaner.close()
    return "".join(cleaner.kept)


class _Cleaner(HTMLParser):
    """Writes down what it reads, unchanged where nothing is wrong with it."""

    def __init__(self, nonce: str) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._nonce = nonce
        self._in_body = False
        self._inside: list[str] = []  # elements that are being left out

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag == "body":
            self._in_body = True
        if self._inside or self._is_gone(tag, attrs):
            if tag not in _EMPTY and (tag in _GONE or tag in self._inside):
                self._inside.append(tag)
            return
        self._keep(tag, attrs, "")

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if tag in _GONE and tag not in _EMPTY:  # HTML knows no such end: to a browser it is a start
            self.handle_starttag(tag, attrs)
        elif not self._inside and not self._is_gone(tag, attrs):
            self._keep(tag, attrs, "/")

    def handle_endtag(self, tag: str) -> None:
        if not self._inside:
            if _NAME.fullmatch(tag):
                self.kept.append(f"</{tag}>")
        elif tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self.cdata_elem not in {"script", "style"}:
            data = data.replace("<", "&lt;")  # what begins no tag here shall begin none anywhere
        elif self._in_body and self.cdata_elem == "style":
            data = data.replace("<", "\\3c ")  # inside of <svg> and <math> a style is markup to a browser; to CSS this is the same
        self._write(data)

    def handle_entityref(self, name: str) -> None:
        self._write(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._write(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        """Comments stay out: some say what only some browsers read."""

    def handle_decl(self, decl: str) -> None:
        self._write(f"<!{decl}>")

    def _write(self, text: str) -> None:
        if not self._inside:
            self.kept.append(text)

    def _is_gone(self, tag: str, attrs: Attributes) -> bool:
        if not _NAME.fullmatch(tag):
            return True
        if tag not in _GONE or not self._in_body:
            return False
        if tag != "script":
            return True
        found = dict(attrs)
        is_data = found.get("type") == _DATA and "src" not in found
        return not is_data and found.get("nonce") != self._nonce

    def _keep(self, tag: str, attrs: Attributes, end: str) -> None:
        allowed = [(name, value) for name, value in attrs if not self._in_body or tag == "script" or _is_harmless(name, value)]
        if len(allowed) == len(attrs):
            self.kept.append(self.get_starttag_text() or "")
        else:
            written = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in allowed)
            self.kept.append(f"<{tag}{written}{end}>")


def _is_harmless(name: str, value: str | None) -> bool:
    if name.startswith("on") or name in _BAD_ATTRIBUTES:
        return False
    return name not in _ADDRESSES or _RUNS.match(_BLANKS.sub("", value or "")) is None
