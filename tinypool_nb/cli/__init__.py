"""The shell command `tinypool-nb`: a file for each of its commands, each with what it understands and what it does."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from tinypool_nb.cli import demo, doctor, metrics, record, replay, report

"""In the order in which `--help` shows them; each has `add(commands)`."""


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
    for command in COMMANDS:
        command.add(commands)
    return parser
