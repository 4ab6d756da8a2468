"""A fake browser for widgets: it hears what their comms send and says what people do."""

from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm, CommManager
from ipywidgets.widgets import widget


class FakeComm(BaseComm):
    """A comm whose messages are kept instead of sent."""

    def __init__(self, fake_browser: "FakeBrowser", **options: Any) -> None:
        self.fake_browser = fake_browser
        super().__init__(**options)

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        self.fake_browser.sent.append((self.comm_id, msg_type, data))
        if msg_type == "comm_open":
            self.fake_browser.open[self.comm_id] = self
        elif msg_type == "comm_close":
            self.fake_browser.open.pop(self.comm_id, None)


class FakeBrowser:
    """All comms of a test."""

    def __init__(self) -> None:
        self.open: dict[str, FakeComm] = {}
        self.sent: list[tuple[str, str, Any]] = []

    def say(self, shown: widget.Widget, content: dict[str, Any]) -> None:
        """A browser sends `content` to the widget."""
        shown.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    def heard(self, shown: widget.Widget, kind: str | None = None) -> list[dict[str, Any]]:
        """The custom messages that the widget has sent, in order."""
        contents = [
            data["content"] for number, sort, data in self.sent if number == shown.model_id and sort == "comm_msg" and "content" in data
        ]
        return [content for content in contents if kind in {None, content["kind"]}]


@pytest.fixture
def fake_browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBrowser]:
    """Catches the comms of all widgets; at the end none is open, and no widget is left."""
    made, manager = FakeBrowser(), CommManager()
    before = set(widget._instances)
    monkeypatch.setattr(comm, "create_comm", lambda **options: FakeComm(made, **options))
    monkeypatch.setattr(comm, "get_comm_manager", lambda: manager)
    yield made
    assert made.open == {}
    assert set(widget._instances) == before
