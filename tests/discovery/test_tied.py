"""Connections of the Kubernetes client leave no socket behind, however they end."""

import gc
import select
import socket
import struct

import pytest
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import HTTPError

from tinypool_nb.discovery import tied
from tinypool_nb.discovery.lifeline import Lifeline


def test_a_peer_that_hangs_up_before_the_handshake_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = tied._connect
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def connect_and_be_reset(connecting: socket.socket, *rest: object) -> None:
            connect(connecting, *rest)  # type: ignore[arg-type]
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            poller = select.poll()
            poller.register(connecting, 0)
            assert poller.poll(10_000), "the reset has come"

        monkeypatch.setattr(tied, "_connect", connect_and_be_reset)
        configuration = Configuration(host=f"https://127.0.0.1:{listener.getsockname()[1]}")
        configuration.verify_ssl = False
        api = ApiClient(configuration)
        tied.tie(api, Lifeline())
        with pytest.raises(HTTPError):
            api.rest_client.pool_manager.request("GET", configuration.host, retries=False)
        api.rest_client.pool_manager.clear()
    gc.collect()  # a socket that was left open would be told of here
