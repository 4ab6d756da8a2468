"""What a person who has understood writes in the place of `...`, and what people write who have not, with what they should be told."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

import tinypool_nb as tp

SOLUTIONS: Mapping[str, str] = {
    "02.1": '"IDLE"',
    "02.2": '["IDLE", "CONNECTING", "READY"]',
    "02.3": "1",
    "02.4": "tp.State.IDLE",
    "02.5": '"transient failure"',
    "02.6": 'pool.reconnect("http-module-v1")',
    "02.7": '"no"',
    "03.1": "False",
    "03.2": "1.6**3",
    "03.3": "120 * 1.2",
    "03.4": "attempts.start.diff().dt.total_seconds().dropna()",
    "03.5": '"fresh"',
    "04.1": '"READY"',
    "04.2": "13",
    "04.3": '"DEADLINE_EXCEEDED"',
    "04.4": '"close"',
    "04.5": "tp.Keepalive(time=6, timeout=3)",
    "05.1": '"nothing"',
    "05.2": '"keep"',
    "05.3": '"refuse"',
    "05.4": 'lab.resources.create("mail-module-v1", addr=module.address)',
    "05.5": '"work"',
    "06.1": "1",
    "06.2": "3",
    "06.3": '"READY"',
    "06.4": '"another"',
    "06.5": '"no"',
    "06.6": 'pool.reconnect("mail")',
    "06.7": '"work"',
    "07.1": '"dead"',
    "07.2": '"frozen"',
    "07.3": '"tls"',
    "07.4": '"other"',
    "07.5": '"name"',
    "07.6": '{"stock-v1", "orders-v1"}',
    "07.7": 'pool.register("users-v1", lab["users-v1"].address, options=tp.PoolOptions(tls=lab["users-v1"].tls))',
}
"""Python that stands in the place of `...` in the cell of each exercise."""


class Wrong(NamedTuple):
    """An answer that is not right yet."""

    number: str
    answer: object
    told: str
    """Words that must stand in what is said to it."""


def states(*rows: tuple[str, int]) -> pd.DataFrame:
    """Transitions as far as an exercise looks at them."""
    return pd.DataFrame({"state": [state for state, _ in rows], "generation": [generation for _, generation in rows]})


def modules(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Discovered modules as far as an exercise looks at them."""
    return pd.DataFrame(rows, columns=["module", "state", "reason"])


WRONG = (
    Wrong("02.1", "READY", "Who would have connected?"),
    Wrong("02.1", "CONNECTED", '"IDLE", "CONNECTING"'),
    Wrong("02.1", 3, "this is 3"),
    Wrong("02.2", ["IDLE", "READY"], "up to IDLE it is right"),
    Wrong("02.2", ["CONNECTING", "READY"], "it does not begin with CONNECTING"),
    Wrong("02.2", ["IDLE", "CONNECTING"], "ends too early"),
    Wrong("02.2", ["IDLE", "CONNECTING", "READY", "IDLE"], "for too long"),
    Wrong("02.2", "READY", "a list of states"),
    Wrong("02.2", ["ready to go"], "a list of states"),
    Wrong("02.3", 10, "one for each stub"),
    Wrong("02.3", "one", "a number of connections"),
    Wrong("02.3", float("nan"), "a number of connections"),
    Wrong("02.4", "TRANSIENT_FAILURE", "an attempt that failed"),
    Wrong("02.4", tp.State.READY, "within milliseconds"),
    Wrong("02.5", "IDLE", "a Go client"),
    Wrong("02.6", states(("CONNECTING", 1)), "not READY yet"),
    Wrong("02.6", states(("READY", 1)), "on the old channel"),
    Wrong("02.6", "reconnect", "pool.transitions(since=back)"),
    Wrong("02.7", "yes", "no arrow of the map leaves SHUTDOWN"),
    Wrong("03.1", True, "Who would have told the channel?"),
    Wrong("03.2", 6.5536, "after the fifth"),
    Wrong("03.2", 8, "doubling"),
    Wrong("03.2", True, "a number of seconds"),
    Wrong("03.2", 17, "1.6 times the one before"),
    Wrong("03.3", 120, "The maximum comes first"),
    Wrong("03.4", [0.001, 0.001, 0.0], "how long each attempt took"),
    Wrong("03.4", [float("nan"), 0.5, 0.8, 1.3], ".dropna()"),
    Wrong("03.4", [500.0, 800.0, 1280.0], "too large for seconds"),
    Wrong("03.4", [-0.5, -0.8, -1.3], "cannot be negative"),
    Wrong("03.4", [0.5, 0.8, 3.0], "the wait after attempt 3 is 3.00 s"),
    Wrong("03.4", [0.5], "more attempts"),
    Wrong("03.4", pd.Series(pd.to_timedelta([0.5, 0.8, 1.3], unit="s")), ".dt.total_seconds()"),
    Wrong("03.4", 3, ".dt.total_seconds()"),
    Wrong("03.5", "reset", "Go's gRPC can do that"),
    Wrong("04.1", "IDLE", "a tenth of a second later"),
    Wrong("04.2", 10, "How long may its answer take?"),
    Wrong("04.2", 2, "With 10 s and 3 s?"),
    Wrong("04.3", "UNAVAILABLE", "if gRPC knew"),
    Wrong("04.4", "ignore", "what became of READY"),
    Wrong("04.5", tp.Keepalive(time=1, timeout=1), "more often than"),
    Wrong("04.5", tp.Keepalive(), "found after 13 s"),
    Wrong("04.5", tp.Keepalive(time=6, timeout=2, without_calls=False), "while nobody called"),
    Wrong("04.5", (6, 3), "tp.Keepalive"),
    Wrong("05.1", "register", "Who told the pool?"),
    Wrong("05.2", "unregister", "it still holds the module"),
    Wrong("05.3", "try", "search for it for ever"),
    Wrong("05.4", modules(("queue-module-v1", "quarantined", "not gRPC")), "of no mail-module-v1"),
    Wrong("05.4", modules(("mail-module-v1", "waiting", "no address")), "waiting, no address"),
    Wrong("05.4", None, "the frame pool.modules()"),
    Wrong("05.5", "wait", "Does the API server stand between"),
    Wrong("06.1", 3, "round_robin"),
    Wrong("06.2", 1, "pick_first"),
    Wrong("06.3", "CONNECTING", "the best of its servers"),
    Wrong("06.4", "fails", "who answered?"),
    Wrong("06.5", "yes", "how many questions"),
    Wrong("06.6", ["mail-1", "mail-2"], "only mail-1, mail-2 answered"),
    Wrong("06.6", "mail-3", "who answered is asked for"),
    Wrong("06.7", "fail", "What is DNS needed for"),
    Wrong("07.1", "frozen", "was READY once"),
    Wrong("07.2", "dead", "Connection refused"),
    Wrong("07.3", "other", "gRPC quotes it"),
    Wrong("07.4", "tls", "whether it was ever READY"),
    Wrong("07.5", "dead", "What does this one's last failure say?"),
    Wrong("07.5", "broken", '"dead", "frozen", "tls", "other", "name"'),
    Wrong("07.6", ["orders-v1", "cart-v1"], "leads nowhere"),
    Wrong("07.6", ["orders-v1"], "is not all"),
    Wrong("07.6", ["mail-v1"], "is none of the five"),
    Wrong("07.6", "orders-v1", "a list of names"),
    Wrong("07.7", {"users-v1": tp.State.TRANSIENT_FAILURE}, "registered anew"),
    Wrong("07.7", ["users-v1"], "pool.health() is asked for"),
)
"""Typical ones; every exercise has at least one."""

RIGHT_FRAMES: Mapping[str, object] = {
    "02.6": states(("IDLE", 2), ("CONNECTING", 2), ("READY", 2)),
    "03.4": [0.47, 0.81, 1.3, 2.1, 3.4, 4.3],
    "05.4": modules(("mail-module-v1", "registered", "")),
    "06.6": {"mail-1": 4, "mail-2": 4, "mail-3": 4},
    "07.7": {"users-v1": tp.State.READY},
}
"""What an exercise is handed whose answer is an action, when it was the right one."""
