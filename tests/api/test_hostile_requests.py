"""Hostile requests get a 4xx in their path's form and leave the service as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import FORMS
from api.errors import envelope
from api.limits import MOST_KEYS, MOST_VALUES
from graphs.stages import DetectionRequest
from imaging.decode import Limits, decode
from imaging.faces import Detection, Photo
from imaging.quality import Quality
from imaging.refused import Refused
from tests.api.hostile import COLLECTION, JSON, REQUESTS, Hostile
from tests.fakes import FakeNetwork, detector, embedder, stages, with_stages
from tests.fakes import client as client_of


def looked_at(data: bytes) -> Photo | Refused:
    """A photo without faces, if the decode gate accepts it."""
    try:
        image = decode(data, Limits())
    except Refused as refused:
        return refused
    return Photo(image.width, image.height, Quality(120, 50, 100), (), 0, (), 0.1)


async def detect(question: DetectionRequest) -> Detection:
    return Detection(tuple(map(looked_at, question.photos)), {})


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    made = stages(detect)
    more = detector(detect, role="mediapipe"), embedder(FakeNetwork([]), role="facenet")
    with client_of(with_stages(made, *more)) as client:
        assert client.put(COLLECTION, json={}).status_code == 201
        yield client


def shape(body: Any) -> Any:
    """The keys of an answer and the types of its values, with any details."""
    if not isinstance(body, dict):
        return type(body)
    return {key: dict if key == "details" else shape(value) for key, value in body.items()}


@pytest.mark.parametrize("hostile", [pytest.param(request, id=request.name) for request in REQUESTS])
def test_it_is_a_4xx_in_its_paths_form(client: TestClient, hostile: Hostile) -> None:
    answer = client.request(hostile.method, hostile.path, headers=hostile.headers, content=hostile.content)
    assert 400 <= answer.status_code < 500, answer.text[:500]
    form = FORMS.get(hostile.path.partition("?")[0].split("/")[1], envelope)
    assert shape(answer.json()) == shape(form(Refused("CODE", "Because"), "id")[1])
    assert len(answer.content) < 2000, "it is no echo"
    assert client.get("/health").json()["status"] == "healthy"


@pytest.mark.parametrize("digits", [19, 20, 21, 4300, 5000])
def test_a_body_is_refused_by_a_length_of_any_number_of_digits(client: TestClient, digits: int) -> None:
    answer = client.post("/match", content=b"{}", headers={**JSON, "Content-Length": "9" * digits})
    assert answer.status_code == 413


def test_as_many_values_as_are_accepted_are_read(client: TestClient) -> None:
    content = b"[" + b"1," * (MOST_VALUES - 1) + b"1]"
    answer = client.post("/match", content=content, headers=JSON)
    assert answer.status_code == 400
    assert client.post("/match", content=content[:-1] + b",1]", headers=JSON).status_code == 413


def test_as_many_keys_as_are_accepted_are_read(client: TestClient) -> None:
    def answered(keys: int) -> Any:
        content = b"{" + b",".join(b'"%d":1' % number for number in range(keys)) + b"}"
        return client.put(COLLECTION, content=content, headers=JSON).status_code

    assert [answered(MOST_KEYS), answered(MOST_KEYS + 1)] == [400, 413]


def test_commas_in_a_photo_are_not_counted_as_values(client: TestClient) -> None:
    answer = client.post("/v1/detect", files={"photo": b"," * (MOST_VALUES + 1)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "INVALID_IMAGE")


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "false"])
def test_booleans_are_written_as_words(client: TestClient, value: str) -> None:
    assert client.delete(f"/v1/collections/none?with_faces={value}").status_code == 404


@pytest.mark.parametrize("option", ["max_faces=7", "threshold=-0.5", "threshold=1", "threshold=0", "threshold=1e-05"])
def test_numbers_are_written_as_json_has_them(client: TestClient, option: str) -> None:
    answer = client.post(f"{COLLECTION}/search?{option}", files={"photo": b""})
    assert answer.json()["error"]["code"] == "INVALID_IMAGE"
