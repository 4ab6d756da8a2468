"""How a discovery stands at one moment, as data and in words: the same for its repr, the panel, a saved notebook and `doctor`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tinypool_nb.core.discovering import Scope, Standing
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.core.telling import counted


class Health(StrEnum):
    """What the state of a discovery comes to."""

    SYNCED = "synced"
    """The pool has what the API server says."""
    LIMITED = "synced by lists alone"
    """So it has, some seconds late: the API server lets it list, but not watch."""
    UNREAD = "not read yet"
    """The API server has said nothing yet."""
    STALE = "stale"
    """It did, and does no longer, or has not been heard for so long that it is being asked; the pool keeps what it had."""
    REFUSED = "refused"
    """A right is missing, or the definition of the resource."""


@dataclass(frozen=True, slots=True)
class DiscoveryStatus:
    """How a discovery stood at one moment."""

    synced: bool
    """Whether the pool has what the API server says, as far as the server has said it."""
    stale_since: datetime | None
    """When the server last said something, if it is not synced; None if it is, and if it never was."""
    last_error: str
    """The last one, also if it is over; "" if there was none."""
    missing: MissingRight | None
    """What the API server refuses; None if nothing. Its `role` is the Role that would grant it, as YAML; "" where none would.

    Where only a watch is refused, the pool is kept by lists, some seconds apart.
    """
    resource_version: str
    """Up to which change it was read; "" before the first list."""
    missing_forward: MissingRight | None = None
    """What the API server refuses of port-forward; None if nothing. Its `role` grants it together with what discovery needs."""

    @property
    def health(self) -> Health:
        """What it comes to."""
        if self.synced:
            return Health.SYNCED if self.missing is None else Health.LIMITED
        if self.missing is not None:
            return Health.REFUSED
        return Health.UNREAD if self.stale_since is None else Health.STALE

    @property
    def reason(self) -> str:
        """Why it is not simply synced, and why nothing is forwarded; "" if all is well."""
        why = self.missing.reason if self.missing is not None else "" if self.synced else self.last_error
        forward = "" if self.missing_forward is None else f"port-forward: {self.missing_forward.reason}"
        return "; ".join(filter(None, (why, forward)))

    def __str__(self) -> str:
        return self._read() if self.missing_forward is None else f"{self._read()}; port-forward: {self.missing_forward}"

    def _read(self) -> str:
        if self.synced:
            return "synced" if self.missing is None else f"synced by lists alone: {self.missing}"
        since = "not read yet" if self.stale_since is None else f"stale since {self.stale_since:%Y-%m-%d %H:%M:%S} UTC"
        why = one_line(self.last_error if self.missing is None else self.missing)
        return f"{since}{f': {why}' if why else ''}"


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """A discovery for who shows it: what it is about, how it stands, and what became of the resources that it saw."""

    scope: Scope
    source: str
    """Where the configuration was found, in words."""
    status: DiscoveryStatus
    standings: Mapping[Standing, int]
    """How many resources stand how; none that there are none of."""

    @property
    def modules(self) -> str:
        """How many resources there are, and what became of them.

        >>> from tinypool_nb.core.discovering import Scope
        >>> status = DiscoveryStatus(synced=True, stale_since=None, last_error="", missing=None, resource_version="41")
        >>> scope = Scope("https://10.0.0.1", "tinysystems")
        >>> DiscoveryReport(scope, "KUBECONFIG", status, {Standing.REGISTERED: 2, Standing.WAITING: 1}).modules
        '3 modules: 2 registered, 1 waiting'
        """
        return told_standings(self.standings)

    @property
    def remedy(self) -> str:
        """What to do; "" where there is nothing to be done but to wait, or nothing at all."""
        missing = self._missing
        if missing is None:
            return ""
        if missing.status == 401:
            return "Log in to the cluster again: the kubeconfig is read anew at each try."
        if missing.status == 404:
            return "Install the operator, or its resource definition alone: tinypool-nb doctor --print-crd | kubectl apply -f -"
        what = "port-forward" if self.status.missing is None else "discovery"
        return f"Have somebody who may apply this {missing.kind} and bind it to you; {what} goes on by itself."

    @property
    def grant(self) -> str:
        """The Role that would grant what is missing, as YAML; "" where none would."""
        missing = self._missing
        return "" if missing is None else missing.role

    @property
    def _missing(self) -> MissingRight | None:
        """What is to be granted first."""
        return self.status.missing or self.status.missing_forward


def told_standings(standings: Mapping[Standing, int]) -> str:
    """How many resources there are, and how many stand how.

    >>> told_standings({})
    '0 modules'
    """
    told = ", ".join(f"{number:,} {standing}" for standing, number in standings.items())
    return f"{counted(sum(standings.values()), 'module')}{f': {told}' if told else ''}"
