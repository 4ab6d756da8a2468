"""A ready report of a recording, with no notebook: the verdict first, then what it rests on."""

from collections.abc import Callable
from datetime import UTC, datetime

from tinypool_nb.core.telling import counted
from tinypool_nb.report.provenance import versions
from tinypool_nb.report.recording.looked import discovery, looked_at
from tinypool_nb.report.recording.method import method
from tinypool_nb.report.recording.page import page
from tinypool_nb.report.recording.sections import Sections, anchor, span_of
from tinypool_nb.report.recording.seen import Recorded, Seen
from tinypool_nb.report.recording.verdict import verdict
from tinypool_nb.views.wording import cut, one_line

SECTIONS = 24
"""Modules that have a section of their own; the rest stand in the table."""

OnStep = Callable[[str], None]
"""Told what is done next, in a few words; for progress."""


def nobody(_step: str) -> None:
    """Who is told of the steps where nobody asks."""


def recording_html(record: Recorded, *, title: str, sections: int = SECTIONS, paper: bool = False, on_step: OnStep = nobody) -> str:
    """The report of a record as one HTML page.

    Args:
        record: what `tp.open_recording` returns, or a pool.
        title: foreign text; for example the name of the file.
        sections: how many modules, the worst first, have a section of their own.
        paper: for a printer: without what can only be used on a screen.
        on_step: told before each step that takes a while.
    """
    on_step(f"judging {counted(len(record.known()), 'module')}")
    seen = Seen(record)
    judged = verdict(seen.modules)
    parts = Sections(seen, judged, detailed=sections, paper=paper)
    made = f"report made on {datetime.now(UTC):%Y-%m-%d at %H:%M} UTC"
    on_step(f"drawing the timeline of {counted(len(seen.transitions), 'transition')}")
    named = [("verdict", "Verdict", parts.verdict()), ("timeline", "Timeline", parts.timeline()), ("modules", "Modules", parts.modules())]
    on_step(f"writing {counted(len(parts.detailed), 'section')} of modules, and the rest")
    each = "".join(parts.each())
    after = [
        ("attempts", "Attempts and backoff", parts.attempts()),
        ("calls", "Calls", parts.calls()),
        ("marks", "Marks", parts.marks()),
        ("discovery", "Discovery", discovery(seen)),
        ("looked-at", "Looked at", looked_at(seen)),
        ("method", "Method and gaps", method(seen, (made, *versions()))),
    ]
    contents = [
        *((name, text, 1) for name, text, _ in named),
        *((anchor(place), cut(one_line(module.name), 40), 2) for place, module in enumerate(parts.detailed)),
        *((name, text, 1) for name, text, html in after if html),
    ]
    body = "".join(html for _, _, html in named) + each + "".join(html for _, _, html in after)
    counts = counted(len(seen.modules), "module"), counted(len(seen.transitions), "transition")
    subtitle = (counts[0], span_of(seen), counts[1], made)
    return page(title, subtitle, contents, body, paper=paper, canvas=bool(seen.modules))
