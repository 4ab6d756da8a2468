"""`tinypool-nb doctor`: what is wrong, and what a cluster needs."""

import argparse
from typing import Any

from tinypool_nb.cli import cluster_check, module_check


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "doctor",
        help="connect to modules, or look whether a cluster's can be discovered, and say what is the matter; or print what a cluster needs",
        description="Connects to modules once and says of each whether it was reached, and if not, why and what to do; or looks whether "
        "the modules of a cluster can be discovered. The exit code is 0 if every module was reached, or all can be discovered, 1 if not, "
        "2 if the words were not understood. Or prints what a cluster needs.",
        epilog="examples:\n"
        "  tinypool-nb doctor 127.0.0.1:50051\n"
        "  tinypool-nb doctor api=api-module-v1:50051 --ca company-ca.pem\n"
        "  tinypool-nb doctor --cluster\n"
        "  tinypool-nb doctor --print-rbac --namespace tinysystems | kubectl apply -f -",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--print-rbac", action="store_true", help="a service account that may read TinyModules")
    what.add_argument("--print-crd", action="store_true", help="the TinyModule resource, for a cluster without the operator")
    what.add_argument("--print-proxy", action="store_true", help="a proxy that leads from a laptop to all modules of the cluster")
    cluster_check.add(parser, what)
    module_check.add(parser, what)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace", metavar="NAME", help="which namespace (default: tinysystems to print, that of the context for --cluster)"
    )
    where.add_argument("--all-namespaces", action="store_true", help="all of them")
    parser.add_argument("--port-forward", action="store_true", help="with --print-rbac: it may forward modules' ports, too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; 0 if nothing is wrong, 1 if something is, 2 if a word was not understood."""
    from tinypool_nb import manifests

    if options.port_forward and not options.print_rbac:
        options.not_understood("--port-forward goes with --print-rbac")
    if options.cluster:
        return cluster_check.run(options)
    cluster_check.refuse_others(options)
    if options.addresses:
        return module_check.run(options)
    namespace = manifests.NAMESPACE if options.namespace is None else options.namespace
    if options.print_crd:
        print(manifests.definition(), end="")
    elif options.print_proxy:
        print(manifests.proxy(namespace), end="")
    else:
        print(manifests.rbac(namespace, all_namespaces=options.all_namespaces, port_forward=options.port_forward), end="")
    return 0
