"""Puts the panel of a pool together from its parts, none of which knows a pool."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from tinypool_nb.errors import PoolClosedError
from tinypool_nb.notebook import explanation
from tinypool_nb.notebook.stepping import step_verbs
from tinypool_nb.widgets.explaining import ExplanationView
from tinypool_nb.widgets.live import LiveTimeline
from tinypool_nb.widgets.panel import Panel
from tinypool_nb.widgets.register import RegisterForm
from tinypool_nb.widgets.stepper import StepperWidget
from tinypool_nb.widgets.verbs import Verbs
from tinypool_nb.widgets.worker import Worker

if TYPE_CHECKING:
    from tinypool_nb.core.diagnosis.diagnose import Diagnosis
    from tinypool_nb.core.discovery_status import DiscoveryReport
    from tinypool_nb.core.keys import ModuleKey
    from tinypool_nb.core.options import PoolOptions
    from tinypool_nb.core.registration import Registration
    from tinypool_nb.notebook.pool import Pool

LOOKING = 1.0
"""Seconds at most that a click may have DNS, or a TLS hello, be waited for: other clicks wait meanwhile."""


def explorer(pool: Pool) -> Panel:
    """A panel of `pool`, which it does not keep alive."""
    journal, publisher, worker, verbs = pool.journal, pool.publisher, Worker(), verbs_of(pool)
    sections = {
        "Timeline": LiveTimeline(journal, publisher),
        "Connections": RegisterForm(journal, publisher, worker, verbs),
        "Explanation": ExplanationView(journal, publisher, worker, verbs),
        "Step by step": StepperWidget(journal, publisher, worker, step_verbs(pool)),
    }
    return Panel(journal, publisher, worker, verbs, sections, folded=("Step by step",))


def verbs_of(pool: Pool) -> Verbs:
    """What widgets may do to `pool`. It is held weakly: a widget stays in ipywidgets' registry until it is closed."""
    reference, options = weakref.ref(pool), pool.options

    def of(verb: str) -> Pool:
        pool = reference()
        if pool is None:
            raise PoolClosedError(verb)
        return pool

    def register(wanted: Registration) -> None:
        of("register").register(wanted.name, wanted.address, namespace=wanted.namespace, options=wanted.options)

    def modules() -> frozenset[ModuleKey]:
        pool = reference()
        return frozenset() if pool is None else frozenset(pool.registered())

    def catch_up() -> None:
        pool = reference()
        if pool is not None:
            pool.catch_up()

    def options_of(key: ModuleKey) -> PoolOptions:
        pool = reference()
        return options if pool is None else pool.options_of(key)

    def discoveries() -> tuple[DiscoveryReport, ...]:
        pool = reference()
        return () if pool is None else tuple(each.report() for each in pool.discoveries())

    def diagnose(key: ModuleKey) -> Diagnosis:
        pool = of("explain")
        return explanation.explain(pool.journal, pool.options_of, key, now=pool.now()).diagnosis

    return Verbs(
        register=register,
        unregister=lambda key: of("unregister").unregister(key),
        reconnect=lambda key: of("reconnect").reconnect(key),
        health_check=lambda: of("health_check").health_check(),
        modules=modules,
        catch_up=catch_up,
        options_of=options_of,
        is_gone=lambda: reference() is None,
        options=options,
        discoveries=discoveries,
        listen=lambda listener: of("panel").on_discovery(listener),
        explain=lambda key: of("explain").explain(key, timeout=LOOKING).diagnosis,
        diagnose=diagnose,
    )
