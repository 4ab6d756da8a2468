"""`%pool` in a shell: it does what it says, names the pool that was meant, and its errors are words."""

from collections.abc import Iterator

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from traitlets.config import Config

import tinypool_nb as tp
from tests.widgets.fake_browser import FakeBrowser, fake_browser

__all__ = ["fake_browser"]

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def shell(fake_browser: FakeBrowser) -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    made.run_line_magic("load_ext", "tinypool_nb")
    yield made
    tp.close_all()
    InteractiveShell.clear_instance()


def said(shell: InteractiveShell, line: str) -> CapturedIO:
    with capture_output() as captured:
        shell.run_line_magic("pool", line)
    return captured


def test_the_verbs_act_on_the_newest_open_pool_and_name_it(shell: InteractiveShell) -> None:
    first = shell.user_ns["first"] = tp.Pool()
    second = shell.user_ns["second"] = tp.Pool()
    assert said(shell, f"register http-module-v1 {NOWHERE}").stdout == (
        f"second: registered http-module-v1 at {NOWHERE}; it connects at its first call\n"
    )
    assert list(second) == ["http-module-v1"]
    assert said(shell, f"register tinysystems/db {NOWHERE} -p first").stdout.startswith("first: registered tinysystems/db")
    assert first.registered() == (tp.ModuleKey("tinysystems", "db"),)
    assert said(shell, "health").stdout == "second:\n  http-module-v1  IDLE\n"
    assert said(shell, "reconnect http-module-v1").stdout == "second: reconnecting http-module-v1\n"
    assert said(shell, "unregister http-module-v1").stdout == "second: unregistered http-module-v1\n"
    assert said(shell, "unregister http-module-v1").stdout == "second: there is no http-module-v1\n"
    assert said(shell, "health").stdout == "second: no modules are registered\n"
    second.close()
    assert said(shell, "-p first health").stdout == said(shell, "health").stdout == "first:\n  tinysystems/db  IDLE\n"


def test_alone_it_shows_the_panel(fake_browser: FakeBrowser, shell: InteractiveShell) -> None:
    pool = shell.user_ns["pool"] = tp.Pool()
    captured = said(shell, "")
    assert captured.stdout == "the panel of pool\n"
    assert "application/vnd.jupyter.widget-view+json" in captured.outputs[1].data
    pool.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("regster a b", "%pool knows no 'regster'; it is one of"),
        ("register http-module-v1", "it is %pool register NAME ADDRESS; 1 word followed"),
        ("health now", "it is %pool health; 1 word followed"),
        ("register http-module-v1 127.0.0.1", "pool: address '127.0.0.1' was refused: it has no port"),
        ("reconnect http", "pool: no module 'http' is registered"),
        ("health -p", "after -p comes the name"),
        ("health -p tp", "'tp' is no pool; these are: pool"),
        ('reconnect "http', "No closing quotation"),
    ],
)
def test_errors_are_words(shell: InteractiveShell, line: str, words: str) -> None:
    shell.user_ns["pool"] = tp.Pool()
    with pytest.raises(UsageError) as raised:
        said(shell, line)
    assert words in str(raised.value)


def test_without_a_pool_it_says_how_to_make_one(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError, match=r"no pool is open; pool = tp.Pool\(\) makes one"):
        said(shell, "health")
    assert "%pool register NAME ADDRESS" in said(shell, "help").stdout


def test_verbs_modules_and_pools_complete(shell: InteractiveShell) -> None:
    pool = shell.user_ns["mine"] = tp.Pool()
    pool.register("http-module-v1", NOWHERE)
    pool.register("it's", NOWHERE)

    def completed(line: str) -> list[str]:
        with provisionalcompleter():
            return [completion.text for completion in shell.Completer.completions(line, len(line))]

    assert "register" in completed("%pool reg")
    assert "http-module-v1" in completed("%pool reconnect http")
    assert "mine" in completed("%pool -p mi")
    assert "health" in completed("%pool -p mine hea")
