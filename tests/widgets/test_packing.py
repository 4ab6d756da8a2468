"""The messages to the browser: what they hold, how small they are, and the vectors that `store.js` reads too."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.conftest import Story, _story
from tinypool_nb.core.events import ChannelIdentity, Event, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import START, Journal
from tinypool_nb.widgets.packing import LOOK_BACK, RECORD, Message, Packing

VECTORS = Path(__file__).parent.parent / "vectors" / "packing.json"
EPOCH = 1_770_000_000
SECOND = 1_000_000_000
HTTP = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
API = ChannelIdentity(2, ModuleKey("tiny", "<b>api</b>"), "10.0.0.1:1", 1, "TLS")
REASON = "UNAVAILABLE: <script>alert(1)</script>"


def at(seconds: float) -> int:
    return EPOCH * SECOND + round(seconds * SECOND)


def change(seconds: float, channel: ChannelIdentity, previous: State | None, state: State | None, reason: str = "") -> Transition:
    return Transition(at(seconds), channel, previous, state, reason, Evidence.GAP if state is None else Evidence.SEEN)


def first_part() -> list[Event]:
    return [
        change(0, HTTP, None, State.IDLE),
        change(1.000001, HTTP, State.IDLE, State.CONNECTING),
        change(2, HTTP, State.CONNECTING, State.TRANSIENT_FAILURE, REASON),
        change(3, HTTP, State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE, "a further attempt makes no interval"),
        Mark(at(2.5), MarkKind.NOTE, "deployed <i>v2</i>\n", None),
        change(2.2, API, None, State.IDLE),
    ]


def second_part() -> list[Event]:
    newer = HTTP._replace(number=3, generation=2)
    return [
        Transition(at(4), newer, None, State.IDLE, "", Evidence.INFERRED),
        change(5, newer, State.IDLE, State.READY),
        change(5.5, HTTP, State.TRANSIENT_FAILURE, State.SHUTDOWN),  # of a retired channel
        change(6, API, State.IDLE, None),
        change(7, API, None, State.SHUTDOWN),
        Mark(at(6.5), MarkKind.ACTION, "lab: kill", HTTP.key),
        Mark(at(6.6), MarkKind.ACTION, "register", ModuleKey(None, "not seen yet")),
    ]


def messages() -> list[Message]:
    """A snapshot and a delta."""
    journal, packing = Journal(), Packing(EPOCH)
    for event in first_part():
        journal.append(event)
    batch, totals = journal.snapshot()
    snapshot = packing.snapshot(batch, totals, now=at(3.5), history=1000)
    for event in second_part():
        journal.append(event)
    delta = packing.delta(journal.since(batch.position), now=at(7.5))
    assert delta is not None
    return [snapshot, delta]


def test_the_vectors_are_what_is_packed() -> None:
    packed = [{"head": message.head, "records": base64.b64encode(message.records).decode()} for message in messages()]
    stored = json.loads(VECTORS.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(packed)) == stored["messages"]


def read(all_messages: list[Message]) -> dict[str, list[tuple[int, int, str]]]:
    """The changes of each lane, as a browser puts them together: time, state, reason."""
    lanes: list[str] = []
    channels: list[Any] = []
    reasons = [""]
    changes: dict[str, list[tuple[int, int, str]]] = {}
    for head, records in all_messages:
        lanes += head.get("lanes", [])
        channels += head.get("channels", [])
        reasons += head.get("reasons", [])
        for time, channel, reason, state, _ in np.frombuffer(records, RECORD).tolist():
            changes.setdefault(lanes[channels[channel][0]], []).append((int(time), state, reasons[reason]))
    return changes


def test_what_a_snapshot_and_a_delta_tell() -> None:
    snapshot, delta = messages()
    assert snapshot.head["lanes"] == ["http-module-v1", "tiny/<b>api</b>"]
    assert snapshot.head["marks"] == [(2_500_000_000, -1, "note", "deployed <i>v2</i>")]
    assert "lanes" not in delta.head
    assert delta.head["channels"] == [(0, "127.0.0.1:50051", "plaintext", 2)]
    assert delta.head["marks"] == [(6_500_000_000, 0, "action", "lab: kill"), (6_600_000_000, -1, "action", "not seen yet: register")]
    assert read([snapshot, delta]) == {
        "http-module-v1": [(0, 0, ""), (1_000_001_000, 1, ""), (2 * SECOND, 3, REASON), (4 * SECOND, 0, ""), (5 * SECOND, 2, "")],
        "tiny/<b>api</b>": [(2_200_000_000, 0, ""), (6 * SECOND, -1, ""), (7 * SECOND, 4, "")],
    }
    assert np.frombuffer(delta.records, RECORD)["inferred"].tolist() == [1, 0, 0, 0]


def test_a_record_has_18_bytes() -> None:
    assert RECORD.itemsize == 18


def test_texts_travel_once_and_nothing_new_makes_no_message() -> None:
    journal, packing = Journal(), Packing(EPOCH)
    for event in first_part():
        journal.append(event)
    batch, totals = journal.snapshot()
    packing.snapshot(batch, totals, now=at(4), history=1000)
    for second in range(5, 25, 2):
        journal.append(change(second, HTTP, State.TRANSIENT_FAILURE, State.CONNECTING))
        journal.append(change(second + 1, HTTP, State.CONNECTING, State.TRANSIENT_FAILURE, REASON))
    delta = packing.delta(journal.since(batch.position), now=at(30))
    assert delta is not None
    assert delta.head == {"version": 1, "type": "delta", "now": 30 * SECOND}
    assert len(delta.records) == 20 * RECORD.itemsize
    position = journal.position()
    journal.append(change(31, HTTP, State.TRANSIENT_FAILURE, State.TRANSIENT_FAILURE, "which makes no interval"))
    assert packing.delta(journal.since(position), now=at(32)) is None


@pytest.mark.parametrize("history", [1, 7, 1000])
def test_a_snapshot_shows_the_newest_and_what_was_before(history: int) -> None:
    journal = Journal()
    journal.append(change(0, API, None, State.IDLE))
    for second in range(1, 31):
        journal.append(change(second, HTTP, State.IDLE, State.CONNECTING if second % 2 else State.IDLE))
    message = Packing(EPOCH).snapshot(*journal.snapshot(), now=at(40), history=history)
    changes = read([message])
    assert changes["tiny/<b>api</b>"] == [(0, 0, "")]  # it still is in it
    newest = [time // SECOND for time, _, _ in changes["http-module-v1"]]
    assert newest == list(range(max(1, 31 - history - 1), 31))  # one more, which reaches into what is kept
    assert bool(message.head["older"]) == (history < 31)


def test_a_module_whose_rows_went_is_still_in_its_state() -> None:
    journal = Journal(history=64)
    journal.append(change(0, API, None, State.IDLE))
    for second in range(1, 3 * 64):
        journal.append(change(second, HTTP, State.IDLE, State.CONNECTING if second % 2 else State.IDLE))
        journal.position()
    message = Packing(EPOCH).snapshot(*journal.snapshot(), now=at(500), history=1000)
    assert read([message])["tiny/<b>api</b>"] == [(0, 0, "")]
    assert message.head["older"] > 64


def test_a_long_record_is_not_walked() -> None:
    journal = Journal()
    for number in range(LOOK_BACK + 3_000):
        journal.append(change(number / 1000, HTTP, State.IDLE, State.CONNECTING if number % 2 else State.IDLE))
    message = Packing(EPOCH).snapshot(*journal.snapshot(), now=at(500), history=1000)
    assert len(message.records) == 1001 * RECORD.itemsize
    assert message.head["older"] == LOOK_BACK + 2_000


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 300), st.integers(0, 300))
def test_in_whatever_pieces_it_is_sent_the_browser_knows_the_same(seed: int, count: int, cut: int) -> None:
    story: Story = _story
    events = story(count, seed=seed)
    whole, pieces, packing = Journal(), Journal(), Packing(EPOCH)
    for event in events:
        whole.append(event)
    for event in events[:cut]:
        pieces.append(event)
    batch, totals = pieces.snapshot()
    sent = [packing.snapshot(batch, totals, now=at(0), history=10**6)]
    position = batch.position
    for event in events[cut:]:
        pieces.append(event)
        batch = pieces.since(position)
        position = batch.position
        sent += filter(None, [packing.delta(batch, now=at(0))])
    at_once = Packing(EPOCH).snapshot(*whole.snapshot(), now=at(0), history=10**6)
    assert read(sent) == read([at_once])
    assert START == (0, 0, 0, 0, 0)
