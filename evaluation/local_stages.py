"""Stages that run in this process, without Ray."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from graphs.stages import DetectorStage, FaceStage
from imaging.decode import Limits
from models.card import Card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import CropNetwork, load_detector
from models.store import Store

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class LocalStage(Generic[Question, Answer]):
    """A `graphs.stages.Stage` that calls a function.

    Attributes:
        answer: processes one call.
    """

    role: str
    card: Card
    answer: Callable[[Question], Answer]

    def ready(self) -> bool:
        """Return True: its model is already loaded."""
        return True

    async def ask(self, question: Question) -> Answer:
        """Call the function immediately, without yielding to other tasks."""
        return self.answer(question)


def detector_stage(card: Card, detect: PhotoDetector) -> DetectorStage:
    """Wrap a detector as a stage, whose role is its card's name."""
    return LocalStage(card.name, card, lambda question: detect(question.photos, question.crops, question.pick))


@contextmanager
def loaded_detector(card: Card, store: Store) -> Iterator[DetectorStage]:
    """Load a detector with ONNX on one thread, and close it at the end of the block.

    Raises:
        ModelError: the model is not pulled, or is not a detector.
    """
    with closing(load_detector(card, store, "onnx", Device(), {})) as finder:
        yield detector_stage(card, PhotoDetector(finder, Limits()))


def face_stage(card: Card, network: CropNetwork) -> FaceStage:
    """Wrap a model that reads face crops as a stage, whose role is its card's name."""
    return LocalStage(card.name, card, lambda crops: network(*crops))
