"""The generated code: it loads with the oldest releases that we allow, and it is what module.proto says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tinypool_nb.wire
from tinypool_nb.wire import module_pb2

ROOT = Path(__file__).parents[2]
WIRE = Path(tinypool_nb.wire.__file__).parent


def oldest(package: str) -> tuple[int, ...]:
    """The least version of a package that pyproject.toml allows."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = next(re.fullmatch(rf"{package}>=([\d.]+).*", line) for line in dependencies if line.startswith(f"{package}>"))
    assert found
    return tuple(map(int, found[1].split(".")))


def stamped(file: str, pattern: str) -> tuple[int, ...]:
    """The version that the generator wrote into a file."""
    found = re.search(pattern, (WIRE / file).read_text())
    assert found
    return tuple(map(int, found[1].split(".")))


def test_the_generator_was_no_newer_than_the_oldest_runtime() -> None:
    assert stamped("module_pb2.py", r"Protobuf Python Version: ([\d.]+)") <= oldest("protobuf")
    assert stamped("module_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'")[:2] <= oldest("grpcio")


def test_the_generated_code_is_module_proto(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    proto = WIRE.relative_to(ROOT) / "module.proto"
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", str(proto)], cwd=ROOT, check=True)
    anew, kept = tmp_path / "tinypool_nb" / "wire" / "module_pb2.py", WIRE / "module_pb2.py"
    # Generators differ in their stamps; the description of the file is in one long line.
    described = max(anew.read_text().splitlines(), key=len)
    assert described.replace("_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()") == max(
        kept.read_text().splitlines(), key=len
    )


OTHERS = """
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto

def their_own():
    file = FileDescriptorProto(name="module.proto", package="module", syntax="proto3")
    for name in ("MessageRequest", "MessageResponse", "Message", "Response"):
        file.message_type.add(name=name).field.add(name="theirs", number=1, type=9, label=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("module.Message"))

def ours():
    from tinypool_nb.wire import module_pb2
    return module_pb2.Message
"""


@pytest.mark.parametrize("order", ["theirs, mine = their_own(), ours()", "mine, theirs = ours(), their_own()"])
def test_stubs_of_ones_own_with_the_same_names_may_be_loaded_beside_ours(order: str) -> None:
    code = f"{OTHERS}\n{order}\nprint(theirs(theirs='x').theirs, mine(to='y', metadata={{'a': 'b'}}).to)"
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "x y\n"


def test_the_methods_are_those_of_the_field_and_of_the_docs() -> None:
    service = module_pb2.DESCRIPTOR.services_by_name["ModuleService"]
    assert {name: (m.input_type.full_name, m.output_type.full_name) for name, m in service.methods_by_name.items()} == {
        "Message": ("module.MessageRequest", "module.MessageResponse"),
        "Send": ("module.Message", "module.Response"),
    }
    numbers = {field.name: field.number for field in module_pb2.MessageRequest.DESCRIPTOR.fields}
    assert numbers == {"ID": 1, "From": 2, "To": 3, "Payload": 4, "EdgeID": 5}


def test_importing_wire_or_lab_loads_no_grpc_and_starts_nothing() -> None:
    code = (
        "import sys, tinypool_nb.wire, tinypool_nb.lab.actions\nprint(*({'grpc', 'google', 'subprocess', 'asyncio'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert told.split() == []


def test_the_kernel_s_side_of_the_lab_needs_no_grpc() -> None:
    code = "import sys\nfrom tinypool_nb.lab import Lab\nwith Lab() as lab:\n    lab.start('x').kill()\nprint('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip() == "False"
