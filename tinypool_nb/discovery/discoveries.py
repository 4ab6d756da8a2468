"""The discoveries of one pool: begun, replaced and ended together with it."""

import logging
import os
import threading
from collections.abc import Callable, Iterator

from tinypool_nb.core.discovering import Known, Owner, Scope
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.discovery.arguments import check_arguments, own_key
from tinypool_nb.discovery.discovery import Discovery
from tinypool_nb.discovery.forwards import Forwards
from tinypool_nb.discovery.kubeconfig import Cluster, find_cluster
from tinypool_nb.discovery.registry import Lead, Place, Registry
from tinypool_nb.errors import PoolClosedError
from tinypool_nb.journal.journal import Journal

log = logging.getLogger("tinypool_nb.discovery")

Listener = Callable[[], object]


class Discoveries:
    """Holds parts of the pool, never the pool, and loads nothing before somebody discovers. Thread-safe.

    Args:
        journal: of the pool.
        place: makes the pool have a module at an address; None takes it away.
        lead: makes it have one at a local address that leads to it.
    """

    def __init__(self, journal: Journal, place: Place, lead: Lead) -> None:
        self._journal = journal
        self._registry = Registry(journal, place, lead)
        self._lock = threading.Lock()
        self._listening = threading.Lock()  # around the listeners; never held while one is called
        self._open: tuple[Discovery, ...] = ()
        self._closed = False
        self._listeners: tuple[Listener, ...] = ()

    def begin(
        self,
        *,
        kubeconfig: str | os.PathLike[str] | None,
        context: str | None,
        namespace: str | None,
        all_namespaces: bool,
        label_selector: str | None,
        own_module: str | None,
        port_forward: bool = False,
    ) -> Discovery:
        """Begin one more; one of the same scope that is under way is replaced, without a flicker.

        Raises:
            OptionsError: both a namespace and all of them, or one that no cluster can have, or something of another kind.
            KubeconfigError: as `find_cluster`.
            PoolClosedError: after `close`.
        """
        check_arguments(
            kubeconfig=kubeconfig,
            context=context,
            namespace=namespace,
            all_namespaces=all_namespaces,
            label_selector=label_selector,
            own_module=own_module,
            port_forward=port_forward,
        )
        cluster = find_cluster(kubeconfig, context)
        scope = Scope(cluster.server, None if all_namespaces else namespace or cluster.namespace, label_selector or "")
        with self._lock:
            if self._closed:
                cluster.close()
                raise PoolClosedError("discover")
            replaced = [earlier for earlier in self._open if earlier.scope == scope and not earlier.is_closed]
            forwards = self._forwards(replaced, cluster) if port_forward else None
            book = self._registry.open(scope, own_key(cluster, namespace, own_module), forwards)
            for earlier in replaced:
                earlier.close()
            discovery = Discovery(self._registry, book, cluster.source, self._journal.clock.now, self._changed)
            self._open = (*self.under_way(), discovery)
            _start(discovery, cluster)
        self._changed()
        return discovery

    def _forwards(self, replaced: list[Discovery], cluster: Cluster) -> Forwards:
        """The local ports of the discovery that is replaced, if it has some, so that nothing flickers."""
        for earlier in replaced:
            forwards = earlier.hand_over()
            if forwards is not None:
                forwards.go_on_by(cluster.renew)
                return forwards
        return Forwards(cluster.renew, lambda key, text: self._registry.tell(text, key), self._changed)

    def by_hand(self, key: ModuleKey, owner: Callable[[ModuleKey], Owner]) -> None:
        """A person registered a module, or unregistered it; `owner` tells whose it is now."""
        if self._open:
            self._registry.by_hand(key, owner)
            self._changed()

    def under_way(self) -> tuple[Discovery, ...]:
        """Those that have not ended, the oldest first."""
        return tuple(each for each in self._open if not each.is_closed)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after anything about the discoveries may have changed; what is returned ends that.

        It is called often, by any thread, and must return at once; one that raises is dropped.
        """
        with self._listening:
            self._listeners = (*self._listeners, listener)
        return lambda: self._unlisten(listener)

    def _unlisten(self, listener: Listener) -> None:
        with self._listening:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def _changed(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception:  # who looks on never breaks a discovery
                log.exception("what listened to discoveries raised and was dropped")
                self._unlisten(listener)

    def known(self) -> Iterator[Known]:
        """All resources that were seen, and what became of them."""
        return self._registry.rows()

    def close(self) -> None:
        """End all, and begin none any more."""
        with self._lock:
            self._closed = True
            for discovery in self._open:
                discovery.abandon()  # all at once, so that none waits for another one's end
            for discovery in self._open:
                discovery.end()

    def abandon(self) -> None:
        """As `close`, but without waiting or locking, for a finalizer."""
        for discovery in self._open:
            discovery.abandon()


def _start(discovery: Discovery, cluster: Cluster) -> None:
    # Here the Kubernetes client is loaded, which takes half a second.
    from tinypool_nb.discovery.reflector import Reflector
    from tinypool_nb.discovery.resources import Resources

    scope, line, ready = discovery.scope, discovery.line, [cluster]

    def connect() -> Resources:
        return Resources(ready.pop() if ready else cluster.renew(), scope.namespace, scope.label_selector, line)

    discovery.start(Reflector(connect, discovery, line))
