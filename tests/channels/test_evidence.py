"""What is looked at when a person asks why: DNS by a server of one's own, the environment, and what is never told."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

import tinypool_nb as tp
from tests.ports import listening
from tinypool_nb.channels.evidence import Seen, observe, tls_version
from tinypool_nb.channels.lookup import LookupFailedError, lookup
from tinypool_nb.core.addresses import parse_address
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.dns_wire import HEADER, RecordType
from tinypool_nb.core.events import ChannelIdentity, Subject
from tinypool_nb.core.subchannels import Subchannel
from tinypool_nb.lab.dns import Dns
from tinypool_nb.notebook.pool import Pool

KEY = tp.ModuleKey(None, "http-module-v1")


class NameServer:
    """Answers every question for A records with `hosts`, and with none for AAAA; says nothing while it has no hosts."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.strays = False
        """Whether an answer to another question comes first."""
        self.flags: dict[int, int] = {}
        """Of the answers, by the kind of record."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"dns://127.0.0.1:{self._socket.getsockname()[1]}/http-module-v1.example:50051"

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while packet := self._socket.recvfrom(512):
            asked, peer = packet
            if not asked:
                return
            number, *_ = HEADER.unpack_from(asked)
            end = asked.index(b"\0", HEADER.size) + 5  # of the question: the name, its kind, its class
            (kind,) = struct.unpack_from("!H", asked, end - 4)
            hosts = self.hosts if kind == RecordType.A else []
            if not self.hosts:
                continue
            if self.strays:
                self._socket.sendto(HEADER.pack(number ^ 1, 0x8183, 0, 0, 0, 0), peer)
            answer = HEADER.pack(number, self.flags.get(kind, 0x8180), 1, len(hosts), 0, 0) + asked[HEADER.size : end]
            for host in hosts:
                answer += b"\xc0\x0c" + struct.pack("!HHIH", RecordType.A, 1, 1, 4) + socket.inet_aton(host)
            self._socket.sendto(answer, peer)


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


def test_the_name_server_of_the_address_is_asked(names: NameServer) -> None:
    names.hosts = ["127.0.0.3", "127.0.0.2"]
    assert lookup(parse_address(names.address), 2.0) == ["ipv4:127.0.0.3:50051", "ipv4:127.0.0.2:50051"]


def test_a_name_server_that_says_nothing_is_not_waited_for(names: NameServer) -> None:
    with pytest.raises(LookupFailedError, match=r"gave no answer within 0\.05 s"):
        lookup(parse_address(names.address), 0.05)


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(LookupFailedError, match=r"\w"):
        lookup(parse_address("nosuch.invalid:50051"), 5.0)


@pytest.fixture(scope="module")
def dns() -> Iterator[Dns]:
    with tp.Lab() as lab:
        yield lab.dns()


def test_what_does_not_fit_into_a_datagram_is_asked_for_by_tcp(dns: Dns) -> None:
    many = [f"127.0.1.{number}" for number in range(1, 41)]
    dns.set("many.test", many)
    assert lookup(parse_address(dns.target("many.test", 50051)), 5.0) == [f"ipv4:{host}:50051" for host in many]
    assert [query.transport for query in dns.queries] == ["udp", "tcp", "udp"]


def test_an_answer_to_an_earlier_question_is_not_taken(names: NameServer) -> None:
    names.hosts, names.strays = ["127.0.0.2"], True
    assert lookup(parse_address(names.address), 2.0) == ["ipv4:127.0.0.2:50051"]


def test_a_server_that_fails_for_one_kind_of_record(names: NameServer) -> None:
    names.hosts, names.flags = ["127.0.0.2"], {RecordType.AAAA: 0x8182}
    assert lookup(parse_address(names.address), 2.0) == ["ipv4:127.0.0.2:50051"]
    names.flags = dict.fromkeys(RecordType, 0x8182)
    with pytest.raises(LookupFailedError, match="the server failed"):
        lookup(parse_address(names.address), 2.0)


def test_a_changed_record_is_a_stale_set(names: NameServer) -> None:
    """gRPC resolved one address; DNS says another one now."""
    names.hosts = ["127.0.0.2"]
    channel = ChannelIdentity(1, KEY, names.address, 1)
    one = Subchannel(3, "ipv4:127.0.0.1:50051", tp.State.READY, 7, 7, 0, None, ())
    rows = observe(Seen(KEY, channel, (one,), held=False, resource=None, hung_up=""), lambda: 5, 2.0, {})
    assert [(row.subject, row.text, row.value) for row in rows] == [
        (Subject.RESOLVED, "ipv4:127.0.0.1:50051", 0),
        (Subject.CALLS, "ipv4:127.0.0.1:50051", 7),
        (Subject.DNS, "ipv4:127.0.0.2:50051", 0),
    ]
    assert {row.time for row in rows} == {5}


def test_only_the_names_of_proxies_are_told() -> None:
    environment = {"http_proxy": "http://user:secret@proxy:3128", "HTTPS_PROXY": "x", "no_proxy": "y", "all_proxy": ""}
    (row,) = observe(Seen(KEY, None, (), held=False, resource=None, hung_up=""), lambda: 5, 2.0, environment)
    assert (row.subject, row.text) == (Subject.ENVIRONMENT, "HTTPS_PROXY, http_proxy")


def test_nobody_answers_a_tls_hello_at_a_closed_port() -> None:
    assert tls_version("ipv4:127.0.0.1:1", 1.0) is None


def test_who_accepts_tcp_is_dialled_only_while_a_connection_is_made_for_long() -> None:
    with listening() as listener:
        peer = f"ipv4:127.0.0.1:{listener.getsockname()[1]}"
        one = Subchannel(3, peer, tp.State.CONNECTING, 0, 0, 0, None, ())

        def subjects(connecting: int | None, *subchannels: Subchannel) -> set[Subject]:
            seen = Seen(KEY, None, subchannels, held=False, resource=None, hung_up="", connecting=connecting)
            return {row.subject for row in observe(seen, lambda: 10_000_000_000, 1.0, {})}

        assert Subject.TCP in subjects(7_000_000_000, one)
        assert Subject.TCP not in subjects(9_000_000_000, one), "not yet"
        assert Subject.TCP not in subjects(None, one)
        assert Subject.TCP not in subjects(7_000_000_000, one._replace(state=tp.State.TRANSIENT_FAILURE))
        assert Subject.TCP not in subjects(7_000_000_000, one._replace(peer="ipv4:127.0.0.1:1"))


def test_a_held_module_says_so() -> None:
    with Pool() as pool:
        pool.register("http-module-v1", "127.0.0.1:1")
        with pool.hold("http-module-v1"):
            assert Cause.HELD in [finding.cause for finding in pool.explain("http-module-v1").findings]


def test_two_modules_on_one_address() -> None:
    with Pool() as pool:
        pool.register("one", "127.0.0.1:1")
        pool.register("two", "localhost:1")
        assert Cause.SHARED_ADDRESS in [finding.cause for finding in pool.explain("one").findings]
        pool.unregister("two")
        until = time.monotonic() + 5
        while "SHUTDOWN" not in set(pool.transitions()["state"]):  # the observer closes it
            assert time.monotonic() < until
        assert Cause.SHARED_ADDRESS not in [finding.cause for finding in pool.explain("one").findings]
