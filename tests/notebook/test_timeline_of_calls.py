"""A record's timeline shows its calls, those of the modules that are asked for."""

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record

MILLISECOND = 1_000_000


def test_the_timeline_of_a_record_shows_its_calls() -> None:
    journal = Journal()
    now = journal.clock.now()
    for number, name in enumerate("ab", 1):
        channel = ChannelIdentity(number, ModuleKey(None, name), f"127.0.0.1:{number}", 1)
        journal.append(Transition(now, channel, None, State.IDLE, "", Evidence.INFERRED))
        code = Code.OK if name == "a" else Code.UNAVAILABLE
        journal.append(
            Call(channel, "module.ModuleService/Message", now, now + number * MILLISECOND, code, 1, 2, "" if name == "a" else "gone")
        )
    record = Record(journal)
    assert {"calls answered", "calls failed"} <= {trace.name for trace in record.timeline().data}
    figure = record.timeline("b")
    (failed,) = (trace for trace in figure.data if trace.yaxis == "y2" and trace.mode == "markers")
    assert (failed.name, list(failed.y)) == ("calls failed", [0.002])
    assert "1 failed (1 UNAVAILABLE)" in figure.layout.meta["description"]
