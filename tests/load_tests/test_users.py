"""The user classes: what they ask, what they leave behind, and what they call a failure."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Scope

from load_tests.faults import COLLECTION, EMBEDDER, PAIR_ROUTES, ROUTES, lost, wrong
from load_tests.performance_test import send
from load_tests.programs import load
from load_tests.records import Request, read
from tests.api.openapi import SNAPSHOT
from tests.app_server import serving
from tests.conftest import PROJECT
from tests.fakes import FakeAddresses
from tests.load_tests.service import Recorder, app, interrupted, posts
from tests.waiting import until

ADDRESS = "https://photos.example/face.jpg"
BUSY = JSONResponse({}, 503, {"Retry-After": "1"})

pytestmark = pytest.mark.usefixtures("sample_photos")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def every_task(host: str, records: Path, *options: str) -> list[Request]:
    """The requests of every task of the users."""
    command = [sys.executable, "-m", "tests.load_tests.every_task", "--host", host, "--records", str(records), *options]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return read(records)


def test_every_route_is_asked_and_answers(mindy: bytes, records: Path) -> None:
    paths = json.loads(SNAPSHOT.read_text("utf-8"))["paths"]
    served = Recorder(app(FakeAddresses({ADDRESS: mindy})))
    with serving(served) as host:
        requests = every_task(host, records, "--photo-url", ADDRESS)
    assert [request for request in requests if request.problem] == []
    assert set(served.asked) == {(method, path) for path, item in paths.items() for method in item}
    assert {request.name for request in requests} >= {"/match by address", "/v1/collections/[name]/search"}
    assert not any("load-" in request.name for request in requests)


def test_users_delete_what_they_enrolled_even_if_that_is_refused_at_first(records: Path) -> None:
    def drops(scope: Scope) -> bool:
        return b"with_faces" in scope["query_string"]

    with serving(interrupted(app(), drops, BUSY)) as host:
        requests = every_task(host, records)
        collections = httpx.get(f"{host}/v1/collections").json()["collections"]
        listed = [httpx.get(f"{host}/list_faces", params={"model": model}).json() for model in ("arcface", "facenet")]
    assert [request.name for request in requests if request.problem] == ["/v1/collections/[name]"]
    # A variant's collection comes with its first face and stays.
    assert [each["name"] for each in collections] in (["faces-arcface"], ["faces-facenet"])
    assert [each["total_faces"] for each in listed] == [0, 0]
    # Without an address for photos none is sent by address.
    assert not any("by address" in request.name for request in requests)


def test_what_counts_as_a_failure(records: Path) -> None:
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
    with serving(interrupted(app(), posts, *answers)) as host:
        found = every_task(host, records, "MatchUser", "CompareUser", "FacesUser")
    assert [(request.problem, request.milliseconds is not None) for request in found] == [
        ("refused with 503: {}", False),
        ('503: {"id":"..."}', True),
        ('500: {"detail":"quote ..."}', True),
        ("404: {}", True),
        (f"413: {'x' * 200}", True),
        ("200 without JSON", True),
        ("refused with 429: {}", False),
    ]


def test_no_answer_is_a_failure(lone_port: int, records: Path) -> None:
    requests = every_task(f"http://127.0.0.1:{lone_port}", records, "MatchUser")
    assert [(each.details["status"], each.answered) for each in requests] == [(0, False)] * 2
    assert all("Connection refused" in str(each.problem) for each in requests)


def test_a_fixed_number_of_requests_is_sent_once_each(sample_photos: Path) -> None:
    first, second = sorted((sample_photos / "mindy_kaling").glob("*zimbio*"))[:2]
    served = Recorder(app())
    with serving(served) as host:
        requests = send(f"{host}/match", (first, second), 20, 8)
    assert served.asked == [("post", "/match")] * 20
    assert [each.details["similarity"] for each in requests] == [pytest.approx(1)] * 20
    steps = [each.details["steps"] for each in requests]
    assert all(each["total"] <= each["client"] == by.milliseconds for each, by in zip(steps, requests, strict=True))


def test_mixed_users_get_only_answers_that_they_expect(records: Path) -> None:
    with serving(app()) as host:
        with load(host, "MixedUser", 2, records):
            until(lambda: len(read(records)) > 200, 60)
        left = [each["name"] for each in httpx.get(f"{host}/v1/collections").json()["collections"]]
    requests = read(records)
    assert [request for request in requests if request.problem] == []
    kinds = {request.name.partition(": ")[0] for request in requests if ": " in request.name}
    assert kinds == {"broken photo", "wrong JSON", "hung up"}
    assert all(request.milliseconds is None for request in requests if request.name.startswith("hung up"))
    assert not any(name.startswith("load-") for name in left)


def test_checked_users_find_wrong_answers_and_lost_enrolments(records: Path) -> None:
    with serving(app()) as host:
        httpx.put(f"{host}{COLLECTION}", json={"embedder": EMBEDDER}).raise_for_status()
        with load(host, "CheckedUser", 2, records):
            until(lambda: {each.name for each in read(records)} >= set(ROUTES), 60)
        requests = read(records)
        enrolled = [each.details["subject"] for each in requests if "subject" in each.details]
        assert lost(host, [*enrolled, "never enrolled"]) == ["never enrolled"]
    # The fake networks give every face one embedding, so that two photos of one person are too similar.
    assert {each.name for each in requests if wrong(each)} == set(PAIR_ROUTES)
    assert all(each.answered for each in requests if each.name not in PAIR_ROUTES)
