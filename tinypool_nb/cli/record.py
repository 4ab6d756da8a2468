"""`tinypool-nb record`: keep connections, and write what becomes of them into a file."""

import argparse
import logging
import queue
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinypool_nb.cli.modules import add_tls, module, tls
from tinypool_nb.cli.telling import tell_aside
from tinypool_nb.core.options import PoolOptions, check_period
from tinypool_nb.core.telling import counted
from tinypool_nb.errors import ModuleNameError, RecordingPathError

if TYPE_CHECKING:
    from tinypool_nb.channels.pool import ClientPool
    from tinypool_nb.journal.recording.recorder import Recorder

TOLD_EVERY = 0.5
"""Seconds between two looks at how it goes."""


def add(commands: Any) -> None:
    """Add the command to those of the parser."""
    parser = commands.add_parser(
        "record",
        help="keep connections to gRPC modules, and record what becomes of them",
        description="Connects to the modules, without a notebook, and records what becomes of their connections until it is "
        "interrupted or terminated. Killed, it leaves what it had written till then: `tinypool-nb replay` and tp.open_recording open it. "
        "A name may carry a Kubernetes namespace: NAMESPACE/NAME=ADDRESS.",
        epilog="examples:\n"
        "  tinypool-nb record http-module-v1=127.0.0.1:50051 -o incident.parquet\n"
        "  tinypool-nb record --discover --namespace tinysystems -o incident.parquet",
    )
    parser.add_argument("modules", nargs="*", type=module, metavar="NAME=ADDRESS", help="a module and where it is reached")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file to write, as incident.parquet")
    parser.add_argument("--replace", action="store_true", help="put it in the place of a file there, and of what an earlier recording left")
    parser.add_argument("--for", dest="duration", type=float, metavar="SECONDS", help="end by itself after so long")
    parser.add_argument(
        "--health-checks",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how often to ask what is not READY to connect (default: %(default)g)",
    )
    found = parser.add_argument_group("discovery", "Modules may come from the TinyModule resources of a Kubernetes cluster.")
    found.add_argument("--discover", action="store_true", help="record the modules of a cluster, as they come and go")
    found.add_argument("--namespace", metavar="NAME", help="only of this namespace (default: the context's)")
    found.add_argument("--all-namespaces", action="store_true", help="of all namespaces")
    found.add_argument("--kubeconfig", metavar="FILE", help="which configuration (default: as kubectl's)")
    found.add_argument("--context", metavar="NAME", help="which of its contexts")
    found.add_argument("--selector", metavar="LABELS", help="only resources with such labels, as tier=web")
    add_tls(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Record until a signal ends it; the exit code is 1 if the recording could not go on."""
    from tinypool_nb.channels.pool import ClientPool  # not the notebook's, which would load pandas and plotly

    if not options.modules and not options.discover:
        options.refuse("what is to be recorded? Name at least one module, NAME=ADDRESS, or --discover")
    check_period("--health-checks", options.health_checks)
    if options.duration is not None:
        check_period("--for", options.duration)
    # In a terminal the line of progress tells the states, and a log would tear it.
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.ERROR if sys.stderr.isatty() else logging.WARNING)
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()  # which a signal's handler may put into, whatever it interrupts
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.put(None))  # for good: who asks twice is answered once
    with ClientPool(PoolOptions(tls=tls(options))) as pool:
        recorder = _begin(pool, options)
        for key, address in options.modules:
            if key in pool:
                raise ModuleNameError(str(key), "each module is given once")
            pool.register(key.name, address, namespace=key.namespace)
        if options.discover:
            pool.discover(
                kubeconfig=options.kubeconfig,
                context=options.context,
                namespace=options.namespace,
                all_namespaces=options.all_namespaces,
                label_selector=options.selector,
            )
        tell_aside(f"recording to {options.output}; Ctrl-C ends it")
        pool.start_health_checks(every=options.health_checks)
        _watch(pool, recorder, ended, options.duration)
    status = recorder.status
    tell_aside(f"{options.output}: {_told(status)}")
    return 0 if status.state == "closed" else 1


def _begin(pool: "ClientPool", options: argparse.Namespace) -> "Recorder":
    try:
        return pool.record(options.output, replace=options.replace)
    except RecordingPathError as error:
        advice = error.advice.replace("replace=True", "--replace")  # in the words of a shell
        raise RecordingPathError(error.path, error.why, advice) from None


def _watch(pool: "ClientPool", recorder: "Recorder", ended: "queue.SimpleQueue[None]", duration: float | None) -> None:
    """Wait for the end, and tell how it goes in one line of a terminal."""
    begun, shown = time.monotonic(), sys.stderr.isatty()
    known: set[str] = set()
    while recorder.status.state == "recording" and (duration is None or time.monotonic() - begun < duration):
        if not known >= (names := set(pool)):  # new ones connect now, not at the next periodic check
            known |= names
            pool.health_check()
        if shown:
            _progress(f"{time.strftime('%H:%M:%S', time.gmtime(time.monotonic() - begun))}  {_health(pool)}  {_told(recorder.status)}")
        wait = TOLD_EVERY if duration is None else min(TOLD_EVERY, max(0.0, begun + duration - time.monotonic()))
        with suppress(queue.Empty):
            ended.get(timeout=wait)
            break
    if shown:
        _progress("")


def _health(pool: "ClientPool") -> str:
    states = [str(state) for state in pool.health().values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states), key=lambda state: -states.count(state)))
    return counts or "no modules yet"


def _told(status: Any) -> str:
    size = f"{status.size / 1e6:.1f} MB" if status.size >= 1e6 else f"{status.size / 1e3:.0f} kB"
    missed = f", {status.missed:,} missed" if status.missed else ""
    stopped = f"; it stopped: {status.error}; what was written opens as partial" if status.error else ""
    return f"{counted(status.rows, 'row')}, {size}{missed}{stopped}"


def _progress(text: str) -> None:
    width = shutil.get_terminal_size().columns - 1
    sys.stderr.write(f"\r\x1b[2K{text[:width]}")
    sys.stderr.flush()
