"""Clients in threads of this process, for as long as a block lasts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from load_tests.client import Client
from load_tests.routes import Route
from load_tests.server import Server
from load_tests.work import PAUSE_S, Record


@contextmanager
def asking(server: Server, route: Route, body: bytes, clients: int) -> Iterator[list[Record]]:
    """Ask `route` over and over, `clients` at once; gives what has come of it so far, in the order of its ends."""
    over = threading.Event()
    records: list[Record] = []

    def repeat(client: Client) -> None:
        while not over.is_set():
            began = time.monotonic()
            answer = client.ask()
            records.append(Record(began, time.monotonic(), answer))
            if answer.kind != "answered":
                over.wait(PAUSE_S)

    host = server.address.removeprefix("http://")
    made = [Client(host, route.path, body, route.similarity) for _ in range(clients)]
    threads = [threading.Thread(target=repeat, args=(client,)) for client in made]
    for thread in threads:
        thread.start()
    try:
        yield records
    finally:
        over.set()
        for thread in threads:
            thread.join()
