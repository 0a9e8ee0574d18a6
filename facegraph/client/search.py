"""Searching a collection: with a photo, or with an embedding that is there already."""

from dataclasses import dataclass
from functools import partial

from facegraph.client.call import Call, path_of
from facegraph.client.decoding import decode
from facegraph.client.images import Image, file_of
from facegraph.client.schemas import Embedding, Face, FaceRule, LivenessPolicy, Models, Photo, Threshold, Timings, given


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A subject at or above the threshold, by its most similar face; the similarity is a cosine."""

    subject: str
    similarity: float
    face_id: str


@dataclass(frozen=True, kw_only=True)
class SearchedFace(Face):
    """A face of the photo with its candidates, best first; none if liveness is required and the face is a spoof."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class SearchedPhoto:
    """The faces of a photo, best score first; `faces_found` counts those beyond `max_faces` too."""

    photo: Photo
    faces_found: int
    faces: tuple[SearchedFace, ...]
    threshold: Threshold
    models: Models
    timings_ms: Timings


@dataclass(frozen=True, kw_only=True)
class SearchedEmbedding:
    """Whom a probe resembles, best first."""

    candidates: tuple[Candidate, ...]
    threshold: Threshold


def search(
    collection: str,
    photo: Image,
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
    top_k: int | None = None,
    threshold: float | None = None,
    crops: bool | None = None,
) -> Call[SearchedPhoto]:
    """Find for each face of a photo the subjects that resemble it.

    Args:
        collection: its name.
        photo, detector, liveness, faces, max_faces, crops: as in `embed`; with liveness "require" a spoof has no
            candidates.
        top_k: most subjects a face, 1 to 100; 5 unless told otherwise.
        threshold: least cosine similarity; without it the collection's, or else that of `models`.
    """
    options = given(
        detector=detector,
        liveness=liveness,
        faces=faces,
        max_faces=max_faces,
        top_k=top_k,
        threshold=threshold,
        crops=crops,
    )
    return Call(
        method="POST",
        path=path_of("collections", collection, "search"),
        params=options,
        files=[("photo", file_of(photo))],
        decode=partial(decode, SearchedPhoto),
    )


def search_embedding(
    collection: str, embedding: Embedding, *, top_k: int | None = None, threshold: float | None = None
) -> Call[SearchedEmbedding]:
    """Find the subjects that resemble an embedding of the collection's contract; the rest is as in `search`."""
    return Call(
        method="POST",
        path=path_of("collections", collection, "search", "embedding"),
        json={"embedding": embedding.as_json(), **given(top_k=top_k, threshold=threshold)},
        decode=partial(decode, SearchedEmbedding),
    )
