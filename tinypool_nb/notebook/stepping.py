"""The stepper of a pool, for its panel: what the widget may do, without keeping the pool alive."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from tinypool_nb.errors import PoolClosedError
from tinypool_nb.lab.scripts import SCRIPTS
from tinypool_nb.notebook.following import Following
from tinypool_nb.notebook.stepper import Stepper
from tinypool_nb.widgets.step_verbs import StepVerbs

if TYPE_CHECKING:
    from tinypool_nb.channels.holding import Hold
    from tinypool_nb.core.keys import ModuleKey
    from tinypool_nb.core.options import Backoff
    from tinypool_nb.notebook.pool import Pool


def step_verbs(pool: Pool) -> StepVerbs:
    """What `tinypool_nb.widgets.stepper.StepperWidget` may do to `pool`, which is held weakly.

    Example:
        StepperWidget(pool.journal, publisher, worker, step_verbs(pool))
    """
    weak, light = weakref.ref(pool), weakref.proxy(pool)

    def alive(verb: str) -> Pool:
        pool = weak()
        if pool is None or pool.is_closed:
            raise PoolClosedError(verb)
        return pool

    def modules() -> tuple[ModuleKey, ...]:
        pool = weak()
        return () if pool is None or pool.is_closed else tuple(key for key in pool.known() if key in pool)

    def hold(key: ModuleKey) -> Hold:
        return alive("hold").hold(key)

    def backoff_of(key: ModuleKey) -> Backoff:
        return alive("backoff").backoff(key)

    def catch_up() -> None:
        pool = weak()
        if pool is not None:
            pool.catch_up()

    def open_lesson(name: str) -> Stepper:
        alive("stepper")
        return Stepper(light, SCRIPTS[name])

    return StepVerbs(
        scripts=tuple(SCRIPTS.values()),
        open_lesson=open_lesson,
        modules=modules,
        follow=lambda key: Following(light, key),
        hold=hold,
        backoff_of=backoff_of,
        catch_up=catch_up,
    )
