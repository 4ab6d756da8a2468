"""PooledChannel against real servers: stubs outlive replacements, nothing is lost in the races, ends are clear."""

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tinypool_nb.channels.calls import CallLog
from tinypool_nb.channels.opening import open_channel
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.errors import ModuleGoneError, SharedChannelError
from tinypool_nb.journal.journal import Journal

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
KEY = ModuleKey("tinysystems", "http-module-v1")
NUMBERS = count(700_000)
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
SIX = ("request", 1.5, (("key", "value"),), None, True, grpc.Compression.Gzip)
NAMES = ("request", "timeout", "metadata", "credentials", "wait_for_ready", "compression")


def identity(address: str = "", generation: int = 1) -> ChannelIdentity:
    return ChannelIdentity(1, KEY, address, generation)


def bare(server: "EchoServer") -> grpc.Channel:
    return open_channel(server.target, next(NUMBERS), PoolOptions())


@pytest.fixture(params=["recorded", "unrecorded"])
def pool_of_one(request: pytest.FixtureRequest) -> Iterator[Callable[["EchoServer"], PooledChannel]]:
    """Makes pooled channels, and closes at the end what is current in them. Whether calls are recorded changes nothing about them."""
    made: list[PooledChannel] = []
    journal = Journal()
    calls = CallLog(journal.append, journal.clock, lambda: None) if request.param == "recorded" else None

    def make(server: "EchoServer") -> PooledChannel:
        made.append(PooledChannel(identity(server.target), bare(server), calls=calls))
        return made[-1]

    yield make
    for channel in made:
        if "gone" not in repr(channel):
            channel.retire("the test is over").close()


MakePooled = Callable[["EchoServer"], PooledChannel]


class Stub:
    """As generated code makes one: multicallables of all kinds, made once."""

    def __init__(self, channel: grpc.Channel, *, registered: bool) -> None:
        some: Any = channel
        self.unary = some.unary_unary("/echo/Unary", _registered_method=registered)
        self.waiting = some.unary_unary("/echo/Waiting", _registered_method=registered)
        self.refused = some.unary_unary("/echo/Refused", _registered_method=registered)
        self.responses = some.unary_stream("/echo/Responses", _registered_method=registered)
        self.requests = some.stream_unary("/echo/Requests", _registered_method=registered)
        self.both = some.stream_stream("/echo/Both", _registered_method=registered)

    def names(self) -> set[bytes]:
        """Who answers, asked in every kind and manner."""
        return {
            self.unary(b"").rstrip(b":"),
            self.unary.with_call(b"")[0].rstrip(b":"),
            self.unary.future(b"").result().rstrip(b":"),
            next(iter(self.responses(b"")), b"nobody"),
            self.requests(iter([b"", b""])).rstrip(b":"),
            self.requests.with_call(iter([b""]))[0].rstrip(b":"),
            self.requests.future(iter([b""])).result().rstrip(b":"),
            *(answer.rstrip(b":") for answer in self.both(iter([b"", b""]))),
        }


@pytest.mark.parametrize("registered", [False, True])
def test_one_stub_serves_every_kind_of_call_before_and_after_a_replacement(
    start_server: StartServer, pool_of_one: MakePooled, registered: bool
) -> None:
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    stub = Stub(channel, registered=registered)
    assert stub.names() == {first.name}
    channel.replace(bare(second), identity(second.target, 2), channel._route.calls).close()
    assert stub.names() == {second.name}
    assert list(stub.responses(b"abc"))[1:] == [b"a", b"b", b"c"]
    assert stub.requests(iter([b"a", b"b"])).endswith(b":ab")


def test_what_goes_with_a_call_arrives(start_server: StartServer, pool_of_one: MakePooled) -> None:
    server = start_server()
    stub = Stub(pool_of_one(server), registered=True)
    answer, call = stub.unary.with_call(b"x", timeout=5, metadata=(("x-depth", "3"),), compression=grpc.Compression.Gzip)
    assert answer.endswith(b":x")
    assert call.code() is grpc.StatusCode.OK
    assert ("x-depth", "3") in server.metadata
    with pytest.raises(grpc.RpcError) as late:
        stub.waiting(b"", timeout=0.1)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(grpc.RpcError) as refused:
        stub.refused(b"")
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such")


class FakeChannel(grpc.Channel):
    """A channel whose multicallables `opener` makes."""

    def __init__(self, opener: Callable[..., Any]) -> None:
        self.opener = opener

    def unary_unary(self, *how: Any, **_: Any) -> Any:
        return self.opener("unary_unary", *how)

    def unary_stream(self, *how: Any, **_: Any) -> Any:
        return self.opener("unary_stream", *how)

    def stream_unary(self, *how: Any, **_: Any) -> Any:
        return self.opener("stream_unary", *how)

    def stream_stream(self, *how: Any, **_: Any) -> Any:
        return self.opener("stream_stream", *how)

    def subscribe(self, *_: Any, **__: Any) -> None: ...
    def unsubscribe(self, *_: Any) -> None: ...
    def close(self) -> None: ...


class Recording:
    """A multicallable that writes down what it is called with."""

    def __init__(self, called: list[tuple[str, tuple[Any, ...]]]) -> None:
        self.called = called

    def __call__(self, *call: Any) -> None:
        self.called.append(("__call__", call))

    def with_call(self, *call: Any) -> None:
        self.called.append(("with_call", call))

    def future(self, *call: Any) -> None:
        self.called.append(("future", call))


@pytest.mark.parametrize("kind", KINDS)
def test_every_argument_reaches_the_channel_below(kind: str) -> None:
    opened: list[tuple[Any, ...]] = []
    called: list[tuple[str, tuple[Any, ...]]] = []

    def opener(*how: Any) -> Recording:
        opened.append(how)
        return Recording(called)

    channel = PooledChannel(identity(), FakeChannel(opener))
    multicallable = getattr(channel, kind)("/a/B", str.encode, bytes.decode, _registered_method=True)
    assert opened == [], "opened at the first call, so that a stub costs nothing"
    request = "request_iterator" if kind.startswith("stream") else "request"
    verbs = ["__call__", "with_call", "future"] if kind.endswith("unary") else ["__call__"]
    for verb in verbs:
        getattr(multicallable, verb)(*SIX)
        getattr(multicallable, verb)(**dict(zip((request, *NAMES[1:]), SIX, strict=True)))
    assert opened == [(kind, "/a/B", str.encode, bytes.decode, True)]
    assert called == [(verb, SIX) for verb in verbs for _ in range(2)]


def test_calls_under_way_stay_on_the_old_channel_and_end_well(start_server: StartServer, pool_of_one: MakePooled) -> None:
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    stub = Stub(channel, registered=True)
    go_on = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"1"
        go_on.wait(10)
        yield b"2"

    with ThreadPoolExecutor(1) as one:
        blocking = one.submit(stub.waiting, b"blocking")
        future = stub.waiting.future(b"future")
        stream = stub.both(requests())
        assert next(stream) == first.name + b":1"
        for _ in range(2):
            assert first.entered.acquire(timeout=5)
        old = channel.replace(bare(second), identity(), channel._route.calls)
        assert channel.is_held(old), "one call blocks on it"
        assert stub.names() == {second.name}
        go_on.set()
        first.gate.set()
        assert blocking.result(5) == first.name + b":blocking"
        assert future.result(5) == first.name + b":future"
        assert list(stream) == [first.name + b":2"]
    assert not channel.is_held(old)
    assert not channel.is_held(bare(second)), "never current here"
    old.close()


def test_a_failed_call_whose_error_is_kept_does_not_hold_the_channel(start_server: StartServer, pool_of_one: MakePooled) -> None:
    server = start_server()
    channel = pool_of_one(server)
    with pytest.raises(grpc.RpcError) as kept:
        Stub(channel, registered=True).refused(b"")
    old = channel.replace(bare(server), identity(), channel._route.calls)
    assert kept.value.__traceback__ is not None
    assert not channel.is_held(old)
    old.close()


class Late:
    """A multicallable of a real channel, where something happens between taking it and calling it."""

    def __init__(self, multicallable: Any, before: Callable[[], None]) -> None:
        self._multicallable = multicallable
        self._before = before

    def __call__(self, *call: Any) -> Any:
        self._before()
        return self._multicallable(*call)

    def future(self, *call: Any) -> Any:
        self._before()
        return self._multicallable.future(*call)


def late_channel(below: grpc.Channel, before: Callable[[], None]) -> grpc.Channel:
    return FakeChannel(lambda kind, *how: Late(getattr(below, kind)(*how), before))


CALLS: dict[str, Callable[[Stub], bytes]] = {
    "blocking": lambda stub: stub.unary(b"123"),
    "future": lambda stub: stub.unary.future(b"123").result(),
    "responses": lambda stub: b":".join([next(answers := stub.responses(b"123")), b"".join(answers)]),
    "requests": lambda stub: stub.requests(iter([b"1", b"2", b"3"])),
    "requests, future": lambda stub: stub.requests.future(iter([b"1", b"2", b"3"])).result(),
    "both": lambda stub: b":".join([stub_name(answers := list(stub.both(iter([b"1", b"2", b"3"])))), b"".join(a[-1:] for a in answers)]),
}


def stub_name(answers: list[bytes]) -> bytes:
    return answers[0].partition(b":")[0]


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_that_finds_its_channel_just_closed_goes_to_the_next_one(start_server: StartServer, kind: str) -> None:
    first, second = start_server(), start_server()
    quick = bare(first)

    def replace() -> None:
        channel.replace(bare(second), identity(), channel._route.calls)
        quick.close()

    channel = PooledChannel(identity(), late_channel(quick, replace))
    assert CALLS[kind](Stub(channel, registered=False)) == second.name + b":123", "each request once, none lost"
    channel.retire("the test is over").close()


def test_a_method_is_never_opened_on_a_replaced_channel(start_server: StartServer, pool_of_one: MakePooled) -> None:
    """grpcio crashes the process when a method is registered on a closed channel."""
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    route = channel._route
    tenure = route.current
    channel.replace(bare(second), identity(), channel._route.calls).close()
    with pytest.raises(ValueError, match="Cannot invoke RPC"):
        route.open(tenure, lambda _: pytest.fail("opened on the closed channel"))


def test_a_value_error_that_is_no_race_is_the_callers(start_server: StartServer) -> None:
    server = start_server()
    first = bare(server)

    def refuse() -> None:
        channel.replace(bare(server), identity(), channel._route.calls)
        first.close()
        raise ValueError("not yours")

    channel = PooledChannel(identity(), late_channel(first, refuse))
    with pytest.raises(ValueError, match="not yours"):
        Stub(channel, registered=False).unary(b"")
    channel._route.current.channel.close()  # behind the pool's back: nothing to go to
    with pytest.raises(ValueError, match="Cannot invoke RPC on closed channel"):
        Stub(channel, registered=False).unary(b"")


def test_after_unregister_every_use_says_which_module_is_gone(start_server: StartServer, pool_of_one: MakePooled) -> None:
    server = start_server()
    channel = pool_of_one(server)
    stub, made_later = Stub(channel, registered=True), Stub(channel, registered=True)
    assert stub.names() == {server.name}
    channel.retire("it was unregistered").close()
    uses: list[Callable[[], object]] = [
        lambda: stub.unary(b""),
        lambda: stub.unary.future(b""),
        lambda: stub.responses(b""),
        lambda: stub.requests(iter([])),
        lambda: made_later.both(iter([])),
        lambda: channel.subscribe(print),
        lambda: channel.replace(bare(server), identity(), channel._route.calls),
        lambda: channel.retire("again"),
    ]
    for use in uses:
        with pytest.raises(ModuleGoneError, match="'tinysystems/http-module-v1' cannot be called any more: it was unregistered; register"):
            use()
    channel.unsubscribe(print)  # quiet, so that a watcher can be cleared away at any time
    assert repr(channel) == f"<PooledChannel tinysystems/http-module-v1 at {server.target}, gone: it was unregistered>"


def test_repr_tells_module_address_generation_and_state(start_server: StartServer) -> None:
    first, second = start_server(), start_server()
    states = [None, "READY", "READY"]
    channel = PooledChannel(identity(first.target), bare(first), state=states.pop)
    assert repr(channel) == f"<PooledChannel tinysystems/http-module-v1 at {first.target}, generation 1, READY>"
    channel.replace(bare(second), identity(second.target, 2), channel._route.calls).close()
    assert repr(channel) == f"<PooledChannel tinysystems/http-module-v1 at {second.target}, generation 2, READY>"
    assert repr(channel) == f"<PooledChannel tinysystems/http-module-v1 at {second.target}, generation 2>"
    channel.retire("the test is over").close()


def test_a_user_cannot_close_what_others_share(start_server: StartServer, pool_of_one: MakePooled) -> None:
    server = start_server()
    channel = pool_of_one(server)
    with channel as same:
        assert same is channel
    with pytest.raises(SharedChannelError, match=r"pool\.unregister"):
        channel.close()
    assert Stub(channel, registered=True).names() == {server.name}


class AddsMetadata(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details._replace(metadata=(("x-intercepted", "yes"),)), request)


def test_interceptors_go_on_over_a_replacement(start_server: StartServer, pool_of_one: MakePooled) -> None:
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    stub = Stub(grpc.intercept_channel(channel, AddsMetadata()), registered=True)
    assert stub.names() == {first.name}
    channel.replace(bare(second), identity(), channel._route.calls).close()
    assert stub.names() == {second.name}
    assert ("x-intercepted", "yes") in second.metadata


def test_a_future_can_be_cancelled(start_server: StartServer, pool_of_one: MakePooled) -> None:
    server = start_server()
    future = Stub(pool_of_one(server), registered=True).waiting.future(b"")
    assert server.entered.acquire(timeout=5)
    assert future.cancel()
    assert future.cancelled()
    with pytest.raises(grpc.FutureCancelledError):
        future.result()


def test_a_subscription_follows_the_module(start_server: StartServer, pool_of_one: MakePooled) -> None:
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    grpc.channel_ready_future(channel).result(timeout=5)
    seen: list[grpc.ChannelConnectivity] = []
    changed = threading.Condition()

    def tell(state: grpc.ChannelConnectivity) -> None:
        with changed:
            seen.append(state)
            changed.notify_all()

    def wait_for(*states: grpc.ChannelConnectivity) -> None:
        with changed:
            assert changed.wait_for(lambda: seen[-1:] == [*states], timeout=5), seen

    channel.subscribe(tell)
    wait_for(grpc.ChannelConnectivity.READY)
    channel.replace(bare(second), identity(), channel._route.calls).close()
    wait_for(grpc.ChannelConnectivity.IDLE)
    assert Stub(channel, registered=True).names() == {second.name}
    wait_for(grpc.ChannelConnectivity.READY)
    channel.unsubscribe(tell)
    channel.unsubscribe(tell)
    told = len(seen)
    channel.replace(bare(first), identity(), channel._route.calls).close()
    assert Stub(channel, registered=True).names() == {first.name}
    assert len(seen) == told


# The thread with which gRPC serves subscribers looks every 0.2 s whether any are left, and raises if its channel was closed meanwhile.
@pytest.mark.filterwarnings("ignore:Exception in thread Thread-.*_run:pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_ready_gets_there_over_a_replacement(start_server: StartServer, pool_of_one: MakePooled) -> None:
    first, second = start_server(), start_server()
    channel = pool_of_one(first)
    first.stop()
    ready = grpc.channel_ready_future(channel)
    channel.replace(bare(second), identity(), channel._route.calls).close()
    ready.result(timeout=5)


def test_a_dropped_channel_is_gone_at_once(start_server: StartServer) -> None:
    server = start_server()
    below = bare(server)
    channel = PooledChannel(identity(), below)
    stub = Stub(channel, registered=True)
    assert stub.names() == {server.name}
    route = weakref.ref(channel._route)
    gc.disable()
    try:
        del channel, stub
        assert route() is None, "a reference cycle would keep it until some collection"
    finally:
        gc.enable()
    below.close()


IN_A_FORK = """
import os, grpc
from tinypool_nb.channels.pooled import PooledChannel
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.errors import ForkedPoolError
channel = PooledChannel(ChannelIdentity(1, ModuleKey(None, "forked"), "a:1", 1), grpc.insecure_channel("ipv4:127.0.0.1:20000"))
made_before = channel.unary_unary("/a/B")
parent = os.getpid()
if (child := os.fork()) == 0:
    said = []
    for use in (made_before, channel.unary_unary("/a/B"), channel.subscribe, lambda _: channel.replace(None, None)):
        try:
            use(b"")
        except ForkedPoolError as error:
            said.append(f"made in process {parent} and is used in its fork {os.getpid()}" in str(error))
    os._exit(0 if said == [True] * 4 else 1)
_, status = os.waitpid(child, 0)
try:
    made_before(b"", timeout=5)
except grpc.RpcError as error:
    print("child", os.waitstatus_to_exitcode(status), "parent", error.code().name)
"""


def test_in_a_fork_it_says_so_and_the_parent_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_FORK], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "child 0 parent UNAVAILABLE\n", done.stderr


class Retirement:
    """What the pool does with replaced channels: closes each once nothing is under way on it."""

    def __init__(self, pooled: PooledChannel) -> None:
        self.pooled = pooled
        self.open: list[grpc.Channel] = []

    def sweep(self) -> None:
        still = []
        for channel in self.open:
            # The order matters: once nobody is on the way in, what is under way stands in gRPC's own count.
            some: Any = channel
            if self.pooled.is_held(channel) or some._call_state.managed_calls:
                still.append(channel)
            else:
                channel.close()
        self.open = still


@pytest.mark.timeout(60)
def test_sixteen_threads_call_while_the_channel_is_replaced_two_hundred_times(start_server: StartServer, pool_of_one: MakePooled) -> None:
    servers = [start_server(), start_server()]
    channel = pool_of_one(servers[0])
    retirement = Retirement(channel)
    shared = Stub(channel, registered=True)
    over = threading.Event()

    def call_all_along(number: int) -> int:
        stub = shared if number % 2 else Stub(channel, registered=True)
        kinds = list(CALLS.values())
        for calls in count():
            if over.is_set():
                return calls
            name, _, answer = kinds[(number + calls) % len(kinds)](stub).partition(b":")
            assert answer == b"123"
            assert name in {server.name for server in servers}
        return 0

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # races come easier
    try:
        with ThreadPoolExecutor(16) as threads:
            callers = [threads.submit(call_all_along, number) for number in range(16)]
            try:
                for number in range(200):
                    retirement.open.append(
                        channel.replace(bare(servers[number % 2]), identity(generation=number + 2), channel._route.calls)
                    )
                    retirement.sweep()
                    channel.unary_unary("/echo/Unary")(b"")  # let calls get onto it
            finally:
                over.set()
            made = [caller.result() for caller in callers]
    finally:
        sys.setswitchinterval(interval)
    assert all(made), "every thread got calls through"
    retirement.sweep()
    assert retirement.open == []
    assert repr(channel).endswith("generation 201>")


@pytest.mark.timeout(60)
def test_channels_that_are_closed_without_waiting_cancel_calls_but_refuse_none(start_server: StartServer, pool_of_one: MakePooled) -> None:
    """What happens when `drain` seconds are over: the worst is gRPC's own CANCELLED, never a ValueError, never a crash."""
    server = start_server()
    channel = pool_of_one(server)
    over = threading.Event()

    def call_all_along(number: int) -> int:
        answered = 0
        for calls in count():
            if over.is_set():
                return answered
            try:
                answer = list(CALLS.values())[(number + calls) % len(CALLS)](Stub(channel, registered=True))
                assert answer == server.name + b":123"
                answered += 1
            except grpc.FutureCancelledError:
                pass
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                assert code is grpc.StatusCode.CANCELLED
        return 0

    with ThreadPoolExecutor(8) as threads:
        callers = [threads.submit(call_all_along, number) for number in range(8)]
        try:
            for _ in range(200):
                channel.replace(bare(server), identity(), channel._route.calls).close()
                threading.Event().wait(0.005)  # let calls get onto it
        finally:
            over.set()
        assert all(caller.result() for caller in callers)
