"""`tinypool-nb metrics`: keep connections, and let Prometheus scrape them."""

import argparse
import logging
import queue
import signal
from typing import Any

from tinypool_nb.cli.modules import add_tls, module, tls
from tinypool_nb.core.options import PoolOptions, check_period
from tinypool_nb.errors import ModuleNameError


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "metrics",
        help="keep connections to gRPC modules, and serve their metrics to Prometheus",
        description="Connects to the modules, without a notebook, and serves the metrics of their connections until it is interrupted "
        "or terminated. A name may carry a Kubernetes namespace: NAMESPACE/NAME=ADDRESS.",
        epilog="example:\n  tinypool-nb metrics http-module-v1=127.0.0.1:50051 api-module-v1=dns:///api-module-v1:50051",
    )
    parser.add_argument("modules", nargs="+", type=module, metavar="NAME=ADDRESS", help="a module and where it is reached")
    parser.add_argument("--port", type=int, default=9464, help="where to serve; 0 takes a free port (default: %(default)s)")
    parser.add_argument(
        "--address", default="127.0.0.1", help="where to listen; 0.0.0.0 lets in everybody who reaches it (default: %(default)s)"
    )
    parser.add_argument(
        "--health-checks",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how often to ask what is not READY to connect (default: %(default)g)",
    )
    add_tls(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    from tinypool_nb.channels.pool import ClientPool  # not the notebook's, which would load pandas and plotly

    check_period("--health-checks", options.health_checks)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    with ClientPool(PoolOptions(tls=tls(options))) as pool:
        for key, address in options.modules:
            if key in pool:
                raise ModuleNameError(str(key), "each module is given once")
            pool.register(key.name, address, namespace=key.namespace)
        server = pool.serve_metrics(options.port, options.address)
        ended: queue.SimpleQueue[None] = queue.SimpleQueue()  # which a signal's handler may put into, whatever it interrupts
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.put(None))  # for good: who asks twice is answered once
        print(f"{server.url} tells of {len(pool)} module{'' if len(pool) == 1 else 's'}; Ctrl-C ends it", flush=True)
        pool.health_check()
        pool.start_health_checks(every=options.health_checks)
        ended.get()
    return 0
