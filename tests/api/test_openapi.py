"""The OpenAPI document: well formed, of exactly the public operations, and true."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.openapi import SNAPSHOT
from tests.fakes import client

OPERATIONS = {
    ("/", "get"),
    ("/health", "get"),
    ("/livez", "get"),
    ("/readyz", "get"),
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
    ("/add_face", "post"),
    ("/match_face", "post"),
    ("/list_faces", "get"),
    ("/delete_face/{face_id}", "delete"),
    ("/stats", "get"),
    ("/metrics", "get"),
    ("/v1/models", "get"),
    ("/v1/status", "get"),
    ("/v1/detect", "post"),
    ("/v1/embed", "post"),
    ("/v1/verify", "post"),
    ("/v1/compare", "post"),
    ("/v1/collections", "get"),
    ("/v1/collections/{collection}", "put"),
    ("/v1/collections/{collection}", "get"),
    ("/v1/collections/{collection}", "delete"),
    ("/v1/collections/{collection}/faces", "post"),
    ("/v1/collections/{collection}/embeddings", "post"),
    ("/v1/collections/{collection}/subjects", "get"),
    ("/v1/collections/{collection}/subjects/delete", "post"),
    ("/v1/collections/{collection}/subjects/{subject}", "get"),
    ("/v1/collections/{collection}/subjects/{subject}", "delete"),
    ("/v1/collections/{collection}/faces/{face_id}", "delete"),
    ("/v1/collections/{collection}/search", "post"),
    ("/v1/collections/{collection}/search/embedding", "post"),
    ("/v1/gallery/clean", "post"),
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


def of_v1(document: Any) -> set[str]:
    """The models that operations below /v1 name, and those inside of them."""
    schemas, found = document["components"]["schemas"], set[str]()
    waiting = [name for path, _, each in operations(document) if path.startswith("/v1/") for name in references(each)]
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in found:
            found.add(name)
            waiting += references(schemas[name])
    return found


def test_no_schema_is_named_by_its_modules_path(document: Any) -> None:
    # FastAPI names two classes of the same name so, and generated clients take the names over.
    assert [name for name in document["components"]["schemas"] if "__" in name and not name.startswith("Body_")] == []


def test_it_is_what_it_was(document: Any) -> None:
    told = {**document, "info": {name: text for name, text in document["info"].items() if name != "version"}}
    known = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert told == known, "if this is meant: .venv/bin/python -m tests.api.openapi, and read what git diff says"


def test_it_is_a_valid_document(document: Any) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_model_of_v1_has_an_example(document: Any) -> None:
    schemas = document["components"]["schemas"]
    # A form has files, and the envelope is the same everywhere.
    named = {name for name in of_v1(document) if not name.startswith(("Body_", "Error"))}
    assert len(named) > 30
    assert {name for name in named if not schemas[name].get("examples")} == set()


def test_every_example_is_one_of_its_model(document: Any) -> None:
    components = copy.deepcopy(document["components"])
    for schema in components["schemas"].values():
        # FastAPI leaves each null of an example out.
        nullable = {
            name for name, field in schema.get("properties", {}).items() if {"type": "null"} in field.get("anyOf", [])
        }
        schema["required"] = [name for name in schema.get("required", []) if name not in nullable]
    count = 0
    for name, schema in components["schemas"].items():
        closed = {"$ref": f"#/components/schemas/{name}", "components": components}
        for example in schema.get("examples", []):
            jsonschema.validate(example, closed, jsonschema.Draft202012Validator)
            assert example.keys() <= schema["properties"].keys()
            count += 1
    assert count > 30


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
