"""Explanations as people read them: a frame, plain text, and HTML for light and dark pages. Everything foreign is shown as text."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tinypool_nb.core.diagnosis.causes import Gravity
from tinypool_nb.core.diagnosis.diagnose import Diagnosis
from tinypool_nb.core.diagnosis.findings import Finding, Reference
from tinypool_nb.core.events import Evidence
from tinypool_nb.core.folding import NO_TIME
from tinypool_nb.core.telling import counted
from tinypool_nb.views.schemas import CATEGORY, SCHEMAS, TIME
from tinypool_nb.views.wording import cut, for_xml, one_line, span_text, times_text

WIDTH = 100
"""Columns of the plain text."""
SIGNS = {Gravity.BROKEN: "✖", Gravity.TROUBLE: "▲", Gravity.NOTE: "·"}
PAST_SIGN = "○"
_KNOWN = {Evidence.INFERRED: "inferred", Evidence.GAP: "nobody knows"}

_STYLE = """
.tinypool-explanation{color:var(--jp-content-font-color1,inherit);font-size:13px;line-height:1.45;max-width:92ch}
.tinypool-explanation h4{margin:0 0 2px;font-size:14px;color:inherit}
.tinypool-explanation .address,.tinypool-explanation .judged{margin:0 0 8px;opacity:.75;overflow-wrap:anywhere}
.tinypool-explanation ul{list-style:none;margin:0;padding:0}
.tinypool-explanation>ul>li{border-left:4px solid var(--tp-edge,#8a9097);padding:2px 0 2px 12px;margin:0 0 10px}
.tinypool-explanation li.broken{--tp-edge:#d55e00}.tinypool-explanation li.trouble{--tp-edge:#e69f00}
.tinypool-explanation li.past{opacity:.8}
.tinypool-explanation p{margin:0 0 2px;overflow-wrap:anywhere}
.tinypool-explanation .cause{font-weight:600}.tinypool-explanation .when{opacity:.75;font-weight:400}
.tinypool-explanation .known{border:1px solid currentColor;border-radius:8px;padding:0 6px;font-size:11px;opacity:.75;font-weight:400}
.tinypool-explanation details{margin:2px 0}.tinypool-explanation summary{cursor:pointer;opacity:.75}
.tinypool-explanation details li{font-family:var(--jp-code-font-family,monospace);font-size:12px;overflow-wrap:anywhere;padding-left:2ch}
.tinypool-explanation a{color:var(--jp-content-link-color,inherit);text-decoration:underline}
""".strip()


def frame(diagnoses: Sequence[Diagnosis]) -> pd.DataFrame:
    """A row a finding; its columns are said in `tinypool_nb.views.schemas`.

    >>> list(frame(()))[:4]
    ['since', 'until', 'namespace', 'module']
    """
    findings = [finding for diagnosis in diagnoses for finding in diagnosis.findings]
    values: dict[str, list[Any]] = {name: [of(finding) for finding in findings] for name, of in _COLUMNS.items()}
    columns: dict[str, Any] = {}
    for column in SCHEMAS["findings"]:
        given = values[column.name]
        if column.dtype == TIME:
            columns[column.name] = pd.array(np.array(given, np.int64), dtype=pd.DatetimeTZDtype("ns", "UTC"))
        elif column.dtype == CATEGORY:
            members = dict.fromkeys(value for value in given if value is not None) if column.members is None else column.members
            kinds = pd.Index([str(member) for member in members], dtype="str")
            columns[column.name] = pd.Categorical([None if value is None else str(value) for value in given], categories=kinds)
        else:
            columns[column.name] = pd.Series(given, dtype=column.dtype).array
    return pd.DataFrame(columns)


_COLUMNS: dict[str, Callable[[Finding], Any]] = {
    "since": lambda finding: finding.since,
    "until": lambda finding: NO_TIME if finding.until is None else finding.until,
    "namespace": lambda finding: finding.key.namespace,
    "module": lambda finding: finding.key.name,
    "cause": lambda finding: finding.cause,
    "gravity": lambda finding: finding.gravity,
    "now": lambda finding: finding.now,
    "known": lambda finding: finding.known,
    "finding": lambda finding: one_line(finding.text),
    "evidence": lambda finding: "\n".join(_reference(row) for row in finding.evidence),
    "advice": lambda finding: finding.advice,
    "see": lambda finding: f"{finding.see.name}, {finding.see.url}",
}


def text(diagnosis: Diagnosis, *, paint: Callable[[str, str], str] = lambda words, _: words) -> str:
    """An explanation as plain text.

    Args:
        diagnosis: what is to be shown.
        paint: makes words be shown in a look: "broken", "trouble", "note", "past", "good" or "faint". By default it does nothing.
    """
    lines = [f"{paint(_name(diagnosis), 'bold')}: {paint(diagnosis.verdict, _look(diagnosis))}", paint(_where(diagnosis), "faint")]
    for finding in diagnosis.findings:
        look, sign = _look_of(finding), _sign(finding)
        known = f" [{_KNOWN[finding.known]}]" if finding.known in _KNOWN else ""
        lines += ["", f"{paint(f'{sign} {finding.cause}', look)}  {paint(_when(finding) + known, 'faint')}"]
        lines += _wrapped(one_line(finding.text), "  ")
        lines += [paint(line, "faint") for row in finding.evidence for line in _wrapped(_reference(row), "    ")]
        lines += _wrapped(f"do:  {finding.advice}", "  ", hanging=5) if finding.advice else []
        lines.append(f"  see: {finding.see.name}, {paint(finding.see.url, 'faint')}")
    return "\n".join([*lines, "", paint(_judged(diagnosis), "faint")])


def plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """An explanation as JSON has it, for a browser: every part as the text that is to be shown."""
    findings = [
        {
            "cause": finding.cause.value,
            "look": _look_of(finding),
            "sign": _sign(finding),
            "when": _when(finding),
            "known": _KNOWN.get(finding.known, ""),
            "text": one_line(finding.text),
            "advice": finding.advice,
            "see": {"name": finding.see.name, "url": finding.see.url},
            "evidence": [_reference(row) for row in finding.evidence],
        }
        for finding in diagnosis.findings
    ]
    told = {"name": _name(diagnosis), "verdict": diagnosis.verdict, "look": _look(diagnosis), "where": _where(diagnosis)}
    return {**told, "judged": _judged(diagnosis), "findings": findings}


def html(diagnosis: Diagnosis) -> str:
    """An explanation for a notebook, light or dark; everything foreign is escaped, and nothing is a link that is not ours."""
    items = "".join(map(_item, diagnosis.findings))
    return (
        f"<style>{_STYLE}</style>"
        f'<section class="tinypool-explanation" aria-label="explanation of {for_xml(_name(diagnosis))}">'
        f"<h4>{for_xml(_name(diagnosis))}: {for_xml(diagnosis.verdict)}</h4>"
        f'<p class="address">{for_xml(_where(diagnosis))}</p>'
        f"<ul>{items}</ul>"
        f'<p class="judged">{for_xml(_judged(diagnosis))}</p></section>'
    )


def _item(finding: Finding) -> str:
    look, sign = _look_of(finding), _sign(finding)
    known = f' <span class="known">{_KNOWN[finding.known]}</span>' if finding.known in _KNOWN else ""
    rows = "".join(f"<li>{for_xml(_reference(row))}</li>" for row in finding.evidence)
    advice = f"<p><b>do</b> {for_xml(finding.advice)}</p>" if finding.advice else ""
    return (
        f'<li class="{look}" data-cause="{for_xml(finding.cause)}">'
        f'<p class="cause">{sign} {for_xml(finding.cause)} <span class="when">{for_xml(_when(finding))}</span>{known}</p>'
        f"<p>{for_xml(one_line(finding.text))}</p>{advice}"
        f"<details><summary>evidence: {counted(len(finding.evidence), 'row')}</summary><ul>{rows}</ul></details>"
        f'<p><a href="{for_xml(finding.see.url)}" target="_blank" rel="noreferrer">{for_xml(finding.see.name)}</a></p></li>'
    )


def _look_of(finding: Finding) -> str:
    return finding.gravity.value if finding.now else "past"


def _sign(finding: Finding) -> str:
    return SIGNS[finding.gravity] if finding.now else PAST_SIGN


def _name(diagnosis: Diagnosis) -> str:
    return cut(one_line(diagnosis.key), 80)


def _look(diagnosis: Diagnosis) -> str:
    return "broken" if diagnosis.broken else "trouble" if diagnosis.troubled else "good"


def _where(diagnosis: Diagnosis) -> str:
    unknown = "state unknown" if diagnosis.address else "no connection"
    state = unknown if diagnosis.state is None else str(diagnosis.state)
    address = cut(one_line(diagnosis.address), 200)
    return f"{state}{f' at {address}' if address else ''}, as of {times_text(np.array([diagnosis.now]), 's')[0]} UTC"


def _judged(diagnosis: Diagnosis) -> str:
    return f"judged by {diagnosis.judged_by}"


def _when(finding: Finding) -> str:
    if finding.until is None:
        return f"now, since {times_text(np.array([finding.since]), 's')[0]} UTC"
    return f"past: {span_text(finding.since, finding.until)}"


def _reference(row: Reference) -> str:
    return f"{row.table} {times_text(np.array([row.time]))[0]}  {cut(one_line(row.text), 300, keep_end=False)}"


def _wrapped(words: str, indent: str, *, hanging: int = 0) -> list[str]:
    from textwrap import wrap

    return wrap(words, WIDTH, initial_indent=indent, subsequent_indent=indent + " " * hanging, break_on_hyphens=False)
