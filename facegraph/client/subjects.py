"""Subjects of a collection and their faces: listing and deleting."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from facegraph.client.call import Call, Page, gone, path_of
from facegraph.client.decoding import decode
from facegraph.client.errors import NotFoundError

_PAGE = 1000
_NOT_CARRIED = (".", "..")
"""Ids that proxies take out of an address, and would so delete the collection for a subject of it."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A subject of a collection; `faces` is how many it has."""

    id: str
    faces: int
    first_enrolled: datetime
    last_enrolled: datetime


@dataclass(frozen=True, kw_only=True)
class StoredFace:
    """An enrolled face; the label is the name of the file that it came from."""

    face_id: str
    label: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class SubjectFaces:
    """A subject with its faces, first enrolled first."""

    id: str
    faces: tuple[StoredFace, ...]


@dataclass(frozen=True, kw_only=True)
class SubjectsPage:
    """A page of subjects in the order of their ids' code points; `next` is the `after` of the next page."""

    subjects: tuple[Subject, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """How many faces were deleted."""

    deleted_faces: int


def subjects(collection: str, *, after: str = "") -> Call[Page[Subject]]:
    """List the subjects of a collection, in the order of their ids' code points.

    Args:
        collection: its name.
        after: an id; the subjects behind it are listed.
    """

    def page(body: Any) -> Page[Subject]:
        found = decode(SubjectsPage, body)
        last = found.next
        return Page(found.subjects, lambda: None if last is None else subjects(collection, after=last))

    params = {"after": after, "limit": _PAGE}
    return Call(method="GET", path=path_of("collections", collection, "subjects"), params=params, decode=page)


def subject(collection: str, subject: str) -> Call[SubjectFaces]:
    """List the faces of a subject."""
    path = path_of("collections", collection, "subjects", subject)
    return Call(method="GET", path=path, decode=partial(decode, SubjectFaces))


def delete_subject(collection: str, subject: str) -> Call[int]:
    """Delete a subject with all its faces; gives how many these were.

    It is 0 where an attempt whose answer was lost has deleted them already.
    """
    if subject in _NOT_CARRIED:
        return _delete_by_body(collection, subject)
    path = path_of("collections", collection, "subjects", subject)
    return Call(method="DELETE", path=path, decode=_deleted, settle=gone(0))


def delete_subjects(collection: str, subjects: Iterable[str]) -> Call[int]:
    """Delete many subjects in one step, 1 to 1,000; gives how many faces these had.

    Those that are not there are no error.
    """
    path = path_of("collections", collection, "subjects", "delete")
    return Call(method="POST", path=path, json={"ids": list(subjects)}, decode=_deleted)


def delete_face(collection: str, face_id: str) -> Call[int]:
    """Delete one face of a subject; gives 1, or 0 as `delete_subject` does."""
    path = path_of("collections", collection, "faces", face_id)
    return Call(method="DELETE", path=path, decode=_deleted, settle=gone(0))


def _delete_by_body(collection: str, subject: str) -> Call[int]:
    def deleted(body: Any) -> int:
        if not (count := _deleted(body)):
            raise NotFoundError("SUBJECT_NOT_FOUND", "The collection has no subject with this id", 404)
        return count

    return replace(delete_subjects(collection, [subject]), decode=deleted, settle=gone(0))


def _deleted(body: Any) -> int:
    return decode(Deleted, body).deleted_faces
