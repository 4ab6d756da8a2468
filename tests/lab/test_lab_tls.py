"""The lab's TLS: certificates made at run time, keys that stand nowhere but in memory, and the verbs as with plaintext."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from tinypool_nb.channels.credentials import channel_credentials
from tinypool_nb.core.tls import Tls, Transport
from tinypool_nb.errors import OptionsError
from tinypool_nb.lab import Lab, Module, TlsMode
from tinypool_nb.lab.certificates import Certificates, ServerIdentity
from tinypool_nb.wire import module_pb2, module_pb2_grpc


def ask(module: Module, tls: Tls | None) -> bytes:
    """Call it over a connection of one's own."""
    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    if tls is not None and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    channel = (
        grpc.secure_channel(module.address, channel_credentials(tls), options) if tls else grpc.insecure_channel(module.address, options)
    )
    with channel:
        return bytes(module_pb2_grpc.ModuleServiceStub(channel).Message(module_pb2.MessageRequest(), timeout=5).Data)


@pytest.mark.parametrize(
    ("tls", "transport"), [(True, Transport.TLS), ("server", Transport.TLS), (TlsMode.MUTUAL, Transport.MUTUAL_TLS)], ids=str
)
def test_what_a_module_gives_connects_to_it(lab: Lab, tls: Any, transport: Transport) -> None:
    module = lab.start("secure", tls=tls)
    assert module.tls is not None
    assert module.tls.transport is transport
    assert ask(module, module.tls)


@pytest.mark.parametrize("tls", [None, False])
def test_plaintext_is_the_default(lab: Lab, tls: Any) -> None:
    module = lab.start("plain", tls=tls)
    assert module.tls is None
    assert ask(module, None)


@pytest.mark.parametrize("tls", ["", "SERVER", "self-signed", 1, [], b"server"])
def test_other_modes_are_refused(lab: Lab, tls: Any) -> None:
    modes = r"True, False or one of server, mutual, expired, other name, other CA$"
    with pytest.raises(OptionsError, match=rf"^tls=.* was refused: {modes}"):
        lab.start("a", tls=tls)
    with pytest.raises(OptionsError, match=modes):
        lab.start_all(["a"], tls=tls)
    assert not lab.modules


def test_verbs_and_replicas_go_on_with_the_same_certificate(lab: Lab) -> None:
    module = lab.start("secure", replicas=2, tls="mutual")
    for verb in (module.restart, module.move, module.replicas[0].kill, module.replicas[0].restart):
        verb()
        assert ask(module, module.tls)
    assert all(replica.tls is module.tls for replica in module.replicas)
    first, second = lab.start_all(["b", "c"], tls=True)
    assert first.tls is not None
    assert second.tls is not None
    assert first.tls.roots == second.tls.roots == module.tls.roots, "one authority a lab"  # type: ignore[union-attr]


def test_keys_stand_on_no_command_line_in_no_environment_and_in_no_file(lab: Lab) -> None:
    module = lab.start("secure", tls="mutual")
    processes = psutil.Process().children(recursive=True)
    assert module.pid in {process.pid for process in processes}
    for process in processes:
        told = " ".join([*process.cmdline(), *process.environ().values()])
        assert "PRIVATE" not in told
        assert "BEGIN" not in told
        for file in process.open_files():
            assert b"PRIVATE" not in Path(file.path).read_bytes()
    assert "BEGIN" not in f"{module!r} {lab!r} {module.tls!r}"


def test_an_identity_tells_nothing_and_fits_into_a_pipe() -> None:
    identity = Certificates().server(TlsMode.MUTUAL)
    assert "BEGIN" not in repr(identity)
    assert identity.key.startswith("-----BEGIN EC PRIVATE KEY-----")
    line = identity.as_line()
    assert "\n" not in line
    assert len(line) < 4096, "what a pipe takes in one piece, even one that nobody reads yet"
    assert ServerIdentity.parse(line) == identity


def test_certificates_are_loaded_only_when_they_are_asked_for() -> None:
    code = """
import sys
import tinypool_nb as tp
import tinypool_nb.lab.server
with tp.Lab() as lab:
    lab.start("plain")
    before = {"trustme", "cryptography"} & set(sys.modules)
    lab.start("secure", tls=True)
    print(before, {"trustme", "cryptography"} - set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() set()\n"
