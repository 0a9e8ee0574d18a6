"""`python -m load_tests.client PATH BODY CLIENTS SIMILARITY ADDRESS`: the load generator, a process of its own.

Each client is a thread with one connection, kept alive; it sends its next request as soon as it has an answer,
and waits after a refusal as it is asked to. It shares the machine with the server that it measures, so it does as
little as it can: the body is encoded once, and http.client takes a millisecond of CPU time for a request.
"""

import http.client
import json
import sys
import time
from pathlib import Path

from facegraph.step_times import completed, parsed
from load_tests.work import Answer, work

TIMEOUT_S = 60


class Client:
    """One connection to a server.

    Args:
        host: with its port.
        path: that is asked.
        body: JSON.
        similarity: field of an answer that holds the similarity.
    """

    def __init__(self, host: str, path: str, body: bytes, similarity: str) -> None:
        self._connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
        self._path, self._body, self._similarity = path, body, similarity

    def ask(self) -> Answer:
        """Send one request and read its answer; over a new connection where the last one is closed."""
        started = time.monotonic()
        try:
            whole = self._send()
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer("failed", _milliseconds(started))
        if not whole:
            self._connection.close()
        milliseconds = _milliseconds(started)
        if response.status == 200:
            steps = completed(parsed(response.headers.get("Server-Timing", "")), milliseconds)
            return Answer("answered", milliseconds, json.loads(content)[self._similarity], steps)
        refused = response.status == 503 and "Retry-After" in response.headers
        return Answer("refused" if refused else "failed", milliseconds)

    def _send(self) -> bool:
        """Send a request; False where the server hung up before it had all of it, which a refusal may do."""
        try:
            self._connection.request("POST", self._path, self._body, {"Content-Type": "application/json"})
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True


def main() -> None:
    """Ask as the command line says, for as long as the parent does."""
    path, body, clients, similarity, address = sys.argv[1:]
    content = Path(body).read_bytes()
    host = address.removeprefix("http://")
    work([Client(host, path, content, similarity).ask for _ in range(int(clients))])


def _milliseconds(started: float) -> float:
    return (time.monotonic() - started) * 1000


if __name__ == "__main__":
    main()
