"""Creates, describes, cleans up and deletes collections."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from facegraph.client.api_call import ApiCall, api_path, result_if_done
from facegraph.client.decoding import decode, decode_field
from facegraph.client.schemas import given


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection. If `threshold` is None, `Network.cosine_threshold` applies."""

    name: str
    embedder: str
    model: str
    embedding_contract: str
    embedding_dimensions: int
    threshold: float | None
    created: datetime


@dataclass(frozen=True, kw_only=True)
class CollectionStatistics(Collection):
    """A collection with its counts, its size in bytes on disk and the time of the last enrolment or deletion."""

    faces: int
    subjects: int
    bytes: int
    changed: datetime


def collections() -> ApiCall[tuple[Collection, ...]]:
    """List collections by name. A key bound to specific collections sees only those."""
    listed = partial(decode_field, "collections", tuple[Collection, ...])
    return ApiCall(method="GET", path=api_path("collections"), decode=listed)


def put_collection(
    name: str, *, embedder: str | None = None, threshold: float | Literal["keep"] | None = "keep"
) -> ApiCall[Collection]:
    """Create a collection, or set the threshold of an existing one.

    Args:
        name: 1 to 64 ASCII letters, digits, dots, dashes and underscores, with a letter or digit first.
        embedder: a role of `models`, which cannot be changed later. Default: arcface, or the embedder of an existing
            collection.
        threshold: minimum cosine similarity of a candidate; None for the default in `models`; ``"keep"`` to keep an
            existing collection's threshold (None for a new one).
    """
    return ApiCall(
        method="PUT",
        path=api_path("collections", name),
        json=given(locals(), ["embedder"]) | ({} if threshold == "keep" else {"threshold": threshold}),
        decode=partial(decode, Collection),
    )


def collection(name: str) -> ApiCall[CollectionStatistics]:
    """Describe a collection and count its faces and subjects."""
    return ApiCall(method="GET", path=api_path("collections", name), decode=partial(decode, CollectionStatistics))


def delete_collection(name: str, *, with_faces: bool = False) -> ApiCall[None]:
    """Delete a collection permanently.

    Args:
        with_faces: must be true if the collection has faces.
    """
    return ApiCall(
        method="DELETE",
        path=api_path("collections", name),
        params={"with_faces": with_faces},
        decode=lambda body: None,
        on_error=result_if_done(None),
    )


def clean() -> ApiCall[dict[str, int]]:
    """Erase deleted faces from the files now instead of at the next scheduled time.

    Returns the number of bytes freed in each collection.
    """
    freed = partial(decode_field, "freed_bytes", dict[str, int])
    # A second response could not report what the first request freed.
    return ApiCall(method="POST", path=api_path("gallery", "clean"), decode=freed, idempotent=False)
