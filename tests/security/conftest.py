"""What says the corpus: a record made by hand, and a real server."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ports import bound
from tests.security.corpus import ALL
from tinypool_nb.channels.environment import prepare

prepare()

import grpc  # noqa: E402  gRPC reads the environment while it loads

from tinypool_nb.core.codes import Code  # noqa: E402
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Mark, MarkKind, Outcome, Transition  # noqa: E402
from tinypool_nb.core.keys import ModuleKey  # noqa: E402
from tinypool_nb.core.states import State  # noqa: E402
from tinypool_nb.journal.journal import Journal  # noqa: E402

SECOND = 1_000_000_000
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What no text for a person holds: a line feed is the only control character."""


def hostile_journal() -> Journal:
    """Each text as namespace, name, address, peer, reason, method, and as marks; each module failed, and half of them came back."""
    journal = Journal()
    start = journal.clock.now() - 120 * SECOND
    for number, text in enumerate(ALL.values(), start=1):
        channel = ChannelIdentity(number, ModuleKey(text if number % 3 == 0 else None, text), text, 1)
        last = State.READY if number % 2 else State.TRANSIENT_FAILURE
        story = ((0, State.IDLE), (1, State.CONNECTING), (2, State.TRANSIENT_FAILURE), (5, last))
        previous = None
        for second, state in story:
            reason = f"no route to {text}" if state is State.TRANSIENT_FAILURE else ""
            journal.append(Transition(start + second * SECOND, channel, previous, state, reason, Evidence.SEEN))
            previous = state
        for begin, outcome in ((1, Outcome.FAILED), (4, Outcome.READY)):
            reason = text if outcome is Outcome.FAILED else ""
            at = start + begin * SECOND
            journal.append(Attempt(channel, number, f"ipv4:{text}", at, at + SECOND // 10, outcome, reason, Evidence.SEEN))
        journal.append(Call(channel, text, start + 6 * SECOND, start + 7 * SECOND, Code.UNKNOWN, 1, 1, text))
        journal.append(Mark(start + number * SECOND, MarkKind.ACTION, f"register {text}", channel.key))
        journal.append(Mark(start + number * SECOND + 1, MarkKind.NOTE, text, None))
    return journal


@pytest.fixture
def obeyed() -> Callable[[str], list[str]]:
    """What a terminal would obey in a text, or nobody would see."""
    return OBEYED.findall


@pytest.fixture
def liar() -> Iterator[str]:
    """The address of a real server that ends each call with the status message that the request says."""

    def lie(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.UNAVAILABLE, request.decode())
        raise AssertionError

    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Lie": grpc.unary_unary_rpc_method_handler(lie)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("liar", handlers),))
        port = bound(server)
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()
