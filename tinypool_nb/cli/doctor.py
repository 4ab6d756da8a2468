"""`tinypool-nb doctor`: what is wrong, and what a cluster needs."""

import argparse
from typing import Any

from tinypool_nb.cli import cluster_check


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "doctor",
        help="look whether TinyModules can be discovered in a cluster, or print what it needs for that",
        epilog="examples: tinypool-nb doctor --cluster; tinypool-nb doctor --print-rbac --namespace tinysystems | kubectl apply -f -",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--print-rbac", action="store_true", help="a service account that may read TinyModules")
    what.add_argument("--print-crd", action="store_true", help="the TinyModule resource, for a cluster without the operator")
    cluster_check.add(parser, what)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace", metavar="NAME", help="which namespace (default: tinysystems to print, that of the context for --cluster)"
    )
    where.add_argument("--all-namespaces", action="store_true", help="all of them")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; 0 if nothing is wrong, else 1."""
    from tinypool_nb import manifests

    if options.cluster:
        return cluster_check.run(options)
    cluster_check.refuse_others(options)
    namespace = manifests.NAMESPACE if options.namespace is None else options.namespace
    print(manifests.definition() if options.print_crd else manifests.rbac(namespace, all_namespaces=options.all_namespaces), end="")
    return 0
