"""The operations of a gallery, as typed protocols, and a client that forwards each to wherever it runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gallery.records import (
    Collection,
    EmbeddingKind,
    Enrolled,
    FaceHit,
    Hit,
    IndexHealth,
    KeptAnswer,
    KnownStatus,
    Metadata,
    NewFace,
    Reassignment,
    Statistics,
    StoredFace,
    Subject,
)

if TYPE_CHECKING:
    import pyarrow as pa

ANY = "(?s:.*)"
"""A regular expression that every subject's id matches."""
Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class GalleryReads(Protocol):
    """Searching and listing; `gallery.reading.reader.Reader` documents and implements each operation."""

    async def collections(self) -> list[Collection]: ...
    async def collection(self, name: str) -> Collection: ...
    async def statistics(self, name: str) -> tuple[Collection, Statistics]: ...
    async def count(self, collection: Collection) -> int: ...
    async def subjects(self, name: str, after: str, limit: int | None) -> list[Subject]: ...
    async def subject_ids(self, name: str, after: str, limit: int, skipped: str) -> dict[str, bool]: ...
    async def totals(self, name: str, skipped: str) -> tuple[Collection, int, int]: ...
    async def faces(self, collection: Collection, subject: str) -> list[StoredFace]: ...
    async def enrolment_statuses(
        self, collection: Collection, faces: Sequence[NewFace], again: bool
    ) -> list[KnownStatus | None]: ...
    async def closest_faces(
        self, name: str, contract: str, subject: str, probes: Sequence[NDArray[np.float32]]
    ) -> tuple[Collection, list[Hit]]: ...
    async def metadata(self, name: str, subjects: Sequence[str]) -> dict[str, Metadata]: ...
    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]: ...
    async def find_like(
        self, name: str, count: int, *, face_id: str | None = None, subject: str | None = None
    ) -> tuple[Collection, list[Hit]]: ...
    async def find_faces(
        self, name: str, contract: str, probe: NDArray[np.float32], count: int, least: float
    ) -> tuple[Collection, list[FaceHit]]: ...
    async def faces_with_ids(self, name: str, face_ids: Sequence[str]) -> tuple[Collection, list[StoredFace]]: ...
    async def faces_after(self, name: str, after: str, limit: int) -> tuple[Collection, list[StoredFace]]: ...
    async def faces_if_any(self, name: str, subject: str) -> tuple[Collection, list[StoredFace]]: ...
    async def subject_and_faces(
        self, name: str, subject: str, face_ids: Sequence[str]
    ) -> tuple[Collection, dict[str, tuple[str, NDArray[np.float32]]]]: ...
    async def embeddings(
        self, name: str, face_ids: Sequence[str]
    ) -> tuple[Collection, dict[str, NDArray[np.float32]]]: ...


class GalleryChanges(Protocol):
    """Changing the gallery; `gallery.writing.writer.Writer` documents and implements each operation."""

    async def create(
        self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool = False
    ) -> Collection: ...
    async def set_threshold(self, name: str, threshold: float | None) -> Collection: ...
    async def drop(self, name: str) -> None: ...
    async def enrol(
        self,
        name: str,
        contract: str,
        faces: Sequence[NewFace],
        *,
        replace: bool = False,
        request: tuple[str, str] | None = None,
        metadata: Mapping[str, Metadata] | None = None,
    ) -> list[Enrolled]: ...
    async def insert(self, name: str, contract: str, faces: "pa.RecordBatch") -> int: ...
    async def set_metadata(self, name: str, subject: str, metadata: Metadata | None) -> None: ...
    async def rename_subject(self, name: str, subject: str, new: str) -> int: ...
    async def merge_subjects(self, name: str, subjects: Sequence[str], into: str) -> int: ...
    async def reassign_faces(
        self,
        name: str,
        faces: Mapping[str, Reassignment],
        *,
        keep: Sequence[str] = (),
        drop: Sequence[str] = (),
        kept: KeptAnswer | None = None,
    ) -> tuple[list[str], str | None]: ...
    async def create_subject(
        self, name: str, subject: str, request: str, kept: KeptAnswer | None = None
    ) -> str | None: ...
    async def earlier_answer(self, name: str, request: tuple[str, str]) -> str | None: ...
    async def keep_answer(self, name: str, kept: KeptAnswer) -> None: ...
    async def delete_subjects(self, name: str, subjects: Sequence[str]) -> int: ...
    async def delete_face(self, name: str, face_id: str) -> int: ...
    async def delete_faces(self, name: str, face_ids: Sequence[str], subjects: str = ANY) -> dict[str, str]: ...
    async def clean(self) -> dict[str, int]: ...


class Gallery(GalleryReads, GalleryChanges, Protocol):
    """Everything that routes and flows need from a gallery."""

    def ready(self) -> bool:
        """Whether the gallery was open and responding at the last check."""
        ...

    def unreadable(self) -> Sequence[str]:
        """Names of the collections that could not be read at the last check."""
        ...

    def indexes(self) -> Sequence[IndexHealth]:
        """The state of the indexes by model, at the last check."""
        ...


Operation = Callable[Concatenate[Any, Parameters], Coroutine[Any, Any, Answer]]
"""An operation of `GalleryReads` or `GalleryChanges`, unbound: ``GalleryReads.find``."""


def _forwarded(operation: Operation[Parameters, Answer], changes: bool = False) -> Operation[Parameters, Answer]:
    async def forward(client: "GalleryClient", /, *args: Parameters.args, **options: Parameters.kwargs) -> Answer:
        return await client.perform(operation, changes, *args, **options)

    return forward


class GalleryClient(ABC):
    """Has every operation with its exact signature, and forwards it to `perform`.

    With `ready`, `unreadable` and `indexes`, a subclass is a `Gallery`.
    """

    collections = _forwarded(GalleryReads.collections)
    collection = _forwarded(GalleryReads.collection)
    statistics = _forwarded(GalleryReads.statistics)
    count = _forwarded(GalleryReads.count)
    subjects = _forwarded(GalleryReads.subjects)
    subject_ids = _forwarded(GalleryReads.subject_ids)
    totals = _forwarded(GalleryReads.totals)
    faces = _forwarded(GalleryReads.faces)
    enrolment_statuses = _forwarded(GalleryReads.enrolment_statuses)
    closest_faces = _forwarded(GalleryReads.closest_faces)
    metadata = _forwarded(GalleryReads.metadata)
    find = _forwarded(GalleryReads.find)
    find_like = _forwarded(GalleryReads.find_like)
    find_faces = _forwarded(GalleryReads.find_faces)
    faces_with_ids = _forwarded(GalleryReads.faces_with_ids)
    faces_after = _forwarded(GalleryReads.faces_after)
    faces_if_any = _forwarded(GalleryReads.faces_if_any)
    subject_and_faces = _forwarded(GalleryReads.subject_and_faces)
    embeddings = _forwarded(GalleryReads.embeddings)

    create = _forwarded(GalleryChanges.create, changes=True)
    set_threshold = _forwarded(GalleryChanges.set_threshold, changes=True)
    drop = _forwarded(GalleryChanges.drop, changes=True)
    enrol = _forwarded(GalleryChanges.enrol, changes=True)
    insert = _forwarded(GalleryChanges.insert, changes=True)
    set_metadata = _forwarded(GalleryChanges.set_metadata, changes=True)
    rename_subject = _forwarded(GalleryChanges.rename_subject, changes=True)
    merge_subjects = _forwarded(GalleryChanges.merge_subjects, changes=True)
    reassign_faces = _forwarded(GalleryChanges.reassign_faces, changes=True)
    create_subject = _forwarded(GalleryChanges.create_subject, changes=True)
    earlier_answer = _forwarded(GalleryChanges.earlier_answer, changes=True)
    keep_answer = _forwarded(GalleryChanges.keep_answer, changes=True)
    delete_subjects = _forwarded(GalleryChanges.delete_subjects, changes=True)
    delete_face = _forwarded(GalleryChanges.delete_face, changes=True)
    delete_faces = _forwarded(GalleryChanges.delete_faces, changes=True)
    clean = _forwarded(GalleryChanges.clean, changes=True)

    @abstractmethod
    async def perform(
        self,
        operation: Operation[Parameters, Answer],
        changes: bool,
        /,
        *args: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Answer:
        """Have the writer perform `operation` if it `changes` the gallery, or else a reader."""
