"""`tinypool-nb doctor --cluster`: whether TinyModules can be discovered in a cluster, and what would become of each."""

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinypool_nb.core.discovering import Known, Standing
from tinypool_nb.core.discovery_status import told_standings
from tinypool_nb.core.telling import counted
from tinypool_nb.views.wording import cut, one_line, padded, width_of

if TYPE_CHECKING:
    from tinypool_nb.discovery.checking import Checked, Finding

MOST_LINES = 40
"""Modules that are told one by one; of more the troubled ones come first."""
WIDEST_NAME = 48
"""Columns."""
_FIRST = (Standing.QUARANTINED, Standing.WAITING, Standing.OWN, Standing.REGISTERED)
_SIGN = {True: "✓", False: "✗", None: "·"}


def add(parser: argparse.ArgumentParser, what: Any) -> None:
    """Add the words to those of `doctor`.

    Args:
        parser: of `doctor`.
        what: its group of things to do, of which one is chosen.
    """
    what.add_argument("--cluster", action="store_true", help="whether TinyModules can be discovered in a cluster, and what becomes of each")
    group = parser.add_argument_group("which cluster", "With --cluster. The same is found as by pool.discover with the same words.")
    group.add_argument("--kubeconfig", metavar="FILE", help="else KUBECONFIG, else ~/.kube/config, else the cluster that this runs in")
    group.add_argument("--context", metavar="NAME", help="one of its contexts; else the current one")
    group.add_argument("--own-module", metavar="NAME", help="the module that this runs in, to which nobody connects")
    parser.set_defaults(not_understood=parser.error)


def refuse_others(options: argparse.Namespace) -> None:
    """End with code 2 where one of the words stands without --cluster."""
    for name in ("kubeconfig", "context", "own_module"):
        if getattr(options, name) is not None:
            options.not_understood(f"--{name.replace('_', '-')} goes with --cluster")


def run(options: argparse.Namespace) -> int:
    """Look at the cluster, and tell; 0 if nothing is wrong, else 1.

    Raises:
        KubeconfigError: there is no cluster to be found; the shell command tells it.
        OptionsError: the namespace is none, or the own module.
    """
    from tinypool_nb import manifests
    from tinypool_nb.discovery.arguments import check_own_module
    from tinypool_nb.discovery.checking import check, proxies
    from tinypool_nb.discovery.kubeconfig import find_cluster

    if options.namespace is not None:
        manifests.check_namespace(options.namespace)
    check_own_module(options.own_module)
    cluster = find_cluster(options.kubeconfig, options.context)
    namespace = None if options.all_namespaces else cluster.namespace if options.namespace is None else options.namespace
    mentioned = proxies(cluster, os.environ)
    checked = check(cluster, namespace, own_module=options.own_module)
    print("\n".join(told(checked, mentioned)))
    return 1 if faults(checked) else 0


def faults(checked: "Checked") -> int:
    """How many things somebody has to mend."""
    return sum(finding.is_well is False for finding in checked.findings) + sum(known.module.is_malformed for known in checked.modules)


def told(checked: "Checked", mentioned: "list[Finding]") -> Iterator[str]:
    """What was found, in lines; foreign text is on one line and without control characters."""
    where = "all namespaces" if checked.namespace is None else f"namespace {one_line(checked.namespace)}"
    yield f"cluster {one_line(checked.server)}, {where}"
    yield f"  by {one_line(checked.source)}"
    for finding in [*checked.findings, *mentioned]:
        yield f"{_SIGN[finding.is_well]} {one_line(finding.text)}"
        if finding.remedy:
            yield f"    {one_line(finding.remedy)}"
        yield from (f"    {line}" for line in finding.grant.splitlines())
    if checked.modules:
        yield from _told_modules(checked.modules)
    elif checked.is_well:
        yield f"{_SIGN[None]} there are no TinyModules{'' if checked.namespace is None else ' there; --all-namespaces looks everywhere'}"
    number = faults(checked)
    yield f"{counted(number, 'thing')} to be mended" if number else "TinyModules can be discovered"


def _told_modules(modules: list[Known]) -> Iterator[str]:
    standings = [known.standing for known in modules]
    counts = {standing: standings.count(standing) for standing in _FIRST if standing in standings}
    malformed = any(known.module.is_malformed for known in modules)
    yield f"{_SIGN[not malformed]} {told_standings(counts)}, once it is discovered"
    ordered = sorted(modules, key=lambda known: (not known.module.is_malformed, _FIRST.index(known.standing)))
    shown = [(cut(one_line(known.module.key), WIDEST_NAME), known) for known in ordered[:MOST_LINES]]
    width = max((width_of(name) for name, _ in shown), default=0)
    for name, known in shown:
        why = f"at {known.address}" if known.standing is Standing.REGISTERED else cut(one_line(known.reason), 200, keep_end=False)
        yield f"    {padded(name, width)}  {known.standing:11}  {why}"
    if len(modules) > MOST_LINES:
        yield f"    and {len(modules) - MOST_LINES:,} more"
