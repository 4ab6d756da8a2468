"""The explanation widget under a fake browser: what is asked, what is told, and that it keeps up."""

import threading
from collections.abc import Callable

import pytest

from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.notebook.pool import Pool
from tinypool_nb.widgets.explaining import ExplanationView

__all__ = ["fake_browser"]


def wait_for(is_so: Callable[[], bool]) -> None:
    never = threading.Event()
    for _ in range(500):
        if is_so():
            return
        never.wait(0.01)
    pytest.fail("it did not come")


def test_a_choice_is_explained_and_kept_up_to_date(fake_browser: FakeBrowser) -> None:
    with Pool() as pool:
        pool.register("http-module-v1", "127.0.0.1:1")
        view = pool.panel().sections["Explanation"]
        assert isinstance(view, ExplanationView)
        assert fake_browser.heard(view) == [], "nobody would hear it"
        fake_browser.say(view, {"v": 1, "kind": "hello"})
        wait_for(lambda: bool(fake_browser.heard(view, "modules")))
        assert fake_browser.heard(view, "modules")[-1]["modules"] == [[[None, "http-module-v1"], "http-module-v1"]]
        fake_browser.say(view, {"v": 1, "kind": "explain", "key": [None, "http-module-v1"]})
        wait_for(lambda: bool(fake_browser.heard(view, "explanation")))
        told = fake_browser.heard(view, "explanation")[-1]
        assert (told["key"], told["verdict"], told["look"]) == ([None, "http-module-v1"], "nothing wrong: idle", "good")
        pool.health_check()  # nobody asks again
        wait_for(lambda: fake_browser.heard(view, "explanation")[-1]["verdict"] == "cannot be reached: refused")
        assert fake_browser.heard(view, "explanation")[-1]["findings"][0]["see"]["url"].startswith("https://")
        count = len(fake_browser.heard(view))
        fake_browser.say(view, {"v": 1, "kind": "hello"})  # the page was reloaded: it gets all anew
        wait_for(lambda: {each["kind"] for each in fake_browser.heard(view)[count:]} == {"modules", "explanation"})
        assert repr(view) == "<ExplanationView of http-module-v1>"


def test_what_cannot_be_explained_says_so(fake_browser: FakeBrowser) -> None:
    with Pool() as pool:
        view = pool.panel().sections["Explanation"]
        fake_browser.say(view, {"v": 1, "kind": "hello"})
        for nonsense in ({"kind": "explain"}, {"v": 1, "kind": "explain", "key": "x"}, {"v": 1, "kind": "explain", "key": [1, 2]}, "x"):
            fake_browser.say(view, nonsense)  # type: ignore[arg-type]
        fake_browser.say(view, {"v": 1, "kind": "explain", "key": [None, "unknown"]})
        wait_for(lambda: bool(fake_browser.heard(view, "failed")))
        assert fake_browser.heard(view, "failed")[-1]["text"].startswith("no module")
        assert fake_browser.heard(view, "explanation") == []
