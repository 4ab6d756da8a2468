"""The state diagram has every way of the table and no other, light and dark, in words too."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

import tinypool_nb as tp
from tinypool_nb.core.states import STATES, TRANSITIONS, State
from tinypool_nb.errors import OptionsError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record
from tinypool_nb.views.state_diagram import CLOSING, WORDS, state_diagram_svg, state_diagram_text, walked

DOCS = Path(tp.__file__).parent / "docs"
WAYS = {(state, after) for state in STATES for after in TRANSITIONS[state]}
SEEN = {(State.IDLE, State.CONNECTING): 3, (State.READY, State.SHUTDOWN): 1}


def ways_of(svg: str) -> set[tuple[State, State]]:
    return {(State(one), State(other)) for one, other in re.findall(r'data-way="(\w+)-(\w+)"', svg)}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("seen", [None, {}, SEEN])
def test_every_way_of_the_table_is_drawn_and_none_besides(theme: str, seen: dict[tuple[State, State], int] | None) -> None:
    svg = state_diagram_svg(seen, theme=theme)  # type: ignore[arg-type]
    ET.fromstring(svg)  # noqa: S314 - it is ours
    assert ways_of(svg) == {way for way in WAYS if way[1] is not State.SHUTDOWN}
    assert CLOSING in svg
    assert set(re.findall(r'data-state="(\w+)"', svg)) == set(STATES)


def test_every_way_that_does_not_close_has_words_of_its_own() -> None:
    assert set(WORDS) == {way for way in WAYS if way[1] is not State.SHUTDOWN}
    assert all(State.SHUTDOWN in TRANSITIONS[state] for state in STATES if state is not State.SHUTDOWN), "one label says it of each"


def test_in_words_it_has_every_way_and_how_often_each_was_taken() -> None:
    assert len(state_diagram_text().splitlines()) == len(WAYS)
    told = state_diagram_text(SEEN).splitlines()
    assert "IDLE -> CONNECTING: somebody asks (seen 3 times)" in told
    assert "READY -> IDLE: connection lost (pick_first) (seen 0 times)" in told


def test_a_way_that_no_table_has_is_told() -> None:
    assert state_diagram_text({(State.IDLE, State.READY): 2}).endswith("IDLE -> READY: in no table (seen 2 times)")


def test_a_record_counts_what_its_modules_walked_and_leaves_out_gaps() -> None:
    frame = pd.DataFrame({"previous": [None, "IDLE", None, "READY", "IDLE"], "state": ["IDLE", "CONNECTING", "READY", "IDLE", None]})
    assert walked(frame) == {(State.IDLE, State.CONNECTING): 1, (State.READY, State.IDLE): 1}
    assert repr(Record(Journal()).state_diagram()) == "<StateDiagram 0 transitions on 0 ways>"


def test_it_follows_the_page_unless_told_otherwise() -> None:
    html = tp.state_diagram()._repr_mimebundle_()["text/html"]
    assert html.count("<img") == 2
    assert 'alt="IDLE -&gt; CONNECTING' in html
    dark = tp.state_diagram(theme="dark")
    assert dark._repr_mimebundle_()["text/html"].count("<img") == 1
    assert 'fill="#111111"' in dark.svg()
    with pytest.raises(OptionsError, match="theme='pink'"):
        tp.state_diagram(theme="pink")  # type: ignore[arg-type]


@pytest.mark.parametrize(("theme", "name"), [("light", "states.svg"), ("dark", "states-dark.svg")])
def test_the_documentation_shows_the_table_of_today(theme: str, name: str) -> None:
    """`make pictures` draws it anew."""
    assert (DOCS / name).read_text() == state_diagram_svg(theme=theme) + "\n"  # type: ignore[arg-type]
