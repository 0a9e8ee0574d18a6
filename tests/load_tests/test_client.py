"""The load generator: what it sends, and what it calls an answer, a refusal and a failure."""

import json
from pathlib import Path

import pytest

from load_tests.client import Client
from load_tests.routes import ROUTES
from load_tests.watch import watch
from tests.load_tests.toy import ANSWER, BUSY, Scripted, refusing_early, toy

BODY = b'{"photo": "abc"}'


def client(host: str, body: bytes = BODY) -> Client:
    return Client(host, "/compare", body, "similarity")


def test_requests_are_posted_over_one_connection() -> None:
    with toy(ANSWER) as server:
        asking = client(server.host)
        asking.ask()
        asking.ask()
    assert server.asked == [("/compare", "application/json", BODY)] * 2
    assert server.connections == 1


def test_an_answer_has_its_similarity_and_the_servers_times() -> None:
    with toy(ANSWER) as server:
        answer = client(server.host).ask()
    assert (answer.kind, answer.similarity) == ("answered", 0.25)
    assert answer.steps["total"] == 3.5
    assert answer.steps["detector"] == 2
    assert answer.steps["client"] == answer.milliseconds > 0


@pytest.mark.parametrize(
    ("scripted", "kind"),
    [
        (BUSY, "refused"),
        ((503, {}, b"{}"), "failed"),
        ((429, {"Retry-After": "1"}, b"{}"), "failed"),
        ((500, {}, b"{}"), "failed"),
        ((0, {}, b""), "failed"),
    ],
)
def test_what_is_no_answer(scripted: Scripted, kind: str) -> None:
    with toy(scripted) as server:
        answer = client(server.host).ask()
    assert (answer.kind, answer.similarity, answer.steps) == (kind, None, {})


def test_a_server_that_is_not_there_is_a_failure(lone_port: int) -> None:
    assert client(f"127.0.0.1:{lone_port}").ask().kind == "failed"


def test_a_client_goes_on_after_a_failure() -> None:
    with toy((0, {}, b""), ANSWER) as server:
        asking = client(server.host)
        assert [asking.ask().kind for _ in range(3)] == ["failed", "answered", "failed"]
        assert asking.ask().kind == "answered"


def test_a_refusal_counts_as_one_even_if_the_body_was_not_read() -> None:
    with refusing_early() as host:
        asking = client(host, b"a" * 5_000_000)
        assert [asking.ask().kind for _ in range(5)] == ["refused"] * 5


def test_the_generator_keeps_answers_and_refusals_apart(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    with toy(ANSWER, BUSY) as server:
        command = ["-m", "load_tests.client", "/compare", str(tmp_path / "body"), "3", "similarity"]
        watched = watch([[*command, f"http://{server.host}"]], 2.5)
    kinds = [answer.kind for answer in watched.arrived]
    # A client waits a second after a refusal, so that the stretch has two or three of each.
    assert {"answered", "refused"} == set(kinds)
    assert abs(kinds.count("answered") - kinds.count("refused")) <= 3
    assert {answer.similarity for answer in watched.arrived if answer.kind == "answered"} == {0.25}
    assert {answer.steps["total"] for answer in watched.arrived if answer.kind == "answered"} == {3.5}
    assert server.connections == 3


def test_a_routes_body_holds_both_photos(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    body = ROUTES["match"].body((tmp_path / "a", tmp_path / "b"))
    assert json.loads(body) == {"image1": "YQ==", "image2": "Yg=="}
