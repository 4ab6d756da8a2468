"""The shell command `tinypool-nb`."""

import argparse
import logging
import queue
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import PoolOptions, check_period
from tinypool_nb.core.tls import Tls
from tinypool_nb.errors import ModuleNameError, ReportError, TinypoolError

NOTEBOOK = "01_first_look.ipynb"
WIDEST = 100
"""Columns of a terminal that the timeline takes at the most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; the exit code is 0 if it went well, 1 if it did not, 2 if the words were not understood."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (TinypoolError, OSError) as error:
        print(f"tinypool-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tinypool-nb: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinypool-nb",
        description="See, feel and explain how gRPC connections live.",
        epilog="example: tinypool-nb demo --out my-first-look",
    )
    parser.add_argument("--version", action="version", version=f"tinypool-nb {version('tinypool-nb')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="break three gRPC modules, and write notebook, report and recording",
        description="Runs the notebook 'A first look' against a lab of three gRPC servers on this machine, in less than half a minute.",
    )
    demo.add_argument("-o", "--out", type=Path, default=Path("tinypool-demo"), help="the folder to write to (default: %(default)s)")
    demo.set_defaults(run=_demo)
    _add_metrics(commands)
    _add_doctor(commands)
    return parser


def _add_metrics(commands: Any) -> None:
    metrics = commands.add_parser(
        "metrics",
        help="keep connections to gRPC modules, and serve their metrics to Prometheus",
        description="Connects to the modules, without a notebook, and serves the metrics of their connections until it is interrupted "
        "or terminated. A name may carry a Kubernetes namespace: NAMESPACE/NAME=ADDRESS.",
        epilog="example: tinypool-nb metrics http-module-v1=127.0.0.1:50051 api-module-v1=dns:///api-module-v1:50051",
    )
    metrics.add_argument("modules", nargs="+", type=_module, metavar="NAME=ADDRESS", help="a module and where it is reached")
    metrics.add_argument("--port", type=int, default=9464, help="where to serve; 0 takes a free port (default: %(default)s)")
    metrics.add_argument(
        "--address", default="127.0.0.1", help="where to listen; 0.0.0.0 lets in everybody who reaches it (default: %(default)s)"
    )
    metrics.add_argument(
        "--health-checks",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how often to ask what is not READY to connect (default: %(default)g)",
    )
    tls = metrics.add_argument_group("transport security", "Without any of these the connections are plaintext.")
    tls.add_argument("--tls", action="store_true", help="TLS, trusting the system's authorities")
    tls.add_argument("--ca", metavar="FILE", help="TLS, trusting the authorities of this PEM file and no others")
    tls.add_argument("--certificate", metavar="FILE", help="mutual TLS: what to show of oneself")
    tls.add_argument("--key", metavar="FILE", help="the private key of the certificate")
    tls.add_argument("--server-name", metavar="NAME", help="the name in the modules' certificates, where it is not the host of the address")
    metrics.set_defaults(run=_metrics)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="print what a cluster needs, so that TinyModules can be discovered",
        epilog="example: tinypool-nb doctor --print-rbac --namespace tinysystems | kubectl apply -f -",
    )
    what = doctor.add_mutually_exclusive_group(required=True)
    what.add_argument("--print-rbac", action="store_true", help="a service account that may read TinyModules")
    what.add_argument("--print-crd", action="store_true", help="the TinyModule resource, for a cluster without the operator")
    where = doctor.add_mutually_exclusive_group()
    where.add_argument("--namespace", default="tinysystems", metavar="NAME", help="which namespace it may read (default: %(default)s)")
    where.add_argument("--all-namespaces", action="store_true", help="it may read all of them")
    doctor.set_defaults(run=_doctor)


def _module(text: str) -> tuple[ModuleKey, str]:
    """`[NAMESPACE/]NAME=ADDRESS`; what is wrong with the parts is said by the pool."""
    shown, equals, address = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} has no '='; write NAME=ADDRESS, for example http-module-v1=127.0.0.1:50051")
    namespace, slash, name = shown.partition("/")
    return (ModuleKey(namespace, name) if slash else ModuleKey(None, shown)), address


def _demo(options: argparse.Namespace) -> int:
    from tinypool_nb.report.execute import execute
    from tinypool_nb.report.html import write_report

    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    executed, report, recording = out / NOTEBOOK, out / "first_look.html", out / "first_look.parquet"
    started = time.monotonic()
    print(f"running {NOTEBOOK}")
    node = execute(_find(NOTEBOOK), executed, parameters={"recording": str(recording.resolve())}, on_cell=_show_progress)
    write_report(node, report)
    print(_summary(recording))
    print(f"done in {time.monotonic() - started:.0f} s:")
    for path, what in (
        (executed, "the executed notebook"),
        (report, "the report: one file, open it in any browser"),
        (recording, "the recording"),
    ):
        print(f"  {path}  ({_size(path)})  {what}")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    from tinypool_nb.channels.pool import ClientPool  # not the notebook's, which would load pandas and plotly

    check_period("--health-checks", options.health_checks)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    with ClientPool(PoolOptions(tls=_tls(options))) as pool:
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


def _doctor(options: argparse.Namespace) -> int:
    from tinypool_nb import manifests

    print(manifests.definition() if options.print_crd else manifests.rbac(options.namespace, all_namespaces=options.all_namespaces), end="")
    return 0


def _tls(options: argparse.Namespace) -> Tls | None:
    """The transport security that the words ask for; None for none."""
    given = {"roots": options.ca, "certificate": options.certificate, "key": options.key, "server_name": options.server_name}
    return Tls(**given) if options.tls or any(given.values()) else None


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _show_progress(number: int, total: int, source: str) -> None:
    print(f"  {number:2}/{total}  {source.partition(chr(10))[0].lstrip('# ')}", flush=True)


def _find(name: str) -> Path:
    """The notebook: inside an installed package, or beside it in the repository."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / name).is_file():
            return folder / name
    raise ReportError(f"the notebook {name} is not part of this installation; install tinypool-nb anew")


def _summary(recording: Path) -> str:
    from tinypool_nb.notebook.record import open_recording
    from tinypool_nb.views.pictures import timeline_text

    record = open_recording(recording)
    told = f"recorded: {len(record.transitions())} transitions and {len(record.attempts())} attempts of {len(record.summary())} modules"
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return f"\n{told}\n\n{timeline_text(record.intervals(), calls=record.calls(), now=record.now(), width=width)}\n"


if __name__ == "__main__":
    sys.exit(main())
