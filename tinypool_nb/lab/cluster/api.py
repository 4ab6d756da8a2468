"""The kernel's side of the lab's API server: what a person can do to it."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import LabError, OptionsError
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.cluster.faults import REASONS, Ending
from tinypool_nb.lab.cluster.seen import Request
from tinypool_nb.lab.modules import Breakable
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.servers import Server, ServerState

NAME = "lab-api"
"""What the API server is called in messages and actions."""


class ApiServer(Server):
    """The process of an API server."""

    program = "tinypool_nb.lab.cluster.server"


class Api(Breakable):
    """The lab's API server, to break. `lab.api` gives it; kill, stop, freeze, thaw and restart are those of a module.

    What it stores outlives it: a server that is restarted has every resource again, and an empty watch cache, as a real one. So a
    watch from a version before the restart may be answered 410.

        lab.api.kill()
        lab.api.restart()
        lab.api.refuse(503, times=3, retry_after=1)

    Args:
        server: its process.
        ports: the lab's.
        journal: the file that holds every write.
        tls: what connects to it; None: plaintext.
    """

    def __init__(self, server: ApiServer, ports: Ports, *, journal: Path, tls: Tls | None) -> None:
        super().__init__(NAME, [server], range(1), ports, threading.Lock(), tls=tls)
        self._journal = journal

    @property
    def url(self) -> str:
        """Where it serves: `https://127.0.0.1:port`."""
        return f"{'https' if self.tls else 'http'}://{self.address}"

    @property
    def revision(self) -> int:
        """The version of the last write; lists and watches call it resourceVersion."""
        return int(self._ask(self._serving("revision"), "revision"))

    @property
    def requests(self) -> list[Request]:
        """The last 10,000 requests it got since it started, in the order of their answers; those of `lab.resources` too."""
        return [Request(*told) for told in self._ask(self._serving("requests"), "requests")]

    def compact(self) -> None:
        """Forget the history, as etcd does after five minutes: watches and pages from older versions are answered 410."""
        self._act("compact")

    def refuse(self, code: int = 503, *, times: int | None = None, retry_after: int | None = None, message: str | None = None) -> None:
        """Answer requests with that status, until `heal`; watches under way go on.

        Args:
            code: 401, 403, 404, 409, 410, 429, 500, 503 or 504.
            times: how many requests; None: all.
            retry_after: whole seconds for the header Retry-After; None: no such header.
            message: what it says to people; None: that it was told to.

        Raises:
            OptionsError: a setting is refused.
            LabError: the server does not run.
        """
        if code not in REASONS:
            raise OptionsError("code", code, f"one of {', '.join(map(str, REASONS))}")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise OptionsError("times", times, "an int, 1 or more, or None")
        if retry_after is not None and (not isinstance(retry_after, int) or retry_after < 0):
            raise OptionsError("retry_after", retry_after, "whole seconds, 0 or more, or None")
        _check_message(message)
        self._act("refuse", code=code, times=times, retry_after=retry_after, message=message)

    def silence(self) -> None:
        """Go on accepting connections and requests, and tell nobody anything, watches included, until `heal`."""
        self._act("silence")

    def heal(self) -> None:
        """End refusals and silence, and give the kubeconfig's user its token and all rights back."""
        self._act("heal")

    def drop_watches(self, *, ending: Ending | str = Ending.MID_LINE, message: str | None = None) -> None:
        """End every watch that is under way.

        Args:
            ending: "mid line" breaks the connection within a line, "reset" after one, and "clean" ends the answer as a timeout does.
                "error" tells of a failure of the server first, and "garbage" has a line that is no event.
            message: what "error" says; None: what a server says that lost its storage for a moment.

        Raises:
            OptionsError: it is no ending.
            LabError: the server does not run.
        """
        if ending not in set(Ending):
            raise OptionsError("ending", ending, f"one of {', '.join(Ending)}")
        _check_message(message)
        self._act("drop", ending=str(ending), message=message)

    def revoke_token(self) -> None:
        """Answer the kubeconfig's user 401, as after its token's expiry, until `heal`."""
        self._act("revoke")

    def grant(self, verbs: Iterable[str] | None = None, *, namespaces: Iterable[str] | None = None) -> None:
        """Let the kubeconfig's user do no more than this; everything else is answered 403, until `heal`.

        Args:
            verbs: such as get, list and watch; None: all verbs.
            namespaces: as with a Role in each of them; None: as with a ClusterRole.

        Raises:
            LabError: the server does not run.
        """
        allowed = [None if names is None else list(names) for names in (verbs, namespaces)]
        self._act("grant", verbs=allowed[0], namespaces=allowed[1])

    def restart(self, *, lost: int = 0) -> None:
        """Start it again at the same port; what still runs, frozen or not, is killed first. Injected faults are over.

        Args:
            lost: how many of the last writes are forgotten, as after etcd was restored from an older copy: versions go back.

        Raises:
            OptionsError: `lost` is no number of writes.
            LabError: it did not start.
        """
        if isinstance(lost, bool) or not isinstance(lost, int) or lost < 0:
            raise OptionsError("lost", lost, "an int, 0 or more")
        if lost:
            self.kill()
            lines = self._journal.read_bytes().splitlines(keepends=True)
            self._journal.write_bytes(b"".join(lines[: max(0, len(lines) - lost)]))
        super().restart()

    def _act(self, verb: str, **arguments: object) -> None:
        server = self._serving(verb)
        announce(Action(verb, self.name, self.address))
        self._ask(server, verb, **arguments)

    def _serving(self, verb: str) -> ApiServer:
        (server,) = self._servers
        assert isinstance(server, ApiServer)
        if server.state is not ServerState.SERVING:
            remedy = "thaw" if server.state is ServerState.FROZEN else "restart"
            raise LabError(f"{verb}: the lab's API server is {server.state}; {remedy}() it first")
        return server

    def _ask(self, server: ApiServer, verb: str, **arguments: object) -> Any:
        with self._changing:
            return server.ask(verb, **arguments)

    def __repr__(self) -> str:
        return f"<Api {self}>"


def _check_message(message: object) -> None:
    if message is not None and not isinstance(message, str):
        raise OptionsError("message", message, "a str, or None")
