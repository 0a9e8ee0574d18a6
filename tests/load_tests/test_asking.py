"""Clients in threads of this process."""

import time

from imaging.pick import Pick
from load_tests.asking import asking
from load_tests.routes import Route
from load_tests.server import Server
from tests.load_tests.toy import ANSWER, BUSY, toy

ROUTE = Route("/compare", ("a", "b"), "similarity", "mtcnn", None, Pick("prominent"), ("facenet",))


def test_every_client_asks_until_the_block_ends() -> None:
    with toy(ANSWER, BUSY) as server:
        with asking(Server(f"http://{server.host}", 0), ROUTE, b"{}", 3) as records:
            while len(records) < 20:
                time.sleep(0.01)
        asked = len(server.asked)
        assert server.connections == 3
        assert asked == len(records)
    assert {record.answer.kind for record in records} == {"answered", "refused"}
    assert all(record.began < record.ended for record in records)
    assert set(server.asked) == {("/compare", "application/json", b"{}")}
