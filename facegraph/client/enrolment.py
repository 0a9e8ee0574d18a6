"""Enrolling subjects in a collection: with photos, or with embeddings that are there already."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal, TypeVar

from facegraph.client.batches import Entry, batches
from facegraph.client.call import Call, Page, path_of, raised
from facegraph.client.decoding import decode
from facegraph.client.errors import RefusedPhotoError, ServiceError, TooLargeError
from facegraph.client.images import Image, file_of
from facegraph.client.schemas import Embedding, Face, FaceRule, LivenessPolicy, Models, given

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a photo was refused, or what speaks against it; the code is one of docs/v1.md."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class EnrolledPhoto:
    """What became of one photo, or with faces="all" of one of its faces; `photo` is its place among those given.

    status is ``enrolled``; ``already``: the same photo of the same subject was there before; ``deleted``: the face
    was enrolled by an attempt whose answer was lost, and deleted since; or ``refused``, with `error`. `reasons` are
    all that speaks against the face, even if it was enrolled.
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


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """What became of each photo, in order, and how many have each status."""

    enrolled: int
    already: int
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
    """What became of one embedding; status as in `EnrolledPhoto`."""

    subject: str
    face_id: str
    status: str


@dataclass(frozen=True, kw_only=True)
class EmbeddingsEnrolment:
    """What became of each embedding, in order, and how many are new."""

    enrolled: int
    faces: tuple[EnrolledEmbedding, ...]


def enrol(
    collection: str,
    subject: str,
    *photos: Image,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    quality: Literal["report", "require"] | None = None,
    faces: FaceRule | None = None,
    replace: bool | None = None,
) -> Call[Enrolment]:
    """Enrol one face of each photo of a subject, all in one commit.

    A photo that is refused does not keep the others out: `Enrolment.photos` tells of each. Only if all are refused
    is it an error, `RefusedPhotoError`, with the first one's code and all of them in `details["photos"]`.

    Args:
        collection: its name.
        subject: an id of 1 to 512 characters, at least one of them visible.
        photos: 1 to 64, of together about 28 MB; see `enrol_many` for more.
        detector, liveness: as in `detect`; with liveness "require" a spoof is refused.
        quality: "require", unless told otherwise, refuses a poor face.
        faces: which face of a photo counts; unless told otherwise there must be one. With all, each face of a photo is
            enrolled for its subject.
        replace: whether the subject's other faces are deleted in the same commit.
    """
    options = given(detector=detector, liveness=liveness, quality=quality, faces=faces, replace=replace)
    if not photos:
        raise ValueError("there is no photo to enrol")
    entries = [Entry(subject, file_of(photo)) for photo in photos]
    return _enrol(collection, entries, options, partial(decode, Enrolment))


def enrol_many(
    collection: str,
    photos: Iterable[tuple[str, Image]],
    *,
    detector: str | None = None,
    liveness: LivenessPolicy | None = None,
    quality: Literal["report", "require"] | None = None,
    faces: FaceRule | None = None,
) -> Call[Page[EnrolledPhoto]] | None:
    """Enrol any number of photos, and tell of each, in order; one that is refused is never an error.

    Nothing is sent until the result is iterated: photos are read as they are needed, and sent in requests within the
    service's limits. Where it ends with an error, what was told is enrolled, and all of it can be given once more:
    what is there already stays as it is.

    Args:
        collection: its name.
        photos: pairs of a subject's id and a photo.
        detector, liveness, quality, faces: as in `enrol`.
    """
    options = given(detector=detector, liveness=liveness, quality=quality, faces=faces)
    entries = (Entry(subject, file_of(photo)) for subject, photo in photos)
    return _following(collection, batches(entries), options, 0)


def enrol_embeddings(
    collection: str, embeddings: Iterable[SubjectEmbedding], *, replace: bool | None = None
) -> Call[EmbeddingsEnrolment]:
    """Enrol embeddings that are there already, all or none.

    Args:
        collection: its name.
        embeddings: 1 to 1,000 of one contract, the collection's.
        replace: whether the subjects' other faces are deleted in the same commit.

    Raises:
        ValueError: there is none, or they are of several contracts.
    """
    entries = list(embeddings)
    contracts = {each.embedding.contract for each in entries}
    if len(contracts) != 1:
        raise ValueError(f"embeddings are enrolled with those of their contract; these have {len(contracts)} contracts")
    sent = [{"subject": e.subject, "values": e.embedding.values, "label": e.label} for e in entries]
    return Call(
        method="POST",
        path=path_of("collections", collection, "embeddings"),
        json={"contract": contracts.pop(), "embeddings": sent, **given(replace=replace)},
        headers=_once(),
        decode=partial(decode, EmbeddingsEnrolment),
    )


def _enrol(
    collection: str,
    entries: Sequence[Entry],
    options: dict[str, Any],
    read: Callable[[Any], T],
    settle: Callable[[ServiceError, bool], T] = raised,
) -> Call[T]:
    return Call(
        method="POST",
        path=path_of("collections", collection, "faces"),
        params=options,
        form={"subject": [entry.subject for entry in entries]},
        files=[("photo", entry.file) for entry in entries],
        headers=_once(),
        decode=read,
        settle=settle,
    )


def _following(
    collection: str, left: Iterator[list[Entry]], options: dict[str, Any], first: int
) -> Call[Page[EnrolledPhoto]] | None:
    """The next batch's request; `first` is its first photo's place among all."""
    if (entries := next(left, None)) is None:
        return None

    def page(photos: Iterable[EnrolledPhoto]) -> Page[EnrolledPhoto]:
        placed = [replace(each, photo=first + each.photo) for each in photos]
        return Page(placed, lambda: _following(collection, left, options, first + len(entries)))

    def settle(error: ServiceError, perhaps_done: bool) -> Page[EnrolledPhoto]:
        if isinstance(error, RefusedPhotoError) and "photos" in error.details:
            return page(decode(tuple[EnrolledPhoto, ...], error.details["photos"]))
        if not isinstance(error, TooLargeError):
            raise error
        if len(entries) == 1:
            return page([_refused(entries[0], error)])
        # A service may be set to take less than it does by default.
        half = len(entries) // 2
        halves = chain([entries[:half], entries[half:]], left)
        return Page((), lambda: _following(collection, halves, options, first))

    return _enrol(collection, entries, options, lambda body: page(decode(Enrolment, body).photos), settle)


def _refused(entry: Entry, error: ServiceError) -> EnrolledPhoto:
    return EnrolledPhoto(
        photo=0,
        label=entry.file.name,
        subject=entry.subject,
        status="refused",
        face_id=None,
        error=Reason(code=error.code, message=error.message),
        reasons=(),
        faces_found=0,
        face=None,
    )


def _once() -> dict[str, str]:
    """A request that is sent again is known by it to be the same."""
    return {"Idempotency-Key": uuid.uuid4().hex}
