"""A recording is played in a real JupyterLab, by mouse, by key and from Python."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

RECORD = """\
import tinypool_nb as tp
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.events import ChannelIdentity, Evidence, Mark, MarkKind, Transition
from tinypool_nb.journal.journal import Journal
from tinypool_nb.notebook.record import Record

SECOND, BEGIN = 10**9, 1_767_614_400 * 10**9
channel = ChannelIdentity(1, tp.ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
journal = Journal(clock=Clock(BEGIN + 100 * SECOND, lambda: 0))
previous = None
for at, state in [(0, "IDLE"), (10, "CONNECTING"), (11, "READY"), (50, "IDLE"), (60, "CONNECTING"), (61, "TRANSIENT_FAILURE")]:
    state = tp.State(state)
    journal.append(Transition(BEGIN + at * SECOND, channel, previous, state, "", Evidence.SEEN))
    previous = state
journal.append(Mark(BEGIN + 30 * SECOND, MarkKind.NOTE, "deployed <b>v2</b>", None))
Record(journal).save("replay.parquet")
record = tp.open_recording("replay.parquet")
replay = record.panel()
replay"""

KNOWN = """\
import asyncio
while replay.playing or round(replay.position) != 100:
    await asyncio.sleep(0.01)
"the kernel knows it" """


@pytest.mark.browser
@pytest.mark.slow
def test_a_recording_is_played_and_scrubbed(open_notebook: "OpenNotebook") -> None:
    from playwright.sync_api import expect

    notebook = open_notebook([RECORD, KNOWN, "replay.position = 55.0", "replay.speed, replay.playing, round(replay.position)"])
    notebook.run()
    view = notebook.page.locator(".tinypool-live").first
    chip = view.locator("li[data-module='http-module-v1']")
    expect(chip).to_have_attribute("data-state", "TRANSIENT_FAILURE")  # all of it is in sight, at its end
    expect(view).to_have_attribute("data-status", "replay")
    view.get_by_role("button", name="To the mark before").click()
    expect(chip).to_have_attribute("data-state", "READY")
    expect(view.get_by_label("time in the recording")).to_contain_text("30.0 s of 1 min 40 s")
    expect(view).to_have_attribute("data-changes", "3")
    slider = view.get_by_role("slider", name="position in the recording")
    slider.press("Home")
    expect(chip).to_have_attribute("data-state", "IDLE")
    view.get_by_label("speed").select_option("600")
    view.get_by_role("application").press("Space")
    expect(chip).to_have_attribute("data-state", "TRANSIENT_FAILURE")
    expect(view.get_by_role("button", name="Play")).to_be_visible()  # it came to its end
    notebook.command("notebook:move-cursor-down")  # what was clicked had selected the first cell
    notebook.run()
    expect(notebook.cell(1).locator(".jp-OutputArea")).to_contain_text("the kernel knows it")
    notebook.run()
    expect(chip).to_have_attribute("data-state", "IDLE")
    notebook.run()
    expect(notebook.cell(3).locator(".jp-OutputArea")).to_contain_text("(600.0, False, 55)")
    assert view.locator("b", has_text="v2").count() == 0
