"""Photos and embeddings, without a gallery: detect, embed, verify and compare."""

from dataclasses import dataclass
from functools import partial

from facegraph.client.call import Call, path_of
from facegraph.client.decoding import decode
from facegraph.client.images import Image, file_of
from facegraph.client.schemas import (
    Embedding,
    Face,
    FaceRule,
    LivenessPolicy,
    Metric,
    Models,
    Photo,
    Threshold,
    Timings,
    given,
)


@dataclass(frozen=True, kw_only=True)
class DetectedPhoto:
    """The faces of a photo, best score first; `faces_found` counts those beyond `max_faces` too."""

    photo: Photo
    faces_found: int
    faces: tuple[Face, ...]
    models: Models
    timings_ms: Timings


@dataclass(frozen=True, kw_only=True)
class EmbeddedFace(Face):
    """A face with its embedding."""

    embedding: Embedding


@dataclass(frozen=True, kw_only=True)
class EmbeddedPhoto:
    """The faces of a photo with their embeddings, best score first; `faces_found` as in `DetectedPhoto`."""

    photo: Photo
    faces_found: int
    faces: tuple[EmbeddedFace, ...]
    models: Models
    timings_ms: Timings


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two embeddings compared; `value` is the similarity or distance in `metric`."""

    match: bool
    metric: str
    value: float
    cosine_similarity: float
    threshold: Threshold


@dataclass(frozen=True, kw_only=True)
class Verification(Comparison):
    """Two photos compared by the two `faces`; `faces_found` is the number of faces that count in each photo."""

    faces_found: tuple[int, int]
    faces: tuple[Face, Face]
    models: Models
    timings_ms: Timings


def detect(
    photo: Image,
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
) -> Call[DetectedPhoto]:
    """Find the faces of a photo, with their landmarks and quality, and whether they are alive.

    Args:
        photo: as `facegraph.client.images.file_of` takes it.
        detector: a role of `models`.
        liveness: whether it is measured.
        faces: which faces count; all unless told otherwise.
        max_faces: largest number of faces in the answer, best score first; 1 to 100.
    """
    return Call(
        method="POST",
        path=path_of("detect"),
        params=given(detector=detector, liveness=liveness, faces=faces, max_faces=max_faces),
        files=[("photo", file_of(photo))],
        decode=partial(decode, DetectedPhoto),
    )


def embed(
    photo: Image,
    *,
    detector: str | None = None,
    embedder: str | None = None,
    liveness: LivenessPolicy | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
    crops: bool | None = None,
) -> Call[EmbeddedPhoto]:
    """Find the faces of a photo and give an embedding of each.

    Args:
        photo, detector, liveness, faces, max_faces: as in `detect`.
        embedder: a role of `models`.
        crops: whether each face comes with its pixels as the embedder sees them.
    """
    options = given(
        detector=detector, embedder=embedder, liveness=liveness, faces=faces, max_faces=max_faces, crops=crops
    )
    return Call(
        method="POST",
        path=path_of("embed"),
        params=options,
        files=[("photo", file_of(photo))],
        decode=partial(decode, EmbeddedPhoto),
    )


def verify(
    photo1: Image,
    photo2: Image,
    *,
    detector: str | None = None,
    embedder: str | None = None,
    liveness: LivenessPolicy | None = None,
    metric: Metric | None = None,
    threshold: float | None = None,
    faces: FaceRule | None = None,
    crops: bool | None = None,
) -> Call[Verification]:
    """Compare a face of one photo with a face of another: the same person or not.

    Args:
        photo1, photo2, detector, embedder, crops: as in `embed`.
        liveness: with "require", a spoof is never a match.
        metric: cosine unless told otherwise.
        threshold: least similarity or greatest distance; without it that of `models`.
        faces: which face of a photo counts; the prominent one unless told otherwise. With all, the two faces that are
            most alike are compared.
    """
    options = given(
        detector=detector,
        embedder=embedder,
        liveness=liveness,
        metric=metric,
        threshold=threshold,
        faces=faces,
        crops=crops,
    )
    return Call(
        method="POST",
        path=path_of("verify"),
        params=options,
        files=[("photo1", file_of(photo1)), ("photo2", file_of(photo2))],
        decode=partial(decode, Verification),
    )


def compare(
    embedding1: Embedding, embedding2: Embedding, *, metric: Metric | None = None, threshold: float | None = None
) -> Call[Comparison]:
    """Compare two embeddings of one contract.

    Args:
        embedding1, embedding2: as `embed` gives them.
        metric, threshold: as in `verify`.
    """
    pair = {"embedding1": embedding1.as_json(), "embedding2": embedding2.as_json()}
    return Call(
        method="POST",
        path=path_of("compare"),
        json=pair | given(metric=metric, threshold=threshold),
        decode=partial(decode, Comparison),
    )
