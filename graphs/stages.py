"""The stages as a flow sees them: what is known of a network, and how to ask it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gallery.records import Collection, EmbeddingKind, Enrolled, Hit, NewFace, Statistics, StoredFace, Subject
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.pick import Pick
from imaging.refused import Refused

Stage = TypeVar("Stage")

Ready = Callable[[], bool]
"""Whether the stage answers, with its network loaded; told from memory."""


@dataclass(frozen=True, slots=True)
class Network:
    """What the answers tell of the network behind a stage: its card's name, title and licence."""

    model: str
    title: str
    licence: str


class Detect(Protocol):
    """Decode photos, find the faces that count, and cut `crops` from each: `imaging.faces.Detection`."""

    def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Awaitable[Detection]: ...


@dataclass(frozen=True, slots=True)
class DetectorStage:
    """Finds faces."""

    network: Network
    ready: Ready
    detect: Detect


@dataclass(frozen=True, slots=True)
class LivenessStage:
    """Tells live faces from spoofs.

    Attributes:
        crops: what `score` wants of each face, one array a spec, uint8 (n, size, size, 3) RGB.
        score: crops to the live probability, float32 (n).
    """

    network: Network
    ready: Ready
    crops: tuple[CropSpec, ...]
    score: Callable[..., Awaitable[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class EmbedderStage:
    """Turns faces into embeddings.

    Attributes:
        crops: what `embed` wants of each face, one array a spec, uint8 (n, size, size, 3) RGB.
        size: length of an embedding.
        contract: changes whenever embeddings stop being comparable; see `models.card`.
        threshold: cosine similarity at or above which the card says "same person".
        embed: crops to float32 (n, size) of length 1.
    """

    network: Network
    ready: Ready
    crops: tuple[CropSpec, ...]
    size: int
    contract: str
    threshold: float
    embed: Callable[..., Awaitable[NDArray[np.float32]]]

    def kind(self, role: str) -> EmbeddingKind:
        """What the gallery has to know of its embeddings."""
        return EmbeddingKind(role, self.network.model, self.contract, self.size)


NetworkStage = DetectorStage | LivenessStage | EmbedderStage


class Gallery(Protocol):
    """The gallery: what `gallery.reader` and `gallery.writer` can do, and whether they can do it."""

    def ready(self) -> bool: ...
    def unreadable(self) -> Sequence[str]: ...

    async def collections(self) -> list[Collection]: ...
    async def collection(self, name: str) -> Collection: ...
    async def statistics(self, collection: Collection) -> Statistics: ...
    async def count(self, collection: Collection) -> int: ...
    async def subjects(self, collection: Collection, after: str, limit: int | None) -> list[Subject]: ...
    async def faces(self, collection: Collection, subject: str) -> list[StoredFace]: ...
    async def find(
        self, name: str, contract: str, probes: Sequence[NDArray[np.float32]], count: int
    ) -> tuple[Collection, list[list[Hit]]]: ...

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
    ) -> list[Enrolled]: ...
    async def delete_subjects(self, name: str, subjects: Sequence[str]) -> int: ...
    async def delete_face(self, name: str, face_id: str) -> int: ...
    async def clean(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class Stages:
    """Every stage of the application, the networks by their roles, e.g. ``mtcnn``, ``crmnet``, ``arcface``."""

    detectors: Mapping[str, DetectorStage]
    liveness: Mapping[str, LivenessStage]
    embedders: Mapping[str, EmbedderStage]
    gallery: Gallery

    @property
    def networks(self) -> list[tuple[str, str, NetworkStage]]:
        """Kind, role and stage of each network; a role may be of several kinds."""
        kinds: Mapping[str, Mapping[str, NetworkStage]] = {
            "detector": self.detectors,
            "liveness": self.liveness,
            "embedder": self.embedders,
        }
        return [(kind, role, stage) for kind, stages in kinds.items() for role, stage in stages.items()]


def first_of(stages: Mapping[str, Stage], *roles: str) -> Stage:
    """The stage of the first of `roles` that the configuration has.

    Raises:
        Refused: ``UNAVAILABLE``: it has none of them.
    """
    for role in roles:
        if role in stages:
            return stages[role]
    raise Refused("UNAVAILABLE", f"This service is configured without a stage called {' or '.join(roles)}")
