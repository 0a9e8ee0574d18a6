"""Summaries of operations in the OpenAPI document."""

from fastapi import FastAPI
from fastapi.routing import APIRoute


def install(app: FastAPI) -> None:
    """Use the first sentence of each route's docstring as its summary, and the rest as its description.

    By default, FastAPI makes the summary from the name of the function: "Post Verify Many".
    """
    for route in app.routes:
        if isinstance(route, APIRoute):
            first, gap, others = route.description.partition("\n\n")
            sentence, _, more = first.partition(". ")
            route.summary, route.description = sentence.removesuffix("."), f"{more}{gap}{others}".strip()
