"""Errors as answers: each contract's form and status, a request id, and nothing of the service's inside."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from api.app import FORMS
from api.contracts import deepface
from api.errors import GENERAL, STATUSES, envelope, request_id_of, response
from graphs.stages import DetectionRequest
from imaging.faces import Detection
from imaging.refused import Refused
from tests.conftest import PROJECT
from tests.fakes import FakeNetwork, client, serve_log, stages

PAIR = {"image1": "QUJD", "image2": "QUJD"}
SECRET = "the secret path /srv/models"

RAISED = re.compile(r'Refused\(\s*f?"([A-Z_]+)')
ROOMS = ("access", "api", "deployments", "gallery", "graphs", "imaging", "models")
CODES = set(STATUSES).union(
    *(RAISED.findall(path.read_text("utf-8")) for room in ROOMS for path in (PROJECT / room).rglob("*.py"))
)
"""Every code of the service, and the constant beginnings of composed ones."""

STATUSES_KNOWN = {400, 401, 403, 404, 405, 408, 413, 429, 500, 503, 507}
"""Statuses in the documents of the five services, and those added to every contract (docs/contracts.md)."""


def answer(path: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    request = Request({"type": "http", "path": path, "headers": [], "state": {"request_id": "id"}})
    return response(FORMS, request, Refused(code, "Because"), headers)


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
def test_an_error_that_may_pass_says_when_to_try_again(path: str) -> None:
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
        ("INVALID_IMAGE", 422, 400),
        ("LOW_QUALITY", 422, 400),
        ("URL_NOT_ALLOWED", 422, 400),
        ("COLLECTION_EXISTS", 409, 400),
        ("REQUEST_TIMEOUT", 408, 408),
        ("BODY_TOO_LARGE", 413, 413),
        ("INTERNAL_ERROR", 500, 500),
        ("UNAVAILABLE", 503, 503),
        ("STORAGE_FULL", 507, 507),
    ],
)
def test_every_code_has_its_status(code: str, enveloped: int, older: int) -> None:
    refused = Refused(code, "Because")
    assert envelope(refused, "id")[0] == enveloped
    assert {form(refused, "id")[0] for form in FORMS.values()} == {older}


def test_the_codes_are_found() -> None:
    assert len(CODES) > 30
    assert {"URL_NOT_ALLOWED", "IMAGE_TOO_COMPLEX", "EMBEDDING_CONTRACT_MISMATCH", "UNKNOWN_"} <= CODES


@pytest.mark.parametrize("name", FORMS)
def test_an_older_contract_answers_every_code_with_a_status_that_it_has(name: str) -> None:
    statuses = {code: FORMS[name](Refused(code, "Because"), "id")[0] for code in CODES}
    assert set(statuses.values()) <= STATUSES_KNOWN
    assert {code for code, status in statuses.items() if status == 404} <= {"NOT_FOUND", "FACE_NOT_FOUND"}


@pytest.mark.parametrize("code", [*sorted(CODES), "A_CODE_OF_LATER", ""])
def test_every_code_has_one_of_the_deepface_contract(code: str) -> None:
    shown = deepface.error_answer(Refused(code, "Because"), "id")[1]["detail"]["code"]
    assert shown in deepface.CODES
    if code in deepface.CODES:
        assert shown == code
    elif "IMAGE" in code:
        assert shown == "INVALID_IMAGE"
    elif "URL" in code or "DOWNLOAD" in code:
        assert shown == "DOWNLOAD_FAILED"


def test_the_general_codes_are_documented() -> None:
    text = (PROJECT / "docs" / "contracts.md").read_text("utf-8")
    general = text[: text.index("\n## ")]
    assert {code for code in GENERAL if f"`{code}`" not in general} == set()


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
    away: Any = FakeNetwork(Refused("UNAVAILABLE", "The stage arcface is not available; try again shortly"))
    with serve_log() as log:
        found = client(stages(embed=away)).post("/match", json=PAIR)
    assert found.status_code == 503
    assert found.json()["error"] == "The stage arcface is not available; try again shortly"
    assert log == []


def test_a_wrong_method_is_a_405_that_names_the_right_one() -> None:
    found = client().post("/health")
    assert (found.status_code, found.headers["allow"]) == (405, "GET")
    assert found.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("sent", ["a", "caller-17", "2f1c.4_B", "x" * 64])
def test_a_valid_request_id_is_the_callers(sent: str) -> None:
    assert request_id_of({"x-request-id": sent}) == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "two words", "line\nbreak", "caller-17\n", "<script>", 'a"b'])
def test_an_invalid_request_id_is_replaced(sent: str) -> None:
    fresh = request_id_of({"x-request-id": sent})
    assert len(fresh) == 32
    assert fresh != request_id_of({})
