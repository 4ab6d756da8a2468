"""One pool's metrics for `prometheus_client`: nothing is kept or computed before somebody scrapes.

The two metrics of the page carry its names and labels. The others carry those of gRFC A94 (subchannels) and A66 (calls), as
OpenTelemetry's names are written for Prometheus, and the label `module` beside. Each names only modules that are registered.

`grpc.subchannel.open_connections` of A94 is left out: the record knows a channel's state, not how many of its subchannels are
connected. With `pick_first` it is the page's gauge for READY.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.decisions import Operation, Status
from tinypool_nb.core.disconnections import USUAL
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.folding import FAILURES, SUCCESSES, times_in_states
from tinypool_nb.core.latency import BOUNDS
from tinypool_nb.core.states import STATES, State
from tinypool_nb.journal.journal import Journal

TIMED = tuple(state for state in STATES if state is not State.SHUTDOWN)
"""The states whose time is told: no registered module is in SHUTDOWN."""
BUCKETS = (*map(repr, BOUNDS), "+Inf")
"""The label `le` of each bucket."""


class Module(NamedTuple):
    """A registered module that the journal knows."""

    shown: str
    """Its key, as it is shown."""
    row: int
    """Its place in the journal's totals."""
    channel: ChannelIdentity
    target: str
    """What gRPC dials, as A66 writes it: with its scheme, and without the fragment by which we find it in channelz."""


def connections() -> GaugeMetricFamily:
    """The page's gauge, as a set of states: `== 0` and `avg_over_time` work, and no module is in two states."""
    return GaugeMetricFamily(
        "tinysystems_client_pool_connections",
        "Connections by state: 1 for the state that the module is in, 0 for the others.",
        labels=("module", "state"),
    )


def operations() -> CounterMetricFamily:
    """The page's counter."""
    return CounterMetricFamily(
        "tinysystems_client_pool_operations_total",
        "Pool operations by type and how they went.",
        labels=("operation", "status"),
    )


def state_seconds() -> CounterMetricFamily:
    """Finer than the gauge: it counts the states between two scrapes too."""
    return CounterMetricFamily(
        "tinysystems_client_pool_state_seconds",
        "Time that the module was in the state, up to now; time of which nobody knows is in none.",
        labels=("module", "state"),
        unit="seconds",
    )


def attempts_succeeded() -> CounterMetricFamily:
    """A94's `grpc.subchannel.connection_attempts_succeeded`."""
    return CounterMetricFamily(
        "grpc_subchannel_connection_attempts_succeeded_total",
        "Successful connection attempts of the module.",
        labels=("module", "grpc_target"),
    )


def attempts_failed() -> CounterMetricFamily:
    """A94's `grpc.subchannel.connection_attempts_failed`."""
    return CounterMetricFamily(
        "grpc_subchannel_connection_attempts_failed_total",
        "Failed connection attempts of the module.",
        labels=("module", "grpc_target"),
    )


def disconnections() -> CounterMetricFamily:
    """A94's `grpc.subchannel.disconnections`, of the channel as a whole: with round_robin, when the last connection is lost."""
    return CounterMetricFamily(
        "grpc_subchannel_disconnections_total",
        "How often the module's connection was lost, by the reason.",
        labels=("module", "grpc_target", "grpc_disconnect_error"),
    )


def call_duration() -> HistogramMetricFamily:
    """A66's `grpc.client.call.duration`."""
    return HistogramMetricFamily(
        "grpc_client_call_duration_seconds",
        "How long calls to the module took, from their start until their status was known.",
        labels=("module", "grpc_target", "grpc_method", "grpc_status"),
        unit="seconds",
    )


FAMILIES: tuple[Callable[[], Metric], ...] = (
    connections,
    operations,
    state_seconds,
    attempts_succeeded,
    attempts_failed,
    disconnections,
    call_duration,
)
"""All metrics, without samples."""


class PoolCollector(Collector):
    """The metrics of one pool, to be registered with any `prometheus_client.CollectorRegistry`; one pool a registry.

    It holds parts of the pool, never the pool. A counter never goes down while its module is registered, and goes on where it was
    if the module comes back. All counts are the module's; where it has moved, they stand under its newest `grpc_target`.

    Args:
        journal: what was seen.
        states: gives the state of each registered module, by its shown key.
        operations: gives the counts of operations.

    Source: the page's Pool Metrics; gRFC A66, gRFC A94.
    """

    def __init__(
        self, journal: Journal, states: Callable[[], Mapping[str, State]], operations: Callable[[], Mapping[tuple[Operation, Status], int]]
    ) -> None:
        self._journal = journal
        self._states = states
        self._operations = operations
        self._lock = threading.Lock()
        self._told = np.zeros((0, len(TIMED)), np.int64)

    def describe(self) -> list[Metric]:
        """The metrics without samples, so that a registry learns their names without a scrape."""
        return [family() for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        states = self._states()
        channels, numbers, times = self._totals()
        modules = [
            Module(shown, row, channel, _target(channel.address))
            for row, channel in enumerate(channels)
            if (shown := str(channel.key)) in states
        ]
        yield _of_states(states)
        yield self._of_operations()
        yield _of_times(modules, times)
        yield _of_attempts(attempts_succeeded(), modules, numbers[:, SUCCESSES])
        yield _of_attempts(attempts_failed(), modules, numbers[:, FAILURES])
        yield self._of_disconnections(modules)
        yield self._of_calls(modules)

    def _totals(self) -> tuple[list[ChannelIdentity], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Each module's newest channel, its totals, and its nanoseconds in each of TIMED.

        An open interval counts up to now, and gRPC core's stamp of its end may be older than a scrape that came in between. What
        was told then is told again until the time of that state has caught up with it.
        """
        with self._lock:
            totals = self._journal.totals()
            now = self._journal.clock.now()
            times = times_in_states(totals.numbers, totals.states(), totals.since(), now)[:, [state.code for state in TIMED]]
            times[: len(self._told)] = np.maximum(times[: len(self._told)], self._told)
            self._told = times
        return totals.channels, totals.numbers, times

    def _of_operations(self) -> Metric:
        family = operations()
        for which, count in self._operations().items():
            family.add_metric(which, count)
        return family

    def _of_disconnections(self, modules: list[Module]) -> Metric:
        family = disconnections()
        lost = self._journal.disconnections()
        for module in modules:
            # Prometheus takes no notice of a counter's first value: what begins at 1 has never grown.
            for error, count in {**dict.fromkeys(USUAL, 0), **lost.get(module.channel.key, {})}.items():
                family.add_metric((module.shown, module.target, error), count)
        return family

    def _of_calls(self, modules: list[Module]) -> Metric:
        family = call_duration()
        latencies = self._journal.latencies()
        for module in modules:
            for (method, code), (counts, total) in latencies.get(module.channel.key, {}).items():
                buckets = tuple(zip(BUCKETS, accumulate(counts), strict=True))
                family.add_metric((module.shown, module.target, method, code), buckets, sum_value=total)
        return family


def _of_states(states: Mapping[str, State]) -> Metric:
    family = connections()
    for shown, current in states.items():
        for state in STATES:
            family.add_metric((shown, state), state is current)
    return family


def _of_times(modules: list[Module], times: npt.NDArray[np.int64]) -> Metric:
    family = state_seconds()
    for module in modules:
        for state, nanoseconds in zip(TIMED, times[module.row].tolist(), strict=True):
            family.add_metric((module.shown, state), nanoseconds / 1e9)
    return family


def _of_attempts(family: CounterMetricFamily, modules: list[Module], counts: npt.NDArray[np.int64]) -> Metric:
    for module, count in zip(modules, counts[[module.row for module in modules]].tolist(), strict=True):
        family.add_metric((module.shown, module.target), count)
    return family


@lru_cache(maxsize=10_000)
def _target(address: str) -> str:
    return parse_address(address).target
