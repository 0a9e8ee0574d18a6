"""The requests of `load_tests.users.checked`, for tools that run without Locust."""

from random import Random
from typing import Any

COLLECTION = "/v1/collections/checked"
EMBEDDER = "arcface"
PAIR_ROUTES = ("/match", "/compare", "/mediapipe")


def search_body(contract: str, size: int, subject: str) -> dict[str, Any]:
    """The body of a search that must find `subject` by its embedding."""
    return {"embedding": {"contract": contract, "values": embedding_of(subject, size)}, "top_k": 1}


def embedding_of(subject: str, size: int) -> list[float]:
    """A random embedding that is always the same for one subject."""
    chance = Random(subject)  # noqa: S311
    return [chance.gauss(0, 1) for _ in range(size)]
