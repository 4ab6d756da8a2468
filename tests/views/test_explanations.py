"""Explanations as text, HTML and JSON: hostile names and reasons are text in all of them."""

import json
from html.parser import HTMLParser

import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.diagnosis.diagnose import Diagnosis, diagnose
from tinypool_nb.core.events import Attempt, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.journal.cases import cases
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.explanation import Explanation
from tinypool_nb.notebook.record import Record
from tinypool_nb.views import explanations

SECOND = 1_000_000_000
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202eevil\u202c", "a\x1b[31mred", "n" * 300, "模块-😀")


def diagnosis(name: str, reason: str = "UNKNOWN: ipv4:10.0.0.1:1: Failed to connect to remote host: Connection refused") -> Diagnosis:
    journal = Journal(clock=Clock(epoch=100 * SECOND, monotonic=lambda: 0))
    channel = ChannelIdentity(1, ModuleKey("tiny", name), "10.0.0.1:1", 1)
    for time, previous, state in ((1, None, State.IDLE), (2, State.IDLE, State.CONNECTING), (3, State.CONNECTING, State.TRANSIENT_FAILURE)):
        said = reason if state is State.TRANSIENT_FAILURE else ""
        journal.append(Transition(time * SECOND, channel, previous, state, said, Evidence.SEEN))
    journal.append(Attempt(channel, 3, "ipv4:10.0.0.1:1", 2 * SECOND, 3 * SECOND, Outcome.FAILED, reason, Evidence.SEEN))
    return diagnose(cases(journal, lambda _: PoolOptions(), now=100 * SECOND)[channel.key])


class Tags(HTMLParser):
    """Collects the tags and the links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.handlers: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name in {"href", "src"}}
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_reasons_are_text(hostile: str) -> None:
    told = diagnosis(hostile.replace("\x1b", ""), reason=f"INTERNAL: {hostile}")
    page = Tags(explanations.html(told))
    assert page.tags <= {"style", "section", "h4", "p", "b", "ul", "li", "span", "details", "summary", "a"}
    assert all(link.startswith("https://") for link in page.links)
    assert not page.handlers
    for text in (explanations.text(told), json.dumps(explanations.plain(told), ensure_ascii=False)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert explanations.frame((told,))["finding"].str.contains("\n").sum() == 0


def test_the_text_says_all_that_the_html_says() -> None:
    told = diagnosis("http-module-v1")
    text = explanations.text(told)
    assert text.splitlines()[:2] == [
        "tiny/http-module-v1: cannot be reached: refused",
        "TRANSIENT_FAILURE at 10.0.0.1:1, as of 1970-01-01 00:01:40 UTC",
    ]
    for part in (
        "✖ refused  now, since 1970-01-01 00:00:03 UTC",
        "attempts 1970-01-01 00:00:03.000  failed at",
        "  do:  ",
        "  see: RFC 9293",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 130
    html = explanations.html(told)
    assert 'data-cause="refused"' in html
    assert "evidence: 1 row<" in html


def test_an_explanation_displays_itself_and_is_a_frame() -> None:
    explanation = Explanation(diagnosis("http-module-v1"))
    assert repr(explanation) == "<Explanation of tiny/http-module-v1: cannot be reached: refused>"
    assert set(explanation._repr_mimebundle_()) == {"text/plain", "text/html"}
    frame = explanation.frame()
    assert list(frame["cause"]) == [finding.cause for finding in explanation.findings]
    assert frame["until"].isna().all()
    assert frame["evidence"].str.contains("attempts 1970-01-01 00:00:03.000  failed at", regex=False).all()


def test_settings_that_nobody_knows_do_not_keep_a_recording_from_being_explained() -> None:
    journal = Journal()
    channel = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
    journal.append(Transition(journal.clock.now(), channel, None, State.IDLE, "", Evidence.SEEN))
    for odd in ({"keepalive": {"colour": 1}}, {"backoff": {"initial": "soon"}}, {"load_balancing": "mine"}):
        assert Record(journal, {"options": odd}).explain("http-module-v1").diagnosis.verdict == "nothing wrong: idle"
