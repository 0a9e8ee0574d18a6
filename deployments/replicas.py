"""The replicas of the stages: those of detectors, and those of models that read face crops."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.workers import Workers
from graphs.stages import DetectionRequest, FaceCrops
from imaging.decode import Limits
from imaging.faces import Detection
from models.catalogue import card, networks_of
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector, load_network
from models.store import Store
from telemetry.request_record import TimedAnswer
from telemetry.tracing import add_steps


class ModelReplica:
    """Runs one model, or all members of a fusion.

    Args:
        model: name of the model's card.
        store: folder of the models.
        workers: threads that run the model.
    """

    def __init__(self, model: str, store: Path, workers: Workers) -> None:
        self._card, self._store, self._workers = card(model), Store(store), workers

    async def ready(self) -> None:
        """Check that the model's files are still present, so that a new replica can start.

        Raises:
            ModelError: files of the model are missing.
        """
        for network in networks_of(self._card):
            self._store.check_presence(network)


class DetectorReplica(ModelReplica):
    """Decodes photos, finds faces and cuts crops with `models.detection.PhotoDetector`.

    Args:
        model, store, workers: as in `ModelReplica`.
        engine, device: runtime and device.
        limits: limits of the decode gate.
        options: keyword arguments of the detector's class.
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
        super().__init__(model, store, workers)
        self._photos = PhotoDetector(load_detector(self._card, self._store, engine, device, options), limits)

    async def answer(self, question: DetectionRequest) -> TimedAnswer[Detection]:
        """Find faces in encoded photos, one photo per worker, and crop the faces that count."""
        crops, pick = question.crops, question.pick
        looks = await self._workers.run(*(partial(self._photos.one, photo, crops, pick) for photo in question.photos))
        found = Detection.joined(looks.answer, crops)
        add_steps(found.steps)
        return TimedAnswer(found, looks.seconds, found.steps)


class FaceNetworkReplica(ModelReplica):
    """Runs a model that reads face crops.

    Args:
        model, store, workers: as in `ModelReplica`.
        engine, device: runtime and device.
    """

    def __init__(self, model: str, store: Path, engine: Engine, device: Device, workers: Workers) -> None:
        super().__init__(model, store, workers)
        self._network = load_network(self._card, self._store, engine, device)
        # On a CPU, the time grows with the number of faces, so they are split between the threads.
        self._parts = workers.count if device.kind == "cpu" else 1

    async def answer(self, question: FaceCrops) -> TimedAnswer[NDArray[np.float32]]:
        """Return the model's outputs for n faces: float32 (n, *shape)."""
        parts = max(1, min(self._parts, len(question[0])))
        shares = zip(*(np.array_split(crop, parts) for crop in question), strict=True)
        answers = await self._workers.run(*(partial(self._network, *share) for share in shares))
        return TimedAnswer(np.concatenate(answers.answer), answers.seconds)
