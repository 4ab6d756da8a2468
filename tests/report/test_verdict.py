"""What a report says first."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.conftest import END
from tinypool_nb.cli import main
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.discovering import Known, Standing
from tinypool_nb.core.events import Observation, Subject
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import decode
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.recording import recording_html
from tinypool_nb.report.recording.seen import Seen
from tinypool_nb.report.recording.verdict import Outcome, Verdict, verdict

if TYPE_CHECKING:
    from tests.report.conftest import MakeRecord

NAMES = tuple(f"http-module-v{number}" for number in range(1, 6))


def judged(make_record: "MakeRecord", *broken: int, names: tuple[str, ...] = NAMES, changes: int = 12) -> Verdict:
    return verdict(Seen(make_record(names, changes=changes, broken=lambda number: number in broken)).modules)


def test_of_nothing(make_record: "MakeRecord") -> None:
    found = judged(make_record, names=())
    assert (found.outcome, found.headline, found.causes) == (Outcome.EMPTY, "Nothing was recorded: no module was registered", ())


def test_what_is_broken_comes_with_its_cause_its_modules_and_since_when(make_record: "MakeRecord") -> None:
    found = judged(make_record, 1, 3)
    assert (found.outcome, found.headline) == (Outcome.BROKEN, "2 of 5 modules could not be reached at the end")
    assert {module.name for module in found.named} == {"tinysystems/http-module-v2", "http-module-v4"}
    assert found.states == "2 TRANSIENT_FAILURE, 3 READY"
    first = found.causes[0]
    assert (first.cause, first.now, {module.name for module in first.modules}) == (
        Cause.REFUSED,
        True,
        {"tinysystems/http-module-v2", "http-module-v4"},
    )
    assert first.example.advice


def test_the_only_module_is_not_counted(make_record: "MakeRecord") -> None:
    found = judged(make_record, 0, names=("only",))
    assert (found.headline, found.named) == ("The module could not be reached at the end", ())


def test_what_is_over_is_told_as_over(make_record: "MakeRecord") -> None:
    found = judged(make_record, names=("only",), changes=6)
    assert found.outcome in {Outcome.RECOVERED, Outcome.WELL}
    assert [cause for cause in found.causes if cause.now] == []


def test_the_headline_names_a_few_modules_and_links_to_their_sections(make_record: "MakeRecord") -> None:
    page = recording_html(make_record(NAMES, broken=lambda number: number == 4), title="t")
    assert 'could not be reached at the end: <a href="#module-1"><bdi>tinysystems/http-module-v5</bdi></a>.</p>' in page
    many = judged(make_record, *range(5))
    assert (many.headline, many.named) == ("5 of 5 modules could not be reached at the end", ())


def test_the_worst_have_a_section_and_the_rest_stand_in_the_table(make_record: "MakeRecord") -> None:
    page = recording_html(make_record(NAMES, broken=lambda number: number == 4), title="t", sections=2)
    assert page.count('<section class="module"') == 2
    assert page.index('id="module-1" data-state="TRANSIENT_FAILURE"') < page.index('id="module-2"')
    assert "the other 3 stand in this table alone" in page


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        (0, "No module has a section of its own: 5 modules stand in this table alone."),
        (1, "The worst has a section of its own below; the other 4 stand in this table alone."),
        (4, "The 4 worst have a section of their own below; the other 1 stands in this table alone."),
    ],
)
def test_how_many_stand_in_the_table_alone_is_told_in_numbers_and_words_that_agree(
    sections: int, told: str, make_record: "MakeRecord"
) -> None:
    assert f'<p class="note">{told} <code>' in recording_html(make_record(NAMES), title="t", sections=sections)


@pytest.mark.parametrize("is_broken", [False, True])
def test_of_one_thing_nobody_reads_ones(
    is_broken: bool, make_record: "MakeRecord", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = make_record(NAMES[:1], changes=1, calls=1, broken=lambda _: is_broken)
    record.save(tmp_path / "one.parquet")
    assert main(["replay", str(tmp_path / "one.parquet")]) == 0
    told = (recording_html(record, title="t"), recording_html(record, title="t", sections=0), capsys.readouterr().out, repr(record))
    assert [found for text in told for found in re.findall(r"\b1 (?!ms\b)[a-z]{2,}s\b", text)] == []
    assert "1 call, " in told[2]


def test_a_wait_that_the_specification_does_not_allow_is_told_and_drawn(make_record: "MakeRecord") -> None:
    page = recording_html(make_record(NAMES[:1], broken=lambda _: True), title="t", paper=True)
    assert "10 of 11 waits between attempts keep to the backoff" in page
    assert "outside its window" in page


def test_gaps_are_told(make_record: "MakeRecord") -> None:
    page = recording_html(make_record(NAMES, changes=12, gaps=True), title="t", paper=True)
    assert "Nobody knows what happened in" in page
    assert "where a gap begins" in page
    assert 'data-state="unknown"' in page
    assert "There is no gap in it." in recording_html(make_record(NAMES), title="t", paper=True)


@pytest.mark.parametrize("paper", [True, False])
def test_a_page_says_what_made_it_and_asks_for_nothing(make_record: "MakeRecord", paper: bool) -> None:
    page = recording_html(make_record(NAMES), title="<b>t</b>", paper=paper)
    assert "<h1>&lt;b&gt;t&lt;/b&gt;</h1>" in page
    assert "grpcio " in page
    assert "default-src 'none'" in page
    assert page.count("<script nonce=") + page.count('<script type="module" nonce=') == (0 if paper else 2)


def test_a_recording_that_is_not_whole_says_so_first(make_record: "MakeRecord") -> None:
    record = make_record(NAMES)
    page = recording_html(record, title="t", paper=True)
    assert "is not whole" not in page
    record.details = {**record.details, "partial": "run.parquet: not closed, 3 rows were missed <b>"}
    page = recording_html(record, title="t", paper=True)
    told = page.index("<strong>The recording is not whole</strong>: run.parquet: not closed, 3 rows were missed &lt;b&gt;.")
    assert told < page.index('<section id="timeline">')


def test_what_discovery_found_and_what_was_looked_at_stand_in_it(make_record: "MakeRecord") -> None:
    record = make_record(NAMES[:1])
    assert 'id="discovery"' not in recording_html(record, title="t", paper=True)
    assert 'id="looked-at"' not in recording_html(record, title="t", paper=True)
    record.journal.append(Observation(END, ModuleKey(None, NAMES[0]), Subject.RESOLVED, "ipv4:127.0.0.1:1 <b>", 0))
    module = decode({"metadata": {"namespace": "tinysystems", "name": "cart<b>-v1", "uid": "u"}, "status": {"addr": "nats://x"}})
    record = Record(record.journal, record.details, [Known(module, None, Standing.QUARANTINED, "it is <i>not</i> gRPC", END)])
    page = recording_html(record, title="t", paper=True)
    assert "1 TinyModule resource" in page
    assert "tinysystems/cart&lt;b&gt;-v1" in page
    assert "it is &lt;i&gt;not&lt;/i&gt; gRPC" in page
    assert "ipv4:127.0.0.1:1 &lt;b&gt;" in page
