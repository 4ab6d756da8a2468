"""Send one message to a module, in either form of the wire; what gRPC says of a failure becomes an error of ours here and nowhere else.

The wire forms are those of `tinypool_nb/wire/module.proto`. Source: the page's Error Handling.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, get_args
from weakref import WeakKeyDictionary

import grpc

from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.channels.watched import Watched
from tinypool_nb.core.codes import Code
from tinypool_nb.core.failures import Wire, answered_error, not_ready, send_error
from tinypool_nb.core.keys import unknown
from tinypool_nb.core.options import DAY
from tinypool_nb.core.states import State
from tinypool_nb.core.tracing import clean
from tinypool_nb.errors import Failure, OptionsError, SendError
from tinypool_nb.wire import module_pb2

log = logging.getLogger("tinypool_nb.pool")

DEPTH = "x-message-depth"
"""The metadata key that carries the hop count."""
LOGGED = {
    "UNAVAILABLE": "module unavailable: %(module)s at %(address)s, %(state)s (%(reason)s)",
    "DEADLINE_EXCEEDED": "request timed out: %(module)s at %(address)s, %(state)s (%(reason)s)",
}
"""The failures that the page logs, in its words."""
SENDABLE = frozenset({State.READY, State.IDLE})
"""The states in which the page sends: connected, or about to connect with this very call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be sent; the fields are described at `ClientPool.send`.

    Raises:
        OptionsError: with the field, the value and the rule; nothing was sent.
    """

    to: str
    payload: bytes | str
    timeout: float | None
    wire: Wire
    wait_for_ready: bool
    sender: str
    edge: str
    depth: int

    def __post_init__(self) -> None:
        for name in ("to", "sender", "edge"):
            if not isinstance(getattr(self, name), str):
                raise OptionsError(name, getattr(self, name), "a str")
        if not isinstance(self.payload, bytes | str):
            raise OptionsError("payload", self.payload, "bytes, or a str that is sent as UTF-8; json.dumps(...) makes one of an object")
        if not isinstance(self.depth, int) or isinstance(self.depth, bool) or self.depth < 0:
            raise OptionsError("depth", self.depth, "a count of hops: an int, 0 or more")
        if self.wire not in get_args(Wire):
            raise OptionsError("wire", self.wire, f"one of {', '.join(get_args(Wire))}")
        timeout = self.timeout
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= DAY):
            raise OptionsError("timeout", timeout, "a number of seconds, more than 0 and at most 86400, or None")

    @property
    def request(self) -> module_pb2.MessageRequest | module_pb2.Message:
        """The message in the form of its wire."""
        payload = self.payload.encode() if isinstance(self.payload, str) else self.payload
        if self.wire == "message":
            return module_pb2.MessageRequest(From=self.sender, To=self.to, Payload=payload, EdgeID=self.edge)
        sender: Any = {"from": self.sender}  # a word that Python keeps for itself
        return module_pb2.Message(to=self.to, data=payload, **sender)

    @property
    def how(self) -> dict[str, Any]:
        """The keyword arguments of the call."""
        metadata = ((DEPTH, str(self.depth)),) if self.depth else None
        return {"timeout": self.timeout, "metadata": metadata, "wait_for_ready": True if self.wait_for_ready else None}


class Sender:
    """Sends to the modules of one pool. Thread-safe.

    Parameters:
        modules: who is registered.
        catch_up: makes the record of one channel complete.
        count: told of each `send` and whether it ended "ok" or in "error".
    """

    def __init__(self, modules: Modules, catch_up: Callable[[Watched], None], count: Callable[[str, str], None]) -> None:
        self._modules = modules
        self._catch_up = catch_up
        self._count = count
        self._lines: WeakKeyDictionary[PooledChannel, Line] = WeakKeyDictionary()

    def send(self, asked: object, sent: Message) -> bytes:
        """Send, wait for the answer and return it.

        Raises:
            SendError: its subclass says what can be done.
            UnknownModuleError, AmbiguousModuleError
        """
        with self._counted():
            watched = self._begin(asked, sent)
            try:
                return self._line(watched).call(sent)
            except (grpc.RpcError, AnsweredWithErrorError) as error:
                raise self._error(watched, sent, error) from error

    async def send_async(self, asked: object, sent: Message) -> bytes:
        """As `send`, for a coroutine; one that is cancelled gives the call up."""
        with self._counted():
            watched = self._begin(asked, sent)
            try:
                return await self._line(watched).call_async(sent)
            except (grpc.RpcError, AnsweredWithErrorError) as error:
                raise self._error(watched, sent, error) from error

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._count("send", "error")
            raise
        self._count("send", "ok")

    def _begin(self, asked: object, sent: Message) -> Watched:
        """The channel to send on, if it is in a state to; the page's check before sending."""
        key = self._modules.need(asked)
        watched = self._modules.channel(key)
        if watched is None:  # it was unregistered in between
            raise unknown(self._modules.keys(), asked)
        state = watched.look()
        if state not in SENDABLE and not sent.wait_for_ready:
            raise not_ready(self._failure(watched, state, "", ""))
        return watched

    def _line(self, watched: Watched) -> "Line":
        line = self._lines.get(watched.face)
        if line is None:
            line = self._lines[watched.face] = Line(watched.face)
        return line

    def _error(self, watched: Watched, sent: Message, error: Exception) -> SendError:
        now = self._modules.channel(watched.identity.key)  # its channel may have been replaced meanwhile, or taken away
        state = State.SHUTDOWN if now is None else now.look()
        if isinstance(error, AnsweredWithErrorError):
            return answered_error(self._failure(now or watched, state, Code.OK, str(error)))
        assert isinstance(error, grpc.Call)
        code = error.code().name
        wrong = send_error(self._failure(now or watched, state, code, clean(error.details() or "")), wire=sent.wire, timeout=sent.timeout)
        if code in LOGGED:
            fields = {"module": wrong.module, "address": wrong.address, "state": wrong.state, "code": code, "reason": wrong.reason}
            log.error(LOGGED[code], fields, extra={"tinypool": fields})
        return wrong

    def _failure(self, watched: Watched, state: State, code: str, reason: str) -> Failure:
        if watched.state is not state and state is not State.SHUTDOWN:
            self._catch_up(watched)  # else the last failure may be that of the time before
        return Failure(watched.shown, watched.identity.address, str(state), code, reason, watched.last_reason)


class Line:
    """One module's two methods on its pooled channel, made once."""

    def __init__(self, channel: PooledChannel) -> None:
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
        return _read(self._methods[sent.wire](sent.request, **sent.how))

    async def call_async(self, sent: Message) -> bytes:
        """As `call`, without a thread: the loop is told when the call has ended. A coroutine that is cancelled gives the call up."""
        call = self._methods[sent.wire].future(sent.request, **sent.how)
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
