"""The forty faults: what goes wrong, what a person should see, how `pool.explain` calls it, and how to make it in the lab.

Each is a test marked `fault(number)` in this folder. `page()` is what the documentation shows of them; write it there anew by
`python tests/faults/fault_rows.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "tinypool_nb" / "docs" / "howto" / "forty-faults.md"


class Fault(NamedTuple):
    """One of the forty."""

    what: str
    """What goes wrong."""
    should: str
    """What a person should see."""
    explained: str
    """The cause, as `pool.explain` says it; "" where it is no matter of a module's connection."""
    make: str
    """How to make it happen, in Markdown."""


FAULTS: Mapping[int, Fault] = MappingProxyType(
    {
        1: Fault(
            "peer killed, no call under way",
            "READY -> IDLE, not connected, never healthy; round_robin reconnects by itself",
            "connection lost, then killed",
            "`module.kill()`",
        ),
        2: Fault(
            "peer killed, calls under way",
            "UNAVAILABLE within 1 s, then refused; READY within a backoff window after it is back",
            "connection lost, then killed",
            "`module.kill()`",
        ),
        3: Fault(
            "peer frozen",
            "READY until the ping times out: at most time + timeout + 1 s",
            "frozen: no answer to keepalive",
            "`module.freeze()`",
        ),
        4: Fault(
            "blackhole, half-open",
            "as frozen; calls end at their deadline, never hang",
            "frozen, then unreachable",
            "`module.faults.blackhole()`; half-open: `module.faults.slow_close(60)`, then `module.kill()`",
        ),
        5: Fault(
            "reset in a stream",
            "UNAVAILABLE, one disconnection",
            "connection lost: connection reset",
            "`module.faults.reset(on_data=True)`",
        ),
        6: Fault(
            "accepts, then says nothing",
            "CONNECTING until the connect deadline: handshake",
            "handshake, after 2 s of connecting; then handshake hangs",
            "`module.faults.silent()`",
        ),
        7: Fault(
            "accepts, then closes",
            "the backoff ladder, each attempt with its reason",
            "hangs up; waiting in backoff",
            "`module.faults.accept_and_close()`",
        ),
        8: Fault(
            "port closed",
            "refused, at once",
            "refused",
            "`module.kill()` before it is registered",
        ),
        9: Fault(
            "peer speaks HTTP/1.1",
            "the reason: Trying to connect an http1.x server",
            "not HTTP/2",
            '`lab.start("old", kind="http/1.1")`',
        ),
        10: Fault(
            "TLS client, plaintext peer",
            "WRONG_VERSION_NUMBER: the peer is not TLS",
            "TLS not expected",
            "`tp.PoolOptions(tls=tp.Tls())` for a module without TLS",
        ),
        11: Fault(
            "plaintext client, TLS peer",
            "a reset or a closed socket; the advice says TLS",
            "TLS expected",
            '`lab.start("tls", tls=True)`, registered without `tls=`',
        ),
        12: Fault(
            "wrong authority, wrong name, expired",
            "three different reasons",
            "certificate authority, name, expired",
            '`lab.start("bad", tls="other CA")`, or `"other name"`, `"expired"`',
        ),
        13: Fault(
            "bad address",
            "AddressError at register, with the value and the rule; nothing dialled",
            "",
            '`pool.register("bad", "127.0.0.1:99999")`',
        ),
        14: Fault(
            "[::1]:p and ::1:p",
            "the first works, the second is refused with the bracketed form",
            "",
            '`lab.start("six", host="::1")`',
        ),
        15: Fault(
            "name that does not resolve",
            "does not resolve, and the name",
            "does not resolve",
            '`dns = lab.dns()`, `dns.target("nobody.test", 50051)`',
        ),
        16: Fault(
            "DNS record changes: pods added, removed, replaced",
            "the resolved set differs from what DNS says now",
            "stale DNS",
            '`dns.set("pods.test", [...])` with one more, one less, or another',
        ),
        17: Fault(
            "graceful stop (GOAWAY)",
            "READY -> IDLE, no alarm",
            "drained",
            "`module.stop()`",
        ),
        18: Fault(
            "max_connection_age recycling",
            "all calls succeed: recycled, not flapping",
            "recycled",
            '`lab.start("aged", max_connection_age=30)`',
        ),
        19: Fault(
            "too_many_pings",
            "gRPC tells nobody but stderr; pool.explain infers it from lives that double",
            "too many pings",
            '`lab.start("strict", min_ping_interval=300)`',
        ),
        20: Fault(
            "message over the size limit",
            "RESOURCE_EXHAUSTED to the caller; the connection stays READY",
            "message too large",
            '`lab.start("small", max_message_bytes=1000)`',
        ),
        21: Fault(
            "http_proxy in the environment",
            "the module is dialled directly; doctor names the variable",
            "proxy in the environment",
            "the variable `http_proxy`",
        ),
        22: Fault(
            "API server down or restarted",
            "the pool keeps serving; stale since ..., then recovers",
            "nothing wrong",
            "`lab.api.kill()`, `lab.api.restart()`",
        ),
        23: Fault(
            "410 Gone, silent watch, etcd restored",
            "relist; deletions that were missed are carried out",
            "",
            "`lab.api.compact()`, `lab.api.silence()`, `lab.api.restart(lost=2)`",
        ),
        24: Fault(
            "401, 403",
            "what right is missing and for whom; no token anywhere",
            "",
            '`lab.api.revoke_token()`, `lab.api.grant(["get"])`',
        ),
        25: Fault(
            "resource whose addr is missing, empty or malformed",
            "it waits, or is quarantined; the rest goes on",
            "waiting for an address, last good address, quarantined",
            '`lab.resources.create("nats", addr="nats://...")`',
        ),
        26: Fault(
            "equal names in two namespaces",
            "both rows",
            "shared address, if it is one",
            '`lab.resources.create("web", namespace="other")`',
        ),
        27: Fault(
            "two modules on one address",
            "both rows: shared address; removing one keeps the other",
            "shared address",
            "`pool.register(...)` twice with one address",
        ),
        28: Fault(
            "address changes while calls are under way",
            "calls in flight end well; new ones use the new address",
            "nothing wrong",
            "`module.move()`",
        ),
        29: Fault(
            "KeyboardInterrupt, kernel restart, collection",
            "at once; no thread, process or socket is left",
            "",
            "`del pool`; the kernel's stop button; `kill -9`",
        ),
        30: Fault(
            "fork after use",
            "the child's use raises a clear error; the parent goes on",
            "",
            "`os.fork()`",
        ),
        31: Fault(
            "thousands of modules flapping",
            "bounded memory (what went is counted, totals right), bounded redraws",
            "flapping, or recycled if each lives equally long and is followed at once",
            "`tinypool_nb.lab.FlappingServer(hold=0.5)`",
        ),
        32: Fault(
            "the wall clock jumps",
            "durations stay right",
            "",
            "`date --set`, on a machine of yours",
        ),
        33: Fault(
            "disk full, or killed, while recording",
            "the live view goes on; the partial file opens, marked as partial",
            "",
            '`pool.record("incident.parquet")`, then `kill -9`',
        ),
        34: Fault(
            "health service whose Watch ends at once",
            "no storm: unary Check only",
            "nothing wrong",
            "every module of the lab is so",
        ),
        35: Fault(
            "slow, jittery, sliced link",
            "no false alarm; CONNECTING is as long as it was",
            "nothing wrong",
            "`module.faults.latency(0.05, jitter=0.03)`, `.slicing(200)`, `.bandwidth(200_000)`",
        ),
        36: Fault(
            "hostile names",
            "shown as text everywhere, or refused with a reason",
            "as of any other",
            "`pool.register(...)` with such a name",
        ),
        37: Fault(
            "truncated, newer or foreign recording",
            "a clear error; no pickle is ever read",
            "",
            "`tp.open_recording(...)` of any other file",
        ),
        38: Fault(
            "two notebooks, two pools",
            "they do not see each other's modules",
            "",
            "two `tp.Pool()`",
        ),
        39: Fault(
            "import without network, HOME or disk",
            "works",
            "",
            "`env -i python -c 'import tinypool_nb'`",
        ),
        40: Fault(
            "SETTINGS after 5 s",
            "CONNECTING for 5 s, then READY; no second attempt",
            "connecting",
            "`module.faults.late_settings(5.0)`",
        ),
    }
)
HEAD = """# Forty faults, and what you see of each

What can go wrong with a connection, a cluster, a notebook or a recording. Each is a test against real processes and sockets, and
`make faults` makes all of them happen and prints what was seen and how it was explained. How to break things yourself is told in
[break things on purpose](break-things.md), and how to ask why in [find out why a module cannot be reached](explain.md).

`module` is one that the lab started: `lab = tp.Lab()`, `module = lab.start("http-module-v1", proxied=True)`; `lab.api` is the API
server of `tp.Lab(kubernetes=True)`. `module.faults` break things for as long as a `with` block lasts.

| | what goes wrong, and how to make it happen | what you see | `pool.explain` says |
|---|---|---|---|
"""


def page() -> str:
    """The page of the documentation."""
    rows = (f"| {number} | {row.what}: {row.make} | {row.should} | {row.explained} |\n" for number, row in FAULTS.items())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
