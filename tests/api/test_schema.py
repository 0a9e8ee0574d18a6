"""Every operation keeps to the OpenAPI document for valid and invalid requests.

Schemathesis generates requests from the examples, from each bound of each field and at random. It checks that no
response is a fault, and that status, content type and body are documented.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, CheckFunction
from schemathesis.config import SchemathesisConfig
from starlette.testclient import TestClient

from api.app import create_app
from tests.api import documented
from tests.fakes import service
from tests.local_gallery import LocalGallery

ROOM = "/v1/collections/staff"

NO_PHOTO = "not every text or file is a photo, and not every photo shows a face"
LENGTHS = "embeddings are of one length and not zero, which a schema cannot say"
VARIANT = "the contract takes any text as model and has its own error for an unknown one"
FORM = "in a form every value is text, so that false is a file that holds this word"
STAFF = "/v1/collections/{collection}"
UPLOADS = (
    *("/detect-face", "/extract-embedding", "/add_face", "/match_face", "/v1/detect", "/v1/embed", "/v1/verify"),
    *(f"{STAFF}/faces", f"{STAFF}/search"),
)
PHOTOS = (*UPLOADS, "/match", "/compare", "/mediapipe", "/api/v1/extract-embedding")
PAIRS = (
    *("/compare-faces", "/api/v1/compare-faces", "/v1/compare"),
    *(f"{STAFF}/embeddings", f"{STAFF}/search/embedding"),
)
LESS_THAN_ALL: Mapping[str, Mapping[str, str]] = {
    # Valid by the document, and refused all the same.
    "positive_data_acceptance": {
        **{f"POST {path}": NO_PHOTO for path in PHOTOS},
        **{f"POST {path}": LENGTHS for path in PAIRS},
        **dict.fromkeys(("GET /list_faces", "GET /stats", "DELETE /delete_face/{face_id}"), VARIANT),
        "PUT /v1/collections/{collection}": "the configuration decides which embedders there are",
        "POST /v1/collections/{collection}/subjects/delete": "an invalid id has a code of its own",
    },
    # Not valid by the document, and answered all the same.
    "negative_data_rejection": {f"POST {path}": FORM for path in UPLOADS},
    # Starlette's Allow names the methods of the path's first route alone.
    "allow_header_conformance": {
        "PUT /v1/collections/{collection}": "GET and DELETE have routes of their own",
        "GET /v1/collections/{collection}/subjects/{subject}": "DELETE has a route of its own",
        "POST /v1/collections/{collection}/subjects/delete": "for the other methods it is the subject called delete",
    },
}
"""Checks that are left out, by operation, and why."""

NO_FILE = "Schemathesis sends these files without a name, as text"
NEVER = {
    "POST /add_face": NO_FILE,
    "POST /match_face": NO_FILE,
    "POST /v1/collections/{collection}/faces": NO_FILE,
    "DELETE /delete_face/{face_id}": "there is no face of /add_face",
}
"""Operations that are never asked with success, and why."""

app = create_app(service(documented.stages(LocalGallery())))
# Without the machine's settings: a schemathesis.toml would change the requests.
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", app, config=SchemathesisConfig.from_dict({"generation": {"deterministic": True}})
)


there = {"collection": "staff", "subject": "ada", "face_id": ""}
"""Path parameters of existing resources."""


@pytest.fixture(autouse=True)
def room() -> None:
    """A collection with one subject before each operation: an earlier one may have deleted it."""
    client = TestClient(app)
    assert client.put(ROOM, json={}).is_success
    face = {"subject": "ada", "values": [1, 0, 0]}
    answer = client.post(f"{ROOM}/embeddings", json={"contract": documented.CONTRACT, "embeddings": [face]})
    assert answer.is_success
    [enrolled] = answer.json()["faces"]
    there["face_id"] = enrolled["face_id"]


def sent_to_the_room(case: schemathesis.Case[Any]) -> None:
    """Direct half of the valid requests to existing resources, which generated ids hardly ever hit."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    chance = repr((case.path_parameters, case.query, case.body if isinstance(case.body, dict) else None))
    if hashlib.sha256(chance.encode("utf-8", "replace")).digest()[0] % 2:
        return
    if "collection" in case.path_parameters:
        case.path_parameters = {name: there[name] for name in case.path_parameters}
    if isinstance(case.body, dict):
        case.body = {name: filled(name, value) for name, value in case.body.items()}


def filled(name: str, value: Any) -> Any:
    """A field of a body with base64 for a photo, ids that are there, and embeddings of the collection's kind."""
    if name.startswith("image") and name != "image_type" and isinstance(value, str):
        return base64.b64encode(value.encode("utf-8", "replace")).decode()
    if isinstance(value, dict) and "values" in value:
        return {**value, "contract": documented.CONTRACT, "values": [0.6, 0.8, 0]}
    if name == "embeddings" and isinstance(value, list):
        return [{**each, "values": [0.6, 0.8, 0]} for each in value]
    if name == "ids":
        return [there["subject"]]
    if name == "contract":
        return documented.CONTRACT
    return [1, 2, 3] if name in ("embedding1", "embedding2") else value


answered: set[tuple[str, bool]] = set()
"""Operations that were called, and whether with success."""


# The health checks are about the strategies, which are Schemathesis's own.
@schema.parametrize()
@settings(max_examples=10, derandomize=True, suppress_health_check=list(HealthCheck))
def test_an_operation_keeps_to_the_document(case: schemathesis.Case[Any]) -> None:
    sent_to_the_room(case)
    left_out = [check for check, operations in LESS_THAN_ALL.items() if case.operation.label in operations]
    response = case.call()
    answered.add((case.operation.label, response.status_code < 300))
    case.validate_response(response, excluded_checks=cast(list[CheckFunction], CHECKS.get_by_names(left_out)))


def test_nearly_every_operation_was_also_asked_with_success() -> None:
    asked = {label for label, _ in answered}
    failed = {label for label in asked if (label, True) not in answered}
    # Generated requests change with the document: now and then an operation has bad luck.
    assert len(failed - NEVER.keys()) <= 2, failed


@pytest.mark.parametrize("body", [{"threshold": False}, {"threshold": "0.4"}, {"top_k": True}, {"top_k": "5"}])
def test_a_json_value_of_another_type_is_refused(body: dict[str, object]) -> None:
    sound: dict[str, object] = {"embedding": {"contract": documented.CONTRACT, "values": [1, 0, 0]}}
    client = TestClient(app)
    assert client.post(f"{ROOM}/search/embedding", json=sound).is_success
    answer = client.post(f"{ROOM}/search/embedding", json=sound | body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
