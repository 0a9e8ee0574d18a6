"""Photos and embeddings without a gallery: detect, embed, verify, verify_many and compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from facegraph.client.api_call import ApiCall, api_path
from facegraph.client.decoding import decode
from facegraph.client.images import Image, upload_from
from facegraph.client.schemas import (
    Embedding,
    Face,
    FaceRule,
    LivenessPolicy,
    Metric,
    Models,
    Photo,
    Reason,
    Threshold,
    Timings,
    given,
)


@dataclass(frozen=True, kw_only=True)
class DetectedPhoto:
    """The faces of a photo, best score first. `faces_found` also counts faces over `max_faces`."""

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
class EmbeddedPhoto(DetectedPhoto):
    """The faces of a photo with their embeddings, best score first."""

    faces: tuple[EmbeddedFace, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of comparing two embeddings. `value` is the similarity or the distance, depending on `metric`."""

    match: bool
    metric: str
    value: float
    cosine_similarity: float
    threshold: Threshold


@dataclass(frozen=True, kw_only=True)
class Verification(Comparison):
    """The result of comparing two photos: the compared `faces`, and how many faces of each photo count."""

    faces_found: tuple[int, int]
    faces: tuple[Face, Face]
    models: Models
    timings_ms: Timings


@dataclass(frozen=True, kw_only=True)
class ComparedPhoto:
    """The result for one photo.

    Attributes:
        photo: index of the photo among those given.
        value: similarity or distance; None with an `error`.
        faces_found: number of faces that count; 0 with an `error`.
        face: the compared face; None with an `error`.
        error: why the photo could not be compared.
    """

    photo: int
    match: bool
    value: float | None
    cosine_similarity: float | None
    faces_found: int
    face: Face | None
    error: Reason | None


@dataclass(frozen=True, kw_only=True)
class ManyVerification:
    """The results of comparing several photos, in order, with a reference, and the reference's compared face."""

    metric: str
    threshold: Threshold
    reference: Face
    photos: tuple[ComparedPhoto, ...]
    models: Models
    timings_ms: Timings


def detect(
    photo: Image,
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
) -> ApiCall[DetectedPhoto]:
    """Find the faces of a photo with their landmarks, quality and, if requested, liveness.

    Args:
        photo: anything that `facegraph.client.images.upload_from` accepts.
        detector: a role listed by `models`.
        liveness: whether to measure liveness.
        liveness_network: role of the network that measures it.
        attributes: what else to read from each face, such as ("pose", "eyes") or "pose,eyes". Default: nothing.
        faces: which faces to use. Default: all.
        max_faces: maximum number of faces to return, best score first; 1 to 100.
    """
    return ApiCall(
        method="POST",
        path=api_path("detect"),
        params=given(locals(), detect.__kwdefaults__),
        files=[("photo", upload_from(photo))],
        decode=partial(decode, DetectedPhoto),
    )


def embed(
    photo: Image,
    *,
    detector: str | None = None,
    embedder: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    faces: FaceRule | None = None,
    max_faces: int | None = None,
    crops: bool | None = None,
) -> ApiCall[EmbeddedPhoto]:
    """Find the faces of a photo and return an embedding of each.

    Args:
        photo, detector, liveness, liveness_network, attributes, faces, max_faces: as in `detect`.
        embedder: a role listed by `models`.
        crops: whether to return the embedder's input for each face.
    """
    return ApiCall(
        method="POST",
        path=api_path("embed"),
        params=given(locals(), embed.__kwdefaults__),
        files=[("photo", upload_from(photo))],
        decode=partial(decode, EmbeddedPhoto),
    )


def verify(
    photo1: Image,
    photo2: Image,
    *,
    detector: str | None = None,
    embedder: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    metric: Metric | None = None,
    threshold: float | None = None,
    faces: FaceRule | None = None,
    crops: bool | None = None,
) -> ApiCall[Verification]:
    """Check whether two photos show the same person.

    Args:
        photo1, photo2, detector, embedder, liveness_network, attributes, crops: as in `embed`.
        liveness: with "require", a spoof never matches.
        metric: default: cosine.
        threshold: minimum similarity or maximum distance. Default: see `models`.
        faces: which face of each photo to compare. Default: the prominent one. With "all", the two most similar faces
            are compared.
    """
    return ApiCall(
        method="POST",
        path=api_path("verify"),
        params=given(locals(), verify.__kwdefaults__),
        files=[("photo1", upload_from(photo1)), ("photo2", upload_from(photo2))],
        decode=partial(decode, Verification),
    )


def verify_many(
    reference: Image,
    *photos: Image,
    detector: str | None = None,
    embedder: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    metric: Metric | None = None,
    threshold: float | None = None,
    faces: FaceRule | None = None,
    crops: bool | None = None,
) -> ApiCall[ManyVerification]:
    """Check which of several photos show the same person as the reference.

    A photo that cannot be compared has an `error` and does not affect the others.

    Args:
        photos: 1 to 100 photos; about 28 MB in total, including the reference.
        faces: as in `verify`. With "all", the reference's prominent face and each photo's most similar face are
            compared.
        detector, embedder, liveness, liveness_network, attributes, metric, threshold, crops: as in `verify`.
    """
    if not photos:
        raise ValueError("there is no photo to compare")
    return ApiCall(
        method="POST",
        path=api_path("verify", "many"),
        params=given(locals(), verify_many.__kwdefaults__),
        files=[("reference", upload_from(reference)), *(("photo", upload_from(photo)) for photo in photos)],
        decode=partial(decode, ManyVerification),
    )


def compare(
    embedding1: Embedding, embedding2: Embedding, *, metric: Metric | None = None, threshold: float | None = None
) -> ApiCall[Comparison]:
    """Compare two embeddings with the same contract.

    Args:
        metric, threshold: as in `verify`.
    """
    pair = {"embedding1": embedding1.as_json(), "embedding2": embedding2.as_json()}
    return ApiCall(
        method="POST",
        path=api_path("compare"),
        json=pair | given(locals(), compare.__kwdefaults__),
        decode=partial(decode, Comparison),
    )
