"""The schedule of probes: its budget, its fairness, its end, and what it leaves alone. The time is the tests' own."""

import bisect
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinypool_nb.core.addresses import Scheme, parse_address
from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.probing import BUDGET, LASTING, SECOND, SETTLED, TICK, Connect, GiveUp, Probe, Schedule, places
from tinypool_nb.core.states import TRANSITIONS, State

MANY = 1000
LOST = State.TRANSIENT_FAILURE


def channel(index: int = 0, *, number: int | None = None, address: str = "127.0.0.1:50051", generation: int = 1) -> ChannelIdentity:
    return ChannelIdentity(index if number is None else number, ModuleKey(None, f"module-{index}"), address, generation)


def row(identity: ChannelIdentity, previous: State | None, state: State | None, time: int) -> Transition:
    return Transition(time, identity, previous, state, "", Evidence.SEEN)


def lost(index: int = 0, *, at: int = 0, address: str = "127.0.0.1:50051", peers: tuple[str, ...] = ()) -> tuple[Schedule, ChannelIdentity]:
    schedule, identity = Schedule(), channel(index, address=address)
    schedule.follow(identity, parse_address(address), Backoff())
    schedule.see(row(identity, State.CONNECTING, LOST, at), at, peers)
    return schedule, identity


def next_probe(schedule: Schedule) -> tuple[int, Probe]:
    """When the next probe goes out; it is the only one of its round."""
    assert schedule.next is not None
    [probe] = schedule.due(schedule.next)
    assert isinstance(probe, Probe)
    return schedule.next or 0, probe


def run(schedule: Schedule, until: int, *, now: int = 0, answered: bool = False) -> list[tuple[int, Probe | Connect | GiveUp]]:
    """All that is done from `now` to `until`, each with its time, if every probe is heard of at once."""
    done: list[tuple[int, Probe | Connect | GiveUp]] = []
    while schedule.next is not None and schedule.next <= until:
        now = max(now, schedule.next)
        for action in schedule.due(now):
            done.append((now, action))
            if isinstance(action, Probe):
                connect = schedule.hear(action, answered=answered, now=now)
                done += [] if connect is None else [(now, connect)]
    return done


# The budget


def test_a_thousand_lost_modules_share_500_probes_a_second_for_a_minute() -> None:
    schedule = Schedule()
    for index in range(MANY):
        schedule.follow(channel(index), parse_address("127.0.0.1:50051"), Backoff())
        schedule.see(row(channel(index), State.CONNECTING, LOST, 0), 0)
    done = run(schedule, 10 * LASTING)
    times = [at for at, action in done if isinstance(action, Probe)]
    assert max(bisect.bisect_left(times, at + SECOND) - n for n, at in enumerate(times)) == BUDGET
    assert len(times) == BUDGET * 60
    assert max(times) < LASTING
    counts = Counter(action.channel.key for _, action in done if isinstance(action, Probe))
    assert len(counts) == MANY
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {action.channel.key for _, action in done if isinstance(action, GiveUp)} == set(counts)
    assert schedule.next is None


def test_one_lost_module_is_probed_every_20_ms() -> None:
    schedule, _ = lost()
    times = [at for at, _ in run(schedule, SECOND)]
    assert times == list(range(0, SECOND + 1, TICK))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=200), st.integers(0, SECOND // 2))
def test_no_second_holds_more_than_the_budget_however_modules_are_lost_and_the_thread_is_late(at: list[int], late: int) -> None:
    schedule = Schedule()
    waiting = sorted(enumerate(at), key=lambda pair: pair[1])
    times: list[int] = []
    now = 0
    while now < 3 * SECOND:
        while waiting and waiting[0][1] <= now:
            index, _ = waiting.pop(0)
            schedule.follow(channel(index), parse_address("127.0.0.1:50051"), Backoff())
            schedule.see(row(channel(index), State.CONNECTING, LOST, now), now)
        actions = [action for action in schedule.due(now) if isinstance(action, Probe)]
        assert len({action.channel for action in actions}) == len(actions)
        for action in actions:
            schedule.hear(action, answered=False, now=now)
        times += [now] * len(actions)
        now += 7_000_000 + (late if now % 3 == 0 else 0)
    assert all(bisect.bisect_left(times, at + SECOND) - n <= BUDGET for n, at in enumerate(times))


def test_a_module_is_not_probed_while_a_probe_of_it_is_under_way() -> None:
    schedule, identity = lost()
    _, probe = next_probe(schedule)
    schedule.see(row(identity, LOST, LOST, SECOND), SECOND)  # gRPC's own attempt failed
    assert schedule.next is None
    assert schedule.hear(probe, answered=False, now=2 * SECOND) is None
    assert schedule.next == 2 * SECOND


# What is lost


@pytest.mark.parametrize(
    ("previous", "state", "is_lost"),
    [
        (None, State.IDLE, False),
        (State.IDLE, State.CONNECTING, False),
        (State.CONNECTING, State.READY, False),
        (State.READY, State.CONNECTING, False),  # an attempt is under way
        (State.CONNECTING, State.TRANSIENT_FAILURE, True),
        (State.READY, State.TRANSIENT_FAILURE, True),
        (State.READY, State.IDLE, True),
        (State.IDLE, State.SHUTDOWN, False),
        (State.READY, None, False),
    ],
)
def test_a_module_is_lost_when_it_failed_or_was_left_idle(previous: State | None, state: State | None, is_lost: bool) -> None:
    schedule = Schedule()
    schedule.follow(channel(), parse_address("127.0.0.1:50051"), Backoff())
    schedule.see(row(channel(), previous, state, 0), 0)
    assert (schedule.next is not None) == is_lost


@pytest.mark.parametrize("state", [State.READY, State.CONNECTING, State.SHUTDOWN])
def test_what_is_no_longer_lost_is_not_probed_and_an_answer_that_comes_late_does_nothing(state: State) -> None:
    schedule, identity = lost()
    _, probe = next_probe(schedule)
    schedule.see(row(identity, LOST, state, TICK), TICK)
    assert schedule.hear(probe, answered=True, now=TICK) is None
    assert run(schedule, 2 * LASTING) == []


def test_what_is_forgotten_or_of_a_channel_that_was_replaced_is_of_no_interest() -> None:
    schedule, identity = lost()
    _, probe = next_probe(schedule)
    schedule.forget(identity.key)
    schedule.forget(identity.key)
    assert schedule.hear(probe, answered=True, now=TICK) is None
    schedule.see(row(identity, LOST, LOST, TICK), TICK)
    newer = channel(number=7, generation=2)
    schedule.follow(newer, parse_address(newer.address), Backoff())
    schedule.see(row(identity, LOST, LOST, TICK), TICK)
    assert schedule.next is None


# What an answer leads to


def test_what_answers_is_connected_to_once() -> None:
    schedule, identity = lost(at=5)
    now, probe = next_probe(schedule)
    assert schedule.hear(probe, answered=True, now=now + 3_000) == Connect(identity, now + 3_000 - 5)
    schedule.see(row(identity, LOST, State.CONNECTING, now + 4_000), now + 4_000)
    assert run(schedule, 2 * LASTING) == []


def test_what_answers_and_is_not_connected_to_is_probed_again_a_rung_later() -> None:
    schedule, identity = lost()
    now, probe = next_probe(schedule)
    schedule.hear(probe, answered=True, now=now)
    assert schedule.next == now + SECOND
    again, probe = next_probe(schedule)
    assert schedule.hear(probe, answered=True, now=again) == Connect(identity, again)


def test_a_peer_that_accepts_and_fails_costs_a_rung_of_the_ladder_each_time() -> None:
    schedule, identity = lost()
    tries: list[int] = []
    now = 0
    while schedule.next is not None:
        done = run(schedule, schedule.next, now=now, answered=True)  # one round, whose answer leads to a fresh channel
        tries += [at for at, action in done if isinstance(action, Connect)]
        if not done:  # what was to come for a channel that was replaced
            continue
        if isinstance(done[-1][1], GiveUp):
            break
        now = done[-1][0] + 1_000_000
        newer = channel(number=100 + len(tries), generation=1 + len(tries))
        schedule.follow(newer, parse_address(identity.address), Backoff())
        schedule.see(row(newer, None, State.IDLE, now), now)
        schedule.see(row(newer, State.IDLE, State.CONNECTING, now), now)
        schedule.see(row(newer, State.CONNECTING, LOST, now), now)
    gaps = [(later - earlier) / SECOND for earlier, later in pairwise(tries)]
    assert gaps == pytest.approx([1.0, 1.6, 2.56, 4.096, 6.5536, 10.48576, 16.777216], abs=0.05)


def test_a_connection_that_does_not_settle_is_the_same_outage_and_one_that_does_begins_another() -> None:
    for stood, waits in ((SETTLED - 1, True), (SETTLED, False)):
        schedule, identity = lost()
        now, probe = next_probe(schedule)
        schedule.hear(probe, answered=True, now=now)
        schedule.see(row(identity, LOST, State.READY, now), now)
        schedule.see(row(identity, State.READY, State.IDLE, now + stood), now + stood)
        assert schedule.next == (now + SECOND if waits else now + stood)


def test_a_fresh_channel_goes_on_with_the_outage_and_one_to_another_address_does_not() -> None:
    for address, is_over in (("127.0.0.1:50051", True), ("127.0.0.1:50052", False)):
        schedule, _ = lost()
        run(schedule, LASTING)
        newer = channel(number=7, address=address, generation=2)
        schedule.follow(newer, parse_address(address), Backoff())
        schedule.see(row(newer, State.CONNECTING, LOST, LASTING), LASTING)
        assert (schedule.next is None) == is_over


def test_after_a_minute_a_module_is_given_up_once_until_it_was_ready() -> None:
    schedule, identity = lost()
    assert [action for _, action in run(schedule, 2 * LASTING) if isinstance(action, GiveUp)] == [GiveUp(identity)]
    schedule.see(row(identity, LOST, LOST, 2 * LASTING), 2 * LASTING)
    assert schedule.next is None
    schedule.see(row(identity, LOST, State.READY, 2 * LASTING), 2 * LASTING)
    schedule.see(row(identity, State.READY, State.IDLE, 3 * LASTING), 3 * LASTING)
    assert schedule.next == 3 * LASTING


# Where probes go


def test_the_places_of_a_module_take_turns() -> None:
    schedule, _ = lost(address="ipv4:10.0.0.1:50051,10.0.0.2:50051")
    hosts = [action.place.host for _, action in run(schedule, 3 * TICK) if isinstance(action, Probe)]
    assert hosts == ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]


def test_a_name_is_probed_where_grpc_found_it_last_and_never_before() -> None:
    schedule, identity = lost(address="http-module-v1:50051")
    assert run(schedule, SECOND) == []
    schedule.see(row(identity, LOST, LOST, SECOND), SECOND, ["ipv4:10.0.0.1:50051"])
    _, probe = next_probe(schedule)
    assert (probe.place.host, probe.place.port) == ("10.0.0.1", 50051)
    newer = channel(number=7, address=identity.address, generation=2)
    schedule.follow(newer, parse_address(identity.address), Backoff())
    schedule.see(row(newer, State.CONNECTING, LOST, 2 * SECOND), 2 * SECOND)  # it has not been resolved anew
    assert next_probe(schedule)[1].place == probe.place


@pytest.mark.parametrize(
    ("address", "peers", "expected"),
    [
        ("127.0.0.1:1", (), [(Scheme.IPV4, "127.0.0.1", 1)]),
        ("[::1]:1", (), [(Scheme.IPV6, "::1", 1)]),
        ("ipv6:[::1]:1,[::2]:2", (), [(Scheme.IPV6, "::1", 1), (Scheme.IPV6, "::2", 2)]),
        ("unix:/run/module.sock", (), [(Scheme.UNIX, "/run/module.sock", 0)]),
        ("dns://127.0.0.1:53/name:1", ("ipv4:10.0.0.1:1", "ipv4:10.0.0.1:1"), [(Scheme.IPV4, "10.0.0.1", 1)]),
        ("localhost:1", ("ipv6:[::1]:1", "ipv6:[fe80::1%eth0]:1", "", "nonsense"), [(Scheme.IPV6, "::1", 1)]),
        ("name:1", (), []),
    ],
)
def test_where_a_module_can_be_probed(address: str, peers: tuple[str, ...], expected: list[tuple[Scheme, str, int]]) -> None:
    assert [tuple(place) for place in places(parse_address(address), peers)] == expected


@settings(deadline=None)
@given(st.data())
def test_whatever_happens_only_lost_modules_are_probed(data: st.DataObject) -> None:
    schedule = Schedule()
    states: dict[int, State] = {}
    asked: list[Probe] = []
    now = 0
    for _ in range(data.draw(st.integers(1, 60))):
        now += data.draw(st.integers(0, 3 * SECOND))
        index = data.draw(st.integers(0, 2))
        match data.draw(st.sampled_from(["follow", "see", "forget", "due", "due", "hear"])):
            case "follow":
                schedule.follow(channel(index), parse_address("127.0.0.1:50051"), Backoff())
                states[index] = State.IDLE
            case "see" if index in states and TRANSITIONS[states[index]]:
                state = data.draw(st.sampled_from(sorted(TRANSITIONS[states[index]])))
                schedule.see(row(channel(index), states[index], state, now), now)
                states[index] = state
            case "forget":
                schedule.forget(channel(index).key)
                states.pop(index, None)
            case "due":
                for action in schedule.due(now):
                    assert states[action.channel.number] in {LOST, State.IDLE}
                    asked += [action] if isinstance(action, Probe) else []
            case "hear" if asked:
                probe = asked.pop(data.draw(st.integers(0, len(asked) - 1)))
                connect = schedule.hear(probe, answered=data.draw(st.booleans()), now=now)
                assert connect is None or states[connect.channel.number] in {LOST, State.IDLE}
