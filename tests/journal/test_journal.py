import random
import threading
import time
from collections.abc import Callable

import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Event, Evidence, Mark, MarkKind, Transition
from tinypool_nb.core.folding import Folding, Totals
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.clock import system_clock
from tinypool_nb.journal.journal import STAGED, START, Journal
from tinypool_nb.journal.kinds import MOST_REASONS, OTHER_REASONS, attempt_events, call_events, mark_events, transition_events

Story = Callable[..., list[Event]]


def of(kind: type[Event], events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def test_what_is_appended_is_read(story: Story) -> None:
    journal, events = Journal(), story(5_000)
    for event in events:
        journal.append(event)
    batch = journal.since(START)
    assert list(transition_events(batch.transitions)) == of(Transition, events)
    assert list(attempt_events(batch.attempts)) == of(Attempt, events)
    assert list(call_events(batch.calls)) == of(Call, events)
    assert list(mark_events(batch.marks)) == of(Mark, events)
    assert len(batch) == len(events)


def test_since_gives_only_what_is_new(story: Story) -> None:
    journal, events = Journal(), story(3_000)
    position, read = journal.position(), list[Event]()
    chance = random.Random(2)
    for event in events:
        journal.append(event)
        if chance.random() < 0.01:
            batch = journal.since(position)
            assert batch.position > position
            position = batch.position
            read += transition_events(batch.transitions)
    read += transition_events(journal.since(position).transitions)
    assert read == of(Transition, events)


@pytest.mark.parametrize("seed", range(6))
def test_totals_stay_right_when_old_rows_go(story: Story, seed: int) -> None:
    journal, folding = Journal(history=1_000), Folding()
    events = story(6_000, seed=seed, modules=40, reasons=3_000)
    for event in events:
        journal.append(event)
    for event in events:
        if isinstance(event, Transition):
            folding.ledger(event.channel).fold(event)
    for event in events:
        if isinstance(event, Attempt):
            folding.ledger(event.channel).fold_attempt(event)
    for event in events:
        if isinstance(event, Call):
            folding.ledger(event.channel).fold_call(event)
    batch, totals = journal.snapshot()
    assert batch.dropped == sum(table.dropped for table in journal.tables().values()) > 0
    assert list(transition_events(batch.transitions)) == of(Transition, events)[batch.transitions.first :]

    def by_module(one: Totals) -> dict[ModuleKey, tuple[object, ...]]:
        return {row[0].key: (*row[:4], row[4].tolist()) for row in zip(*one, strict=True)}

    assert by_module(totals) == by_module(folding.totals())


def test_a_mark_says_that_old_rows_went(story: Story) -> None:
    journal = Journal(history=1_000)
    for event in of(Transition, story(3_000)):
        journal.append(event)
    journal.position()
    marks = list(mark_events(journal.since(START).marks))
    assert {mark.kind for mark in marks} == {MarkKind.RECORD}
    assert marks[-1].text.startswith("the oldest ")
    assert "dropped" in repr(journal)


def test_marks_of_what_went_push_out_no_other(story: Story) -> None:
    journal = Journal(history=1_000)
    journal.mark("deployed v2")
    for event in of(Transition, story(200_000, modules=3)):
        journal.append(event)
    texts = list(journal.since(START).marks.values("text"))
    assert texts[0] == "deployed v2"
    assert len(texts) < 12


def test_reasons_of_calls_that_are_all_different_are_bounded() -> None:
    journal, channel = Journal(), ChannelIdentity(1, ModuleKey(None, "a"), "a:1", 1)
    for number in range(30_000):
        journal.append(Call(channel, "a/b", 1, 2, Code.INTERNAL, 0, 0, f"request {number} failed"))
    reasons = list(journal.since(START).calls.values("reason"))
    assert reasons[:2] == ["request 0 failed", "request 1 failed"]
    assert reasons.count(OTHER_REASONS) > 15_000
    assert MOST_REASONS - STAGED <= len(set(reasons)) <= MOST_REASONS + 1


def test_a_late_reader_learns_how_many_rows_it_missed(story: Story) -> None:
    journal = Journal(history=1_000)
    transitions = of(Transition, story(4_000))
    for event in transitions[:10]:
        journal.append(event)
    position = journal.position()
    for event in transitions[10:]:
        journal.append(event)
    batch = journal.since(position)
    assert batch.dropped == batch.transitions.first - 10 > 0


def test_a_batch_stays_as_it_was(story: Story) -> None:
    journal, events = Journal(history=1_000), of(Transition, story(5_000, modules=200))
    for event in events[:500]:
        journal.append(event)
    batch = journal.since(START)
    for event in events[500:]:
        journal.append(event)
    journal.position()
    assert list(transition_events(batch.transitions)) == events[:500]


def test_threads_lose_nothing() -> None:
    journal, threads, each = Journal(), 8, 5_000
    go = threading.Barrier(threads + 1)

    def append(number: int) -> None:
        channel = ChannelIdentity(number, ModuleKey(None, f"module-{number}"), "a:1", 1)
        go.wait()
        for stamp in range(each):
            journal.append(Transition(stamp, channel, None, State.IDLE if stamp % 2 else State.READY, "", Evidence.SEEN))

    workers = [threading.Thread(target=append, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    go.wait()
    position, found = START, 0
    while any(worker.is_alive() for worker in workers):
        batch = journal.since(position)
        position, found = batch.position, found + len(batch)
    for worker in workers:
        worker.join()
    found += len(journal.since(position))
    assert found == threads * each
    assert journal.totals().numbers[:, [State.IDLE.code, State.READY.code]].sum() == threads * (each - 1)
    for number in range(threads):
        key = f"module-{number}"
        assert [row.time for row in transition_events(journal.since(START).transitions) if row.channel.key.name == key] == list(range(each))


def test_append_does_not_wait_for_a_reader(story: Story) -> None:
    journal, events = Journal(), of(Transition, story(8_000))
    with journal._lock:
        for event in events:
            journal.append(event)
    assert journal.position().transitions == len(events)


def test_append_tells_that_something_changed() -> None:
    journal = Journal()
    assert not journal.changed.is_rung
    journal.mark("deployed")
    assert journal.changed.is_rung


def test_a_mark_is_made_on_the_journals_clock() -> None:
    key = ModuleKey("tiny", "a")
    journal = Journal(clock=Clock(epoch=100, monotonic=lambda: 7))
    assert journal.mark("killed", kind=MarkKind.ACTION, key=key) == Mark(107, MarkKind.ACTION, "killed", key)
    assert list(mark_events(journal.since(START).marks)) == [Mark(107, MarkKind.ACTION, "killed", key)]


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="not 'READY'"):
        Journal().append("READY")  # type: ignore[arg-type]


def test_an_empty_journal_is_empty() -> None:
    journal = Journal()
    assert len(journal.since(START)) == 0
    assert journal.keys() == ()
    assert repr(journal) == "<Journal of 0 modules: 0 transitions, 0 attempts, 0 marks and 0 calls>"


def test_the_system_clock_stands_at_now_and_never_goes_back() -> None:
    clock = system_clock()
    assert abs(clock.now() - time.time_ns()) < 1_000_000_000
    stamps = [clock.now() for _ in range(100)]
    assert stamps == sorted(stamps)
