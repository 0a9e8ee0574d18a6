"""Lists, describes, renames, merges and deletes the subjects of a collection and their faces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from facegraph.client.api_call import ApiCall, Page, api_path, result_if_done
from facegraph.client.decoding import decode, decode_field
from facegraph.client.errors import NotFoundError

_PAGE_SIZE = 1000
_DOT_SEGMENTS = (".", "..")
"""Ids that proxies remove from a path, which would turn deleting a subject into deleting the collection."""
_deleted_faces = partial(decode_field, "deleted_faces", int)
_moved_faces = partial(decode_field, "moved_faces", int)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A subject of a collection. `faces` is the number of its faces. `metadata` is None unless requested."""

    id: str
    faces: int
    first_enrolled: datetime
    last_enrolled: datetime
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class StoredFace:
    """An enrolled face. The label is the name of the file it was enrolled from."""

    face_id: str
    label: str
    created: datetime


@dataclass(frozen=True, kw_only=True)
class SubjectFaces:
    """A subject with its metadata, if it has any, and its faces, oldest first."""

    id: str
    metadata: dict[str, Any] | None = None
    faces: tuple[StoredFace, ...]


@dataclass(frozen=True, kw_only=True)
class SubjectsPage:
    """A page of subjects, ordered by the code points of their ids. `next` is the `after` of the next page."""

    subjects: tuple[Subject, ...]
    next: str | None


def subjects(collection: str, *, after: str = "", metadata: bool = False) -> ApiCall[Page[Subject]]:
    """List the subjects of a collection, ordered by the code points of their ids.

    Args:
        after: list only the subjects that follow this id.
        metadata: whether to return the metadata of each subject.
    """

    def page(body: Any) -> Page[Subject]:
        found = decode(SubjectsPage, body)
        last = found.next
        return Page(
            found.subjects,
            lambda: None if last is None else subjects(collection, after=last, metadata=metadata),
        )

    params = {"after": after, "limit": _PAGE_SIZE, "metadata": metadata}
    return ApiCall(method="GET", path=api_path("collections", collection, "subjects"), params=params, decode=page)


def subject(collection: str, subject: str) -> ApiCall[SubjectFaces]:
    """Return the metadata and the faces of a subject."""
    path = api_path("collections", collection, "subjects", subject)
    return ApiCall(method="GET", path=path, decode=partial(decode, SubjectFaces))


def set_metadata(collection: str, subject: str, metadata: Mapping[str, Any] | None) -> ApiCall[None]:
    """Replace the metadata of a subject.

    Args:
        metadata: a JSON object of at most 4,096 bytes and 5 levels; None to remove the metadata.
    """
    path = api_path("collections", collection, "subjects", subject)
    return ApiCall(method="PATCH", path=path, json={"metadata": metadata}, decode=lambda body: None)


def rename_subject(collection: str, subject: str, new: str) -> ApiCall[int]:
    """Give a subject another id, and return the number of its faces. They keep their ids.

    The result is 0 if an earlier attempt, whose response was lost, has already renamed it.

    Args:
        new: an id that no subject of the collection has.
    """
    return _move(collection, "rename", {"subject": subject, "new": new})


def merge_subjects(collection: str, subjects: Iterable[str], into: str) -> ApiCall[int]:
    """Give the faces of 1 to 1,000 subjects to another subject in one commit, and return their number.

    The result is 0 as in `rename_subject`.

    Args:
        into: another subject of the collection.
    """
    return _move(collection, "merge", {"subjects": list(subjects), "into": into})


def delete_subject(collection: str, subject: str) -> ApiCall[int]:
    """Delete a subject and return the number of its faces.

    The result is 0 if an earlier attempt, whose response was lost, has already deleted the subject.
    """
    if subject in _DOT_SEGMENTS:
        return _delete_in_body(collection, subject)
    path = api_path("collections", collection, "subjects", subject)
    return ApiCall(method="DELETE", path=path, decode=_deleted_faces, on_error=result_if_done(0))


def delete_subjects(collection: str, subjects: Iterable[str]) -> ApiCall[int]:
    """Delete 1 to 1,000 subjects in one commit and return the number of their faces. Unknown ids are ignored."""
    path = api_path("collections", collection, "subjects", "delete")
    return ApiCall(method="POST", path=path, json={"ids": list(subjects)}, decode=_deleted_faces)


def delete_face(collection: str, face_id: str) -> ApiCall[int]:
    """Delete one face. The result is 1, or 0 as in `delete_subject`."""
    path = api_path("collections", collection, "faces", face_id)
    return ApiCall(method="DELETE", path=path, decode=_deleted_faces, on_error=result_if_done(0))


def _move(collection: str, how: str, body: dict[str, Any]) -> ApiCall[int]:
    path = api_path("collections", collection, "subjects", how)
    return ApiCall(method="POST", path=path, json=body, decode=_moved_faces, on_error=result_if_done(0))


def _delete_in_body(collection: str, subject: str) -> ApiCall[int]:
    def deleted(body: Any) -> int:
        if not (count := _deleted_faces(body)):
            raise NotFoundError("SUBJECT_NOT_FOUND", "The collection has no subject with this id", 404)
        return count

    return replace(delete_subjects(collection, [subject]), decode=deleted, on_error=result_if_done(0))
