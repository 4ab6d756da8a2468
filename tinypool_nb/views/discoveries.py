"""How discoveries stand, in the words that the panel, a saved notebook and a terminal show; foreign text is on one line, not escaped."""

from collections.abc import Sequence
from textwrap import indent
from typing import NamedTuple

from tinypool_nb.core.discovering import Standing
from tinypool_nb.core.discovery_status import DiscoveryReport, Health
from tinypool_nb.views.wording import cut, for_xml, one_line

SYMBOLS = {Health.SYNCED: "✓", Health.LIMITED: "!", Health.UNREAD: "…", Health.STALE: "▲", Health.REFUSED: "✕"}
"""Beside the words, so that a glance tells them apart without colour."""
_TROUBLED = (Standing.KEPT, Standing.QUARANTINED, Standing.REFUSED, Standing.SHADOWED)
_LONGEST = 400
"""Characters of what a server said."""

_STYLE = """
.tinypool-discovery{font-size:13px;line-height:1.45;padding:2px 0 6px;color:var(--jp-content-font-color1,inherit);overflow-wrap:anywhere}
.tinypool-discovery p{margin:0}
.tinypool-discovery pre{margin:4px 0;padding:6px 8px;background:rgba(128,128,128,.12);color:inherit;font-size:12px;white-space:pre-wrap}
""".strip()


class ShownDiscovery(NamedTuple):
    """One discovery as it is shown."""

    health: Health
    since: int | None
    """Milliseconds since 1970 UTC; None unless it was read once and is not synced now."""
    state: str
    """How it stands, without the time."""
    where: str
    modules: str
    reason: str
    """Why it is not simply synced, and what that means for the pool; "" if it is."""
    over: str
    """The last error, which is over; "" if there is none, or it is not over."""
    remedy: str
    grant: str
    """YAML to be copied; "" for none."""
    source: str

    @property
    def symbol(self) -> str:
        """A sign for the state."""
        return SYMBOLS[self.health]


def shown_discovery(report: DiscoveryReport) -> ShownDiscovery:
    """A report in the words that are shown."""
    status = report.status
    health = status.health
    reason = cut(one_line(status.reason), _LONGEST, keep_end=False)
    reason = f"{reason[:1].upper()}{reason[1:]}"
    if health in {Health.STALE, Health.REFUSED} and status.stale_since is not None:
        reason = f"{reason}{'' if reason.endswith('.') else '.'} The pool keeps what it had."
    unwell = any(report.standings.get(standing) for standing in _TROUBLED)
    return ShownDiscovery(
        health,
        None if status.stale_since is None else int(status.stale_since.timestamp() * 1e3),
        f"{health}{', stale' if health is Health.REFUSED and status.stale_since else ''}",
        one_line(report.scope),
        f"{report.modules}{'; pool.modules() tells why' if unwell else ''}",
        reason,
        cut(one_line(status.last_error), _LONGEST, keep_end=False) if health is Health.SYNCED else "",
        report.remedy,
        report.grant,
        one_line(report.source),
    )


def discoveries_text(reports: Sequence[DiscoveryReport]) -> str:
    """A paragraph for each discovery; "" where there is none."""
    return "\n".join(_paragraph(shown_discovery(report), report) for report in reports)


def discoveries_html(reports: Sequence[DiscoveryReport]) -> str:
    """The same as HTML without a script; "" where there is none. Everything foreign is escaped."""
    told = "".join(_block(shown_discovery(report), report) for report in reports)
    return f"<style>{_STYLE}</style>{told}" if told else ""


def _state(shown: ShownDiscovery, report: DiscoveryReport) -> str:
    since = report.status.stale_since
    return shown.state if since is None else f"{shown.state} since {since:%Y-%m-%d %H:%M:%S} UTC"


def _paragraph(shown: ShownDiscovery, report: DiscoveryReport) -> str:
    over = f"last error, now over: {shown.over}" if shown.over else ""
    more = "\n".join(filter(None, (shown.modules, shown.reason, over, shown.remedy, shown.grant)))
    return f"{shown.symbol} discovery of {shown.where}: {_state(shown, report)}\n{indent(more, '  ')}"


def _block(shown: ShownDiscovery, report: DiscoveryReport) -> str:
    head = f'<span aria-hidden="true">{shown.symbol}</span> <b>Discovery {for_xml(_state(shown, report))}</b>'
    lines = [
        f"{head} {for_xml(shown.where)}: {for_xml(shown.modules)}",
        for_xml(shown.reason),
        f"last error, now over: {for_xml(shown.over)}" if shown.over else "",
        for_xml(shown.remedy),
    ]
    grant = f"<pre>{for_xml(shown.grant)}</pre>" if shown.grant else ""
    paragraphs = "".join(f"<p>{line}</p>" for line in lines if line)
    return f'<div class="tinypool-discovery" data-health="{shown.health}">{paragraphs}{grant}</div>'
