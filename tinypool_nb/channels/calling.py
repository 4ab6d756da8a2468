"""Send one message to a module, in either form of the wire; what gRPC says of a failure becomes an error of ours here and nowhere else.

The wire forms are those of `tinypool_nb/wire/module.proto`. Source: the page's Error Handling.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, get_args
from weakref import WeakKeyDictionary

import grpc

from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.channels.watched import Watched
from tinypool_nb.core.codes import Code
from tinypool_nb.core.decisions import Operation, Status
from tinypool_nb.core.failures import Wire, answered_error, not_ready, send_error
from tinypool_nb.core.options import DAY
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import clean
from tinypool_nb.errors import Failure, OptionsError, PoolClosedError, SendError
from tinypool_nb.wire import module_pb2

log = logging.getLogger("tinypool_nb.pool")

DEPTH = "x-message-depth"
"""The metadata key that carries the hop count."""
LOGGED = {
    "UNAVAILABLE": "module unavailable: %(module)s at %(address)s, %(state)s (%(reason)s)",
    "DEADLINE_EXCEEDED": "request timed out: %(module)s at %(address)s, %(state)s (%(reason)s)",
}
"""The failures that the page logs, in its words."""
FORMS = get_args(Wire)


class Message(NamedTuple):
    """What is to be sent; the fields are described at `ClientPool.send`."""

    to: str
    payload: bytes | str
    timeout: float | None
    wire: Wire
    wait_for_ready: bool
    sender: str
    edge: str
    depth: int

    def check(self) -> None:
        """Refuse what could not be sent.

        Raises:
            OptionsError: with the field, the value and the rule.
        """
        timeout = self.timeout
        for name in ("to", "sender", "edge"):
            if not isinstance(getattr(self, name), str):
                raise OptionsError(name, getattr(self, name), "a str")
        if not isinstance(self.payload, bytes | str):
            raise OptionsError("payload", self.payload, "bytes, or a str that is sent as UTF-8; json.dumps(...) makes one of an object")
        if not isinstance(self.depth, int) or isinstance(self.depth, bool) or self.depth < 0:
            raise OptionsError("depth", self.depth, "a count of hops: an int, 0 or more")
        if self.wire not in FORMS:
            raise OptionsError("wire", self.wire, f"one of {', '.join(FORMS)}")
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= DAY):
            raise OptionsError("timeout", timeout, "a number of seconds, more than 0 and at most 86400, or None")

    def request(self) -> module_pb2.MessageRequest | module_pb2.Message:
        """The message in the form of its wire."""
        payload = self.payload.encode() if isinstance(self.payload, str) else self.payload
        if self.wire == "message":
            return module_pb2.MessageRequest(From=self.sender, To=self.to, Payload=payload, EdgeID=self.edge)
        sender: Any = {"from": self.sender}  # a word that Python keeps for itself
        return module_pb2.Message(to=self.to, data=payload, **sender)

    def settings(self) -> tuple[Any, ...]:
        """What goes with the request, in the order of gRPC's arguments: timeout, metadata, credentials, wait_for_ready."""
        metadata = ((DEPTH, str(self.depth)),) if self.depth else None
        return self.timeout, metadata, None, True if self.wait_for_ready else None


class Sender:
    """Sends to the modules of one pool. Thread-safe.

    Parameters:
        modules: who is registered.
        catch_up: makes the record of one channel complete.
        count: told of each `send` and whether it ended "ok" or in "error".
    """

    def __init__(self, modules: Modules, catch_up: Callable[[Watched], None], count: Callable[[Operation, Status], None]) -> None:
        self._modules = modules
        self._catch_up = catch_up
        self._count = count
        self._lines: WeakKeyDictionary[PooledChannel, Line] = WeakKeyDictionary()

    def send(self, asked: object, sent: Message) -> bytes:
        """Send, wait for the answer and return it.

        Raises:
            SendError: its subclass says what can be done.
            UnknownModuleError, AmbiguousModuleError, OptionsError, PoolClosedError
        """
        try:
            line = self._begin(asked, sent)
            try:
                answer = line.call(sent)
            except (grpc.RpcError, AnsweredWithErrorError) as error:
                raise self._error(line.channel, sent, error) from error
        except BaseException:
            self._count("send", "error")
            raise
        self._count("send", "ok")
        return answer

    async def send_async(self, asked: object, sent: Message) -> bytes:
        """As `send`, for a coroutine; one that is cancelled gives the call up."""
        try:
            line = self._begin(asked, sent)
            try:
                answer = await line.call_async(sent)
            except (grpc.RpcError, AnsweredWithErrorError) as error:
                raise self._error(line.channel, sent, error) from error
        except BaseException:
            self._count("send", "error")
            raise
        self._count("send", "ok")
        return answer

    def _begin(self, asked: object, sent: Message) -> "Line":
        """Where to send it, if all is well with the message and the connection; the page's check before sending."""
        if self._modules.is_closed:
            raise PoolClosedError("send")
        sent.check()
        face = self._modules.faces.get(asked)
        if face is None:
            self._modules.need(asked)  # raises, unless it was registered just now
            face = self._modules.faces[asked]
        line = self._lines.get(face)
        if line is None:
            line = self._lines[face] = Line(face)
        if not sent.wait_for_ready:
            watched = self._modules.channel(face.identity.key)
            if watched is not None:  # else the call itself says that the module is gone
                state = watched.look()
                if state is not State.READY and state is not State.IDLE and not watched.held:  # if it is held, the call itself says so
                    raise not_ready(self._failure(face, watched, state))
        return line

    def _error(self, channel: PooledChannel, sent: Message, error: Exception) -> SendError:
        """What to raise for a message that was sent and not answered well."""
        watched = self._modules.channel(channel.identity.key)  # which may be another one meanwhile, or none
        state = State.SHUTDOWN if watched is None else watched.look()
        if isinstance(error, AnsweredWithErrorError):
            return answered_error(self._failure(channel, watched, state, Code.OK, str(error)))
        assert isinstance(error, grpc.Call)
        code = error.code().name
        failure = self._failure(channel, watched, state, code, clean(error.details() or ""))
        if code in LOGGED:
            fields = {name: getattr(failure, name) for name in ("module", "address", "state", "code", "reason")}
            log.error(LOGGED[code], fields, extra={"tinypool": fields})
        return send_error(failure, wire=sent.wire, timeout=sent.timeout)

    def _failure(self, channel: PooledChannel, watched: Watched | None, state: State, code: str = "", reason: str = "") -> Failure:
        last = ""
        if watched is not None:
            if watched.state is not state:
                self._catch_up(watched)  # else the last failure may be that of the time before
            last = watched.last_reason
        return Failure(str(channel.identity.key), channel.identity.address, str(state), code, reason, last)


class Line:
    """One module's two methods on its pooled channel, made once."""

    def __init__(self, channel: PooledChannel) -> None:
        self.channel = channel
        request, response = module_pb2.MessageRequest, module_pb2.MessageResponse
        note, answer = module_pb2.Message, module_pb2.Response
        self._methods: dict[Wire, Any] = {
            "message": channel.unary_unary(
                "/module.ModuleService/Message", request.SerializeToString, response.FromString, _registered_method=True
            ),
            "send": channel.unary_unary("/module.ModuleService/Send", note.SerializeToString, answer.FromString, _registered_method=True),
        }

    def call(self, sent: Message) -> bytes:
        """Send and wait for the answer.

        Raises:
            grpc.RpcError: it was not answered.
            AnsweredWithErrorError: it was, with an error in the answer.
        """
        return _read(self._methods[sent.wire](sent.request(), *sent.settings()))

    async def call_async(self, sent: Message) -> bytes:
        """As `call`, without a thread: the loop is told when the call has ended. A coroutine that is cancelled gives the call up."""
        call = self._methods[sent.wire].future(sent.request(), *sent.settings())
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        call.add_done_callback(tell)
        try:
            await ended.wait()
        finally:
            call.cancel()  # does nothing to a call that has ended
        return _read(call.result())


class AnsweredWithErrorError(Exception):
    """The module answered, and its answer is an error; for this file only."""


def _read(answer: Any) -> bytes:
    if isinstance(answer, module_pb2.MessageResponse):
        return answer.Data
    if answer.error:
        raise AnsweredWithErrorError(answer.error)
    return answer.data  # type: ignore[no-any-return]
