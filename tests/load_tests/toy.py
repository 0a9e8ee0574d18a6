"""A server of scripted answers, for load generators."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from threading import Thread

ANSWER = (200, {"Server-Timing": 'total;dur=3.5, detector;desc="a, b";dur=2'}, b'{"similarity": 0.25}')
BUSY = (503, {"Retry-After": "1"}, b"{}")

Scripted = tuple[int, dict[str, str], bytes]


@dataclass
class Toy:
    """What was asked of a server on loopback.

    Attributes:
        host: with its port.
        connections: that were opened.
        asked: path, content type and body of every request.
    """

    host: str = ""
    connections: int = 0
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)


@contextmanager
def toy(*answers: Scripted) -> Iterator[Toy]:
    """Serve `answers` in turn, over and over; one with the status 0 hangs up instead."""
    told, turns = Toy(), cycle(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            told.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.append((self.path, self.headers["Content-Type"], body))
            status, headers, content = next(turns)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told.host = f"127.0.0.1:{server.server_port}"
        yield told
        server.shutdown()


@contextmanager
def refusing_early() -> Iterator[str]:
    """The host of a server that refuses with the request's body unread, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
                    connection.close()

        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
