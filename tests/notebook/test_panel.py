"""The panel of a real pool under a fake browser: what is displayed where, what stays, and that nothing else does."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from traitlets.config import Config

import tinypool_nb as tp
from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.widgets import places
from tinypool_nb.widgets.panel import Panel
from tinypool_nb.widgets.still import REPLAY

__all__ = ["fake_browser"]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def shell(fake_browser: FakeBrowser) -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    yield made
    tp.close_all()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, code: str) -> list[RichOutput]:
    with capture_output() as captured:
        result = shell.run_cell(code, store_history=True)
        result.raise_error()
    return captured.outputs


def wait_for(is_so: Callable[[], bool]) -> None:
    never = threading.Event()
    for _ in range(500):
        if is_so():
            return
        never.wait(0.01)
    pytest.fail("it did not come")


def test_the_bundle_has_the_view_and_a_picture_and_a_table_with_their_words(fake_browser: FakeBrowser) -> None:
    with tp.Pool() as pool:
        pool.register("http-module-v1", NOWHERE)
        bundle = pool.panel()._repr_mimebundle_()
        assert set(bundle) == {WIDGET_VIEW, REPLAY, "text/html", "text/plain"}
        assert '<img alt="A timeline of the gRPC connections of 1 module' in bundle["text/html"]
        assert 'src="data:image/svg+xml;base64,' in bundle["text/html"]
        assert '<tbody data-state="IDLE">' in bundle["text/html"]
        assert "http-module-v1  ○ IDLE" in bundle["text/plain"]


def test_each_call_gives_the_same_panel_until_it_is_closed(fake_browser: FakeBrowser) -> None:
    pool = tp.Pool()
    first = pool.panel()
    assert pool.panel() is first
    assert repr(first.summary) == "<Summary: No modules are registered>"
    first.close()
    second = pool.panel()
    assert second is not first
    pool.close()
    assert second.closed
    pool.close()
    with pytest.raises(tp.PoolClosedError):
        pool.panel()


def test_a_pool_that_nobody_holds_takes_its_panel_with_it(fake_browser: FakeBrowser) -> None:
    pool = tp.Pool()
    pool.register("http-module-v1", NOWHERE)
    panel, alive = pool.panel(), weakref.ref(pool)
    fake_browser.say(panel.summary, {"kind": "hello"})
    del pool
    gc.collect()
    assert alive() is None
    wait_for(lambda: fake_browser.open == {})
    assert panel.closed
    with pytest.raises(tp.PoolClosedError):
        panel.sections["Connections"].register("a", NOWHERE)


def test_the_summary_tells_what_changes(fake_browser: FakeBrowser) -> None:
    with tp.Pool() as pool:
        summary = pool.panel().summary
        pool.register("http-module-v1", NOWHERE)
        wait_for(lambda: summary.counts == [("IDLE", 1)])
        assert summary.news == "http-module-v1 is IDLE. 1 module: 1 IDLE"
        pool.unregister("http-module-v1")
        wait_for(lambda: summary.headline == "No modules are registered")
        assert "http-module-v1 is no longer registered" in summary.news


def test_sections_fold_by_method(fake_browser: FakeBrowser) -> None:
    with tp.Pool() as pool:
        panel = pool.panel()
        panel.fold("Timeline")
        assert panel.headings["Timeline"].folded
        panel.fold("Timeline", folded=False)
        assert not panel.headings["Timeline"].folded
        with pytest.raises(KeyError):
            panel.fold("<b>")


def test_each_place_is_a_picture_and_below_it_the_view(fake_browser: FakeBrowser, shell: InteractiveShell) -> None:
    shell.user_ns["pool"] = tp.Pool()
    picture, view = run(shell, "pool.panel()")
    assert WIDGET_VIEW not in picture.data
    assert "no modules are registered" in picture.data["text/html"]
    assert WIDGET_VIEW in view.data
    assert view.data["text/html"] == view.data["text/plain"] == ""


def test_without_a_browser_each_cell_leaves_the_last_state(fake_browser: FakeBrowser, shell: InteractiveShell) -> None:
    shell.user_ns["pool"] = pool = tp.Pool()
    picture, view = run(shell, "pool.panel()")
    gone, last = run(shell, f"pool.register('http-module-v1', '{NOWHERE}')")
    assert gone.update
    assert gone.transient == view.transient
    assert WIDGET_VIEW not in gone.data  # nobody is there to draw it, and stock nbconvert would try
    assert last.update
    assert last.transient == picture.transient
    assert 'data-state="IDLE"' in last.data["text/html"]
    pool.close()
    assert shell.events.callbacks["post_run_cell"] == []


def test_a_browser_that_comes_late_gets_the_view_back(
    fake_browser: FakeBrowser, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "REST", 0)
    shell.user_ns["pool"] = tp.Pool()
    _, view = run(shell, "panel = pool.panel(); panel")
    run(shell, f"pool.register('http-module-v1', '{NOWHERE}')")
    panel: Panel = shell.user_ns["panel"]
    over = threading.Event()
    with capture_output() as captured:
        fake_browser.say(panel.summary, {"kind": "hello"})
        panel._worker.do(over.set)
        assert over.wait(5)
    (back,) = captured.outputs
    assert back.transient == view.transient
    assert WIDGET_VIEW in back.data
    (picture,) = run(shell, "pool.unregister('http-module-v1')")  # behind the view, which stays
    assert "no modules are registered" in picture.data["text/html"]
    frozen = run(shell, "panel.freeze()")
    assert [(output.update, WIDGET_VIEW in output.data) for output in frozen] == [(True, False)] * 2
    assert 'alt="A timeline' in frozen[0].data["text/html"]
    assert run(shell, "pool.close()") == []  # there is no place left to write to


def test_it_may_be_displayed_twice_and_closing_leaves_the_last_state_at_both(fake_browser: FakeBrowser, shell: InteractiveShell) -> None:
    shell.user_ns["pool"] = pool = tp.Pool()
    pool.register("http-module-v1", NOWHERE)
    first, second = run(shell, "pool.panel()"), run(shell, "pool.panel()")
    assert [output.transient for output in first] == [output.transient for output in second[:2]]
    picture, view = run(shell, "pool.close()")
    assert [picture.transient, view.transient] == [output.transient for output in first]
    assert WIDGET_VIEW not in view.data
    assert '<tbody data-state="IDLE">' in picture.data["text/html"]  # the table of the moment before, not an empty one


class TerminalInteractiveShell(InteractiveShell):
    """What IPython's own of that name is to us, without a terminal."""


def test_a_terminal_gets_the_words_once(fake_browser: FakeBrowser) -> None:
    shell = TerminalInteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    try:
        shell.user_ns["pool"] = pool = tp.Pool()
        (shown,) = run(shell, "pool.panel()")
        assert "no modules are registered" in shown.data["text/plain"]
        assert run(shell, f"pool.register('http-module-v1', '{NOWHERE}')") == []
        pool.close()
    finally:
        TerminalInteractiveShell.clear_instance()


def test_hostile_names_are_text_in_every_form(fake_browser: FakeBrowser) -> None:
    name = '<img src=x onerror="alert(1)">'
    with tp.Pool() as pool:
        pool.register(name, NOWHERE)
        panel = pool.panel()
        bundle = panel._repr_mimebundle_()
        assert name not in bundle["text/html"]
