"""The forty faults: what goes wrong, and what a person should see. Each is a test marked `fault(number)` in this folder."""

from collections.abc import Mapping
from types import MappingProxyType

FAULTS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        1: ("peer killed, no call under way", "READY -> IDLE, not connected, never healthy; round_robin reconnects by itself"),
        2: ("peer killed, calls under way", "UNAVAILABLE within 1 s, then refused; READY within a backoff window after it is back"),
        3: ("peer frozen", "READY until the ping times out: at most time + timeout + 1 s"),
        4: ("blackhole, half-open", "as frozen; calls end at their deadline, never hang"),
        5: ("reset in a stream", "UNAVAILABLE, one disconnection"),
        6: ("accepts, then says nothing", "CONNECTING until the connect deadline: handshake"),
        7: ("accepts, then closes", "the backoff ladder, each attempt with its reason"),
        8: ("port closed", "refused, at once"),
        9: ("peer speaks HTTP/1.1", "the reason: Trying to connect an http1.x server"),
        10: ("TLS client, plaintext peer", "WRONG_VERSION_NUMBER: the peer is not TLS"),
        11: ("plaintext client, TLS peer", "a reset"),
        12: ("wrong authority, wrong name, expired", "three different reasons"),
        13: ("bad address", "AddressError at register, with the value and the rule; nothing dialled"),
        14: ("[::1]:p and ::1:p", "the first works, the second is refused with the bracketed form"),
        15: ("name that does not resolve", "does not resolve, and the name"),
        16: ("DNS record changes, pods added", "the resolved set differs from what DNS says now"),
        17: ("graceful stop (GOAWAY)", "IDLE, no alarm"),
        18: ("max_connection_age recycling", "all calls succeed: recycled, not flapping"),
        19: ("too_many_pings", "named as the cause"),
        20: ("message over the size limit", "RESOURCE_EXHAUSTED to the caller; the connection stays READY"),
        21: ("http_proxy in the environment", "the module is dialled directly"),
        22: ("API server down or restarted", "the pool keeps serving; stale since ..., then recovers"),
        23: ("410 Gone, silent watch, etcd restored", "relist; deletions that were missed are carried out"),
        24: ("401, 403", "what right is missing and for whom; no token anywhere"),
        25: ("resource whose addr is missing, empty or malformed", "it waits, or is quarantined; the rest goes on"),
        26: ("equal names in two namespaces", "both rows"),
        27: ("two modules on one address", "both rows; removing one keeps the other"),
        28: ("address changes while calls are under way", "calls in flight end well; new ones use the new address"),
        29: ("KeyboardInterrupt, kernel restart, collection", "at once; no thread, process or socket is left"),
        30: ("fork after use", "the child's use raises a clear error; the parent goes on"),
        31: ("thousands of modules flapping", "bounded memory, bounded redraws"),
        32: ("the wall clock jumps", "durations stay right"),
        33: ("disk full, or killed, while recording", "the live view goes on; the partial file opens, marked as partial"),
        34: ("health service whose Watch ends at once", "no storm: unary Check only"),
        35: ("slow, jittery, sliced link", "no false alarm; CONNECTING is as long as it was"),
        36: ("hostile names", "shown as text everywhere, or refused with a reason"),
        37: ("truncated, newer or foreign recording", "a clear error; no pickle is ever read"),
        38: ("two notebooks, two pools", "they do not see each other's modules"),
        39: ("import without network, HOME or disk", "works"),
        40: ("SETTINGS after 5 s", "CONNECTING for 5 s, then READY; no second attempt"),
    }
)
