"""The exercises of notebook 04: keepalive and the frozen peer."""

from tinypool_nb.core.options import Keepalive
from tinypool_nb.core.states import State
from tinypool_nb.course.exercises import Exercise, Judgement, choice, look, number, right, several, state
from tinypool_nb.errors import shown

PERMITTED = 5.0
"""Seconds between two pings that the servers in the field permit."""
WANTED = 10.0
"""Seconds within which a frozen module is to be found."""


def _settings(answer: object) -> Judgement:
    """Judge a choice of keepalive settings."""
    if not isinstance(answer, Keepalive):
        return look(f"a tp.Keepalive(time=..., timeout=...) is asked for, and this is {shown(answer)}.")
    if answer.time < PERMITTED:
        return look(
            f"time={answer.time:g} s is more often than the {PERMITTED:g} s that the servers permit: they would close the connection."
        )
    found = answer.time + answer.timeout
    if found > WANTED:
        return look(
            f"a ping after {answer.time:g} s, lost after {answer.timeout:g} s more: found after {found:g} s, and {WANTED:g} s are wanted."
        )
    if not answer.without_calls:
        return look("without_calls=False pings only while a call is under way: a module that froze while nobody called would go unnoticed.")
    hurry = " (A short timeout takes a slow link for a dead one.)" if answer.timeout < 1 else ""
    return right(f"a ping after {answer.time:g} s of silence is permitted, and a frozen module is found after at most {found:g} s.{hurry}")


EXERCISES = several(
    (
        Exercise(
            "04.1",
            "the state right after a freeze",
            state(
                {
                    State.READY: right("nobody told gRPC anything, and its peer's silence proves nothing yet. READY is a lie now."),
                    State.IDLE: look(
                        "it will be, once something has found out. Look at what pool.health() said a tenth of a second later."
                    ),
                    State.CONNECTING: look("for that the connection would have to be lost first. Look at what pool.health() said."),
                    State.TRANSIENT_FAILURE: look(
                        "for that an attempt would have to fail, and nobody knows of anything yet. Look at what pool.health() said."
                    ),
                    State.SHUTDOWN: look("only our own side closes a channel. Look at what pool.health() said."),
                }
            ),
            (
                "How would gRPC hear of it? The process did not end, so its sockets are open.",
                "It has heard nothing, so it goes on believing what it believed.",
            ),
        ),
        Exercise(
            "04.2",
            "how long READY can be a lie",
            number(
                13.0,
                said="at worst it froze right after it had said something: 10 s of silence until the ping, and 3 s for its answer.",
                near={
                    10.0: "then the ping has just gone out. How long may its answer take?",
                    3.0: "that is how long the answer may take. And until the ping goes out?",
                    7.0: "the two times come one after the other.",
                    30.0: "the two times come one after the other: they add up.",
                    20.0: "one ping is enough: the silence until it goes out, and the time for its answer.",
                    2.0: "that is so with the settings of this notebook. With 10 s and 3 s?",
                },
                otherwise="at worst it froze right after it had said something. First `time` passes in silence, then the ping's `timeout`.",
            ),
            ("Two things come one after the other: the silence before the ping, and the wait for its answer.", "time + timeout"),
        ),
        Exercise(
            "04.3",
            "a short call to a frozen module",
            choice(
                {
                    "DEADLINE_EXCEEDED": right(
                        "the connection looked well, so the call went out; the answer did not come, and the deadline ended it."
                    ),
                    "UNAVAILABLE": look(
                        "that would be so if gRPC knew. Half a second after the freeze no ping has failed yet. Read what was printed."
                    ),
                    "OK": look("a frozen process answers nothing. Read what was printed."),
                }
            ),
            ("The ping needs two seconds to find out. When does the call end?", "What ended it was its own deadline."),
        ),
        Exercise(
            "04.4",
            "too many pings",
            choice(
                {
                    "close": right(
                        "it says GOAWAY with the words too_many_pings, and the connection is lost, though both sides were well."
                    ),
                    "ignore": look(
                        "an unanswered ping would look like a frozen peer. Look at the transitions: what became of READY, and who did it?"
                    ),
                    "nothing": look("it did for three seconds. Look at the transitions: what became of READY?"),
                }
            ),
            ("Look at the transitions: how does READY end?", "The server has a rule, and a way to enforce it that no client can overlook."),
        ),
        Exercise(
            "04.5",
            "choose the settings",
            _settings,
            (
                "There are two bounds: `time` at the least what the servers permit, `time` + `timeout` at the most what you want to wait.",
                "tp.Keepalive(time=6, timeout=3), for example; why do these two work?",
            ),
        ),
    )
)
