"""Five modules that are broken, each in its own way, for notebook 07; what is done to them stands here, so that it does not stand there."""

import asyncio
from typing import Any

from tinypool_nb.core.options import Backoff, Keepalive, PoolOptions
from tinypool_nb.errors import SendError

OPTIONS = PoolOptions(
    keepalive=Keepalive(time=1.0, timeout=1.0),
    backoff=Backoff(initial=0.5, maximum=1.5, min_connect_timeout=1.0),
)
"""Shorter times than usual, so that what takes minutes takes seconds."""
HEALTHY = "mail-v1"
PATIENTS = ("cart-v1", "orders-v1", "search-v1", "stock-v1", "users-v1")
_FAILING = 6.0
"""Seconds in which gRPC tries a few times."""


async def break_five(lab: Any, pool: Any) -> None:
    """Start six modules, call them, break five of them, and let gRPC try for some seconds. Do not look how, if you want to find out.

    Args:
        lab: a `tp.Lab`.
        pool: a `tp.Pool` with the options of this file.
    """
    mail, orders, stock, cart = lab.start_all([HEALTHY, "orders-v1", "stock-v1", "cart-v1"], min_ping_interval=0.1)
    users = lab.start("users-v1", tls=True)
    search = lab.start("search-v1", kind="http/1.1")
    names = lab.dns()  # which knows no name
    for module in (mail, orders, stock, users, search):
        pool.register(module.name, module.address)
    pool.register(cart.name, names.target("cart.test", cart.port))
    _call_all(pool)
    await asyncio.sleep(1.0)
    orders.kill()
    stock.freeze()
    await pool.until("stock-v1", "IDLE", timeout=20)
    pool.mark("a colleague notices")
    pool.health_check()
    await asyncio.sleep(_FAILING)


def _call_all(pool: Any) -> None:
    for name in pool:
        try:
            pool.send(name, payload="{}", timeout=3)
        except SendError:
            continue  # it is what the notebook is about
