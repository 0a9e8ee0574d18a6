"""The operations of a gallery, each forwarded to the writer or a reader."""

# Operations have no bodies, because they are forwarded.
# mypy: disable-error-code="empty-body"

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

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
Operations = TypeVar("Operations")


def _forwarding(changes: bool) -> Callable[[type[Operations]], type[Operations]]:
    """Forward each operation of a class to `Gallery.perform`."""

    def forwarded(operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        async def forward(gallery: "Gallery", /, *args: Any, **options: Any) -> Any:
            return await gallery.perform(operation, changes, *args, **options)

        return forward

    def decorate(operations: type[Operations]) -> type[Operations]:
        for operation in filter(iscoroutinefunction, list(vars(operations).values())):
            setattr(operations, operation.__name__, forwarded(operation))
        return operations

    return decorate


@_forwarding(changes=False)
class GalleryReads:
    """Searching and listing; `gallery.reading.reader.Reader` documents and implements each operation."""

    async def collections(self) -> list[Collection]: ...
    async def collection(self, name: str) -> Collection: ...
    async def statistics(self, name: str) -> tuple[Collection, Statistics]: ...
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


@_forwarding(changes=True)
class GalleryChanges:
    """Changing the gallery; `gallery.writing.writer.Writer` documents and implements each operation."""

    async def create(
        self, name: str, kind: EmbeddingKind, threshold: float | None, exist_ok: bool = False
    ) -> Collection: ...
    async def set_threshold(self, name: str, threshold: float | None) -> Collection: ...
    async def drop(self, name: str, *, only_empty: bool = False) -> None: ...
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
    async def delete_faces(self, name: str, face_ids: Sequence[str], subject_pattern: str = ANY) -> dict[str, str]: ...
    async def clean(self) -> dict[str, int]: ...


class Gallery(GalleryReads, GalleryChanges, ABC):
    """Everything that routes and flows need from a gallery."""

    @abstractmethod
    async def perform(self, operation: Callable[..., Any], changes: bool, /, *args: Any, **options: Any) -> Any:
        """Have the writer perform `operation` if it `changes` the gallery, and a reader otherwise."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the gallery was open and responding at the last check."""

    @abstractmethod
    def unreadable(self) -> Sequence[str]:
        """Names of the collections that could not be read at the last check."""

    @abstractmethod
    def indexes(self) -> Sequence[IndexHealth]:
        """The state of the indexes by model, at the last check."""
