"""The proxy that `tinypool-nb doctor --print-proxy` prints: its script, run as a pod would run it, leads to real modules."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

import tinypool_nb as tp
from tinypool_nb import manifests
from tinypool_nb.cli import main
from tinypool_nb.errors import UnavailableError
from tinypool_nb.lab.ports import Ports


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    script = next(yaml.safe_load_all(manifests.proxy()))["data"]["proxy.py"]
    port = next(port for port in Ports().draw() if _is_free(port))
    path = tmp_path / "proxy.py"
    path.write_text(script.replace("3128", str(port)))
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 10
    while _is_free(port):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_leads_to_modules_by_the_names_that_it_resolves(proxy: str) -> None:
    with tp.Lab() as lab, tp.Pool(tp.PoolOptions(proxy=proxy)) as pool:
        module = lab.start("http-module-v1")
        pool.register(module.name, f"localhost:{module.port}")
        assert pool.send(module.name, payload="x" * 300_000)
        pool.register("nowhere", "http-module-v1.invalid:50051")
        with pytest.raises(UnavailableError, match="does not get there"):
            pool.send("nowhere")
        module.kill()
        pool.wait(module.name, "IDLE", timeout=5)


def test_what_is_no_connect_is_refused(proxy: str) -> None:
    host, port = proxy.removeprefix("http://").split(":")
    for said, answer in ((b"GET http://localhost/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"), (b"nonsense\r\n\r\n", b"")):
        with socket.create_connection((host, int(port)), 5) as client:
            client.sendall(said)
            assert client.recv(100)[:12] == answer


def test_it_is_printed_for_a_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--print-proxy", "--namespace", "staging"]) == 0
    printed = capsys.readouterr().out
    script, deployment = yaml.safe_load_all(printed)
    assert {script["metadata"]["namespace"], deployment["metadata"]["namespace"]} == {"staging"}
    assert "kubectl --namespace staging port-forward deployment/tinypool-proxy 3128" in printed
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "proxy", "containerPort": 3128}]
    assert container["securityContext"]["runAsNonRoot"]
    assert '"127.0.0.1", 3128' in script["data"]["proxy.py"], "nobody in the cluster reaches it but by its port-forward"
