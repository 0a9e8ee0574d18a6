"""The OpenAPI document: the snapshot in openapi.json, valid, and with true examples."""

import copy
import json
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import routes
from tests.api import openapi


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.document()


def test_the_document_equals_the_snapshot(document: Any) -> None:
    known = json.loads(openapi.SNAPSHOT.read_text(encoding="utf-8"))
    assert document == known, "if this is intended, run .venv/bin/python -m tests.api.openapi and read the diff"


def test_summaries_are_the_same_if_keys_are_required(document: Any) -> None:
    summaries = [
        {(path, method): operation["summary"] for path, item in paths.items() for method, operation in item.items()}
        for paths in (document["paths"], routes(True).openapi()["paths"])
    ]
    assert summaries[0] == summaries[1]


def test_the_document_is_valid(document: Any) -> None:
    whole = {**document, "info": {**document["info"], "version": "1"}}
    assert list(OpenAPIV31SpecValidator(whole).iter_errors()) == []


def test_every_example_fits_its_schema(document: Any) -> None:
    components = copy.deepcopy(document["components"])
    for schema in components["schemas"].values():
        # FastAPI leaves the fields of an example out that are null.
        nullable = {
            name for name, field in schema.get("properties", {}).items() if {"type": "null"} in field.get("anyOf", [])
        }
        schema["required"] = [name for name in schema.get("required", []) if name not in nullable]
    for name, schema in components["schemas"].items():
        closed = {"$ref": f"#/components/schemas/{name}", "components": components}
        for example in schema.get("examples", []):
            jsonschema.validate(example, closed, jsonschema.Draft202012Validator)
            assert example.keys() <= schema["properties"].keys()
