"""An attempt told from the events of its traces, as gRPC core writes them."""

import pytest

from tinypool_nb.core.backoff import Window
from tinypool_nb.core.events import ChannelIdentity, Outcome
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.phases import AttemptReport, PhaseName, Story, report
from tinypool_nb.core.tracing import TraceEvent

MS = 1_000_000
CHANNEL = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "localhost:50051", 2)
BACKOFF = Backoff(initial=1.0, min_connect_timeout=20.0)
BEGUN = [
    (0, "Channel created"),
    (1, "Channel state change to CONNECTING"),
    (5, "Channel state change to CONNECTING"),
    (5, 'Created new LB policy "pick_first"'),
    (5, "Resolution event: Address list became non-empty, Service config changed"),
]
REFUSED = "UNKNOWN: ipv4:127.0.0.1:50051: Failed to connect to remote host: Connection refused"
GREETED = "UNAVAILABLE: Connection closed before server preface received"


def story(channel: list[tuple[int, str]], **subchannels: list[tuple[int, str]]) -> Story:
    told = Story([TraceEvent(at * MS, text) for at, text in channel])
    for number, (peer, events) in enumerate(subchannels.items()):
        told.tell(number + 3, peer, [TraceEvent(at * MS, text) for at, text in events])
    return told


def tried(start: int, end: int, how: str, *, shook: int | None = None) -> list[tuple[int, str]]:
    return [
        (start, "subchannel created"),
        (start, "Subchannel connectivity state changed to CONNECTING"),
        (end if shook is None else shook, "Handshake connection"),
        (end, f"Subchannel connectivity state changed to {how}"),
    ]


def made(told: Story, **more: object) -> AttemptReport:
    return report(CHANNEL, told, BACKOFF, attempt=1, asked=0, **more)  # type: ignore[arg-type]


RESOLVING, CONNECTING, HANDSHAKE, READY, FAILED, GIVEN_UP = PhaseName


@pytest.mark.parametrize(
    ("told", "outcome", "names"),
    [
        (story(BEGUN, one=tried(5, 9, "READY", shook=7)), Outcome.READY, [RESOLVING, CONNECTING, HANDSHAKE, READY]),
        (story(BEGUN, one=tried(5, 9, f"TRANSIENT_FAILURE: {REFUSED}")), Outcome.FAILED, [RESOLVING, CONNECTING, FAILED]),
        (
            story(BEGUN, one=tried(5, 9, f"TRANSIENT_FAILURE: {GREETED}", shook=7)),
            Outcome.FAILED,
            [RESOLVING, CONNECTING, HANDSHAKE, FAILED],
        ),
        (
            story(BEGUN, one=tried(5, 6, f"TRANSIENT_FAILURE: {REFUSED}"), two=tried(6, 9, "READY", shook=7)),
            Outcome.READY,
            [RESOLVING, CONNECTING, FAILED, CONNECTING, HANDSHAKE, READY],
        ),
        (story([*BEGUN[:2], (4, "Resolution event: UNAVAILABLE: errors resolving")]), Outcome.FAILED, [RESOLVING, FAILED]),
    ],
)
def test_the_phases_follow_from_the_events(told: Story, outcome: Outcome, names: list[PhaseName]) -> None:
    attempt = made(told)
    assert (attempt.outcome, [phase.name for phase in attempt.phases]) == (outcome, names)
    assert attempt.began == 1 * MS
    assert (attempt.next is None) == (outcome is Outcome.READY)


def test_the_next_one_would_have_come_in_the_window_of_the_module_s_own_backoff() -> None:
    assert made(story(BEGUN, one=tried(5, 9, f"TRANSIENT_FAILURE: {REFUSED}"))).next == Window(805 * MS, 1_205 * MS)
    slow = story(BEGUN, one=tried(5, 5_000, f"TRANSIENT_FAILURE: {GREETED}", shook=7))
    assert made(slow).next == Window(5_000 * MS, 5_000 * MS)


def test_one_without_an_end_is_given_up_where_grpc_would_have_given_it_up() -> None:
    mute = story(BEGUN, one=tried(5, 0, "CONNECTING", shook=6)[:3])
    attempt = made(mute, ended=9_000 * MS, why="it had no end within 9 s")
    assert [phase.name for phase in attempt.phases] == [RESOLVING, CONNECTING, HANDSHAKE, GIVEN_UP]
    assert (attempt.outcome, attempt.reason, attempt.seconds) == (Outcome.ABANDONED, "it had no end within 9 s", 8.999)
    assert attempt.next == Window(20_005 * MS, 20_005 * MS)


def test_only_the_first_attempt_of_an_address_is_told() -> None:
    events = [*tried(5, 9, "READY", shook=7), (20, "Subchannel connectivity state changed to IDLE"), *tried(30, 31, "READY")]
    assert [phase.name for phase in made(story(BEGUN, one=events)).phases] == [RESOLVING, CONNECTING, HANDSHAKE, READY]


def test_it_reads_well() -> None:
    text = str(made(story(BEGUN, one=tried(5, 9, f"TRANSIENT_FAILURE: {REFUSED}"))))
    assert text.splitlines() == [
        "attempt 1 of http-module-v1 at localhost:50051: failed after 0.008 s",
        "  +0.000 s  resolving, for 0.004 s",
        "  +0.004 s  connecting one, for 0.004 s",
        f"  +0.008 s  failed one: {REFUSED}",
        "  by itself gRPC would have made the next attempt 0.80 to 1.20 s after the start of this one",
    ]
