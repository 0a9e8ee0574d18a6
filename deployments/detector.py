"""The detector stage."""

from functools import partial
from pathlib import Path
from typing import Any

from deployments.workers import Workers
from graphs.stages import DetectionRequest
from imaging.decode import Limits
from imaging.faces import Detection
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector
from models.store import Store
from telemetry.request_record import TimedAnswer
from telemetry.tracing import add_steps


class DetectorReplica:
    """Decodes photos, finds faces and cuts crops with `models.detection.PhotoDetector`.

    Args:
        model: name of the detector's card.
        store: folder of the models.
        engine, device: runtime and device.
        limits: limits of the decode gate.
        options: keyword arguments of the detector's class.
        workers: threads that run the model.
    """

    def __init__(
        self,
        model: str,
        store: Path,
        engine: Engine,
        device: Device,
        limits: Limits,
        options: dict[str, Any],
        workers: Workers,
    ) -> None:
        self._card, self._store = card(model), Store(store)
        detector = load_detector(self._card, self._store, engine, device, options)
        self._photos = PhotoDetector(detector, limits)
        self._workers = workers

    async def answer(self, question: DetectionRequest) -> TimedAnswer[Detection]:
        """Find faces in encoded photos, one photo per worker, and crop the faces that count."""
        crops, pick = question.crops, question.pick
        looks = await self._workers.run(*(partial(self._photos.one, photo, crops, pick) for photo in question.photos))
        found = Detection.joined(looks.answer, crops)
        add_steps(found.steps)
        return TimedAnswer(found, looks.seconds, found.steps)

    async def ready(self) -> None:
        """Check that the model's files are still present, so that a new replica can start.

        Raises:
            ModelError: files of the model are missing.
        """
        self._store.check_presence(self._card)
