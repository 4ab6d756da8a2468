"""What can be read in a PDF that Chromium printed: enough of the format to tell what is on paper, and no more."""

import re
import zlib

_OBJECT = re.compile(rb"(?m)^(\d+) 0 obj\b(.*?)\bendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|(<[0-9a-fA-F]+>)\s*Tj|\[([^\]]*)\]\s*TJ")
_HEX = re.compile(rb"<([0-9a-fA-F]+)>")


def text_of(pdf: bytes) -> str:
    """The letters of all its pages in the order in which they were drawn, without blanks, which Chromium does not always draw."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    named = {name: int(number) for body in objects.values() for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body)}
    letters = {  # for each font
        name: _letters(_content(objects[int(found[1])]))
        for name, number in named.items()
        if (found := re.search(rb"/ToUnicode (\d+) 0 R", objects[number]))
    }
    read = []
    for body in objects.values():
        if b" BT" not in (drawn := b" " + _content(body).replace(b"\n", b" ")):
            continue
        font: dict[bytes, str] = {}
        digits = 4
        for name, one, several in _SHOWN.findall(drawn):
            if name:
                font = letters.get(name, {})
                digits = len(next(iter(font), b"0000"))
            for codes in _HEX.findall((one or several).upper()):
                read += [font.get(codes[place : place + digits], "") for place in range(0, len(codes), digits)]
    return "".join("".join(read).split())


def _content(body: bytes) -> bytes:
    found = _STREAM.search(body)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body[: found.start()] else found[1]


def _letters(table: bytes) -> dict[bytes, str]:
    """Which letters the glyphs of a font stand for; its codes are hexadecimal, of one or two bytes."""
    found: dict[bytes, str] = {}
    for section in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        codes = _HEX.findall(section)
        found |= {code.upper(): _decoded(text) for code, text in zip(codes[::2], codes[1::2], strict=True)}
    for section in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", section):
            codes = [b"%0*X" % (len(first), code) for code in range(int(first, 16), int(last, 16) + 1)]
            found |= {code: chr(int(text, 16) + step) for step, code in enumerate(codes)}
    return found


def _decoded(text: bytes) -> str:
    return bytes.fromhex(text.decode()).decode("utf-16-be", "replace")
