"""Every error that tinypool_nb raises on purpose: one root, one class for each thing a caller can do about it."""

from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

SOME = 5
"""Names that a message lists."""


class TinypoolError(Exception):
    """The root of all errors of this package. The message says what was wrong, with which value, and what to do."""

    def __str__(self) -> str:
        # KeyError, a base of some of ours, would show the repr of the message instead of the message.
        return str(self.args[0]) if self.args else type(self).__name__


class AddressError(TinypoolError, ValueError):
    """An address was refused before anything was dialled. Correct the address."""

    def __init__(self, address: object, rule: str) -> None:
        super().__init__(f"address {shown(address)} was refused: {rule}")
        self.address = address
        self.rule = rule


class ModuleNameError(TinypoolError, ValueError):
    """A module's name or namespace was refused. Correct the name."""

    def __init__(self, name: object, rule: str) -> None:
        super().__init__(f"module name {shown(name)} was refused: {rule}")
        self.name = name
        self.rule = rule


class OptionsError(TinypoolError, ValueError):
    """A setting has a value that gRPC could not honour. Correct the setting."""

    def __init__(self, option: str, value: object, rule: str) -> None:
        super().__init__(f"{option}={shown(value)} was refused: {rule}")
        self.option = option
        self.value = value
        self.rule = rule


class UnknownArgumentError(TinypoolError, TypeError):
    """There is no argument of that name. The message says which one was meant, or which there are."""

    def __init__(self, what: str, name: str, hint: str) -> None:
        super().__init__(f"{what} has no argument {shown(name)}; {hint}")
        self.name = name
        self.hint = hint


class UnknownModuleError(TinypoolError, KeyError):
    """No module of that name is registered, or in the record. Register it, or pick one of the names that there are.

    Args:
        name: what was asked for.
        near: names that it may have been meant for.
        known: those in the record, if it is a record that was asked.
    """

    def __init__(self, name: object, near: Iterable[str] = (), known: Collection[str] | None = None) -> None:
        near = tuple(near)
        if near:
            advice = f"did you mean {' or '.join(shown(n) for n in near)}?"
        elif known is None:
            advice = "register it first: pool.register(name, address)"
        else:
            more = f" and {len(known) - SOME} more" if len(known) > SOME else ""
            advice = f"it has {', '.join(shown(one) for one in islice(known, SOME)) or 'none'}{more}"
        super().__init__(f"no module {shown(name)} is {'registered' if known is None else 'in the record'}; {advice}")
        self.name = name
        self.near = near


class AmbiguousModuleError(TinypoolError, KeyError):
    """A bare name stands for modules of several namespaces. Say `namespace/name`."""

    def __init__(self, name: str, candidates: Iterable[str]) -> None:
        candidates = tuple(candidates)
        super().__init__(f"{shown(name)} names {len(candidates)} modules; say one of {', '.join(shown(c) for c in candidates)}")
        self.name = name
        self.candidates = candidates


class ModuleGoneError(TinypoolError, ValueError):
    """A channel is used whose module was unregistered. Register it again and take the new channel.

    It is a ValueError, as gRPC's own for a closed channel.
    """

    def __init__(self, module: str, reason: str) -> None:
        super().__init__(f"module {shown(module)} cannot be called any more: {reason}; register it again and take its new channel")
        self.module = module
        self.reason = reason


class SharedChannelError(TinypoolError, RuntimeError):
    """Someone who got a channel from the pool tried to close it. Leave that to the pool."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the channel of module {shown(module)} is shared by everyone who got it from the pool, so close() was refused; "
            "just stop using it, or end the module's connection with pool.unregister(name)"
        )
        self.module = module


class HeldError(TinypoolError, RuntimeError):
    """A call was made on a module that is held and not READY, so that it connects to nobody. Ask for an attempt, or release it."""

    def __init__(self, module: str, state: str, reason: str = "") -> None:
        last = f" (last failure: {said(reason)})" if reason else ""
        super().__init__(
            f"module {shown(module)} is held and is {state}{last}, so the call was not sent: it would have made gRPC connect; "
            "hold.attempt() makes one attempt, hold.release() lets gRPC connect by itself"
        )
        self.module = module
        self.state = state
        self.reason = reason


class NotHeldError(TinypoolError, RuntimeError):
    """A single attempt was asked for of a module that is not held. Hold it first, or reconnect it."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"attempt: module {shown(module)} is not held, so gRPC attempts by itself; hold it first: pool.hold({shown(module)}), "
            f"or pool.reconnect({shown(module)})"
        )
        self.module = module


class PoolClosedError(TinypoolError, RuntimeError):
    """The pool was closed. Its frames and `save` still work; make a new pool to connect again."""

    def __init__(self, verb: str) -> None:
        super().__init__(f"{verb}: the pool is closed; its frames and save() still work, tp.Pool() makes a new one")


class ForkedPoolError(TinypoolError, RuntimeError):
    """The pool was made in another process. Make a pool of this process's own."""

    def __init__(self, made_in: int, used_in: int) -> None:
        super().__init__(
            f"this pool was made in process {made_in} and is used in its fork {used_in}, where its threads and connections "
            "do not exist; make a new tp.Pool() in the child"
        )


class WaitTimeoutError(TinypoolError, TimeoutError):
    """A module did not reach a state in time. Look at the reason, or wait longer."""

    def __init__(self, module: str, wanted: str, timeout: float, state: str, reason: str = "") -> None:
        last = f"; last failure: {said(reason)}" if reason else ""
        super().__init__(f"{shown(module)} was not {wanted} within {timeout:g} s: it is {state}{last}")
        self.module = module
        self.wanted = wanted
        self.state = state
        self.reason = reason


class SendError(TinypoolError):
    """A message was not answered. The classes below say what can be done; all of them carry what was known at that moment."""

    def __init__(self, message: str, failure: "Failure") -> None:
        super().__init__(message)
        self.failure = failure
        self.module = failure.module
        self.address = failure.address
        self.state = failure.state
        self.code = failure.code
        self.reason = failure.reason
        self.last_failure = failure.last_failure


class NotReadyError(SendError, ConnectionError):
    """The module's connection was neither READY nor IDLE, so nothing was sent. Wait for it: `wait_for_ready=True`, or `pool.until`."""


class UnavailableError(SendError, ConnectionError):
    """The module is down or cannot be reached (UNAVAILABLE). Send again when it is back, if the message may arrive twice."""


class SendTimeoutError(SendError, TimeoutError):
    """The module did not answer in time (DEADLINE_EXCEEDED). Give it longer, or find out what keeps it; it may have acted already."""


class CallCancelledError(SendError):
    """The call was given up (CANCELLED), by its caller or because its channel was closed. Send again."""


class MessageTooLargeError(SendError, ValueError):
    """The message or the answer exceeds a limit of size (RESOURCE_EXHAUSTED). Send less; the connection is sound."""


class ModuleBusyError(SendError):
    """The module is out of something else than size: a quota, memory, ... (RESOURCE_EXHAUSTED). Send more slowly."""


class WireFormError(SendError):
    """The module does not serve this form of the wire (UNIMPLEMENTED). Send in the other one."""


class AccessError(SendError, PermissionError):
    """The module does not let this caller in (UNAUTHENTICATED, PERMISSION_DENIED). Show who you are: `tp.Tls(certificate=, key=)`."""


class MessageRefusedError(SendError, ValueError):
    """The module refuses what the message says (INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, ...). Correct the message."""


class ModuleFailedError(SendError):
    """The module got the message and failed (INTERNAL, UNKNOWN, ABORTED, DATA_LOSS, or an error in its answer). See its own log."""


class Failure(NamedTuple):
    """What was known when a message was not answered."""

    module: str
    address: str
    state: str
    """Of the module's connection at that moment."""
    code: str
    """gRPC's status code; "" if the message was not sent at all."""
    reason: str
    """In the words of who ended the call."""
    last_failure: str
    """Why the module's connection last failed; "" if it has not."""


class RecordingError(TinypoolError, ValueError):
    """A file is not a recording that this version can read. Nothing of it was executed."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"cannot read {shown(path, LONGEST_PATH)} as a recording: {why}")
        self.path = path
        self.why = why


class RecordingPathError(TinypoolError, FileExistsError):
    """A recording was to be made where something is already. Record to another path, or say that it may be replaced."""

    def __init__(self, path: object, why: str, advice: str) -> None:
        super().__init__(f"cannot record to {shown(str(path), most=200)}: {why}; {advice}")
        self.path = path
        self.why = why
        self.advice = advice


class DestinationError(TinypoolError, OSError):
    """A file cannot be written there. Name another path, or make its folder; what was there before is as it was."""

    def __init__(self, path: object, why: str, advice: str) -> None:
        super().__init__(f"cannot write to {shown(str(path), most=200)}: {why}; {advice}")
        self.path = path
        self.why = why
        self.advice = advice


class LabError(TinypoolError, RuntimeError):
    """A server of the lab did not do what was asked. The message carries what the server said."""


class GrpcVersionError(TinypoolError, RuntimeError):
    """The installed grpcio lacks something that the record stands on. Install a version that pyproject.toml allows."""


class GrpcLoadedError(TinypoolError, RuntimeError):
    """A setting that gRPC reads only while it loads came too late. Restart the kernel and set it first."""


class KubeconfigError(TinypoolError, ValueError):
    """No cluster could be found, or the configuration of it cannot be used. Correct it; the message says what was tried."""


class NotSyncedError(TinypoolError, TimeoutError):
    """A discovery could not read its cluster in time. Look at what the API server says, or wait longer."""

    def __init__(self, scope: str, timeout: float | None, status: object) -> None:
        waited = "it was closed" if timeout is None else f"not within {timeout:g} s"
        super().__init__(f"{scope} was not read, {waited}: {status}")
        self.status = status


class ForwardError(TinypoolError):
    """A module cannot be reached by port-forward. The message says why, and what leads to it instead."""


class ReportError(TinypoolError, RuntimeError):
    """A notebook could not be executed or exported. The message names the cell and what it said."""


class ExerciseError(TinypoolError, ValueError):
    """The course has no such exercise, hint or notebook. The message names those that there are."""


LONGEST_PATH = 4096
"""Characters of a path that are shown: as long as Linux lets one be."""


def shown(value: object, most: int = 80) -> str:
    """The value as text for a message: its repr, cut to `most` characters, control characters escaped.

    A path (`os.PathLike`) is shown in full, since it is its end that tells files apart.

    >>> shown("http-module-v1")
    "'http-module-v1'"
    >>> shown("x" * 1000, most=10)
    "'xxxxxxxx… (1000 characters)"
    """
    if hasattr(value, "__fspath__"):
        value, most = value.__fspath__(), LONGEST_PATH
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    if len(text) <= most:
        return text
    size = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[: most - 1]}…{size}"


def said(reason: str, most: int = 400) -> str:
    """What somebody else says, on one line, for a message: cut to `most` characters, and escaped if any of it cannot be printed.

    >>> said("two" + chr(10) + "lines")
    'two lines'
    """
    text = " ".join(reason.split())
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= most else f"{text[: most - 1]}…"
