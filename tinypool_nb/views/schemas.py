"""What stands in each column of each frame: name, dtype, unit, meaning. Code, documentation and tests derive from it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.causes import Cause, Gravity
from tinypool_nb.core.discovering import Standing
from tinypool_nb.core.events import Evidence, MarkKind, Outcome, Subject
from tinypool_nb.core.states import State

TIME = "datetime64[ns, UTC]"
CATEGORY = "category"
TEXT = "str"
COUNT_IF_KNOWN = "Int64"
"""A count that may be missing."""


class Column(NamedTuple):
    """One column of a frame."""

    name: str
    dtype: str
    """As pandas writes it."""
    unit: str
    """"" where there is none."""
    meaning: str
    members: type[StrEnum] | None = None
    """Of a category that is a closed set: the Enum. All its members are categories, in its order, whether they occur or not."""


def _seconds(name: str, meaning: str) -> Column:
    return Column(name, "float64", "s", meaning)


def _count(name: str, meaning: str) -> Column:
    return Column(name, "int64", "1", meaning)


def _time(name: str, meaning: str) -> Column:
    return Column(name, TIME, "ns", f"{meaning}; NaT if never")


_NAMESPACE = Column("namespace", CATEGORY, "", "the module's Kubernetes namespace; missing if it was registered by hand")
_MODULE = Column("module", CATEGORY, "", "the module's name")
_ADDRESS = Column("address", CATEGORY, "", "the channel's address, as it was registered")
_TRANSPORT = Column("transport", CATEGORY, "", "how the connection is secured (plaintext, TLS, mutual TLS), and the proxy it goes through")
_GENERATION = Column("generation", "int32", "1", "which of the module's channels: 1 for the first, then one more for each that replaced it")
_EVIDENCE = Column("evidence", CATEGORY, "", "whether it was seen in gRPC core's trace, inferred by us, or begins a gap", Evidence)
_CURRENT_STATE = Column("state", CATEGORY, "", "the state of the module's current channel; missing in a gap", State)
_SINCE = Column("since", TIME, "ns", "when that state began")
_ATTEMPTS = _count("attempts", "connection attempts that ended, of all the module's channels")
_FAILURES = _count("failures", "attempts among them that failed")
_CALLS = _count("calls", "calls that ended, through all the module's channels")
_FAILED_CALLS = _count("failed_calls", "calls among them that ended with another code than OK")

_TRANSITIONS = (
    Column("time", TIME, "ns", "gRPC core's own stamp; ours where the evidence is not `seen`"),
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _GENERATION,
    Column("previous", CATEGORY, "", "the state before; missing in a channel's first row and after a gap", State),
    Column("state", CATEGORY, "", "the state after; missing where a gap begins", State),
    Column("reason", CATEGORY, "", 'why it failed, in gRPC core\'s own words; "" if it did not', None),
    _EVIDENCE,
)

_ATTEMPT_ROWS = (
    Column("start", TIME, "ns", "when the attempt began; NaT if nobody saw it"),
    Column("end", TIME, "ns", "when it ended"),
    _seconds("duration", "from start to end; NaN if the start is missing"),
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _GENERATION,
    Column("subchannel", "int64", "", "gRPC core's channelz id of the subchannel; 0 if the name did not resolve"),
    Column("peer", CATEGORY, "", 'the resolved address that was tried; "" if the name did not resolve'),
    Column("outcome", CATEGORY, "", "how it ended", Outcome),
    Column("reason", CATEGORY, "", 'why it failed, in gRPC core\'s own words; "" if it did not'),
    _EVIDENCE,
)

_INTERVALS = (
    Column("start", TIME, "ns", "when the module came into the state"),
    Column("end", TIME, "ns", "when it left it; NaT while it is in it"),
    _seconds("duration", "from start to end; NaN while it is open"),
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _TRANSPORT,
    _GENERATION,
    Column("state", CATEGORY, "", "the state; missing in a gap, never SHUTDOWN", State),
    Column("reason", CATEGORY, "", 'the reason with which the state began; "" if there was none'),
    _EVIDENCE,
)

_SUMMARY = (
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _CURRENT_STATE,
    _SINCE,
    _seconds("idle", "time in IDLE, the open interval up to now included"),
    _seconds("connecting", "time in CONNECTING"),
    _seconds("ready", "time in READY"),
    _seconds("transient_failure", "time in TRANSIENT_FAILURE"),
    _seconds("gap", "time in which nobody knows the state"),
    Column("gap_share", "float64", "1", "the gap's share of all that time; NaN if there was none"),
    Column("share_ready", "float64", "1", "READY's share of the time that is known; NaN if there was none"),
    _count("disconnections", "how often the current channel left READY for IDLE, CONNECTING or TRANSIENT_FAILURE"),
    _ATTEMPTS,
    _FAILURES,
    _CALLS,
    _FAILED_CALLS,
    _seconds("mean_time_to_recover", "from a disconnection to the next READY; NaN if there was none"),
    _seconds("mean_time_between_failures", "time in READY a disconnection; NaN if there was none"),
    Column("last_reason", CATEGORY, "", 'the last reason of a failure; "" if there was none'),
)

_CONNECTIONS = (
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    Column("target", CATEGORY, "", "what gRPC dials, in its canonical form; missing if the address is none of ours"),
    Column("resolved", CATEGORY, "", 'the peers of its subchannels, joined by ", "; "" if it has none yet; missing in a recording'),
    _TRANSPORT,
    Column("options", CATEGORY, "", 'what its settings say that the defaults do not; "" if nothing; missing if the record does not tell'),
    _CURRENT_STATE,
    _SINCE,
    _GENERATION,
    _ATTEMPTS,
    _FAILURES,
    Column("sockets", COUNT_IF_KNOWN, "1", "connections that it has now; missing in a recording"),
    Column("keepalives_sent", COUNT_IF_KNOWN, "1", "keepalive pings sent on these connections; missing in a recording"),
    _CALLS,
    _FAILED_CALLS,
    Column("last_error", CATEGORY, "", 'the last reason of a failure; "" if there was none'),
)

_SUBCHANNEL = Column("subchannel", "int64", "", "gRPC core's channelz id of the subchannel, as in `attempts`")
_PEER = Column("peer", CATEGORY, "", "the resolved address")

_SUBCHANNELS = (
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _GENERATION,
    _SUBCHANNEL,
    _PEER,
    Column("state", CATEGORY, "", "the subchannel's state at this moment", State),
    _count("calls_started", "calls that were sent to this peer"),
    _count("calls_succeeded", "calls among them that ended with OK"),
    _count("calls_failed", "calls among them that ended with another code"),
    _time("last_call", "when the last of them began"),
    _count("sockets", "connections that it has now"),
)

_SOCKETS = (
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _GENERATION,
    _SUBCHANNEL,
    Column("socket", "int64", "", "gRPC core's channelz id of the socket"),
    Column("local", CATEGORY, "", "our end"),
    Column("remote", CATEGORY, "", "the peer's end"),
    _count("streams_started", "calls that were sent on it"),
    _count("streams_succeeded", "streams among them that both sides ended in order, whatever the call's code"),
    _count("streams_failed", "streams among them that were reset"),
    _count("messages_sent", "messages of its calls"),
    _count("messages_received", "messages of its calls"),
    _count("keepalives_sent", "keepalive pings"),
    _time("last_stream", "when the last call was sent on it"),
    _time("last_sent", "when the last message or keepalive ping was sent; before the first, when the connection was made"),
    _time("last_received", "when the last message was received"),
)

_MARKS = (
    Column("time", TIME, "ns", "the labelled moment"),
    Column("kind", CATEGORY, "", "who made the mark", MarkKind),
    Column("namespace", CATEGORY, "", "of the module that it is about; missing if there is none"),
    Column("module", CATEGORY, "", "the module that it is about; missing if it is about all"),
    Column("text", TEXT, "", "the label"),
)

_CALL_ROWS = (
    Column("start", TIME, "ns", "when the call began"),
    Column("end", TIME, "ns", "when its status was known here; of a stream, after its last message was read"),
    _seconds("duration", "from start to end"),
    _NAMESPACE,
    _MODULE,
    _ADDRESS,
    _GENERATION,
    Column("method", CATEGORY, "", "package, service and method, as `module.ModuleService/Message`"),
    Column("code", CATEGORY, "", "how it ended", Code),
    Column("sent", "int64", "B", "bytes of its requests, before compression"),
    Column("received", "int64", "B", "bytes of its responses, after decompression"),
    Column("reason", CATEGORY, "", 'why it failed, in the words of who ended it; "" if it did not'),
)

_LATENCY = (
    _NAMESPACE,
    _MODULE,
    _count("calls", "calls that the record still has"),
    _count("failed_calls", "calls among them that ended with another code than OK"),
    _seconds("p50", "half of the calls took no longer"),
    _seconds("p90", "nine tenths took no longer"),
    _seconds("p99", "99 of 100 took no longer"),
    _seconds("longest", "the longest of them"),
    Column("sent", "int64", "B", "bytes of all their requests"),
    Column("received", "int64", "B", "bytes of all their responses"),
)

_MODULES = (
    _NAMESPACE,
    _MODULE,
    Column(
        "address",
        CATEGORY,
        "",
        "where the pool is to have the module: the last address of the resource that could be dialled; missing if none",
    ),
    Column("version", CATEGORY, "", 'the module\'s, by its resource; "" if it says none'),
    Column("sdk_version", CATEGORY, "", 'the version of the SDK that it is built with; "" if its resource says none'),
    Column("components", CATEGORY, "", 'the names of its components, joined by ", "'),
    Column("labels", CATEGORY, "", 'the resource\'s labels as "key=value", joined by ", "'),
    Column("resource_version", CATEGORY, "", "of the resource's last change; only good to be compared for equality"),
    Column("state", CATEGORY, "", "the state of its discovery", Standing),
    Column("reason", CATEGORY, "", 'why it stands so; "" where all is well'),
    _time("last_seen", "when a list or a watch last told of it"),
)

_OBSERVATIONS = (
    Column("time", TIME, "ns", "when it was looked at; what was looked at together has the same time"),
    _NAMESPACE,
    _MODULE,
    Column("subject", CATEGORY, "", "what was looked at", Subject),
    Column("text", TEXT, "", "what was seen"),
    Column("value", "int64", "1", "how many, where the subject counts; else 0"),
)

_FINDINGS = (
    _time("since", "when it began, as far as the record tells"),
    Column("until", TIME, "ns", "when it was over; NaT if it is so now"),
    _NAMESPACE,
    _MODULE,
    Column("cause", CATEGORY, "", "what is, or was, the matter", Cause),
    Column("gravity", CATEGORY, "", "how bad it is while it lasts", Gravity),
    Column("now", "bool", "", "whether it is so now"),
    Column(
        "known", CATEGORY, "", "whether somebody said it (seen), it follows from what was seen (inferred), or nobody knows (gap)", Evidence
    ),
    Column("finding", TEXT, "", "a sentence, with the values in it"),
    Column("evidence", TEXT, "", "the rows that it is told from: the frame, the row's time, what it says; a line each"),
    Column("advice", TEXT, "", 'what to do; "" if nothing'),
    Column("see", TEXT, "", "the specification, gRFC or page to read, and its address"),
)

SCHEMAS: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "transitions": _TRANSITIONS,
        "attempts": _ATTEMPT_ROWS,
        "intervals": _INTERVALS,
        "summary": _SUMMARY,
        "connections": _CONNECTIONS,
        "marks": _MARKS,
        "calls": _CALL_ROWS,
        "latency": _LATENCY,
        "subchannels": _SUBCHANNELS,
        "sockets": _SOCKETS,
        "modules": _MODULES,
        "observations": _OBSERVATIONS,
        "findings": _FINDINGS,
    }
)
"""The columns of each frame, in their order."""
