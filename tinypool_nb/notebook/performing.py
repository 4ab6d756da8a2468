"""Does what the steps of a lesson name: on a pool, with a lab of its own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from tinypool_nb.core.stepping import Act, Script
from tinypool_nb.errors import SendError, TinypoolError

if TYPE_CHECKING:
    from tinypool_nb.channels.pool import ClientPool
    from tinypool_nb.lab.lab import Lab
    from tinypool_nb.lab.modules import Module

NAME = "lesson-module-v1"
"""What a lesson's module is called, with a number behind it if the pool has one of that name."""
MANY = 10
"""Calls of `Act.CALL_MANY`."""
SLOW = 1.0
"""Seconds that the call takes which is under way while a server stops."""
GRACE = 5.0
"""Seconds that it is given."""


class Performer:
    """Starts, breaks and calls one module of its own. The lab starts with the first act; `undo` ends it.

    Args:
        pool: where the module is registered.
        script: the lesson, for its settings.
    """

    def __init__(self, pool: ClientPool, script: Script) -> None:
        self._pool = pool
        self._script = script
        self._lab: Lab | None = None
        names = (NAME, *(f"{NAME}-{number}" for number in range(2, 1000)))
        self.name = next(name for name in names if name not in pool)
        """The module's name in the pool."""

    def perform(self, act: Act) -> str:
        """Do it, and say in a few words what came of it.

        Raises:
            TinypoolError: it could not be done; the message says why.
        """
        return _ACTS[act](self)

    def undo(self) -> None:
        """Take the module away and end the servers."""
        lab, self._lab = self._lab, None
        if lab is not None:
            with suppress(ReferenceError):  # a widget holds its pool weakly, and the pool may be gone
                self._pool.unregister(self.name)
            lab.close()

    def start(self, replicas: int = 1) -> str:
        """Start the servers, anew if there are some."""
        from tinypool_nb.lab.lab import Lab

        self.undo()
        self._lab = Lab()
        module = self._lab.start(self.name, replicas=replicas, min_ping_interval=self._script.min_ping_interval)
        return f"{self.name} serves at {module.address}"

    def register(self) -> str:
        """Make the module reachable at the address that it has now."""
        address = self._module.address
        self._pool.register(self.name, address, options=self._script.options)
        return f"{self.name} is registered at {address}"

    def watch(self) -> str:
        """Do nothing."""
        return ""

    def call(self) -> str:
        """Send one message."""
        self._module  # noqa: B018  says what is missing, if it is
        try:
            answer = self._pool.send(self.name, timeout=5.0)
        except SendError as error:
            code = error.failure.code or "refused before it was sent"
            raise TinypoolError(f"the call failed: {code}: {error.failure.reason or error.failure.last_failure}") from error
        return f"answered by replica {_replica(answer)}"

    def call_many(self) -> str:
        """Send several messages, and count who answers."""
        counts = Counter(_replica(self._pool.send(self.name, timeout=5.0)) for _ in range(MANY))
        return "; ".join(f"replica {replica} answered {counts[replica]}" for replica in sorted(counts))

    def connect(self) -> str:
        """Ask the module to connect."""
        self._pool.health_check()
        return "asked to connect"

    def stop(self) -> str:
        """Stop the server gracefully while a call is under way."""
        asyncio.run(self._stop_under_a_call())
        return "the call under way was answered"

    async def _stop_under_a_call(self) -> None:
        slow = asyncio.ensure_future(self._pool.send_async(self.name, payload=json.dumps({"delay": SLOW}), timeout=10.0))
        await asyncio.sleep(0)  # it begins
        await self._pool.send_async(self.name, timeout=5.0)  # answered, so the server has heard of the slow one, which came before
        await asyncio.to_thread(self._module.stop, grace=GRACE)
        await slow

    def move(self) -> str:
        """Start the module at another port, and end the old one gracefully."""
        return f"it serves at {self._module.move(grace=GRACE)} now"

    @property
    def _module(self) -> Module:
        if self._lab is None:
            raise TinypoolError("the lesson's module is not there any more: reset(), then begin anew")
        return self._lab[self.name]

    def kill(self) -> str:
        """End all servers by SIGKILL."""
        self._module.kill()
        return "killed"

    def kill_one(self) -> str:
        """End the first server by SIGKILL."""
        self._module.replicas[0].kill()
        return "replica 0 was killed"

    def restart(self) -> str:
        """Start all servers anew at their ports."""
        self._module.restart()
        return f"it serves at {self._module.address} again"

    def restart_one(self) -> str:
        """Start the first server anew at its port."""
        self._module.replicas[0].restart()
        return f"replica 0 serves at {self._module.replicas[0].address} again"

    def freeze(self) -> str:
        """Stop the process by SIGSTOP."""
        self._module.freeze()
        return "frozen"

    def thaw(self) -> str:
        """Let the process go on."""
        self._module.thaw()
        return "thawed"


def _replica(answer: bytes) -> int:
    return int(json.loads(answer)["replica"])


_ACTS: Mapping[Act, Callable[[Performer], str]] = {
    Act.START: Performer.start,
    Act.START_REPLICAS: lambda performer: performer.start(replicas=2),
    Act.REGISTER: Performer.register,
    Act.REGISTER_MOVED: Performer.register,
    Act.WATCH: Performer.watch,
    Act.CALL: Performer.call,
    Act.CALL_MANY: Performer.call_many,
    Act.CONNECT: Performer.connect,
    Act.KILL: Performer.kill,
    Act.KILL_ONE: Performer.kill_one,
    Act.RESTART: Performer.restart,
    Act.RESTART_ONE: Performer.restart_one,
    Act.FREEZE: Performer.freeze,
    Act.THAW: Performer.thaw,
    Act.STOP: Performer.stop,
    Act.MOVE: Performer.move,
}
"""Every act, and who does it."""
