"""Errors as answers: each contract's form and status, a request id, and nothing about the inside of the service."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.app import FORMS
from api.contracts import deepface
from api.errors import GENERAL_STATUSES, envelope, request_id_of, response
from graphs.stages import DetectionRequest
from imaging.faces import Detection
from project.request_error import RequestError
from project.root import ROOT
from tests.api.hostile import COLLECTION, REQUESTS, Hostile
from tests.fakes import FakeDetector, FakeNetwork, client, serve_log, stages

PAIR = {"image1": "QUJD", "image2": "QUJD"}
SECRET = "the secret path /srv/models"


def answer(path: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    request = Request({"type": "http", "path": path, "headers": [], "state": {"request_id": "id"}})
    return response(FORMS, request, RequestError(code, "Because"), headers)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(("/match", b'{"success":false,"error":"Because"}'), ("/detect-face", b'{"error":"Because"}')),
        *((path, b'{"detail":"Because"}') for path in ("/compare", "/mediapipe", "/add_face", "/stats")),
        ("/api/v1/health", b'{"detail":{"code":"TIMEOUT","message":"Because"}}'),
        *(
            (path, b'{"error":{"code":"TIMEOUT","message":"Because","details":{}},"request_id":"id"}')
            for path in ("/v1/verify", "/", "/nowhere")
        ),
    ],
)
def test_an_error_has_the_form_of_its_path(path: str, body: bytes) -> None:
    assert answer(path, "TIMEOUT").body == body


@pytest.mark.parametrize("path", [*FORMS, "v1"])
def test_a_temporary_error_says_when_to_try_again(path: str) -> None:
    for code in ("UNAVAILABLE", "TIMEOUT", "OVERLOADED"):
        retry = answer(f"/{path}/more", code)
        assert (retry.status_code, retry.headers["retry-after"]) == (503, "1")
    for code in ("INVALID_REQUEST", "INTERNAL_ERROR", "NO_FACE_DETECTED"):
        final = answer(f"/{path}", code, {"Allow": "GET"})
        assert ("retry-after" in final.headers, final.headers["allow"]) == (False, "GET")


@pytest.mark.parametrize(
    ("code", "enveloped", "older"),
    [
        ("INVALID_REQUEST", 400, 400),
        ("MULTIPLE_FACES_DETECTED", 422, 400),
        ("COLLECTION_EXISTS", 409, 400),
        ("REQUEST_TIMEOUT", 408, 408),
        ("BODY_TOO_LARGE", 413, 413),
        ("INTERNAL_ERROR", 500, 500),
        ("STORAGE_FULL", 507, 507),
    ],
)
def test_every_code_has_its_status_and_an_older_contract_a_400_unless_it_is_general(
    code: str, enveloped: int, older: int
) -> None:
    refused = RequestError(code, "Because")
    assert envelope(refused, "id")[0] == enveloped
    assert {form(refused, "id")[0] for form in FORMS.values()} == {older}


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        (["INVALID_IMAGE", "IMAGE_TOO_LARGE", "IMAGE_TOO_COMPLEX"], "INVALID_IMAGE"),
        (["DOWNLOAD_FAILED", "URL_NOT_ALLOWED"], "DOWNLOAD_FAILED"),
        (["INVALID_REQUEST", "LOW_QUALITY", "UNKNOWN_EMBEDDER", "A_CODE_OF_LATER", ""], "INVALID_REQUEST"),
        *(([code], code) for code in ("NO_FACE_DETECTED", "MULTIPLE_FACES_DETECTED", *sorted(GENERAL_STATUSES))),
    ],
)
def test_every_code_becomes_a_code_of_the_deepface_contract(codes: list[str], shown: str) -> None:
    for code in codes:
        assert deepface.error_answer(RequestError(code, "Because"), "id")[1]["detail"]["code"] == shown


def test_the_general_codes_are_documented() -> None:
    text = (ROOT / "docs" / "contracts.md").read_text("utf-8")
    general = text[: text.index("\n## ")]
    assert {code for code in GENERAL_STATUSES if f"`{code}`" not in general} == set()


async def broken(question: DetectionRequest) -> Detection:
    raise RuntimeError(SECRET)


def test_a_fault_is_logged_and_its_answer_hides_it() -> None:
    with serve_log() as log:
        found = client(stages(broken)).post("/match", json=PAIR, headers={"X-Request-ID": "caller-17"})
    assert found.status_code == 500
    assert found.json() == {"success": False, "error": "Internal error; quote request id caller-17"}
    [record] = log
    assert record.levelname == "ERROR"
    assert "caller-17" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == SECRET


def test_a_stage_that_is_not_available_is_a_503_and_no_fault() -> None:
    away: Any = FakeNetwork(RequestError("UNAVAILABLE", "The stage arcface is not available; try again shortly"))
    with serve_log() as log:
        found = client(stages(embed=away)).post("/match", json=PAIR)
    assert found.status_code == 503
    assert found.json()["error"] == "The stage arcface is not available; try again shortly"
    assert log == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/health", "GET"),
        ("/v1/collections/staff/subjects/a/b", "DELETE, GET, PATCH"),
        ("/ui/index.html", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_all_right_ones(path: str, allowed: str) -> None:
    found = client().put(path)
    assert (found.status_code, found.headers["allow"]) == (405, allowed)
    told = {"code": "METHOD_NOT_ALLOWED", "message": f"{path} does not accept PUT, only {allowed}", "details": {}}
    assert found.json()["error"] == told


def test_a_wrong_path_is_a_404_that_names_it() -> None:
    found = client().get("/health/")
    assert found.status_code == 404
    assert found.json()["error"]["message"] == "There is no route /health/"


def test_only_a_valid_request_id_is_the_callers() -> None:
    for sent in ("a", "caller-17", "2f1c.4_B", "x" * 64):
        assert request_id_of({"x-request-id": sent}) == sent
    for sent in ("", "x" * 65, "two words", "line\nbreak", "caller-17\n", "<script>", 'a"b'):
        fresh = request_id_of({"x-request-id": sent})
        assert len(fresh) == 32
        assert fresh != request_id_of({})


@pytest.fixture(scope="module")
def attacked() -> Iterator[httpx.Client]:
    # The decode gate has its own tests of hostile files.
    with client(stages(FakeDetector(RequestError("INVALID_IMAGE", "The image is damaged")))) as attacked:
        assert attacked.put(COLLECTION, json={}).status_code == 201
        yield attacked


def shape(body: Any) -> Any:
    """The keys of an answer and the types of its values, with any details."""
    if not isinstance(body, dict):
        return type(body)
    return {key: dict if key == "details" else shape(value) for key, value in body.items()}


@pytest.mark.parametrize("hostile", [pytest.param(request, id=request.name) for request in REQUESTS])
def test_a_hostile_request_is_a_4xx_in_its_paths_form(attacked: httpx.Client, hostile: Hostile) -> None:
    found = attacked.request(hostile.method, hostile.path, headers=hostile.headers, content=hostile.content)
    assert 400 <= found.status_code < 500, found.text[:500]
    form = FORMS.get(hostile.path.partition("?")[0].split("/")[1], envelope)
    assert shape(found.json()) == shape(form(RequestError("CODE", "Because"), "id")[1])
    assert len(found.content) < 2000, "the answer repeats the request"
    assert attacked.get("/health").json()["status"] == "healthy"
