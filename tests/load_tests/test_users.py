"""The users of the load tests: what they ask, what they leave behind, and what they call a failure."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Scope

from tests.api.openapi import SNAPSHOT
from tests.conftest import PROJECT
from tests.fakes import FakeAddresses
from tests.load_tests.service import Interrupted, Recorder, app, posts, serving

ADDRESS = "https://photos.example/face.jpg"
BUSY = JSONResponse({}, 503, {"Retry-After": "1"})

pytestmark = pytest.mark.usefixtures("sample_photos")


def drive(host: str, *options: str) -> list[dict[str, Any]]:
    """The requests of every user's every task."""
    command = [sys.executable, "-m", "tests.load_tests.drive", "--host", host, *options]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def operations() -> set[tuple[str, str]]:
    """Method and path of everything that the API's description has."""
    paths = json.loads(SNAPSHOT.read_text("utf-8"))["paths"]
    return {(method, path) for path, item in paths.items() for method in item}


def test_every_route_is_asked_and_answers(mindy: bytes) -> None:
    served = Recorder(app(FakeAddresses({ADDRESS: mindy})))
    with serving(served) as host:
        requests = drive(host, "--photo-url", ADDRESS)
    assert [request for request in requests if request["problem"]] == []
    assert set(served.asked) == operations()
    assert {request["name"] for request in requests} >= {"/match by address", "/v1/collections/[name]/search"}
    assert not any("load-" in request["name"] for request in requests)


@dataclass(frozen=True)
class Visit:
    """All users, without an address for photos: what they asked, and what there is when they are gone."""

    requests: list[dict[str, Any]]
    collections: list[str]
    faces: list[int]


@pytest.fixture(scope="module")
def visit(sample_photos: Path) -> Visit:
    def drops(scope: Scope) -> bool:
        return b"with_faces" in scope["query_string"]

    with serving(Interrupted(app(), drops, BUSY)) as host:
        requests = drive(host)
        collections = httpx.get(f"{host}/v1/collections").json()["collections"]
        listed = [httpx.get(f"{host}/list_faces", params={"model": model}).json() for model in ("arcface", "facenet")]
    return Visit(requests, [each["name"] for each in collections], [each["total_faces"] for each in listed])


def test_photos_are_sent_by_address_only_if_there_is_one(visit: Visit) -> None:
    assert visit.requests
    assert [request for request in visit.requests if "by address" in request["name"]] == []


def test_users_take_back_what_they_enrolled_even_if_that_is_refused_at_first(visit: Visit) -> None:
    [refused] = [request for request in visit.requests if request["problem"]]
    assert (refused["method"], refused["name"]) == ("DELETE", "/v1/collections/[name]")
    # A variant's collection comes with its first face and stays.
    assert visit.collections in (["faces-arcface"], ["faces-facenet"])
    assert visit.faces == [0, 0]


def test_what_counts_as_a_failure() -> None:
    id, later = "a" * 32, {"Retry-After": "1"}
    answers = (
        BUSY,
        JSONResponse({"id": id}, 503),
        JSONResponse({"detail": f"quote {id}"}, 500),
        JSONResponse({}, 404, later),
        PlainTextResponse("x" * 300, 413),
        PlainTextResponse("not JSON"),
        JSONResponse({}, 429, later),
    )
    with serving(Interrupted(app(), posts, *answers)) as host:
        found = drive(host, "MatchUser", "CompareUser", "FacesUser")
    assert [(request["problem"], request["timed"]) for request in found] == [
        ("refused with 503: {}", False),
        ('503: {"id":"..."}', True),
        ('500: {"detail":"quote ..."}', True),
        ("404: {}", True),
        (f"413: {'x' * 200}", True),
        ("200 without JSON", True),
        ("refused with 429: {}", False),
    ]


def test_no_answer_is_a_failure(lone_port: int) -> None:
    requests = drive(f"http://127.0.0.1:{lone_port}", "MatchUser")
    assert len(requests) == 2
    assert all("Connection refused" in request["problem"] for request in requests)
