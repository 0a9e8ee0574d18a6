"""Every operation keeps to the OpenAPI document for valid and invalid requests.

Schemathesis generates requests from the examples, from each bound of each field and at random. It checks that no
response is a fault, and that status, content type and body are documented.
"""

import hashlib
from typing import Any, cast

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from schemathesis.checks import CHECKS, CheckFunction
from schemathesis.config import SchemathesisConfig
from starlette.testclient import TestClient

from api.app import create_app
from api.v1.imports import ARROW, PARQUET
from graphs.stages import DetectionRequest, FaceCrops
from imaging.faces import Detection, Photo
from project.request_error import RequestError
from tests.fakes import detector, embedder, liveness, photo, service, stages_of

CONTRACT = "499f2c0ac50eba0c"
"""The contract of the document's example embeddings, which have `SIZE` numbers."""
SIZE = 3
ROOM = "/v1/collections/staff"


async def detect(question: DetectionRequest) -> Detection:
    """Find one face in most photos. Depending on their bytes, some have none or two, and some cannot be decoded."""
    found = [_found(data) for data in question.photos]
    faces = sum(len(each.faces) for each in found if isinstance(each, Photo))
    crops = {spec: np.zeros((faces, spec.size, spec.size, 3), np.uint8) for spec in question.crops}
    return Detection(tuple(found), crops)


def _found(data: bytes) -> Photo | RequestError:
    chance = hashlib.sha256(data).digest()[0]
    if chance < 32:
        return RequestError("INVALID_IMAGE", "The image is damaged and cannot be decoded")
    return photo(faces=() if chance < 64 else (0.99, 0.9) if chance < 96 else (0.99,))


async def score(crops: FaceCrops) -> NDArray[np.float32]:
    return np.linspace(0.9, 0.1, len(crops[0]), dtype=np.float32)


async def embed(crops: FaceCrops) -> NDArray[np.float32]:
    return np.eye(SIZE, dtype=np.float32)[np.arange(len(crops[0])) % SIZE]


@schemathesis.serializer(ARROW, PARQUET)
def unchanged(_: Any, body: Any) -> bytes:
    """The body of an import: bytes, or something else that the document forbids."""
    return body if isinstance(body, bytes) else str(body).encode()


STAGES = stages_of(
    *(detector(detect, role=role) for role in ("mtcnn", "mediapipe")),
    liveness(score),
    *(embedder(embed, role=role, size=SIZE, contract=CONTRACT) for role in ("arcface", "facenet")),
)
app = create_app(service(STAGES))
# The configuration is given here, because a file schemathesis.toml on this machine would change the requests.
schema = schemathesis.openapi.from_asgi(
    "/openapi.json", app, config=SchemathesisConfig.from_dict({"generation": {"deterministic": True}})
)


@pytest.fixture(autouse=True)
def room() -> None:
    """A collection with one subject before each operation: an earlier one may have deleted it."""
    client = TestClient(app)
    assert client.put(ROOM, json={}).is_success
    face = {"subject": "ada", "values": [1, 0, 0]}
    assert client.post(f"{ROOM}/embeddings", json={"contract": CONTRACT, "embeddings": [face]}).is_success


# Health checks judge the strategies, which are Schemathesis's.
@schema.parametrize()
@settings(max_examples=10, derandomize=True, suppress_health_check=list(HealthCheck))
def test_an_operation_keeps_to_the_document(case: schemathesis.Case[Any]) -> None:
    # Some requests are valid by the document but refused: text that is no photo, embeddings of two lengths, unknown
    # roles. Starlette's header Allow names only the methods of the path's first route.
    left_out = ["positive_data_acceptance", "allow_header_conformance"]
    if case.media_type == "multipart/form-data":
        # In a form, every value is text, so false is a file with this word.
        left_out.append("negative_data_rejection")
    if "collection" in case.path_parameters and case.meta and case.meta.generation.mode.is_positive:
        # Generated names hardly ever exist.
        case.path_parameters["collection"] = "staff"
    case.call_and_validate(excluded_checks=cast(list[CheckFunction], CHECKS.get_by_names(left_out)))
