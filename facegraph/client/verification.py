"""Compare a photo or an embedding with one enrolled subject."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from facegraph.client.api_call import ApiCall, api_path
from facegraph.client.decoding import decode
from facegraph.client.images import Image, upload_from
from facegraph.client.schemas import Embedding, Face, FaceRule, LivenessPolicy, Models, Photo, Threshold, Timings, given


@dataclass(frozen=True, kw_only=True)
class SubjectMatch:
    """Whether a face matches a subject, with the subject's most similar face and the cosine similarity."""

    subject: str
    match: bool
    similarity: float
    face_id: str
    threshold: Threshold


@dataclass(frozen=True, kw_only=True)
class SubjectVerification(SubjectMatch):
    """The result for a photo: the compared `face`, and the number of faces that count in the photo."""

    photo: Photo
    faces_found: int
    face: Face
    models: Models
    timings_ms: Timings


def verify_subject(
    collection: str,
    subject: str,
    photo: Image,
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    attributes: str | Sequence[str] | None = None,
    threshold: float | None = None,
    faces: FaceRule | None = None,
    crops: bool | None = None,
) -> ApiCall[SubjectVerification]:
    """Check whether a photo shows an enrolled subject, by the subject's most similar face.

    Args:
        photo, detector, liveness_network, attributes, crops: as in `embed`.
        liveness: with "require", a spoof never matches.
        threshold: minimum cosine similarity. Default: the collection's or, without one, the embedder's; see `models`.
        faces: which face of the photo to compare. Default: the prominent one. With "all", the most similar one.
    """
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "verify"),
        params=given(locals(), verify_subject.__kwdefaults__),
        form={"subject": [subject]},
        files=[("photo", upload_from(photo))],
        decode=partial(decode, SubjectVerification),
    )


def verify_subject_embedding(
    collection: str, subject: str, embedding: Embedding, *, threshold: float | None = None
) -> ApiCall[SubjectMatch]:
    """Check whether an embedding matches an enrolled subject. Its contract must be the collection's.

    Args:
        threshold: as in `verify_subject`.
    """
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "verify", "embedding"),
        json={
            "subject": subject,
            "embedding": embedding.as_json(),
            **given(locals(), verify_subject_embedding.__kwdefaults__),
        },
        decode=partial(decode, SubjectMatch),
    )
