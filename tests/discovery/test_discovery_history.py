"""What a discovery says of itself while its reflector tells it one thing after the other, by a clock that the test moves on."""

import pytest

from tests.discovery.test_registry import resource, told
from tinypool_nb.core.discovering import Scope
from tinypool_nb.core.discovery_status import Health
from tinypool_nb.core.reflecting import Came
from tinypool_nb.discovery.discovery import Discovery
from tinypool_nb.discovery.registry import Registry
from tinypool_nb.discovery.resources import Trouble
from tinypool_nb.errors import NotSyncedError
from tinypool_nb.journal.journal import Journal

CUT = Trouble(Came.CUT, "Connection reset by peer")
SILENT = Trouble(Came.SILENT, "nothing was heard for 80 s")
GONE = Trouble(Came.GONE, "too old resource version", status=410)
BUSY = Trouble(Came.BUSY, "gateway timeout", status=504)
WRONG = Trouble(Came.WRONG, "etcdserver: leader changed", status=500)


def refusal(status: int) -> Trouble:
    return Trouble(Came.REFUSED, "ada may not", status=status)


class Scene:
    """A discovery without a thread."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.journal = Journal()
        books = Registry(self.journal, lambda *_: None)
        self.discovery = Discovery(books, books.open(Scope("https://10.0.0.9", "a")), "KUBECONFIG", lambda: int(self.seconds * 1e9))

    def listed(self, due_for: str = "") -> None:
        self.discovery.well("41", by_list=True, due_for=due_for)

    def watched(self) -> None:
        self.discovery.well("41", by_list=False)

    def told(self) -> list[str]:
        return told(self.journal)


@pytest.fixture
def scene() -> Scene:
    """One that has listed, and watches."""
    scene = Scene()
    scene.listed()
    scene.watched()
    return scene


def test_an_outage_lasts_from_the_first_trouble_not_from_the_last_word(scene: Scene) -> None:
    scene.seconds += 25.0  # at rest nothing is said
    scene.discovery.troubled(CUT, "watch")
    scene.seconds += 0.3
    scene.discovery.troubled(Trouble(Came.CUT, "Connection refused"), "watch")
    scene.seconds += 0.2
    scene.watched()
    assert scene.told() == ["lost the API server: Connection reset by peer", "the API server is back, after 0.5 s"]
    scene.seconds += 60.0
    scene.discovery.troubled(CUT, "watch")
    scene.seconds += 2.0
    scene.watched()
    assert scene.told()[2:] == ["lost the API server: Connection reset by peer", "the API server is back, after 2.0 s"]


def test_a_server_that_answered_never_before_is_there_at_last() -> None:
    scene = Scene()
    scene.discovery.troubled(CUT, "list")
    scene.listed()
    assert scene.told() == ["lost the API server: Connection reset by peer", "the API server is back, at last"]


def test_a_list_after_an_outage_is_told(scene: Scene) -> None:
    for trouble, verb in ((GONE, "watch"), (BUSY, "list")):
        scene.discovery.troubled(trouble, verb)
    scene.seconds += 4.0
    scene.listed()
    scene.watched()
    assert scene.told() == ["lost the API server: gateway timeout", "the API server is back, after 4.0 s; relisted"]
    scene.discovery.troubled(WRONG, "watch")
    scene.listed()
    scene.watched()
    assert scene.told()[2:] == ["lost the API server: etcdserver: leader changed", "the API server is back, after 0.0 s; relisted"]
    scene.discovery.troubled(CUT, "watch")
    scene.watched()
    assert scene.told()[-1] == "the API server is back, after 0.0 s", "there was no list"


def test_a_version_that_is_gone_is_a_relist_and_no_outage(scene: Scene) -> None:
    scene.discovery.troubled(GONE, "watch")
    scene.listed()
    scene.watched()
    assert scene.told() == ["relisted: too old resource version"]


@pytest.mark.parametrize("due_for", ["as every 15 minutes", "the API server was away"])
def test_a_list_that_was_due_is_told(scene: Scene, due_for: str) -> None:
    scene.listed(due_for)
    assert scene.told() == [f"relisted: {due_for}"]
    assert scene.discovery.status.health is Health.SYNCED


def test_a_server_that_fell_silent_is_stale_until_it_is_listed(scene: Scene) -> None:
    heard = scene.seconds
    scene.seconds += 80.0
    scene.discovery.troubled(SILENT, "watch")
    status = scene.discovery.status
    assert (status.health, status.reason) == (Health.STALE, SILENT.reason)
    assert status.stale_since is not None
    assert status.stale_since.timestamp() == heard
    with pytest.raises(NotSyncedError):
        scene.discovery.wait(0.0)
    assert scene.told() == [], "the list that comes at once tells whether anything is wrong"
    scene.listed()
    scene.watched()
    assert scene.discovery.status.health is Health.SYNCED
    assert scene.told() == [f"relisted: {SILENT.reason}"]


def test_where_only_the_watch_is_refused_lists_keep_the_pool(scene: Scene) -> None:
    for _ in range(3):
        scene.discovery.troubled(refusal(403), "watch")
        assert scene.discovery.status.health is Health.LIMITED
        scene.discovery.wait(0.0)
        scene.seconds += 5.0
        scene.listed()
        assert scene.discovery.status.health is Health.LIMITED
    scene.watched()
    assert scene.discovery.status.health is Health.SYNCED
    assert [text.partition(":")[0] for text in scene.told()] == ["refused", "the API server is back, after 15.0 s; relisted"]


@pytest.mark.parametrize(("status", "verb"), [(401, "watch"), (404, "watch"), (403, "list")])
def test_what_is_refused_of_lists_too_is_refused(scene: Scene, status: int, verb: str) -> None:
    scene.discovery.troubled(refusal(status), verb)
    assert scene.discovery.status.health is Health.REFUSED


def test_a_refused_watch_does_not_make_good_what_was_lost_before(scene: Scene) -> None:
    scene.discovery.troubled(CUT, "watch")
    scene.discovery.troubled(refusal(403), "watch")
    before = scene.discovery.status.health
    scene.listed()
    assert (before, scene.discovery.status.health) == (Health.REFUSED, Health.LIMITED)


def test_what_names_no_address_is_told_to_be_removed_too(scene: Scene) -> None:
    for name, addr in (("quarantined", "nats://x"), ("waits", None)):
        scene.discovery.seen(resource(addr, name=name))
        scene.discovery.gone(resource(addr, name=name))
    assert [text for text in scene.told() if not text.startswith("quarantined")] == [
        "removed, was quarantined",
        "removed, had no address yet",
    ]
