"""Enrols subjects in a collection, from photos or from existing embeddings."""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal, TypeAlias, TypeVar

from facegraph.client.api_call import ApiCall, Page, api_path, reraise
from facegraph.client.decoding import decode
from facegraph.client.errors import RefusedPhotoError, ServiceError, TooLargeError
from facegraph.client.images import Image, upload_from
from facegraph.client.schemas import Embedding, Face, FaceRule, LivenessPolicy, Models, Reason, given
from facegraph.client.upload_batches import PhotoEntry, upload_batches

T = TypeVar("T")


DuplicatePolicy: TypeAlias = Literal["refuse", "report", "allow"]


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """The most similar face of another subject. Subject and face id are None if the key lacks the scope read."""

    subject: str | None
    face_id: str | None
    similarity: float


@dataclass(frozen=True, kw_only=True)
class EnrolledPhoto:
    """The outcome for one photo, or for one of its faces with faces="all".

    Attributes:
        photo: index of the photo among those given.
        label: name of the photo's file.
        status: ``enrolled``; ``already`` if the same photo was enrolled for the subject before; ``moved`` if it was,
            but that subject has since been renamed or merged; ``deleted`` if an earlier attempt, whose response was
            lost, enrolled the face and it has since been deleted; or ``refused``.
        error: why the photo was refused.
        reasons: all flaws of the face, even if it was enrolled.
        face: None if no face was selected.
        duplicate: the other subject that the face resembles; None if there is none, or faces were not checked.
    """

    photo: int
    label: str
    subject: str
    status: str
    face_id: str | None
    error: Reason | None
    reasons: tuple[Reason, ...]
    faces_found: int
    face: Face | None
    duplicate: Duplicate | None = None


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """The outcome for each photo, in order, and the number of photos with each status."""

    enrolled: int
    already: int
    moved: int = 0
    deleted: int
    refused: int
    photos: tuple[EnrolledPhoto, ...]
    models: Models


@dataclass(frozen=True)
class SubjectEmbedding:
    """An embedding to enrol without a photo."""

    subject: str
    embedding: Embedding
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class EnrolledEmbedding:
    """The outcome for one embedding. Status and duplicate are as in `EnrolledPhoto`."""

    subject: str
    face_id: str
    status: str
    duplicate: Duplicate | None = None


@dataclass(frozen=True, kw_only=True)
class EmbeddingsEnrolment:
    """The outcome for each embedding, in order, and the number of new ones."""

    enrolled: int
    faces: tuple[EnrolledEmbedding, ...]


def enrol(
    collection: str,
    subject: str,
    *photos: Image,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    quality: Literal["report", "require"] | None = None,
    faces: FaceRule | None = None,
    duplicate: DuplicatePolicy | None = None,
    replace: bool | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ApiCall[Enrolment]:
    """Enrol one face from each photo of a subject, all in one commit.

    A refused photo does not prevent the others from being enrolled; `Enrolment.photos` reports each. If all are
    refused, the call raises `RefusedPhotoError` with the code of the first; `details["photos"]` lists all outcomes.

    Args:
        subject: id of 1 to 512 characters, at least one of them visible.
        photos: 1 to 64 photos, about 28 MB in total. `enrol_many` takes more.
        detector, liveness, liveness_network: as in `detect`. With liveness "require", a spoof is refused.
        quality: "require", the default, refuses a face of poor quality.
        faces: which face of each photo to enrol. By default a photo must have exactly one. With "all", every face of a
            photo is enrolled for the subject.
        duplicate: "refuse" refuses a face that resembles another subject of the collection, "report" reports it.
            Default: faces are not checked.
        replace: whether to delete the subject's other faces in the same commit.
        metadata: new metadata of the subject, a JSON object of at most 4,096 bytes and 5 levels.
    """
    if not photos:
        raise ValueError("there is no photo to enrol")
    entries = [PhotoEntry(subject, upload_from(photo)) for photo in photos]
    options = given(locals(), enrol.__kwdefaults__)
    form = {"metadata": [json.dumps(options.pop("metadata"))]} if "metadata" in options else {}
    return _enrol(collection, entries, options, partial(decode, Enrolment), form=form)


def enrol_many(
    collection: str,
    photos: Iterable[tuple[str, Image]],
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    liveness_network: str | None = None,
    quality: Literal["report", "require"] | None = None,
    faces: FaceRule | None = None,
    duplicate: DuplicatePolicy | None = None,
) -> ApiCall[Page[EnrolledPhoto]] | None:
    """Enrol any number of photos and yield the outcome of each, in order. A refused photo is not an error.

    Nothing is sent until the result is iterated. Photos are read as needed and sent in requests within the service's
    limits. After an error, the photos already reported are enrolled, and the whole call can be repeated: faces
    that are already enrolled stay unchanged.

    Args:
        photos: pairs of a subject's id and a photo.
        detector, liveness, liveness_network, quality, faces, duplicate: as in `enrol`.
    """
    options = given(locals(), enrol_many.__kwdefaults__)
    entries = (PhotoEntry(subject, upload_from(photo)) for subject, photo in photos)
    return _enrol_batches(collection, upload_batches(entries), options, 0)


def enrol_embeddings(
    collection: str,
    embeddings: Iterable[SubjectEmbedding],
    *,
    duplicate: DuplicatePolicy | None = None,
    replace: bool | None = None,
    metadata: Mapping[str, Mapping[str, Any]] | None = None,
) -> ApiCall[EmbeddingsEnrolment]:
    """Enrol existing embeddings, either all or none.

    Args:
        embeddings: 1 to 1,000 embeddings with the collection's contract.
        duplicate: as in `enrol`. With "refuse", no embedding is enrolled if one resembles another subject; the error's
            `details["duplicates"]` lists them.
        replace: whether to delete the subjects' other faces in the same commit.
        metadata: new metadata by subject id, each as in `enrol`. Other subjects keep theirs.

    Raises:
        ValueError: there are no embeddings, or they have different contracts.
    """
    entries = list(embeddings)
    contracts = {each.embedding.contract for each in entries}
    if len(contracts) != 1:
        raise ValueError(f"embeddings enrolled together must have one contract; these have {len(contracts)} contracts")
    sent = [{"subject": e.subject, "values": e.embedding.values, "label": e.label} for e in entries]
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "embeddings"),
        json={"contract": contracts.pop(), "embeddings": sent, **given(locals(), enrol_embeddings.__kwdefaults__)},
        headers=_idempotency_key(),
        decode=partial(decode, EmbeddingsEnrolment),
    )


def _enrol(
    collection: str,
    entries: Sequence[PhotoEntry],
    options: dict[str, Any],
    read: Callable[[Any], T],
    on_error: Callable[[ServiceError, bool], T] = reraise,
    form: Mapping[str, list[str]] | None = None,
) -> ApiCall[T]:
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "faces"),
        params=options,
        form={"subject": [entry.subject for entry in entries], **(form or {})},
        files=[("photo", entry.upload) for entry in entries],
        headers=_idempotency_key(),
        decode=read,
        on_error=on_error,
    )


def _enrol_batches(
    collection: str, remaining: Iterator[list[PhotoEntry]], options: dict[str, Any], first: int
) -> ApiCall[Page[EnrolledPhoto]] | None:
    """The call for the next batch, or None. `first` is the index of its first photo among all photos."""
    if (entries := next(remaining, None)) is None:
        return None

    def page(photos: Iterable[EnrolledPhoto]) -> Page[EnrolledPhoto]:
        placed = [replace(each, photo=first + each.photo) for each in photos]
        return Page(placed, lambda: _enrol_batches(collection, remaining, options, first + len(entries)))

    def on_error(error: ServiceError, maybe_done: bool) -> Page[EnrolledPhoto]:
        if isinstance(error, RefusedPhotoError) and "photos" in error.details:
            return page(decode(tuple[EnrolledPhoto, ...], error.details["photos"]))
        if not isinstance(error, TooLargeError):
            raise error
        if len(entries) == 1:
            return page([_refused(entries[0], error)])
        # The service may be configured to accept less than its default.
        half = len(entries) // 2
        halves = chain([entries[:half], entries[half:]], remaining)
        return Page((), lambda: _enrol_batches(collection, halves, options, first))

    return _enrol(collection, entries, options, lambda body: page(decode(Enrolment, body).photos), on_error)


def _refused(entry: PhotoEntry, error: ServiceError) -> EnrolledPhoto:
    return EnrolledPhoto(
        photo=0,
        label=entry.upload.name,
        subject=entry.subject,
        status="refused",
        face_id=None,
        error=Reason(code=error.code, message=error.message),
        reasons=(),
        faces_found=0,
        face=None,
    )


def _idempotency_key() -> dict[str, str]:
    """A header by which the service recognises a repeated request."""
    return {"Idempotency-Key": uuid.uuid4().hex}
