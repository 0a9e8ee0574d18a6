"""The OpenAPI document: well formed, of exactly the public operations, and true."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import client

OPERATIONS = {
    ("/", "get"),
    ("/health", "get"),
    ("/match", "post"),
    ("/compare", "post"),
    ("/mediapipe", "post"),
    ("/detect-face", "post"),
    ("/extract-embedding", "post"),
    ("/compare-faces", "post"),
    ("/api/v1/health", "get"),
    ("/api/v1/extract-embedding", "post"),
    ("/api/v1/compare-faces", "post"),
    ("/api/v1/warm-up", "post"),
    ("/api/v1/model-info", "get"),
}


@pytest.fixture(scope="module")
def document() -> Any:
    response = client().get("/openapi.json")
    assert response.status_code == 200
    return response.json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    """Every ``$ref`` below `value`."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_lists_exactly_the_public_operations(document: Any) -> None:
    assert {(path, method) for path, method, _ in operations(document)} == OPERATIONS


def test_it_is_of_a_known_version_and_says_what_it_describes(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"].keys() >= {"title", "version", "description"}


def test_every_operation_is_described_and_has_a_name_of_its_own(document: Any) -> None:
    names = []
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        assert all(answer["description"] for answer in operation["responses"].values())
        names.append(operation["operationId"])
    assert len(set(names)) == len(OPERATIONS)


def test_every_reference_leads_somewhere(document: Any) -> None:
    found = set(references(document))
    assert "#/components/schemas/MatchRequest" in found
    for reference in found:
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place["type"] == "object"


def test_the_request_of_match_is_the_contracts(document: Any) -> None:
    [(_, _, operation)] = [entry for entry in operations(document) if entry[0] == "/match"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/MatchRequest"}
    schema = document["components"]["schemas"]["MatchRequest"]
    assert schema["required"] == ["image1", "image2"]
    assert schema["properties"].keys() == {"image1", "image2", "threshold"}
    assert {"type": "number", "minimum": 0.0, "maximum": 1.0} in schema["properties"]["threshold"]["anyOf"]


def test_match_states_the_answers_that_it_gives_and_no_other(document: Any) -> None:
    answers = document["paths"]["/match"]["post"]["responses"]
    assert {"200", "400", "413", "503", "default"} == answers.keys()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_it_can_be_read_as_a_page(path: str) -> None:
    response = client().get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in response.text
