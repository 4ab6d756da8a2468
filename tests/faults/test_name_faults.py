"""Faults of names: they want to be markup, code, another line of a log, or nothing at all. `tests/security` shows them to browsers too."""

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import wait
from tests.security.corpus import CONTROL, HOSTILE
from tinypool_nb import ModuleNameError
from tinypool_nb.core.diagnosis.causes import Cause

if TYPE_CHECKING:
    from tests.faults.conftest import Scene

NAMES = {what: name for what, name in HOSTILE.items() if "/" not in name}
REFUSED = {"empty": "", "blank at its end": "web ", "two parts": "a/b", "1,001 characters": "n" * 1_001} | CONTROL


class Parsed(HTMLParser):
    """Which elements a page has, which handlers, and what it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.handlers: set[str] = set()
        self.shown = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.fault(36)
def test_hostile_names_are_shown_as_text(scene: "Scene") -> None:
    module = scene.lab.start("plain")
    for name in NAMES.values():
        scene.pool.register(name, module.address)
    scene.pool.health_check()
    wait(lambda: set(map(str, scene.pool.health().values())) == {"READY"})
    assert set(scene.pool.connections()["module"]) == set(NAMES.values())
    pages = {
        "the pool": scene.pool._repr_mimebundle_()["text/html"],
        **{f"the explanation of {what}": scene.pool.explain(name)._repr_mimebundle_()["text/html"] for what, name in NAMES.items()},
    }
    for where, page in pages.items():
        parsed = Parsed(page)
        assert not parsed.elements & {"script", "iframe", "object", "embed", "form", "base", "meta", "link"}, where
        assert not parsed.handlers, where
    assert "<b>bold" in "".join(Parsed(page).shown for page in pages.values()) or "bold" not in NAMES
    figure = json.loads(scene.pool.timeline().to_json())
    assert figure["data"]
    assert "<script" not in json.dumps(figure["layout"])
    scene.explains(NAMES["quotes"], Cause.SHARED_ADDRESS, "shares its address")
    scene.saw(
        f"{len(NAMES)} of the corpus (markup, scripts, quotes, emoji, right to left, 300 characters) are registered, connected and shown "
        "as text in tables, explanations and figures; tests/security shows them to a browser, to reports and to Prometheus"
    )


@pytest.mark.fault(36)
def test_names_that_nobody_could_read_are_refused(scene: "Scene") -> None:
    module = scene.lab.start("plain")
    rules = set()
    for name in REFUSED.values():
        with pytest.raises(ModuleNameError) as refused:
            scene.pool.register(name, module.address)
        told = str(refused.value)
        assert told.isprintable()
        assert len(told) < 400
        rules.add(told.partition(": ")[2] or told)
    assert len(scene.pool) == 0
    scene.saw(
        f"{len(REFUSED)} are refused: empty, blanks at the ends, '/', control characters, over 1,000 characters; {min(rules, key=len)}"
    )
    scene.recovers(scene.connect(module))
