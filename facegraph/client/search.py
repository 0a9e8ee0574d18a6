"""Search a collection by photo or by embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from facegraph.client.api_call import ApiCall, api_path
from facegraph.client.decoding import decode
from facegraph.client.images import Image, upload_from
from facegraph.client.photos import DetectedPhoto
from facegraph.client.schemas import Embedding, Face, FaceRule, LivenessPolicy, Threshold, given


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A subject with a face at or above the threshold: its most similar face, the cosine similarity, and metadata."""

    subject: str
    similarity: float
    face_id: str
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The candidates, best first.

    Attributes:
        margin: similarity of the most similar subject minus that of the second; None if there is no second.
        no_match: why there are no candidates: ``not_live``, ``below_threshold`` or ``below_min_margin``; else None.
    """

    candidates: tuple[Candidate, ...]
    margin: float | None = None
    no_match: str | None = None


@dataclass(frozen=True, kw_only=True)
class SearchedFace(Face, SearchResult):
    """A face and its candidates, best first. There are none if liveness is required and the face is a spoof."""


@dataclass(frozen=True, kw_only=True)
class SearchedPhoto(DetectedPhoto):
    """The faces of a photo with their candidates, best score first."""

    faces: tuple[SearchedFace, ...]
    threshold: Threshold


@dataclass(frozen=True, kw_only=True)
class SearchedEmbedding(SearchResult):
    """The candidates for an embedding, best first."""

    threshold: Threshold


def search(
    collection: str,
    photo: Image,
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
    top_k: int | None = None,
    threshold: float | None = None,
    min_margin: float | None = None,
    crops: bool | None = None,
) -> ApiCall[SearchedPhoto]:
    """Find the enrolled subjects that each face of a photo resembles.

    Args:
        photo, detector, liveness, liveness_network, attributes, faces, max_faces, crops: as in `embed`. With
            liveness "require", a spoof has no candidates.
        top_k: maximum number of candidates per face, 1 to 100. Default: 5.
        threshold: minimum cosine similarity. Default: the collection's or, without one, the embedder's; see `models`.
        min_margin: minimum margin between the two most similar subjects. Below it, there are no candidates. Default:
            any margin.
    """
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "search"),
        params=given(locals(), search.__kwdefaults__),
        files=[("photo", upload_from(photo))],
        decode=partial(decode, SearchedPhoto),
    )


def search_embedding(
    collection: str,
    embedding: Embedding,
    *,
    top_k: int | None = None,
    threshold: float | None = None,
    min_margin: float | None = None,
) -> ApiCall[SearchedEmbedding]:
    """Find the enrolled subjects that an embedding resembles. It must have the collection's contract.

    Args:
        top_k, threshold, min_margin: as in `search`.
    """
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "search", "embedding"),
        json={"embedding": embedding.as_json(), **given(locals(), search_embedding.__kwdefaults__)},
        decode=partial(decode, SearchedEmbedding),
    )
