"""The shell command `tinypool-nb`: a file for each of its commands, each with what it understands and what it does."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from tinypool_nb.cli import course, demo, doctor, metrics, record, replay, report
from tinypool_nb.errors import TinypoolError

COMMANDS = (demo, record, report, replay, doctor, course, metrics)
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


def help_texts(width: int) -> dict[str, str]:
    """What the command and each of its commands say of themselves in `width` columns, by the words that are typed.

    >>> list(help_texts(100))[:2]
    ['tinypool-nb', 'tinypool-nb demo']
    """
    parser = _parser()
    texts = {parser.prog: parser}
    for action in parser._actions:  # noqa: SLF001 - argparse tells them in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            texts |= {command.prog: command for command in action.choices.values()}
    for each in texts.values():
        each.formatter_class = partial(each.formatter_class, width=width)  # type: ignore[call-arg]  # those of argparse have it
    return {words: each.format_help() for words, each in texts.items()}


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
