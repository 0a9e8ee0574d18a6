"""Adjustments to FastAPI's OpenAPI document, for people who read it in Swagger UI."""

import functools
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute


def install(app: FastAPI) -> None:
    """Give the operations summaries, and form fields of files a format.

    The first sentence of a route's docstring is the summary, and the rest the description. By default, FastAPI makes
    the summary from the name of the function: "Post Verify Many".
    """
    for route in app.routes:
        # All apps of a process share their routes, so another app may have changed them already.
        if isinstance(route, APIRoute) and route.summary is None:
            first, gap, others = route.description.partition("\n\n")
            sentence, _, more = first.partition(". ")
            route.summary, route.description = sentence.removesuffix("."), f"{more}{gap}{others}".strip()
    app.openapi = functools.partial(_with_files, app.openapi)  # type: ignore[method-assign]


def _with_files(generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    document = generate()
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            for each in (field, field.get("items", {}), *field.get("anyOf", [])):
                if each.get("contentMediaType") == "application/octet-stream":
                    # For Swagger UI, which shows lists of files as text otherwise (swagger-ui issue 10825).
                    each["format"] = "binary"
    return document
