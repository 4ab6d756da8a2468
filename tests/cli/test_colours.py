"""Colour only on a terminal, and only for who wants it; the same rule for each command."""

import json
import logging
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ports import listening
from tests.report.conftest import made
from tinypool_nb.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def _as_before() -> "Iterator[None]":
    """What `record` changes of its process, which is ours here."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    before, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = before, level
    for number, handler in handlers.items():
        signal.signal(number, handler)


def replay(folder: Path) -> list[str]:
    made(["http-module-v1"], changes=2).save(folder / "a.parquet")
    return ["replay", str(folder / "a.parquet"), "--speed", "1000000"]


def report(folder: Path) -> list[str]:
    made(["http-module-v1"], changes=2).save(folder / "a.parquet")
    return ["report", str(folder / "a.parquet"), "-o", str(folder / "a.html")]


def report_of_a_notebook(folder: Path) -> list[str]:
    said = {"output_type": "stream", "name": "stdout", "text": "\x1b[31mred\x1b[0m"}
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "a",
        "source": "say()",
        "metadata": {},
        "execution_count": None,
        "outputs": [said],
    }
    node = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (folder / "a.ipynb").write_text(json.dumps(node), encoding="utf-8")
    return ["report", str(folder / "a.ipynb"), "--no-execute", "-o", str(folder / "a.html")]


def record(folder: Path) -> list[str]:
    with listening() as socket:  # and nobody by then
        address = f"127.0.0.1:{socket.getsockname()[1]}"
    return ["record", f"http-module-v1={address}", "--for", "0.2", "-o", str(folder / "b.parquet")]


def doctor(_folder: Path) -> list[str]:
    with listening() as socket:
        address = f"127.0.0.1:{socket.getsockname()[1]}"
    return ["doctor", address, "--timeout", "1"]


@pytest.mark.parametrize("command", [replay, report, report_of_a_notebook, record, doctor])
@pytest.mark.parametrize(
    ("is_terminal", "environment"),
    [(False, {"TERM": "xterm"}), (True, {"TERM": "xterm", "NO_COLOR": "1"}), (True, {"TERM": "dumb"})],
    ids=["piped", "NO_COLOR", "dumb"],
)
def test_no_colour_where_none_is_wanted(  # noqa: PLR0917 - two of them are pytest's
    command: "Callable[[Path], list[str]]",
    is_terminal: bool,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_a_terminal(monkeypatch, is_terminal=is_terminal, environment=environment)
    main(command(tmp_path))
    told = capsys.readouterr()
    assert told.out + told.err != ""
    assert COLOUR.findall(told.out + told.err) == []


@pytest.mark.parametrize("command", [replay, doctor])
def test_colours_on_a_terminal_that_has_some(
    command: "Callable[[Path], list[str]]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch, is_terminal=True, environment={"TERM": "xterm"})
    main(command(tmp_path))
    assert COLOUR.findall(capsys.readouterr().out) != []


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool, environment: dict[str, str]) -> None:
    """As if the outputs went to one, or did not."""
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: is_terminal, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
