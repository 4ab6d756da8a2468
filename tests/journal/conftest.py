"""Stories for the journal: events as a pool would append them."""

import random
from collections.abc import Callable

import pytest

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Event, Evidence, Mark, MarkKind, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State

Story = Callable[..., list[Event]]

HOSTILE = (
    "<script>alert(1)</script>",
    "módulo-😀",
    "\u202eevil\u202c",
    "مرحبا",
    "n" * 253,
    "'; DROP TABLE modules; --",
    "{{ 7 * 7 }} $\\LaTeX$ `code`",
    "nan",
)


@pytest.fixture
def story() -> Story:
    return _story


def _story(count: int, *, seed: int = 1, modules: int = 5, reasons: int = 5) -> list[Event]:
    """`count` events of hostile and plain modules, in two namespaces, with reconnects, gaps, attempts, marks and calls."""
    chance = random.Random(seed)
    names = [*HOSTILE[: modules // 2], *(f"module-{i}" for i in range(modules))][:modules]
    channels = [
        ChannelIdentity(i + 1, ModuleKey(chance.choice([None, "tiny", "<b>"]), name), f"10.0.0.{i}:1", 1) for i, name in enumerate(names)
    ]
    number, time, events = len(channels), 1_700_000_000_000_000_123, list[Event]()
    states: dict[int, State | None] = {}
    for _ in range(count):
        time += chance.choice([0, 17, 1_000_003, -5])
        which = chance.randrange(len(channels))
        channel = channels[which]
        draw = chance.random()
        if draw < 0.1:
            outcome, start = chance.choice(list(Outcome)), chance.choice([None, time - 50])
            events.append(
                Attempt(
                    channel,
                    chance.randrange(9),
                    "ipv4:10.0.0.1:1",
                    start,
                    time,
                    outcome,
                    f"reason <{chance.randrange(reasons)}>",
                    Evidence.SEEN,
                )
            )
        elif draw < 0.15:
            events.append(
                Mark(time, chance.choice(list(MarkKind)), f"mark <i>{chance.randrange(9)}</i> ☃", chance.choice([None, channel.key]))
            )
        elif draw < 0.2:
            number += 1
            channels[which] = channel._replace(number=number, generation=channel.generation + 1, address=f"10.0.1.{number}:1")
        elif draw < 0.3:
            code = chance.choice(list(Code))
            said = "" if code is Code.OK else f"Socket closed <{chance.randrange(reasons)}>"
            method = f"module.<b>{chance.randrange(3)}/Message"
            events.append(Call(channel, method, time - chance.randrange(10**9), time, code, chance.randrange(9), 5 * 10**9, said))
        else:
            state = chance.choice([*State, State.TRANSIENT_FAILURE, None])
            reason = f"UNAVAILABLE: <{chance.randrange(reasons)}>" if state is State.TRANSIENT_FAILURE else ""
            evidence = Evidence.GAP if state is None else chance.choice([Evidence.SEEN, Evidence.INFERRED])
            events.append(Transition(time, channel, states.get(channel.number), state, reason, evidence))
            states[channel.number] = state
    return events
