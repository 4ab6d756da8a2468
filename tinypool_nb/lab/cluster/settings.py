"""What the API server's process is told: settings on its command line, secrets on its stdin."""

import json
from dataclasses import dataclass, field

from tinypool_nb.errors import OptionsError
from tinypool_nb.lab.certificates import ServerIdentity
from tinypool_nb.lab.servers import ServerSettings

NAMESPACE = "tinysystems"
"""Where `lab.start` puts resources, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """How the lab's API server is to be; `tp.Lab(kubernetes=True)` takes all defaults.

        tp.Lab(kubernetes=Kubernetes(tls=False, bookmark_every=1.0))

    Raises:
        OptionsError: a setting is refused.
    """

    tls: bool = True
    """Whether it serves https, with a certificate of the lab's own authority."""
    namespace: str = NAMESPACE
    """Where resources are made, and the namespace of the kubeconfig's context."""
    bookmark_every: float = 60.0
    """Seconds between two bookmarks of a watch; a real server takes about a minute."""
    cluster_names: bool = False
    """Whether resources name their modules as a cluster does, `http-module-v1.tinysystems.svc.cluster.local:50051`: names that no laptop
    resolves, so that ways to reach them can be learnt. False names the loopback."""
    port: int | None = None
    """Where it serves; None takes a free port."""

    def __post_init__(self) -> None:
        if not isinstance(self.bookmark_every, int | float) or not 0 < self.bookmark_every <= 86_400:
            raise OptionsError("bookmark_every", self.bookmark_every, "a number of seconds, more than 0 and at most 86400")
        if not isinstance(self.cluster_names, bool):
            raise OptionsError("cluster_names", self.cluster_names, "True or False")
        if self.port is not None and (not isinstance(self.port, int) or not 1 <= self.port <= 65_535):
            raise OptionsError("port", self.port, "an int from 1 to 65535, or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings(ServerSettings):
    """What stands on the command line; nothing secret."""

    journal: str
    """The file that holds every write."""
    bookmark_every: float = 60.0
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSecrets:
    """What goes to the process as a line on its stdin."""

    token: str = field(repr=False)
    """Of the kubeconfig's user."""
    operator_token: str = field(repr=False)
    """Of the lab itself."""
    identity: ServerIdentity | None
    """By which it serves https; None: http."""

    def as_line(self) -> str:
        """Itself as one line; `parse` reads it back."""
        identity = None if self.identity is None else self.identity.as_line()
        return json.dumps({"token": self.token, "operator_token": self.operator_token, "identity": identity})

    @classmethod
    def parse(cls, line: str) -> "ApiSecrets":
        """What `as_line` wrote.

        >>> secrets = ApiSecrets(token="a", operator_token="b", identity=None)
        >>> ApiSecrets.parse(secrets.as_line()) == secrets
        True
        """
        told = json.loads(line)
        identity = None if told["identity"] is None else ServerIdentity.parse(told["identity"])
        return cls(**{**told, "identity": identity})
