"""Text for terminals and logs: each of the corpus is told, and nothing in it is obeyed, hides, or begins a line of its own."""

import logging
from collections.abc import Callable

import pytest

import tinypool_nb as tp
from tests.security.conftest import hostile_journal
from tests.security.corpus import ALL, HOSTILE
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.plain import one_line
from tinypool_nb.notebook.record import Record
from tinypool_nb.views import frames, pictures
from tinypool_nb.views.overview import overview

Obeyed = Callable[[str], list[str]]
REGISTERED = {what: name for what, name in HOSTILE.items() if "/" not in name}
"""What a pool takes as a name."""


def test_one_line_leaves_nothing_that_a_terminal_obeys_and_all_that_is_read(obeyed: Obeyed) -> None:
    for text in ALL.values():
        told = one_line(text)
        assert obeyed(told) == []
        assert "\n" not in told
        assert [c for c in told if c.isalnum()] == [c for c in text if c.isalnum()]


def test_everything_a_record_says_in_text(obeyed: Obeyed) -> None:
    journal = hostile_journal()
    record = Record(journal)
    now = journal.clock.now()
    texts = [
        repr(record),
        pictures.connections_text(record.connections()),
        pictures.timeline_text(record.intervals(), record.marks(), record.calls(), now=now),
        overview(journal, record.known())["text/plain"],
        *(pictures.timeline_text(record.intervals(), record.marks(), now=now, modules=[str(key)]) for key in record.known()),
    ]
    for text in texts:
        assert obeyed(text) == []
    assert all(text.count("\n") < 200 for text in texts)


def test_what_a_pool_of_such_modules_says_and_logs(obeyed: Obeyed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tinypool_nb"), tp.Pool() as pool:
        for name in REGISTERED.values():
            pool.register(name, "127.0.0.1:1")
        name = HOSTILE["turned around"]
        pool.register(name, "127.0.0.1:1", namespace=HOSTILE["nobody sees it"])
        pool.health_check()
        pool.wait(ModuleKey(None, name), "TRANSIENT_FAILURE", timeout=10)
        pool.debug()
        pool.unregister(ModuleKey(None, name))
        hold = pool.hold(HOSTILE["nobody sees it"])
        texts = [repr(pool), str(pool), pool._repr_mimebundle_()["text/plain"], repr(hold), repr(pool.follow(HOSTILE["tags"]))]
        texts += [repr(pool.get(HOSTILE[what])) for what in ("turned around", "nobody sees it", "tags")]
        for wrong in ALL.values():
            with pytest.raises(tp.TinypoolError) as caught:
                pool.reconnect(wrong + " ")
            texts.append(str(caught.value))
            with pytest.raises(tp.TinypoolError) as caught:
                pool.register(name, f"{wrong} {wrong}")
            texts.append(str(caught.value))
    for text in (*texts, *caplog.messages):
        assert obeyed(text) == [], text
    assert all("\n" not in message for message in caplog.messages)
    assert {record.__dict__["tinypool"]["module"] for record in caplog.records if record.levelno == logging.WARNING} >= {name}


def test_what_a_peer_says_in_its_status_message(liar: str, obeyed: Obeyed, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tinypool_nb"), tp.Pool() as pool:
        pool.register("liar", liar)
        call = pool["liar"].unary_unary("/liar/Lie")
        said = [text for text in ALL.values() if len(text) < 500]
        for text in said:
            with pytest.raises(Exception, match=r"UNAVAILABLE"):
                call(text.encode(), timeout=5)
        assert sorted(pool.calls()["reason"]) == sorted(said)  # the record keeps what was said
        journal = pool.journal
        shown = pictures.timeline_text(frames.intervals(journal), frames.marks(journal), frames.calls(journal), now=journal.clock.now())
        assert obeyed(shown) == []
    assert [obeyed(message) for message in caplog.messages if obeyed(message)] == []


@pytest.mark.parametrize("what", ["null", "lines", "colours", "cursor", "title", "link of a terminal", "c1", "backspace", "bell"])
def test_a_pool_takes_no_name_with_control_characters(what: str) -> None:
    with tp.Pool() as pool, pytest.raises(tp.ModuleNameError) as refused:
        pool.register(ALL[what], "127.0.0.1:1")
    assert "\x1b" not in str(refused.value)
