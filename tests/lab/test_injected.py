"""What faults do to what passes a link, without any link."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.lab.injected import SMOOTH, FaultKind, FaultSettings, Injected, Piece, delay, largest, note, pause

seconds = st.floats(0.001, 100)
moments = st.floats(0, 1000)
lucks = st.floats(-1, 1)


def injected(kind: FaultKind, number: int = 1, begun: float = 0.0, **settings: float) -> Injected:
    return Injected(number, FaultSettings(kind=kind, **settings), begun, {})  # type: ignore[arg-type]


@given(st.lists(st.tuples(seconds, seconds), max_size=4), moments, moments, lucks)
def test_latencies_add_up_within_their_jitters(latencies: list[tuple[float, float]], read: float, now: float, luck: float) -> None:
    faults = [injected(FaultKind.LATENCY, seconds=mean, jitter=min(mean, jitter)) for mean, jitter in latencies]
    waits = delay(faults, Piece(b"x", read, luck), now, to_client=True, accepted=0.0)
    least = sum(fault.settings.seconds - fault.settings.jitter for fault in faults)
    most = sum(fault.settings.seconds + fault.settings.jitter for fault in faults)
    assert max(0.0, read + least - now) - 1e-6 <= waits <= max(0.0, read + most - now) + 1e-6


@given(st.booleans(), st.booleans(), lucks)
def test_a_gate_holds_whatever_else_there_is(to_client: bool, data: bool, luck: float) -> None:
    piece = Piece(b"x" if data else b"", 1.0, luck)
    late = injected(FaultKind.LATENCY, seconds=1.0)
    assert delay([late, injected(FaultKind.BLACKHOLE)], piece, 9.0, to_client=to_client, accepted=0.0) == math.inf
    assert delay([injected(FaultKind.SILENT), late], piece, 9.0, to_client=to_client, accepted=0.0) == (math.inf if to_client else 0.0)


def test_only_new_connections_are_greeted_late_and_only_by_the_server() -> None:
    late, piece = injected(FaultKind.LATE_SETTINGS, begun=5.0, seconds=2.0), Piece(b"x", 6.0, 0.0)
    assert delay([late], piece, 6.5, to_client=True, accepted=6.0) == 1.5
    assert delay([late], piece, 6.5, to_client=True, accepted=4.9) == 0.0
    assert delay([late], piece, 6.5, to_client=False, accepted=6.0) == 0.0
    assert delay([late], piece, 9.0, to_client=True, accepted=6.0) == 0.0


def test_a_slow_close_is_about_ends_alone() -> None:
    slow = injected(FaultKind.SLOW_CLOSE, seconds=2.0)
    assert delay([slow], Piece(b"x", 6.0, 0.0), 6.0, to_client=True, accepted=0.0) == 0.0
    for reset in (True, False):
        assert delay([slow], Piece(b"", 6.0, 0.0, reset), 6.0, to_client=True, accepted=0.0) == 2.0


@given(st.integers(1, 10**9), st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), min_size=1, max_size=50))
def test_a_bandwidth_is_never_exceeded(rate: int, wishes: list[tuple[bool, int]]) -> None:
    """Whatever is sent, when it is allowed, in pieces that are: each direction stays within its rate, and one piece ahead at the most."""
    faults = [injected(FaultKind.BANDWIDTH, size=rate)]
    now = 0.0
    gone = {True: 0, False: 0}
    for to_client, wished in wishes:
        now += pause(faults, -math.inf, now, to_client=to_client)
        most = largest(faults, {})
        assert most is not None
        assert most <= max(1.0, rate * SMOOTH)
        size = min(wished, most)
        assert gone[to_client] <= now * rate * (1 + 1e-9) + 1e-6
        note(faults, {}, size, now, to_client=to_client)
        gone[to_client] += size


@given(st.integers(1, 10_000), st.lists(st.integers(1, 500), max_size=100))
def test_what_passes_before_a_drop_is_exact(limit: int, sizes: list[int]) -> None:
    faults = [injected(FaultKind.DROP_AFTER, size=limit), injected(FaultKind.SLICING, 2, size=300)]
    passed: dict[int, int] = {}
    total = 0
    for size in sizes:
        most = largest(faults, passed)
        assert most is not None
        note(faults, passed, min(size, most), 0.0, to_client=True)
        total += min(size, most)
    assert total <= limit
    assert passed.get(1, 0) == total
    assert largest(faults, passed) == min(limit - total, 300)


def test_settings_come_back_as_they_were_told() -> None:
    for kind in FaultKind:
        settings = FaultSettings(kind=kind, seconds=0.1, jitter=0.05, size=3, on_data=True)
        assert FaultSettings.parse(settings.as_json()) == settings
