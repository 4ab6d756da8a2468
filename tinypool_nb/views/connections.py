"""The table of what is connected now, as HTML for notebooks and as text for terminals: how a pool displays itself."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tinypool_nb.core.palette import PALETTES, SEVERITY, TILE, UNKNOWN_MEANING, Look
from tinypool_nb.core.states import STATES, UNKNOWN, State
from tinypool_nb.views.schemas import SCHEMAS
from tinypool_nb.views.swimlanes import nanoseconds, shown_keys
from tinypool_nb.views.wording import NO_FORMULAS, cut, for_xml, one_line, padded, times_text, width_of

MOST_ROWS = 60
"""Rows of a table; of more modules the worst are shown."""

_LONGEST_NAME, _LONGEST_ERROR = 60, 200
"""Characters of a cell; the whole text shows when the pointer rests on it."""
_HEAD = ("module", "state", "since", "address", "transport", "attempts", "failures", "last error")
_MEANINGS = {column.name: column.meaning for column in SCHEMAS["connections"]}
_NUMBERS = frozenset({"attempts", "failures"})
_NUMBER = ' class="number"'

# Colours come from the page where it has some (JupyterLab's variables), else from the page's own text colour.
_STYLE = """
.tinypool-connections{border-collapse:collapse;font-size:13px;line-height:1.4;color:var(--jp-content-font-color1,inherit)}
TABLE caption{caption-side:top;text-align:left;padding:4px 0;font-weight:600;color:inherit;white-space:nowrap}
TABLE :is(tr,th,td){background:none;color:inherit}
TABLE :is(th,td){padding:4px 16px 4px 0;text-align:left;vertical-align:top;line-height:1.4;border:0}
TABLE :is(thead th,tbody){border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.4))}
TABLE tbody th{min-width:18ch;max-width:36ch;overflow-wrap:anywhere}
TABLE .since{min-width:13ch}
TABLE .number{text-align:right;font-variant-numeric:tabular-nums}
TABLE .error td{padding:0 16px 6px 20px;max-width:90ch;overflow-wrap:anywhere;opacity:.85}
TABLE .past td{max-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;opacity:.7}
.tinypool-chip{display:inline-flex;align-items:center;gap:6px;white-space:nowrap}
.tinypool-chip svg{flex:none;border-radius:3px}
""".strip().replace("TABLE", "table.tinypool-connections.tinypool-connections")  # twice, to win over JupyterLab's rules for all tables


class _Row(NamedTuple):
    """One connection as it is shown: foreign text on one line, not escaped."""

    module: str
    code: int
    since: str
    address: str
    transport: str
    attempts: str
    failures: str
    last_error: str

    @property
    def look(self) -> Look:
        return PALETTES["light"].looks[self.code]


def connections_html(frame: pd.DataFrame) -> str:
    """The table of connections for a notebook, light or dark; everything foreign is escaped.

    Each state shows as a swatch with colour and pattern and as a word; `data-state` serves tests and style sheets.

    Parameters:
        frame: as `tinypool_nb.views.frames` makes it. Of more than 60 rows the 60 worst are shown, and the caption says so.
    """
    rows, caption = _chosen(frame)
    table = ""
    if rows:
        head = "".join(
            f'<th scope="col"{_NUMBER if name in _NUMBERS else ""} title="{for_xml(_MEANINGS[name])}">{name}</th>' for name in _HEAD[:-1]
        )
        table = f"<thead><tr>{head}</tr></thead>{''.join(map(_html_rows, rows))}"
    table = f'<table class="tinypool-connections"><caption>{caption}</caption>{table}</table>'
    return f'<div class="{NO_FORMULAS}"><style>{_STYLE}</style>{table}</div>'


def connections_text(frame: pd.DataFrame) -> str:
    """The table of connections for a terminal, in aligned columns.

    Parameters:
        frame: as `tinypool_nb.views.frames` makes it. Of more than 60 rows the 60 worst are shown, and the first line says so.
    """
    rows, caption = _chosen(frame)
    lines = (
        [
            _HEAD,
            *(
                (
                    cut(row.module, 32),
                    f"{row.look.symbol} {row.look.label}",
                    row.since,
                    cut(row.address, 40),
                    row.transport,
                    row.attempts,
                    row.failures,
                    cut(row.last_error, 60, keep_end=False),
                )
                for row in rows
            ),
        ]
        if rows
        else []
    )
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]
    aligned = (
        "  ".join(padded(text, width, right=name in _NUMBERS) for text, width, name in zip(line, widths, _HEAD, strict=True))
        for line in lines
    )
    return "\n".join([caption, *(line.rstrip() for line in aligned)])


def _chosen(frame: pd.DataFrame) -> tuple[list[_Row], str]:
    """The rows to show and what stands above them."""
    codes = frame["state"].cat.codes
    caption = _caption(codes)
    if len(frame) > MOST_ROWS:
        order = np.argsort([-SEVERITY[code] for code in codes], kind="stable")[:MOST_ROWS]
        frame = frame.iloc[order]
        caption += f"; the {MOST_ROWS} worst are shown"
    columns = zip(
        shown_keys(frame),
        frame["state"].cat.codes.tolist(),
        times_text(nanoseconds(frame["since"]), "s"),
        *(
            frame[name].astype(object).where(frame[name].notna(), "")
            for name in ("address", "transport", "attempts", "failures", "last_error")
        ),
        strict=True,
    )
    rows = [
        _Row(one_line(module), code, "" if since == "NaT" else f"{since} UTC", *(one_line(text) for text in rest))
        for module, code, since, *rest in columns
    ]
    return rows, caption


def _caption(codes: pd.Series) -> str:
    """How many there are, and how many of each state, the worst first."""
    if codes.empty:
        return "no modules are registered"
    looks = PALETTES["light"].looks
    counts = codes.value_counts()
    states = ", ".join(f"{counts[code]:,} {looks[code].label}" for code in sorted(counts.index, key=lambda code: -SEVERITY[code]))
    return f"{len(codes):,} module{'' if len(codes) == 1 else 's'}: {states}"


def _html_rows(row: _Row) -> str:
    """A module's line, and a second one below it for its last error, which is too long for a column. If READY, the error is past."""
    over = row.code == State.READY.code
    kind = f'error past" title="{for_xml(row.last_error)}' if over else "error"
    text = _cell(row.last_error, _LONGEST_ERROR, keep_end=False)
    error = f'<tr class="{kind}"><td colspan="{len(_HEAD) - 1}">{"last error, now over: " if over else ""}{text}</td></tr>'
    return (
        f'<tbody data-state="{row.look.label}"><tr><th scope="row">{_cell(row.module, _LONGEST_NAME)}</th><td>{_chip(row)}</td>'
        f'<td class="since">{row.since}</td><td>{_cell(row.address, _LONGEST_NAME)}</td><td>{for_xml(row.transport)}</td>'
        f"<td{_NUMBER}>{for_xml(row.attempts)}</td><td{_NUMBER}>{for_xml(row.failures)}</td></tr>{error if row.last_error else ''}</tbody>"
    )


def _cell(text: str, most: int, *, keep_end: bool = True) -> str:
    """Text, cut to what a table can show; the whole of it stands in the tooltip."""
    if len(text) <= most:
        return for_xml(text)
    return f'<span title="{for_xml(text)}">{for_xml(cut(text, most, keep_end=keep_end))}</span>'


def _chip(row: _Row) -> str:
    meaning = UNKNOWN_MEANING if row.code == UNKNOWN else STATES[row.code].meaning
    hatch = "".join(
        f'<path d="{row.look.path}" transform="translate({x},{y})" stroke="{row.look.hatch}" fill="none"/>'
        for x in (0, TILE)
        for y in (0, TILE)
        if row.look.path
    )
    # The colour may be overridden by a theme: --tinypool-ready and so on.
    colour = f"var(--tinypool-{row.look.label.lower().replace('_', '-')},{row.look.colour})"
    size = 2 * TILE  # four tiles, as on a timeline: one dot of IDLE alone would look like a button to fold something
    paint = f'<path d="M0,0H{size}V{size}H0z" style="fill:{colour}"/>{hatch}'
    swatch = f'<svg width="14" height="14" viewBox="0 0 {size} {size}" aria-hidden="true">{paint}</svg>'
    label = row.look.label
    return f'<span class="tinypool-chip" data-state="{label}" title="{for_xml(meaning)}">{swatch}{label}</span>'
