"""The live table redraws every place where it is shown, and leaves a terminal in peace."""

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from traitlets.config import Config

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.live_table import LiveTable

CHANNEL = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:1", 1)


class TerminalInteractiveShell(InteractiveShell):
    """What IPython's own of that name is to us, without a terminal."""


@pytest.fixture
def _shell(request: pytest.FixtureRequest) -> Iterator[None]:
    shell: type[InteractiveShell] = getattr(request, "param", InteractiveShell)
    shell.instance(config=Config(HistoryManager={"enabled": False}))  # else it starts a thread for its history
    yield
    shell.clear_instance()


def shown_twice_then_changed() -> CapturedIO:
    """A table of an empty journal, shown twice; then a module becomes known."""
    journal = Journal()
    follower = Follower(journal)
    table = LiveTable(journal, follower)
    with capture_output() as captured:
        table._ipython_display_()
        table._ipython_display_()
        journal.append(Transition(journal.clock.now(), CHANNEL, None, State.IDLE, "", Evidence.SEEN))
        table.stop()
        follower.close()
    return captured


@pytest.mark.usefixtures("_shell")
def test_each_display_of_it_goes_on_living() -> None:
    first, second, *updates = shown_twice_then_changed().outputs
    assert first.transient["display_id"] == second.transient["display_id"]
    assert {update.transient["display_id"] for update in updates} == {first.transient["display_id"]}
    assert all(update.update for update in updates)
    assert 'data-state="IDLE"' in updates[-1].data["text/html"]


@pytest.mark.usefixtures("_shell")
@pytest.mark.parametrize("_shell", [TerminalInteractiveShell], indirect=True)
def test_a_terminal_is_not_written_to_between_two_commands() -> None:
    outputs = shown_twice_then_changed().outputs
    assert [output.data["text/plain"] for output in outputs] == ["no modules are registered"] * 2
