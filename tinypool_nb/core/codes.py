"""How a call can end: gRPC's status codes, and what each means to the caller.

Source: grpc/grpc `doc/statuscodes.md`; the meanings are worded for who sends messages to modules.
"""

from enum import StrEnum


class Code(StrEnum):
    """A status code, named as `grpc.StatusCode` names it.

    >>> Code.UNAVAILABLE.meaning
    'the module cannot be reached, or went away during the call'
    """

    OK = "OK"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"

    @property
    def meaning(self) -> str:
        """What it says, in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    Code.OK: "answered",
    Code.CANCELLED: "given up before it was answered",
    Code.UNKNOWN: "the module failed without saying how",
    Code.INVALID_ARGUMENT: "the module refuses what was sent",
    Code.DEADLINE_EXCEEDED: "not answered within the timeout",
    Code.NOT_FOUND: "the module does not know what was asked for",
    Code.ALREADY_EXISTS: "the module has that already",
    Code.PERMISSION_DENIED: "the caller may not do that",
    Code.RESOURCE_EXHAUSTED: "a limit was reached: the size of a message, a quota",
    Code.FAILED_PRECONDITION: "the module is not in the state for that",
    Code.ABORTED: "the module broke it off",
    Code.OUT_OF_RANGE: "the module refuses a value as out of range",
    Code.UNIMPLEMENTED: "the module has no such method",
    Code.INTERNAL: "the module, or gRPC, failed inside",
    Code.UNAVAILABLE: "the module cannot be reached, or went away during the call",
    Code.DATA_LOSS: "the module lost data",
    Code.UNAUTHENTICATED: "the caller did not say who it is, or not credibly",
}
