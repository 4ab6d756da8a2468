"""A small DNS server, by UDP and TCP at one port of 127.0.0.1: the process behind `tinypool_nb.lab.dns`.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.name_server`, and `tinypool_nb.lab.asking` talks with it:

    {"verb": "open", "ports": [20001, ...]}                                                  -> {"port": 20001}
    {"verb": "set", "name": "modules.test", "addresses": ["127.0.0.1"], "ttl": 1, "behaviour": "answer"}
    {"verb": "queries"}                                                                      -> {"queries": [[time, name, ...], ...]}
"""

import asyncio
import contextlib
import socket
import time
from collections import deque
from typing import Any, NamedTuple

from tinypool_nb.lab.answering import answer_questions
from tinypool_nb.lab.dns_messages import UDP_LIMIT, Question, Rcode, answered, parse_question
from tinypool_nb.lab.ports import not_to_be_had

KEPT = 1_000
"""Queries that are remembered: as many as fit into one line to the kernel."""
IDLE = 10.0
"""Seconds that a TCP connection may say nothing (RFC 7766, section 6.2.3)."""


class Known(NamedTuple):
    """What the server says of a name."""

    addresses: tuple[str, ...]
    ttl: int
    behaviour: str
    """answer, NXDOMAIN, SERVFAIL or silence."""


UNKNOWN = Known((), 0, "NXDOMAIN")


class NameServer:
    """What it says, and what it was asked."""

    def __init__(self) -> None:
        self.names: dict[str, Known] = {}
        self.queries: deque[tuple[int, str, str, str, str]] = deque(maxlen=KEPT)
        self.asked = 0
        self.listening: object = None

    def told(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do what the kernel asks for.

        Raises:
            OSError: it cannot be done.
        """
        match question["verb"]:
            case "open":
                return {"port": self.open(question["ports"])}
            case "set":
                self.names[question["name"]] = Known(tuple(question["addresses"]), question["ttl"], question["behaviour"])
            case "queries":
                return {"queries": list(self.queries), "asked": self.asked}
        return {}

    def open(self, ports: list[int]) -> int:
        """Serve at the first port that is free for UDP and for TCP, and return it.

        Raises:
            OSError: all are taken.
        """
        for port in ports:
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                for end in (datagrams, streams):
                    end.setblocking(False)
                    end.bind(("127.0.0.1", port))
                streams.listen(128)
            except OSError:
                datagrams.close()
                streams.close()
                continue
            loop = asyncio.get_running_loop()
            loop.add_reader(datagrams, self.serve_datagram, datagrams)
            self.listening = loop.create_task(asyncio.start_server(self.serve_stream, sock=streams))  # held, or it would be collected
            return port
        raise not_to_be_had(tuple(ports))

    def serve_datagram(self, datagrams: socket.socket) -> None:
        """Answer one question that came by UDP."""
        with contextlib.suppress(OSError):  # nobody waits for it any more
            message, client = datagrams.recvfrom(65_535)
            answer = self.answer(message, "udp", UDP_LIMIT)
            if answer is not None:
                datagrams.sendto(answer, client)

    async def serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the questions of one TCP connection; each has its length before it (RFC 1035, section 4.2.2)."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(None) as deadline:
                while True:
                    deadline.reschedule(asyncio.get_running_loop().time() + IDLE)
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    answer = self.answer(await reader.readexactly(length), "tcp", None)
                    if answer is not None:
                        writer.write(len(answer).to_bytes(2, "big") + answer)
                        await writer.drain()
        writer.close()

    def answer(self, message: bytes, transport: str, limit: int | None) -> bytes | None:
        """The answer to a message; None: none is given."""
        try:
            question = parse_question(message)
        except ValueError:
            return None
        known = self.names.get(question.name, UNKNOWN)
        answer, said = self.reply(question, known, limit)
        self.asked += 1
        self.queries.append((time.time_ns(), question.name, question.kind, transport, said))
        return answer

    def reply(self, question: Question, known: Known, limit: int | None) -> tuple[bytes | None, str]:
        """What is sent, and what it is called."""
        if known.behaviour == "silence":
            return None, known.behaviour
        if known.behaviour != "answer":
            return answered(question, Rcode[known.behaviour]), known.behaviour
        answer = answered(question, Rcode.NOERROR, known.addresses, ttl=known.ttl, limit=limit)
        count = int.from_bytes(answer[6:8], "big")
        truncated = bool(answer[2] & 0x02)
        return answer, "truncated" if truncated else f"{count} address{'' if count == 1 else 'es'}"


if __name__ == "__main__":
    asyncio.run(answer_questions(NameServer().told))
