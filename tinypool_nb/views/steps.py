"""A lesson as a table for notebooks and as text for terminals: what is done, what is expected, what was seen, and why."""

from textwrap import wrap

import numpy as np

from tinypool_nb.core.stepping import Progress, Standing
from tinypool_nb.views.wording import NO_FORMULAS, for_xml, one_line, padded, times_text

SYMBOLS = {Standing.TO_COME: "○", Standing.UNDER_WAY: "◐", Standing.MET: "✔", Standing.UNMET: "✖"}
"""One character each, so that nobody depends on a colour."""

_WIDTH = 100
"""Columns of text."""
_HEAD = ("", "step", "what is done", "what is expected", "what was seen", "why")
_STYLE = """
.tinypool-steps{border-collapse:collapse;font-size:13px;line-height:1.4;color:var(--jp-content-font-color1,inherit)}
TABLE caption{caption-side:top;text-align:left;padding:4px 0;color:inherit}
TABLE :is(tr,th,td){background:none;color:inherit}
TABLE :is(th,td){padding:4px 16px 4px 0;text-align:left;vertical-align:top;line-height:1.4;border:0;max-width:34ch;overflow-wrap:anywhere}
TABLE :is(thead th,tbody tr){border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.4))}
TABLE tbody th{white-space:nowrap}
TABLE [data-state="not as expected"] .seen{font-weight:600}
""".strip().replace("TABLE", "table.tinypool-steps.tinypool-steps")  # twice, to win over JupyterLab's rules for all tables


def summary(progress: Progress) -> str:
    """How far it has come, in one line."""
    done = sum(result.standing in {Standing.MET, Standing.UNMET} for result in progress.results)
    unmet = sum(result.standing is Standing.UNMET for result in progress.results)
    how = "" if not done else ", all as expected" if not unmet else f", {unmet} not as expected"
    return f"{done} of {len(progress.script.steps)} steps done{how}"


def progress_text(progress: Progress) -> str:
    """The lesson for a terminal: a paragraph a step, and of what is still to come its title alone."""
    script = progress.script
    lines = [f"{script.title} ({summary(progress)})", *wrap(script.about, _WIDTH)]
    for place, step in enumerate(script.steps):
        result = progress.result(place)
        lines.append(f"{SYMBOLS[result.standing]} {place + 1:2}. {step.title}: {result.standing}")
        if result.standing is Standing.TO_COME and place != progress.upcoming:
            continue
        told = [("does", step.does), ("expects", step.expects), ("told", result.note), ("seen", result.said), ("why", step.why)]
        for label, text in told:
            if text and not (label == "seen" and text == result.note):
                lines += wrap(one_line(text), _WIDTH, initial_indent=f"      {padded(label, 8)}", subsequent_indent=" " * 14)
    return "\n".join(lines)


def progress_html(progress: Progress) -> str:
    """The lesson as a static table, light or dark; everything foreign is escaped, and `data-state` tells how each step stands."""
    head = "".join(f'<th scope="col">{name}</th>' for name in _HEAD)
    rows = "".join(_row(progress, place) for place in range(len(progress.script.steps)))
    caption = f"<b>{for_xml(progress.script.title)}</b> ({summary(progress)})<br>{for_xml(progress.script.about)}"
    table = f"<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="{NO_FORMULAS}"><style>{_STYLE}</style><table class="tinypool-steps">{table}</table></div>'


def _row(progress: Progress, place: int) -> str:
    step, result = progress.script.steps[place], progress.result(place)
    began = "" if result.began is None else f"{times_text(np.array([result.began]))[0][11:]} UTC"
    seen = "<br>".join(for_xml(one_line(text)) for text in dict.fromkeys((began, result.note, result.said)) if text)
    cells = (for_xml(step.does), for_xml(step.expects), seen, for_xml(step.why))
    kinds = ("does", "expects", "seen", "why")
    shown = "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))
    title = f'<th scope="row">{place + 1}. {for_xml(step.title)}</th>'
    return f'<tr data-state="{result.standing}"><td title="{result.standing}">{SYMBOLS[result.standing]}</td>{title}{shown}</tr>'
