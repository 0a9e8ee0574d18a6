"""Enrolling a folder of people: photos that are enrolled already are not sent again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from facegraph.cli.person_folders import People
from facegraph.cli.terminal import Report
from facegraph.client import AsyncClient, EnrolledPhoto, FaceRule, ForbiddenError, StoredFace
from gallery.records import MOST_FACES, digest, photo_source, subject_key
from gallery.subject_ids import look_alikes, refuse_blank
from imaging.refused import Refused

T = TypeVar("T")

BATCH = 4
"""Photos of a request: few, for all that are under way at once have to be done within the service's timeout."""


@dataclass(frozen=True)
class PersonPhoto:
    """A photo of a subject."""

    subject: str
    path: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a photo.

    Attributes:
        status: ``already``: it was enrolled before; ``refused``: `code` (docs/v1.md, docs/cli.md) and `message` say
            why; ``missing``: a face of it is enrolled elsewhere, but it is not among the photos.
    """

    subject: str
    photo: str
    status: Literal["enrolled", "already", "refused", "missing"]
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Rules:
    """What a photo has to be; see docs/v1.md."""

    quality: Literal["report", "require"]
    faces: FaceRule


def unusable(found: People) -> list[Outcome]:
    """The outcomes of those files of a folder of people that are not photos."""
    return [Outcome(each.subject, str(each.path), "refused", each.code, each.message) for each in found.unusable]


def unreadable(subject: str, path: Path, error: OSError) -> Outcome:
    """The outcome of a file that cannot be read."""
    return Outcome(subject, str(path), "refused", "UNREADABLE", error.strerror or str(error))


def face_ids(subject: str, photo: bytes, every: bool) -> list[str]:
    """The ids that the service gives the face of a photo, or each of its faces; see `gallery.records.NewFace`.

    Args:
        every: whether all faces of a photo are enrolled, with the rule ``all``.
    """
    key, photo_digest = subject_key(subject), hashlib.sha256(photo).hexdigest()
    numbers = range(MOST_FACES) if every else [None]
    return [digest(key, photo_source(photo_digest, number)) for number in numbers]


async def enrolled_faces(
    client: AsyncClient, collection: str, parallel: int, report: Report, among: Iterable[str] | None = None
) -> dict[str, tuple[StoredFace, ...]]:
    """The faces of each subject of a collection, or of those `among` its subjects.

    Args:
        parallel: most requests at once.
    """
    subjects = [subject.id async for subject in client.subjects(collection)]
    if among is not None:
        subjects = sorted(set(subjects) & set(among))
    found: dict[str, tuple[StoredFace, ...]] = {}

    async def look(subject: str) -> None:
        found[subject] = (await client.subject(collection, subject)).faces
        report(f"looking at {collection}", len(found), len(subjects))

    await at_once(parallel, look, subjects)
    return found


async def new_photos(
    client: AsyncClient,
    collection: str,
    found: Mapping[str, Sequence[Path]],
    rules: Rules,
    parallel: int,
    report: Report,
) -> tuple[list[PersonPhoto], list[Outcome]]:
    """Those of the photos `found` that are to be enrolled, and what is known of the others."""
    try:
        faces = await enrolled_faces(client, collection, parallel, report, found)
    except ForbiddenError:
        # A key that may only enrol: the service tells of each photo what is there already.
        faces = {}
    known = {face.face_id for each in faces.values() for face in each}
    new: list[PersonPhoto] = []
    done: list[Outcome] = []
    for subject, paths in found.items():
        for path in paths:
            try:
                refuse_blank(subject)
                is_known = not known.isdisjoint(face_ids(subject, path.read_bytes(), rules.faces == "all"))
            except OSError as error:
                done.append(unreadable(subject, path, error))
            except Refused as refused:
                done.append(Outcome(subject, str(path), "refused", refused.code, refused.message))
            else:
                if is_known:
                    done.append(Outcome(subject, str(path), "already"))
                else:
                    new.append(PersonPhoto(subject, path))
    return new, done


async def enrol(
    client: AsyncClient,
    collection: str,
    photos: Sequence[PersonPhoto],
    rules: Rules,
    parallel: int,
    report: Report,
    outcomes: list[Outcome],
) -> None:
    """Enrol `photos`, and append to `outcomes` what became of each as soon as it is known.

    Args:
        parallel: most requests at once.
    """
    before = len(outcomes)

    async def send(batch: Sequence[PersonPhoto]) -> None:
        told = client.enrol_many(
            collection, [(each.subject, each.path) for each in batch], quality=rules.quality, faces=rules.faces
        )
        async for photo in told:
            outcomes.append(_told(photo, batch[photo.photo].path))
            report(f"enrolling in {collection}", len(outcomes) - before, len(photos))

    await at_once(parallel, send, [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)])


async def look_alikes_among(client: AsyncClient, collection: str, found: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs of ids that look alike, where at least one of the two is among the subjects `found`."""
    try:
        there = [subject.id async for subject in client.subjects(collection)]
    except ForbiddenError:
        # A key that may only enrol.
        there = list(found)
    return [pair for pair in look_alikes(there) if not found.keys().isdisjoint(pair)]


def _told(photo: EnrolledPhoto, path: Path) -> Outcome:
    if photo.status == "enrolled":
        return Outcome(photo.subject, str(path), "enrolled")
    if photo.status == "already":
        return Outcome(photo.subject, str(path), "already")
    if photo.error is None:
        # It was deleted between two attempts, of which the first one's answer was lost.
        return Outcome(photo.subject, str(path), "refused", photo.status.upper(), "It is not enrolled")
    return Outcome(photo.subject, str(path), "refused", photo.error.code, photo.error.message)


async def at_once(parallel: int, work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do `work` on each item, so many at once; the first error ends all of it."""
    left = iter(items)

    async def one_after_another() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(one_after_another())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
