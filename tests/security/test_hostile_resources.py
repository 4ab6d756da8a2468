"""Hostile fields of TinyModule resources, through an API server into frames, marks, displays and the panel: text, and never dialled."""

import json
import time
from collections.abc import Callable

import pytest

import tinypool_nb as tp
from tests.security.corpus import ALL
from tests.security.test_markup import ATTRIBUTES, ELEMENTS, Reader
from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.lab import Kubernetes
from tinypool_nb.views import pictures

__all__ = ["fake_browser"]
Obeyed = Callable[[str], list[str]]
TEXTS = [text for text in ALL.values() if text]
PLACE = "127.0.0.1:1"


@pytest.mark.slow
def test_every_field_that_somebody_else_writes(fake_browser: FakeBrowser, obeyed: Obeyed) -> None:
    """Even numbers have a good address and hostile descriptions, odd ones a hostile address."""
    with tp.Lab(kubernetes=Kubernetes()) as lab, tp.Pool() as pool:
        for number, text in enumerate(TEXTS):
            component = {"name": text, "description": text, "info": text, "tags": [text]}
            addr = PLACE if number % 2 == 0 else text
            status = {"name": text, "version": text, "sdkVersion": text, "components": [component]}
            lab.resources.create(f"module-{number}", addr=addr, status=status, image=text)
        panel = pool.panel()
        pool.discover(kubeconfig=lab.kubeconfig).wait(20)
        frame = pool.modules().set_index("module")
        assert len(frame) == len(TEXTS)
        versions = {name: TEXTS[int(name.partition("-")[2])] for name in frame.index}
        assert all(text.startswith(frame["version"][name].rstrip("…")) for name, text in versions.items()), "the frame keeps what was said"
        good = {f"module-{number}" for number in range(0, len(TEXTS), 2)}
        assert {name for name, state in frame["state"].items() if state == "registered"} == good
        assert set(pool.connections()["address"]) == {PLACE}, "nobody's address was dialled"
        assert set(pool.marks()["module"].dropna()) == set(frame.index), "each is told of"
        standing = pool.discoveries()[0].status
        bundle = pool._repr_mimebundle_()
        for said in (bundle["text/plain"], repr(pool), str(pool), repr(pool.discoveries()), str(standing)):
            assert obeyed(said) == []
        timeline = pictures.timeline_text(pool.intervals(), pool.marks(), now=pool.journal.clock.now())
        assert obeyed(timeline) == []
        page = Reader(bundle["text/html"])
        assert page.elements <= ELEMENTS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        for shown in (frame, pool.marks()):
            assert Reader(shown.to_html()).elements <= {"table", "thead", "tbody", "tr", "th", "td"}
        with pytest.raises(tp.LabError):  # as a real one does
            lab.resources.patch("module-0", {"metadata": {"labels": {"x": ALL["script"]}}})
        # What the panel sends is data, of which test_package says that no script makes markup.
        for shown in panel.sections.values():
            fake_browser.say(shown, {"v": 1, "kind": "hello"})
        while not any("module-0" in str(data) for _, kind, data in fake_browser.sent if kind == "comm_msg"):
            time.sleep(0.005)
        for message in [data for _, kind, data in fake_browser.sent if kind == "comm_msg"]:
            assert obeyed(json.dumps(message, ensure_ascii=False, default=str)) == []
