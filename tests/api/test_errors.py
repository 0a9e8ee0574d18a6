"""Errors as answers: each contract's form, a request id, and nothing of the service's inside."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from api.app import FORMS
from api.contracts.match import error_answer
from api.errors import envelope, request_id_of, response
from graphs.stages import Stages
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import FakeNetwork, client, serve_log, stages

PAIR = {"image1": "QUJD", "image2": "QUJD"}
SECRET = "the secret path /srv/models"


def broken(stage: str) -> Stages:
    """Stages of which one raises a fault with a secret in it."""

    async def detect(photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
        raise RuntimeError(SECRET)

    fault = FakeNetwork(RuntimeError(SECRET))
    return {
        "detector": lambda: stages(detect=detect),
        "liveness": lambda: stages(score=fault),
        "embedder": lambda: stages(embed=fault),
    }[stage]()


def hides_the_inside(response: httpx.Response) -> bool:
    """Whether nothing of a fault stands in an answer."""
    return not any(word in response.text for word in (SECRET, "RuntimeError", "Traceback", ".py"))


@pytest.mark.parametrize("stage", ["detector", "liveness", "embedder"])
def test_a_fault_is_a_500_in_the_contracts_form_that_hides_it_and_logs_it(stage: str) -> None:
    with serve_log() as log:
        response = client(broken(stage)).post("/match", json=PAIR, headers={"X-Request-ID": "caller-17"})
    assert response.status_code == 500
    assert response.json() == {"success": False, "error": "Internal error; quote request id caller-17"}
    assert hides_the_inside(response)
    [record] = log
    assert record.levelname == "ERROR"
    assert "caller-17" in record.getMessage()
    assert SECRET in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == SECRET


def test_a_fault_has_the_id_that_the_service_gave_it() -> None:
    with serve_log() as log:
        answers = [client(broken("detector")).post("/match", json=PAIR).json()["error"] for _ in range(2)]
    ids = [answer.removeprefix("Internal error; quote request id ") for answer in answers]
    assert len(set(ids)) == 2
    for given, record in zip(ids, log, strict=True):
        assert len(given) == 32
        assert given in record.getMessage()


def test_a_fault_of_another_route_is_a_500_in_the_envelope() -> None:
    def ready() -> bool:
        raise RuntimeError(SECRET)

    whole = stages()
    faulty = replace(whole, detectors={"mtcnn": replace(whole.detectors["mtcnn"], ready=ready)})
    with serve_log() as log:
        response = client(faulty).get("/health", headers={"X-Request-ID": "caller-18"})
    assert response.status_code == 500
    assert response.json() == {
        "error": {
            "code": "INTERNAL_ERROR",
            "message": "Internal error; quote request id caller-18",
            "details": {},
        },
        "request_id": "caller-18",
    }
    assert hides_the_inside(response)
    assert len(log) == 1


@pytest.mark.parametrize(
    "answers",
    [{"embed": FakeNetwork([[float("nan")] * 2] * 2)}, {"score": FakeNetwork([0.9, float("nan")])}],
    ids=["embeddings", "live probability"],
)
def test_answers_of_a_network_that_are_no_numbers_are_a_fault(answers: Any) -> None:
    with serve_log():
        response = client(stages(**answers)).post("/match", json=PAIR)
    assert response.status_code == 500
    assert response.json()["success"] is False


@pytest.mark.parametrize("stage", ["score", "embed"])
def test_a_stage_that_is_not_available_is_a_503(stage: str) -> None:
    away: Any = FakeNetwork(Refused("UNAVAILABLE", "The stage arcface is not available; try again shortly"))
    with serve_log() as log:
        response = client(stages(**{stage: away})).post("/match", json=PAIR)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json() == {
        "success": False,
        "error": "The stage arcface is not available; try again shortly",
    }
    assert log == []


def test_an_unknown_path_is_a_404_in_the_envelope() -> None:
    response = client().get("/nowhere", headers={"X-Request-ID": "caller-19"})
    assert response.status_code == 404
    assert response.json() == {
        "error": {"code": "NOT_FOUND", "message": "Not Found", "details": {}},
        "request_id": "caller-19",
    }


def test_a_wrong_method_of_another_route_is_a_405_in_the_envelope() -> None:
    response = client().post("/health")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert response.json().keys() == {"error", "request_id"}


@pytest.mark.parametrize(
    ("code", "enveloped", "of_match"),
    [
        ("INVALID_REQUEST", 400, 400),
        ("NO_FACE_DETECTED", 422, 400),
        ("MULTIPLE_FACES_DETECTED", 422, 400),
        ("INVALID_IMAGE", 422, 400),
        ("IMAGE_TOO_LARGE", 422, 400),
        ("LOW_QUALITY", 422, 400),
        ("URL_NOT_ALLOWED", 422, 400),
        ("REQUEST_TIMEOUT", 408, 408),
        ("BODY_TOO_LARGE", 413, 413),
        ("UNAVAILABLE", 503, 503),
        ("TIMEOUT", 503, 503),
        ("OVERLOADED", 503, 503),
        ("INTERNAL_ERROR", 500, 500),
    ],
)
def test_every_code_has_its_status(code: str, enveloped: int, of_match: int) -> None:
    refused = Refused(code, "Because")
    assert envelope(refused, "id") == (
        enveloped,
        {"error": {"code": code, "message": "Because", "details": {}}, "request_id": "id"},
    )
    assert error_answer(refused, "id") == (of_match, {"success": False, "error": "Because"})


@pytest.mark.parametrize("name", [*FORMS, "v1"])
@pytest.mark.parametrize("code", ["UNAVAILABLE", "TIMEOUT", "OVERLOADED"])
def test_what_passes_by_itself_says_when_to_try_again(name: str, code: str) -> None:
    request = Request({"type": "http", "path": f"/{name}/more", "headers": [], "state": {"request_id": "id"}})
    answer = response(FORMS, request, Refused(code, "Because"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("name", [*FORMS, "v1"])
@pytest.mark.parametrize("code", ["INVALID_REQUEST", "INTERNAL_ERROR", "NO_FACE_DETECTED"])
def test_no_other_error_does(name: str, code: str) -> None:
    request = Request({"type": "http", "path": f"/{name}", "headers": [], "state": {"request_id": "id"}})
    answer = response(FORMS, request, Refused(code, "Because"), {"Allow": "GET"})
    assert "retry-after" not in answer.headers
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("given", ["a", "caller-17", "2f1c.4_B", "x" * 64])
def test_a_fit_request_id_is_the_callers(given: str) -> None:
    assert request_id_of({"x-request-id": given}) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "line\nbreak", "caller-17\n", "<script>", 'a"b'])
def test_an_unfit_request_id_is_replaced(given: str) -> None:
    fresh = request_id_of({"x-request-id": given})
    assert len(fresh) == 32
    assert fresh != request_id_of({})
