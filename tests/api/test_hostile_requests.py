"""Hostile requests get a 4xx in their path's form and leave the service as it was."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import FORMS
from api.errors import envelope
from imaging.refused import Refused
from tests.api.hostile import COLLECTION, REQUESTS, Hostile
from tests.fakes import FakeDetector, stages
from tests.fakes import client as client_of


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    # The decode gate has its own tests of hostile files.
    with client_of(stages(FakeDetector(Refused("INVALID_IMAGE", "The image is damaged")))) as client:
        assert client.put(COLLECTION, json={}).status_code == 201
        yield client


def shape(body: Any) -> Any:
    """The keys of an answer and the types of its values, with any details."""
    if not isinstance(body, dict):
        return type(body)
    return {key: dict if key == "details" else shape(value) for key, value in body.items()}


@pytest.mark.parametrize("hostile", [pytest.param(request, id=request.name) for request in REQUESTS])
def test_it_is_a_4xx_in_its_paths_form(client: httpx.Client, hostile: Hostile) -> None:
    answer = client.request(hostile.method, hostile.path, headers=hostile.headers, content=hostile.content)
    assert 400 <= answer.status_code < 500, answer.text[:500]
    form = FORMS.get(hostile.path.partition("?")[0].split("/")[1], envelope)
    assert shape(answer.json()) == shape(form(Refused("CODE", "Because"), "id")[1])
    assert len(answer.content) < 2000, "it is no echo"
    assert client.get("/health").json()["status"] == "healthy"
