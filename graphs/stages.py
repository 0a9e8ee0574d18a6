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
from imaging.refused import Refused
from models.card import Card

Question = TypeVar("Question", contravariant=True)
Answer = TypeVar("Answer", covariant=True)
SomeStage = TypeVar("SomeStage")


class Stage(Protocol[Question, Answer]):
    """A network with a role, in a deployment of its own or inside the ingress."""

    @property
    def role(self) -> str:
        """Unique name of the stage in requests and the configuration."""

    @property
    def card(self) -> Card:
        """Card of the network."""

    def ready(self) -> bool:
        """Return whether the stage answers with its network loaded, as of the last check."""

    async def ask(self, question: Question) -> Answer:
        """Ask one replica.

        Raises:
            Refused: ``UNAVAILABLE`` if no replica can take the question.
        """


@dataclass(frozen=True, slots=True)
class DetectionRequest:
    """A question for a detector.

    Attributes:
        photos: encoded photos.
        crops: the crops to cut of each face that counts.
        pick: which faces count.
    """

    photos: Sequence[bytes]
    crops: Sequence[CropSpec]
    pick: Pick


FaceCrops: TypeAlias = tuple[Pixels, ...]
"""The crops of n faces: uint8 (n, size, size, 3) RGB for each crop of the network's card."""

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
        """The detectors, then the networks."""
        return [*self.detectors.values(), *self.networks.values()]

    @property
    def roles(self) -> dict[str, list[str]]:
        """Roles of the stages, by task."""
        roles: dict[str, list[str]] = {}
        for stage in self.all:
            roles.setdefault(stage.card.task, []).append(stage.role)
        return roles

    def of(self, task: str) -> dict[str, FaceStage]:
        """Return the networks for one task, by role."""
        return {role: stage for role, stage in self.networks.items() if stage.card.task == task}

    def detector(self, role: str | None) -> DetectorStage:
        """Return the detector with this role, or the default one.

        Raises:
            Refused: ``UNKNOWN_DETECTOR``.
        """
        return _chosen("detector", self.detectors, self.defaults.get("detector") if role is None else role)

    def network(self, task: str, role: str | None) -> FaceStage:
        """Return the network for `task` with this role, or the default one.

        Raises:
            Refused: ``UNKNOWN_TASK``, with the name of the task in place of ``TASK``.
        """
        return _chosen(task, self.of(task), self.defaults.get(task) if role is None else role)


def embedding_kind(embedder: FaceStage) -> EmbeddingKind:
    """Return what the gallery stores about the embeddings of an embedder."""
    card = embedder.card
    [size] = card.shape
    return EmbeddingKind(embedder.role, card.name, card.embedding_contract, size)


def first_of(stages: Mapping[str, SomeStage], *roles: str) -> SomeStage:
    """Return the stage with the first of `roles` that is configured.

    Raises:
        Refused: ``UNAVAILABLE`` if none is.
    """
    for role in roles:
        if role in stages:
            return stages[role]
    raise Refused("UNAVAILABLE", f"This service has no stage called {' or '.join(roles)}")


def _chosen(task: str, stages: Mapping[str, SomeStage], role: str | None) -> SomeStage:
    if role is not None and role in stages:
        return stages[role]
    known = f"there are {', '.join(stages)}" if stages else "this service has none"
    named = f"There is no {task} called {role}" if role is not None else f"There is no default {task}"
    raise Refused(f"UNKNOWN_{task.upper()}", f"{named}; {known}")
