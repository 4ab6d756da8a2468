"""`tinypool-nb doctor ADDRESS`: what it prints, and the code that a script can use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tinypool_nb.channels.environment import prepare
from tinypool_nb.cli import main, module_check
from tinypool_nb.lab import Lab

prepare()

import grpc  # noqa: E402  gRPC reads the environment while it loads


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "grpc_proxy", "GRPC_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_a_module_that_can_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    with Lab() as lab:
        assert main(["doctor", f"http-module-v1={lab.start('http-module-v1').address}"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("http-module-v1: nothing wrong\nREADY at 127.0.0.1:")
    assert "\x1b" not in told, "colours are for terminals"


def test_modules_that_cannot_each_say_why(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:1")
    assert main(["doctor", "127.0.0.1:1", "other=nosuch.invalid:50051", "--timeout", "2"]) == 1
    told = capsys.readouterr().out
    assert "127.0.0.1:1: cannot be reached: refused" in told
    assert "other: cannot be reached: does not resolve" in told
    assert "The environment sets http_proxy" in told
    assert "secret" not in told
    assert "waiting in backoff" not in told, "it does not stay that long"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["127.0.0.1"], "it has no port"),
        (["=127.0.0.1:1"], "at least one character"),
        (["a=127.0.0.1:1", "a=127.0.0.1:2"], "each module is given once"),
        (["a=127.0.0.1:1", "a=127.0.0.1:1"], "module name 'a' was refused"),
        (["unix:s:x=127.0.0.1:1", "unix:/s/x", "unix:/t/x"], "each module is given once"),
        (["127.0.0.1:1", "--timeout", "soon"], "is no number of seconds"),
        (["127.0.0.1:1", "--print-crd"], "not allowed with"),
        (["127.0.0.1:1", "--ca", "/nonexistent/ca.pem"], "/nonexistent/ca.pem"),
    ],
)
def test_words_that_are_not_understood(capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    try:
        code = main(["doctor", *words])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert why in capsys.readouterr().err


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path a Unix socket, and a line of text, has room for; that of `tmp_path` may be too long."""
    with TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


def test_two_sockets_of_one_name_are_two_modules(capsys: pytest.CaptureFixture[str], short_path: Path) -> None:
    """The second must not move the first: one that was not reached stays one that was not reached."""
    (short_path / "one").mkdir()
    (short_path / "two").mkdir()
    there, nowhere = f"unix:{short_path}/two/grpc.sock", f"unix:{short_path}/one/grpc.sock"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(there)
    server.start()
    try:
        assert main(["doctor", nowhere, there, "--timeout", "2"]) == 1
        told = capsys.readouterr().out
        assert f"{nowhere.replace('unix:/', 'unix/').replace('/', ':')}: cannot be reached: no socket\n" in told
        assert f"{there.replace('unix:/', 'unix/').replace('/', ':')}: nothing wrong\n" in told
        assert main(["doctor", there, there]) == 0
        assert capsys.readouterr().out.startswith("grpc.sock: nothing wrong\n"), "the short name is enough where it is the only one"
        assert main(["doctor", f"grpc.sock={there}", nowhere, "--timeout", "2"]) == 1
    finally:
        server.stop(0).wait()


def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert module_check.paint()("words", "broken") == "\x1b[1;31mwords\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert module_check.paint()("words", "broken") == "words"
