"""Records to report: of any number of modules, an hour long, each of which tells a story that its number picks."""

import shutil
from collections.abc import Callable, Sequence

import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Mark, MarkKind, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record
from tinypool_nb.report.pdf import COMMANDS

SECOND = 1_000_000_000
START = 1_770_000_000 * SECOND
END = START + 3_600 * SECOND
REFUSED = "UNAVAILABLE: ipv4:127.0.0.1:20003: Failed to connect to remote host: connect: Connection refused (111)"

MakeRecord = Callable[..., Record]


@pytest.fixture
def chromium_there() -> None:
    """What prints a PDF; without it the test is skipped."""
    if not any(map(shutil.which, COMMANDS)):
        pytest.skip("there is no Chromium on the PATH")


@pytest.fixture(scope="session")
def make_record() -> MakeRecord:
    """`made`."""
    return made


def made(
    names: Sequence[str], *, changes: int = 12, gaps: bool = False, calls: int = 0, broken: Callable[[int], bool] | None = None
) -> Record:
    """Modules that connect, are lost and come back; those that are broken are refused from the start, with gRPC's own backoff."""
    journal = Journal(history=10_000_000, clock=Clock(epoch=END, monotonic=lambda: 0))
    is_broken = broken or (lambda number: number % 10 == 3)
    for number, name in enumerate(names):
        channel = ChannelIdentity(
            number + 1, ModuleKey("tinysystems" if number % 3 == 1 else None, name), f"127.0.0.1:{20_000 + number}", 1
        )
        journal.append(Mark(START + number, MarkKind.ACTION, f"register {channel.address}", channel.key))
        journal.append(Transition(START + number, channel, None, State.IDLE, "", Evidence.SEEN))
        if is_broken(number):
            _refused(journal, channel, changes)
        else:
            _served(journal, channel, changes, gaps=gaps)
        for call in range(calls):
            begin = START + (60 + 50 * call) * SECOND
            failed = call % 10 == 7
            code, reason = (Code.UNAVAILABLE, REFUSED) if failed else (Code.OK, "")
            journal.append(Call(channel, "module.ModuleService/Message", begin, begin + 5_000_000, code, 100, 200, reason))
    if names:
        journal.append(Mark(START + 1_800 * SECOND, MarkKind.NOTE, "deployed v2", None))
    return Record(journal, {"options": PoolOptions().as_dict(), "module_options": {}})


def _served(journal: Journal, channel: ChannelIdentity, changes: int, *, gaps: bool) -> None:
    time, previous = START + SECOND, State.IDLE
    step = 3_500 * SECOND // max(changes // 3, 1)
    for turn in range(max(changes // 3, 1)):
        known: State | None = previous
        if gaps and turn % 2:
            journal.append(Transition(time - step // 4, channel, previous, None, "", Evidence.GAP))
            known = None
        elif turn:
            journal.append(Transition(time - step // 10, channel, State.READY, State.IDLE, "", Evidence.SEEN))
            known = State.IDLE
        journal.append(Transition(time, channel, known, State.CONNECTING, "", Evidence.SEEN))
        journal.append(Transition(time + 4_000_000, channel, State.CONNECTING, State.READY, "", Evidence.SEEN))
        peer = f"ipv4:{channel.address}"
        journal.append(Attempt(channel, 7 + channel.number, peer, time, time + 4_000_000, Outcome.READY, "", Evidence.SEEN))
        time, previous = time + step, State.READY


def _refused(journal: Journal, channel: ChannelIdentity, changes: int) -> None:
    journal.append(Transition(START + SECOND, channel, State.IDLE, State.CONNECTING, "", Evidence.SEEN))
    time, previous = START + SECOND, State.CONNECTING
    for turn in range(changes):
        at = time + 2_000_000
        journal.append(Transition(at, channel, previous, State.TRANSIENT_FAILURE, REFUSED, Evidence.SEEN))
        journal.append(Attempt(channel, 7, f"ipv4:{channel.address}", time, at, Outcome.FAILED, REFUSED, Evidence.SEEN))
        previous = State.TRANSIENT_FAILURE
        wait = min(1.6**turn, 120.0) * (3.0 if turn == 2 else 0.9 + turn % 3 / 10)  # one of them is none that the specification allows
        time += round(wait * SECOND)
