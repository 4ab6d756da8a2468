"""The panel beside a real discovery in the lab's cluster: its lines live while the API server goes, comes and refuses."""

from collections.abc import Iterator

import pytest

import tinypool_nb as tp
from tests.notebook.test_panel import wait_for
from tests.widgets.fake_browser import FakeBrowser, fake_browser
from tinypool_nb.lab import Kubernetes
from tinypool_nb.widgets.discoveries import DiscoveryLines
from tinypool_nb.widgets.panel import Panel

__all__ = ["fake_browser"]


@pytest.fixture(scope="module")
def lab() -> Iterator[tp.Lab]:
    with tp.Lab(kubernetes=Kubernetes(tls=False)) as lab:
        lab.resources.create("http-module-v1", addr="127.0.0.1:1")
        lab.resources.create("waits")
        yield lab


@pytest.fixture
def panel(lab: tp.Lab, fake_browser: FakeBrowser) -> Iterator[tuple[tp.Pool, Panel]]:
    with tp.Pool() as pool:
        yield pool, pool.panel()
    lab.api.heal()


def states(lines: DiscoveryLines) -> list[str]:
    return [line["state"] for line in lines.lines]


def test_without_a_discovery_there_is_no_line(panel: tuple[tp.Pool, Panel]) -> None:
    lines = panel[1].discoveries
    assert lines.lines == []
    assert repr(lines) == "<DiscoveryLines: Nothing is being discovered>"


def test_the_lines_follow_what_becomes_of_it(lab: tp.Lab, panel: tuple[tp.Pool, Panel]) -> None:
    pool, shown = panel
    lines = shown.discoveries
    discovery = pool.discover(kubeconfig=lab.kubeconfig)
    wait_for(lambda: states(lines) == ["synced"] and "1 waiting" in lines.lines[0]["modules"])
    assert lines.lines[0]["modules"] == "2 modules: 1 registered, 1 waiting"
    assert lines.news == f"Discovery of namespace 'tinysystems' at {lab.api.url}: synced"
    lab.resources.create("more")  # a resource that waits makes no mark, so it is the discovery itself that is listened to
    wait_for(lambda: "2 waiting" in lines.lines[0]["modules"])
    lab.resources.delete("more")
    lab.api.kill()
    wait_for(lambda: states(lines) == ["stale"])
    assert lines.lines[0]["since"] is not None
    assert lines.lines[0]["reason"].endswith("The pool keeps what it had.")
    assert "Discovery stale since" in shown._repr_mimebundle_()["text/html"]
    lab.api.restart()
    wait_for(lambda: states(lines) == ["synced"])
    assert lines.lines[0]["over"]
    discovery.close()
    wait_for(lambda: lines.lines == [])


def test_what_is_missing_comes_with_the_role_that_grants_it(lab: tp.Lab, panel: tuple[tp.Pool, Panel]) -> None:
    pool, shown = panel
    lab.api.grant(verbs=())
    pool.discover(kubeconfig=lab.kubeconfig, all_namespaces=True)
    wait_for(lambda: states(shown.discoveries) == ["refused"])
    (line,) = shown.discoveries.lines
    assert "kind: ClusterRole" in line["grant"]
    assert line["bad"]
    lab.api.heal()
    wait_for(lambda: states(shown.discoveries) == ["synced"])
    assert shown.discoveries.lines[0]["grant"] == ""
