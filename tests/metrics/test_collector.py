"""What a scrape says, from a journal whose clock stands still."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.latency import BOUNDS
from tinypool_nb.core.states import STATES, State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.metrics.collector import PoolCollector
from tinypool_nb.metrics.operations import Operations

HTTP, API = ModuleKey(None, "http-module-v1"), ModuleKey("tinysystems", "api-module-v1")
ADDRESS, TARGET = "127.0.0.1:50051", "dns:///127.0.0.1:50051"
SECOND = 1_000_000_000
IDLE, CONNECTING, READY, FAILURE = State.IDLE, State.CONNECTING, State.READY, State.TRANSIENT_FAILURE

CONNECTIONS = "tinysystems_client_pool_connections"
OPERATIONS = "tinysystems_client_pool_operations_total"
SECONDS = "tinysystems_client_pool_state_seconds_total"
SUCCEEDED = "grpc_subchannel_connection_attempts_succeeded_total"
FAILED = "grpc_subchannel_connection_attempts_failed_total"
LOST = "grpc_subchannel_disconnections_total"
DURATION = "grpc_client_call_duration_seconds"


class Scene:
    """A journal, the states of the registered modules, and a collector of both."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds."""
        self.journal = Journal(clock=Clock(0, lambda: round(self.now * SECOND)))
        self.states: dict[str, State] = {}
        self.operations = Operations()
        self.collector = PoolCollector(self.journal, lambda: self.states, self.operations.read)
        self.everything = CollectorRegistry()
        self.everything.register(self.collector)

    def transition(self, channel: ChannelIdentity, time: float, previous: State | None, state: State, reason: str = "") -> None:
        self.journal.append(Transition(round(time * SECOND), channel, previous, state, reason, Evidence.SEEN))

    def attempt(self, channel: ChannelIdentity, outcome: Outcome) -> None:
        self.journal.append(Attempt(channel, 1, "ipv4:127.0.0.1:50051", None, 1, outcome, "", Evidence.SEEN))

    def call(self, channel: ChannelIdentity, seconds: float, code: Code = Code.OK, reason: str = "") -> None:
        end = round(self.now * SECOND)
        self.journal.append(Call(channel, "module.ModuleService/Message", end - round(seconds * SECOND), end, code, 0, 0, reason))

    def scrape(self, **labels: str) -> dict[tuple[str, ...], float]:
        """Each sample that carries these labels: its name and other labels' values -> its value."""
        found: dict[tuple[str, ...], float] = {}
        for family in parse(generate_latest(self.everything).decode()):
            for sample in family.samples:
                if labels.items() <= sample.labels.items():
                    others = (value for name, value in sorted(sample.labels.items()) if name not in labels)
                    found[sample.name, *others] = sample.value
        return found


def channel(key: ModuleKey = HTTP, generation: int = 1, address: str = ADDRESS) -> ChannelIdentity:
    return ChannelIdentity(generation, key, address, generation)


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.transition(channel(), 0, None, IDLE)
    scene.states["http-module-v1"] = IDLE
    return scene


def test_the_page_s_two_metrics_have_its_names_and_labels(scene: Scene) -> None:
    families = {family.name: family for family in scene.everything.collect()}
    connections, operations = families[CONNECTIONS], families[OPERATIONS.removesuffix("_total")]
    assert (connections.type, operations.type) == ("gauge", "counter")
    assert {tuple(sample.labels) for sample in connections.samples} == {("module", "state")}
    assert {tuple(sample.labels) for sample in operations.samples} == {("operation", "status")}
    assert {sample.name for sample in operations.samples} == {OPERATIONS}


@pytest.mark.parametrize("state", STATES)
def test_a_module_has_all_states_and_is_in_one(scene: Scene, state: State) -> None:
    scene.states["http-module-v1"] = state
    of_it = {sample: value for sample, value in scene.scrape(module="http-module-v1").items() if sample[0] == CONNECTIONS}
    assert of_it == {(CONNECTIONS, each): float(each is state) for each in STATES}


def test_a_module_that_goes_disappears_from_every_metric(scene: Scene) -> None:
    scene.transition(channel(API, 2), 0, None, IDLE)
    scene.states[str(API)] = IDLE
    scene.attempt(channel(API, 2), Outcome.FAILED)
    scene.call(channel(API, 2), 0.5)
    assert {name for name, *_ in scene.scrape(module=str(API))} >= {CONNECTIONS, SECONDS, SUCCEEDED, FAILED, LOST, f"{DURATION}_bucket"}
    del scene.states[str(API)]
    assert scene.scrape(module=str(API)) == {}
    assert scene.scrape(module="http-module-v1") != {}


def test_a_module_that_the_record_does_not_know_yet_has_its_state(scene: Scene) -> None:
    scene.states["new"] = IDLE
    assert {name for name, *_ in scene.scrape(module="new")} == {CONNECTIONS}


def test_operations_are_told_as_they_were_counted(scene: Scene) -> None:
    scene.operations.add("register", "replaced")
    told = scene.scrape()
    assert told[OPERATIONS, "register", "replaced"] == 1
    assert told[OPERATIONS, "send", "error"] == 0


def test_time_in_a_state_counts_up_to_now(scene: Scene) -> None:
    scene.transition(channel(), 3, IDLE, CONNECTING)
    scene.transition(channel(), 4, CONNECTING, READY)
    scene.now = 10
    times = {sample[1]: value for sample, value in scene.scrape(module="http-module-v1").items() if sample[0] == SECONDS}
    assert times == {IDLE: 3, CONNECTING: 1, READY: 6, FAILURE: 0}


def test_time_that_was_told_is_not_taken_back_when_its_end_becomes_known_late(scene: Scene) -> None:
    """gRPC core's stamp may be older than the last scrape: a counter that falls is a restart to Prometheus, and counts anew."""
    scene.transition(channel(), 0, IDLE, READY)
    scene.now = 20
    assert scene.scrape()[SECONDS, "http-module-v1", READY] == 20
    scene.transition(channel(), 18, READY, IDLE)
    told = scene.scrape()
    assert (told[SECONDS, "http-module-v1", READY], told[SECONDS, "http-module-v1", IDLE]) == (20, 2)
    scene.transition(channel(), 20, IDLE, READY)
    scene.now = 30
    assert scene.scrape()[SECONDS, "http-module-v1", READY] == 28, "it was 2 s ahead, and is right again"


@settings(max_examples=30, deadline=None)
@given(st.integers())
def test_no_counter_ever_goes_down(seed: int) -> None:
    scene, lots = Scene(), random.Random(seed)
    last: dict[ModuleKey, tuple[float, State]] = {}
    before: dict[tuple[str, ...], float] = {}
    for _ in range(30):
        key = lots.choice([HTTP, API])
        scene.states[str(key)] = READY
        scene.now += lots.random()
        time, previous = last.get(key, (0.0, None))
        state, moment = lots.choice(STATES[:4]), lots.uniform(time, scene.now)  # told late, by any time up to all of it
        scene.transition(channel(key), moment, previous, state)
        scene.attempt(channel(key), lots.choice([Outcome.READY, Outcome.FAILED]))
        scene.call(channel(key), lots.random(), lots.choice([Code.OK, Code.UNAVAILABLE]), lots.choice(["", "Socket closed"]))
        last[key] = moment, state
        samples = [sample for family in scene.collector.collect() for sample in family.samples if sample.name != CONNECTIONS]
        told = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
        assert {sample: (value, told.get(sample)) for sample, value in before.items() if told.get(sample, -1.0) < value} == {}
        before = told


def test_attempts_count_by_how_they_ended(scene: Scene) -> None:
    for outcome in (Outcome.FAILED, Outcome.FAILED, Outcome.READY, Outcome.ABANDONED):
        scene.attempt(channel(), outcome)
    told = scene.scrape(module="http-module-v1", grpc_target=TARGET)
    assert (told[SUCCEEDED,], told[FAILED,]) == (1, 2)


def test_the_target_is_canonical_and_the_newest(scene: Scene) -> None:
    scene.attempt(channel(), Outcome.READY)
    assert (SUCCEEDED, TARGET, "http-module-v1") in scene.scrape()
    scene.transition(channel(generation=2, address="ipv4:10.0.0.1:50051"), 1, None, IDLE)
    assert scene.scrape()[SUCCEEDED, "ipv4:10.0.0.1:50051", "http-module-v1"] == 1
    assert (SUCCEEDED, TARGET, "http-module-v1") not in scene.scrape()


def test_disconnections_have_the_reasons_of_a94_and_begin_at_0(scene: Scene) -> None:
    lost = {sample[1]: value for sample, value in scene.scrape(module="http-module-v1", grpc_target=TARGET).items() if sample[0] == LOST}
    assert set(lost.values()) == {0}
    assert {"connection reset", "connection timed out", "socket error", "GOAWAY NO_ERROR", "unknown"} <= set(lost)
    scene.transition(channel(), 1, IDLE, READY)
    scene.transition(channel(), 2, READY, IDLE)
    scene.now = 2
    scene.call(channel(), 0.1, Code.UNAVAILABLE, "Stream removed (Socket closed)")
    scene.now = 3
    assert scene.scrape()[LOST, "socket error", TARGET, "http-module-v1"] == 1
    assert scene.scrape()[LOST, "unknown", TARGET, "http-module-v1"] == 0


def test_calls_are_counted_in_the_buckets_of_a66(scene: Scene) -> None:
    scene.now = 10
    for seconds in (0.0004, 0.0004, 3.0, 200.0):
        scene.call(channel(), seconds)
    scene.call(channel(), 0.2, Code.UNAVAILABLE)
    labels = {"module": "http-module-v1", "grpc_target": TARGET, "grpc_method": "module.ModuleService/Message"}
    told = scene.scrape(grpc_status="OK", **labels)
    buckets = {float(sample[1]): value for sample, value in told.items() if sample[0] == f"{DURATION}_bucket"}
    assert tuple(buckets) == (*BOUNDS, float("inf"))
    assert [buckets[bound] for bound in (0.0003, 0.0006, 2.0, 5.0, 100.0, float("inf"))] == [0, 2, 2, 3, 3, 4]
    assert told[f"{DURATION}_count",] == 4
    assert told[f"{DURATION}_sum",] == pytest.approx(203.0008)
    assert scene.scrape(grpc_status="UNAVAILABLE", **labels)[f"{DURATION}_count",] == 1


@pytest.mark.parametrize("name", ['we"ird', "back\\slash", "\\n", "back\\", '\\"', "😀", "{a=b}", "<b>x</b>", "é", "a,b", "# HELP"])
def test_hostile_names_are_read_back_as_they_are(name: str) -> None:
    scene = Scene()
    scene.transition(channel(ModuleKey("ns", name)), 0, None, IDLE)
    scene.states[f"ns/{name}"] = IDLE
    scene.call(channel(ModuleKey("ns", name)), 0.0)
    formats: list[tuple[Any, Any]] = [(parse, generate_latest), (parse_openmetrics, generate_openmetrics)]
    for read, write in formats:
        families = read(write(scene.everything).decode())
        samples = [sample for family in families for sample in family.samples if "module" in sample.labels]
        assert {sample.labels["module"] for sample in samples} == {f"ns/{name}"}
        assert [sample.labels["state"] for sample in samples if sample.name == CONNECTIONS and sample.value == 1] == ["IDLE"]


def test_to_register_it_is_no_scrape() -> None:
    def never() -> Any:
        raise AssertionError("nobody has scraped yet")

    collector = PoolCollector(Journal(), never, never)
    CollectorRegistry(auto_describe=True).register(collector)
    with pytest.raises(AssertionError):
        list(collector.collect())


def test_what_is_described_is_what_is_collected(scene: Scene) -> None:
    def facts(families: Any) -> Mapping[str, tuple[str, str, str]]:
        return {family.name: (family.type, family.documentation, family.unit) for family in families}

    assert facts(scene.collector.describe()) == facts(scene.collector.collect())


def test_a_registry_has_one_pool(scene: Scene) -> None:
    with pytest.raises(ValueError, match=CONNECTIONS):
        scene.everything.register(Scene().collector)
