"""Collections of subjects: making, describing and deleting them, and cleaning up after deletions."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from facegraph.client.call import Call, gone, path_of
from facegraph.client.decoding import decode
from facegraph.client.schemas import given


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection; `threshold` is None where that of `Network` decides."""

    name: str
    embedder: str
    model: str
    embedding_contract: str
    embedding_dimensions: int
    threshold: float | None
    created: datetime


@dataclass(frozen=True, kw_only=True)
class CollectionStatistics(Collection):
    """A collection with its numbers; `bytes` are of its files, `changed` is when it was last written to."""

    faces: int
    subjects: int
    bytes: int
    changed: datetime


def collections() -> Call[tuple[Collection, ...]]:
    """List the collections by name; a key that is bound to some sees these."""

    def listed(body: Any) -> tuple[Collection, ...]:
        return decode(Collections, body).collections

    return Call(method="GET", path=path_of("collections"), decode=listed)


def put_collection(
    name: str, *, embedder: str | None = None, threshold: float | Literal["keep"] | None = "keep"
) -> Call[Collection]:
    """Create a collection, or set the threshold of an existing one with the same embedder.

    Args:
        name: 1 to 64 letters, digits, dots, dashes and underscores.
        embedder: a role of `models`; None for arcface, or for that of an existing collection. It cannot be changed
            later.
        threshold: least cosine similarity of a candidate; None for that of `models`; ``"keep"`` for that of an existing
            collection, or that of `models` for a new one.
    """
    return Call(
        method="PUT",
        path=path_of("collections", name),
        json=given(embedder=embedder) | ({} if threshold == "keep" else {"threshold": threshold}),
        decode=partial(decode, Collection),
    )


def collection(name: str) -> Call[CollectionStatistics]:
    """Describe a collection and count its faces and subjects."""
    return Call(method="GET", path=path_of("collections", name), decode=partial(decode, CollectionStatistics))


def delete_collection(name: str, *, with_faces: bool = False) -> Call[None]:
    """Delete a collection, at once and for good.

    Args:
        name: of the collection.
        with_faces: must be true for one that has faces.
    """
    return Call(
        method="DELETE",
        path=path_of("collections", name),
        params={"with_faces": with_faces},
        decode=lambda body: None,
        settle=gone(None),
    )


def clean() -> Call[dict[str, int]]:
    """Erase from the files what was deleted, now instead of by the timer; gives the bytes freed, by collection."""

    def freed(body: Any) -> dict[str, int]:
        return decode(Cleaned, body).freed_bytes

    # The second answer would not know what the first one, which was lost, had freed.
    return Call(method="POST", path=path_of("gallery", "clean"), decode=freed, repeatable=False)


@dataclass(frozen=True, kw_only=True)
class Collections:
    collections: tuple[Collection, ...]


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    freed_bytes: dict[str, int]
