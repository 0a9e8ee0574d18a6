"""Enrols photos of a folder of people, without sending those that are already enrolled."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from facegraph.cli.output import ReportProgress
from facegraph.cli.person_folders import FileOutcome, refused_file, unreadable_file
from facegraph.client import AsyncClient, DuplicatePolicy, EnrolledPhoto, FaceRule, ForbiddenError, StoredFace
from gallery.records import MAX_FACES_PER_PHOTO, digest, photo_source, subject_key
from gallery.subject_ids import refuse_blank
from project.request_error import RequestError

T = TypeVar("T")

BATCH = 4
"""Photos per request. Few, so that each request meets the service's timeout while others are in progress."""


@dataclass(frozen=True)
class RequestedRules:
    """The rules in a request that decide which photos and faces are enrolled; see docs/v1.md."""

    quality: Literal["report", "require"]
    faces: FaceRule
    duplicate: DuplicatePolicy = "allow"


def face_ids(subject: str, photo: bytes, every_face: bool) -> list[str]:
    """Return the ids that the service gives to the faces of a photo; see `gallery.records.NewFace`.

    Args:
        every_face: whether all faces of the photo are enrolled, as with the rule ``all``, or only one.
    """
    key, photo_digest = subject_key(subject), hashlib.sha256(photo).hexdigest()
    numbers = range(MAX_FACES_PER_PHOTO) if every_face else [None]
    return [digest(key, photo_source(photo_digest, number)) for number in numbers]


@dataclass(frozen=True)
class FolderEnrolment:
    """Enrols photos with a client.

    Attributes:
        parallel: maximum number of requests in progress.
        report: called with the progress.
    """

    client: AsyncClient
    parallel: int
    report: ReportProgress

    async def subject_ids(self, collection: str) -> list[str]:
        """Return the ids of a collection's subjects; empty if the key has only the scope enrol."""
        try:
            return [subject.id async for subject in self.client.subjects(collection)]
        except ForbiddenError:
            return []

    async def enrolled_faces(self, collection: str, subjects: Sequence[str]) -> dict[str, tuple[StoredFace, ...]]:
        """Return the faces of each of `subjects`, which are all in the collection."""
        found: dict[str, tuple[StoredFace, ...]] = {}

        async def look_up(subject: str) -> None:
            found[subject] = (await self.client.subject(collection, subject)).faces
            self.report(f"reading {collection}", len(found), len(subjects))

        await run_parallel(self.parallel, look_up, subjects)
        return found

    async def enrol(
        self,
        collection: str,
        before: Iterable[str],
        photos: Mapping[str, Sequence[Path]],
        rules: RequestedRules,
        outcomes: list[FileOutcome],
    ) -> None:
        """Enrol the photos that are not enrolled yet, and append the outcome of each to `outcomes` once it is known.

        Args:
            before: ids of the collection's subjects. If some are missing, the service itself recognises their photos.
            photos: by subject.
        """
        stored = await self.enrolled_faces(collection, sorted(photos.keys() & set(before)))
        known, new = {face.face_id for faces in stored.values() for face in faces}, list[tuple[str, Path]]()
        for subject, path in ((subject, path) for subject, paths in photos.items() for path in paths):
            try:
                refuse_blank(subject)
                ids = face_ids(subject, path.read_bytes(), rules.faces == "all")
            except OSError as error:
                outcomes.append(unreadable_file(subject, path, error))
            except RequestError as error:
                outcomes.append(refused_file(subject, path, error.code, error.message))
            else:
                if known.isdisjoint(ids):
                    new.append((subject, path))
                else:
                    outcomes.append(FileOutcome(subject, str(path), "already"))
        not_sent = len(outcomes)

        async def send(batch: Sequence[tuple[str, Path]]) -> None:
            async for photo in self.client.enrol_many(
                collection, batch, quality=rules.quality, faces=rules.faces, duplicate=rules.duplicate
            ):
                outcomes.append(_outcome(photo, batch[photo.photo][1]))
                self.report(f"enrolling in {collection}", len(outcomes) - not_sent, len(new))

        await run_parallel(self.parallel, send, [new[start : start + BATCH] for start in range(0, len(new), BATCH)])


def _outcome(photo: EnrolledPhoto, path: Path) -> FileOutcome:
    if photo.status == "enrolled":
        return FileOutcome(photo.subject, str(path), "enrolled", *_duplicate(photo))
    if photo.status == "already":
        return FileOutcome(photo.subject, str(path), "already")
    if photo.status == "moved":
        return refused_file(photo.subject, path, "MOVED", "It was enrolled for this subject, which has been renamed")
    if photo.error is None:
        # Another client deleted it after an attempt whose response was lost.
        return refused_file(photo.subject, path, photo.status.upper(), "It is not enrolled")
    code, message = _duplicate(photo) or (photo.error.code, photo.error.message)
    return refused_file(photo.subject, path, code, message)


def _duplicate(photo: EnrolledPhoto) -> tuple[str, str] | tuple[()]:
    """Return a code and a message if the photo's face resembles another subject."""
    if photo.duplicate is None:
        return ()
    resembled = photo.duplicate.subject or "another subject"
    return "DUPLICATE_FACE", f"The face resembles {resembled}: similarity {photo.duplicate.similarity:.3f}"


async def run_parallel(parallel: int, work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Await `work` for each item, at most `parallel` at a time. The first error cancels the others."""
    remaining = iter(items)

    async def run_serially() -> None:
        for item in remaining:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(run_serially())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
