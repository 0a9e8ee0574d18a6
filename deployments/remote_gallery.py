"""The ingress's client of the gallery's deployments."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ray.serve.handle import DeploymentHandle

from deployments.stage import Caller
from gallery.operations import Gallery
from gallery.records import Enrolled, IndexHealth, Metadata, NewFace, ReaderReport
from telemetry.request_record import count_outcome

if TYPE_CHECKING:
    import pyarrow as pa


class RemoteGallery(Gallery):
    """A gallery whose operations run in the deployments of the writer and the reader.

    Args:
        writer, reader: handles of these deployments.

    Attributes:
        writer, reader: their callers.
    """

    def __init__(self, writer: DeploymentHandle[Any], reader: DeploymentHandle[Any]) -> None:
        # Stored, because each use of `handle.call` makes a new handle.
        self._change, self._ask = writer.call.remote, reader.call.remote
        self.writer = Caller("gallery", "gallery", writer.deployment_name, writer.ready.remote, repeatable=False)
        self.reader = Caller("gallery", "gallery", reader.deployment_name, reader.ready.remote)

    def ready(self) -> bool:
        """Whether both deployments respond and the gallery is open."""
        return self.writer.ready() and self.reader.ready()

    def unreadable(self) -> Sequence[str]:
        """Names of the collections that could not be read at the reader's last check."""
        return self._report.unreadable

    def indexes(self) -> Sequence[IndexHealth]:
        """The state of the indexes by model, as the reader found it at its last check."""
        return self._report.indexes

    @property
    def _report(self) -> ReaderReport:
        return self.reader.readiness.answer or ReaderReport()

    async def perform(self, operation: Callable[..., Any], changes: bool, /, *args: Any, **options: Any) -> Any:
        """Have the writer perform `operation` if it `changes` the gallery, or else a replica of the reader."""
        name = operation.__name__
        caller, call = (self.writer, self._change) if changes else (self.reader, self._ask)
        return await caller.call(lambda: call(name, *args, **options), label=name)

    async def enrol(
        self,
        name: str,
        contract: str,
        faces: Sequence[NewFace],
        *,
        replace: bool = False,
        request: tuple[str, str] | None = None,
        metadata: Mapping[str, Metadata] | None = None,
    ) -> list[Enrolled]:
        """Enrol faces, and count the outcomes for the request's metrics."""
        enrolled = await super().enrol(name, contract, faces, replace=replace, request=request, metadata=metadata)
        for face in enrolled:
            count_outcome("enrolment", face.status)
        return enrolled

    async def insert(self, name: str, contract: str, faces: "pa.RecordBatch") -> int:
        """Insert faces, and count them for the request's metrics."""
        new = await super().insert(name, contract, faces)
        count_outcome("enrolment", "enrolled", new)
        count_outcome("enrolment", "already", len(faces) - new)
        return new
