"""A server of the lab: a module on a real gRPC server, in a process of its own.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.server <ServerSettings>`. It prints its port once it serves, ends
gracefully at the line `stop <seconds>` on its stdin, and at once at the end of its stdin. It imports only what it serves, so that it
starts quickly. Of TLS it is told on its stdin, in the first line (`ServerIdentity`).
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic, sleep

import grpc
from google.protobuf import descriptor_pool
from grpc_channelz.v1 import channelz, channelz_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tinypool_nb.core.addresses import Endpoint
from tinypool_nb.lab.answers import HealthServicer, ModuleServicer
from tinypool_nb.lab.certificates import ServerIdentity
from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import not_to_be_had
from tinypool_nb.lab.servers import ServerSettings
from tinypool_nb.wire import module_pb2, module_pb2_grpc

CALLS = 128
"""Calls that are answered at a time; each that waits takes a thread. More of them queue."""
RETRY = 0.02
"""Seconds between two rounds over ports that are taken."""


def serve(settings: ServerSettings) -> None:
    """Serve until stdin says otherwise.

    Raises:
        OSError: every port is taken.
    """
    raise_file_limit()
    server = grpc.server(ThreadPoolExecutor(CALLS), options=options(settings))
    port = bind(server, settings, tls_credentials(sys.stdin.readline()) if settings.tls else None)
    servicer = ModuleServicer(settings.name, settings.replica, port)
    module_pb2_grpc.add_ModuleServiceServicer_to_server(servicer, server)
    module_pb2_grpc.add_StreamServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    channelz.add_channelz_servicer(server)
    descriptor_pool.Default().AddSerializedFile(module_pb2.DESCRIPTOR.serialized_pb)  # where reflection looks; ours live elsewhere
    files = (module_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, channelz_pb2.DESCRIPTOR)
    services = [service.full_name for file in files for service in file.services_by_name.values()]
    reflection.enable_server_reflection([*services, reflection.SERVICE_NAME], server)
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        verb, _, grace = line.partition(" ")
        if verb == "stop":
            server.stop(float(grace)).wait()
            break
    # Not by a return: the interpreter would wait for the threads of calls that nobody waits for.
    os._exit(0)


def options(settings: ServerSettings) -> list[tuple[str, int]]:
    """What gRPC is told of the settings."""
    told = [
        ("grpc.so_reuseport", 0),  # else two servers on one port would share its connections in silence
        ("grpc.http2.min_ping_interval_without_data_ms", int(settings.min_ping_interval * 1000)),  # `min_recv_...` is ignored
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age is not None:
        told.append(("grpc.max_connection_age_ms", max(1, int(settings.max_connection_age * 1000))))
    if settings.max_message_bytes is not None:
        told.append(("grpc.max_receive_message_length", settings.max_message_bytes))
    return told


def tls_credentials(line: str) -> grpc.ServerCredentials:
    """The credentials of the identity in that line."""
    identity = ServerIdentity.parse(line)
    roots = None if identity.client_roots is None else identity.client_roots.encode()
    pair = (identity.key.encode(), identity.chain.encode())
    return grpc.ssl_server_credentials([pair], root_certificates=roots, require_client_auth=roots is not None)


def bind(server: grpc.Server, settings: ServerSettings, credentials: grpc.ServerCredentials | None) -> int:
    """Take the first port that is free; the server itself binds it, so that nobody can take it between choosing and serving.

    Raises:
        OSError: all are taken, even after `settings.patience` seconds.
    """
    deadline = monotonic() + settings.patience
    while True:
        for port in settings.ports:
            address = str(Endpoint(settings.host, port))
            with suppress(RuntimeError):
                return server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        if monotonic() >= deadline:
            raise not_to_be_had(settings.ports, settings.host)
        sleep(RETRY)


if __name__ == "__main__":
    try:
        serve(ServerSettings.parse(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
