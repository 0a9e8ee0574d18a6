"""The stages as the flows see them: a role, a card, and one question at a time."""

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
    """A network behind a role, wherever it runs."""

    @property
    def role(self) -> str:
        """What requests and the configuration call it; unique."""

    @property
    def card(self) -> Card:
        """What is known of its network."""

    def ready(self) -> bool:
        """Whether it answers, with its network loaded. Answered from memory."""

    async def ask(self, question: Question) -> Answer:
        """Ask one replica.

        Raises:
            Refused: ``UNAVAILABLE`` if no replica can take the question.
        """


@dataclass(frozen=True, slots=True)
class DetectionRequest:
    """What a detector is asked.

    Attributes:
        photos: encoded.
        crops: what to cut out of each face that counts.
        pick: which faces count.
    """

    photos: Sequence[bytes]
    crops: Sequence[CropSpec]
    pick: Pick


FaceCrops: TypeAlias = tuple[Pixels, ...]
"""What a network reads of n faces: uint8 (n, size, size, 3) RGB for each crop of its card."""

DetectorStage: TypeAlias = Stage[DetectionRequest, Detection]
"""Finds faces in photos and cuts them out."""

FaceStage: TypeAlias = Stage[FaceCrops, NDArray[np.float32]]
"""Reads crops of n faces: float32 (n, *shape), what the task of its card says of each."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Every stage of the application.

    Attributes:
        detectors, networks: by role; `networks` are all that read faces.
        defaults: for each task the role that requests get unless they name another.
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
        """The roles of the stages, by their task."""
        roles: dict[str, list[str]] = {}
        for stage in self.all:
            roles.setdefault(stage.card.task, []).append(stage.role)
        return roles

    def of(self, task: str) -> dict[str, FaceStage]:
        """The networks for one task, by role."""
        return {role: stage for role, stage in self.networks.items() if stage.card.task == task}

    def detector(self, role: str | None) -> DetectorStage:
        """The detector behind `role`, or the default one.

        Raises:
            Refused: ``UNKNOWN_DETECTOR``.
        """
        return _chosen("detector", self.detectors, self.defaults.get("detector") if role is None else role)

    def network(self, task: str, role: str | None) -> FaceStage:
        """The network for `task` behind `role`, or the default one.

        Raises:
            Refused: ``UNKNOWN_`` and the task in capitals.
        """
        return _chosen(task, self.of(task), self.defaults.get(task) if role is None else role)


def embedding_kind(embedder: FaceStage) -> EmbeddingKind:
    """What the gallery has to know of an embedder's embeddings."""
    card = embedder.card
    [size] = card.shape
    return EmbeddingKind(embedder.role, card.name, card.embedding_contract, size)


def first_of(stages: Mapping[str, SomeStage], *roles: str) -> SomeStage:
    """The stage of the first of `roles` that the configuration has.

    Raises:
        Refused: ``UNAVAILABLE``: it has none of them.
    """
    for role in roles:
        if role in stages:
            return stages[role]
    raise Refused("UNAVAILABLE", f"This service is configured without a stage called {' or '.join(roles)}")


def _chosen(task: str, stages: Mapping[str, SomeStage], role: str | None) -> SomeStage:
    if role is not None and role in stages:
        return stages[role]
    known = f"there are {', '.join(stages)}" if stages else "this service has none"
    named = f"There is no {task} called {role}" if role is not None else f"There is no default {task}"
    raise Refused(f"UNKNOWN_{task.upper()}", f"{named}; {known}")
