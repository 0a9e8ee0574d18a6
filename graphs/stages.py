"""The stages as flows see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from gallery.operations import Gallery
from gallery.records import EmbeddingKind
from imaging.crops import CropSpec
from imaging.faces import Detection, Pixels
from imaging.pick import Pick
from models.card import Card
from project.request_error import RequestError

Question = TypeVar("Question", contravariant=True)
Answer = TypeVar("Answer", covariant=True)
SomeStage = TypeVar("SomeStage")


class Stage(Protocol[Question, Answer]):
    """A model with a role, in its own deployment or inside the ingress."""

    @property
    def role(self) -> str:
        """Unique name of the stage in requests and the configuration."""

    @property
    def card(self) -> Card:
        """Card of the model."""

    def ready(self) -> bool:
        """Return whether the stage was ready at the last check."""

    async def ask(self, question: Question) -> Answer:
        """Call one replica.

        Raises:
            RequestError: ``UNAVAILABLE`` if no replica is available.
        """


@dataclass(frozen=True, slots=True)
class DetectionRequest:
    """Input of a detector.

    Attributes:
        photos: encoded photos.
        crops: crops to cut for each face that counts.
        pick: which faces count.
    """

    photos: Sequence[bytes]
    crops: Sequence[CropSpec]
    pick: Pick


FaceCrops: TypeAlias = tuple[Pixels, ...]
"""The crops of n faces: uint8 (n, size, size, 3) RGB for each crop of the model's card."""

DetectorStage: TypeAlias = Stage[DetectionRequest, Detection]
"""Finds faces in photos and crops them."""

FaceStage: TypeAlias = Stage[FaceCrops, NDArray[np.float32]]
"""Reads crops of n faces and returns float32 (n, *shape), where the card gives the shape."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Every stage of the application.

    Attributes:
        detectors: stages that find faces, by role.
        networks: stages that read crops of faces, by role.
        defaults: default role of each task.
    """

    detectors: Mapping[str, DetectorStage]
    networks: Mapping[str, FaceStage]
    defaults: Mapping[str, str]
    gallery: Gallery

    @property
    def all(self) -> list[Stage[Any, Any]]:
        """The detectors, then the other models."""
        return [*self.detectors.values(), *self.networks.values()]

    @property
    def roles(self) -> dict[str, list[str]]:
        """Roles of the stages, by task."""
        roles: dict[str, list[str]] = {}
        for stage in self.all:
            roles.setdefault(stage.card.task, []).append(stage.role)
        return roles

    def of(self, task: str) -> dict[str, FaceStage]:
        """Return the stages for one task, by role."""
        return {role: stage for role, stage in self.networks.items() if stage.card.task == task}

    def detector(self, role: str | None) -> DetectorStage:
        """Return the detector with this role, or the default one.

        Raises:
            RequestError: ``UNKNOWN_DETECTOR``.
        """
        return _chosen("detector", self.detectors, self.defaults.get("detector") if role is None else role)

    def network(self, task: str, role: str | None) -> FaceStage:
        """Return the stage for `task` with this role, or the default one.

        Raises:
            RequestError: ``UNKNOWN_<TASK>``, for example ``UNKNOWN_EMBEDDER``.
        """
        return _chosen(task, self.of(task), self.defaults.get(task) if role is None else role)


def embedding_kind(embedder: FaceStage) -> EmbeddingKind:
    """Describe an embedder's embeddings for the gallery."""
    card = embedder.card
    [size] = card.shape
    return EmbeddingKind(embedder.role, card.name, card.embedding_contract, size)


def first_of(stages: Mapping[str, SomeStage], *roles: str) -> SomeStage:
    """Return the stage with the first of `roles` that is configured.

    Raises:
        RequestError: ``UNAVAILABLE`` if none is configured.
    """
    for role in roles:
        if role in stages:
            return stages[role]
    raise RequestError("UNAVAILABLE", f"No stage {' or '.join(roles)} is configured")


def _chosen(task: str, stages: Mapping[str, SomeStage], role: str | None) -> SomeStage:
    if role is not None and role in stages:
        return stages[role]
    known = f"available: {', '.join(stages)}" if stages else "none is configured"
    named = f"Unknown {task} {role}" if role is not None else f"No default {task}"
    raise RequestError(f"UNKNOWN_{task.upper()}", f"{named}; {known}")
