"""Folding many rows at once agrees with folding them one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.folding import Folding
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.refolding import refold
from tinypool_nb.core.states import State

MODULES = 3
rows = st.lists(
    st.tuples(
        st.integers(0, MODULES - 1),
        st.integers(0, 2),  # which channel of the module
        st.integers(-5, 100),  # later than the row before
        st.sampled_from([None, *State]),
        st.sampled_from([None, *State]),
        st.sampled_from(["", "refused", "reset"]),
    ),
    max_size=60,
)


@given(rows)
def test_it_agrees_with_the_ledger(drawn: list[tuple[int, int, int, State | None, State | None, str]]) -> None:
    time, events = 0, []
    for module, generation, later, previous, state, reason in drawn:
        time += later
        channel = ChannelIdentity(1 + 10 * generation + module, ModuleKey(None, f"m{module}"), "a:1", generation + 1)
        events.append(Transition(time, channel, previous, state, reason, Evidence.SEEN))
    folding = Folding()
    counted = np.array([folding.ledger(event.channel).fold(event) for event in events], bool)
    totals = folding.totals()
    keys = [channel.key for channel in totals.channels]
    found = refold(
        np.array([keys.index(event.channel.key) for event in events], int),
        np.array([event.channel.number for event in events], int),
        np.array([event.time for event in events], np.int64),
        np.array([-1 if event.previous is None else event.previous.code for event in events], int),
        np.array([-1 if event.state is None else event.state.code for event in events], int),
        counted=counted,
        with_reason=np.array([bool(event.reason) for event in events], bool),
        count=len(keys),
    )
    assert found.numbers.tolist() == totals.numbers.tolist()
    assert found.lost.tolist() == totals.losts
    assert [events[row] for row in found.opening.tolist()] == totals.openings
    assert [events[row].reason if row >= 0 else "" for row in found.last_reason.tolist()] == totals.last_reasons
    assert found.channel.tolist() == [channel.number for channel in totals.channels]
