"""The reconciler's rules, as a table and against a model."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tinypool_nb.core.discovering import Known, Observed, Scope, Standing, observe, refused, removed, wanted
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.tinymodules import TinyModule, decode

A, B = "10.0.0.1:50051", "10.0.0.2:50051"
NATS = "nats://tinymodule.x.msg"


def resource(addr: object = None, uid: str = "1", name: str = "x", namespace: str = "a", version: str = "1") -> TinyModule:
    metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": version}
    return decode({"metadata": metadata, "status": {"addr": addr}})


def after(*events: TinyModule, own: ModuleKey | None = None) -> Observed:
    observed: Observed | None = None
    for number, module in enumerate(events):
        observed = observe(None if observed is None else observed.known, module, own=own, now=number)
    assert observed is not None
    return observed


@pytest.mark.parametrize(
    ("events", "standing", "address", "tell"),
    [
        ([resource(A)], "registered", A, f"added at {A}"),
        ([resource(A), resource(A)], "registered", A, ""),
        ([resource(A), resource(B)], "registered", B, f"address changed from {A} to {B}"),
        ([resource()], "waiting", None, ""),
        ([resource(), resource(A)], "registered", A, f"added at {A}"),
        ([resource(NATS)], "quarantined", None, f"quarantined: not gRPC: it is reached by NATS messages at {NATS}"),
        ([resource(NATS), resource(NATS)], "quarantined", None, ""),
        ([resource(NATS), resource(A)], "registered", A, f"added at {A}"),
        ([resource(A), resource("")], "kept", A, f"it has no address yet; it keeps {A}"),
        ([resource(A), resource(""), resource("")], "kept", A, ""),
        ([resource(A), resource(""), resource(A)], "registered", A, f"names its address {A} again"),
        ([resource(A), resource(""), resource(B)], "registered", B, f"address changed from {A} to {B}"),
        ([resource(A), resource(7)], "kept", A, f"quarantined: an address is a str such as 'host:port', not int; it keeps {A}"),
        ([resource(A), resource(7), resource("")], "kept", A, f"it has no address yet; it keeps {A}"),
        # The same name, another resource: a deletion that nobody saw, and an addition.
        ([resource(A), resource(A, uid="2")], "registered", A, f"created anew at the same address {A}"),
        ([resource(A), resource(B, uid="2")], "registered", B, f"created anew: address changed from {A} to {B}"),
        ([resource(A), resource("", uid="2")], "waiting", None, f"removed, was at {A}; created anew: it has no address yet"),
        ([resource(A), resource("", uid="2"), resource(A, uid="2")], "registered", A, f"added at {A}"),
        ([resource(), resource(A, uid="2")], "registered", A, f"added at {A}"),
        (
            [resource(NATS), resource(NATS, uid="2")],
            "quarantined",
            None,
            f"quarantined: not gRPC: it is reached by NATS messages at {NATS}",
        ),
    ],
)
def test_what_becomes_of_a_module_and_what_is_told(events: list[TinyModule], standing: str, address: str | None, tell: str) -> None:
    known, told = after(*events)
    assert (known.standing, known.address, told) == (standing, address, tell)
    assert (known.reason == "") == (known.standing is Standing.REGISTERED)


def test_the_own_module_is_never_connected_to() -> None:
    known, tell = after(resource(A), own=ModuleKey("a", "x"))
    assert (known.standing, known.address, tell) == (Standing.OWN, None, "")
    for other in (ModuleKey("a", "y"), ModuleKey("b", "x"), ModuleKey(None, "x")):
        assert after(resource(A), own=other).known.address == A


def test_what_is_gone_is_told_whether_it_was_in_the_pool_or_not() -> None:
    assert removed(after(resource(A)).known) == f"removed, was at {A}"
    assert removed(after(resource(A), resource(7)).known) == f"removed, was at {A}"
    assert removed(after(resource()).known) == "removed, had no address yet"
    assert removed(after(resource(NATS)).known) == "removed, was quarantined"
    assert removed(replace(after(resource()).known, standing=Standing.OWN)) == "", "of the own module nothing was ever told"


def test_what_the_pool_did_not_take_says_so() -> None:
    known = refused(after(resource(A)).known, "the pool did not take it: no such file")
    assert (known.standing, known.address, known.reason) == (Standing.REFUSED, A, "the pool did not take it: no such file")


def test_two_namespaces_may_hold_equal_names() -> None:
    one, other = after(resource(A)).known, after(resource(B, namespace="b")).known
    book = {one.module.key: one, other.module.key: other}
    assert [wanted(ModuleKey(namespace, "x"), [book]) for namespace in ("a", "b", None)] == [A, B, None]


def test_of_two_discoveries_the_first_that_has_an_address_is_obeyed() -> None:
    first, second, waiting = after(resource(A)).known, after(resource(B)).known, after(resource()).known
    key = first.module.key
    assert wanted(key, [{key: first}, {key: second}]) == A
    assert wanted(key, [{key: waiting}, {key: second}]) == B
    assert wanted(key, [{}, {key: second}]) == B
    assert wanted(key, [{}, {key: waiting}]) is None


@pytest.mark.parametrize(
    ("one", "other", "does"),
    [
        (Scope("s", "a"), Scope("s", "a"), True),
        (Scope("s", None), Scope("s", "a"), True),
        (Scope("s", None), Scope("s", None, "tier=web"), True),
        (Scope("s", "a"), Scope("s", None), False),
        (Scope("s", "a", "tier=web"), Scope("s", "a"), False),
        (Scope("s", "a", "tier=web"), Scope("s", "a", "tier=web"), True),
        (Scope("t", None), Scope("s", "a"), False),
    ],
)
def test_which_scope_covers_which(one: Scope, other: Scope, does: bool) -> None:
    assert one.covers(other) is does


addresses = st.sampled_from([A, B, "", None, NATS, 7, " ", "x" * 1001])


class Reconciled(RuleBasedStateMachine):
    """Any history of one name: the pool has the last good address of the resource that there is, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.known: Known | None = None
        self.uid = 0
        self.expected: str | None = None
        self.told: list[str] = []

    def see(self, addr: Any) -> None:
        before = self.expected
        self.known, tell = observe(self.known, resource(addr, uid=str(self.uid)), now=0)
        if addr in {A, B}:
            self.expected = addr
        if self.expected != before:
            assert tell != ""

    @rule(addr=addresses)
    def change(self, addr: Any) -> None:
        self.see(addr)

    @rule(addr=addresses)
    def create_anew_unseen(self, addr: Any) -> None:
        self.uid += 1
        if addr not in {A, B} and self.expected is not None:
            self.expected = None
            self.known, tell = observe(self.known, resource(addr, uid=str(self.uid)), now=0)
            assert tell.startswith("removed")
        else:
            self.see(addr)

    @rule()
    def delete(self) -> None:
        self.known, self.expected = None, None
        self.uid += 1

    @invariant()
    def the_pool_has_the_last_good_address(self) -> None:
        assert (None if self.known is None else self.known.address) == self.expected
        if self.known is not None:
            assert (self.known.standing in {Standing.REGISTERED, Standing.KEPT}) == (self.expected is not None)


TestReconciled = Reconciled.TestCase


@given(st.lists(st.tuples(addresses, st.sampled_from("12")), min_size=1))
def test_seeing_the_same_again_changes_and_tells_nothing(events: list[tuple[Any, str]]) -> None:
    known, _ = after(*(resource(addr, uid=uid) for addr, uid in events))
    again, tell = observe(known, known.module, now=known.seen)
    assert (again, tell) == (known, "")
