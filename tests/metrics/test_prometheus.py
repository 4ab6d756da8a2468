"""A real Prometheus scrapes a real pool, and answers the queries of the how-to page."""

import json
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

import tinypool_nb
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.disconnections import USUAL
from tinypool_nb.lab import Lab
from tinypool_nb.lab.ports import PORTS
from tinypool_nb.metrics.collector import FAMILIES
from tinypool_nb.wire.module_pb2 import MessageRequest
from tinypool_nb.wire.module_pb2_grpc import ModuleServiceStub

PAGE = (Path(tinypool_nb.__file__).parent / "docs" / "howto" / "alert-with-prometheus.md").read_text()
HTTP, API = "http-module-v1", "api-module-v1"
DEADLINE = 60.0
"""Seconds for each thing that is waited for."""
NOT_READY, SHARE_READY, LOST = (
    "Which modules are not READY?",
    "Which share of the last hour was each module READY?",
    "Which connections were lost in the last hour, how often, and why?",
)


def queries() -> dict[str, str]:
    """The page's queries, by the question before each."""
    (block,) = re.findall(r"^```promql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return {question: query.strip() for question, query in re.findall(r"^# (.*)\n((?:[^#\n].*\n)+)", block, re.MULTILINE)}


def files() -> dict[str, str]:
    """The page's files, by their names."""
    return dict(re.findall(r"^```\{code-block\} yaml\n:caption: (\S+)\n\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


class Prometheus:
    """A server under test."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}"

    def starts(self) -> bool:
        """Whether it comes up: its port may be taken."""
        deadline = time.monotonic() + DEADLINE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with urlopen(f"{self._url}/-/ready", timeout=DEADLINE):
                    return True
            except URLError:
                time.sleep(0.05)
        return False

    def query(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The answer now: labels and value of each series."""
        with urlopen(f"{self._url}/api/v1/query?{urlencode({'query': query})}", timeout=DEADLINE) as answer:
            found = json.load(answer)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def until(self, query: str, is_so: Callable[[list[tuple[dict[str, str], float]]], object]) -> list[tuple[dict[str, str], float]]:
        """Ask again and again until the answer is as wanted."""
        deadline = time.monotonic() + DEADLINE
        while not is_so(answer := self.query(query)):
            assert time.monotonic() < deadline, f"{query}\nsays {answer}"
            time.sleep(0.1)
        return answer


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool() as pool:
        yield pool


@pytest.fixture
def server(prometheus: str, pool: ClientPool, tmp_path: Path) -> Iterator[Prometheus]:
    """Prometheus with the page's configuration and rules, but for the port and a scrape each second."""
    config, data = tmp_path / "prometheus.yml", tmp_path / "data"
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    served = config.read_text().replace("127.0.0.1:9464", f"127.0.0.1:{pool.serve_metrics(port=0).port}")
    config.write_text(f"global:\n  scrape_interval: 1s\n{served}")
    for port in random.sample(PORTS, 5):
        command = [prometheus, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}"]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            server = Prometheus(process, port)
            try:
                if server.starts():
                    yield server
                    return
            finally:
                process.kill()  # what it has stored goes with the test
    pytest.fail((tmp_path / "log").read_text())


def named(answer: list[tuple[dict[str, str], float]]) -> dict[str, float]:
    return {labels["module"]: value for labels, value in answer}


@pytest.mark.slow
@pytest.mark.prometheus
def test_a_real_prometheus_answers_the_three_questions_of_the_readme(server: Prometheus, pool: ClientPool) -> None:
    ask = queries()
    assert set(ask) == {NOT_READY, SHARE_READY, LOST}
    with Lab() as lab:
        modules = {name: lab.start(name) for name in (HTTP, API)}
        for name, module in modules.items():
            pool.register(name, module.address)
            pool.wait(name, "READY", timeout=10)
        # Two scrapes while all is well, so that there is something to have grown.
        server.until('count_over_time(tinysystems_client_pool_connections{state="READY"}[1h]) > 1', lambda answer: len(answer) == 2)
        server.until("tinysystems_client_pool_connections == 1", lambda answer: {labels["state"] for labels, _ in answer} == {"READY"})
        assert server.query(ask[NOT_READY]) == []
        assert server.query(ask[LOST]) == []

        modules[API].freeze()
        under_way: Any = ModuleServiceStub(pool[API]).Message.future(MessageRequest(ID="1"), timeout=DEADLINE)
        modules[API].kill()
        assert under_way.exception(DEADLINE) is not None

        assert named(server.until(ask[NOT_READY], len)) == {API: 0}
        ((labels, count),) = server.until(ask[LOST], len)
        assert labels["module"] == API
        assert labels["grpc_disconnect_error"] in set(USUAL) - {"unknown"}, "the call that was under way tells"
        assert count >= 1
        share = named(server.until(ask[SHARE_READY], lambda answer: named(answer)[API] < 1))
        assert share[HTTP] == pytest.approx(1)
        assert share[API] > 0

        pool.unregister(API)
        gone = server.until("count by (module) (tinysystems_client_pool_connections)", lambda answer: len(answer) == 1)
        assert set(named(gone)) == {HTTP}


def test_the_page_names_every_metric_and_its_labels() -> None:
    table = {
        name: labels.split(", ")
        for names, labels in re.findall(r"^\| (`(?:tinysystems|grpc)_.*?`) \| (.*?) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(.*?)`", names)
    }
    families = [family() for family in FAMILIES]
    assert table == {
        family.name + ("_total" if family.type == "counter" else ""): list(family._labelnames)  # type: ignore[attr-defined]
        for family in families
    }
