"""Send one message to a module, in either form of the wire; what gRPC says of a failure becomes an error of ours here and nowhere else.

The wire forms are those of `tinypool_nb/wire/module.proto`. Source: the page's Error Handling.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, get_args

import grpc

from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.channels.watched import Watched
from tinypool_nb.core.codes import Code
from tinypool_nb.core.decisions import Operation, Status
from tinypool_nb.core.failures import Wire, answered_error, not_ready, send_error, shown_reason
from tinypool_nb.core.options import DAY
from tinypool_nb.core.plain import on_one_line
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
SECONDS = frozenset({int, float})
READY = State.READY.code

Metadata = tuple[tuple[str, str], ...]


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

    def call(self) -> tuple[Any, float | None, Metadata | None, None, bool | None]:
        """The arguments of the call: request, timeout, metadata, credentials, wait_for_ready.

        Raises:
            OptionsError: one of the fields could not be sent.
        """
        to, payload, timeout, wire, wait_for_ready, sender, edge, depth = self
        try:
            if isinstance(payload, str):
                payload = payload.encode()
            # In one go, since this stands between a person's message and the wire; who is at fault is found out in `_refuse`.
            if (
                not (to.__class__ is sender.__class__ is edge.__class__ is str and payload.__class__ is bytes and depth.__class__ is int)
                or wire not in FORMS
                or depth < 0
                or (edge and wire != "message")
                or not (timeout is None or (timeout.__class__ in SECONDS and 0 < timeout <= DAY))
            ):
                self._refuse()
            if wire == "message":
                request: Any = module_pb2.MessageRequest(From=sender, To=to, Payload=payload, EdgeID=edge)
            else:
                from_: Any = {"from": sender}  # a word that Python keeps for itself
                request = module_pb2.Message(to=to, data=payload, **from_)
        except UnicodeEncodeError:
            self._refuse()
            raise
        return request, timeout, ((DEPTH, str(depth)),) if depth else None, None, True if wait_for_ready else None

    def _refuse(self) -> None:
        """Say which field is at fault; one of a type that only resembles the right one may pass."""
        to, payload, timeout, wire, _, sender, edge, depth = self
        for name, text in (("to", to), ("sender", sender), ("edge", edge)):
            if not isinstance(text, str):
                raise OptionsError(name, text, "a str")
        if not isinstance(payload, bytes | str):
            raise OptionsError("payload", payload, "bytes, or a str that is sent as UTF-8; json.dumps(...) makes one of an object")
        for name, value in (("to", to), ("sender", sender), ("edge", edge), ("payload", payload)):
            if not _is_sendable(value):
                raise OptionsError(name, value, "text that UTF-8 can hold, without lone surrogates")
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 0:
            raise OptionsError("depth", depth, "a count of hops: an int, 0 or more")
        if wire not in FORMS:
            raise OptionsError("wire", wire, f"one of {', '.join(get_args(Wire))}")
        if edge and wire != "message":
            raise OptionsError("edge", edge, 'left out with wire="send", which has no place for it')
        if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= DAY):
            raise OptionsError("timeout", timeout, "a number of seconds, more than 0 and at most 86400, or None")


def _is_sendable(value: bytes | str) -> bool:
    """Whether it is bytes, or text that UTF-8 can hold: half of a surrogate pair, as from an undecodable byte, is none."""
    try:
        return isinstance(value, bytes) or value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


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

    def send(self, asked: object, sent: Message) -> bytes:
        """Send, wait for the answer and return it.

        Raises:
            SendError: its subclass says what can be done.
            UnknownModuleError, AmbiguousModuleError, OptionsError, PoolClosedError
        """
        try:
            face, line, call = self._begin(asked, sent)
            try:
                answer = line.methods[sent.wire](*call)
            except grpc.RpcError as error:
                raise self._error(face, sent, error) from error
            data = answer.Data if sent.wire == "message" else self._read(face, answer)
        except BaseException:
            self._count("send", "error")
            raise
        self._count("send", "ok")
        return data

    async def send_async(self, asked: object, sent: Message) -> bytes:
        """As `send`, for a coroutine; one that is cancelled gives the call up."""
        try:
            face, line, call = self._begin(asked, sent)
            try:
                answer = await _ended(line.methods[sent.wire].future(*call))
            except grpc.RpcError as error:
                raise self._error(face, sent, error) from error
            data = answer.Data if sent.wire == "message" else self._read(face, answer)
        except BaseException:
            self._count("send", "error")
            raise
        self._count("send", "ok")
        return data

    def _begin(self, asked: object, sent: Message) -> tuple[PooledChannel, "Line", tuple[Any, ...]]:
        """Where to send it, and the call's arguments, if all is well with the message and the connection; the page's check."""
        face = self._modules.faces.get(asked)
        if face is None:
            if self._modules.is_closed:
                raise PoolClosedError("send")
            self._modules.need(asked)  # raises, unless it was registered just now
            face = self._modules.faces[asked]
        line = face.line
        if line.__class__ is not Line:
            line = face.line = Line(face)
        assert isinstance(line, Line)
        call = sent.call()
        if not sent.wait_for_ready:
            watched = self._modules.channel(face.identity.key)
            # Without a channel the call itself says that the module is gone; and one that was READY a moment ago is not asked again,
            # as it may be lost in the next moment too: gRPC then connects anew, or says why not. Nothing is refused unasked.
            if watched is not None and watched.seen != READY:
                state = watched.look()
                if state is not State.READY and state is not State.IDLE and not watched.held:  # if it is held, the call itself says so
                    raise not_ready(self._failure(face, watched, state))
        return face, line, call

    def _read(self, channel: PooledChannel, answer: module_pb2.Response) -> bytes:
        """What stands in an answer of the docs' form; it may be an error."""
        if answer.error:
            watched = self._modules.channel(channel.identity.key)
            state = State.SHUTDOWN if watched is None else watched.look()
            raise answered_error(self._failure(channel, watched, state, Code.OK, answer.error))
        return answer.data

    def _error(self, channel: PooledChannel, sent: Message, error: grpc.RpcError) -> SendError:
        """What to raise for a message that was sent and not answered."""
        watched = self._modules.channel(channel.identity.key)  # which may be another one meanwhile, or none
        state = State.SHUTDOWN if watched is None else watched.look()
        assert isinstance(error, grpc.Call)
        code = error.code().name
        failure = self._failure(channel, watched, state, code, clean(error.details() or ""))
        if code in LOGGED:
            fields = {name: getattr(failure, name) for name in ("module", "address", "state", "code")}
            fields["reason"] = shown_reason(failure.reason)  # the module's own words, which shall not look like lines of the log
            log.error(LOGGED[code], on_one_line(fields), extra={"tinypool": fields})
        return send_error(failure, wire=sent.wire, timeout=sent.timeout)

    def _failure(self, channel: PooledChannel, watched: Watched | None, state: State, code: str = "", reason: str = "") -> Failure:
        last = ""
        if watched is not None:
            if watched.state is not state:
                self._catch_up(watched)  # else the last failure may be that of the time before
            last = watched.last_reason
        return Failure(str(channel.identity.key), channel.identity.address, str(state), code, reason, last)


class Line:
    """One module's two methods on its pooled channel, made once. They do not hold the channel, which holds them."""

    def __init__(self, channel: PooledChannel) -> None:
        request, response = module_pb2.MessageRequest, module_pb2.MessageResponse
        note, answer = module_pb2.Message, module_pb2.Response
        self.methods: dict[Wire, Any] = {
            "message": channel.unary_unary(
                "/module.ModuleService/Message", request.SerializeToString, response.FromString, _registered_method=True
            ),
            "send": channel.unary_unary("/module.ModuleService/Send", note.SerializeToString, answer.FromString, _registered_method=True),
        }


async def _ended(call: Any) -> Any:
    """The result of a call under way. No thread waits; a coroutine that is cancelled gives the call up.

    Raises:
        grpc.RpcError: it was not answered.
    """
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
    return call.result()
