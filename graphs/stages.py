"""The stages as a flow sees them: what is known of a network, and how to ask it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gallery.operations import Gallery
from gallery.records import EmbeddingKind
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
