"""What the tests of the lab share: a lab, calls to its modules, and whether processes are gone."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import psutil
import pytest

from tinypool_nb.lab import Lab
from tinypool_nb.wire import module_pb2, module_pb2_grpc

OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@contextmanager
def opened(address: str, *options: tuple[str, Any]) -> Iterator[grpc.Channel]:
    channel = grpc.insecure_channel(address, options=(*OPTIONS, *options))
    yield channel
    channel.close()


def asked(channel: grpc.Channel, payload: bytes = b"", timeout: float = 5.0) -> dict[str, Any]:
    request = module_pb2.MessageRequest(ID="1", From="test", To="here", Payload=payload)
    answer = module_pb2_grpc.ModuleServiceStub(channel).Message(request, timeout=timeout)
    return dict(json.loads(answer.Data))


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """Ask an address who it is, over a connection of one's own; None in place of an answer: unreachable."""

    def ask(address: str, timeout: float = 5.0) -> dict[str, Any]:
        with opened(address) as channel:
            return asked(channel, timeout=timeout)

    return ask


@pytest.fixture
def channel_to() -> Callable[..., Any]:
    return opened


@pytest.fixture
def gone() -> Callable[[Iterable[int]], bool]:
    """Whether all processes vanish within some seconds. A zombie that nobody reaps, as in a container, has vanished."""

    def gone(pids: Iterable[int], seconds: float = 10.0) -> bool:
        deadline = time.monotonic() + seconds
        while any(map(_lives, pids)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)  # the end of another's child sends no event
        return True

    return gone


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start_call() -> Callable[..., Any]:
    """Begin a call that takes a while; it is under way on the server when this returns."""

    def start_call(channel: grpc.Channel, *, delay: float) -> Any:
        # A call on the same connection that is answered has been read after it.
        request = module_pb2.MessageRequest(Payload=json.dumps({"delay": delay}).encode())
        call = module_pb2_grpc.ModuleServiceStub(channel).Message.future(request, timeout=60)
        asked(channel)
        return call

    return start_call
