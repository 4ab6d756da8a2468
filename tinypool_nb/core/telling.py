"""The whole state of a pool in one line, for its repr."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tinypool_nb.core.palette import SEVERITY
from tinypool_nb.core.states import State

FEW = 8
"""Modules that are told one by one; of more it is told how many are in which state."""
WORST = 3
"""Names that are told of those in the worst state."""
LONGEST = 60
"""Characters of a name."""


def told_pool(
    kind: str, states: Mapping[str, State], *, checked_every: float | None = None, draining: int = 0, calls: int = 0, failed_calls: int = 0
) -> str:
    """A pool in one line: its modules and their states, of many the worst first; then whatever else goes on.

    Args:
        kind: the name of its class.
        states: the state of each module by its shown key, which is foreign text.
        checked_every: seconds between two health checks; None if they are off.
        draining: retired channels that are still open.
        calls: calls that ended so far.
        failed_calls: calls among them that failed.

    >>> told_pool("Pool", {"http-module-v1": State.READY, "api-module-v1": State.IDLE})
    '<Pool 2 modules: http-module-v1: READY, api-module-v1: IDLE>'
    >>> many = {f"module-{number}": State.TRANSIENT_FAILURE if number in (7, 9) else State.READY for number in range(1000)}
    >>> told_pool("Pool", many)
    '<Pool 1,000 modules: 2 TRANSIENT_FAILURE (module-7, module-9), 998 READY>'
    >>> told_pool("Pool", {}, checked_every=30.0, draining=1, calls=1204, failed_calls=3)
    '<Pool 0 modules; health checks every 30 s; 1 channel draining; 1,204 calls, 3 failed>'
    """
    modules = _each(states) if len(states) <= FEW else _counted(states)
    parts = [f"{counted(len(states), 'module')}{': ' if modules else ''}{modules}"]
    if checked_every is not None:
        parts.append(f"health checks every {checked_every:g} s")
    if draining:
        parts.append(f"{counted(draining, 'channel')} draining")
    if calls:
        parts.append(f"{counted(calls, 'call')}{f', {failed_calls:,} failed' if failed_calls else ''}")
    return f"<{kind} {'; '.join(parts)}>"


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "call"), counted(1204, "call")
    ('1 call', '1,204 calls')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _each(states: Mapping[str, State]) -> str:
    return ", ".join(f"{_on_one_line(name)}: {state}" for name, state in states.items())


def _counted(states: Mapping[str, State]) -> str:
    """How many are in which state, the worst first, those in the worst by name; all being READY nobody is."""
    counts = Counter(states.values())
    worst_first = sorted(counts, key=lambda state: -SEVERITY[state.code])
    worst = worst_first[0]
    named = "" if worst is State.READY else f" ({_some(name for name, state in states.items() if state is worst)})"
    return ", ".join(f"{counts[state]:,} {state}{named if state is worst else ''}" for state in worst_first)


def _some(names: Iterable[str]) -> str:
    shown = [_on_one_line(name) for name, _ in zip(names, range(WORST + 1), strict=False)]
    return ", ".join([*shown[:WORST], "…"] if len(shown) > WORST else shown)


def _on_one_line(name: str) -> str:
    """A name, cut; one with characters that show nothing, break lines or turn text around is escaped."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
