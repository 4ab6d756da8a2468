"""A comm that notes what is sent over it, in place of the one to a browser."""

from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm, CommManager


class FakeComm(BaseComm):
    """Keeps what the kernel publishes: (kind, data, buffers)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        self.model: str = kwargs["data"]["state"]["_model_name"]
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        self.sent.append((msg_type, data or {}, [bytes(buffer) for buffer in buffers or ()]))

    @property
    def customs(self) -> list[tuple[dict[str, Any], bytes]]:
        """Head and records of each custom message."""
        return [(data["content"], buffers[0]) for _, data, buffers in self.sent if data.get("method") == "custom"]

    def hear(self, content: dict[str, Any]) -> None:
        """As if the browser had sent a custom message."""
        self.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@pytest.fixture
def comms(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeComm]]:
    """Every comm of a view that the test opens; all must be closed at its end, those of layouts too."""
    opened: list[FakeComm] = []
    manager = CommManager()

    def create(*args: Any, **kwargs: Any) -> FakeComm:
        made = FakeComm(*args, **kwargs)
        manager.register_comm(made)
        if made.model == "AnyModel":
            opened.append(made)
        return made

    monkeypatch.setattr(comm, "create_comm", create)
    monkeypatch.setattr(comm, "get_comm_manager", lambda: manager)
    yield opened
    assert not manager.comms, "a comm was left open"
