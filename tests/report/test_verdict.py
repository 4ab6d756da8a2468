"""What a report says first."""

from typing import TYPE_CHECKING

import pytest

from tinypool_nb.core.diagnosis.causes import Cause
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
    assert (found.outcome, found.headline, found.causes) == (Outcome.EMPTY, "Nothing was recorded: no module was registered.", ())


def test_what_is_broken_comes_with_its_cause_its_modules_and_since_when(make_record: "MakeRecord") -> None:
    found = judged(make_record, 1, 3)
    assert (found.outcome, found.headline) == (Outcome.BROKEN, "2 of 5 modules could not be reached at the end.")
    assert found.states == "2 TRANSIENT_FAILURE, 3 READY"
    first = found.causes[0]
    assert (first.cause, first.now, {module.name for module in first.modules}) == (
        Cause.REFUSED,
        True,
        {"tinysystems/http-module-v2", "http-module-v4"},
    )
    assert first.example.advice


def test_the_only_module_is_not_counted(make_record: "MakeRecord") -> None:
    assert judged(make_record, 0, names=("only",)).headline == "The module could not be reached at the end."


def test_what_is_over_is_told_as_over(make_record: "MakeRecord") -> None:
    found = judged(make_record, names=("only",), changes=6)
    assert found.outcome in {Outcome.RECOVERED, Outcome.WELL}
    assert [cause for cause in found.causes if cause.now] == []


def test_the_worst_have_a_section_and_the_rest_stand_in_the_table(make_record: "MakeRecord") -> None:
    page = recording_html(make_record(NAMES, broken=lambda number: number == 4), title="t", sections=2)
    assert page.count('<section class="module"') == 2
    assert page.index('id="module-1" data-state="TRANSIENT_FAILURE"') < page.index('id="module-2"')
    assert "the other 3 stand in this table alone" in page


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
