"""The exercises of notebook 07: five broken modules to diagnose."""

from collections.abc import Mapping

from tinypool_nb.core.states import State
from tinypool_nb.course.exercises import Exercise, Judgement, choice, listed, look, right, several
from tinypool_nb.course.ward import PATIENTS
from tinypool_nb.errors import shown

BY_THEMSELVES = frozenset({"orders-v1", "stock-v1"})
"""Those that come back once their machine is looked after."""
_STAY: Mapping[str, str] = {
    "users-v1": "users-v1 runs well; it is the pool that comes without TLS, so the pool's registration has to change",
    "search-v1": "search-v1 answers, but not in gRPC: the pool has the port of something else",
    "cart-v1": "the name that the pool has for cart-v1 leads nowhere: its machine may be well, but nobody finds it",
}
_LOOK = {
    "dead": "where nobody listens the system says so at once: Connection refused. What does this one's last failure say?",
    "frozen": "a frozen one was READY once, and then its attempts take long and end in silence. Look at the path of states and the time.",
    "tls": "what wants TLS hangs up on a client that begins without. Look at whether it was ever READY, and at the last words.",
    "other": "what is no gRPC server still answers something, and gRPC quotes it. Look at the last words.",
    "name": "a name that leads nowhere fails before anybody is dialled: no address stands in the words. Look at them.",
}


def _patient(number: str, name: str, diagnosis: str, said: str, *hints: str) -> Exercise:
    answers = {word: right(said) if word == diagnosis else look(advice) for word, advice in _LOOK.items()}
    return Exercise(number, f"the diagnosis of {name}", choice(answers), hints)


def _by_themselves(answer: object) -> Judgement:
    given = listed(answer)
    if given is None:
        return look(f'a list of names is asked for, such as ["cart-v1"], and this is {shown(answer)}.')
    names = {str(name) for name in given}
    unknown = sorted(names - set(PATIENTS))
    if unknown:
        return look(f"{', '.join(map(shown, unknown))} is none of the five: {', '.join(PATIENTS)}.")
    wrong = sorted(names - BY_THEMSELVES)
    if wrong:
        return look(f"{'; '.join(_STAY[name] for name in wrong)}.")
    missing = sorted(BY_THEMSELVES - names)
    if missing:
        return look(f"{', '.join(sorted(names)) or 'none'} is not all. Which others did only their own process leave in the lurch?")
    return right(
        "a dead process is started, a frozen one woken up; address, name and TLS were right all the time, and gRPC tries again itself."
    )


def _encrypted(answer: object) -> Judgement:
    if not isinstance(answer, Mapping) or "users-v1" not in answer:
        return look('pool.health() is asked for, as it stood in the cell: tp.course.check("07.7", pool.health())')
    if answer["users-v1"] == State.READY:
        return right("users-v1 is READY: the same address with other options is another channel, and this one speaks TLS.")
    return look(
        f'users-v1 is {answer["users-v1"]}. Is it registered anew with options=tp.PoolOptions(tls=lab["users-v1"].tls)? '
        "pool.connections() shows in the column `transport` what it speaks."
    )


EXERCISES = several(
    (
        _patient(
            "07.1",
            "orders-v1",
            "dead",
            "it was READY until the connection was lost, and since then its port refuses: its process has ended.",
            "How did READY end, and what does the system say to each attempt since?",
            "Connection refused means that nobody listens at that port.",
        ),
        _patient(
            "07.2",
            "stock-v1",
            "frozen",
            "it was READY, then a ping went unanswered; since then its machine accepts connections, and its process says nothing.",
            "Its port does not refuse. How long does an attempt take, compared with that of orders-v1?",
            "SETTINGS is the first thing that an HTTP/2 server says. It was waited for in vain.",
            "Notebook 04 has shown this: what was READY and is silent now.",
        ),
        _patient(
            "07.3",
            "users-v1",
            "tls",
            "it was never READY: it accepts the connection and ends it before it has said anything, as who expects TLS does.",
            "Was it ever READY? Then it did not break: it never fitted.",
            "Somebody is there, takes the connection and hangs up at the first words. What might it have expected instead?",
        ),
        _patient(
            "07.4",
            "search-v1",
            "other",
            "something answers there, in HTTP/1.1: a web page, perhaps, or the module's port for metrics.",
            "Somebody answers. Read what gRPC could not parse.",
            "gRPC speaks HTTP/2. Which other number stands in the words?",
        ),
        _patient(
            "07.5",
            "cart-v1",
            "name",
            "the name is looked up at each attempt, and leads nowhere. Whether the module itself is well, nobody can say from here.",
            "Does an address stand in the words of the failure, with numbers?",
            "It failed before anybody was dialled: at the DNS server, as in notebook 06.",
        ),
        Exercise(
            "07.6",
            "who comes back by themselves",
            _by_themselves,
            (
                "For each of the five: whose fault is it, the module's process, or what the pool was told about it?",
                "Two of them were told of rightly, and their own process failed.",
                "A process that has ended, and one that is frozen.",
            ),
        ),
        Exercise(
            "07.7",
            "connect with TLS",
            _encrypted,
            (
                "pool.register takes the name, the address, and options=tp.PoolOptions(tls=...).",
                'pool.register("users-v1", lab["users-v1"].address, options=tp.PoolOptions(tls=lab["users-v1"].tls))',
            ),
        ),
    )
)
