"""Locust in processes of its own: the requests of its users, what they leave behind, and the locustfile's options."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Scope

from load_tests.faults import COLLECTION, EMBEDDER, PAIR_ROUTES, ROUTES, lost, wrong
from load_tests.photos import sample_pair
from load_tests.programs import comparing, load
from load_tests.records import Request, read
from project.root import ROOT
from tests.api.openapi import SNAPSHOT
from tests.app_server import serving
from tests.fakes import FakeDownloads
from tests.load_tests.service import Recorder, app, interrupted, posts
from tests.waiting import until

ADDRESS = "https://photos.example/face.jpg"
DETECTING = {"detect", "embed", "compare", "detect-face", "extract-embedding", "compare-faces", "warm-up"}
"""The last part of each path that is requested by tasks that detect or embed."""
BUSY = JSONResponse({}, 503, {"Retry-After": "1"})

pytestmark = pytest.mark.usefixtures("sample_photos")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)


def every_task(host: str, records: Path, *options: str) -> list[Request]:
    """The requests of every task of the users."""
    ran = python("-m", "tests.load_tests.every_task", "--host", host, "--records", str(records), *options)
    assert ran.returncode == 0, ran.stderr
    return read(records)


def test_every_route_is_asked_and_answers(mindy: bytes, records: Path) -> None:
    paths = json.loads(SNAPSHOT.read_text("utf-8"))["paths"]
    served = Recorder(app(FakeDownloads({ADDRESS: mindy})))
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
    # The collection of a variant is created with its first face and remains.
    assert [each["name"] for each in collections] in (["faces-arcface"], ["faces-facenet"])
    assert [each["total_faces"] for each in listed] == [0, 0]
    # If the users have no address for photos, they send no photo by address.
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


def test_the_performance_test_sends_a_fixed_number_of_requests_and_reports_them() -> None:
    served = Recorder(app())
    options = ("--num-requests", "20", "--concurrency", "8")
    with serving(interrupted(served, posts, BUSY)) as host:
        ran = python("-m", "load_tests.performance_test", *options, "--url", f"{host}/match")
    assert (ran.returncode, served.asked) == (0, [("post", "/match")] * 19), ran.stderr
    assert re.search(r"^POST +/match +20 +1\(5\.00%\)", ran.stderr, re.MULTILINE)


def test_a_comparison_is_recorded_with_its_similarity_and_its_steps(records: Path, tmp_path: Path) -> None:
    options = comparing("/match", sample_pair(), tmp_path)
    with serving(app()) as host, load(host, "FixedRequestUser", 1, records, *options):
        first, *_ = read(records)
    assert first.details["similarity"] == pytest.approx(1)
    assert first.details["steps"]["total"] <= first.details["steps"]["client"] == first.milliseconds


def test_mixed_users_get_only_answers_that_they_expect(records: Path) -> None:
    with serving(app()) as host:
        with load(host, "MixedUser", 2, records):
            until(lambda: len(read(records)) > 200)
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
            until(lambda: {each.name for each in read(records)} >= set(ROUTES))
        requests = read(records)
        enrolled = [each.details["subject"] for each in requests if "subject" in each.details]
        assert lost(host, [*enrolled, "never enrolled"]) == ["never enrolled"]
    # The fake networks give every face one embedding, so that two photos of one person are too similar.
    assert {each.name for each in requests if wrong(each)} == set(PAIR_ROUTES)
    assert all(each.answered for each in requests if each.name not in PAIR_ROUTES)


def locust(*options: str) -> "subprocess.CompletedProcess[str]":
    return python("-m", "locust", "-f", "load_tests/locustfile.py", "--headless", "--json", *options)


def test_a_run_with_a_few_failures_within_its_limits_ends_well() -> None:
    with serving(interrupted(app(), posts, BUSY)) as host:
        limits = "--max-fail-ratio 0.9 --max-p95-ms 60000 --min-rps 0.001"
        # Most of the classes have no such task.
        options = f"--host {host} -u 8 -r 8 -t 2s --think-time 0.05 0.1 --tags detect embed {limits}"
        ran = locust(*options.split())
    assert ran.returncode == 0, ran.stderr
    assert "limit exceeded" not in ran.stderr
    assert "No tasks defined" not in ran.stderr
    lines = json.loads(ran.stdout)
    assert {line["name"].split("/")[-1] for line in lines} <= DETECTING
    assert sum(line["num_failures"] for line in lines) == 1


def test_a_ramp_has_its_own_users_and_end_and_an_exceeded_limit_is_reported() -> None:
    with serving(app()) as host:
        limits = "--max-avg-ms 0.001 --max-fail-ratio 0 --max-p95-ms 0.001 --min-rps 100000"
        ran = locust(*f"--host {host} OperatorUser --ramp 3:1.5,1:2.5 --think-time 0.05 0.1 {limits}".split())
    assert ran.returncode == 1
    said = re.findall("updating to (.*)|limit exceeded: (.*) was", ran.stderr)
    assert ["".join(each) for each in said] == [
        "3 users at 3.00 spawn rate",
        "1 users at 3.00 spawn rate",
        "--max-p95-ms 0.001: the 95th percentile",
        "--max-avg-ms 0.001: the mean response time",
        "--min-rps 100000: the rate of requests served",
    ]


def test_a_missing_answer_is_a_failure_and_a_run_without_answers_exceeds_its_limits(
    lone_port: int, records: Path
) -> None:
    options = f"--host http://127.0.0.1:{lone_port} -t 1s OperatorUser --max-p95-ms 800 --records {records}"
    ran = locust(*options.split())
    assert ran.returncode == 1
    assert "limit exceeded: no request was served" in ran.stderr
    first, *_ = read(records)
    assert (first.details["status"], first.answered, "Connection refused" in str(first.problem)) == (0, False, True)


def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").touch()
    for options, said in (
        (("--ramp", "4:30,4:x"), "'4:30,4:x' is not users:seconds"),
        (("--photos", str(tmp_path)), f"{tmp_path} has 1 photos; at least two are needed"),
    ):
        ran = locust("--host", "http://127.0.0.1:9", "-t", "1s", *options)
        assert ran.returncode != 0
        assert said in ran.stderr
