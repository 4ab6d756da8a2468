"""What discoveries saw -> the pool: exactly the changes of address, whoever saw them, in whatever order."""

import random
import threading
from typing import Any

import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.discovering import LEFT_OUT, Owner, Scope, Standing
from tinypool_nb.core.events import Mark, MarkKind
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.discovery.book import Book
from tinypool_nb.discovery.registry import Registry
from tinypool_nb.errors import OptionsError, PoolClosedError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.journal.kinds import mark_events

A, B = "10.0.0.1:50051", "10.0.0.2:50051"
SERVER = "https://10.0.0.9"
KEY = ModuleKey("a", "x")


class Pool:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.there: dict[ModuleKey, str] = {}
        self.refuses: Exception | None = None

    def place(self, key: ModuleKey, address: str | None) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append((str(key), address))
        if address is None:
            del self.there[key]
        else:
            assert self.there.get(key) != address
            self.there[key] = address


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def books(journal: Journal, pool: Pool) -> Registry:
    return Registry(journal, pool.place)


def resource(addr: object = A, *, uid: str = "1", version: str = "1", name: str = "x", namespace: str = "a") -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": version}
    return {"metadata": metadata, "status": {"addr": addr}}


def told(journal: Journal) -> list[str]:
    marks: list[Mark] = list(mark_events(journal.since().marks))
    assert {mark.kind for mark in marks} <= {MarkKind.DISCOVERY}
    return [mark.text for mark in marks]


def test_the_pool_is_asked_exactly_when_an_address_changed(books: Registry, pool: Pool, journal: Journal) -> None:
    book = books.open(Scope(SERVER, "a"))
    for addr, version in ((None, "1"), (A, "2"), (A, "3"), (A, "3"), ("", "4"), (7, "5"), (A, "6"), (B, "7")):
        books.seen(book, resource(addr, version=version))
    books.complete(book, {KEY})
    books.gone(book, resource())
    assert pool.asked == [("a/x", A), ("a/x", B), ("a/x", None)]
    assert told(journal) == [
        f"added at {A}",
        f"it has no address yet; it keeps {A}",
        f"quarantined: an address is a str such as 'host:port', not int; it keeps {A}",
        f"names its address {A} again",
        f"address changed from {A} to {B}",
        f"removed, was at {B}",
    ]


def test_an_unseen_deletion_and_creation_does_not_flicker(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    books.seen(book, resource(A, uid="1"))
    books.seen(book, resource(A, uid="2"))
    books.complete(book, {KEY})
    assert pool.asked == [("a/x", A)]


def test_what_a_list_lacks_is_gone(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, None))
    books.seen(book, resource(A))
    books.seen(book, resource(B, namespace="b"))
    books.complete(book, {ModuleKey("b", "x")})
    assert pool.there == {ModuleKey("b", "x"): B}


def test_two_modules_at_one_address_say_so_and_one_stays_when_the_other_goes(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    for name in ("x", "y"):
        books.seen(book, resource(A, name=name))
    assert [(row.standing, row.reason) for row in books.rows()] == [(Standing.REGISTERED, "shared address: 2 modules name it")] * 2
    books.gone(book, resource(A, name="y"))
    assert pool.there == {KEY: A}
    assert [row.reason for row in books.rows()] == [""]


def test_what_the_pool_refuses_is_told_once_and_asked_for_again(books: Registry, pool: Pool, journal: Journal) -> None:
    book = books.open(Scope(SERVER, "a"))
    pool.refuses = OptionsError("Tls.roots", "ca.pem", "a file that is there")
    for version in "1123":
        books.seen(book, resource(version=version))
    (row,) = books.rows()
    assert row.standing is Standing.REFUSED
    assert "ca.pem" in row.reason
    assert [text for text in told(journal) if "did not take it" in text] == [row.reason]
    pool.refuses = None
    books.seen(book, resource())
    assert [row.standing for row in books.rows()] == [Standing.REGISTERED]
    assert told(journal)[-1] == f"the pool has it now, at {A}"
    assert pool.asked == [("a/x", A)]


def test_a_pool_that_is_closed_meanwhile_is_no_fault(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    pool.refuses = PoolClosedError("register")
    books.seen(book, resource())
    assert [row.standing for row in books.rows()] == [Standing.REGISTERED]


def test_two_discoveries_of_one_module_do_not_fight(books: Registry, pool: Pool) -> None:
    first, second = books.open(Scope(SERVER, "a")), books.open(Scope("https://another", None))
    books.seen(first, resource(A))
    for number in range(5):
        books.seen(second, resource(B, uid="9", version=str(number)))
        books.seen(first, resource(A, version=str(number)))
    assert pool.asked == [("a/x", A)]
    assert [(row.standing, row.reason) for row in books.rows()] == [
        (Standing.REGISTERED, ""),
        (Standing.SHADOWED, f"another discovery has it at {A}"),
    ]
    books.gone(first, resource(A))
    assert pool.asked[1:] == [("a/x", B)]
    books.gone(second, resource(B))
    assert pool.there == {}


def test_of_two_that_see_the_same_resource_one_row_is_shown_and_the_last_one_takes_it_away(books: Registry, pool: Pool) -> None:
    selected, everything = books.open(Scope(SERVER, "a", "tier=web")), books.open(Scope(SERVER, "a"))
    books.seen(selected, resource())
    books.seen(everything, resource())
    assert len(list(books.rows())) == 1
    books.gone(selected, resource())  # it only left the selection
    assert pool.asked == [("a/x", A)]
    books.gone(everything, resource())
    assert pool.there == {}


def test_a_closed_discovery_leaves_its_modules_until_another_one_has_read(books: Registry, pool: Pool, journal: Journal) -> None:
    first = books.open(Scope(SERVER, "a"))
    books.seen(first, resource(A))
    books.seen(first, resource(A, name="goes"))
    books.seen(first, resource(A, name="kept"))
    books.close(first)
    assert len(pool.there) == 3
    again = books.open(Scope(SERVER, "a"))
    books.seen(again, resource(A))
    books.seen(again, resource("", name="kept", version="2"))  # it knew an address once
    assert len(pool.asked) == 3
    books.complete(again, {KEY, ModuleKey("a", "kept")})
    assert pool.asked[3:] == [("a/goes", None)]
    assert told(journal)[3:] == [f"it has no address yet; it keeps {A}", f"removed, was at {A}"]
    books.gone(again, resource(A))
    assert pool.there == {ModuleKey("a", "kept"): A}


def test_a_closed_discovery_of_something_else_is_left_alone(books: Registry, pool: Pool) -> None:
    first, other = books.open(Scope(SERVER, "a")), books.open(Scope(SERVER, "b"))
    books.seen(first, resource(A))
    books.close(first)
    books.complete(other, set())
    assert pool.there == {KEY: A}


def test_an_open_discovery_counts_before_a_closed_one(books: Registry, pool: Pool) -> None:
    first, wide = books.open(Scope(SERVER, "a")), books.open(Scope(SERVER, None))
    books.seen(first, resource(A))
    books.close(first)
    books.seen(wide, resource(B, version="2"))
    assert pool.there == {KEY: B}


def test_the_own_module_is_let_go_where_an_earlier_discovery_had_it(books: Registry, pool: Pool) -> None:
    first = books.open(Scope(SERVER, "a"))
    books.seen(first, resource(A))
    books.close(first)
    again = books.open(Scope(SERVER, "a"), KEY)
    books.seen(again, resource(A))
    books.complete(again, {KEY})
    assert pool.there == {}


def test_what_a_person_unregistered_stays_out_at_that_address(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    books.seen(book, resource(A))
    pool.there.clear()
    books.by_hand(KEY, lambda _: Owner.NOBODY)
    books.by_hand(ModuleKey(None, "another"), lambda _: Owner.PERSON)
    for version in "23":
        books.seen(book, resource(A, version=version))
        books.complete(book, {KEY})
        assert [(row.standing, row.reason) for row in books.rows()] == [(Standing.REFUSED, LEFT_OUT)]
        assert books.counts(book) == {Standing.REFUSED: 1}
    books.seen(book, resource("", version="4"))
    assert [row.standing for row in books.rows()] == [Standing.REFUSED], "nor does it keep an address"
    assert pool.asked == [("a/x", A)]
    books.seen(book, resource(B, version="5"))
    assert [row.standing for row in books.rows()] == [Standing.REGISTERED]
    assert pool.there == {KEY: B}


@pytest.mark.parametrize("wide", [True, False])
def test_what_a_person_unregistered_comes_back_where_it_is_discovered_anew(books: Registry, pool: Pool, wide: bool) -> None:
    first = books.open(Scope(SERVER, "a"))
    books.seen(first, resource(A))
    pool.there.clear()
    books.by_hand(KEY, lambda _: Owner.NOBODY)
    books.close(first)
    other = books.open(Scope(SERVER, "b"))
    books.complete(other, set())
    assert pool.there == {}
    again = books.open(Scope(SERVER, None if wide else "a"))
    books.seen(again, resource(A))
    assert pool.there == {KEY: A}


def test_what_a_person_unregistered_is_forgotten_with_its_resource(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    books.seen(book, resource(A))
    pool.there.clear()
    books.by_hand(KEY, lambda _: Owner.NOBODY)
    books.gone(book, resource(A))
    books.seen(book, resource(A, uid="2"))
    assert pool.there == {KEY: A}


def test_what_was_put_there_again_before_a_person_s_word_came_is_left(books: Registry, pool: Pool) -> None:
    book = books.open(Scope(SERVER, "a"))
    books.seen(book, resource(A))
    books.by_hand(KEY, lambda _: Owner.DISCOVERY)
    assert [row.standing for row in books.rows()] == [Standing.REGISTERED]
    assert pool.asked == [("a/x", A)]


def test_a_discovery_counts_what_another_one_was_first_with(books: Registry) -> None:
    first, second = books.open(Scope(SERVER, "a")), books.open(Scope("https://another", "a"))
    books.seen(first, resource(A))
    books.seen(second, resource(B))
    assert (books.counts(first), books.counts(second)) == ({Standing.REGISTERED: 1}, {Standing.SHADOWED: 1})


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_person_does_meanwhile_the_rows_say_what_the_pool_has(seed: int) -> None:
    chance = random.Random(seed)
    keys = [ModuleKey("a", name) for name in "xy"]
    with ClientPool() as pool:
        books = pool._discoveries._registry
        opened = [books.open(Scope(SERVER, "a")), books.open(Scope("https://another", "a"))]
        for number in range(60):
            key, book, addr = chance.choice(keys), chance.choice(opened), chance.choice([A, B])
            match chance.randrange(6):
                case 0:
                    before = pool._modules.channel(key)
                    assert pool.unregister(key) is (before is not None)
                    books.by_hand(key, pool._placing.owner)
                case 1:
                    pool.register(key.name, addr, namespace="a")
                    books.by_hand(key, pool._placing.owner)
                case 2:
                    books.gone(book, resource(name=key.name))
                case _:
                    books.seen(book, resource(chance.choice([addr, "", addr]), name=key.name, version=str(number), uid=str(id(book))))
            there = {each: entry.address.text for each, entry in pool._modules._table.entries.items()}
            ours = {each for each in keys if pool._placing.owner(each) is Owner.DISCOVERY}
            kept = {row.module.key: row.address for row in books.rows() if row.standing in {Standing.REGISTERED, Standing.KEPT}}
            assert kept == {each: there[each] for each in ours}


def test_a_person_and_a_discovery_at_once_neither_block_nor_mislead() -> None:
    with ClientPool() as pool:
        books = pool._discoveries._registry
        book = books.open(Scope(SERVER, "a"))

        def by_hand() -> None:
            chance = random.Random(1)
            for _ in range(200):
                if chance.random() < 0.5:
                    pool.unregister(KEY)
                else:
                    pool.register("x", chance.choice([A, B]), namespace="a")
                books.by_hand(KEY, pool._placing.owner)

        person = threading.Thread(target=by_hand)
        person.start()
        for number in range(200):
            books.seen(book, resource(A if number % 2 else B, version=str(number)))
        person.join()
        (row,) = books.rows()
        owner, there = pool._placing.owner(KEY), pool._modules._table.entries.get(KEY)
        assert (row.standing is Standing.REGISTERED) == (owner is Owner.DISCOVERY)
        assert row.standing is not Standing.REGISTERED or (there is not None and there.address.text == row.address)


@pytest.mark.parametrize("seed", range(50))
def test_any_history_of_several_discoveries_ends_where_a_fresh_one_would(books: Registry, pool: Pool, seed: int) -> None:
    """One cluster, seen through three discoveries that open, close, list and watch at their own pace."""
    chance = random.Random(seed)
    cluster: dict[ModuleKey, dict[str, Any]] = {}
    scopes = [Scope(SERVER, "a"), Scope(SERVER, "b"), Scope(SERVER, None)]
    opened: list[Book] = []
    for number in range(120):
        key = ModuleKey(chance.choice("ab"), chance.choice("xyz"))
        match chance.randrange(6):
            case 0 | 1 | 2:
                addr = chance.choice([A, B])
                uid = str(number) if key not in cluster or chance.random() < 0.2 else cluster[key]["metadata"]["uid"]
                cluster[key] = resource(addr, uid=uid, version=str(number), namespace=str(key.namespace), name=key.name)
            case 3:
                cluster.pop(key, None)
            case 4 if len(opened) < 3:
                opened.append(books.open(chance.choice(scopes)))
            case _ if opened:
                book = chance.choice(opened)
                if chance.random() < 0.2:
                    opened.remove(book)
                    books.close(book)
                else:
                    relist(books, book, cluster)
    last = books.open(Scope(SERVER, None))
    for book in [*opened, last]:
        relist(books, book, cluster)
    assert {key: each["status"]["addr"] for key, each in cluster.items()} == pool.there


def relist(books: Registry, book: Book, cluster: dict[ModuleKey, dict[str, Any]]) -> None:
    seen = {key: each for key, each in cluster.items() if book.scope.namespace in {None, key.namespace}}
    for each in seen.values():
        books.seen(book, each)
    books.complete(book, set(seen))
