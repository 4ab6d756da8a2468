"""Connection events through `logging`, with structured fields.

The logger is `tinypool_nb.connections`. A transition is INFO, one into TRANSIENT_FAILURE or with a gap WARNING. The
fields (module, address, generation, from, to, reason, evidence) stand in the record's attribute `tinypool`, as a dict. In the
message they stand on one line, without what a terminal would obey; in the dict they are as they were said.

Nothing is printed unless you ask for it:

    >>> import logging
    >>> logging.basicConfig(level=logging.WARNING)  # doctest: +SKIP
    >>> logging.getLogger("tinypool_nb.connections").setLevel(logging.INFO)  # doctest: +SKIP
"""

import logging

from tinypool_nb.core.events import Transition
from tinypool_nb.core.plain import on_one_line
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Batch
from tinypool_nb.journal.kinds import transition_events

logging.getLogger("tinypool_nb").addHandler(logging.NullHandler())  # else Python prints warnings from our threads under whichever cell runs
log = logging.getLogger("tinypool_nb.connections")


def log_transitions(batch: Batch) -> None:
    """Log each transition of the batch; a consumer for `tinypool_nb.journal.follower.Follower`."""
    if not log.isEnabledFor(logging.WARNING):
        return
    for transition in transition_events(batch.transitions):
        log_transition(transition)


def log_transition(transition: Transition) -> None:
    """Log one transition."""
    channel = transition.channel
    fields = {
        "module": str(channel.key),
        "address": channel.address,
        "generation": channel.generation,
        "from": _text(transition.previous),
        "to": _text(transition.state),
        "reason": transition.reason,
        "evidence": str(transition.evidence),
    }
    level = logging.WARNING if transition.state in {State.TRANSIENT_FAILURE, None} else logging.INFO
    message = "%(module)s at %(address)s: %(from)s -> %(to)s" + (" (%(reason)s)" if transition.reason else "")
    log.log(level, message, on_one_line(fields), extra={"tinypool": fields})


def _text(state: State | None) -> str:
    return "unknown" if state is None else str(state)
