"""`tinypool-nb doctor`: what is wrong, and what a cluster needs."""

import argparse
from typing import Any

from tinypool_nb.cli import module_check


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "doctor",
        help="connect to modules and say what is the matter with them, or print what a cluster needs for discovery",
        epilog="examples: tinypool-nb doctor 127.0.0.1:50051; tinypool-nb doctor --print-rbac --namespace tinysystems | kubectl apply -f -",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--print-rbac", action="store_true", help="a service account that may read TinyModules")
    what.add_argument("--print-crd", action="store_true", help="the TinyModule resource, for a cluster without the operator")
    what.add_argument("--print-proxy", action="store_true", help="a proxy that leads from a laptop to all modules of the cluster")
    module_check.add(parser, what)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace", default="tinysystems", metavar="NAME", help="which namespace it may read, or runs in (default: %(default)s)"
    )
    where.add_argument("--all-namespaces", action="store_true", help="it may read all of them")
    parser.add_argument("--port-forward", action="store_true", help="with --print-rbac: it may forward modules' ports, too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    from tinypool_nb import manifests

    if options.addresses:
        return module_check.run(options)
    if options.print_crd:
        print(manifests.definition(), end="")
    elif options.print_proxy:
        print(manifests.proxy(options.namespace), end="")
    else:
        print(manifests.rbac(options.namespace, all_namespaces=options.all_namespaces, port_forward=options.port_forward), end="")
    return 0
