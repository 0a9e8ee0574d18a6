"""The requests of `load_tests.users.checked`, for tools that run without Locust."""

from collections.abc import Mapping
from random import Random
from typing import Any

COLLECTION = "/v1/collections/checked"
EMBEDDER = "arcface"
PAIR_ROUTES = ("/match", "/compare", "/mediapipe")


def search_body(subject: str, embedder: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a search that must find `subject`; `embedder` is described by GET /v1/models."""
    values = embedding_of(subject, embedder)
    return {"embedding": {"contract": embedder["embedding_contract"], "values": values}, "top_k": 1}


def embedding_of(subject: str, embedder: Mapping[str, Any]) -> list[float]:
    """A random embedding that is always the same for one subject."""
    chance = Random(subject)  # noqa: S311
    return [chance.gauss(0, 1) for _ in range(embedder["embedding_dimensions"])]
