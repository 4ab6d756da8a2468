"""What a module of the lab answers: who it is and what it heard, or whatever the payload asks it to do."""

# ruff: noqa: N802  # the methods are named as on the wire
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tinypool_nb.wire import module_pb2, module_pb2_grpc

DEPTH = "x-message-depth"
"""The metadata key that carries the hop count in the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a payload asks for: a JSON object with any of these keys. Every other payload asks for nothing and is echoed.

    >>> Wish.read(b'{"delay": 0.5, "status": "RESOURCE_EXHAUSTED"}').delay
    0.5
    >>> Wish.read(b"hello") == Wish()
    True
    """

    delay: float = 0.0
    """Seconds before each answer."""
    status: str = "OK"
    """The name of the status to return, as in grpc.StatusCode."""
    details: str = ""
    """The text that goes with the status."""
    length: int | None = None
    """The key `bytes`: the answer is that many bytes, all "x"; None: the usual answer."""
    error: str = ""
    """For Send: the text of `Response.error`, which is no status."""
    times: int = 1
    """For Repeat: how many answers; a status comes after them."""

    @classmethod
    def read(cls, payload: bytes) -> "Wish":
        """The wish in a payload."""
        try:
            asked = json.loads(payload)
            return cls(
                delay=float(asked.get("delay", 0.0)),
                status=str(asked.get("status", "OK")),
                details=str(asked.get("details", "")),
                length=int(asked["bytes"]) if "bytes" in asked else None,
                error=str(asked.get("error", "")),
                times=int(asked.get("times", 1)),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def fulfil(self, context: grpc.ServicerContext) -> None:
        """Wait, and end the call with the status that is asked for; return if an answer is due."""
        self.wait(context)
        self.end(context)

    def wait(self, context: grpc.ServicerContext) -> None:
        """Wait for `delay`; a call that its caller gives up meanwhile ends at once."""
        if self.delay:
            ended = threading.Event()
            if not context.add_callback(ended.set) or ended.wait(self.delay):
                context.abort(grpc.StatusCode.CANCELLED, "nobody waits for the answer")

    def end(self, context: grpc.ServicerContext) -> None:
        """End the call with `status`, unless that is OK."""
        code = {code.name: code for code in grpc.StatusCode}.get(self.status)
        if code is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"there is no status {self.status!r}")
        if code is not grpc.StatusCode.OK:
            context.abort(code, self.details or "as the payload asked")


class ModuleServicer(module_pb2_grpc.ModuleServiceServicer, module_pb2_grpc.StreamServiceServicer):
    """Both wire forms and the streams."""

    def __init__(self, name: str, replica: int, port: int) -> None:
        self._who = {"module": name, "replica": replica, "port": port, "pid": os.getpid()}

    def _answer(self, wish: Wish, context: grpc.ServicerContext, **heard: str) -> bytes:
        if wish.length is not None:
            return b"x" * wish.length
        depth = next((value for key, value in context.invocation_metadata() if key == DEPTH), None)
        return json.dumps({**self._who, **heard, "depth": depth}).encode()

    def _answer_message(self, request: module_pb2.MessageRequest, wish: Wish, context: grpc.ServicerContext) -> module_pb2.MessageResponse:
        heard = {"id": request.ID, "from": request.From, "to": request.To, "edge": request.EdgeID, "payload": _text(request.Payload)}
        return module_pb2.MessageResponse(Data=self._answer(wish, context, wire="message", **heard))

    def Message(self, request: module_pb2.MessageRequest, context: grpc.ServicerContext) -> module_pb2.MessageResponse:
        """The form in the field."""
        wish = Wish.read(request.Payload)
        wish.fulfil(context)
        return self._answer_message(request, wish, context)

    def Send(self, request: module_pb2.Message, context: grpc.ServicerContext) -> module_pb2.Response:
        """The form in the docs."""
        wish = Wish.read(request.data)
        wish.fulfil(context)
        heard = {"from": getattr(request, "from"), "to": request.to, "payload": _text(request.data)}
        return module_pb2.Response(data=self._answer(wish, context, wire="send", **heard), error=wish.error)

    def Repeat(self, request: module_pb2.MessageRequest, context: grpc.ServicerContext) -> Iterator[module_pb2.MessageResponse]:
        """The same answer `times` times, each after `delay`."""
        wish = Wish.read(request.Payload)
        for _ in range(wish.times):
            wish.wait(context)
            yield self._answer_message(request, wish, context)
        wish.end(context)

    def Collect(self, request_iterator: Iterable[module_pb2.MessageRequest], context: grpc.ServicerContext) -> module_pb2.MessageResponse:
        """One answer to all: their payloads in one, and the wish of the last."""
        requests = list(request_iterator)
        last = requests[-1] if requests else module_pb2.MessageRequest()
        wish = Wish.read(last.Payload)
        wish.fulfil(context)
        last.Payload = b"".join(request.Payload for request in requests)
        return self._answer_message(last, wish, context)

    def Converse(
        self, request_iterator: Iterable[module_pb2.MessageRequest], context: grpc.ServicerContext
    ) -> Iterator[module_pb2.MessageResponse]:
        """An answer to each, as its payload wishes."""
        for request in request_iterator:
            wish = Wish.read(request.Payload)
            wish.fulfil(context)
            yield self._answer_message(request, wish, context)


def _text(payload: bytes) -> str:
    return payload.decode(errors="replace")


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # its package ships no types
    """Always SERVING, as the modules in the field say; their Watch sends one message and ends."""

    def Check(self, _request: health_pb2.HealthCheckRequest, _context: grpc.ServicerContext) -> health_pb2.HealthCheckResponse:
        """SERVING."""
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    def Watch(self, _request: health_pb2.HealthCheckRequest, _context: grpc.ServicerContext) -> Iterator[health_pb2.HealthCheckResponse]:
        """SERVING, once."""
        yield self.Check(_request, _context)
