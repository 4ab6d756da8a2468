from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import pandas as pd
import pytest

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.diagnosis.diagnose import diagnose
from tinypool_nb.core.discovering import Known, observe
from tinypool_nb.core.events import (
    Attempt,
    Call,
    ChannelIdentity,
    Event,
    Evidence,
    Mark,
    MarkKind,
    Observation,
    Outcome,
    Subject,
    Transition,
)
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import STATES, State
from tinypool_nb.core.subchannels import Found, Socket, Subchannel
from tinypool_nb.core.tinymodules import decode
from tinypool_nb.errors import OptionsError
from tinypool_nb.journal.cases import cases
from tinypool_nb.journal.journal import START, Journal
from tinypool_nb.views import channelz_frames, explanations, frames, module_frames
from tinypool_nb.views.frames import SCHEMAS

IDLE, CONNECTING, READY, FAILURE, SHUTDOWN = STATES
SECOND = 1_000_000_000
START_TIME = 1_700_000_000 * SECOND
COUNTED: Mapping[str, Callable[[Found], pd.DataFrame]] = {"subchannels": channelz_frames.subchannels, "sockets": channelz_frames.sockets}
"""Frames of what gRPC core counts, which no journal holds."""
FRAMES: Mapping[str, Callable[[Journal], pd.DataFrame]] = {
    **{name: getattr(frames, name) for name in SCHEMAS if name not in {*COUNTED, "modules", "findings"}},
    "findings": lambda journal: explanations.frame(
        [diagnose(case) for case in cases(journal, lambda _: PoolOptions(), now=at(100)).values()]
    ),
}
HOSTILE = ("<script>alert(1)</script>", "módulo-😀", "\u202eevil\u202c", "مرحبا", "n" * 253, "nan", "None", '"')


def resources() -> list[Known]:
    addresses = ("10.0.0.1:50051", "", "nats://x", 7)
    told = [{"metadata": {"namespace": "a", "name": f"{name}-{addr}"}, "status": {"addr": addr}} for name in HOSTILE for addr in addresses]
    return [observe(None, decode(each), now=START_TIME).known for each in told]


def channel(name: str = "a", generation: int = 1, namespace: str | None = None) -> ChannelIdentity:
    return ChannelIdentity(generation, ModuleKey(namespace, name), f"10.0.0.{generation}:50051", generation)


def at(seconds: float) -> int:
    return START_TIME + int(seconds * SECOND)


def row(seconds: float, previous: State | None, state: State | None, one: ChannelIdentity | None = None, *, reason: str = "") -> Transition:
    return Transition(at(seconds), one or channel(), previous, state, reason, Evidence.GAP if state is None else Evidence.SEEN)


def journal_of(*events: Event, now: float = 100, history: int = 5_000_000) -> Journal:
    journal = Journal(history=history, clock=Clock(epoch=at(now), monotonic=lambda: 0))
    for event in events:
        journal.append(event)
    return journal


def call(start: float, duration: float, code: Code = Code.OK, one: ChannelIdentity | None = None, *, reason: str = "") -> Call:
    return Call(one or channel(), "module.ModuleService/Message", at(start), at(start + duration), code, 10, 200, reason)


def story() -> Journal:
    """A module that connects, is lost, fails twice, recovers, is not seen for a while, and one that is shut down."""
    other = channel("b", namespace="tiny")
    return journal_of(
        row(0, None, IDLE),
        row(1, IDLE, CONNECTING),
        row(2, CONNECTING, READY),
        row(0, None, IDLE, other),
        Attempt(channel(), 7, "ipv4:10.0.0.1:50051", at(1), at(2), Outcome.READY, "", Evidence.SEEN),
        call(3, 0.5),
        call(11, 1, Code.UNAVAILABLE, reason="Stream removed (Socket closed)"),
        call(4, 0.25, one=other),
        row(12, READY, IDLE),
        row(13, IDLE, FAILURE, reason="refused"),
        Attempt(channel(), 8, "ipv4:10.0.0.1:50051", None, at(13), Outcome.FAILED, "refused", Evidence.SEEN),
        row(15, FAILURE, FAILURE, reason="timed out"),
        row(5, IDLE, SHUTDOWN, other),
        Observation(at(15), channel().key, Subject.CALLS, "ipv4:10.0.0.1:50051", 3),
        Observation(at(15), other.key, Subject.DNS, "ipv4:10.0.0.2:50051"),
        row(16, FAILURE, READY),
        Mark(at(17), MarkKind.ACTION, "kill", channel().key),
        row(20, READY, None),
        row(30, None, READY),
    )


def found(peers: int = 2) -> Found:
    """What core counts of a channel with some subchannels, of which the first is connected, and of one that has none yet."""
    socket = Socket(9, "ipv4:127.0.0.1:41234", "ipv4:10.0.0.1:50051", 4, 3, 1, 4, 3, 7, at(11), at(12), None)
    first = Subchannel(7, "ipv4:10.0.0.1:50051", READY, 4, 3, 1, at(11), (socket,))
    others = (Subchannel(7 + n, f"ipv4:10.0.0.{1 + n}:50051", FAILURE, 0, 0, 0, None, ()) for n in range(1, peers))
    return {channel(): (first, *others), channel("b", namespace="tiny"): ()}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("journal", [Journal(), story()], ids=["empty", "filled"])
def test_each_frame_is_as_its_schema_says(name: str, journal: Journal) -> None:
    check_schema(name, FRAMES[name](journal))


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("counted", [{}, found()], ids=["empty", "filled"])
def test_each_frame_of_counters_is_as_its_schema_says(name: str, counted: Found) -> None:
    check_schema(name, COUNTED[name](counted))


def test_each_schema_has_its_frame() -> None:
    assert set(SCHEMAS) == {*FRAMES, *COUNTED, "modules"}


@pytest.mark.parametrize("known", [[], resources()], ids=["empty", "filled"])
def test_the_frame_of_resources_is_as_its_schema_says(known: list[Known]) -> None:
    check_schema("modules", module_frames.modules(known))


def check_schema(name: str, frame: pd.DataFrame) -> None:
    assert list(frame) == [column.name for column in SCHEMAS[name]]
    for column in SCHEMAS[name]:
        assert str(frame[column.name].dtype) == column.dtype, column.name
        if column.members is not None:
            assert list(frame[column.name].cat.categories) == [member.value for member in column.members]
        assert column.meaning
        assert (column.unit == "s") == (column.dtype == "float64" and column.unit != "1")


def test_calls_tell_how_long_they_took_and_how_they_ended() -> None:
    frame = frames.calls(story())
    assert list(frame["module"]) == ["a", "a", "b"]
    assert list(frame["duration"]) == [0.5, 1.0, 0.25]
    assert list(frame["code"]) == ["OK", "UNAVAILABLE", "OK"]
    assert list(frames.calls(story(), since=at(12))["reason"]) == ["Stream removed (Socket closed)"]


def test_latency_is_exact_and_each_quantile_is_that_of_a_call() -> None:
    calls = [call(n, n / 100, Code.OK if n % 10 else Code.INTERNAL) for n in range(1, 101)]
    frame = frames.latency(journal_of(*calls, call(0, 7, one=channel("a", namespace="tiny")))).set_index("namespace")
    assert frame["calls"].tolist() == [100, 1]
    assert frame["failed_calls"].tolist() == [10, 0]
    assert frame[["p50", "p90", "p99", "longest"]].to_numpy().tolist() == [[0.51, 0.91, 1.0, 1.0], [7.0, 7.0, 7.0, 7.0]]
    assert frame[["sent", "received"]].to_numpy().tolist() == [[1_000, 20_000], [10, 200]]


def test_the_summary_counts_calls_whose_rows_went() -> None:
    journal = journal_of(*(call(n, 0.1, Code.OK if n % 2 else Code.UNAVAILABLE) for n in range(3_000)), history=1_000)
    assert len(frames.calls(journal)) < 3_000
    assert frames.summary(journal)[["calls", "failed_calls"]].to_numpy().tolist() == [[3_000, 1_500]]


def test_members_stand_for_closed_sets_only() -> None:
    closed = {column.name for columns in SCHEMAS.values() for column in columns if column.members is not None}
    assert closed == {"previous", "state", "evidence", "outcome", "kind", "code", "subject", "cause", "gravity", "known"}
    assert all(issubclass(column.members, StrEnum) for columns in SCHEMAS.values() for column in columns if column.members)


def test_transitions_tell_what_happened() -> None:
    frame = frames.transitions(story())
    assert len(frame) == 11
    assert frame["time"].iloc[0] == pd.Timestamp(START_TIME, tz="UTC")
    assert frame["previous"].isna().sum() == 3
    assert (frame["state"] == State.READY).sum() == 3
    gap = frame[frame["state"].isna()]
    assert list(gap["evidence"]) == ["gap"]
    assert set(frame["namespace"].dropna()) == {"tiny"}
    assert frame["reason"].iloc[0] == ""


def test_attempts_have_a_duration_where_their_start_is_known() -> None:
    frame = frames.attempts(story())
    assert frame["duration"].iloc[0] == 1.0
    assert pd.isna(frame["start"].iloc[1])
    assert np.isnan(frame["duration"].iloc[1])
    assert list(frame["outcome"]) == ["ready", "failed"]


def test_intervals_follow_each_other() -> None:
    frame = frames.intervals(story())
    a = frame[frame["module"] == "a"]
    assert list(a["state"].astype(object).where(a["state"].notna(), None)) == [IDLE, CONNECTING, READY, IDLE, FAILURE, READY, None, READY]
    assert list(a["duration"])[:-1] == [1, 1, 10, 1, 3, 4, 10]
    assert pd.isna(a["end"].iloc[-1])
    assert list(a["end"])[:-1] == list(a["start"])[1:]
    assert a["reason"].iloc[4] == "refused"
    b = frame[frame["module"] == "b"]
    assert list(b["duration"]) == [5]


def test_intervals_tell_how_each_was_secured() -> None:
    plain, secure = channel(), channel(generation=2)._replace(transport="mutual TLS")
    frame = frames.intervals(journal_of(row(0, None, IDLE, plain), row(1, None, IDLE, secure), row(2, IDLE, READY, secure)))
    assert list(frame["transport"]) == ["plaintext", "mutual TLS", "mutual TLS"]
    assert frame["transport"].cat.codes.dtype == np.int8


def test_summary_adds_up() -> None:
    one = frames.summary(story()).set_index("module").loc["a"]
    assert list(one[["idle", "connecting", "ready", "transient_failure", "gap"]]) == [2, 1, 10 + 4 + 70, 3, 10]
    assert one["gap_share"] == pytest.approx(0.1)
    assert one["share_ready"] == pytest.approx(84 / 90)
    assert list(one[["disconnections", "attempts", "failures"]]) == [1, 2, 1]
    assert one["mean_time_to_recover"] == 4.0
    assert one["mean_time_between_failures"] == 84.0
    assert (one["state"], one["since"], one["last_reason"]) == ("READY", pd.Timestamp(at(30), tz="UTC"), "timed out")


def test_summary_of_a_module_that_was_shut_down() -> None:
    one = frames.summary(story()).set_index("module").loc["b"]
    assert (one["state"], one["idle"], one["share_ready"], one["disconnections"]) == ("SHUTDOWN", 5, 0, 0)
    assert np.isnan(one["mean_time_to_recover"])
    assert np.isnan(one["mean_time_between_failures"])


def test_summary_counts_open_intervals_up_to_now_and_never_backwards() -> None:
    journal = story()
    assert frames.summary(journal, now=at(40))["ready"].iloc[0] == 24
    assert frames.summary(journal, now=at(10))["ready"].iloc[0] == 14


def test_the_sum_of_the_intervals_is_the_summary() -> None:
    journal = story()
    summed = frames.intervals(journal).dropna(subset="end").groupby(["module", "state"], observed=True)["duration"].sum()
    summary = frames.summary(journal, now=START_TIME).set_index("module")
    for module, state, seconds in summed.reset_index().itertuples(index=False):
        assert summary.loc[module, state.lower()] == pytest.approx(seconds)


def test_connections_are_those_that_are_not_shut_down() -> None:
    frame = frames.connections(story())
    assert list(frame["module"]) == ["a"]
    assert frame.iloc[0][["address", "transport", "state", "generation", "attempts", "failures", "last_error"]].tolist() == [
        "10.0.0.1:50051",
        "plaintext",
        "READY",
        1,
        2,
        1,
        "timed out",
    ]


def test_connections_tell_what_is_known_besides_the_record() -> None:
    frame = frames.connections(story(), options={channel().key: "round_robin"}, found=found())
    assert frame.iloc[0][["target", "resolved", "options", "sockets", "keepalives_sent", "calls", "failed_calls"]].tolist() == [
        "dns:///10.0.0.1:50051",
        "ipv4:10.0.0.1:50051, ipv4:10.0.0.2:50051",
        "round_robin",
        1,
        7,
        2,
        1,
    ]


def test_a_connection_without_subchannels_has_none_and_one_that_was_not_read_is_missing() -> None:
    known = frames.connections(story(), found={channel(): ()}).iloc[0]
    assert known[["resolved", "sockets", "keepalives_sent"]].tolist() == ["", 0, 0]
    for others in (None, {}, {channel(generation=2): found()[channel()]}):
        frame = frames.connections(story(), found=others)
        assert frame[["resolved", "options", "sockets", "keepalives_sent"]].isna().all(axis=None)


def test_an_address_that_is_none_has_no_target() -> None:
    strange = ChannelIdentity(1, ModuleKey(None, "a"), "nats://<b>", 1)
    frame = frames.connections(journal_of(row(0, None, IDLE, strange)))
    assert frame["target"].isna().all()
    assert frame["address"].tolist() == ["nats://<b>"]


def test_subchannels_and_sockets_tell_whose_they_are() -> None:
    subchannels, sockets = channelz_frames.subchannels(found()), channelz_frames.sockets(found())
    assert subchannels[["module", "address", "generation", "subchannel", "state", "sockets"]].to_numpy().tolist() == [
        ["a", "10.0.0.1:50051", 1, 7, "READY", 1],
        ["a", "10.0.0.1:50051", 1, 8, "TRANSIENT_FAILURE", 0],
    ]
    assert subchannels["namespace"].isna().all()
    assert subchannels["last_call"].isna().tolist() == [False, True]
    one = sockets.iloc[0]
    assert one[["module", "subchannel", "socket", "local", "remote", "keepalives_sent"]].tolist() == [
        "a",
        7,
        9,
        "ipv4:127.0.0.1:41234",
        "ipv4:10.0.0.1:50051",
        7,
    ]
    assert one["last_sent"] == pd.Timestamp(at(12), tz="UTC")
    assert pd.isna(one["last_received"])
    merged = sockets.merge(subchannels, on="subchannel", suffixes=("", "_of_subchannel"))
    assert merged["calls_started"].tolist() == merged["streams_started"].tolist() == [4]


def test_a_state_that_core_does_not_name_is_missing_and_hostile_names_are_text() -> None:
    counted: Found = {channel(name, namespace=name): (Subchannel(1, name, None, 0, 0, 0, None, ()),) for name in HOSTILE}
    frame = channelz_frames.subchannels(counted)
    assert frame["state"].isna().all()
    for column in ("namespace", "module", "peer"):
        assert tuple(frame[column]) == HOSTILE
    assert "<script>" not in frame._repr_html_()  # type: ignore[operator]


def test_a_module_in_a_gap_has_no_state() -> None:
    journal = journal_of(row(0, None, READY), row(5, READY, None))
    assert frames.connections(journal)["state"].isna().all()
    assert frames.summary(journal)["gap"].tolist() == [95]


def test_a_module_known_by_an_attempt_alone_has_no_state_and_no_time() -> None:
    journal = journal_of(Attempt(channel(), 0, "", None, at(1), Outcome.FAILED, "no such host", Evidence.INFERRED))
    one = frames.summary(journal).iloc[0]
    assert pd.isna(one["state"])
    assert pd.isna(one["since"])
    assert np.isnan(one["gap_share"])
    assert one["failures"] == 1


def test_two_generations_overlap_without_disturbing_each_other() -> None:
    new = channel(generation=2)
    journal = journal_of(row(0, None, READY), row(10, None, IDLE, new), row(12, READY, SHUTDOWN), row(15, IDLE, READY, new))
    intervals = frames.intervals(journal)
    assert list(intervals["generation"]) == [1, 2, 2]
    assert list(intervals["duration"])[:2] == [10, 5]
    assert len(frames.transitions(journal)) == 4
    assert frames.summary(journal)["disconnections"].tolist() == [0]
    assert frames.connections(journal)["generation"].tolist() == [2]


def test_stamps_out_of_order_make_no_negative_durations() -> None:
    journal = journal_of(row(10, None, IDLE), row(8, IDLE, CONNECTING), row(9, CONNECTING, READY), now=5)
    intervals = frames.intervals(journal)
    assert list(intervals["duration"])[:2] == [0, 1]
    assert (intervals["end"].dropna() >= intervals["start"].iloc[:2]).all()
    assert frames.summary(journal)["ready"].tolist() == [0]


@pytest.mark.parametrize("copy", [True, False])
def test_hostile_names_are_text(copy: bool) -> None:
    journal = journal_of(
        *(row(i, None, IDLE, channel(name, namespace=name, generation=i + 1), reason=name) for i, name in enumerate(HOSTILE))
    )
    frame = frames.transitions(journal, copy=copy)
    for column in ("namespace", "module", "reason"):
        assert tuple(frame[column]) == HOSTILE
    assert tuple(frames.summary(journal)["module"]) == HOSTILE
    assert "<script>" not in frame._repr_html_()  # type: ignore[operator]


@pytest.mark.parametrize(
    "since",
    [
        Mark(at(16), MarkKind.NOTE, "now", None),
        at(16),
        pd.Timestamp(at(16), tz="UTC"),
        pd.Timestamp(at(16), tz="UTC").tz_convert("Asia/Tokyo"),
        datetime.fromtimestamp(at(16) / SECOND, UTC),
    ],
    ids=["mark", "int", "Timestamp", "another zone", "datetime"],
)
def test_since_leaves_out_what_was_before(since: frames.Since) -> None:
    journal = story()
    assert frames.transitions(journal, since=since)["time"].min() == pd.Timestamp(at(16), tz="UTC")
    assert len(frames.transitions(journal, since=since, copy=False)) == 3
    assert len(frames.attempts(journal, since=since)) == 0
    assert len(frames.marks(journal, since=since)) == 1
    assert len(frames.intervals(journal, since=since)) == 4  # the one that ended at that moment too


@pytest.mark.parametrize("since", [datetime(2023, 1, 1), pd.Timestamp("2023-01-01"), pd.NaT, "2023-01-01", True, 1.5])  # noqa: DTZ001 that is the point
def test_since_without_a_zone_or_a_time_is_refused(since: object) -> None:
    with pytest.raises(OptionsError, match="since="):
        frames.transitions(story(), since=since)  # type: ignore[arg-type]


@pytest.mark.parametrize("modules", [5, 126, 127, 200])
def test_a_frame_without_copying_shares_the_journals_memory(modules: int) -> None:
    journal = journal_of(*(row(i, None, READY, channel(f"module-{i}", generation=i + 1)) for i in range(modules)))
    columns = journal.since(START).transitions.columns
    frame = frames.transitions(journal, copy=False)
    for name in frame:
        array = frame[name].array
        values = array.asi8 if name == "time" else array.codes if isinstance(array, pd.Categorical) else frame[name].to_numpy()
        assert np.shares_memory(np.asarray(values), columns[str(name)]), name


def test_writing_to_a_frame_never_alters_the_journal() -> None:
    journal = story()
    before = frames.transitions(journal)
    writes: list[Callable[[pd.DataFrame], object]] = [
        lambda frame: frame.loc.__setitem__((0, "time"), pd.Timestamp(0, tz="UTC")),
        lambda frame: frame.loc.__setitem__((0, "state"), "READY"),
        lambda frame: frame.loc.__setitem__((slice(None), "generation"), 9),
        lambda frame: frame.iloc.__setitem__((0, 2), "b"),
        lambda frame: frame.__setitem__("generation", 5),
        lambda frame: frame["state"].array.__setitem__(0, "READY"),
        lambda frame: frame["time"].array.__setitem__(0, pd.Timestamp(0, tz="UTC")),
        lambda frame: frame["generation"].to_numpy().__setitem__(0, 9),
        lambda frame: frame["generation"].__iadd__(1),
    ]
    for copy in (True, False):
        for write in writes:
            with suppress(ValueError, TypeError, AssertionError):  # what pandas says of a read-only column differs by its dtype
                write(frames.transitions(journal, copy=copy))
            pd.testing.assert_frame_equal(frames.transitions(journal), before)


@pytest.mark.parametrize("name", [*FRAMES, *COUNTED])
def test_copies_may_be_written_to(name: str) -> None:
    frame = COUNTED[name](found()) if name in COUNTED else FRAMES[name](story())
    for column in frame.columns:
        frame.loc[0, column] = frame[column].iloc[-1]
        frame[column].array[0] = frame[column].iloc[-1]


def test_a_frame_stays_as_it_was_while_the_journal_goes_on() -> None:
    journal = journal_of(*(row(i, None, IDLE) for i in range(500)), history=1_000)
    frame = frames.transitions(journal, copy=False)
    before = frame.copy()
    for i in range(5_000):
        journal.append(row(i, IDLE, READY, channel(f"module-{i % 300}", generation=i % 7 + 1)))
    journal.position()
    pd.testing.assert_frame_equal(frame, before)


def test_an_open_interval_stands_after_its_row_has_gone() -> None:
    journal = journal_of(row(0, None, READY, channel("quiet", namespace="tiny"), reason="why"), history=1_000)
    for i in range(5_000):
        journal.append(row(i, READY, IDLE, channel("busy")))
    assert frames.transitions(journal)["module"].eq("quiet").sum() == 0
    frame = frames.intervals(journal)
    first = frame.iloc[0]
    assert (first["namespace"], first["module"], first["state"], first["reason"]) == ("tiny", "quiet", "READY", "why")
    assert pd.isna(first["end"])
    assert frame["end"].isna().sum() == 2
    assert [str(frame[column.name].dtype) for column in SCHEMAS["intervals"]] == [column.dtype for column in SCHEMAS["intervals"]]
    assert list(frame["state"].cat.categories) == list(State)
    assert frames.summary(journal).set_index("module").loc["quiet", "ready"] == 100


def test_a_batch_makes_frames_of_the_new_rows_only() -> None:
    journal = story()
    position = journal.position()
    journal.append(row(40, READY, IDLE))
    journal.mark("deployed v2")
    batch = journal.since(position)
    assert frames.transitions_of(batch)["time"].tolist() == [pd.Timestamp(at(40), tz="UTC")]
    assert frames.marks_of(batch)["text"].tolist() == ["deployed v2"]
    assert len(frames.attempts_of(batch)) == 0
    assert frames.transitions_of(batch).attrs == {"dropped": 0}


def test_marks_are_about_one_module_or_all() -> None:
    journal = story()
    journal.mark("<b>all</b>")
    frame = frames.marks(journal)
    assert list(frame["kind"]) == ["action", "note"]
    assert frame["module"].isna().tolist() == [False, True]
    assert frame["text"].iloc[1] == "<b>all</b>"
