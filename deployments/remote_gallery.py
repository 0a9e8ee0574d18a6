"""How the ingress asks the gallery."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.stage import StageCaller
from gallery.records import Enrolled
from telemetry.timing import note

READS = frozenset({"collections", "collection", "statistics", "count", "subjects", "faces", "find"})
"""Methods of the `Reader`."""
CHANGES = frozenset({"create", "set_threshold", "drop", "enrol", "delete_subjects", "delete_face", "clean"})
"""Methods of the `Writer`."""


class RemoteGallery:
    """The methods of the `Writer` and the `Reader`, each asked of its deployment: a `graphs.stages.Gallery`.

    Args:
        writer, reader: handles of the two.

    Attributes:
        writer, reader: their callers.
    """

    def __init__(self, writer: DeploymentHandle[Any], reader: DeploymentHandle[Any]) -> None:
        self.writer = StageCaller("gallery", "gallery", writer, repeatable=False)
        self.reader = StageCaller("gallery", "gallery", reader)

    def ready(self) -> bool:
        """Whether both answer, and the gallery can be opened."""
        return self.writer.ready() and self.reader.ready()

    def unreadable(self) -> list[str]:
        """Names of the collections that cannot be read, from the reader's last answer."""
        return list(self.reader.readiness.answer or ())

    async def enrol(self, *args: Any, **options: Any) -> list[Enrolled]:
        """Ask the `Writer` to enrol faces, and note what became of each."""
        enrolled: list[Enrolled] = await self.writer.call("call", "enrol", *args, label="enrol", **options)
        for face in enrolled:
            note("enrolment", face.status)
        return enrolled

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        if method in READS:
            return partial(self.reader.call, "call", method, label=method)
        if method in CHANGES:
            return partial(self.writer.call, "call", method, label=method)
        raise AttributeError(f"the gallery has no method {method}")
