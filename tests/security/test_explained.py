"""Explanations, lessons, replays and ready reports of hostile texts: our own elements, and everything else as text."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tests.security.test_markup import Reader
from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.stepping import Act, Progress, Result, Script, Standing, Step
from tinypool_nb.notebook.pool import Pool
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.recording import recording_html
from tinypool_nb.views import explanations, steps
from tinypool_nb.widgets import step_messages
from tinypool_nb.widgets.explaining import ExplanationView
from tinypool_nb.widgets.replay import Replay

__all__ = ["fake_browser"]
Obeyed = Callable[[str], list[str]]
OURS = re.compile(
    "https://(grpc[.]io|github[.]com/grpc|grpc[.]github[.]io|kubernetes[.]io|www[.]rfc-editor[.]org|datatracker[.]ietf[.]org)/"
)
"""Where an explanation may lead."""


@pytest.fixture(scope="module")
def record() -> Record:
    return Record(hostile_journal())


def lesson(text: str) -> Progress:
    """One whose words are all the same, as one that somebody wrote; each of its steps stands otherwise."""
    script = Script(name=text, title=text, about=text, options=PoolOptions(), steps=(Step(text, Act.START, text, (), text),) * 4)
    standings = (Standing.MET, Standing.UNMET, Standing.UNDER_WAY)
    return Progress(script, tuple(Result(standing, began=1, acted=2, note=text, said=f"{text}!") for standing in standings))


def test_an_explanation_is_text_in_every_form(record: Record, obeyed: Obeyed) -> None:
    links = set[str]()
    for key in record.known():
        explanation = record.explain(key)
        page = Reader(explanation._repr_mimebundle_()["text/html"])
        assert page.elements <= {"style", "section", "h4", "p", "ul", "li", "span", "b", "details", "summary", "a"}
        assert {name for name, _ in page.attributes} <= {"class", "aria-label", "data-cause", "href", "target", "rel"}
        links |= {value for name, value in page.attributes if name == "href"}
        assert explanation.findings
        told = explanations.plain(explanation.diagnosis)
        for text in (str(explanation), repr(explanation), json.dumps(told, ensure_ascii=False), *explanation.frame()["finding"]):
            assert obeyed(text) == []
    assert all(OURS.match(link) for link in links), links
    assert len(record.findings()) >= len(ALL)


def test_a_lesson_is_text_in_every_form(obeyed: Obeyed) -> None:
    for text in ALL.values():
        progress = lesson(text)
        page = Reader(steps.progress_html(progress))
        assert page.elements <= {"div", "style", "table", "caption", "thead", "tbody", "tr", "th", "td", "b", "br"}
        assert {name for name, _ in page.attributes} <= {"class", "scope", "title", "data-state"}
        assert one_line(text)[:20] in page.text
        assert obeyed(steps.progress_text(progress)) == []
        assert obeyed(page.text) == []
        told = [step_messages.script(progress.script, [progress.script]), step_messages.progress(progress, 3)]
        shown = [{**told[0], "name": "", "lessons": [title for _, title in told[0]["lessons"]]}, told[1]]  # the name is what is answered
        assert obeyed(json.dumps(shown, ensure_ascii=False)) == []
        assert json.loads(json.dumps(told)) == told


@pytest.mark.slow  # its pages are large
def test_the_page_of_a_recording(record: Record) -> None:
    for paper in (False, True):
        page = Reader(recording_html(record, title=ALL["end of a script"], sections=len(ALL), paper=paper))
        assert page.elements.isdisjoint({"iframe", "object", "embed", "form", "input", "base", "foreignobject", "link", "b", "i"})
        assert not any(name.startswith("on") or name == "srcdoc" for name, _ in page.attributes)
        assert {value for name, value in page.attributes if name == "src" and not value.startswith("data:image/svg+xml;base64,")} == set()
        leading = {value for name, value in page.attributes if name in {"href", "xlink:href", "action", "formaction"}}
        assert {link for link in leading if not link.startswith("#") and not OURS.match(link)} == set()
        for text in HOSTILE.values():
            assert one_line(text)[:20] in page.text


@pytest.fixture
def replay(record: Record, fake_browser: FakeBrowser) -> Iterator[Replay]:
    shown = Replay(record.journal)
    yield shown
    shown.close()
    shown.layout.close()


def test_a_replay_sends_texts_as_data_and_shows_them_as_text(replay: Replay, fake_browser: FakeBrowser, obeyed: Obeyed) -> None:
    bundle = replay._static()
    page = Reader(bundle["text/html"])
    assert page.elements.isdisjoint({"script", "iframe", "a", "b", "i", "form"})
    assert not any(name.startswith("on") for name, _ in page.attributes)
    for text in (bundle["text/plain"], repr(replay)):
        assert obeyed(text) == []
    for script in (replay._esm, replay._css):
        assert not any(text in script for text in HOSTILE.values() if len(text) > 15), "no text of theirs is part of the program"


def test_the_panel_s_explanations(fake_browser: FakeBrowser, obeyed: Obeyed) -> None:
    """What the section sends; that the browser makes text of it is for test_package to say."""
    with Pool() as pool:
        names = [name for name in HOSTILE.values() if "/" not in name]
        for name in names:
            pool.register(name, "127.0.0.1:1")
        view = pool.panel().sections["Explanation"]
        assert isinstance(view, ExplanationView)
        fake_browser.say(view, {"v": 1, "kind": "hello"})
        for name in names:
            view.explain(pool[name].identity.key)
        sent = list[dict[str, Any]]()
        while len(sent) < len(names):
            time.sleep(0.005)
            sent = [each for each in fake_browser.heard(view) if each["kind"] in {"explanation", "failed"}]
    assert [each["key"][1] for each in sent] == names
    for each in sent:
        assert obeyed(json.dumps({**each, "key": None}, ensure_ascii=False)) == []
        assert all(OURS.match(finding["see"]["url"]) for finding in each["findings"])
