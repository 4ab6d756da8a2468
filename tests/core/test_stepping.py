"""Next, play and reset, whatever happens in between: no step is done twice, none is skipped, and every one comes to an end."""

from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.events import ChannelIdentity, Evidence, Transition
from tinypool_nb.core.expectations import Born, Path, Sight, Stays
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.core.stepping import (
    Act,
    Acted,
    Happening,
    LookAgain,
    Next,
    Order,
    Pause,
    Perform,
    Play,
    Progress,
    Reset,
    Restore,
    Saw,
    Script,
    Standing,
    Step,
    advance,
)

SECOND = 1_000_000_000
CHANNEL = ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "127.0.0.1:50051", 1)
BORN = Transition(10, CHANNEL, None, State.IDLE, "", Evidence.INFERRED)
LOST = Transition(20, CHANNEL, State.READY, State.IDLE, "", Evidence.SEEN)
SCRIPT = Script(
    name="short",
    title="A short lesson",
    about="",
    options=PoolOptions(),
    steps=(
        Step("Start", Act.START, "", (), ""),
        Step("Register", Act.REGISTER, "", (Born(1),), ""),
        Step("Call", Act.CALL, "", (), "", refused=True),
        Step("Kill", Act.KILL, "", (Path((State.READY, State.IDLE), 1),), ""),
        Step("Watch", Act.WATCH, "", (Stays(State.IDLE, 1),), ""),
    ),
)


def after(*happenings: Happening) -> tuple[Progress, tuple[Order, ...]]:
    progress: Progress = Progress(SCRIPT)
    orders: tuple[Order, ...] = ()
    for happening in happenings:
        progress, orders = advance(progress, happening)
    return progress, orders


def standings(progress: Progress) -> list[Standing]:
    return [result.standing for result in progress.results]


def test_next_performs_one_step_and_then_waits_for_the_person() -> None:
    progress, orders = after(Next(0))
    assert (orders, progress.current, progress.upcoming) == ((Perform(0),), 0, None)
    progress, orders = after(Next(0), Acted(5, "it serves"))
    assert (orders, progress.current, progress.upcoming) == ((), None, 1)
    assert progress.results[0].note == "it serves"


def test_a_second_click_on_next_changes_nothing() -> None:
    assert after(Next(0), Next(1)) == (after(Next(0))[0], ())


def test_play_goes_on_by_itself_and_stops_where_it_came_otherwise() -> None:
    progress, orders = after(Play(0), Acted(1))
    assert orders == (Perform(1),)
    progress, orders = after(Play(0), Acted(1), Acted(2), Saw(3, (BORN,)), Acted(4, "answered by replica 0"))
    assert orders == ()
    assert standings(progress) == [Standing.MET, Standing.MET, Standing.UNMET]
    assert progress.results[2].said == "expected that it fails; it did not: answered by replica 0"
    assert not progress.playing
    assert advance(progress, Next(9))[1] == (Perform(3),)  # the person may go on all the same


def test_what_was_seen_before_the_action_was_done_counts_too() -> None:
    progress, _ = after(Next(0), Acted(1), Next(2), Saw(15, (BORN,)), Acted(20))
    assert standings(progress) == [Standing.MET, Standing.MET]


def test_an_action_that_cannot_be_done_says_why() -> None:
    progress, _ = after(Next(0), Acted(1, error="the port is taken"))
    assert progress.results[0].standing is Standing.UNMET
    assert progress.results[0].said == "it could not be done: the port is taken"


def test_a_limit_counts_from_the_action_and_ends_the_step_though_nothing_is_seen() -> None:
    progress, orders = after(Next(0), Acted(1), Next(2), Acted(3 * SECOND))
    assert orders == (LookAgain(4 * SECOND),)
    progress, orders = advance(progress, Saw(4 * SECOND))
    assert progress.results[1].said == "expected a new channel, IDLE; nothing was seen"
    assert progress.results[1].standing is Standing.UNMET


def test_what_happens_between_two_steps_is_remembered_and_judged_by_none() -> None:
    progress, _ = after(Next(0), Acted(1), Saw(2, (LOST,)))
    assert progress.results[0].later == (LOST,)
    assert standings(progress) == [Standing.MET]


def test_reset_takes_all_back_and_what_was_under_way_finds_nobody() -> None:
    progress, orders = after(Play(0), Reset())
    assert (progress, orders) == (Progress(SCRIPT), (Restore(),))
    assert advance(progress, Acted(9, "late")) == (progress, ())


def test_pause_lets_the_step_under_way_end() -> None:
    progress, orders = after(Play(0), Pause(), Acted(1))
    assert (orders, standings(progress), progress.upcoming) == ((), [Standing.MET], 1)


sights: st.SearchStrategy[tuple[Sight, ...]] = st.lists(st.sampled_from([BORN, LOST]), max_size=2).map(tuple)
whats = st.sampled_from(["next", "play", "pause", "reset", "acted", "failed", "saw"])


@given(st.lists(st.tuples(whats, st.integers(0, SECOND), sights), max_size=40))
def test_whatever_happens_the_order_of_steps_holds(story: list[tuple[str, int, tuple[Sight, ...]]]) -> None:
    progress, time = Progress(SCRIPT), 0
    performed: list[int] = []
    for what, later, seen in story:
        time += later
        happenings: dict[str, Happening] = {
            "next": Next(time),
            "play": Play(time),
            "pause": Pause(),
            "reset": Reset(),
            "acted": Acted(time),
            "failed": Acted(time, error="no"),
            "saw": Saw(time, seen),
        }
        progress, orders = advance(progress, happenings[what])
        if what == "reset":
            performed = []
        performed += [order.step for order in orders if isinstance(order, Perform)]
        assert performed == list(range(len(progress.results)))
        assert all(standing is not Standing.UNDER_WAY for standing in standings(progress)[:-1])
        assert not (progress.playing and progress.is_over)
        for result in progress.results:
            assert (result.ended is None) == (result.standing is Standing.UNDER_WAY)
        if progress.current is not None and progress.results[-1].acted is not None:
            assert [type(order) for order in orders] in ([LookAgain], []) or isinstance(orders[0], Perform)


@given(st.booleans(), st.booleans())
def test_a_step_that_waits_ends_when_it_is_told_the_time_it_asked_for(playing: bool, late: bool) -> None:
    progress, orders = advance(Progress(SCRIPT), Play(0) if playing else Next(0))
    time = 0
    for _ in range(50):
        if progress.current is None:
            progress, orders = advance(progress, Next(time))
        elif any(isinstance(order, Perform) for order in orders):
            progress, orders = advance(progress, Acted(time))
        else:
            time = max(order.at for order in orders if isinstance(order, LookAgain)) + (SECOND if late else 0)
            progress, orders = advance(progress, Saw(time))
    assert progress.is_over
