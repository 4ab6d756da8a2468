"""The exercises of notebook 06: many servers behind one name."""

from tinypool_nb.core.states import State
from tinypool_nb.course.exercises import Exercise, Judgement, choice, listed, look, number, right, several, state
from tinypool_nb.errors import shown

ADDED = "mail-3"
"""The server that was added to the name."""


def _answered(answer: object) -> Judgement:
    """Judge which servers answered."""
    given = listed(answer)
    if given is None:
        return look(f"who answered is asked for, as it stood in the cell, and this is {shown(answer)}.")
    names = sorted(map(str, given))
    if ADDED in names:
        return right(f"{', '.join(names)} answer: the fresh channel asked DNS anew, and connected to all that it was told.")
    return look(
        f"only {', '.join(names) or 'nobody'} answered. When does gRPC ask DNS? Which verb of the pool makes it begin from the start?"
    )


EXERCISES = several(
    (
        Exercise(
            "06.1",
            "how many answer with pick_first",
            number(
                1,
                said="it connects to the first address that accepts, and all calls go there.",
                near={
                    3: "that is what round_robin does. Look at the names in the answer's count.",
                    12: "there are twelve calls and three replicas. Look at the names in the answer's count.",
                },
                otherwise="look at the names in the answer's count.",
                unit="replicas",
            ),
            ("Its name says it: it picks the first.",),
        ),
        Exercise(
            "06.2",
            "how many connections with round_robin",
            number(
                3,
                said="it connects to every address, and sends the calls to them in turn.",
                near={
                    1: "that is what pick_first has. Count the rows of takes-turns in the table of sockets.",
                    4: "one of the rows belongs to picks-first.",
                    12: "a connection carries many calls. Count the rows of takes-turns in the table of sockets.",
                },
                otherwise="count the rows of takes-turns in the table of sockets.",
                unit="connections",
            ),
            ("To take turns it must be able to reach each of them.", "There are three replicas."),
        ),
        Exercise(
            "06.3",
            "round_robin with one of three lost",
            state(
                {
                    State.READY: right("two are left, and one is enough for calls to go through."),
                    State.IDLE: look("that is picks-first, whose only connection it was. Look at takes-turns in what was printed."),
                    State.CONNECTING: look(
                        "one of its three is trying, but a channel shows the best of its servers. Look at what was printed."
                    ),
                    State.TRANSIENT_FAILURE: look(
                        "one of its three failed, but a channel shows the best of its servers. Look at what was printed."
                    ),
                    State.SHUTDOWN: look("nobody closed it. Look at what was printed."),
                }
            ),
            ("Can calls go through?", "A channel over several servers shows the best of their states."),
        ),
        Exercise(
            "06.4",
            "pick_first after its replica is lost",
            choice(
                {
                    "another": right("the call woke the channel, the first address refused, the next one accepted: nobody noticed."),
                    "fails": look("it would with one address. It has three. Read what was printed: who answered?"),
                    "waits": look("it has two more addresses to try. Read what was printed: who answered?"),
                }
            ),
            (
                "After the loss the channel is IDLE, and a call asks. Which addresses does it know?",
                "It goes through its addresses until one accepts.",
            ),
        ),
        Exercise(
            "06.5",
            "a new address in DNS",
            choice(
                {
                    "no": right("nobody asked: gRPC resolves a name when it connects, and all its connections are well."),
                    "yes": look("read who answered, and how many questions the DNS server got since."),
                }
            ),
            ("How would gRPC hear of it? DNS tells only who asks.", "Look at how many questions came since the record was changed."),
        ),
        Exercise(
            "06.6",
            "reach the new server",
            _answered,
            ("A fresh channel resolves the name again.", 'pool.re…("mail")', 'pool.reconnect("mail")'),
        ),
        Exercise(
            "06.7",
            "calls without DNS",
            choice(
                {
                    "work": right("the addresses are known and the connections stand. DNS is needed only to make new ones."),
                    "fail": look("read who answered. What is DNS needed for, once a connection stands?"),
                }
            ),
            ("What is DNS needed for, once a connection stands?", "It is an address book, as the API server was in notebook 05."),
        ),
    )
)
