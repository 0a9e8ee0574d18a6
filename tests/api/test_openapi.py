"""The OpenAPI document: the snapshot in openapi.json, valid, and with true examples."""

import copy
import json
import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api import openapi


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.document()


def of_v1(document: Any) -> set[str]:
    """The models that operations below /v1 name, and the models inside them."""
    schemas, found = document["components"]["schemas"], set[str]()
    read: Any = [item for path, item in document["paths"].items() if path.startswith("/v1/")]
    while new := {*re.findall(r'"#/components/schemas/(\w+)"', json.dumps(read))} - found:
        found |= new
        read = [schemas[name] for name in new]
    return found


def test_no_schema_is_named_by_its_modules_path(document: Any) -> None:
    # FastAPI names two classes of the same name so, and generated clients take the names over.
    assert [name for name in document["components"]["schemas"] if "__" in name and not name.startswith("Body_")] == []


def test_it_is_what_it_was(document: Any) -> None:
    known = json.loads(openapi.SNAPSHOT.read_text(encoding="utf-8"))
    assert document == known, "if this is meant: .venv/bin/python -m tests.api.openapi, and read what git diff says"


def test_it_is_a_valid_document(document: Any) -> None:
    whole = {**document, "info": {**document["info"], "version": "1"}}
    assert list(OpenAPIV31SpecValidator(whole).iter_errors()) == []


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
    for name, schema in components["schemas"].items():
        closed = {"$ref": f"#/components/schemas/{name}", "components": components}
        for example in schema.get("examples", []):
            jsonschema.validate(example, closed, jsonschema.Draft202012Validator)
            assert example.keys() <= schema["properties"].keys()


def test_every_operation_is_described_and_has_a_name_of_its_own(document: Any) -> None:
    found = [operation for item in document["paths"].values() for operation in item.values()]
    for operation in found:
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        assert all(answer["description"] for answer in operation["responses"].values())
    assert len({operation["operationId"] for operation in found}) == len(found) > 30
