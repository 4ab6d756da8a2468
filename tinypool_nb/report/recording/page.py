"""A report of a recording as one HTML page that asks for nothing from outside."""

import hashlib
from collections.abc import Sequence

from tinypool_nb.report.pages import asset
from tinypool_nb.report.recording.drawings import colour_rules
from tinypool_nb.views.wording import for_xml
from tinypool_nb.widgets.joining import REPLAY, joined, style

# Only scripts with the page's own nonce run. It is made of the page's content, which so cannot hold it.
_POLICY = "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

_PAPER = "@page{size:A4}"


def page(title: str, subtitle: Sequence[str], contents: Sequence[tuple[str, str, int]], body: str, *, paper: bool, canvas: bool) -> str:
    """The page.

    Args:
        title: foreign text.
        subtitle: short foreign texts below it.
        contents: id, foreign text and depth (1 or 2) of each entry of the table of contents.
        body: HTML, everything foreign in it escaped.
        paper: for a printer: always light, all scripts left out.
        canvas: whether the scripts of the timeline are needed.
    """
    listed = "".join(f'<li class="depth-{depth}"><a href="#{name}">{for_xml(text)}</a></li>' for name, text, depth in contents)
    facts = "".join(f"<span>{for_xml(fact)}</span>" for fact in subtitle)
    nonce = hashlib.sha256(f"{title}\0{body}".encode()).hexdigest()[:32]
    scripts = []
    if not paper:
        scripts.append(f'<script nonce="{nonce}">{asset("tables.js")}</script>')
    if canvas and not paper:
        live = joined(REPLAY).replace("export default ", "")
        scripts.append(f'<script type="module" nonce="{nonce}">{live}\n{asset("recorded.js")}</script>')
    css = "\n".join(
        (colour_rules(), asset("recorded.css"), asset("tables.css"), style() if canvas and not paper else "", _PAPER if paper else "")
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(nonce=nonce)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="{"light" if paper else "light dark"}"><meta name="generator" content="tinypool_nb">'
        f"<title>{for_xml(title)}</title><style>{css}</style></head>"
        f'<body class="{"paper" if paper else "screen"}">'
        f'<nav aria-label="contents"><details open><summary>Contents</summary><ol>{listed}</ol></details></nav>'
        f'<main><header><h1>{for_xml(title)}</h1><p class="subtitle">{facts}</p></header>{body}</main>'
        f"{''.join(scripts)}</body></html>\n"
    )
