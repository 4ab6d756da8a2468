"""What widgets may do to a pool: a bundle of callables, so that none of them knows a pool."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tinypool_nb.core.diagnosis.diagnose import Diagnosis
from tinypool_nb.core.discovery_status import DiscoveryReport
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.registration import Registration
from tinypool_nb.errors import PoolClosedError


def _closed(_: ModuleKey) -> Diagnosis:
    raise PoolClosedError("explain")


@dataclass(frozen=True, slots=True)
class Verbs:
    """The verbs of a pool. Each may be called from any thread, and raises what the pool's own does.

    None of them should keep the pool alive: a widget stays in ipywidgets' registry until it is closed, and would keep with it what nobody
    else holds. One whose pool is gone raises PoolClosedError.
    """

    register: Callable[[Registration], object]
    unregister: Callable[[ModuleKey], object]
    reconnect: Callable[[ModuleKey], object]
    health_check: Callable[[], object]
    modules: Callable[[], Collection[ModuleKey]]
    """What is registered now; nothing when the pool is closed or gone."""
    catch_up: Callable[[], object]
    """Make the journal complete up to now; quiet when the pool is closed or gone. Of 1000 modules it takes 0.15 s."""
    options_of: Callable[[ModuleKey], PoolOptions]
    is_gone: Callable[[], bool]
    """Whether nobody holds the pool any more, so that it has closed itself."""
    options: PoolOptions
    """The settings of the pool."""
    discoveries: Callable[[], Sequence[DiscoveryReport]] = tuple
    """How the discoveries under way stand; nothing when the pool is gone."""
    listen: Callable[[Callable[[], object]], Callable[[], object]] = lambda _: lambda: None
    """Have something called, in any thread and often, after that may have changed; what is returned ends it."""
    explain: Callable[[ModuleKey], Diagnosis] = _closed
    """Look what is the matter with a module, as `pool.explain` does; it may wait for DNS."""
    diagnose: Callable[[ModuleKey], Diagnosis] = _closed
    """The same from what is recorded already, without a look: it takes some milliseconds, and never waits."""
