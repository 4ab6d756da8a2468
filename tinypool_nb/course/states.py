"""The exercises of notebook 02: the five states, lazy connection, sharing."""

from tinypool_nb.core.states import State
from tinypool_nb.course.exercises import Exercise, Judgement, choice, look, number, path, right, rows_of, several, state

IDLE, CONNECTING, READY, FAILURE, SHUTDOWN = State


def _brought_back(transitions: object) -> Judgement:
    """Judge a frame of the transitions since the module served again."""
    rows = rows_of(transitions, "state", "generation")
    if rows is None:
        return look(
            'pool.transitions(since=back) is asked for, as it stood in the cell: tp.course.check("02.6", pool.transitions(since=back))'
        )
    ready = [generation for state, generation in rows if state == READY]
    if not ready:
        return look("it is not READY yet. Which verb of the pool takes a fresh channel, which has no wait before its first attempt?")
    if any(state == IDLE for state, _ in rows):  # a fresh channel begins there
        return right("reconnect() took a fresh channel, which has no wait to sit out, and your stubs go on working with it.")
    return look(
        "it is READY, but on the old channel: gRPC's own next attempt came. health_check() and calls do not shorten that wait. "
        "Kill the module, let a call fail, restart it, and try the verb that takes a fresh channel."
    )


EXERCISES = several(
    (
        Exercise(
            "02.1",
            "the state after register",
            state(
                {
                    IDLE: right("nothing is dialled before somebody needs the connection: it is lazy."),
                    CONNECTING: look("that would be an attempt to connect. Who asked for one? Look at the table that the pool showed."),
                    READY: look(
                        "registering only notes the address. Who would have connected? Look at the table that the pool showed: "
                        "no attempt yet."
                    ),
                    FAILURE: look("for that an attempt has to fail first, and there was none. Look at the table that the pool showed."),
                    SHUTDOWN: look("that is how a channel ends. Look at the table that the pool showed: how does it begin?"),
                }
            ),
            (
                "register notes a name and an address. What would have to happen before anybody needs a connection?",
                "Look for the state of which the map says that somebody has to ask before it ends.",
            ),
        ),
        Exercise(
            "02.2",
            "the states of the first call",
            path(
                [IDLE, CONNECTING, READY],
                said="the call woke the channel, an attempt was made, it succeeded, and the call went out.",
                otherwise="Read the column `state` from the top.",
            ),
            (
                "It begins where register left it, and ends where calls go through.",
                "Follow the arrows of the map: from IDLE there is only one that does not close the channel.",
                "Three states: IDLE, the attempt, and the one in which calls go through.",
            ),
        ),
        Exercise(
            "02.3",
            "how many connections",
            number(
                1,
                said="a connection carries many calls at the same time, so all that share a channel share it. Only one socket was opened.",
                near={
                    10: "that would be one for each stub. Count the rows of the table of sockets; `streams_started` counts the "
                    "calls on each.",
                    11: "count the rows of the table of sockets; `streams_started` counts the calls on each.",
                    20: "count the rows of the table of sockets; `streams_started` counts the calls on each.",
                    0: "the calls were answered, so there is at least one. Count the rows of the table.",
                },
                otherwise="count the rows of the table of sockets.",
                unit="connections",
            ),
            (
                "gRPC speaks HTTP/2, in which one connection carries many calls at the same time, each in a stream of its own.",
                "All ten stubs were made from the same channel, and the channel is what has the connection.",
            ),
        ),
        Exercise(
            "02.4",
            "the state after a kill",
            state(
                {
                    IDLE: right("the connection is gone, and nobody needs it: that is no failure. It stays so until somebody asks."),
                    CONNECTING: look(
                        "trying again by itself is what round_robin does. This channel is pick_first: look at the pool's table."
                    ),
                    READY: look(
                        "the system closes a dead process's sockets, so gRPC heard of it within milliseconds. Look at the table. "
                        "(A process that hangs is another matter: notebook 04.)"
                    ),
                    FAILURE: look(
                        "most people expect this. But a failure is an attempt that failed, and since the kill there was none. "
                        "Look at the table."
                    ),
                    SHUTDOWN: look("only our own side can close the channel. Look at the table: what is it doing?"),
                }
            ),
            (
                "A TRANSIENT_FAILURE is an attempt that failed. Has there been an attempt since the kill?",
                "Find READY on the map, and the arrow that says: connection lost (pick_first).",
            ),
        ),
        Exercise(
            "02.5",
            "the state after a failed call",
            state(
                {
                    FAILURE: right("the call asked, the attempt was refused, and now gRPC waits before it tries again by itself."),
                    IDLE: look(
                        "a Go client would get there after a while; Python's gRPC does not. Look at the table: the attempt left "
                        "a reason, too."
                    ),
                    CONNECTING: look("that was for a millisecond: the attempt is over, it was refused. Look at the table."),
                    READY: look("nobody listens there, so nobody answered. Look at the table."),
                    SHUTDOWN: look("nobody closed it: it may yet connect. Look at the table."),
                }
            ),
            (
                "A call asks for a connection, so there is an attempt. How does it end?",
                "Its name says that it is a failure, and that it will pass.",
            ),
        ),
        Exercise(
            "02.6",
            "connect without waiting",
            _brought_back,
            (
                "What waits is the channel that failed. A fresh one would not have to.",
                "The verb's name says what it does, and it takes the module's name: pool.re…(\"http-module-v1\").",
                'pool.reconnect("http-module-v1")',
            ),
        ),
        Exercise(
            "02.7",
            "out of SHUTDOWN",
            choice(
                {
                    "no": right(
                        "SHUTDOWN is final. Registering again made another channel, and that one is READY: `generation` counts "
                        "the channels."
                    ),
                    "yes": look("no arrow of the map leaves SHUTDOWN. Look at the column `generation`: which channel is it that is READY?"),
                }
            ),
            ("Is there an arrow on the map that leaves SHUTDOWN?", "The column `generation` counts the channels that a module has had."),
        ),
    )
)
